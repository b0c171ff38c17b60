//! By which API is written and watched.
//!
//! In scope: what differs between the two, for those who write, watch and judge. Out of scope:
//! what is written, and what of it is told.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::follow::{self, State};
use crate::support::v2::{self, Reply, Writer};
use crate::support::v3;
use crate::support::wait;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// `/v2/keys`.
    V2,
    /// The JSON gateway.
    V3,
}

/// One operation: a key that is set, or without a value one that is deleted.
pub type Operation<'w> = (&'w str, Option<&'w str>);

impl Api {
    /// What the tool is told.
    pub fn options(self) -> [&'static str; 2] {
        match self {
            Self::V2 => ["--api", "v2"],
            Self::V3 => ["--api", "v3"],
        }
    }

    /// Does these at once; by v2 it is one.
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

    /// What a server has of `top`, agreed upon by a majority: keys as nodes.
    pub fn nodes(self, url: &str, top: &str) -> Vec<Value> {
        if self == Self::V2 {
            return follow::server_nodes(url, top);
        }
        // The next letter after the slash is a 0.
        let body = json!({"key": v3::encode(format!("{top}/")), "range_end": v3::encode(format!("{top}0"))});
        let reply = v2::v3(url, "/v3/kv/range", &body);
        let pairs = reply["kvs"].as_array().cloned().unwrap_or_default();
        pairs.iter().map(node).collect()
    }

    /// What somebody knows who applied the records; v3 has no directories.
    pub fn state_after(self, top: &str, records: &[Value]) -> State {
        let mut state = follow::apply(State::new(), top, records);
        if self == Self::V3 {
            state.retain(|_, value| value.is_some());
        }
        state
    }

    /// The store's index.
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

    /// Writes so often where nobody watches.
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

/// What somebody knows who knows these nodes.
pub fn state_of(nodes: &[Value]) -> State {
    let pairs = nodes.iter().map(|node| {
        let value = node["value"].as_str().map(str::to_owned);
        (node["key"].as_str().expect("a key").to_owned(), value)
    });
    pairs.collect()
}

/// Has the history up to `behind` revisions before the present compacted, if a server does that.
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
    // Refused where as much was compacted before.
    let _ = v2::try_v3(url, "/v3/kv/compaction", &body, wait::LONG);
}

/// A pair of v3 as a node.
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
