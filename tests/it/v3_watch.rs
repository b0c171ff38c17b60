//! `watch` and `replay` by v3, through the JSON gateway.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::follow;
use crate::support::proxy::{Cut, Proxy};
use crate::support::scripted::{Request, Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program, Running, Signal, tool};
use crate::support::v2::{self, Writer};
use crate::support::v3;
use crate::support::wait;

/// The tool by v3, about to be run.
fn by_v3(url: &str, arguments: &[&str]) -> Program {
    Program::tool(
        &[
            &["--endpoints", url, "--api", "v3", "-o", "json"],
            arguments,
        ]
        .concat(),
    )
}

/// Runs it to its end.
#[track_caller]
fn run(url: &str, arguments: &[&str]) -> Output {
    by_v3(url, arguments).run()
}

/// The records of a run that ended well and had nothing to say.
#[track_caller]
fn records(url: &str, arguments: &[&str]) -> Vec<Value> {
    let output = run(url, arguments);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    output.json()
}

/// `index action key` of each record, and of a record of the tool's own what it is about.
fn brief(records: &[Value]) -> Vec<String> {
    let brief = |record: &Value| {
        let index = follow::position(record);
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
fn an_event_has_the_shape_of_v2_with_version_and_lease() {
    for ground in shared::each() {
        let (url, key) = (ground.url(), ground.key("k"));
        let running = live(&url, &[&key]);
        let lease = v2::v3(&url, "/v3/lease/grant", &json!({"TTL": "600"}));
        let lease: i64 = lease["ID"].as_str().unwrap().parse().unwrap();
        let set = v3::put(&url, &key, b"v");
        let body =
            json!({"key": v3::encode(&key), "value": v3::encode("w"), "lease": lease.to_string()});
        let again = v3::revision(&v2::v3(&url, "/v3/kv/put", &body));
        let gone = v3::delete(&url, &key);
        let told = follow::wait_for(&running, "the delete", |record| {
            record["action"] == "delete"
        });
        let first = json!({"key": key, "value": "v", "modifiedIndex": set, "createdIndex": set, "version": 1});
        let second = json!({"key": key, "value": "w", "modifiedIndex": again, "createdIndex": set, "version": 2, "lease": lease});
        assert_eq!(
            told,
            [
                json!({"action": "set", "node": first}),
                json!({"action": "set", "node": second, "prevNode": first}),
                json!({"action": "delete", "node": {"key": key, "modifiedIndex": gone}, "prevNode": second}),
            ]
        );
    }
}

#[test]
fn a_key_and_all_below_it_are_watched_and_no_longer_name_but_with_prefix() {
    for ground in shared::each() {
        let (url, top) = (ground.url(), ground.key("app"));
        let names = ["", "/", "/x", "-x", "/_h/y", "le"];
        let keys: Vec<String> = names.iter().map(|name| format!("{top}{name}")).collect();
        let first = v3::transaction(&url, keys.iter().map(|key| (key.as_str(), Some("v"))));
        let from = ["--from-index", &first.to_string()];
        let seen = |arguments: &[&str]| -> Vec<String> {
            let told = records(&url, &[&["replay", &top], arguments, &from].concat());
            let keys = told
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
fn hundreds_of_keys_are_read_and_watched_together() {
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
        let running = by_v3(&proxy.url(), &watch).start();
        let state = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        let expected = [
            format!("{} get /k000/below", last + 1),
            format!("{} get /k199", last + 1),
            format!("{} synced", last + 1),
        ];
        assert_eq!(brief(&state), expected);
        wait::until(wait::LONG, "a look at what was written", || {
            let requests = proxy.requests();
            // The state took as many: one a key, and one for what is below it.
            let reads = requests.iter().filter(|line| line.contains("/kv/range"));
            reads.count() >= 2 * 2 * 200
        });
        // Such a transaction would end an etcd of before 3.5.7 where this tool is ended (fact 24).
        let reads_by_transaction = |line: &String| line.contains("/kv/txn");
        assert!(!proxy.requests().iter().any(reads_by_transaction));
        v3::put(&url, "/k150", b"new");
        follow::wait_for_value(&running, "/k150", "new");
        v3::delete(&url, "/k150");
        let replay = ["replay", "-r", "--from-index", "1"];
        let told = records(&url, &[&replay[..], &keys].concat());
        let expected = [
            format!("{first} set /k000/below"),
            format!("{last} set /k199"),
            format!("{} set /k150", last + 2),
            format!("{} delete /k150", last + 3),
        ];
        assert_eq!(brief(&told), expected);
    }
}

#[test]
fn what_is_not_utf_8_is_exact() {
    for ground in shared::each() {
        let (url, top) = (ground.url(), ground.key("bytes"));
        let key = [top.as_bytes(), b"\xff\n"].concat();
        let body = json!({"key": v3::encode(&key), "value": v3::encode(b"\x00\xfe")});
        let index = v3::revision(&v2::v3(&url, "/v3/kv/put", &body)).to_string();
        let told = records(&url, &["replay", "--prefix", &top, "--from-index", &index]);
        assert_eq!(told[0]["node"]["keyBase64"], v3::encode(&key));
        assert_eq!(told[0]["node"]["valueBase64"], v3::encode(b"\x00\xfe"));
        let output = ground.tool(&[
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
fn one_event_is_told_from_history_or_when_it_comes() {
    for ground in shared::each() {
        let (url, key) = (ground.url(), ground.key("k"));
        let first = v3::put(&url, &key, b"1");
        v3::put(&url, &key, b"2");
        let told = records(&url, &["watch", &key, "--from-index", &first.to_string()]);
        assert_eq!(brief(&told), [format!("{first} set {key}")]);
        let program = by_v3(&url, &["-v", "watch", &key]);
        let running = program.start();
        running.wait_for_stderr("< 200", wait::LONG);
        wait::until(wait::LONG, "the event", || {
            // It may not be registered at the first.
            v3::put(&url, &key, b"3");
            running.has_ended()
        });
        let output = running.wait(wait::LONG);
        assert_eq!((output.code, output.json().len()), (0, 1), "{output:?}");
    }
}

#[test]
fn a_stream_that_ends_in_the_middle_of_a_transaction_goes_on_there_the_next_time() {
    let ground = shared::any();
    let (url, top) = (ground.url(), ground.key("t"));
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
    let mut told = Vec::new();
    for count in ["2", "1", "3"] {
        told.extend(brief(&watch(count)));
    }
    let mut expected = vec![format!("{before} set {}", keys[0])];
    expected.extend(keys.iter().map(|key| format!("{index} set {key}")));
    expected.push(format!("{last} set {}", keys[0]));
    assert_eq!(told, expected);
}

#[test]
fn a_replay_ends_where_nothing_more_is_left() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let replay = |key: &str| records(&url, &["replay", "-r", key, "--from-index", "1"]);
        assert!(replay("/app").is_empty(), "an empty store");
        // As many as the server sends at once, so that nothing tells that they were all.
        let mut writer = Writer::connect(&url);
        for number in 0..1000 {
            v3::put_by(&mut writer, "/app/k", &number.to_string());
        }
        assert_eq!(replay("/app").len(), 1000);
        assert!(replay("/nothing").is_empty(), "nothing in scope");
        v3::put_by(&mut writer, "/other", "v");
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

/// 3.4 looks for each previous value by itself, and is silent for seconds meanwhile.
#[test]
fn a_replay_waits_for_a_server_that_takes_its_time() {
    let etcd = Etcd::builder(Version::V3_4)
        .arg("--max-txn-ops=1000")
        .start();
    let mut writer = Writer::connect(&etcd.url());
    for number in 0..40 {
        let keys: Vec<String> = (0..1000).map(|key| format!("/app/{key:03}")).collect();
        let value = number.to_string();
        let operations = keys.iter().map(|key| (key.as_str(), Some(value.as_str())));
        v3::transaction_by(&mut writer, operations);
    }
    let told = records(&etcd.url(), &["replay", "-r", "/app", "--from-index", "1"]);
    assert_eq!(told.len(), 40_000);
    let last = &told[39_999];
    assert_eq!(
        (&last["node"]["value"], &last["prevNode"]["value"]),
        (&json!("39"), &json!("38"))
    );
}

#[test]
fn a_snapshot_is_the_state_and_then_what_comes() {
    for ground in shared::each() {
        let (url, top) = (ground.url(), ground.key("s"));
        for name in ["b", "a/x", "a"] {
            v3::put(&url, &format!("{top}/{name}"), b"v");
        }
        let running = live(&url, &["-r", &top, "--snapshot"]);
        follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        let index = v3::put(&url, &format!("{top}/new"), b"v");
        let told = follow::wait_for_value(&running, &format!("{top}/new"), "v");
        let keys: Vec<&str> = told
            .iter()
            .filter_map(|record| record["node"]["key"].as_str())
            .collect();
        let expected = ["a", "a/x", "b", "new"].map(|name| format!("{top}/{name}"));
        assert_eq!(keys, expected);
        assert_eq!(told[0]["origin"], "snapshot");
        assert_eq!(follow::position(told.last().unwrap()), index);
    }
}

/// A store with events at 2 to 6, of which those up to 4 are compacted: the delete at 4 is gone.
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
fn what_was_compacted_is_a_gap_with_exact_bounds() {
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
            let told = records(&url, &["replay", "-r", "/app", "--from-index", from]);
            assert_eq!(brief(&told), rest);
        }
        let stream = |on_gap: &str, count: &str| {
            let options = ["--from-index", "2", "--on-gap", on_gap, "--count", count];
            let watch = ["watch", "--stream", "-r", "/app"];
            brief(&records(&url, &[&watch[..], &options].concat()))
        };
        assert_eq!(stream("continue", "2"), ["4 gap 2-4", rest[0], rest[1]]);
        let output = by_v3(
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
        let told = output.json();
        assert_eq!(
            brief(&told),
            [
                "6 gap 2-6",
                "6 reset",
                "6 get /app/a",
                "6 get /app/b",
                "6 synced"
            ]
        );
        assert_eq!(
            (&told[0]["certain"], &told[0]["cause"]),
            (&json!(true), &json!("compacted"))
        );
    }
}

/// From what was told last on: the watch from the next revision passes over a delete that was
/// compacted, without a word (etcd-facts.md).
#[test]
fn a_delete_that_was_compacted_during_an_outage_is_declared() {
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
        let told = follow::wait_for_value(&running, "/app/a", "2");
        assert_eq!(
            brief(&told),
            [
                format!("{set} set /app/a"),
                format!("{gone} gap {gone}-{gone}"),
                format!("{last} set /app/a"),
            ]
        );
    }
}

/// A run that finds nothing has seen how far history was compacted.
#[test]
fn what_is_compacted_between_two_runs_is_declared_though_the_first_had_nothing_to_print() {
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
fn differences_are_told_after_a_gap() {
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
    let told = follow::wait_for(&running, "the differences", |record| {
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
        brief(&told),
        expected.map(|record| format!("{last} {record}"))
    );
    assert_eq!(told[0]["certain"], true);
    assert_eq!(told[2]["prevNode"]["value"], "1");
}

#[test]
fn of_one_key_nothing_is_lost_that_it_shows_was_left_alone() {
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
            let told = follow::wait_for_value(&running, "/k", &value);
            assert_eq!(told.len(), round + 1, "{told:?}");
        }
    }
}

#[test]
fn a_watch_goes_on_from_its_checkpoint_after_it_was_killed() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint");
        let path = file.to_str().unwrap();
        let first = live(&url, &["-r", "/app", "--checkpoint", path]);
        v3::put(&url, "/app/a", b"1");
        let gone = v3::delete(&url, "/app/a");
        follow::wait_for_position(&file, gone);
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
        // Without a word it is the API of the file.
        let second = follow::live(&url, &["-r", "/app", "--checkpoint", path]);
        let told = follow::wait_for_value(&second, "/app/b", "1");
        assert_eq!(brief(&told), [format!("{missed} set /app/b")]);
    }
}

#[test]
fn a_store_that_was_rebuilt_is_known_by_the_last_event() {
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
        let told = follow::wait_for(&running, "the state", |record| {
            record["node"]["key"] == "/app/c"
        });
        let gap = told
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
fn by_default_the_api_is_v2_where_it_is_on_and_has_the_key_else_v3() {
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
fn a_gateway_that_is_off_is_told() {
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

// --- what real etcd can't be made to do

/// A watch of v3 that tells `lines`, and stays open.
fn telling(lines: &[String]) -> Response {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    lines.iter().fold(Response::raw(head), |response, line| {
        response.chunk(format!("{line}\n"))
    })
}

fn json_reply(status: u16, body: &Value) -> Response {
    let body = body.to_string();
    Response::raw(format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn asks_for(request: &Request, field: &str) -> bool {
    String::from_utf8_lossy(&request.body).contains(field)
}

fn header(revision: u64) -> Value {
    json!({"cluster_id": "7", "member_id": "1", "revision": revision.to_string(), "raft_term": "2"})
}

fn created(revision: u64) -> String {
    json!({"result": {"header": header(revision), "created": true}}).to_string()
}

/// A message with a set of `/k` at each of these revisions.
fn sets(revisions: impl IntoIterator<Item = u64>, revision: u64) -> String {
    let events: Vec<Value> = revisions
        .into_iter()
        .map(|revision| {
            json!({"kv": {
                "key": v3::encode("/k"), "value": v3::encode("v"), "create_revision": "2",
                "mod_revision": revision.to_string(), "version": "1",
            }})
        })
        .collect();
    json!({"result": {"header": header(revision), "events": events}}).to_string()
}

fn body_of(request: &Request) -> Value {
    let text = String::from_utf8_lossy(&request.body);
    let first = text.lines().next().unwrap_or_default();
    serde_json::from_str(first).unwrap_or_default()
}

/// The first of a thousand revisions can be passed over without a word, where it is a delete that
/// is compacted just then (upstream #19179).
#[test]
fn what_may_have_been_passed_over_between_two_messages_is_asked_about() {
    // Of the revision after the hole a part may be missing, too.
    for (is_compacted, count, expected) in [
        (
            false,
            "1002",
            &["1001 set /k", "1005 set /k", "1006 set /k"][..],
        ),
        (
            true,
            "1001",
            &["1001 set /k", "1005 gap 1002-1005", "1006 set /k"],
        ),
    ] {
        let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
            "/v3/watch" => {
                let lines = [
                    created(2000),
                    sets(2..=1001, 2000),
                    sets([1005, 1006], 2000),
                ];
                telling(&lines).hold()
            }
            _ if is_compacted && body_of(request)["revision"] == "1001" => {
                let text = "etcdserver: mvcc: required revision has been compacted";
                json_reply(400, &json!({"error": text, "message": text, "code": 11}))
            }
            _ => json_reply(200, &json!({"header": header(2000)})),
        });
        let options = [
            "--from-index",
            "2",
            "--count",
            count,
            "--on-gap",
            "continue",
        ];
        let told = records(
            &server.url(),
            &[&["watch", "--stream", "/k"], &options[..]].concat(),
        );
        assert_eq!(brief(&told[999..]), expected);
        let asked = server
            .requests()
            .iter()
            .any(|request| body_of(request)["revision"] == "1001");
        assert!(asked, "it was asked about");
    }
}

/// Of a history that was compacted under a replay all is lost that is gone, and not only the
/// revision that gave it away.
#[test]
fn what_was_compacted_under_a_replay_is_lost_up_to_the_oldest_that_can_be_had() {
    let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
        "/v3/watch" if body_of(request)["create_request"]["start_revision"] == "1" => {
            let lines = [
                created(40_000),
                sets(2..=1001, 40_000),
                sets(1003..=2002, 40_000),
            ];
            telling(&lines).hold()
        }
        "/v3/watch" => {
            let compacted = json!({"result": {
                "header": header(40_000), "canceled": true, "compact_revision": "30001",
            }});
            telling(&[created(40_000), compacted.to_string()]).hold()
        }
        _ if body_of(request)["revision"].is_string() => {
            let text = "etcdserver: mvcc: required revision has been compacted";
            json_reply(400, &json!({"error": text, "message": text, "code": 11}))
        }
        _ => json_reply(200, &json!({"header": header(40_000)})),
    });
    let output = run(
        &server.url(),
        &["replay", "/k", "--from-index", "2", "--prev"],
    );
    assert_eq!((output.code, output.json().len()), (5, 1000), "{output:?}");
    let error: Value = serde_json::from_str(output.stderr.trim()).unwrap();
    assert_eq!(error["error"]["lost"], json!({"from": 1002, "to": 30_001}));
    assert_eq!(error["error"]["oldest"], 30_002);
    let told = records(
        &server.url(),
        &[
            "watch",
            "--stream",
            "/k",
            "--from-index",
            "2",
            "--on-gap",
            "continue",
            "--count",
            "1999",
        ],
    );
    // Of the revision that it came to a part may be missing, too.
    assert_eq!(
        brief(&told[1000..1002]),
        ["1003 gap 1002-1003", "1004 set /k"]
    );
}

#[test]
fn a_key_that_was_written_again_in_a_gap_makes_it_certain() {
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
        // The same value once more is an event, too.
        let lost = v3::put(&url, "/app/k", b"v");
        let compacted = v3::put(&url, "/other", b"v");
        v3::compact(&url, compacted);
        let running = live(&url, &options);
        let told = follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        assert_eq!(told[0]["action"], "gap");
        assert_eq!(told[0]["lost"], json!({"from": lost, "to": compacted}));
        assert_eq!(told[0]["certain"], true);
    }
}

#[test]
fn an_error_in_the_middle_of_a_batch_loses_and_repeats_nothing() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            // As the key was when the stream broke.
            let kv = json!({
                "key": v3::encode("/k"), "value": v3::encode("v"),
                "create_revision": "2", "mod_revision": "3",
            });
            return json_reply(200, &json!({"header": header(9), "kvs": [kv]}));
        }
        let body = body_of(request);
        if body["create_request"]["start_revision"] == "1" {
            let mut fragment = sets([2, 3], 9);
            fragment = fragment.replace("\"events\"", "\"fragment\":true,\"events\"");
            let error = json!({"error": {"grpc_code": 14, "http_code": 503, "message": "etcdserver: no leader"}});
            return telling(&[
                created(9),
                sets([2, 3], 3),
                fragment
                    .replace("\"3\"", "\"4\"")
                    .replace("\"mod_revision\":\"2\"", "\"mod_revision\":\"4\""),
                error.to_string(),
            ])
            .end();
        }
        assert_eq!(
            body["create_request"]["start_revision"], "3",
            "what was told last"
        );
        telling(&[created(9), sets([3, 4, 5], 9)]).hold()
    });
    let options = ["--from-index", "2", "--count", "4"];
    let told = records(
        &server.url(),
        &[&["watch", "--stream", "/k"], &options[..]].concat(),
    );
    assert_eq!(
        brief(&told),
        ["2 set /k", "3 set /k", "4 set /k", "5 set /k"]
    );
}

#[test]
fn a_message_that_is_too_large_for_a_gateway_comes_in_fragments() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            return json_reply(200, &json!({"header": header(3)}));
        }
        if body_of(request)["create_request"]["fragment"] == true {
            return telling(&[created(3), sets([2, 3], 3)]).hold();
        }
        let error = "grpc: received message larger than max (5000000 vs. 4194304)";
        let error = json!({"error": {"grpc_code": 8, "http_code": 429, "message": error}});
        telling(&[created(3), error.to_string()]).end()
    });
    let told = records(&server.url(), &["replay", "/k", "--from-index", "2"]);
    assert_eq!(told.len(), 2);
}

#[test]
fn a_watch_that_is_not_allowed_is_exit_4() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            return json_reply(200, &json!({"header": header(3)}));
        }
        let reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
        let canceled = json!({"result": {"header": header(3), "created": true, "canceled": true, "cancel_reason": reason}});
        telling(&[canceled.to_string()]).hold()
    });
    let output = run(&server.url(), &["watch", "/k"]);
    assert_eq!(output.code, 4, "{output:?}");
    assert!(output.stderr.contains("permission denied"), "{output:?}");
}

#[test]
fn what_is_no_message_of_a_watch_is_exit_6() {
    let malformed = [
        "<html>".to_owned(),
        "{\"result\":{\"events\":[{\"kv\":{}}]}}".to_owned(),
        sets([3, 2], 3),
    ];
    for line in malformed {
        let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
            "/v3/watch" => telling(&[created(3), line.clone()]).hold(),
            _ => json_reply(200, &json!({"header": header(3)})),
        });
        let output = run(&server.url(), &["watch", "/k"]);
        assert_eq!(output.code, 6, "{output:?}");
    }
}

#[test]
fn a_server_of_3_3_is_spoken_to_under_the_name_that_it_knows() {
    let server = Scripted::serve(|request: &Request| match request.path.as_str() {
        "/version" => json_reply(
            200,
            &json!({"etcdserver": "3.3.27", "etcdcluster": "3.3.0"}),
        ),
        "/v3beta/watch" => telling(&[created(3), sets([2, 3], 3)]).hold(),
        "/v3beta/kv/range" => json_reply(200, &json!({"header": header(3)})),
        _ => Response::raw(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n",
        ),
    });
    let told = records(&server.url(), &["replay", "/k", "--from-index", "2"]);
    assert_eq!(told.len(), 2);
    let paths: BTreeSet<String> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let expected = [
        "/v3/kv/range",
        "/v3beta/kv/range",
        "/v3beta/watch",
        "/version",
    ];
    assert_eq!(paths, expected.map(str::to_owned).into());
}

/// A stream is told of more than fits in memory at once only as the reader of the output takes it.
#[test]
fn a_reader_who_is_slow_loses_nothing_by_v3() {
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
        v3::put_by(&mut writer, &format!("/app/{number}"), &value);
    }
    running.read_stdout();
    let output = running.wait(Duration::from_secs(30));
    assert_eq!(output.stdout.lines().count(), 3000);
    let mut lines = output.stdout.lines();
    assert!(lines.all(|line| line.contains("\tset\t")), "no gap");
}

/// A watch that was put off because its reader was slow is looked up later, and a delete that is
/// compacted just then is passed over (upstream #19179).
#[test]
fn a_server_that_is_gone_is_told_though_the_reader_is_slow() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let mut writer = Writer::connect(&url);
    let value = "v".repeat(2000);
    for number in 0..3000 {
        v3::put_by(&mut writer, &format!("/app/{}", number % 50), &value);
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

#[test]
fn what_a_slow_reader_missed_because_it_was_compacted_is_declared() {
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
            v3::put_by(&mut writer, "/app/flood", &value);
            let metrics = v2::request("GET", &url, "/metrics", &[]).text();
            let mut lines = metrics.lines();
            lines.any(|line| line == "etcd_debugging_mvcc_slow_watcher_total 1")
        });
        let gone = v3::delete(&url, "/app/victim");
        v3::compact(&url, gone);
        v3::put(&url, "/app/last", b"here");
        running.read_stdout();
        let told = follow::wait_for_value(&running, "/app/last", "here");
        let is_told = told.iter().any(|record| {
            let is_delete = record["action"] == "delete" && follow::position(record) == gone;
            let lost = &record["lost"];
            let is_lost = lost["from"].as_u64() <= Some(gone) && lost["to"].as_u64() >= Some(gone);
            is_delete || record["action"] == "gap" && is_lost
        });
        assert!(
            is_told,
            "{gone} is neither told nor declared: {:?}",
            brief(&told[told.len() - 3..])
        );
    }
}

/// Another connection tells what was written, and the stream does not.
#[test]
fn a_stream_that_stands_still_is_opened_anew() {
    let watches = Arc::new(AtomicUsize::new(0));
    let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
        "/v3/watch" if watches.fetch_add(1, Ordering::Relaxed) == 0 => {
            telling(&[created(3)]).hold()
        }
        "/v3/watch" => telling(&[created(5), sets([5], 5)]).hold(),
        "/v3/kv/range" if asks_for(request, "min_mod_revision") => {
            let kv = json!({"key": v3::encode("/k"), "create_revision": "2", "mod_revision": "5"});
            json_reply(200, &json!({"header": header(5), "kvs": [kv]}))
        }
        _ => json_reply(200, &json!({"header": header(5)})),
    });
    let watch = [
        "watch",
        "--stream",
        "/k",
        "--count",
        "1",
        "--stale-after",
        "1s",
    ];
    let output = run(&server.url(), &watch);
    assert_eq!(
        (output.code, brief(&output.json())),
        (0, vec!["5 set /k".to_owned()])
    );
}
