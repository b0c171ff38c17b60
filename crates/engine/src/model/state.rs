//! The state of a key or a subtree at one index.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Event, Index, hash_value, may_be_same};

/// A key or a directory at one index, without the keys below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateNode {
    /// The key; in v2 it is text.
    pub key: Vec<u8>,
    /// The value; `None` for a directory.
    pub value: Option<Vec<u8>>,
    /// Whether this is a directory (v2).
    pub dir: bool,
    /// The time of expiry as etcd writes it (RFC 3339, v2).
    pub expiration: Option<String>,
    /// The TTL in seconds (v2).
    pub ttl: Option<i64>,
    /// The index of the last change; 0 for the root of v2.
    pub modified: Index,
    /// The index of the creation; 0 for the root of v2.
    pub created: Index,
    /// The number of writes since the creation (v3); 0 if it is not known.
    pub version: u64,
    /// The ID of the lease (v3); 0 for none.
    pub lease: i64,
}

impl Fingerprint {
    /// The fingerprint of an event.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        Self {
            index: event.index(),
            key: event.node().key().to_owned(),
            created: event.node().created(),
            value: event.value_hash(),
            of_state: false,
        }
    }

    /// The fingerprint after `events`, which follow `before` (v3). A put identifies a store better than
    /// the removal of another key, which leaves no trace in the state.
    #[must_use]
    pub fn of_revisions<'b>(
        before: Option<Self>,
        events: impl Iterator<Item = Event<'b>>,
    ) -> Option<Self> {
        let mut latest: Option<Event<'b>> = None;
        for event in events {
            let key = event.node().key();
            let is_left_alone = match (&latest, &before) {
                (Some(put), _) => put.node().key() != key && put.node().created() > Index::ZERO,
                (None, Some(put)) => put.key != key && put.created > Index::ZERO,
                (None, None) => false,
            };
            if !(event.action().removes() && is_left_alone) {
                latest = Some(event);
            }
        }
        latest.map(|event| Self::of(&event)).or(before)
    }

    /// The fingerprint of the key that was written last in a state; `None` if there are no values.
    #[must_use]
    pub fn of_state(nodes: &[StateNode]) -> Option<Self> {
        let values = nodes.iter().filter(|node| !node.dir);
        let last = values.max_by_key(|node| node.modified)?;
        Some(Self {
            index: last.modified,
            key: last.key.clone(),
            created: last.created,
            value: last.value.as_deref().map(hash_value),
            of_state: true,
        })
    }

    /// Whether `node` has the value that the event wrote, or the value is not known.
    #[must_use]
    pub fn has_value_of(&self, node: &StateNode) -> bool {
        may_be_same(self.value, node.value.as_deref().map(hash_value))
    }

    /// Whether both can identify the same event, as far as their fields are known.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.index, one.created);
        place(self) == place(other)
            && self.key == other.key
            && self.of_state == other.of_state
            && may_be_same(self.value, other.value)
    }
}

/// The difference of a key between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key was created or changed.
    Set {
        /// The key in the newer state.
        node: StateNode,
        /// The key in the older state, if it existed.
        previous: Option<StateNode>,
    },
    /// The key was removed.
    Delete {
        /// The key in the older state.
        previous: StateNode,
    },
}

/// What identifies the last delivered event, and with it the store. A replaced store has another event at
/// that index, or another state of that key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "FingerprintJson", try_from = "FingerprintJson")]
pub struct Fingerprint {
    /// The index of the event.
    pub index: Index,
    /// The key of the event.
    pub key: Vec<u8>,
    /// The index at which that key was created; 0 for a delete of v3, which does not say it.
    pub created: Index,
    /// The hash of the written value ([`hash_value`]); `None` if there is no value, or it is not known.
    pub value: Option<u64>,
    /// Whether this is a key of a state. History need not have an event at its index then, because
    /// refreshing a TTL changes the index and is not an event.
    pub of_state: bool,
}

/// The JSON form of a fingerprint, in checkpoints.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FingerprintJson {
    index: Index,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// A key that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(rename = "createdIndex")]
    created: Index,
    /// The hash in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_hash: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    of_state: bool,
}

impl From<Fingerprint> for FingerprintJson {
    fn from(fingerprint: Fingerprint) -> Self {
        let (key, key_base64) = match String::from_utf8(fingerprint.key) {
            Ok(key) => (Some(key), None),
            Err(error) => (None, Some(STANDARD.encode(error.into_bytes()))),
        };
        Self {
            index: fingerprint.index,
            key,
            key_base64,
            created: fingerprint.created,
            value_hash: fingerprint.value.map(|hash| format!("{hash:016x}")),
            of_state: fingerprint.of_state,
        }
    }
}

impl TryFrom<FingerprintJson> for Fingerprint {
    type Error = String;

    fn try_from(written: FingerprintJson) -> Result<Self, String> {
        let key = match (written.key, written.key_base64) {
            (Some(key), None) => key.into_bytes(),
            (None, Some(key)) => STANDARD.decode(key).map_err(|error| error.to_string())?,
            _ => return Err("the last event has one key".to_owned()),
        };
        let value = written.value_hash;
        let value = value.map(|hash| u64::from_str_radix(&hash, 16)).transpose();
        Ok(Self {
            index: written.index,
            key,
            created: written.created,
            value: value.map_err(|error| format!("valueHash: {error}"))?,
            of_state: written.of_state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, Key, Scope};
    use crate::v3;

    #[test]
    fn a_put_stays_the_fingerprint_until_its_key_is_removed() {
        let events = |text: &str| {
            let mut assembler = v3::Assembler::new(Scope::new(Key::prefix(""), false));
            assembler.event(text.as_bytes()).unwrap();
            let end = br#"{"result":{"header":{"revision":"9"}}}"#;
            match assembler.message(end).unwrap().remove(0) {
                v3::WatchItem::Events(portion) => portion.batch,
                other => panic!("{other:?}"),
            }
        };
        let put = events(r#"{"kv":{"key":"YQ==","mod_revision":"3","create_revision":"3"}}"#);
        let other = events(r#"{"type":"DELETE","kv":{"key":"Yg==","mod_revision":"4"}}"#);
        let own = events(r#"{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"5"}}"#);
        let event = |batch: &'static Batch| batch.event(0).unwrap();
        let events = [put, other, own].map(|batch| &*Box::leak(Box::new(batch)));
        let [put, other, own] = events.map(event);
        let of = |before: &Option<Fingerprint>, events: &[Event<'static>]| {
            Fingerprint::of_revisions(before.clone(), events.iter().copied())
        };
        let first = of(&None, &[put]);
        assert_eq!(first, Some(Fingerprint::of(&put)));
        assert_eq!(of(&first, &[other]), first);
        assert_eq!(of(&None, &[put, other]), first);
        assert_eq!(of(&first, &[own]).unwrap().index, Index(5));
        assert_eq!(of(&None, &[put, other, own]).unwrap().index, Index(5));
    }

    #[test]
    fn a_fingerprint_survives_its_json_form_whatever_its_key() {
        for key in [&b"/a/\n"[..], b"\xff\0"] {
            let fingerprint = Fingerprint {
                index: Index(7),
                key: key.to_owned(),
                created: Index(3),
                value: Some(u64::MAX - 7),
                of_state: false,
            };
            let text = serde_json::to_string(&fingerprint).unwrap();
            assert_eq!(
                serde_json::from_str::<Fingerprint>(&text).unwrap(),
                fingerprint
            );
        }
        assert!(serde_json::from_str::<Fingerprint>(r#"{"index":7,"createdIndex":3}"#).is_err());
    }
}
