//! `get`: values, directories and missing keys.

use serde_json::{Value, json};

use crate::support::etcd::Version;
use crate::support::scripted::{Response, Script};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program, tool};
use crate::support::{v2, wait};

/// Writes two keys, a directory with a key, and an empty value, out of order.
fn plant(subtree: &Subtree) {
    subtree.put(&subtree.key("z"), "last");
    subtree.put(&subtree.key("d/x"), "1\t2");
    subtree.put(&subtree.key("b"), "");
    subtree.put(&subtree.key("a"), "first");
}

#[track_caller]
fn assert_done(output: &Output) {
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.stderr, "");
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn get_prints_the_value_and_a_newline() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, "v w");
        let output = subtree.tool(&["get", &key]);
        assert_done(&output);
        assert_eq!(output.stdout, "v w\n");
        subtree.put(&key, "");
        assert_eq!(subtree.tool(&["get", &key]).stdout, "\n");
    }
}

#[test]
fn get_of_a_directory_lists_its_children_with_a_slash_after_directories() {
    for subtree in shared::each() {
        plant(&subtree);
        let output = subtree.tool(&["get", subtree.root()]);
        assert_done(&output);
        let expected = [
            subtree.key("a"),
            subtree.key("b"),
            subtree.key("d/"),
            subtree.key("z"),
        ];
        assert_eq!(sorted_lines(&output.stdout), expected);
        subtree.mkdir(&subtree.key("empty"));
        let output = subtree.tool(&["get", &subtree.key("empty")]);
        assert_done(&output);
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn get_recursive_prints_key_tab_value_for_everything_below() {
    for subtree in shared::each() {
        plant(&subtree);
        for flag in ["-r", "--recursive"] {
            let output = subtree.tool(&["get", flag, "--sort", subtree.root()]);
            assert_done(&output);
            let expected = format!(
                "{}\tfirst\n{}\t\n{}\t\n{}\t1\\t2\n{}\tlast\n",
                subtree.key("a"),
                subtree.key("b"),
                subtree.key("d/"),
                subtree.key("d/x"),
                subtree.key("z"),
            );
            assert_eq!(output.stdout, expected);
        }
    }
}

#[test]
fn get_sort_prints_in_key_order() {
    let subtree = shared::any();
    let mut expected = Vec::new();
    // Without --sort etcd answers in any order, which is practically never sorted for this many
    // keys.
    for number in (10..40).rev() {
        let key = subtree.key(&number.to_string());
        subtree.put(&key, "v");
        expected.insert(0, key);
    }
    let output = subtree.tool(&["get", "--sort", subtree.root()]);
    assert_done(&output);
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected);
    let unsorted = subtree.tool(&["get", subtree.root()]);
    assert_eq!(sorted_lines(&unsorted.stdout), expected);
}

#[test]
fn get_sends_sorted_quorum_and_recursive_only_if_given() {
    for (arguments, expected) in [
        (&["get", "/k"][..], &[][..]),
        (&["get", "/k", "--quorum"], &["quorum"]),
        (&["get", "/k", "--sort"], &["sorted"]),
        (&["get", "-r", "/k"], &["recursive"]),
        (
            &["get", "-r", "/k", "--quorum", "--sort"],
            &["recursive", "sorted", "quorum"],
        ),
    ] {
        let body = r#"{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}"#;
        let server = Script::new().reply(Response::etcd(200, 7, body)).start();
        let url = server.url();
        assert_eq!(tool(&[&["--endpoints", &url], arguments].concat()).code, 0);
        let request = server.requests().remove(0);
        for name in ["recursive", "sorted", "quorum"] {
            let asked = request.parameter(name) == Some("true");
            assert_eq!(asked, expected.contains(&name), "{arguments:?}: {name}");
        }
    }
}

#[test]
fn get_quorum_succeeds_on_a_real_server() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, "v");
        let output = subtree.tool(&["get", "--quorum", &key]);
        assert_done(&output);
        assert_eq!(output.stdout, "v\n");
    }
}

#[test]
fn get_json_is_the_server_reply_on_one_line() {
    for subtree in shared::each() {
        plant(&subtree);
        subtree.put(&subtree.key("odd"), "<é \u{1b}\u{2028}\n\"\\>");
        for (key, flags, query) in [
            (subtree.key("odd"), &[][..], ""),
            (subtree.key("d"), &["--sort"][..], "sorted=true"),
            (
                subtree.root().to_owned(),
                &["-r", "--sort"][..],
                "recursive=true&sorted=true",
            ),
        ] {
            let output = subtree.tool(&[&["-o", "json", "get", &key], flags].concat());
            assert_done(&output);
            let own = subtree.read(&key, query);
            assert_eq!(output.stdout, format!("{}\n", own.text().trim_end()));
            assert_eq!(output.stdout.lines().count(), 1);
        }
        let recursive = subtree.tool(&["-o", "json", "get", "-r", "--sort", subtree.root()]);
        let recursive: Value = serde_json::from_str(&recursive.stdout).unwrap();
        assert_eq!(recursive["action"], "get");
        assert_eq!(recursive["node"]["nodes"][2]["nodes"][0]["value"], "1\t2");
    }
}

#[test]
fn get_json_joins_a_multi_line_reply() {
    let body = "{\"action\":\"get\",\n  \"node\":\r\n{\"key\":\"/k\",\"value\":\"a\\nb\"}}\n";
    let server = Script::new().reply(Response::etcd(200, 7, body)).start();
    let output = tool(&["--endpoints", &server.url(), "-o", "json", "get", "/k"]);
    assert_done(&output);
    assert_eq!(output.stdout.lines().count(), 1);
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["node"]["value"], "a\nb");
}

/// Characters that break lines or control a terminal.
const RAW: &str = "\u{1b}[31m\tx\r\ny\\ \u{0}\u{7f}\u{9b}\u{202e}é\n";

#[test]
fn get_writes_raw_bytes_to_a_pipe() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, RAW);
        let output = subtree.tool(&["get", &key]);
        assert_done(&output);
        assert_eq!(output.stdout_bytes, format!("{RAW}\n").as_bytes());
    }
}

#[test]
fn get_escapes_control_characters_on_a_terminal() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, RAW);
    let terminal = subtree.on_terminal(&["get", &key]);
    assert_eq!(terminal.wait(wait::LONG), 0);
    let expected = r"\x1b[31m\tx\r\ny\\ \x00\x7f\u{9b}\u{202e}é\n";
    assert_eq!(terminal.screen().trim_end(), expected);
}

#[test]
fn get_lists_one_line_per_key_even_with_control_characters() {
    for subtree in shared::each() {
        let keys = ["a\nb", "c\u{1b}[2J\t\r", "d\u{2028}\u{202e}", "e\\"];
        for key in keys {
            subtree.put(&subtree.key(key), "1\n2");
        }
        let output = subtree.tool(&["get", "--sort", subtree.root()]);
        assert_done(&output);
        let escaped = [r"a\nb", r"c\x1b[2J\t\r", r"d\u{2028}\u{202e}", r"e\\"];
        let expected: Vec<_> = escaped.iter().map(|name| subtree.key(name)).collect();
        assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected);

        let output = subtree.tool(&["get", "-r", "--sort", subtree.root()]);
        let expected: Vec<_> = expected.iter().map(|key| format!("{key}\t1\\n2")).collect();
        assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn get_lists_and_reads_the_root() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, "v");
        let output = subtree.tool(&["get", "/"]);
        assert_done(&output);
        let own = format!("{}/", subtree.root());
        assert!(output.stdout.lines().any(|line| line == own), "{output:?}");

        let output = subtree.tool(&["get", "-r", "/"]);
        assert_done(&output);
        let own = format!("{key}\tv");
        assert!(output.stdout.lines().any(|line| line == own), "{output:?}");

        let output = subtree.tool(&["get", "-o", "json", "/"]);
        assert_done(&output);
        let value: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(value["action"], "get");
        assert_eq!(value["node"]["dir"], true);
    }
}

#[test]
fn get_of_the_root_of_an_empty_store_prints_nothing() {
    let body = r#"{"action":"get","node":{"dir":true}}"#;
    let server = Script::new().reply(Response::etcd(200, 4, body)).start();
    let output = tool(&["--endpoints", &server.url(), "get", "/"]);
    assert_done(&output);
    assert_eq!(output.stdout, "");
}

#[test]
fn get_of_a_missing_key_exits_1_and_names_it() {
    for subtree in shared::each() {
        // etcd names the first segment that is missing.
        subtree.put(&subtree.key("some"), "v");
        let key = subtree.key("none");
        for arguments in [&["get"][..], &["get", "-r"], &["get", "--quorum"]] {
            let output = subtree.tool(&[arguments, &[&key]].concat());
            assert_eq!(output.code, 1, "{output:?}");
            assert_eq!(output.stdout, "");
            assert!(output.stderr.contains("not found"), "{output:?}");
            assert!(output.stderr.contains(&key), "{output:?}");
        }
    }
}

#[test]
fn a_missing_key_in_json_has_the_error_fields_of_etcd() {
    for subtree in shared::each() {
        // etcd names the first segment that is missing.
        subtree.put(&subtree.key("some"), "v");
        let key = subtree.key("none");
        let before = v2::index(&subtree.url());
        let output = subtree.tool(&["-o", "json", "get", &key]);
        let after = v2::index(&subtree.url());
        assert_eq!(output.code, 1, "{output:?}");
        assert_eq!(output.stdout, "");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        let value: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(keys_of(&value), ["error"]);
        let error = &value["error"];
        let fields = ["cause", "errorCode", "exit", "index", "kind", "message"];
        assert_eq!(keys_of(error), fields);
        assert_eq!(error["kind"], "keyNotFound");
        assert_eq!(error["exit"], 1);
        assert_eq!(error["errorCode"], 100);
        assert_eq!(error["cause"], key);
        let index = error["index"].as_u64().unwrap();
        assert!((before..=after).contains(&index), "{error}");
        assert!(error["message"].as_str().unwrap().contains("not found"));
    }
}

fn keys_of(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_connection_error_in_json_has_no_etcd_fields() {
    let output = tool(&["-o", "json", "--endpoints", "127.0.0.1:1", "get", "/k"]);
    assert_eq!(output.code, 3, "{output:?}");
    let value: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(keys_of(&value["error"]), ["exit", "kind", "message"]);
    assert_eq!(value["error"]["exit"], json!(3));
}

#[test]
fn get_recursive_prints_deeply_nested_keys() {
    let subtree = shared::on(Version::V3_4);
    let deep = (0..60).map(|_| "d").collect::<Vec<_>>().join("/");
    let key = subtree.key(&format!("{deep}/k"));
    subtree.put(&key, "bottom");
    let output = subtree.tool(&["get", "-r", subtree.root()]);
    assert_done(&output);
    assert_eq!(output.stdout.lines().count(), 61);
    assert_eq!(
        output.stdout.lines().last(),
        Some(format!("{key}\tbottom").as_str())
    );
}

#[test]
fn get_rejects_a_key_that_is_not_utf8_before_any_request() {
    use std::os::unix::ffi::OsStrExt as _;
    let server = Script::new().start();
    let url = server.url();
    let arguments = ["--endpoints", &url, "get"].map(std::ffi::OsStr::new);
    let bad = std::ffi::OsStr::from_bytes(b"/a\xff");
    let output = Program::tool(&[&arguments[..], &[bad]].concat()).run();
    assert_eq!(output.code, 2, "{output:?}");
    assert_eq!(server.connections(), 0);
}
