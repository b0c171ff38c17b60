//! etcd's v3 API as a test needs it, through the gateway.
//!
//! In scope: writes and compaction, without anything of the tool under test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::v2::{self, Writer};

/// As the gateway wants keys and values.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The revision of a reply.
#[track_caller]
pub fn revision(reply: &Value) -> u64 {
    let number = reply["header"]["revision"].as_str();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no revision: {reply}"))
}

/// Sets a key; the revision of that.
#[track_caller]
pub fn put(url: &str, key: &str, value: &[u8]) -> u64 {
    let body = json!({"key": encode(key), "value": encode(value)});
    revision(&v2::v3(url, "/v3/kv/put", &body))
}

/// The same, on a connection that is kept.
#[track_caller]
pub fn put_with(writer: &mut Writer, key: &str, value: &str) -> u64 {
    transaction_with(writer, [(key, Some(value))])
}

/// Deletes a key; the revision of that.
#[track_caller]
pub fn delete(url: &str, key: &str) -> u64 {
    revision(&v2::v3(
        url,
        "/v3/kv/deleterange",
        &json!({"key": encode(key)}),
    ))
}

/// Has everything up to `revision` compacted.
#[track_caller]
pub fn compact(url: &str, revision: u64) {
    let body = json!({"revision": revision.to_string(), "physical": true});
    let reply = v2::v3(url, "/v3/kv/compaction", &body);
    assert!(reply["error"].is_null(), "{reply}");
}

/// Sets keys, and deletes those without a value, at once; the revision of that.
#[track_caller]
pub fn transaction<'w>(
    url: &str,
    operations: impl IntoIterator<Item = (&'w str, Option<&'w str>)>,
) -> u64 {
    transaction_with(&mut Writer::connect(url), operations)
}

/// The same, on a connection that is kept.
#[track_caller]
pub fn transaction_with<'w>(
    writer: &mut Writer,
    operations: impl IntoIterator<Item = (&'w str, Option<&'w str>)>,
) -> u64 {
    let body = transaction_of(operations);
    let reply = writer.try_json("/v3/kv/txn", &body).expect("an answer");
    revision(&reply.json())
}

/// A transaction as the gateway wants it, with what was there before.
pub fn transaction_of<'w>(
    operations: impl IntoIterator<Item = (&'w str, Option<&'w str>)>,
) -> Value {
    let success: Vec<Value> = operations
        .into_iter()
        .map(|(key, value)| match value {
            Some(value) => json!({"request_put": {
                "key": encode(key), "value": encode(value), "prev_kv": true,
            }}),
            None => json!({"request_delete_range": {"key": encode(key)}}),
        })
        .collect();
    json!({"success": success})
}
