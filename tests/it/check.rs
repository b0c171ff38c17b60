//! `check`: compares a subtree with a file.

use std::fs;

use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::Proxy;
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program, Signal, assert_ends};
use crate::support::v2::{self, Writer};
use crate::support::v3;
use crate::support::wait;

const APIS: [&str; 2] = ["v2", "v3"];

/// Writes a subtree with a few keys through that API, and returns its root.
fn tree(subtree: &Subtree, api: &str) -> String {
    let app = subtree.key(api);
    for (name, value) in [("a", "1"), ("db/host", "h"), ("db/port", "5432")] {
        set(subtree, api, &format!("{app}/{name}"), value);
    }
    app
}

#[track_caller]
fn set(subtree: &Subtree, api: &str, key: &str, value: &str) {
    assert_eq!(subtree.tool(&["--api", api, "set", key, value]).code, 0);
}

/// Compares the subtree with this text.
fn check(subtree: &Subtree, api: &str, text: &str, options: &[&str]) -> Program {
    let app = subtree.key(api);
    let check = ["--api", api, "check", "-", &app];
    subtree
        .program(&[&check[..], options].concat())
        .stdin(text.as_bytes())
}

const EQUAL: &str = r#"{"a": 1, "db": {"host": "h", "port": 5432}}"#;

#[track_caller]
fn assert_prints(output: &Output, code: i32, lines: &[String]) {
    let printed: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(output.code, code, "{output:?}");
    assert_eq!(printed, lines);
}

#[test]
fn check_prints_nothing_if_nothing_differs() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = tree(subtree, api);
        let get = subtree.tool(&["--api", api, "get", "-r", &app, "-o", "json"]);
        let yaml = "a: 1\ndb:\n  host: h\n  port: 5432\n";
        let flat = format!(r#"{{"{app}/a": "1", "{app}/db/host": "h", "{app}/db/port": "5432"}}"#);
        for text in [EQUAL, yaml, &flat, &get.stdout] {
            for options in [&[][..], &["--wait"]] {
                assert_prints(&check(subtree, api, text, options).run(), 0, &[]);
            }
        }
    }
}

#[test]
fn check_prints_one_line_for_each_key_that_differs() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = tree(subtree, api);
        let text = r#"{"a": "1\n", "db": {"host": "h", "name": "n"}}"#;
        let different = format!("~\t{app}/a\t1\\n\t1");
        let missing = format!("-\t{app}/db/name\tn");
        let extra = format!("+\t{app}/db/port\t5432");
        let all = [different.clone(), missing.clone(), extra];
        assert_prints(&check(subtree, api, text, &[]).run(), 1, &all);
        assert_prints(
            &check(subtree, api, text, &["--subset"]).run(),
            1,
            &all[..2],
        );
        let ignore = ["--ignore", &format!("{app}/db/*"), "--ignore", "b*"];
        assert_prints(&check(subtree, api, text, &ignore).run(), 1, &all[..1]);
        let ignore = ["--ignore", "a", "--ignore", "name", "--ignore", "port"];
        assert_prints(&check(subtree, api, text, &ignore).run(), 0, &[]);
        let output = check(subtree, api, text, &["-o", "json"]).run();
        let records = output.json();
        let index = &records[0]["index"];
        let expected = json!({
            "action": "drift", "index": index, "drift": "missing", "key": format!("{app}/db/name"),
            "wanted": "n",
        });
        assert_eq!((records.len(), &records[1], output.code), (3, &expected, 1));
        assert!(index.is_u64());
    }
}

#[test]
fn check_treats_a_missing_subtree_as_empty() {
    let subtree = shared::any();
    for api in APIS {
        let line = format!("-\t{}/a\t1", subtree.key(api));
        assert_prints(&check(&subtree, api, r#"{"a":1}"#, &[]).run(), 1, &[line]);
        assert_prints(&check(&subtree, api, "{}", &[]).run(), 0, &[]);
        let empty = check(&subtree, api, "", &["--subset"]).run();
        assert_eq!(empty.code, 2, "{empty:?}");
    }
}

#[test]
fn check_wait_exits_on_a_match_and_prints_the_differences_on_timeout() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let app = tree(subtree, api);
        let wanted = r#"{"a": 2, "db": {"host": "h", "port": 5433}}"#;
        let running = check(subtree, api, wanted, &["--wait", "-v", "--timeout", "20s"]).start();
        running.wait_for_stderr("< 200", wait::LONG);
        set(subtree, api, &format!("{app}/a"), "2");
        set(subtree, api, &format!("{app}/db/port"), "5433");
        let output = running.wait(wait::LONG);
        assert_prints(&output, 0, &[]);
        let late = check(subtree, api, EQUAL, &["--wait", "--timeout", "2s"]).run();
        let lines = [
            format!("~\t{app}/a\t1\t2"),
            format!("~\t{app}/db/port\t5432\t5433"),
        ];
        assert_prints(&late, 124, &lines);
    }
}

#[test]
fn check_watch_prints_every_change_without_reading_the_state_again() {
    for subtree in shared::each() {
        for api in APIS {
            let app = tree(&subtree, api);
            let proxy = Proxy::to(&subtree.url());
            let check = [
                "--endpoints",
                &proxy.url(),
                "--api",
                api,
                "check",
                "-",
                &app,
                "--watch",
            ];
            let running = Program::tool(&check)
                .stdin(EQUAL.replace('1', "0").as_bytes())
                .start();
            let mut expected = vec![format!("~\t{app}/a\t0\t1")];
            assert_eq!(running.wait_for_lines(1, wait::LONG), expected);
            // With the v2 API the subtree is one read. Over v3 it is one read for each range.
            let reads = || {
                let requests = proxy.requests();
                let is_read = |line: &&String| {
                    line.contains("/v3/kv/range")
                        || line.contains("recursive=true") && !line.contains("wait=")
                };
                requests.iter().filter(is_read).count()
            };
            let before = reads();
            for (key, value, line) in [
                ("a", Some("0"), "=\t{}/a"),
                ("new", Some("x"), "+\t{}/new\tx"),
                ("new", Some("y"), "+\t{}/new\ty"),
                ("db/host", Some("i"), "~\t{}/db/host\th\ti"),
            ] {
                set(&subtree, api, &format!("{app}/{key}"), value.unwrap());
                expected.push(line.replace("{}", &app));
            }
            assert_eq!(running.wait_for_lines(5, wait::LONG), expected);
            // A resync would read twice for each change. A watch reads now and then to check its
            // progress, more often on a busy machine.
            assert!(
                reads() < before + 2 * 4,
                "each change was followed by a read"
            );
            assert_eq!(
                subtree
                    .tool(&["--api", api, "rm", "-r", &format!("{app}/db")])
                    .code,
                0
            );
            let lines = running.wait_for_lines(7, wait::LONG);
            let mut gone: Vec<&String> = lines[5..].iter().collect();
            gone.sort();
            let expected = ["host\th", "port\t5432"].map(|rest| format!("-\t{app}/db/{rest}"));
            assert_eq!(gone, expected.iter().collect::<Vec<_>>());
            running.signal(Signal::INT);
            assert_eq!(running.wait(wait::LONG).code, 130);
        }
    }
}

#[test]
fn check_compares_ten_thousand_keys() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let mut writer = Writer::connect(&url);
        let mut wanted = serde_json::Map::new();
        for batch in 0..100 {
            let keys: Vec<String> = (0..100).map(|key| format!("/app/{batch}/{key}")).collect();
            let operations = keys.iter().map(|key| (key.as_str(), Some("value")));
            v3::transaction_with(&mut writer, operations);
            wanted.extend(keys.iter().map(|key| (key.clone(), Value::from("value"))));
        }
        wanted.insert("/app/99/99".to_owned(), "other".into());
        v2::put(&url, "/elsewhere", "v");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("wanted.json");
        fs::write(&file, serde_json::to_string(&wanted).unwrap()).unwrap();
        let file = file.display().to_string();
        let output =
            Program::tool(&["--endpoints", &url, "--api", "v3", "check", &file, "/app"]).run();
        assert_prints(&output, 1, &["~\t/app/99/99\tother\tvalue".to_owned()]);
    }
}

#[test]
fn check_rejects_an_invalid_file_with_line_and_column() {
    let refused = |text: &str, name: &str, part: &str| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        fs::write(&file, text).unwrap();
        let output = Program::tool(&["check", &file.display().to_string(), "/app"]).run();
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains(part), "no {part:?} in {output:?}");
    };
    refused("{\"a\":\n 1,}", "wanted.json", "line 2, column 4");
    refused("a: 1\n b: 2\n", "wanted.yaml", "line 2, column");
    refused("{\"/other\": 1}", "wanted.json", "below /app");
    refused("a: [1]\n", "wanted", "line 1, column 4: lists");
    refused("{\"_h\": 1}", "wanted.json", "hidden");
    let output = Program::tool(&["check", "/no/such/file", "/app"]).run();
    assert_ends(&output, 2, &["/no/such/file"]);
    let output = Program::tool(&["check", "--wait", "--watch", "-", "/app"]).run();
    assert_eq!(output.code, 2, "{output:?}");
}

#[test]
fn check_exits_3_if_no_server_is_reachable() {
    let check = ["--endpoints", "http://127.0.0.1:1", "check", "-", "/app"];
    let output = Program::tool(&check).stdin(b"{}").run();
    assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{output:?}");
}
