//! Output without a terminal: records for scripts, notices, and escape sequences.

use std::time::Duration;

use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program, Signal, assert_ends, tool};
use crate::support::{v2, wait};

/// The time limit for an immediate exit. Other tests measure how fast it is.
const SOON: Duration = Duration::from_secs(2);

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
    assert_ends(&output, 1, &["not found"]);
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
    let watch = subtree.stream_from(&from);
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
