//! `set`: what is written, its conditions, and values from stdin.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::etcd::Version;
use crate::support::scripted::{Request, Response, Script};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{assert_ends, assert_fails, tool};
use crate::support::v2::Writer;

#[track_caller]
fn node(subtree: &Subtree, key: &str) -> Value {
    subtree.read(key, "quorum=true").json()["node"].clone()
}

#[test]
fn set_prints_the_record_of_the_write() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let fields = subtree.tool(&["set", &key, "a b\t\n"]).fields();
        let node = node(&subtree, &key);
        let index = node["modifiedIndex"].to_string();
        assert_eq!(fields, [&index, "set", &key, r"a b\t\n"]);
        assert_eq!(node["value"], "a b\t\n");
    }
}

#[test]
fn set_json_is_the_server_reply_on_one_line() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        subtree.put(&key, "before");
        let before = node(&subtree, &key);
        let output = subtree.tool(&["-o", "json", "set", &key, "a\nb"]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        assert_eq!(output.stdout.lines().count(), 1);
        let reply: Value = serde_json::from_str(&output.stdout).unwrap();
        let expected = json!({"action": "set", "node": node(&subtree, &key), "prevNode": before});
        assert_eq!(reply, expected);
    }
}

#[test]
fn set_with_a_dash_reads_the_exact_value_from_stdin() {
    // 1 MiB of all ASCII characters, including NUL, newlines and escapes, and a few others.
    let mut value = String::new();
    while value.len() < 1 << 20 {
        value.extend((0..128).map(char::from));
        value.push_str("é漢🦀\u{feff}\r\n%00&=+");
    }
    for subtree in shared::each() {
        let key = subtree.key("k");
        let output = subtree
            .program(&["set", &key, "-", "-o", "json"])
            .stdin(value.as_bytes())
            .run();
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(subtree.value(&key).as_ref() == Some(&value), "other bytes");

        let read = subtree.tool(&["get", &key]);
        assert_eq!(read.code, 0);
        assert!(
            read.stdout_bytes.strip_suffix(b"\n") == Some(value.as_bytes()),
            "other bytes"
        );
    }
}

#[test]
fn set_keeps_a_trailing_newline_and_an_empty_stdin_is_an_empty_value() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for value in ["one\n", "\n\n", "", "no newline"] {
        let output = subtree.program(&["set", &key, "-"]).stdin(value.as_bytes());
        assert_eq!(output.run().code, 0);
        assert_eq!(subtree.value(&key).as_deref(), Some(value));
    }
}

#[test]
fn set_rejects_a_stdin_over_the_size_limit_and_writes_nothing() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let output = subtree
        .program(&["set", &key, "-", "--max-event", "10"])
        .stdin(b"12345678901")
        .run();
    assert_fails(&output, 2, &["--max-event"]);
    assert_eq!(subtree.value(&key), None);
}

#[test]
fn set_with_a_usage_error_does_not_read_stdin() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for arguments in [
        &["set", &key][..],
        &["set", &key, "--ttl", "10"],
        &["-q", "set", "--create", &key],
        // These are rejected for another reason, so that stdin is not read.
        &["set", &key, "-", "--ttl", "0"],
        &["set", &key, "-", "--password-file", "f"],
    ] {
        let script = r#""$0" "$@" >/dev/null; echo "exit $?"; exec cat"#;
        let output = subtree.shell(script, arguments).stdin(b"precious\n").run();
        assert_eq!(output.stdout, "exit 2\nprecious\n", "{arguments:?}");
        assert_ne!(output.stderr, "", "{arguments:?}");
    }
    assert_eq!(subtree.value(&key), None);
}

#[test]
fn set_with_a_value_argument_does_not_read_stdin() {
    let subtree = shared::any();
    let script = r#""$0" "$@" >/dev/null; echo "exit $?"; exec cat"#;
    let output = subtree
        .shell(script, &["set", &subtree.key("k"), "v"])
        .stdin(b"precious\n")
        .run();
    assert_eq!(output.stdout, "exit 0\nprecious\n", "{output:?}");
}

#[test]
fn set_accepts_a_value_that_begins_with_a_dash() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for (arguments, value) in [
            (&["set", &key, "--", "-x"][..], "-x"),
            (&["set", "--", &key, "-v"], "-v"),
            (&["set", &key, "--", "--ttl"], "--ttl"),
            (&["set", &key, "--", "--"], "--"),
            (&["set", &key, "-5"], "-5"),
            (&["set", &key, "-1.5e3"], "-1.5e3"),
            (&["set", "--ttl", "100", &key, "-7"], "-7"),
            (&["set", &key, "-8", "--ttl", "100"], "-8"),
        ] {
            let fields = subtree.tool(arguments).fields();
            assert_eq!(fields[3], value, "{arguments:?}");
            assert_eq!(subtree.value(&key).as_deref(), Some(value), "{arguments:?}");
        }
    }
}

#[test]
fn set_never_takes_an_option_as_the_value() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for option in ["-q", "-v", "--create", "--quiet"] {
        let output = subtree.tool(&["set", &key, option]);
        assert_eq!(output.code, 2, "{option}: {output:?}");
    }
    assert_eq!(subtree.value(&key), None);
}

#[test]
fn set_accepts_an_empty_value() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let fields = subtree.tool(&["set", &key, ""]).fields();
        assert_eq!(fields[1..], ["set", &key, ""]);
        assert_eq!(subtree.value(&key).as_deref(), Some(""));
    }
}

#[test]
fn set_ttl_accepts_seconds_and_durations() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for (ttl, seconds) in [("100", 100), ("90s", 90), ("5m", 300), ("1h30m", 5400)] {
            subtree.tool(&["set", &key, "v", "--ttl", ttl]).fields();
            let left = node(&subtree, &key)["ttl"].as_u64().expect("a ttl");
            assert!((seconds - 30..=seconds).contains(&left), "{ttl}: {left}");
        }
        subtree.tool(&["set", &key, "v"]).fields();
        assert_eq!(node(&subtree, &key)["ttl"], Value::Null);
    }
}

#[test]
fn set_rejects_a_ttl_below_one_second_and_keeps_the_key() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "old");
    for ttl in ["0", "-1", "500ms", "0s", "", "abc", "1.5", "99999999999999"] {
        for arguments in [
            &["set", &key, "v", "--ttl", ttl][..],
            &["set", &key, "v", &format!("--ttl={ttl}")],
        ] {
            let output = subtree.tool(arguments);
            assert_fails(&output, 2, &["ttl"]);
        }
    }
    assert_eq!(subtree.value(&key).as_deref(), Some("old"));
}

#[test]
fn set_dir_creates_a_directory() {
    for subtree in shared::each() {
        let key = subtree.key("d");
        let fields = subtree
            .tool(&["set", &key, "--dir", "--ttl", "100"])
            .fields();
        assert_eq!(fields[1..], ["set", &format!("{key}/"), ""]);
        let node = node(&subtree, &key);
        assert_eq!(node["dir"], true);
        assert!(node["ttl"].as_u64().is_some_and(|ttl| ttl <= 100));
        let output = subtree.tool(&["set", &subtree.key("e"), "v", "--dir"]);
        assert_eq!(output.code, 2, "{output:?}");
    }
}

#[test]
fn set_create_fails_if_the_key_exists() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let fields = subtree.tool(&["set", "--create", &key, "1"]).fields();
        assert_eq!(fields[1..], ["create", &key, "1"]);
        let output = subtree.tool(&["set", "--create", &key, "2"]);
        assert_fails(&output, 1, &["already exists"]);
        assert_eq!(subtree.value(&key).as_deref(), Some("1"));

        let output = subtree.tool(&["-o", "json", "set", "--create", &key, "2"]);
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "keyExists");
        assert_eq!(error["error"]["errorCode"], 105);
        assert_eq!(error["error"]["cause"], key);
    }
}

#[test]
fn set_update_fails_if_the_key_is_missing() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let output = subtree.tool(&["set", "--update", &key, "1"]);
        assert_fails(&output, 1, &["not found"]);
        assert_eq!(subtree.value(&key), None);
        subtree.put(&key, "1");
        let fields = subtree.tool(&["set", "--update", &key, "2"]).fields();
        assert_eq!(fields[1..], ["update", &key, "2"]);
        assert_eq!(subtree.value(&key).as_deref(), Some("2"));
    }
}

#[test]
fn set_in_order_creates_ascending_keys() {
    for subtree in shared::each() {
        let queue = subtree.key("queue");
        let keys: Vec<_> = (0..3)
            .map(|number| {
                let value = number.to_string();
                let fields = subtree
                    .tool(&["set", "--in-order", &queue, &value])
                    .fields();
                assert_eq!((fields[1].as_str(), &fields[3]), ("create", &value));
                assert_eq!(subtree.value(&fields[2]), Some(value));
                fields[2].clone()
            })
            .collect();
        assert!(keys.is_sorted() && keys[0] < keys[1] && keys[1] < keys[2]);
        assert!(keys.iter().all(|key| key.starts_with(&format!("{queue}/"))));
    }
}

#[test]
fn set_prev_value_compares_the_value() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for option in ["--prev-value", "--swap-with-value"] {
            subtree.put(&key, "-old &");
            let output = subtree.tool(&["set", &key, "new", option, "other"]);
            assert_fails(&output, 1, &["compare failed"]);
            assert_eq!(subtree.value(&key).as_deref(), Some("-old &"));
            let fields = subtree
                .tool(&["set", &key, "new", option, "-old &"])
                .fields();
            assert_eq!(fields[1..], ["compareAndSwap", &key, "new"]);
            assert_eq!(subtree.value(&key).as_deref(), Some("new"));
        }
    }
}

#[test]
fn set_prev_index_compares_the_index() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for option in ["--prev-index", "--swap-with-index"] {
            let index = subtree.put(&key, "old");
            let stale = (index - 1).to_string();
            let output = subtree.tool(&["set", &key, "new", option, &stale]);
            assert_fails(&output, 1, &["compare failed"]);
            assert_eq!(subtree.value(&key).as_deref(), Some("old"));
            let fields = subtree
                .tool(&["set", &key, "new", option, &index.to_string()])
                .fields();
            assert_eq!(fields[1..], ["compareAndSwap", &key, "new"]);

            for bad in ["0", "-1", "x", ""] {
                let output = subtree.tool(&["set", &key, "v", &format!("{option}={bad}")]);
                assert_eq!(output.code, 2, "{option}={bad}: {output:?}");
            }
        }
    }
}

#[test]
fn set_requires_both_prev_value_and_prev_index_to_match() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let index = subtree.put(&key, "old");
        let (right, wrong) = (index.to_string(), (index - 1).to_string());
        let set = |value: &str, index: &str| {
            let condition = ["--prev-value", value, "--prev-index", index];
            subtree.tool(&[&["set", &key, "new"][..], &condition].concat())
        };
        assert_fails(&set("old", &wrong), 1, &["compare failed"]);
        assert_fails(&set("other", &right), 1, &["compare failed"]);
        assert_fails(&set("", &right), 1, &["compare failed"]);
        assert_eq!(subtree.value(&key).as_deref(), Some("old"));
        assert_eq!(set("old", &right).fields()[1], "compareAndSwap");
    }
}

#[test]
fn set_prev_value_compares_with_an_empty_value() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for condition in [&["--prev-value", ""][..], &["--swap-with-value="]] {
            let set = || subtree.tool(&[&["set", &key, "new"], condition].concat());
            subtree.put(&key, "Directory not empty");
            assert_fails(&set(), 1, &["compare failed"]);
            assert_eq!(subtree.value(&key).as_deref(), Some("Directory not empty"));

            subtree.put(&key, "");
            let fields = set().fields();
            assert_eq!(fields[1..], ["compareAndSwap", &key, "new"]);
            assert_eq!(subtree.value(&key).as_deref(), Some("new"));
        }
        let output = subtree.tool(&["set", &subtree.key("none"), "new", "--prev-value", ""]);
        assert_fails(&output, 1, &["not found"]);
        assert_eq!(subtree.value(&subtree.key("none")), None);
    }
}

#[test]
fn a_failed_comparison_with_an_empty_value_has_the_error_fields_of_etcd() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "x");
    let set = ["-o", "json", "set", &key, "new", "--prev-value", ""];
    let output = subtree.tool(&set);
    assert_eq!(output.code, 1, "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "compareFailed");
    assert_eq!(error["error"]["errorCode"], 101);
    assert!(
        error["error"]["index"]
            .as_u64()
            .is_some_and(|index| index > 0)
    );
}

#[test]
fn comparison_with_an_empty_value_is_atomic_under_concurrent_writes() {
    let subtree = shared::on(Version::V3_5);
    let key = subtree.key("k");
    subtree.put(&key, "");
    let path = format!("/v2/keys{key}");
    let done = AtomicBool::new(false);
    let stop_on_drop = StopOnDrop(&done);
    thread::scope(|scope| {
        let stop = stop_on_drop;
        scope.spawn(|| {
            let mut writer = Writer::connect(&subtree.url());
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                // The value is empty two times of three, so that reads often see it and it often
                // changes.
                let value = if number % 3 == 0 { "taken" } else { "" };
                writer.request("PUT", &path, &[("value", value)]);
            }
        });
        for _ in 0..12 {
            let set = ["-o", "json", "set", &key, "won", "--prev-value", ""];
            let output = subtree.tool(&set);
            if output.code == 0 {
                let reply: Value = serde_json::from_str(&output.stdout).unwrap();
                assert_eq!(reply["action"], "compareAndSwap", "{reply}");
                assert_eq!(reply["prevNode"]["value"], "", "{reply}");
            } else {
                assert_ends(&output, 1, &["compareFailed"]);
            }
        }
        drop(stop);
    });
}

/// Ends the writer even if the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn state(index: u64, value: &str) -> Response {
    let node = json!({"key": "/k", "value": value, "modifiedIndex": index, "createdIndex": 3});
    Response::etcd(
        200,
        index,
        json!({"action": "get", "node": node}).to_string(),
    )
}

fn overtaken() -> Response {
    let fault =
        json!({"errorCode": 101, "message": "Compare failed", "cause": "[7 != 8]", "index": 8});
    Response::etcd(412, 8, fault.to_string())
}

#[track_caller]
fn assert_swaps(request: &Request, index: &str) {
    assert_eq!(request.method, "PUT");
    assert_eq!(request.query, "");
    let body = format!("prevIndex={index}&value=new");
    assert_eq!(request.body, body.into_bytes());
}

#[test]
fn comparison_with_an_empty_value_reads_and_then_compares_the_index() {
    let swapped = r#"{"action":"compareAndSwap","node":{"key":"/k","value":"new","modifiedIndex":10,"createdIndex":3}}"#;
    // Another client writes an empty value in between, and the condition still holds.
    let server = Script::new()
        .reply(state(7, ""))
        .answer(|request| {
            assert_swaps(request, "7");
            overtaken()
        })
        .reply(state(8, ""))
        .answer(move |request| {
            assert_swaps(request, "8");
            Response::etcd(200, 10, swapped)
        })
        .start();
    let set = ["set", "/k", "new", "--prev-value", "", "--endpoints"];
    let output = tool(&[&set[..], &[&server.url()]].concat());
    assert_eq!(output.fields()[..2], ["10", "compareAndSwap"]);
    let reads = server.requests();
    for read in [&reads[0], &reads[2]] {
        assert_eq!(
            (read.method.as_str(), read.path.as_str()),
            ("GET", "/v2/keys/k")
        );
        // A read without quorum might be outdated.
        assert_eq!(read.parameter("quorum"), Some("true"));
    }

    // Another client writes another value in between, and the condition no longer holds.
    let server = Script::new()
        .reply(state(7, ""))
        .reply(overtaken())
        .reply(state(8, "x"))
        .start();
    let output = tool(&[&set[..], &[&server.url()]].concat());
    assert_fails(&output, 1, &["compare failed"]);
}

#[test]
fn set_rejects_contradictory_conditions() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for conditions in [
        &["--create", "--update"][..],
        &["--create", "--prev-value", "x"],
        &["--create", "--prev-index", "1"],
        &["--in-order", "--create"],
        &["--in-order", "--prev-index", "1"],
    ] {
        let output = subtree.tool(&[&["set", &key, "v"], conditions].concat());
        assert_eq!(output.code, 2, "{conditions:?}: {output:?}");
    }
    assert_eq!(subtree.value(&key), None);
}

#[test]
fn set_on_a_directory_exits_4_with_a_hint() {
    for subtree in shared::each() {
        let key = subtree.key("d");
        subtree.put(&format!("{key}/x"), "1");
        let output = subtree.tool(&["set", &key, "v"]);
        assert_fails(&output, 4, &["Not a file"]);
        assert!(output.stderr.contains("directory"), "{output:?}");
        assert!(output.stderr.contains("rm"), "{output:?}");
        assert_eq!(subtree.value(&format!("{key}/x")).as_deref(), Some("1"));

        let output = subtree.tool(&["-o", "json", "set", &key, "v"]);
        assert_eq!(output.code, 4);
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "notAFile");
        assert_eq!(error["error"]["errorCode"], 102);
    }
}

#[test]
fn set_below_a_key_exits_4() {
    for subtree in shared::each() {
        let key = subtree.key("file");
        subtree.put(&key, "v");
        let output = subtree.tool(&["set", &format!("{key}/below"), "v"]);
        assert_fails(&output, 4, &["Not a directory"]);
        assert_eq!(subtree.value(&key).as_deref(), Some("v"));
    }
}

#[test]
fn set_refuses_to_write_the_root() {
    let subtree = shared::any();
    let output = subtree.tool(&["set", "/", "v"]);
    assert_eq!(output.code, 4, "{output:?}");
}
