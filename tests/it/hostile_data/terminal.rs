//! Control characters in keys, values and arguments never reach a terminal.

use std::fs;

use serde_json::json;

use super::{assert_harmless, control_bytes, control_characters, control_text};
use crate::support::shared;
use crate::support::tool::{Program, Signal};
use crate::support::v3::{self, encode};
use crate::support::{v2, wait};

/// Runs the program on a terminal wide enough for every line.
#[track_caller]
fn show(program: Program, what: &[&str], code: i32) {
    let terminal = program.on_terminal(40, 500);
    assert_eq!(
        terminal.wait(wait::LONG),
        code,
        "{what:?}: {}",
        terminal.screen()
    );
    assert_harmless(&terminal, what);
}

#[test]
fn control_characters_in_keys_and_values_never_reach_a_terminal() {
    let subtree = shared::any();
    let url = subtree.url();
    let part = subtree.root();
    let key = [subtree.key("k").as_bytes(), &control_bytes()].concat();
    let put = |value: &[u8]| {
        let body = json!({"key": encode(&key), "value": encode(value)});
        v3::revision(&v2::v3(&url, "/v3/kv/put", &body)).to_string()
    };
    let from = put(&control_bytes());
    let lines = [
        &control_characters()[..],
        b"\none\ntwo\n",
        &control_characters(),
    ]
    .concat();
    put(&lines);
    put(&[&lines[..], b"three\n"].concat());
    put(&control_bytes());
    let replay = ["replay", "-r", part, "--from-index", &from];
    for command in [
        &["get", "-r", part][..],
        &["get", part],
        &["get", "--prefix", part],
        &replay,
        &[&replay[..], &["--prev"]].concat(),
        &[&replay[..], &["--diff"]].concat(),
        &[&replay[..], &["--timestamps", "--color", "always"]].concat(),
        &[
            &replay[..],
            &["--format", "{index} {action} {key} {value} {prev}"],
        ]
        .concat(),
        &[&replay[..], &["--format", "{key}\\0{value}\\0{prev}\\0"]].concat(),
        &["watch", "-r", part, "--from-index", &from],
        &[
            "watch",
            "--stream",
            "-r",
            part,
            "--snapshot",
            "--idle-timeout",
            "100ms",
        ],
    ] {
        for form in [&[][..], &["-v"], &["-o", "json"]] {
            if form == ["-o", "json"]
                && command
                    .iter()
                    .any(|word| ["--prev", "--diff", "--format"].contains(word))
            {
                continue;
            }
            let what = [&["--api", "v3"], form, command].concat();
            let code = if command.contains(&"--idle-timeout") {
                124
            } else {
                0
            };
            show(subtree.program(&what), &what, code);
        }
    }
    for form in ["text", "json"] {
        let what = ["--api", "v3", "-o", form, "check", "-", part];
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{\"other\":\"\\u001b[2J\\u202e\\u009b\"}").unwrap();
        let path = file.path().display().to_string();
        let what = what.map(|word| if word == "-" { path.as_str() } else { word });
        show(subtree.program(&what), &what, 1);
    }
}

#[test]
fn control_characters_in_arguments_never_reach_a_terminal() {
    let subtree = shared::any();
    let text = control_text();
    let key = subtree.key(&text);
    for command in [
        &["set", &key, &text][..],
        &["get", &key],
        &["set", &key, "v", "--prev-value", &format!("not{text}")],
        &["rm", &key, "--prev-value", "other"],
        &["rm", &key],
        &["get", &key],
        &[
            "watch",
            &key,
            "--from-index",
            "9999999",
            "--timeout",
            "400ms",
        ],
        &["watch", &text, "--until", "value=x", "--timeout", "400ms"],
        &["watch", "/k", "--format", &text],
        &["watch", "/k", "--match", &text, "--timeout", "100ms"],
        &["get", "/k", "--user", &text],
        &["get", "/k", "--proxy", &text],
        &["check", &text, "/k"],
        &[&text],
    ] {
        for (api, form) in [("v2", &["-v"][..]), ("v3", &["-o", "json"])] {
            let what = [&["--api", api], form, command].concat();
            let terminal = subtree.program(&what).on_terminal(40, 500);
            // Other tests check how that ends.
            let code = terminal.wait(wait::LONG);
            assert!([0, 1, 2, 4, 124].contains(&code), "{what:?}: {code}");
            assert_harmless(&terminal, &what);
        }
    }
}

#[test]
fn the_spinner_escapes_control_characters_in_the_key() {
    let subtree = shared::any();
    for api in ["v2", "v3"] {
        let key = subtree.key(&control_text());
        let watch = ["--api", api, "watch", "--stream", &key];
        let terminal = subtree.program(&watch).on_terminal(24, 900);
        wait::until(wait::LONG, "the spinner", || {
            String::from_utf8_lossy(&terminal.raw()).contains("0 events")
        });
        terminal.signal(Signal::INT);
        assert_eq!(terminal.wait(wait::LONG), 130);
        assert_harmless(&terminal, &watch);
    }
}
