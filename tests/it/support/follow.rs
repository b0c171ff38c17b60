//! A stream as a consumer of its records sees it.
//!
//! In scope: starting a stream so that it is certainly live, and applying its records to a state.
//! Out of scope: whether every event was printed (`oracle`).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::tool::{Program, Running};
use super::{v2, wait};

/// Keys with their values. A directory has no value.
pub type State = BTreeMap<String, Option<String>>;

/// Starts `watch --stream` with these arguments, and waits until it is live. Every write that is
/// acknowledged afterwards must be printed.
#[track_caller]
pub fn live(endpoints: &str, arguments: &[&str]) -> Running {
    let running = stream(endpoints, arguments).start();
    wait_for(&running, "the stream to be live", is_live);
    running
}

/// The same stream, not yet started.
pub fn stream(endpoints: &str, arguments: &[&str]) -> Program {
    let always = ["-o", "json", "-v", "watch", "--stream", "--status"];
    Program::tool(&[&["--endpoints", endpoints][..], &always, arguments].concat())
}

/// The arguments of a stream of `/k` that ends after its first event, or fails after `timeout`.
pub const fn one_event(timeout: &str) -> [&str; 7] {
    [
        "watch",
        "--stream",
        "/k",
        "--count",
        "1",
        "--timeout",
        timeout,
    ]
}

/// Returns whether this record says that the watch is live.
pub fn is_live(record: &Value) -> bool {
    record["action"] == "status" && record["state"] == "live"
}

/// Waits for a record that satisfies `is_it`, and returns all records up to it, without status
/// records.
#[track_caller]
pub fn wait_for(running: &Running, what: &str, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut seen = 0;
    let end = wait::until_some(wait::LONG, what, || {
        let records = running.json();
        let found = records[seen..].iter().position(&is_it).map(|at| seen + at);
        seen = records.len();
        assert!(
            found.is_some() || !running.has_ended(),
            "it ended before {what}:\n{}",
            running.stderr()
        );
        found
    });
    let mut records = running.json();
    records.truncate(end + 1);
    without_status(records)
}

/// Waits for an event that sets this key to this value, and returns the records up to it.
#[track_caller]
pub fn wait_for_value(running: &Running, key: &str, value: &str) -> Vec<Value> {
    wait_for(running, &format!("{key} = {value}"), |record| {
        record["node"]["key"] == key && record["node"]["value"] == value
    })
}

/// Waits until a checkpoint has reached `index`.
#[track_caller]
pub fn wait_for_checkpoint(file: &Path, index: u64) {
    wait::until(wait::LONG, "the position", || {
        let text = std::fs::read(file).unwrap_or_default();
        serde_json::from_slice::<Value>(&text)
            .is_ok_and(|saved| saved["index"].as_u64() >= Some(index))
    });
}

/// The records without status records.
pub fn without_status(mut records: Vec<Value>) -> Vec<Value> {
    records.retain(|record| record["action"] != "status");
    records
}

/// The state of a consumer that had `state` and applied the records in order.
pub fn apply(mut state: State, top: &str, records: &[Value]) -> State {
    for record in records {
        let action = record["action"].as_str().expect("an action");
        if action == "reset" {
            state.clear();
        }
        let Some(key) = record["node"]["key"].as_str() else {
            continue;
        };
        if matches!(action, "delete" | "expire" | "compareAndDelete") {
            let below = format!("{}/", key.trim_end_matches('/'));
            state.retain(|one, _| one != key && !one.starts_with(&below));
            continue;
        }
        for (end, _) in key.match_indices('/') {
            if is_within(&key[..end], top) {
                state.entry(key[..end].to_owned()).or_insert(None);
            }
        }
        let value = record["node"]["value"].as_str().map(str::to_owned);
        state.insert(key.to_owned(), value);
    }
    state
}

/// The server's own state of `top`, read with quorum.
#[track_caller]
pub fn server(url: &str, top: &str) -> State {
    let mut state = State::new();
    for node in server_nodes(url, top) {
        let value = node["value"].as_str().map(str::to_owned);
        state.insert(node["key"].as_str().expect("a key").to_owned(), value);
    }
    state
}

/// Every node of `top` and below on the server. Empty if there is no such key.
#[track_caller]
pub fn server_nodes(url: &str, top: &str) -> Vec<Value> {
    let path = format!("{}?recursive=true&quorum=true", v2::key_path(top));
    let reply = v2::request("GET", url, &path, &[]);
    if reply.status == 404 {
        return Vec::new();
    }
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut left = vec![reply.json()["node"].clone()];
    let mut nodes = Vec::new();
    while let Some(mut node) = left.pop() {
        if let Value::Array(children) = node["nodes"].take() {
            left.extend(children);
        }
        nodes.push(node);
    }
    nodes
}

/// Panics if an index is lower than the one before, except after a gap without an end.
#[track_caller]
pub fn assert_indexes_never_decrease(records: &[Value]) {
    let mut last = 0;
    for record in records {
        let index = index(record);
        if record["action"] == "gap" && record["lost"]["to"].is_null() {
            last = index;
        }
        assert!(index >= last, "from {last} back to {record}");
        last = index;
    }
}

/// The index of a record, as docs/json.md defines it.
#[track_caller]
pub fn index(record: &Value) -> u64 {
    record["index"]
        .as_u64()
        .or_else(|| record["node"]["modifiedIndex"].as_u64())
        .unwrap_or_else(|| panic!("no position: {record}"))
}

fn is_within(key: &str, top: &str) -> bool {
    let top = top.trim_end_matches('/');
    key.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && !key.is_empty()
}
