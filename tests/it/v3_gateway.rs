//! v3 watches against a scripted gateway, with replies that real etcd servers cannot be made to send.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::scripted::{Request, Response, Scripted};
use crate::support::tool::assert_ends;
use crate::support::v3;
use crate::v3_watch::{brief, records, run};

/// A v3 watch that sends `lines` and stays open.
fn sending(lines: &[String]) -> Response {
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

/// After a thousand revisions a delete can be skipped silently if it is compacted at that moment
/// (upstream #19179).
#[test]
fn a_possible_loss_between_two_messages_is_checked_in_history() {
    // A part of the revision after the unknown range may be missing too.
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
                sending(&lines).hold()
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
        let printed = records(
            &server.url(),
            &[&["watch", "--stream", "/k"], &options[..]].concat(),
        );
        assert_eq!(brief(&printed[999..]), expected);
        let asked = server
            .requests()
            .iter()
            .any(|request| body_of(request)["revision"] == "1001");
        assert!(asked, "it was asked about");
    }
}

/// If history was compacted during a replay, everything up to the compacted revision is lost, and
/// not only the revision that revealed it.
#[test]
fn a_compaction_during_replay_is_lost_up_to_the_oldest_revision() {
    let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
        "/v3/watch" if body_of(request)["create_request"]["start_revision"] == "1" => {
            let lines = [
                created(40_000),
                sets(2..=1001, 40_000),
                sets(1003..=2002, 40_000),
            ];
            sending(&lines).hold()
        }
        "/v3/watch" => {
            let compacted = json!({"result": {
                "header": header(40_000), "canceled": true, "compact_revision": "30001",
            }});
            sending(&[created(40_000), compacted.to_string()]).hold()
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
    let printed = records(
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
    // A part of the revision at which it continues may be missing too.
    assert_eq!(
        brief(&printed[1000..1002]),
        ["1003 gap 1002-1003", "1004 set /k"]
    );
}

#[test]
fn an_error_within_a_batch_loses_and_repeats_nothing() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            // The key at the time when the stream broke.
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
            return sending(&[
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
            "what was printed last"
        );
        sending(&[created(9), sets([3, 4, 5], 9)]).hold()
    });
    let options = ["--from-index", "2", "--count", "4"];
    let printed = records(
        &server.url(),
        &[&["watch", "--stream", "/k"], &options[..]].concat(),
    );
    assert_eq!(
        brief(&printed),
        ["2 set /k", "3 set /k", "4 set /k", "5 set /k"]
    );
}

#[test]
fn a_message_over_the_gateway_limit_is_requested_in_fragments() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            return json_reply(200, &json!({"header": header(3)}));
        }
        if body_of(request)["create_request"]["fragment"] == true {
            return sending(&[created(3), sets([2, 3], 3)]).hold();
        }
        let error = "grpc: received message larger than max (5000000 vs. 4194304)";
        let error = json!({"error": {"grpc_code": 8, "http_code": 429, "message": error}});
        sending(&[created(3), error.to_string()]).end()
    });
    let printed = records(&server.url(), &["replay", "/k", "--from-index", "2"]);
    assert_eq!(printed.len(), 2);
}

#[test]
fn a_watch_without_permission_exits_4() {
    let server = Scripted::serve(|request: &Request| {
        if request.path != "/v3/watch" {
            return json_reply(200, &json!({"header": header(3)}));
        }
        let reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
        let canceled = json!({"result": {"header": header(3), "created": true, "canceled": true, "cancel_reason": reason}});
        sending(&[canceled.to_string()]).hold()
    });
    let output = run(&server.url(), &["watch", "/k"]);
    assert_ends(&output, 4, &["permission denied"]);
}

#[test]
fn an_invalid_watch_message_exits_6() {
    let malformed = [
        "<html>".to_owned(),
        "{\"result\":{\"events\":[{\"kv\":{}}]}}".to_owned(),
        sets([3, 2], 3),
    ];
    for line in malformed {
        let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
            "/v3/watch" => sending(&[created(3), line.clone()]).hold(),
            _ => json_reply(200, &json!({"header": header(3)})),
        });
        let output = run(&server.url(), &["watch", "/k"]);
        assert_eq!(output.code, 6, "{output:?}");
    }
}

#[test]
fn etcd_3_3_is_used_over_v3beta() {
    let server = Scripted::serve(|request: &Request| match request.path.as_str() {
        "/version" => json_reply(
            200,
            &json!({"etcdserver": "3.3.27", "etcdcluster": "3.3.0"}),
        ),
        "/v3beta/watch" => sending(&[created(3), sets([2, 3], 3)]).hold(),
        "/v3beta/kv/range" => json_reply(200, &json!({"header": header(3)})),
        _ => Response::raw(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n",
        ),
    });
    let printed = records(&server.url(), &["replay", "/k", "--from-index", "2"]);
    assert_eq!(printed.len(), 2);
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

/// Another connection shows that something was written, and the stream does not deliver it.
#[test]
fn a_stalled_stream_is_reopened() {
    let watches = Arc::new(AtomicUsize::new(0));
    let server = Scripted::serve(move |request: &Request| match request.path.as_str() {
        "/v3/watch" if watches.fetch_add(1, Ordering::Relaxed) == 0 => {
            sending(&[created(3)]).hold()
        }
        "/v3/watch" => sending(&[created(5), sets([5], 5)]).hold(),
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
