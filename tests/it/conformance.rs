//! Over v3 the tool prints the same history as `etcdctl watch`, field by field.

use std::collections::BTreeSet;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::support::etcd::{self, Etcd, Version};
use crate::support::tool::{Program, Signal};
use crate::support::v2::{self, Writer};
use crate::support::v3;
use crate::support::wait;

/// The number of operations on each store, and the number of concurrent writers.
const OPERATIONS: usize = 10_000;
const CLIENTS: usize = 8;

/// The last key that is written.
const MARK: &[u8] = b"\x7fmark";

/// A sequence of operations that depends on the seed only: writes, deletes of one key and of a
/// range, transactions of both, and keys with leases.
fn operate(url: &str, client: usize, count: usize, random: &mut Rng) {
    let mut writer = Writer::connect(url);
    let mut send = |path: &str, body: &Value| {
        let reply = writer.try_json(path, body).expect("an answer");
        // On a busy machine a lease may expire before it is used.
        let is_over = reply.status == 404 && reply.text().contains("lease not found");
        assert!(reply.status == 200 || is_over, "{}", reply.text());
        if is_over {
            // The gateway ends an error with trailers, which a writer does not read.
            writer = Writer::connect(url);
        }
        reply.json()
    };
    let mut leases: Vec<String> = Vec::new();
    for number in 0..count {
        match random.u8(..20) {
            0..10 => {
                let mut put = put(client, number, random);
                if let Some(lease) = leases.last().filter(|_| random.u8(..4) == 0) {
                    put["lease"] = lease.as_str().into();
                }
                send("/v3/kv/put", &put);
            }
            10..13 => {
                send(
                    "/v3/kv/deleterange",
                    &json!({"key": v3::encode(key(client, random))}),
                );
            }
            13 => {
                // This deletes a tenth of the keys.
                let from = key(client, random);
                let mut to = from.clone();
                *to.last_mut().expect("a byte") += 1;
                let body = json!({"key": v3::encode(from), "range_end": v3::encode(to)});
                send("/v3/kv/deleterange", &body);
            }
            14..17 => {
                let mut keys = BTreeSet::new();
                let operations: Vec<Value> = (0..random.usize(2..20))
                    .filter_map(|part| {
                        let put = put(client, number * 100 + part, random);
                        // A transaction can write a key only once.
                        let key = put["key"].as_str().expect("a key").to_owned();
                        keys.insert(key.clone()).then(|| match random.u8(..4) {
                            0 => json!({"request_delete_range": {"key": key}}),
                            _ => json!({"request_put": put}),
                        })
                    })
                    .collect();
                send("/v3/kv/txn", &json!({"success": operations}));
            }
            17 if leases.len() < 3 => {
                let lease = send("/v3/lease/grant", &json!({"TTL": "1"}));
                leases.push(lease["ID"].as_str().expect("an id").to_owned());
            }
            18 if random.u8(..10) == 0 => {
                // Revoking it deletes all its keys in one revision.
                if let Some(lease) = leases.pop() {
                    send("/v3/lease/revoke", &json!({"ID": lease}));
                }
            }
            _ => {
                let mut put = put(client, number, random);
                put["ignore_lease"] = false.into();
                send("/v3/kv/put", &put);
            }
        }
        if leases.len() == 3 {
            // They may have expired by the time they are used.
            leases.clear();
        }
    }
}

/// A key of a writer. Some keys are not UTF-8, or contain line breaks and slashes.
fn key(client: usize, random: &mut Rng) -> Vec<u8> {
    let names: [&[u8]; 5] = [b"/k", b"k", b"/\xff\xfe", b"/a\n\tb", b"//\xe2\x80\xae"];
    let name = names[random.usize(..names.len())];
    let number = random.u8(b'0'..=b'9');
    [format!("{client}").as_bytes(), name, &[number]].concat()
}

fn put(client: usize, number: usize, random: &mut Rng) -> Value {
    let value: Vec<u8> = match random.u8(..8) {
        0 => Vec::new(),
        1 => (0..random.usize(..300)).map(|_| random.u8(..)).collect(),
        _ => format!("value {number}").into_bytes(),
    };
    json!({"key": v3::encode(key(client, random)), "value": v3::encode(value)})
}

/// A key-value pair of etcdctl in the form of the tool's records.
fn node(pair: &Value, has_value: bool) -> Value {
    let mut node = Map::new();
    let mut bytes = |name: &str, field: &str| {
        let bytes = STANDARD
            .decode(pair[field].as_str().unwrap_or_default())
            .expect("base64");
        match String::from_utf8(bytes) {
            Ok(text) => node.insert(name.to_owned(), text.into()),
            Err(error) => node.insert(
                format!("{name}Base64"),
                v3::encode(error.into_bytes()).into(),
            ),
        };
    };
    bytes("key", "key");
    if has_value {
        bytes("value", "value");
    }
    for (name, field) in [
        ("modifiedIndex", "mod_revision"),
        ("createdIndex", "create_revision"),
        ("version", "version"),
        ("lease", "lease"),
    ] {
        // Both sides omit a field that is 0.
        if let Some(number) = pair[field].as_i64().filter(|number| *number != 0) {
            node.insert(name.to_owned(), number.into());
        }
    }
    node.into()
}

/// The events that etcdctl prints, as records.
fn printed_by_etcdctl(url: &str) -> Vec<Value> {
    let options = ["--endpoints", url, "-w", "json"];
    let watch = ["watch", "--prefix", "--prev-kv", "--rev=1", ""];
    let running = Program::new(etcd::etcdctl(), &[&options[..], &watch].concat())
        .env("ETCDCTL_API", "3")
        .start();
    let mark = v3::encode(MARK);
    wait::until(wait::LONG, "etcdctl to print everything", || {
        running
            .lines()
            .iter()
            .rev()
            .take(2)
            .any(|line| line.contains(&mark))
    });
    let events = running
        .json()
        .into_iter()
        .flat_map(|message| message["Events"].as_array().cloned().unwrap_or_default());
    let record = |event: Value| {
        let is_delete = event["type"] == 1;
        let mut record = json!({
            "action": if is_delete { "delete" } else { "set" },
            "node": node(&event["kv"], !is_delete),
        });
        if event["prev_kv"].is_object() {
            record["prevNode"] = node(&event["prev_kv"], true);
        }
        record
    };
    let records = events.map(record).collect();
    running.signal(Signal::KILL);
    records
}

#[test]
fn replay_prints_the_same_history_as_etcdctl_watch() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let mut random = Rng::with_seed(4);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (url, mut random) = (&url, random.fork());
                scope.spawn(move || operate(url, client, OPERATIONS / CLIENTS, &mut random));
            }
        });
        wait::until(wait::LONG, "the last lease to end", || {
            let leases = v2::v3(&url, "/v3/lease/leases", &json!({}));
            leases["leases"].as_array().is_none_or(Vec::is_empty)
        });
        v2::v3(
            &url,
            "/v3/kv/put",
            &json!({"key": v3::encode(MARK), "value": ""}),
        );
        let expected = printed_by_etcdctl(&url);
        let options = ["--endpoints", &url, "--api", "v3", "-o", "json"];
        let replay = ["replay", "--prefix", "", "--from-index", "1"];
        let output = Program::tool(&[&options[..], &replay].concat()).run();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        let printed = output.json();
        for (printed, expected) in printed.iter().zip(&expected) {
            assert_eq!(printed, expected);
        }
        assert_eq!(printed.len(), expected.len());
        assert!(printed.len() > OPERATIONS, "{} events", printed.len());
    }
}
