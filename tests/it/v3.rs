//! `get`, `set` and `rm` over v3, through the JSON gateway.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program};
use crate::support::{v2, v3, wait};

/// Runs the tool with the v3 API.
#[track_caller]
fn with_v3(subtree: &Subtree, arguments: &[&str]) -> Output {
    subtree.tool(&[&["--api", "v3"], arguments].concat())
}

fn encode(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// A key-value pair as the server returns it, or null.
#[track_caller]
fn pair(subtree: &Subtree, key: &str) -> Value {
    v2::v3(&subtree.url(), "/v3/kv/range", &json!({"key": encode(key)}))["kvs"][0].clone()
}

#[track_caller]
fn put(subtree: &Subtree, key: &str, value: &[u8]) -> u64 {
    let body = json!({"key": encode(key), "value": encode(value)});
    revision(&v2::v3(&subtree.url(), "/v3/kv/put", &body)["header"]["revision"])
}

fn revision(number: &Value) -> u64 {
    number.as_str().unwrap().parse().unwrap()
}

#[track_caller]
fn record(output: &Output) -> Value {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[track_caller]
fn assert_exits_1(output: &Output, part: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains(part), "no {part:?} in {output:?}");
}

#[test]
fn set_prints_the_event_of_the_write() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let created = put(&subtree, &key, b"u");
        let event = record(&with_v3(&subtree, &["set", &key, "v", "-o", "json"]));
        let there = pair(&subtree, &key);
        let modified = revision(&there["mod_revision"]);
        assert!(modified > created);
        assert_eq!(there["value"], encode("v"));
        assert_eq!(
            event,
            json!({
                "action": "set",
                "node": {"key": key, "value": "v", "modifiedIndex": modified, "createdIndex": created, "version": 2},
                "prevNode": {"key": key, "value": "u", "modifiedIndex": created, "createdIndex": created, "version": 1},
            })
        );
    }
}

#[test]
fn set_and_get_keep_arbitrary_bytes() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let bytes = b"\xff\x00\n\"\\";
        let set = subtree
            .program(&["--api", "v3", "set", &key, "-"])
            .stdin(bytes)
            .run();
        assert_eq!(set.code, 0, "{set:?}");
        assert_eq!(pair(&subtree, &key)["value"], encode(bytes));
        let got = record(&with_v3(&subtree, &["get", &key, "-o", "json"]));
        assert_eq!(got["node"]["valueBase64"], encode(bytes));
        assert_eq!(got["node"]["value"], Value::Null);
    }
}

#[test]
fn conditions_work_and_fail_as_with_the_v2_api() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        assert_exits_1(
            &with_v3(&subtree, &["set", "--update", &key, "v"]),
            "key not found",
        );
        assert_exits_1(
            &with_v3(&subtree, &["set", "--prev-value", "", &key, "v"]),
            "key not found",
        );
        assert_eq!(with_v3(&subtree, &["set", "--create", &key, ""]).code, 0);
        assert_exits_1(
            &with_v3(&subtree, &["set", "--create", &key, "v"]),
            "already exists",
        );
        assert_exits_1(
            &with_v3(&subtree, &["set", "--prev-value", "x", &key, "v"]),
            "compare failed: [x != ]",
        );
        assert_eq!(
            with_v3(&subtree, &["set", "--prev-value", "", &key, "v"]).code,
            0
        );
        let index = revision(&pair(&subtree, &key)["mod_revision"]).to_string();
        assert_exits_1(
            &with_v3(&subtree, &["rm", "--prev-index", "1", &key]),
            &index,
        );
        assert_eq!(pair(&subtree, &key)["value"], encode("v"));
        let removed = with_v3(&subtree, &["rm", "--prev-index", &index, &key]);
        assert_eq!(removed.code, 0, "{removed:?}");
        assert_eq!(pair(&subtree, &key), Value::Null);
        assert_exits_1(&with_v3(&subtree, &["rm", &key]), "key not found");
    }
}

#[test]
fn set_ttl_attaches_a_lease() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let event = record(&with_v3(
            &subtree,
            &["set", "--ttl", "60", &key, "v", "-o", "json"],
        ));
        let lease = event["node"]["lease"].as_i64().unwrap().to_string();
        assert_eq!(pair(&subtree, &key)["lease"], lease.as_str());
        let body = json!({"ID": lease});
        let left = v2::v3(&subtree.url(), "/v3/lease/timetolive", &body);
        assert_eq!(left["grantedTTL"], "60");
        v2::v3(&subtree.url(), "/v3/lease/revoke", &body);
        assert_eq!(pair(&subtree, &key), Value::Null);
    }
}

#[test]
fn a_lease_is_revoked_if_the_condition_fails() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let server = ["--endpoints", &url, "--api", "v3"];
        let write = ["set", "--update", "--ttl", "60", "/k", "v"];
        let output = Program::tool(&[&server[..], &write[..]].concat()).run();
        assert_exits_1(&output, "key not found");
        let leases = v2::v3(&etcd.url(), "/v3/lease/leases", &json!({}));
        assert_eq!(leases["leases"], Value::Null);
    }
}

#[test]
fn get_of_a_prefix_without_a_key_lists_its_children() {
    for subtree in shared::each() {
        for name in ["d/b", "d/e/x", "d/e/y", "d-e", "dd"] {
            put(&subtree, &subtree.key(name), b"v");
        }
        let key = subtree.key("d");
        let output = with_v3(&subtree, &["get", &key]);
        assert_eq!(output.stdout, format!("{key}/b\n{key}/e/\n"), "{output:?}");
        let all = with_v3(&subtree, &["get", "-r", &key]);
        assert_eq!(
            all.stdout,
            format!("{key}/b\tv\n{key}/e/\t\n{key}/e/x\tv\n{key}/e/y\tv\n")
        );
        let bare = with_v3(&subtree, &["get", "--prefix", &key]);
        assert_eq!(bare.stdout.lines().count(), 5, "{bare:?}");
        let tree = record(&with_v3(&subtree, &["get", &key, "-o", "json"]));
        assert_eq!(tree["node"]["dir"], true);
        assert_eq!(tree["node"]["nodes"][0]["value"], "v");
        assert_eq!(
            tree["node"]["nodes"][1],
            json!({"key": format!("{key}/e"), "dir": true})
        );
    }
}

#[test]
fn get_recursive_prints_a_key_before_the_keys_below_it() {
    for subtree in shared::each() {
        let key = subtree.key("d");
        put(&subtree, &key, b"own");
        put(&subtree, &subtree.key("d/x"), b"v");
        assert_eq!(with_v3(&subtree, &["get", &key]).stdout, "own\n");
        assert_eq!(
            with_v3(&subtree, &["get", "-r", &key]).stdout,
            format!("{key}\town\n{key}/x\tv\n")
        );
    }
}

#[test]
fn rm_recursive_removes_the_subtree_and_no_sibling_prefix() {
    for subtree in shared::each() {
        for name in ["d", "d/x", "d/y", "d-e", "dd"] {
            put(&subtree, &subtree.key(name), b"v");
        }
        let key = subtree.key("d");
        let output = with_v3(&subtree, &["rm", "-r", &key]);
        let removed: Vec<&str> = output
            .stdout
            .lines()
            .map(|line| line.split('\t').nth(2).unwrap())
            .collect();
        assert_eq!(
            removed,
            [key.clone(), format!("{key}/x"), format!("{key}/y")]
        );
        assert_eq!(pair(&subtree, &subtree.key("d-e"))["value"], encode("v"));
        assert_eq!(
            with_v3(&subtree, &["rm", "--prefix", &key])
                .stdout
                .lines()
                .count(),
            2
        );
    }
}

#[test]
fn v3_keys_are_used_literally() {
    let subtree = shared::any();
    let key = format!("no{}//slash/", subtree.root());
    assert_eq!(with_v3(&subtree, &["set", &key, "v"]).code, 0);
    assert_eq!(pair(&subtree, &key)["value"], encode("v"));
    assert_eq!(with_v3(&subtree, &["get", &key]).stdout, "v\n");
}

#[test]
fn a_server_without_the_v2_api_is_used_over_v3() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version).v2(false).start();
        let run = |arguments: &[&str]| {
            let url = etcd.url();
            let all = [&["--endpoints", &url], arguments].concat();
            Program::tool(&all).run()
        };
        let set = run(&["set", "/k", "v"]);
        assert_eq!(
            (set.stdout.as_str(), set.stderr.as_str()),
            ("2\tset\t/k\tv\n", "")
        );
        assert_eq!(run(&["get", "/k"]).stdout, "v\n");
        assert_eq!(run(&["rm", "/k"]).stdout, "3\tdelete\t/k\t\n");
        let v2 = run(&["--api", "v2", "get", "/k"]);
        assert_eq!(v2.code, 4);
        assert!(v2.stderr.contains("v2 API off"), "{v2:?}");
        let directory = run(&["set", "--dir", "/d"]);
        assert_eq!(directory.code, 2);
        assert!(directory.stderr.contains("no directories"), "{directory:?}");
    }
}

#[test]
fn api_auto_finds_a_v3_only_key_with_a_notice() {
    let subtree = shared::any();
    let key = subtree.key("k");
    put(&subtree, &key, b"v");
    let output = subtree.tool(&["get", &key]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "v\n"));
    assert!(output.stderr.contains("uses v3"), "{output:?}");
    assert_exits_1(
        &subtree.tool(&["--api", "v2", "get", &key]),
        "key not found",
    );
}

#[test]
fn api_auto_does_not_create_a_v3_only_key_over_v2() {
    for subtree in shared::each() {
        let (two, three) = (subtree.key("two"), subtree.key("three"));
        put(&subtree, &three, b"v");
        let output = subtree.tool(&["set", "--create", &three, "w"]);
        assert_exits_1(&output, "key already exists");
        assert!(output.stderr.contains("uses v3"), "{output:?}");
        let update = subtree.tool(&["set", "--update", &three, "w"]);
        assert_eq!(update.code, 0, "{update:?}");
        assert!(update.stderr.contains("uses v3"), "{update:?}");
        assert_eq!(pair(&subtree, &three)["value"], encode("w"));
        let output = subtree.tool(&["set", "--create", &two, "w"]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        assert_eq!(pair(&subtree, &two), Value::Null);
    }
}

#[test]
fn an_empty_v3_key_is_rejected_with_a_hint() {
    let subtree = shared::any();
    for command in [
        &["get", ""][..],
        &["set", "", "v"],
        &["rm", ""],
        &["watch", ""],
    ] {
        let output = with_v3(&subtree, command);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains("--prefix ''"), "{output:?}");
    }
}

#[test]
fn api_auto_reports_a_failed_v3_condition_if_v2_lacks_the_key() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        put(&subtree, &key, b"v");
        for command in [
            &["set", "--prev-value", "x", &key, "w"][..],
            &["rm", "--prev-value", "x", &key],
        ] {
            let output = subtree.tool(command);
            assert_exits_1(&output, "compare failed: [x != v]");
            assert!(output.stderr.contains("uses v3"), "{output:?}");
        }
        assert_exits_1(
            &subtree.tool(&["rm", &subtree.key("none")]),
            "key not found",
        );
        assert_eq!(pair(&subtree, &key)["value"], encode("v"));
    }
}

#[test]
fn api_auto_exits_7_if_a_v3_write_has_an_unknown_outcome() {
    let server = Scripted::serve(|request| {
        if request.path.starts_with("/v3/") {
            return Response::default().reset();
        }
        let body = r#"{"errorCode":100,"message":"Key not found","cause":"/k","index":7}"#;
        Response::etcd(404, 7, body)
    });
    for command in [&["rm", "/k"][..], &["set", "--update", "/k", "v"]] {
        let output = Program::tool(&[&["--endpoints", &server.url()], command].concat()).run();
        assert_eq!(output.code, 7, "{output:?}");
        assert!(output.stderr.contains(&server.url()), "{output:?}");
    }
    // A read changes nothing, so that the answer of v2 is used.
    let output = Program::tool(&["--endpoints", &server.url(), "get", "/k"]).run();
    assert_exits_1(&output, "key not found");
}

#[test]
fn a_disabled_gateway_exits_4_and_is_named() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version)
            .arg("--enable-grpc-gateway=false")
            .start();
        let url = etcd.url();
        let output = Program::tool(&["--endpoints", &url, "--api", "v3", "get", "/k"]).run();
        assert_eq!(output.code, 4, "{output:?}");
        assert!(output.stderr.contains("JSON gateway off"), "{output:?}");
    }
}

#[test]
fn a_missing_key_that_the_other_api_has_is_mentioned_in_the_hint() {
    for subtree in shared::each() {
        let (two, three) = (subtree.key("two"), subtree.key("three"));
        subtree.put(&two, "v");
        put(&subtree, &three, b"v");
        for command in ["get", "rm"] {
            let output = subtree.tool(&["--api", "v2", command, &three]);
            assert_exits_1(&output, "key not found");
            assert!(output.stderr.contains("hint: use --api v3"), "{output:?}");
            let output = with_v3(&subtree, &[command, &two]);
            assert_exits_1(&output, "key not found");
            assert!(output.stderr.contains("hint: use --api v2"), "{output:?}");
            let output = subtree.tool(&["--api", "v2", command, &subtree.key("none")]);
            assert!(!output.stderr.contains("hint:"), "{output:?}");
        }
    }
}

/// A key and its subtree are two requests, but keys that are written together must be read
/// together.
#[test]
fn get_recursive_reads_a_key_and_its_subtree_at_one_revision() {
    for subtree in shared::each() {
        let (key, below) = (subtree.key("k"), subtree.key("k/below"));
        let url = subtree.url();
        let write = |number: u32| {
            let value = number.to_string();
            v3::transaction(&url, [(&*key, Some(&*value)), (&*below, Some(&*value))]);
        };
        write(0);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    write(number);
                }
            });
            let read = || {
                let stdout = with_v3(&subtree, &["get", "-r", &key]).stdout;
                let values = stdout.lines().map(|line| line.rsplit('\t').next().unwrap());
                values.map(str::to_owned).collect::<Vec<_>>()
            };
            let seen: Vec<_> = (0..30).map(|_| read()).collect();
            is_over.store(true, Ordering::Relaxed);
            for values in &seen {
                let [own, below] = &values[..] else {
                    panic!("{values:?}");
                };
                assert_eq!(own, below);
            }
            assert_ne!(seen.first(), seen.last(), "nobody wrote");
        });
    }
}

fn range_reply(status: u16, body: &Value) -> Response {
    let body = body.to_string();
    let length = body.len();
    Response::raw(format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const DENIED: &str = "etcdserver: permission denied";

fn refusal(error: &str, code: u32) -> Response {
    range_reply(
        400,
        &json!({"error": error, "message": error, "code": code}),
    )
}

/// How a scripted server answers range requests for `/k` and its subtree.
#[derive(Clone, Copy)]
struct Script {
    /// History before this revision is compacted.
    compacted: u64,
    /// Whether the range that covers both may be read.
    may_read_all: bool,
    /// How far the revision of the second range is behind the requested one.
    behind: u64,
    /// Whether the connection breaks instead of each answer about the subtree.
    breaks: bool,
    /// Whether the connection is closed after each answer.
    closes: bool,
}

const PLAIN: Script = Script {
    compacted: 0,
    may_read_all: true,
    behind: 0,
    breaks: false,
    closes: false,
};

impl Script {
    /// A server whose revision increases with each read of `/k`.
    fn start(self) -> Scripted {
        let newest = AtomicU64::new(1);
        Scripted::serve(move |request| {
            let asked: Value = serde_json::from_slice(&request.body).unwrap();
            let response = self.answer(&asked, &newest);
            if self.closes {
                response.close()
            } else {
                response
            }
        })
    }

    fn answer(self, asked: &Value, newest: &AtomicU64) -> Response {
        let pair = |key: &str, at: u64| {
            let (key, value) = (encode(key), encode(at.to_string()));
            json!({"key": key, "value": value, "create_revision": "1", "mod_revision": "1"})
        };
        let reply = |at: u64, pairs: &[Value]| {
            let header = json!({"cluster_id": "7", "revision": at.to_string()});
            range_reply(200, &json!({"header": header, "kvs": pairs}))
        };
        let is_own = asked["range_end"].is_null();
        match asked["revision"].as_str() {
            None if is_own => {
                let at = newest.fetch_add(1, Ordering::Relaxed) + 1;
                reply(at, &[pair("/k", at)])
            }
            None if self.may_read_all => {
                let at = newest.load(Ordering::Relaxed);
                let keys = ["/k", "/k-other", "/k/below"];
                reply(at, &keys.map(|key| pair(key, at)))
            }
            None => refusal(DENIED, 7),
            Some(_) if self.breaks => Response::raw("").reset(),
            Some(at) => match at.parse::<u64>().unwrap() {
                at if at < self.compacted => refusal(COMPACTED, 11),
                at => reply(at - self.behind, &[pair("/k/below", at)]),
            },
        }
    }
}

#[track_caller]
fn read_from(servers: &[&Scripted]) -> Output {
    let urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let endpoints = urls.join(",");
    let read = ["--endpoints", &endpoints, "--api", "v3", "get", "-r", "/k"];
    Program::tool(&read).run()
}

/// Asserts that both keys are read at this revision.
#[track_caller]
fn assert_reads_both_at(revision: u64, servers: &[&Scripted]) {
    let output = read_from(servers);
    let expected = format!("/k\t{revision}\n/k/below\t{revision}\n");
    assert_eq!((output.code, output.stdout), (0, expected));
}

#[test]
fn a_recursive_read_restarts_if_its_revision_is_compacted() {
    let server = Script {
        compacted: 3,
        ..PLAIN
    };
    assert_reads_both_at(3, &[&server.start()]);
}

#[test]
fn a_recursive_read_falls_back_to_one_range_if_compacted_each_time() {
    let server = Script {
        compacted: u64::MAX,
        ..PLAIN
    };
    assert_reads_both_at(4, &[&server.start()]);
}

#[test]
fn a_recursive_read_reports_compaction_without_permission_on_the_wider_range() {
    let script = Script {
        compacted: u64::MAX,
        may_read_all: false,
        ..PLAIN
    };
    let output = read_from(&[&script.start()]);
    assert_eq!((output.code, &*output.stdout), (4, ""), "{output:?}");
    assert!(output.stderr.contains(COMPACTED), "{output:?}");
}

#[test]
fn a_reply_at_the_wrong_revision_is_malformed() {
    let server = Script { behind: 1, ..PLAIN }.start();
    let output = read_from(&[&server]);
    assert_eq!((output.code, &*output.stdout), (6, ""), "{output:?}");
}

#[test]
fn a_recursive_read_survives_connections_closed_after_each_reply() {
    let server = Script {
        closes: true,
        ..PLAIN
    }
    .start();
    for _ in 0..10 {
        let output = read_from(&[&server]);
        assert_eq!((output.code, &*output.stderr), (0, ""), "{output:?}");
    }
}

#[test]
fn a_recursive_read_restarts_at_the_next_endpoint() {
    let broken = Script {
        breaks: true,
        ..PLAIN
    }
    .start();
    let whole = PLAIN.start();
    assert_reads_both_at(2, &[&broken, &whole]);
}

#[test]
fn an_empty_v3_reply_is_malformed() {
    let server = Scripted::serve(|_| Response::raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let output = read_from(&[&server]);
    assert_eq!((output.code, &*output.stdout), (6, ""), "{output:?}");
}

/// Many ranges without keys do not mean that v3 has any.
#[test]
fn api_auto_watches_many_missing_keys_with_the_v2_api() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let keys: Vec<String> = (0..60).map(|number| format!("/k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let url = etcd.url();
        let watch = [
            "--endpoints",
            &url,
            "watch",
            "--stream",
            "-r",
            "--status",
            "--count",
            "1",
        ];
        let running = Program::tool(&[&watch[..], &keys].concat()).start();
        running.wait_for_lines(1, wait::LONG);
        v2::put(&url, "/k7/x", "v");
        let output = running.wait(wait::LONG);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stdout.contains("/k7/x"), "{output:?}");
    }
}
