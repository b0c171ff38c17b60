//! Errors of the v2 API (etcd-facts.md, "v2: replies").

use crate::model::Index;
use crate::protocol::Fault;

/// The key does not exist.
pub const KEY_NOT_FOUND: u32 = 100;
/// A condition on the value or the index does not hold.
pub const COMPARE_FAILED: u32 = 101;
/// The key is a directory.
pub const NOT_A_FILE: u32 = 102;
/// The key is not a directory.
pub const NOT_A_DIRECTORY: u32 = 104;
/// The key exists already.
pub const KEY_EXISTS: u32 = 105;
/// The root can't be changed.
pub const ROOT_READ_ONLY: u32 = 107;
/// The directory is not empty.
pub const DIRECTORY_NOT_EMPTY: u32 = 108;
/// The user lacks the permission.
pub const UNAUTHORIZED: u32 = 110;
/// The members did not agree in time, because of a lost quorum or a change of leader. A write with this
/// error may still be carried out later (fact 12).
pub const RAFT_INTERNAL: u32 = 300;
/// The cluster has no leader at the moment.
pub const LEADER_ELECT: u32 = 301;
/// The requested index is no longer in history.
pub const INDEX_CLEARED: u32 = 401;

#[derive(serde::Deserialize)]
struct WireFault {
    #[serde(rename = "errorCode")]
    code: u32,
    message: String,
    #[serde(default)]
    cause: String,
    #[serde(default)]
    index: u64,
}

/// Parses the body of an error; `None` if it is not one of etcd's.
#[must_use]
pub fn parse(body: &[u8]) -> Option<Fault> {
    let wire: WireFault = serde_json::from_slice(body).ok()?;
    Some(Fault {
        code: wire.code,
        message: wire.message,
        cause: wire.cause,
        index: Index(wire.index),
    })
}

/// Parses an error without a code, `{"message":"…"}`, which etcd sends without a leader and for a wrong
/// password.
#[must_use]
pub fn parse_message(body: &[u8]) -> Option<Fault> {
    #[derive(serde::Deserialize)]
    struct Unnumbered {
        message: String,
    }
    let wire: Unnumbered = serde_json::from_slice(body).ok()?;
    Some(Fault {
        code: 0,
        message: wire.message,
        cause: String::new(),
        index: Index::ZERO,
    })
}

/// Whether the index in an error of this code is the store's. Other errors carry 0 (fact 18).
#[must_use]
pub const fn tells_index(code: u32) -> bool {
    matches!(code, KEY_NOT_FOUND | NOT_A_DIRECTORY | INDEX_CLEARED)
}

/// Whether the code says that neither the key nor a directory for it exists.
#[must_use]
pub const fn is_absent(code: u32) -> bool {
    matches!(code, KEY_NOT_FOUND | NOT_A_DIRECTORY)
}

/// The oldest index that history still holds, from the cause of a 401:
/// `the requested history has been cleared [109/10]` (fact 10).
#[must_use]
pub fn oldest_kept(fault: &Fault) -> Option<Index> {
    let (_, pair) = fault.cause.rsplit_once('[')?;
    let (oldest, _) = pair.split_once('/')?;
    oldest.parse().ok().map(Index)
}

/// Whether a retry, here or elsewhere, can help: the cluster has no leader or no quorum at the moment.
#[must_use]
pub const fn is_passing(code: u32) -> bool {
    matches!(code, RAFT_INTERNAL | LEADER_ELECT)
}

/// A name for each code, for JSON errors.
#[must_use]
pub const fn name(code: u32) -> &'static str {
    match code {
        KEY_NOT_FOUND => "keyNotFound",
        COMPARE_FAILED => "compareFailed",
        NOT_A_FILE => "notAFile",
        NOT_A_DIRECTORY => "notADirectory",
        KEY_EXISTS => "keyExists",
        ROOT_READ_ONLY => "rootReadOnly",
        DIRECTORY_NOT_EMPTY => "directoryNotEmpty",
        UNAUTHORIZED => "unauthorized",
        RAFT_INTERNAL => "raftInternal",
        LEADER_ELECT => "leaderElection",
        INDEX_CLEARED => "historyCleared",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_index_is_parsed_from_a_401() {
        let fault = parse(
            br#"{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [109/10]","index":1108}"#,
        )
        .unwrap();
        assert_eq!(fault.index, Index(1108));
        assert!(tells_index(fault.code));
        assert_eq!(oldest_kept(&fault), Some(Index(109)));
    }

    #[test]
    fn the_index_of_other_errors_is_not_the_stores_index() {
        for code in [RAFT_INTERNAL, LEADER_ELECT, UNAUTHORIZED, 201, 210] {
            assert!(!tells_index(code));
        }
    }

    #[test]
    fn other_bodies_are_not_faults() {
        assert_eq!(parse(b"404 page not found"), None);
        assert_eq!(parse(br#"{"message":"no leader"}"#), None);
    }
}
