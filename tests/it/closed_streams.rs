//! Standard streams that are closed or cannot be written: closed pipes, full disks, and closed file
//! descriptors.

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::shared;
use crate::support::tool::Program;
use crate::support::{v2, wait};

/// The time limit for an immediate exit. Other tests measure how fast it is.
const SOON: Duration = Duration::from_secs(2);

// --- closed pipes

#[test]
fn an_idle_stream_piped_to_head_exits_0_without_a_message() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("first"), "1").to_string();
    for output in ["text", "json"] {
        let watch = subtree.stream_from(&from);
        let script = r#"{ "$0" "$@"; echo "exit $?" >&2; } | head -n 1"#;
        let begin = Instant::now();
        // Nothing more is written, so that the tool must notice by itself that its reader is gone.
        let output = subtree
            .shell(script, &[&watch[..], &["-o", output]].concat())
            .run();
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(output.stderr, "exit 0\n");
        assert_eq!(output.stdout.lines().count(), 1);
    }
}

#[test]
fn a_closed_pipe_ends_a_busy_stream_with_0_without_a_message() {
    let subtree = shared::any();
    let (program, _) = subtree.stream_with_first_event(&[]);
    let running = program.unread().start();
    let url = subtree.url();
    let key = subtree.key("k");
    let mut writer = v2::Writer::connect(&url);
    writer.put(&key, "v");
    running.close_stdout();
    let mut number = 0;
    wait::until(wait::LONG, "its end", || {
        number += 1;
        writer.put(&key, &number.to_string());
        running.has_ended()
    });
    let output = running.wait(SOON);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

/// No write to stdout fails, and there are always events to process.
#[test]
fn a_closed_pipe_ends_a_busy_stream_that_prints_nothing() {
    let subtree = shared::any();
    let (key, value) = (subtree.key("k"), "v");
    let watch = [
        "-v",
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--match",
        "/never",
    ];
    let running = subtree.program(&watch).unread().start();
    running.wait_for_stderr("< 200", wait::LONG);
    running.close_stdout();
    let mut writer = v2::Writer::connect(&subtree.url());
    wait::until(wait::LONG, "its end", || {
        writer.put(&key, value);
        running.has_ended()
    });
    assert_eq!(running.wait(SOON).code, 0);
}

#[test]
fn a_closed_pipe_ends_get_and_replay_with_0() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("0"), "x").to_string();
    // This is more than a pipe holds.
    let value = "x".repeat(50_000);
    for number in 0..6 {
        subtree.put(&subtree.key(&number.to_string()), &value);
    }
    for command in [
        &["get", "-r", subtree.root()][..],
        &["-o", "json", "get", "-r", subtree.root()],
        &["replay", "-r", subtree.root(), "--from-index", &from],
    ] {
        let script = r#"{ "$0" "$@"; echo "exit $?" >&2; } | head -c 10"#;
        let output = subtree.shell(script, command).run();
        assert_eq!(output.stderr, "exit 0\n", "{command:?}");
        assert_eq!(output.stdout.len(), 10);
    }
}

// --- full disks and closed streams

#[test]
fn a_nonblocking_stdout_pipe_gets_everything() {
    let subtree = shared::any();
    let key = subtree.key("large");
    let from = subtree.put(&key, &"v".repeat(200_000)).to_string();
    for arguments in [&["get", &key][..], &["replay", &key, "--from-index", &from]] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_etcdwatch"))
            .args(subtree.arguments(arguments))
            .stdout(writer)
            .spawn()
            .unwrap();
        wait::until(wait::LONG, "the pipe to be full", || {
            rustix::io::ioctl_fionread(&reader).unwrap() >= 65_536
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(
            (code, text.matches('v').count() >= 200_000),
            (Some(0), true)
        );
    }
}

#[test]
fn a_full_disk_exits_74_with_a_message() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let from = subtree.put(&key, "v").to_string();
    for command in [
        &["get", &key][..],
        &["-o", "json", "get", &key],
        &["set", &key, "w"],
        &["watch", &key, "--from-index", &from],
        &["watch", "--stream", "-r", &key, "--from-index", &from],
        &["replay", &key, "--from-index", &from],
        &["completions", "bash"],
    ] {
        let script = r#"exec "$0" "$@" >/dev/full"#;
        let output = if command[0] == "completions" {
            Program::shell(script, command).run()
        } else {
            subtree.shell(script, command).run()
        };
        assert_eq!(output.code, 74, "{command:?}: {output:?}");
        assert!(output.stderr.contains("No space left"), "{output:?}");
    }
    assert_eq!(subtree.value(&key).as_deref(), Some("w"));
    let script = r#"exec "$0" "$@" >/dev/full"#;
    let output = subtree.shell(script, &["-o", "json", "get", &key]).run();
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["exit"], json!(74));
}

#[test]
fn a_closed_stdout_exits_0_without_a_message() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let from = subtree.put(&key, "v").to_string();
    let script = r#"exec "$0" "$@" >&-"#;
    for command in [
        &["get", &key][..],
        &["set", &key, "w"],
        &["watch", &key, "--from-index", &from],
    ] {
        // The first socket must not get the file descriptor of stdout, or records would go to the
        // server.
        let output = subtree.shell(script, command).run();
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (0, ""),
            "{command:?}"
        );
    }
    assert_eq!(subtree.value(&key).as_deref(), Some("w"));
}

#[test]
fn a_closed_stdin_and_stderr_change_nothing() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let script = r#"exec "$0" "$@" <&- 2>&-"#;
    let output = subtree.shell(script, &["-v", "set", &key, "v"]).run();
    assert_eq!((output.code, output.stdout.lines().count()), (0, 1));
    let output = subtree.shell(script, &["-v", "get", &key]).run();
    assert_eq!((output.code, output.stdout.as_str()), (0, "v\n"));
    let output = subtree.shell(script, &["get", &subtree.key("none")]).run();
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
}
