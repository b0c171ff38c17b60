//! Output without a terminal: records for scripts, notices, curl commands, and closed pipes.

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::proxy::Proxy;
use crate::support::scripted::{Response, Scripted};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program, Signal, tool};
use crate::support::{v2, wait};

/// The time limit for an immediate exit. Other tests measure how fast it is.
const SOON: Duration = Duration::from_secs(2);

/// Writes an event and prepares a stream that begins with it. The stream is live when its first
/// line is printed.
fn stream_with_one_record(subtree: &Subtree, options: &[&str]) -> (Program, u64) {
    let index = subtree.put(&subtree.key("first"), "1");
    let from = index.to_string();
    let watch = [
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--from-index",
        &from,
    ];
    (subtree.program(&[&watch[..], options].concat()), index)
}

#[track_caller]
fn notice_of(output: &Output) -> Value {
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    let value: Value = serde_json::from_str(&output.stderr).unwrap();
    assert!(value["notice"]["kind"].is_string(), "{value}");
    assert!(value["notice"]["message"].is_string(), "{value}");
    assert_eq!(value.as_object().unwrap().len(), 1, "{value}");
    value["notice"].clone()
}

// --- records

#[test]
fn a_record_has_index_action_key_value_and_with_prev_the_previous_value() {
    for subtree in shared::each() {
        let key = subtree.key("k\n");
        let escaped = subtree.key(r"k\n");
        let first = subtree.put(&key, "a\tb");
        let second = subtree.put(&key, "c\u{1b}\\");
        let from = first.to_string();
        let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
        let output = subtree.tool(&replay);
        let expected =
            format!("{first}\tset\t{escaped}\ta\\tb\n{second}\tset\t{escaped}\tc\\x1b\\\\\n");
        assert_eq!((output.code, output.stdout), (0, expected));
        let output = subtree.tool(&[&replay[..], &["--prev"]].concat());
        let expected = format!(
            "{first}\tset\t{escaped}\ta\\tb\t\n{second}\tset\t{escaped}\tc\\x1b\\\\\ta\\tb\n"
        );
        assert_eq!((output.code, output.stdout), (0, expected));
    }
}

#[test]
fn a_json_event_is_the_line_the_server_sent() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, "<before>\u{2028}");
        let index = subtree.put(&key, "é\n\"\u{1b}");
        let from = index.to_string();
        let output = subtree.tool(&["-o", "json", "watch", &key, "--from-index", &from]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        let path = format!("/v2/keys{key}?wait=true&waitIndex={index}");
        let own = v2::request("GET", &subtree.url(), &path, &[]);
        assert_eq!(output.stdout, own.text());
        assert_eq!(output.stdout.lines().count(), 1);
    }
}

#[test]
fn only_records_go_to_stdout() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let ahead = (subtree.put(&key, "v") + 1_000_000).to_string();
    for arguments in [
        &["get", "/none"][..],
        &["rm", "/none"],
        &["-v", "get", "/none"],
        &["replay", &key, "--from-index", &ahead],
        &["watch", &key, "--from-index", &ahead, "--timeout", "300ms"],
    ] {
        let output = subtree.tool(arguments);
        assert_eq!(output.stdout, "", "{output:?}");
        assert_ne!(output.stderr, "", "{arguments:?}");
    }
}

// --- notices

#[test]
fn a_future_index_is_a_notice_that_quiet_suppresses() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let ahead = (subtree.put(&key, "v") + 1_000_000).to_string();
        let replay = ["replay", &key, "--from-index", &ahead];
        let output = subtree.tool(&replay);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""));
        assert!(output.stderr.contains(&ahead), "{output:?}");
        for quiet in ["-q", "--quiet"] {
            let output = subtree.tool(&[&replay[..], &[quiet]].concat());
            assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        }
        let output = subtree.tool(&[&replay[..], &["-o", "json"]].concat());
        let notice = notice_of(&output);
        assert!(notice["message"].as_str().unwrap().contains(&ahead));
    }
}

#[test]
fn quiet_does_not_suppress_errors() {
    let subtree = shared::any();
    let output = subtree.tool(&["-q", "get", &subtree.key("none")]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("not found"), "{output:?}");
    let output = subtree.tool(&["-q", "-o", "json", "get", &subtree.key("none")]);
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "keyNotFound");
}

#[test]
fn losing_and_regaining_the_connection_are_notices() {
    let subtree = shared::any();
    let proxy = Proxy::to(&subtree.url());
    let index = subtree.put(&subtree.key("first"), "1");
    let from = index.to_string();
    let watch = [
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--from-index",
        &from,
    ];
    let start = |options: &[&str]| {
        let url = proxy.url();
        let endpoint = ["--endpoints", &url];
        Program::tool(&[&watch[..], &endpoint, options].concat()).start()
    };
    let (noisy, quiet) = (start(&["-o", "json"]), start(&["-q"]));
    noisy.wait_for_lines(1, wait::LONG);
    quiet.wait_for_lines(1, wait::LONG);
    proxy.refuse(true);
    proxy.cut_all(crate::support::proxy::Cut::Reset);
    noisy.wait_for_stderr("\"notice\"", wait::LONG);
    subtree.put(&subtree.key("second"), "2");
    proxy.refuse(false);
    noisy.wait_for_lines(2, wait::LONG);
    assert_eq!(quiet.wait_for_lines(2, wait::LONG).len(), 2);
    wait::until(wait::LONG, "a second notice", || {
        noisy.stderr().lines().count() >= 2
    });
    noisy.signal(Signal::INT);
    quiet.signal(Signal::INT);
    let (noisy, quiet) = (noisy.wait(SOON), quiet.wait(SOON));
    assert_eq!((noisy.code, quiet.code), (130, 130));
    assert_eq!(quiet.stderr, "");
    for line in noisy.stderr.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(value["notice"]["kind"].is_string(), "{line}");
        let message = value["notice"]["message"].as_str().unwrap();
        assert!(message.contains(&proxy.url()), "{line}");
    }
}

// --- verbose

/// The curl commands that were printed.
fn curls(output: &Output) -> Vec<String> {
    let lines = output.stderr.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.find("curl ").map(|at| line[at..].to_owned()))
        .collect()
}

#[track_caller]
fn run_shell(command: &str) -> Output {
    Program::new("sh", &["-c", command]).run()
}

#[test]
fn the_curl_command_of_a_read_reproduces_the_reply() {
    for subtree in shared::each() {
        for name in [
            "it's a \"k\" $HOME `x` \\",
            "[1-3]{a,b}?#%&",
            "é\n漢",
            "!*~",
        ] {
            let key = subtree.key(name);
            subtree.put(&key, "v 'w'\n");
            for arguments in [
                &["get", &key][..],
                &["get", "-r", "--sort", subtree.root()],
                &["get", "--quorum", &key],
            ] {
                let options = ["-v", "-o", "json"];
                let output = subtree.tool(&[&options, arguments].concat());
                assert_eq!(output.code, 0, "{output:?}");
                let curls = curls(&output);
                assert_eq!(curls.len(), 1, "{output:?}");
                let again = run_shell(&curls[0]);
                assert_eq!(again.code, 0, "{}: {again:?}", curls[0]);
                assert_eq!(again.stdout.trim_end(), output.stdout.trim_end());
            }
        }
    }
}

#[test]
fn the_curl_command_of_a_write_reproduces_the_write() {
    for subtree in shared::each() {
        let key = subtree.key("it's a \"key\" & more");
        let value = "it's $HOME & \"%41\" + é\n@x";
        let set = ["-v", "-o", "json", "set", &key, value, "--ttl", "500"];
        let output = subtree.tool(&set);
        assert_eq!(output.code, 0, "{output:?}");
        let first: Value = serde_json::from_str(&output.stdout).unwrap();
        let again = run_shell(&curls(&output)[0]);
        let second: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(second["action"], "set");
        assert_eq!(second["node"]["value"], value);
        assert_eq!(second["node"]["key"], key);
        assert!(second["node"]["ttl"].is_u64(), "{second}");
        let prev = &second["prevNode"]["modifiedIndex"];
        assert_eq!(*prev, first["node"]["modifiedIndex"]);

        let index = second["node"]["modifiedIndex"].to_string();
        let condition = ["--prev-index", &index, "--prev-value", value];
        let output = subtree.tool(&[&["-v", "rm", &key], &condition[..]].concat());
        assert_eq!(output.code, 0, "{output:?}");
        let again = run_shell(&curls(&output)[0]);
        let refused: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(refused["errorCode"], 100, "{refused}");

        let queue = subtree.key("queue");
        let output = subtree.tool(&["-v", "set", "--in-order", &queue, "x"]);
        let again = run_shell(&curls(&output)[0]);
        let created: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(created["action"], "create");
        let children = subtree.read(&queue, "").json();
        assert_eq!(children["node"]["nodes"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_curl_command_of_a_watch_reproduces_the_event() {
    let subtree = shared::any();
    let key = subtree.key("k k");
    let from = subtree.put(&key, "v").to_string();
    let watch = ["-v", "-o", "json", "watch", &key, "--from-index", &from];
    let output = subtree.tool(&watch);
    assert_eq!(output.code, 0, "{output:?}");
    let waits: Vec<_> = curls(&output)
        .into_iter()
        .filter(|curl| curl.contains("waitIndex"))
        .collect();
    assert!(!waits.is_empty(), "{output:?}");
    let again = run_shell(&waits[0]);
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn the_curl_command_includes_the_proxy() {
    let proxy = Scripted::serve(|request| {
        if request.method == "CONNECT" {
            return Response::raw("HTTP/1.1 200 Connection established\r\n\r\n");
        }
        let node = r#"{"key":"/k","value":"through","modifiedIndex":7,"createdIndex":7}"#;
        Response::etcd(200, 7, format!(r#"{{"action":"get","node":{node}}}"#))
    });
    let get = ["-v", "-o", "json", "get", "/k", "--proxy", &proxy.url()];
    let output = tool(&[&get[..], &["--endpoints", "http://etcd.invalid:2379"]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let again = run_shell(&curls(&output)[0]);
    assert_eq!(
        again.stdout.trim_end(),
        output.stdout.trim_end(),
        "{again:?}"
    );
}

#[test]
fn verbose_prints_each_endpoint_that_was_tried() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    let dead = format!("http://127.0.0.1:{}", crate::support::ports::free());
    let list = format!("{dead},{}", subtree.url());
    let output = tool(&["-v", "get", &key, "--endpoints", &list]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "v\n"));
    let curls = curls(&output);
    assert_eq!(curls.len(), 2, "{output:?}");
    assert!(curls[0].contains(&dead) && curls[1].contains(&subtree.url()));
    // The result of each request is printed too.
    assert!(output.stderr.contains("refused"), "{output:?}");
}

// --- escape sequences

#[test]
fn no_escape_sequence_is_written_to_a_pipe() {
    let server = Scripted::serve(|_| {
        let body = "{\"errorCode\":999,\"message\":\"bad\\u001b]0;x\\u0007\",\"cause\":\"\\u001b[31m\\u009b\",\"index\":0}";
        Response::etcd(400, 7, body)
    });
    let subtree = shared::any();
    let odd = subtree.key("\u{1b}[31m\u{7}");
    let index = subtree.put(&odd, "\u{1b}]0;x\u{7}");
    let from = index.to_string();
    let url = subtree.url();
    let hostile = server.url();
    for (endpoint, arguments) in [
        (&url, &["get", "-r", subtree.root()][..]),
        (&url, &["set", &odd, "\u{1b}"]),
        (&url, &["-v", "get", subtree.root()]),
        (&url, &["get", "/none\u{1b}[31m"]),
        (&url, &["-o", "json", "get", "/none\u{1b}[31m"]),
        (
            &url,
            &[
                "-v",
                "replay",
                "-r",
                subtree.root(),
                "--from-index",
                &from,
                "--prev",
            ],
        ),
        (&url, &["-o", "json", "watch", &odd, "--from-index", &from]),
        (
            &url,
            &[
                "watch",
                &odd,
                "--from-index",
                "99999999",
                "--timeout",
                "100ms",
            ],
        ),
        (&hostile, &["-v", "get", "/k"]),
        (&hostile, &["watch", "/k"]),
        (&hostile, &["-o", "json", "get", "/k"]),
        (&url, &["frobnicate"]),
        (&url, &["--help"]),
    ] {
        for color in ["auto", "never"] {
            let options = ["--color", color, "--endpoints", endpoint];
            let output = tool(&[&options, arguments].concat());
            // JSON may contain control characters beyond ASCII, which are escaped for terminals
            // only.
            let is_json = arguments.contains(&"json");
            for (name, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
                let bad = |letter: char| {
                    let counts = !is_json || letter.is_ascii();
                    counts && letter.is_control() && letter != '\n' && letter != '\t'
                };
                assert!(!text.contains(bad), "{arguments:?} on {name}: {text:?}");
            }
        }
    }
}

#[test]
fn colors_are_written_to_a_pipe_only_with_color_always() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("k"), "v").to_string();
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let output = subtree.tool(&[&replay[..], &["--color", "always"]].concat());
    assert_eq!(output.code, 0);
    assert!(output.stdout.contains("\u{1b}["), "{output:?}");
    let output = subtree.tool(&["--color=always", "get", &subtree.key("none")]);
    assert!(output.stderr.contains("\u{1b}["), "{output:?}");
    let output = subtree
        .program(&[&replay[..], &["--color", "always"]].concat())
        .env("NO_COLOR", "1")
        .run();
    assert!(output.stdout.contains("\u{1b}["), "a flag wins: {output:?}");
}

// --- signals

#[test]
fn a_signal_ends_a_live_watch_with_its_exit_code_after_all_records() {
    let subtree = shared::any();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for output in ["text", "json"] {
            let (program, _) = stream_with_one_record(&subtree, &["-o", output]);
            let running = program.start();
            running.wait_for_lines(1, wait::LONG);
            // Some of these events are in flight when the signal comes. Printed lines must be
            // complete.
            for number in 0..20 {
                subtree.put(&subtree.key("k"), &number.to_string());
            }
            running.wait_for_lines(21, wait::LONG);
            running.signal(signal);
            let output = running.wait(SOON);
            assert_eq!((output.code, output.stderr.as_str()), (code, ""));
            assert_eq!(output.stdout.lines().count(), 21);
            assert!(output.stdout.ends_with('\n'));
        }
    }
}

#[test]
fn records_before_a_signal_are_printed_completely_under_load() {
    let subtree = shared::any();
    let (program, _) = stream_with_one_record(&subtree, &["-o", "json"]);
    let running = program.start();
    running.wait_for_lines(1, wait::LONG);
    let url = subtree.url();
    let key = subtree.key("k");
    let written = std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| v2::burst(&url, 300, |number| (key.clone(), number.to_string())));
        running.wait_for_lines(50, wait::LONG);
        running.signal(Signal::INT);
        let output = running.wait(SOON);
        assert_eq!((output.code, output.stderr.as_str()), (130, ""));
        assert!(output.stdout.ends_with('\n'));
        let lines: Vec<_> = output.stdout.lines().map(str::to_owned).collect();
        let records = crate::support::tool::parse_lines(&lines);
        (writer.join().unwrap(), records)
    });
    let (truth, records) = written;
    let seen: Vec<_> = records[1..]
        .iter()
        .map(|record| record["node"]["modifiedIndex"].as_u64().unwrap())
        .collect();
    let expected: Vec<_> = truth.iter().map(|one| one.index).take(seen.len()).collect();
    assert_eq!(seen, expected, "in order, and none missing before the last");
}

#[test]
fn a_signal_ends_a_watch_during_backoff() {
    let subtree = shared::any();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let proxy = Proxy::to(&subtree.url());
        let from = subtree.put(&subtree.key("first"), "1").to_string();
        let watch = [
            "watch",
            "--stream",
            "-r",
            subtree.root(),
            "--from-index",
            &from,
        ];
        let running = Program::tool(&[&watch[..], &["--endpoints", &proxy.url()]].concat()).start();
        running.wait_for_lines(1, wait::LONG);
        proxy.refuse(true);
        proxy.cut_all(crate::support::proxy::Cut::Close);
        running.wait_for_stderr(&proxy.url(), wait::LONG);
        running.signal(signal);
        let output = running.wait(SOON);
        assert_eq!(output.code, code, "{output:?}");
        assert_eq!(output.stdout.lines().count(), 1);
    }
}

#[test]
fn a_signal_ends_a_command_while_it_connects() {
    let full = crate::support::ports::full();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for command in [
            &["watch", "--stream", "-r", "/"][..],
            &["get", "/k"],
            &["set", "/k", "v"],
            &["replay", "/", "--from-index", "1"],
        ] {
            let options = ["-v", "--timeout", "60s", "--connect-timeout", "60s"];
            let endpoint = ["--endpoints", &full.url()];
            let running = Program::tool(&[&options[..], &endpoint, command].concat()).start();
            // The request is printed when the tool begins to connect.
            running.wait_for_stderr("curl", wait::LONG);
            running.signal(signal);
            let output = running.wait(SOON);
            assert_eq!(output.code, code, "{output:?}");
        }
    }
}

#[test]
fn a_signal_ends_an_unanswered_request() {
    for (command, signal, code) in [
        (&["get", "/k"][..], Signal::INT, 130),
        (&["set", "/k", "v"], Signal::TERM, 143),
        (&["watch", "--api", "v2", "/k"], Signal::HUP, 129),
    ] {
        let server = Scripted::serve(|_| Response::default().hold());
        let options = ["--timeout", "60s", "--endpoints", &server.url()];
        let running = Program::tool(&[&options, command].concat()).start();
        wait::until(wait::LONG, "the request", || !server.requests().is_empty());
        running.signal(signal);
        assert_eq!(running.wait(SOON).code, code);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_signal_ends_a_set_that_reads_stdin() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("fifo");
    let path = path.to_str().unwrap();
    assert_eq!(Program::new("mkfifo", &[path]).run().code, 0);
    // A FIFO that is opened for reading and writing never ends.
    let script = format!(r#"exec 3<>'{path}'; exec "$0" "$@" <&3"#);
    let running = subtree
        .shell(&script, &["set", &key, "-", "--timeout", "60s"])
        .start();
    // The shell has no handler for the signal, so that a handler means that the tool is running.
    wait::until(wait::LONG, "the handler", || running.catches(Signal::TERM));
    running.signal(Signal::TERM);
    let output = running.wait(SOON);
    assert_eq!(output.code, 143, "{output:?}");
    assert_eq!(subtree.value(&key), None);
}

// --- closed pipes

#[test]
fn an_idle_stream_piped_to_head_exits_0_without_a_message() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("first"), "1").to_string();
    for output in ["text", "json"] {
        let watch = [
            "watch",
            "--stream",
            "-r",
            subtree.root(),
            "--from-index",
            &from,
        ];
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
    let (program, _) = stream_with_one_record(&subtree, &[]);
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
