//! etcd's v3 API over the gateway, for tests.
//!
//! In scope: writes and compaction, without any code of the tool under test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::v2::{self, Writer};

/// Encodes a key or a value for the gateway.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The revision in the header of a reply.
#[track_caller]
pub fn revision(reply: &Value) -> u64 {
    let number = reply["header"]["revision"].as_str();
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no revision: {reply}"))
}

/// Sets a key, and returns the new revision.
#[track_caller]
pub fn put(url: &str, key: &str, value: &[u8]) -> u64 {
    let body = json!({"key": encode(key), "value": encode(value)});
    revision(&v2::v3(url, "/v3/kv/put", &body))
}

/// Sets a key on an open connection, and returns the new revision.
#[track_caller]
pub fn put_with(writer: &mut Writer, key: &str, value: &str) -> u64 {
    transaction_with(writer, [(key, Some(value))])
}

/// Deletes a key, and returns the new revision.
#[track_caller]
pub fn delete(url: &str, key: &str) -> u64 {
    revision(&v2::v3(
        url,
        "/v3/kv/deleterange",
        &json!({"key": encode(key)}),
    ))
}

/// Compacts history up to `revision`.
#[track_caller]
pub fn compact(url: &str, revision: u64) {
    let body = json!({"revision": revision.to_string(), "physical": true});
    let reply = v2::v3(url, "/v3/kv/compaction", &body);
    assert!(reply["error"].is_null(), "{reply}");
}

/// Sets keys and deletes those without a value in one transaction, and returns its revision.
#[track_caller]
pub fn transaction<'w>(
    url: &str,
    operations: impl IntoIterator<Item = (&'w str, Option<&'w str>)>,
) -> u64 {
    transaction_with(&mut Writer::connect(url), operations)
}

/// Sends a transaction on an open connection, and returns its revision.
#[track_caller]
pub fn transaction_with<'w>(
    writer: &mut Writer,
    operations: impl IntoIterator<Item = (&'w str, Option<&'w str>)>,
) -> u64 {
    let body = transaction_of(operations);
    let reply = writer.try_json("/v3/kv/txn", &body).expect("an answer");
    revision(&reply.json())
}

/// The body of a transaction that also asks for the previous values.
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
