//! `watch` and `replay` over v3, through the JSON gateway.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::follow;
use crate::support::proxy::{Cut, Proxy};
use crate::support::shared;
use crate::support::tool::{Output, Program, Running, Signal, tool};
use crate::support::v2::{self, Writer};
use crate::support::v3;
use crate::support::wait;

/// The tool with the v3 API, not yet started.
pub fn with_v3(url: &str, arguments: &[&str]) -> Program {
    Program::tool(
        &[
            &["--endpoints", url, "--api", "v3", "-o", "json"],
            arguments,
        ]
        .concat(),
    )
}

/// Runs the tool with the v3 API to its end.
#[track_caller]
pub fn run(url: &str, arguments: &[&str]) -> Output {
    with_v3(url, arguments).run()
}

/// The records of a run that exited with 0 and an empty stderr.
#[track_caller]
pub fn records(url: &str, arguments: &[&str]) -> Vec<Value> {
    let output = run(url, arguments);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    output.json()
}

/// `index action key` of each record, with the lost range in place of the key for a gap.
pub fn brief(records: &[Value]) -> Vec<String> {
    let brief = |record: &Value| {
        let index = follow::index(record);
        let action = record["action"].as_str().unwrap();
        let about = match (&record["node"]["key"], &record["lost"]) {
            (Value::String(key), _) => format!(" {key}"),
            (_, Value::Object(lost)) => format!(" {}-{}", lost["from"], lost["to"]),
            _ => String::new(),
        };
        format!("{index} {action}{about}")
    };
    records.iter().map(brief).collect()
}

#[track_caller]
fn live(url: &str, arguments: &[&str]) -> Running {
    follow::live(url, &[&["--api", "v3"], arguments].concat())
}

#[test]
fn a_v3_event_has_the_v2_fields_plus_version_and_lease() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("k"));
        let running = live(&url, &[&key]);
        let lease = v2::v3(&url, "/v3/lease/grant", &json!({"TTL": "600"}));
        let lease: i64 = lease["ID"].as_str().unwrap().parse().unwrap();
        let set = v3::put(&url, &key, b"v");
        let body =
            json!({"key": v3::encode(&key), "value": v3::encode("w"), "lease": lease.to_string()});
        let again = v3::revision(&v2::v3(&url, "/v3/kv/put", &body));
        let gone = v3::delete(&url, &key);
        let printed = follow::wait_for(&running, "the delete", |record| {
            record["action"] == "delete"
        });
        let first = json!({"key": key, "value": "v", "modifiedIndex": set, "createdIndex": set, "version": 1});
        let second = json!({"key": key, "value": "w", "modifiedIndex": again, "createdIndex": set, "version": 2, "lease": lease});
        assert_eq!(
            printed,
            [
                json!({"action": "set", "node": first}),
                json!({"action": "set", "node": second, "prevNode": first}),
                json!({"action": "delete", "node": {"key": key, "modifiedIndex": gone}, "prevNode": second}),
            ]
        );
    }
}

#[test]
fn recursive_watches_the_subtree_and_prefix_every_key_with_that_prefix() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("app"));
        let names = ["", "/", "/x", "-x", "/_h/y", "le"];
        let keys: Vec<String> = names.iter().map(|name| format!("{top}{name}")).collect();
        let first = v3::transaction(&url, keys.iter().map(|key| (key.as_str(), Some("v"))));
        let from = ["--from-index", &first.to_string()];
        let seen = |arguments: &[&str]| -> Vec<String> {
            let printed = records(&url, &[&["replay", &top], arguments, &from].concat());
            let keys = printed
                .iter()
                .map(|record| record["node"]["key"].as_str().unwrap());
            keys.map(|key| key.strip_prefix(&top).unwrap().to_owned())
                .collect()
        };
        assert_eq!(seen(&[]), [""]);
        assert_eq!(seen(&["-r"]), ["", "/", "/x", "/_h/y"]);
        assert_eq!(seen(&["--prefix"]), names);
    }
}

#[test]
fn hundreds_of_keys_are_read_and_watched_in_one_run() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let keys: Vec<String> = (0..200).map(|number| format!("/k{number:03}")).collect();
        let first = v3::put(&url, "/k000/below", b"v");
        let last = v3::put(&url, "/k199", b"v");
        v3::put(&url, "/elsewhere", b"v");
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let snapshot = [
            "watch",
            "--stream",
            "-r",
            "--snapshot",
            "--stale-after",
            "1s",
        ];
        let watch = [&snapshot[..], &["--status"], &keys].concat();
        let proxy = Proxy::to(&url);
        let running = with_v3(&proxy.url(), &watch).start();
        let state = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        let expected = [
            format!("{} get /k000/below", last + 1),
            format!("{} get /k199", last + 1),
            format!("{} synced", last + 1),
        ];
        assert_eq!(brief(&state), expected);
        wait::until(wait::LONG, "a look at what was written", || {
            let requests = proxy.requests();
            // Reading the state took as many requests: two for each key.
            let reads = requests.iter().filter(|line| line.contains("/kv/range"));
            reads.count() >= 2 * 2 * 200
        });
        // Such a transaction would crash an etcd before 3.5.7 if the tool is killed meanwhile (fact
        // 24).
        let reads_by_transaction = |line: &String| line.contains("/kv/txn");
        assert!(!proxy.requests().iter().any(reads_by_transaction));
        v3::put(&url, "/k150", b"new");
        follow::wait_for_value(&running, "/k150", "new");
        v3::delete(&url, "/k150");
        let replay = ["replay", "-r", "--from-index", "1"];
        let printed = records(&url, &[&replay[..], &keys].concat());
        let expected = [
            format!("{first} set /k000/below"),
            format!("{last} set /k199"),
            format!("{} set /k150", last + 2),
            format!("{} delete /k150", last + 3),
        ];
        assert_eq!(brief(&printed), expected);
    }
}

#[test]
fn keys_and_values_that_are_not_utf8_are_printed_exactly() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("bytes"));
        let key = [top.as_bytes(), b"\xff\n"].concat();
        let body = json!({"key": v3::encode(&key), "value": v3::encode(b"\x00\xfe")});
        let index = v3::revision(&v2::v3(&url, "/v3/kv/put", &body)).to_string();
        let printed = records(&url, &["replay", "--prefix", &top, "--from-index", &index]);
        assert_eq!(printed[0]["node"]["keyBase64"], v3::encode(&key));
        assert_eq!(printed[0]["node"]["valueBase64"], v3::encode(b"\x00\xfe"));
        let output = subtree.tool(&[
            "--api",
            "v3",
            "replay",
            "--prefix",
            &top,
            "--from-index",
            &index,
        ]);
        assert_eq!(
            output.stdout,
            format!("{index}\tset\t{top}\\xff\\n\t\\x00\\xfe\n")
        );
    }
}

#[test]
fn watch_prints_one_event_from_history_or_live() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("k"));
        let first = v3::put(&url, &key, b"1");
        v3::put(&url, &key, b"2");
        let printed = records(&url, &["watch", &key, "--from-index", &first.to_string()]);
        assert_eq!(brief(&printed), [format!("{first} set {key}")]);
        let program = with_v3(&url, &["-v", "watch", &key]);
        let running = program.start();
        running.wait_for_stderr("< 200", wait::LONG);
        wait::until(wait::LONG, "the event", || {
            // The watch may not be registered when the first event is written.
            v3::put(&url, &key, b"3");
            running.has_ended()
        });
        let output = running.wait(wait::LONG);
        assert_eq!((output.code, output.json().len()), (0, 1), "{output:?}");
    }
}

#[test]
fn a_stream_resumes_within_a_transaction() {
    let subtree = shared::any();
    let (url, top) = (subtree.url(), subtree.key("t"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("checkpoint");
    let keys: Vec<String> = (0..4).map(|number| format!("{top}/{number}")).collect();
    let before = v3::put(&url, &keys[0], b"before");
    let index = v3::transaction(&url, keys.iter().map(|key| (key.as_str(), Some("v"))));
    let (from, path) = (before.to_string(), file.to_str().unwrap());
    let watch = |count: &str| {
        let options = ["--from-index", &from, "--checkpoint", path];
        let watch = ["watch", "--stream", "-r", &top, "--count", count];
        records(&url, &[&watch[..], &options].concat())
    };
    let last = v3::put(&url, &keys[0], b"after");
    let mut printed = Vec::new();
    for count in ["2", "1", "3"] {
        printed.extend(brief(&watch(count)));
    }
    let mut expected = vec![format!("{before} set {}", keys[0])];
    expected.extend(keys.iter().map(|key| format!("{index} set {key}")));
    expected.push(format!("{last} set {}", keys[0]));
    assert_eq!(printed, expected);
}

#[test]
fn replay_over_v3_ends_at_the_last_event() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let replay = |key: &str| records(&url, &["replay", "-r", key, "--from-index", "1"]);
        assert!(replay("/app").is_empty(), "an empty store");
        // A server sends 1,000 events at once, so that nothing shows that these were all.
        let mut writer = Writer::connect(&url);
        for number in 0..1000 {
            v3::put_with(&mut writer, "/app/k", &number.to_string());
        }
        assert_eq!(replay("/app").len(), 1000);
        assert!(replay("/nothing").is_empty(), "nothing in scope");
        v3::put_with(&mut writer, "/other", "v");
        assert_eq!(replay("/app").len(), 1000);
        let part = [
            "replay",
            "-r",
            "/app",
            "--from-index",
            "500",
            "--to-index",
            "600",
        ];
        assert_eq!(records(&url, &part).len(), 101);
    }
}

/// 3.4 reads each previous value separately, and is silent for seconds meanwhile.
#[test]
fn replay_over_v3_waits_for_a_slow_server() {
    let etcd = Etcd::builder(Version::V3_4)
        .arg("--max-txn-ops=1000")
        .start();
    let mut writer = Writer::connect(&etcd.url());
    for number in 0..40 {
        let keys: Vec<String> = (0..1000).map(|key| format!("/app/{key:03}")).collect();
        let value = number.to_string();
        let operations = keys.iter().map(|key| (key.as_str(), Some(value.as_str())));
        v3::transaction_with(&mut writer, operations);
    }
    let printed = records(&etcd.url(), &["replay", "-r", "/app", "--from-index", "1"]);
    assert_eq!(printed.len(), 40_000);
    let last = &printed[39_999];
    assert_eq!(
        (&last["node"]["value"], &last["prevNode"]["value"]),
        (&json!("39"), &json!("38"))
    );
}

#[test]
fn snapshot_over_v3_prints_the_state_and_then_events() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("s"));
        for name in ["b", "a/x", "a"] {
            v3::put(&url, &format!("{top}/{name}"), b"v");
        }
        let running = live(&url, &["-r", &top, "--snapshot"]);
        follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        let index = v3::put(&url, &format!("{top}/new"), b"v");
        let printed = follow::wait_for_value(&running, &format!("{top}/new"), "v");
        let keys: Vec<&str> = printed
            .iter()
            .filter_map(|record| record["node"]["key"].as_str())
            .collect();
        let expected = ["a", "a/x", "b", "new"].map(|name| format!("{top}/{name}"));
        assert_eq!(keys, expected);
        assert_eq!(printed[0]["origin"], "snapshot");
        assert_eq!(follow::index(printed.last().unwrap()), index);
    }
}

/// A store with events at the revisions 2 to 6, compacted up to 4, so that the delete at 4 is gone.
fn compacted(version: Version) -> Etcd {
    let etcd = Etcd::start(version);
    let url = etcd.url();
    v3::put(&url, "/app/a", b"1");
    v3::put(&url, "/app/b", b"1");
    v3::delete(&url, "/app/a");
    v3::put(&url, "/app/a", b"2");
    v3::put(&url, "/app/a", b"3");
    v3::compact(&url, 4);
    etcd
}

#[test]
fn compacted_events_are_a_gap_with_exact_bounds() {
    for version in Version::ALL {
        let etcd = compacted(version);
        let url = etcd.url();
        let output = run(&url, &["replay", "-r", "/app", "--from-index", "3"]);
        assert_eq!((output.code, output.stdout.as_str()), (5, ""), "{output:?}");
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["lost"], json!({"from": 3, "to": 4}));
        assert_eq!(
            (&error["error"]["cause"], &error["error"]["oldest"]),
            (&json!("compacted"), &json!(5))
        );
        let rest = ["5 set /app/a", "6 set /app/a"];
        for from in ["5", "oldest"] {
            let printed = records(&url, &["replay", "-r", "/app", "--from-index", from]);
            assert_eq!(brief(&printed), rest);
        }
        let stream = |on_gap: &str, count: &str| {
            let options = ["--from-index", "2", "--on-gap", on_gap, "--count", count];
            let watch = ["watch", "--stream", "-r", "/app"];
            brief(&records(&url, &[&watch[..], &options].concat()))
        };
        assert_eq!(stream("continue", "2"), ["4 gap 2-4", rest[0], rest[1]]);
        let output = with_v3(
            &url,
            &[
                "--timeout",
                "1s",
                "watch",
                "--stream",
                "-r",
                "/app",
                "--from-index",
                "2",
            ],
        )
        .run();
        assert_eq!(output.code, 124);
        let printed = output.json();
        assert_eq!(
            brief(&printed),
            [
                "6 gap 2-6",
                "6 reset",
                "6 get /app/a",
                "6 get /app/b",
                "6 synced"
            ]
        );
        assert_eq!(
            (&printed[0]["certain"], &printed[0]["cause"]),
            (&json!(true), &json!("compacted"))
        );
    }
}

/// A watch from the next revision silently skips a delete that was compacted (etcd-facts.md).
#[test]
fn a_delete_compacted_during_an_outage_is_declared() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let proxy = Proxy::to(&url);
        let running = live(&proxy.url(), &["-r", "/app", "--on-gap", "continue"]);
        let set = v3::put(&url, "/app/a", b"1");
        follow::wait_for_value(&running, "/app/a", "1");
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        let gone = v3::delete(&url, "/app/a");
        v3::compact(&url, gone);
        let last = v3::put(&url, "/app/a", b"2");
        proxy.refuse(false);
        let printed = follow::wait_for_value(&running, "/app/a", "2");
        assert_eq!(
            brief(&printed),
            [
                format!("{set} set /app/a"),
                format!("{gone} gap {gone}-{gone}"),
                format!("{last} set /app/a"),
            ]
        );
    }
}

/// A run without events has still seen how far history was compacted.
#[test]
fn a_compaction_between_two_runs_is_declared_even_if_the_first_printed_nothing() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let first = v3::put(&url, "/app/k", b"1");
        v3::compact(&url, first);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint");
        let file = file.to_str().unwrap();
        let replay = [
            "replay",
            "-r",
            "/app",
            "--from-index",
            "oldest",
            "--checkpoint",
            file,
        ];
        let output = run(&url, &replay);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{output:?}");
        v3::put(&url, "/app/k", b"2");
        let compacted = v3::put(&url, "/app/k", b"3");
        v3::compact(&url, compacted);
        let output = run(&url, &replay);
        assert_eq!(output.code, 5, "{output:?}");
        let lost = json!({"from": first + 1, "to": compacted});
        let error: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["error"]["lost"], lost);
    }
}

#[test]
fn on_gap_diff_prints_the_differences_over_v3() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let proxy = Proxy::to(&url);
    for name in ["kept", "changed", "gone"] {
        v3::put(&url, &format!("/app/{name}"), b"1");
    }
    let running = live(&proxy.url(), &["-r", "/app", "--on-gap", "diff"]);
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    v3::put(&url, "/app/changed", b"2");
    v3::delete(&url, "/app/gone");
    let last = v3::put(&url, "/app/new", b"1");
    v3::compact(&url, last);
    proxy.refuse(false);
    let printed = follow::wait_for(&running, "the differences", |record| {
        record["action"] == "synced"
    });
    let expected = [
        "gap 5-7",
        "delete /app/gone",
        "set /app/changed",
        "set /app/new",
        "synced",
    ];
    assert_eq!(
        brief(&printed),
        expected.map(|record| format!("{last} {record}"))
    );
    assert_eq!(printed[0]["certain"], true);
    assert_eq!(printed[2]["prevNode"]["value"], "1");
}

#[test]
fn a_single_unchanged_key_has_no_gap_after_a_compaction() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let proxy = Proxy::to(&url);
        v3::put(&url, "/k", b"1");
        let running = live(&proxy.url(), &["/k", "--on-gap", "fail"]);
        for round in 0..2 {
            proxy.refuse(true);
            proxy.cut_all(Cut::Reset);
            let other = v3::put(&url, "/other", b"v");
            v3::compact(&url, other);
            let value = format!("again {round}");
            v3::put(&url, "/k", value.as_bytes());
            proxy.refuse(false);
            let printed = follow::wait_for_value(&running, "/k", &value);
            assert_eq!(printed.len(), round + 1, "{printed:?}");
        }
    }
}

#[test]
fn a_killed_v3_watch_resumes_from_its_checkpoint() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint");
        let path = file.to_str().unwrap();
        let first = live(&url, &["-r", "/app", "--checkpoint", path]);
        v3::put(&url, "/app/a", b"1");
        let gone = v3::delete(&url, "/app/a");
        follow::wait_for_checkpoint(&file, gone);
        first.signal(Signal::KILL);
        first.wait(wait::LONG);
        let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(saved["api"], "v3");
        let missed = v3::put(&url, "/app/b", b"1");
        let refused = tool(&[
            "--endpoints",
            &url,
            "--api",
            "v2",
            "watch",
            "--stream",
            "-r",
            "/app",
            "--checkpoint",
            path,
        ]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("v3"), "{refused:?}");
        // By default the API of the checkpoint is used.
        let second = follow::live(&url, &["-r", "/app", "--checkpoint", path]);
        let printed = follow::wait_for_value(&second, "/app/b", "1");
        assert_eq!(brief(&printed), [format!("{missed} set /app/b")]);
    }
}

#[test]
fn a_replaced_v3_store_is_detected_by_the_last_event() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        v3::put(&url, "/app/a", b"old");
        let running = live(&url, &["-r", "/app", "--snapshot"]);
        let index = v3::put(&url, "/app/b", b"old");
        follow::wait_for_value(&running, "/app/b", "old");
        etcd.wipe_and_restart();
        for _ in 0..=index {
            v3::put(&url, "/app/c", b"new");
        }
        let printed = follow::wait_for(&running, "the state", |record| {
            record["node"]["key"] == "/app/c"
        });
        let gap = printed
            .iter()
            .find(|record| record["action"] == "gap")
            .unwrap();
        assert_eq!(
            (&gap["cause"], &gap["lost"]["to"]),
            (&json!("indexRewound"), &Value::Null)
        );
    }
}

#[test]
fn api_auto_uses_v2_if_it_is_enabled_and_has_the_key_and_otherwise_v3() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let replay = |key: &str| {
            tool(&[
                "--endpoints",
                &url,
                "replay",
                "-r",
                key,
                "--from-index",
                "1",
            ])
        };
        v2::put(&url, "/both", "two");
        v3::put(&url, "/both", b"three");
        let output = replay("/both");
        assert!(
            output.stdout.ends_with("\t/both\ttwo\n") && output.stderr.is_empty(),
            "{output:?}"
        );
        v3::put(&url, "/three", b"v");
        let output = replay("/three");
        assert!(output.stdout.ends_with("\tset\t/three\tv\n"), "{output:?}");
        assert!(
            output.stderr.contains("v2 has nothing at /three"),
            "{output:?}"
        );
        let off = Etcd::builder(version).v2(false).start();
        v3::put(&off.url(), "/k", b"v");
        let output = tool(&[
            "--endpoints",
            &off.url(),
            "-v",
            "replay",
            "/k",
            "--from-index",
            "1",
        ]);
        assert_eq!(output.stdout, "2\tset\t/k\tv\n");
        assert!(output.stderr.contains("* using the v3 API"), "{output:?}");
        let output = Program::tool(&["--endpoints", &off.url(), "watch", "/k"])
            .env("ETCDCTL_API", "2")
            .run();
        assert_eq!(output.code, 4, "{output:?}");
    }
}

#[test]
fn a_disabled_gateway_is_reported() {
    let etcd = Etcd::builder(Version::V3_5)
        .v2(false)
        .arg("--enable-grpc-gateway=false")
        .start();
    for arguments in [
        &["watch", "/k"][..],
        &["--api", "v3", "watch", "/k"],
        &["get", "/k"],
    ] {
        let output = tool(&[&["--endpoints", &etcd.url()], arguments].concat());
        assert_eq!(output.code, 4, "{output:?}");
        assert!(output.stderr.contains("JSON gateway off"), "{output:?}");
        assert!(
            output.stderr.contains("--enable-grpc-gateway"),
            "{output:?}"
        );
    }
}

#[test]
fn a_key_written_again_within_a_gap_makes_it_certain() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let from = v3::put(&url, "/app/k", b"v");
        let directory = tempfile::tempdir().unwrap();
        let checkpoint = directory.path().join("checkpoint");
        let from = from.to_string();
        let options = [
            "-r",
            "/app",
            "--from-index",
            &from,
            "--checkpoint",
            checkpoint.to_str().unwrap(),
        ];
        let first = [&["watch", "--stream", "--count", "1"], &options[..]].concat();
        assert_eq!(
            brief(&records(&url, &first)),
            [format!("{from} set /app/k")]
        );
        // Setting the same value again is an event too.
        let lost = v3::put(&url, "/app/k", b"v");
        let compacted = v3::put(&url, "/other", b"v");
        v3::compact(&url, compacted);
        let running = live(&url, &options);
        let printed =
            follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        assert_eq!(printed[0]["action"], "gap");
        assert_eq!(printed[0]["lost"], json!({"from": lost, "to": compacted}));
        assert_eq!(printed[0]["certain"], true);
    }
}

/// With a full buffer the tool reads from the stream only as fast as its own stdout is read.
#[test]
fn a_slow_stdout_reader_loses_nothing_over_v3() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let arguments = [
        "--endpoints",
        &url,
        "--api",
        "v3",
        "watch",
        "--stream",
        "-r",
        "/app",
        "--buffer",
        "64KiB",
        "--count",
        "3000",
        "--from-index",
        "1",
    ];
    let running = Program::tool(&arguments).unread().start();
    let mut writer = Writer::connect(&url);
    let value = "v".repeat(1000);
    for number in 0..3000 {
        v3::put_with(&mut writer, &format!("/app/{number}"), &value);
    }
    running.read_stdout();
    let output = running.wait(Duration::from_secs(30));
    assert_eq!(output.stdout.lines().count(), 3000);
    let mut lines = output.stdout.lines();
    assert!(lines.all(|line| line.contains("\tset\t")), "no gap");
}

/// The buffer is full, and the connection to a killed server breaks meanwhile.
#[test]
fn a_lost_server_is_reported_while_stdout_is_blocked() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let mut writer = Writer::connect(&url);
    let value = "v".repeat(2000);
    for number in 0..3000 {
        v3::put_with(&mut writer, &format!("/app/{}", number % 50), &value);
    }
    let proxy = Proxy::to(&url);
    let arguments = [
        "--endpoints",
        &proxy.url(),
        "--api",
        "v3",
        "--timeout",
        "60s",
        "replay",
        "-r",
        "/app",
        "--from-index",
        "1",
        "--buffer",
        "100KiB",
    ];
    let running = Program::tool(&arguments).unread().start();
    wait::until(wait::LONG, "the past to come", || {
        proxy.bytes_down() > 1_000_000
    });
    etcd.kill();
    running.read_stdout();
    running.wait_for_stderr("trying again", wait::LONG);
}

/// A watcher that fell behind because of backpressure is synced later, and a delete that is
/// compacted meanwhile is skipped (upstream #19179).
#[test]
fn events_compacted_while_stdout_is_blocked_are_declared() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let options = ["--endpoints", &url, "--api", "v3", "-o", "json", "-v"];
        let watch = [
            "watch", "--stream", "-r", "/app", "--buffer", "1MiB", "--on-gap", "continue",
        ];
        let arguments = [&options[..], &watch].concat();
        let running = Program::tool(&arguments).unread().start();
        running.wait_for_stderr("< 200", wait::LONG);
        v3::put(&url, "/app/victim", b"here");
        let mut writer = Writer::connect(&url);
        let value = "v".repeat(200_000);
        wait::until(wait::LONG, "the watch to be put off", || {
            v3::put_with(&mut writer, "/app/flood", &value);
            let metrics = v2::request("GET", &url, "/metrics", &[]).text();
            let mut lines = metrics.lines();
            lines.any(|line| line == "etcd_debugging_mvcc_slow_watcher_total 1")
        });
        let gone = v3::delete(&url, "/app/victim");
        v3::compact(&url, gone);
        v3::put(&url, "/app/last", b"here");
        running.read_stdout();
        let printed = follow::wait_for_value(&running, "/app/last", "here");
        let is_printed = printed.iter().any(|record| {
            let is_delete = record["action"] == "delete" && follow::index(record) == gone;
            let lost = &record["lost"];
            let is_lost = lost["from"].as_u64() <= Some(gone) && lost["to"].as_u64() >= Some(gone);
            is_delete || record["action"] == "gap" && is_lost
        });
        assert!(
            is_printed,
            "{gone} is neither told nor declared: {:?}",
            brief(&printed[printed.len() - 3..])
        );
    }
}
