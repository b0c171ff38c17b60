//! `watch --stream KEY -- CMD`: a command for each event.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::shared::{self, Subtree};
use crate::support::tool::{Program, Running, Signal, assert_ends};
use crate::support::v2::Writer;
use crate::support::v3;
use crate::support::wait;

/// A directory for files that the command writes.
struct Traces {
    directory: TempDir,
}

impl Traces {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn wait_for(&self, name: &str, count: usize) -> Vec<String> {
        wait::until(wait::LONG, "the command to leave its traces", || {
            self.lines(name).len() >= count
        });
        self.lines(name)
    }
}

/// Starts a live stream on the whole subtree that runs a script in the directory of traces.
fn exec(subtree: &Subtree, traces: &Traces, options: &[&str], script: &str) -> Running {
    // With a named API, the first answer is that of the watch.
    let api: &[&str] = if options.contains(&"--api") {
        &[]
    } else {
        &["--api", "v2"]
    };
    let watch = ["-v", "watch", "--stream", "-r", subtree.root()];
    let directory = traces.directory.path().display().to_string();
    let script = format!("cd '{directory}' || exit; {script}");
    let command = ["--", "sh", "-c", &script];
    let running = subtree
        .program(&[&watch[..], api, options, &command].concat())
        .start();
    running.wait_for_stderr("< 200", wait::LONG);
    running
}

#[test]
fn a_command_gets_the_event_in_its_environment_and_on_stdin() {
    for subtree in shared::each() {
        let traces = Traces::new();
        let script = r#"cat >>json; printf '%s|%s|%s|%s\n' "$ETCD_WATCH_ACTION" \
            "$ETCD_WATCH_KEY" "$ETCD_WATCH_VALUE" "$ETCD_WATCH_MODIFIED_INDEX" >>environment"#;
        let running = exec(&subtree, &traces, &["--count", "3"], script);
        let key = subtree.key("k");
        let first = subtree.put(&key, "it's \"$HOME\" `x`");
        let second = subtree.put(&key, "");
        assert_eq!(subtree.tool(&["rm", &key]).code, 0);
        let output = running.wait(wait::LONG);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{output:?}");
        let lines = traces.lines("environment");
        assert_eq!(lines[0], format!("set|{key}|it's \"$HOME\" `x`|{first}"));
        assert_eq!(lines[1], format!("set|{key}||{second}"));
        assert!(
            lines[2].starts_with(&format!("delete|{key}||")),
            "{lines:?}"
        );
        let records = traces.lines("json");
        let last: Value = serde_json::from_str(&records[2]).unwrap();
        assert_eq!((records.len(), &last["prevNode"]["value"]), (3, &"".into()));
    }
}

#[test]
fn a_command_is_run_without_a_shell() {
    let subtree = shared::any();
    let traces = Traces::new();
    let target = traces.path("x;y $HOME").display().to_string();
    let watch = [
        "-v",
        "--api",
        "v2",
        "watch",
        "--stream",
        subtree.root(),
        "-r",
        "--count",
        "1",
    ];
    let running = subtree
        .program(&[&watch[..], &["--", "touch", &target]].concat())
        .start();
    running.wait_for_stderr("< 200", wait::LONG);
    subtree.put(&subtree.key("k"), "v");
    assert_eq!(running.wait(wait::LONG).code, 0);
    assert!(Path::new(&target).exists());
}

/// Sets a key 500 times at full speed.
fn burst(subtree: &Subtree, key: &str) {
    let mut writer = Writer::connect(&subtree.url());
    for number in 1..=500 {
        writer.put(key, &number.to_string());
    }
}

#[test]
fn a_command_is_run_for_each_of_500_rapid_events_in_order() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = r#"echo "$ETCD_WATCH_VALUE" >>values"#;
    let running = exec(&subtree, &traces, &["--count", "500"], script);
    burst(&subtree, &subtree.key("k"));
    let output = running.wait(wait::LONG);
    assert_eq!(output.code, 0, "{output:?}");
    let expected: Vec<String> = (1..=500).map(|number| number.to_string()).collect();
    assert_eq!(traces.lines("values"), expected);
}

#[test]
fn exec_mode_latest_skips_events_but_runs_the_last() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = r#"echo "$ETCD_WATCH_VALUE" >>values; sleep 0.3"#;
    let running = exec(&subtree, &traces, &["--exec-mode", "latest"], script);
    burst(&subtree, &subtree.key("k"));
    wait::until(wait::LONG, "the last value", || {
        traces
            .lines("values")
            .last()
            .is_some_and(|last| last == "500")
    });
    running.signal(Signal::INT);
    assert_eq!(running.wait(wait::LONG).code, 130);
    assert!(
        traces.lines("values").len() < 100,
        "{:?}",
        traces.lines("values")
    );
}

/// The processes with this text in their command line.
fn processes(mark: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(mark) && !line.contains("watch --stream"))
        .collect()
}

#[test]
fn exec_mode_restart_leaves_no_process_behind() {
    let subtree = shared::any();
    let traces = Traces::new();
    let mark = format!("{}", 86_400 + std::process::id());
    // The script starts a background process, and ignores SIGTERM.
    let script = format!(
        r#"echo "$ETCD_WATCH_VALUE" >>values; trap '' TERM; sleep {mark} & sleep {mark}.5"#
    );
    let options = ["--exec-mode", "restart", "--grace", "100ms"];
    let running = exec(&subtree, &traces, &options, &script);
    for number in 1..=5 {
        subtree.put(&subtree.key("k"), &number.to_string());
        wait::until(wait::LONG, "it to be run", || {
            traces.lines("values").last() == Some(&number.to_string())
        });
    }
    wait::until(wait::LONG, "the last one alone to run", || {
        processes(&format!("sleep {mark}")).len() == 3
    });
    running.signal(Signal::TERM);
    assert_eq!(running.wait(wait::LONG).code, 143);
    assert_eq!(processes(&mark), Vec::<String>::new());
}

#[test]
fn debounce_runs_the_command_once_per_burst() {
    let subtree = shared::any();
    let traces = Traces::new();
    let options = ["--exec-mode", "latest", "--debounce", "500ms"];
    let script = r#"echo "$ETCD_WATCH_VALUE" >>values"#;
    let running = exec(&subtree, &traces, &options, script);
    burst(&subtree, &subtree.key("k"));
    assert_eq!(traces.wait_for("values", 1), ["500"]);
    running.signal(Signal::INT);
    assert_eq!(running.wait(wait::LONG).code, 130);
    assert_eq!(traces.lines("values"), ["500"]);
}

#[test]
fn a_failed_command_exits_123_and_is_repeated_by_the_next_run() {
    for subtree in shared::each() {
        let traces = Traces::new();
        let file = traces.path("checkpoint").display().to_string();
        let script =
            r#"echo "$ETCD_WATCH_VALUE" >>values; [ "$ETCD_WATCH_VALUE" != 2 ] || [ -e mended ]"#;
        let options = ["--checkpoint", &file];
        let running = exec(&subtree, &traces, &options, script);
        for number in 1..=3 {
            subtree.put(&subtree.key("k"), &number.to_string());
        }
        let output = running.wait(wait::LONG);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (123, ""),
            "{output:?}"
        );
        let part = format!("for {} at", subtree.key("k"));
        assert!(output.stderr.contains(&part), "{output:?}");
        assert!(output.stderr.contains("exit code 1"), "{output:?}");
        assert_eq!(traces.lines("values"), ["1", "2"]);
        fs::write(traces.path("mended"), "").unwrap();
        let running = exec(
            &subtree,
            &traces,
            &["--checkpoint", &file, "--count", "2"],
            script,
        );
        assert_eq!(running.wait(wait::LONG).code, 0);
        assert_eq!(traces.lines("values"), ["1", "2", "2", "3"]);
    }
}

#[test]
fn a_resumed_run_continues_within_a_transaction() {
    for subtree in shared::each() {
        let traces = Traces::new();
        let file = traces.path("checkpoint").display().to_string();
        let script =
            r#"echo "$ETCD_WATCH_VALUE" >>values; [ "$ETCD_WATCH_VALUE" != 2 ] || [ -e mended ]"#;
        let options = ["--api", "v3", "--checkpoint", &file];
        let running = exec(&subtree, &traces, &options, script);
        let keys: Vec<String> = (1..=3)
            .map(|number| subtree.key(&format!("t{number}")))
            .collect();
        let values = ["1", "2", "3"];
        let operations = keys
            .iter()
            .zip(values)
            .map(|(key, value)| (key.as_str(), Some(value)));
        v3::transaction(&subtree.url(), operations);
        assert_eq!(running.wait(wait::LONG).code, 123);
        fs::write(traces.path("mended"), "").unwrap();
        let options = [&options[..], &["--count", "2"]].concat();
        let running = exec(&subtree, &traces, &options, script);
        assert_eq!(running.wait(wait::LONG).code, 0);
        assert_eq!(traces.lines("values"), ["1", "2", "2", "3"]);
    }
}

#[test]
fn on_exec_failure_continues_or_retries() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = r#"echo "$ETCD_WATCH_VALUE" >>values; [ "$ETCD_WATCH_VALUE" != 1 ] || kill -9 $$"#;
    let options = ["--on-exec-failure", "continue", "--count", "2"];
    let running = exec(&subtree, &traces, &options, script);
    subtree.put(&subtree.key("k"), "1");
    subtree.put(&subtree.key("k"), "2");
    let output = running.wait(wait::LONG);
    assert_ends(&output, 0, &["signal 9"]);
    assert_eq!(traces.lines("values"), ["1", "2"]);

    let traces = Traces::new();
    let script = r#"echo "$ETCD_WATCH_VALUE" >>values; [ "$(wc -l <values)" -gt 1 ]"#;
    let options = ["--on-exec-failure", "retry", "--count", "1"];
    let running = exec(&subtree, &traces, &options, script);
    subtree.put(&subtree.key("k"), "3");
    assert_eq!(running.wait(wait::LONG).code, 0);
    assert_eq!(traces.lines("values"), ["3", "3"]);
}

#[test]
fn ctrl_c_is_forwarded_to_the_command_and_waits_for_its_end() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = "trap 'sleep 0.3; echo ended >>end; exit' INT; echo begun >>begin; \
                  while :; do sleep 0.05; done";
    let running = exec(&subtree, &traces, &[], script);
    subtree.put(&subtree.key("k"), "v");
    traces.wait_for("begin", 1);
    running.signal(Signal::INT);
    let output = running.wait(wait::LONG);
    assert_eq!(output.code, 130, "{output:?}");
    assert_eq!(traces.lines("end"), ["ended"]);
}

#[test]
fn a_command_may_ignore_stdin_flood_stdout_and_leave_children() {
    let subtree = shared::any();
    let traces = Traces::new();
    // Its stdin is more than a pipe holds, and the process that it leaves behind keeps it open.
    let value = "x".repeat(300_000);
    let script = "sleep 2 & yes | head -c 3000000; echo done >>runs";
    let running = exec(&subtree, &traces, &["--count", "3"], script);
    for _ in 0..3 {
        subtree.put(&subtree.key("k"), &value);
    }
    let output = running.wait(wait::LONG);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(
        (output.stdout_bytes.len(), traces.lines("runs").len()),
        (9_000_000, 3)
    );
    assert!(
        output.stderr.contains("ETCD_WATCH_VALUE is left out"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_value_with_a_nul_is_left_out_of_the_environment_with_a_notice() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = r#"cat >>json; echo "${ETCD_WATCH_VALUE-none}" >>values"#;
    let running = exec(&subtree, &traces, &["--api", "v3", "--count", "1"], script);
    v3::put(&subtree.url(), &subtree.key("k"), b"a\0b");
    let output = running.wait(wait::LONG);
    assert_ends(&output, 0, &["the value has a NUL"]);
    assert_eq!(traces.lines("values"), ["none"]);
    let record: Value = serde_json::from_str(&traces.lines("json")[0]).unwrap();
    assert_eq!(record["node"]["value"], "a\0b");
}

#[test]
fn a_missing_command_exits_127_and_one_that_is_not_executable_126() {
    let traces = Traces::new();
    let file = traces.path("file");
    fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    for (command, code) in [
        ("no-such-command", 127),
        ("/no/such/command", 127),
        (&file, 126),
    ] {
        let watch = ["watch", "--stream", "/k", "--", command];
        let output = Program::tool(&watch).run();
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (code, ""),
            "{output:?}"
        );
        assert!(output.stderr.contains(command), "{output:?}");
    }
    for arguments in [
        &["watch", "/k", "--", "true"][..],
        &["watch", "--stream", "/k", "--exec-mode", "latest"],
        &["watch", "--stream", "/k", "--format", "{key}", "--", "true"],
    ] {
        assert_eq!(Program::tool(arguments).run().code, 2, "{arguments:?}");
    }
}

#[test]
fn a_timeout_ends_the_command_too() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = "echo begun >>begin; exec sleep 30";
    let options = ["--timeout", "2s", "--grace", "5s"];
    let running = exec(&subtree, &traces, &options, script);
    subtree.put(&subtree.key("k"), "v");
    let output = running.wait(Duration::from_secs(10));
    assert_eq!(output.code, 124, "{output:?}");
    assert_eq!(traces.lines("begin"), ["begun"]);
}

#[test]
fn a_command_that_succeeds_after_ctrl_c_is_not_repeated() {
    let subtree = shared::any();
    let traces = Traces::new();
    let file = traces.path("checkpoint").display().to_string();
    let script = "trap '' INT; echo begun >>begin; sleep 0.7; echo \"$ETCD_WATCH_VALUE\" >>values";
    let running = exec(&subtree, &traces, &["--checkpoint", &file], script);
    subtree.put(&subtree.key("k"), "1");
    traces.wait_for("begin", 1);
    running.signal(Signal::INT);
    let output = running.wait(wait::LONG);
    assert_ends(&output, 130, &["waiting for the command"]);
    subtree.put(&subtree.key("k"), "2");
    let running = exec(
        &subtree,
        &traces,
        &["--checkpoint", &file, "--count", "1"],
        script,
    );
    assert_eq!(running.wait(wait::LONG).code, 0);
    assert_eq!(traces.lines("values"), ["1", "2"]);
}

#[test]
fn a_command_that_leaves_its_process_group_is_ended_too() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = "exec perl -e 'setpgrp(0, getpgrp(getppid())); open(F, \">>begin\"); \
                  print F \"begun\\n\"; close F; sleep 60'";
    let running = exec(&subtree, &traces, &["--grace", "300ms"], script);
    subtree.put(&subtree.key("k"), "v");
    traces.wait_for("begin", 1);
    running.signal(Signal::TERM);
    assert_eq!(running.wait(wait::LONG).code, 143);
}

#[test]
fn a_watch_is_not_idle_while_its_command_runs() {
    let subtree = shared::any();
    let traces = Traces::new();
    let script = "sleep 1.5; echo done >>runs";
    let running = exec(&subtree, &traces, &["--idle-timeout", "700ms"], script);
    subtree.put(&subtree.key("k"), "1");
    subtree.put(&subtree.key("k"), "2");
    let output = running.wait(wait::LONG);
    assert_eq!(
        (output.code, traces.lines("runs").len()),
        (124, 2),
        "{output:?}"
    );
}
