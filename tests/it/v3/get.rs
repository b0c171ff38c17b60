//! `get`: children, subtrees, and a key and its subtree at one revision.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{put, record, with_v3};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Output, Program};
use crate::support::v3::{self, encode};

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
