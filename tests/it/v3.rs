//! `get`, `set` and `rm` over v3, through the JSON gateway, and the choice between the APIs.

mod api_auto;
mod get;
mod set_and_rm;

use serde_json::{Value, json};

use crate::support::shared::Subtree;
use crate::support::tool::Output;
use crate::support::v2;
use crate::support::v3::{self, encode};

/// Runs the tool with the v3 API.
#[track_caller]
fn with_v3(subtree: &Subtree, arguments: &[&str]) -> Output {
    subtree.tool(&[&["--api", "v3"], arguments].concat())
}

/// A key-value pair as the server returns it, or null.
#[track_caller]
fn pair(subtree: &Subtree, key: &str) -> Value {
    v2::v3(&subtree.url(), "/v3/kv/range", &json!({"key": encode(key)}))["kvs"][0].clone()
}

/// Sets a key without the tool, and returns the new revision.
#[track_caller]
fn put(subtree: &Subtree, key: &str, value: &[u8]) -> u64 {
    v3::put(&subtree.url(), key, value)
}

/// A number as the gateway writes it: a string.
#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

#[track_caller]
fn record(output: &Output) -> Value {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}
