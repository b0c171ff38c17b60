//! Control characters in data and in replies.

use serde_json::Value;

use super::{SOON, contains};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Signal, Terminal};
use crate::support::wait;

/// Sequences that clear the screen, set the title, ring the bell, request reports or reverse text,
/// and a C1 control.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[6n\u{202e}\u{9b}31m\u{2028}\u{7f}\u{8}é";

/// Asserts that no such sequence reached the terminal.
#[track_caller]
fn assert_harmless(terminal: &Terminal, what: &[&str]) {
    let raw = terminal.raw();
    let text = String::from_utf8(raw).expect("UTF-8");
    for bad in [
        "\u{1b}]",
        "\u{1b}[2J",
        "\u{1b}[6n",
        "\u{7}",
        "\u{8}",
        "\u{7f}",
        "\u{9b}",
        "\u{202e}",
        "\u{2028}",
    ] {
        assert!(
            !text.contains(bad),
            "{bad:?} came through {what:?}: {text:?}"
        );
    }
}

/// Runs commands on hostile keys and values, each with each set of options.
fn show_hostile_data(options: &[&[&str]]) {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    let from = subtree.put(&key, HOSTILE).to_string();
    subtree.put(&key, HOSTILE);
    let none = subtree.key(&format!("none{HOSTILE}"));
    for (arguments, code) in [
        (&["get", &key][..], 0),
        (&["get", subtree.root()], 0),
        (&["get", "-r", subtree.root()], 0),
        (&["set", &key, HOSTILE], 0),
        (&["watch", &key, "--from-index", &from, "--prev"], 0),
        (
            &[
                "replay",
                "-r",
                subtree.root(),
                "--from-index",
                &from,
                "--prev",
            ],
            0,
        ),
        (&["get", &none], 1),
        (&["rm", &key, "--prev-value", "other"], 1),
        (
            &[
                "set",
                &key,
                "x",
                "--prev-value",
                HOSTILE,
                "--prev-index",
                "1",
            ],
            1,
        ),
        (&["get", &format!("{key}/../x")], 2),
        (&["get", "/k", "--endpoints", HOSTILE], 2),
        (&["rm", &key], 0),
    ] {
        for options in options {
            if arguments == ["rm", &key] {
                subtree.put(&key, "v");
            }
            let arguments = [options, arguments].concat();
            let terminal = if arguments.contains(&"--endpoints") {
                Terminal::start(&arguments, 24, 100)
            } else {
                subtree.on_terminal(&arguments)
            };
            assert_eq!(terminal.wait(wait::LONG), code, "{arguments:?}");
            assert_harmless(&terminal, &arguments);
        }
    }
}

#[test]
fn control_characters_in_data_are_escaped_in_text_output() {
    show_hostile_data(&[&[], &["-v"], &["--color", "always"]]);
}

#[test]
fn control_characters_in_data_are_escaped_in_json_output() {
    show_hostile_data(&[&["-o", "json"]]);
}

#[test]
fn control_characters_in_the_key_are_escaped_in_the_spinner() {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    // The terminal is wide enough for the whole key.
    let watch = subtree.program(&["watch", "--stream", &key]);
    let terminal = watch.on_terminal(24, 200);
    wait::until(wait::LONG, "the spinner", || {
        contains(&terminal, b"0 events")
    });
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait(SOON), 130);
    assert_harmless(&terminal, &["watch"]);
}

#[test]
fn json_on_a_terminal_parses_to_the_same_value_as_in_a_pipe() {
    let subtree = shared::any();
    let key = subtree.key(HOSTILE);
    subtree.put(&key, HOSTILE);
    let piped = subtree.tool(&["-o", "json", "get", &key]);
    let piped: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!(piped["node"]["value"], HOSTILE);
    // The terminal is wide enough that no line is wrapped.
    let terminal = subtree
        .program(&["-o", "json", "get", &key])
        .on_terminal(5, 1000);
    assert_eq!(terminal.wait(wait::LONG), 0);
    let shown: Value = serde_json::from_slice(&terminal.raw()).unwrap();
    assert_eq!(shown, piped);
}

/// Runs commands against servers that send hostile replies.
fn show_hostile_replies(options: &[&[&str]]) {
    let fault = serde_json::json!({
        "errorCode": 999, "message": HOSTILE, "cause": HOSTILE, "index": 7,
    })
    .to_string();
    let length = HOSTILE.len();
    let page = format!("HTTP/1.1 500 Oops\r\nContent-Length: {length}\r\n\r\n{HOSTILE}");
    let location = "http://x/\u{9b}31m\u{202e}";
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let unknown = serde_json::json!({
        "action": HOSTILE,
        "node": {"key": "/k", "value": HOSTILE, "modifiedIndex": 7, "createdIndex": 7},
    })
    .to_string();
    for (reply, is_event) in [
        (Response::etcd(400, 7, fault), false),
        (Response::raw(page).close(), false),
        (Response::raw(redirect).close(), false),
        (Response::etcd(200, 7, HOSTILE), false),
        (Response::etcd(200, 7, format!("{unknown}\n")), true),
    ] {
        let server = Scripted::serve(move |_| reply.clone());
        let url = server.url();
        for command in [
            &["get", "/k"][..],
            &["set", "/k", "v"],
            &["watch", "/k", "--from-index", "7", "--timeout", "1s"],
        ] {
            for options in options {
                let arguments = [&["--endpoints", &url], *options, command].concat();
                let terminal = Terminal::start(&arguments, 24, 100);
                let code = terminal.wait(wait::LONG);
                assert!(
                    is_event || code != 0,
                    "{arguments:?}: {}",
                    terminal.screen()
                );
                assert_harmless(&terminal, &arguments);
            }
        }
    }
}

#[test]
fn control_characters_in_replies_are_escaped_in_text_output() {
    show_hostile_replies(&[&[], &["-v"]]);
}

#[test]
fn control_characters_in_replies_are_escaped_in_json_output() {
    show_hostile_replies(&[&["-o", "json"]]);
}
