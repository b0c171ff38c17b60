//! The state of a key or a subtree at one index.

use serde::Serialize;

use super::{Event, Index};

/// A key or a directory as it is at one index, without what is below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateNode {
    /// The key.
    pub key: String,
    /// The value; none for a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it is a directory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dir: bool,
    /// When it expires, as etcd writes it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    /// Seconds left to live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// The index of its last change; 0 for the root.
    #[serde(rename = "modifiedIndex")]
    pub modified: Index,
    /// The index of its creation; 0 for the root.
    #[serde(rename = "createdIndex")]
    pub created: Index,
}

impl Fingerprint {
    /// That of `event`.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        Self {
            index: event.index(),
            key: String::from_utf8_lossy(event.node().key()).into_owned(),
            created: event.node().created(),
            of_state: false,
        }
    }

    /// That of the key of a state that was changed last; none where the state has no values.
    #[must_use]
    pub fn of_state(nodes: &[StateNode]) -> Option<Self> {
        let values = nodes.iter().filter(|node| !node.dir);
        let last = values.max_by_key(|node| node.modified)?;
        Some(Self {
            index: last.modified,
            key: last.key.clone(),
            created: last.created,
            of_state: true,
        })
    }
}

/// A difference between two states of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there now, or is another than it was.
    Set {
        /// As it is.
        node: StateNode,
        /// As it was.
        previous: Option<StateNode>,
    },
    /// It is gone.
    Delete {
        /// As it was.
        previous: StateNode,
    },
}

/// What tells a rebuilt store from the one that was watched: another store has another event at
/// that index, or the key is not as it was left there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// Its index.
    pub index: Index,
    /// Its key.
    pub key: String,
    /// When that key was created.
    #[serde(rename = "createdIndex")]
    pub created: Index,
    /// Whether it was read in a state: history need not have an event there, since a refreshed
    /// time to live is none.
    #[serde(
        default,
        rename = "ofState",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub of_state: bool,
}
