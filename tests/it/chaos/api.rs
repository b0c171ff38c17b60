//! The API that is written to and watched.
//!
//! In scope: the differences between both APIs for writers, watchers and counts. Out of scope: what
//! is written, and which events are printed.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::follow::{self, State};
use crate::support::v2::{self, Reply, Writer};
use crate::support::v3;
use crate::support::wait;

/// An API of etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// `/v2/keys`.
    V2,
    /// The JSON gateway.
    V3,
}

/// One operation: sets a key, or deletes it if there is no value.
pub type Operation<'w> = (&'w str, Option<&'w str>);

impl Api {
    /// The tool's options for this API.
    pub fn options(self) -> [&'static str; 2] {
        match self {
            Self::V2 => ["--api", "v2"],
            Self::V3 => ["--api", "v3"],
        }
    }

    /// Sends these operations in one request. With the v2 API there is just one.
    pub fn write(self, writer: &mut Writer, operations: &[Operation]) -> io::Result<Reply> {
        if self == Self::V3 {
            let body = v3::transaction_of(operations.iter().copied());
            return writer.try_json("/v3/kv/txn", &body);
        }
        let (key, value) = operations[0];
        let path = v2::key_path(key);
        match value {
            Some(value) => writer.try_request("PUT", &path, &[("value", value)]),
            None => writer.try_request("DELETE", &path, &[]),
        }
    }

    /// The keys of `top` as nodes, read with quorum.
    pub fn nodes(self, url: &str, top: &str) -> Vec<Value> {
        if self == Self::V2 {
            return follow::server_nodes(url, top);
        }
        // The character after the slash is `0`.
        let body = json!({"key": v3::encode(format!("{top}/")), "range_end": v3::encode(format!("{top}0"))});
        let reply = v2::v3(url, "/v3/kv/range", &body);
        let pairs = reply["kvs"].as_array().cloned().unwrap_or_default();
        pairs.iter().map(node).collect()
    }

    /// The state of a consumer that applied the records. v3 has no directories.
    pub fn state_after(self, top: &str, records: &[Value]) -> State {
        let mut state = follow::apply(State::new(), top, records);
        if self == Self::V3 {
            state.retain(|_, value| value.is_some());
        }
        state
    }

    /// The present index of the store.
    pub fn index(self, url: &str) -> u64 {
        match self {
            Self::V2 => v2::index(url),
            Self::V3 => v3::revision(&v2::v3(
                url,
                "/v3/kv/range",
                &json!({"key": v3::encode("x")}),
            )),
        }
    }

    /// Writes `count` times out of scope.
    pub fn write_elsewhere(self, url: &str, count: usize) {
        if self == Self::V2 {
            return v2::write_elsewhere(url, count);
        }
        let mut writer = Writer::connect(url);
        for number in 0..count {
            let value = number.to_string();
            let reply = self.write(&mut writer, &[("/elsewhere", Some(&value))]);
            assert_eq!(reply.expect("an answer").status, 200);
        }
    }
}

/// The state that these nodes make up.
pub fn state_of(nodes: &[Value]) -> State {
    let pairs = nodes.iter().map(|node| {
        let value = node["value"].as_str().map(str::to_owned);
        (node["key"].as_str().expect("a key").to_owned(), value)
    });
    pairs.collect()
}

/// Compacts history up to `behind` revisions before the present. A server that does not answer is
/// left alone.
pub fn compact(url: &str, behind: u64, is_physical: bool) {
    let patience = Duration::from_secs(2);
    let read = v2::try_v3(
        url,
        "/v3/kv/range",
        &json!({"key": v3::encode("x")}),
        patience,
    );
    let Ok(reply) = read else { return };
    let Some(number) = reply["header"]["revision"].as_str() else {
        return;
    };
    let number: u64 = number.parse().expect("a revision");
    let body = json!({
        "revision": number.saturating_sub(behind).to_string(),
        "physical": is_physical,
    });
    // The server rejects this if it has compacted as far already.
    let _ = v2::try_v3(url, "/v3/kv/compaction", &body, wait::LONG);
}

/// A v3 key-value pair as a node.
pub fn node(pair: &Value) -> Value {
    let text = |name: &str| {
        let bytes = STANDARD.decode(pair[name].as_str().unwrap_or_default());
        String::from_utf8(bytes.expect("base64")).expect("text")
    };
    let number = |name: &str| -> u64 {
        match &pair[name] {
            Value::String(number) => number.parse().expect("a number"),
            number => number.as_u64().unwrap_or_default(),
        }
    };
    json!({
        "key": text("key"),
        "value": text("value"),
        "modifiedIndex": number("mod_revision"),
        "createdIndex": number("create_revision"),
    })
}
