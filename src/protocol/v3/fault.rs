//! What the gateway's errors mean.

use crate::model::Index;
use crate::protocol::Fault;
use crate::protocol::v2::fault as v2;

/// gRPC's own codes.
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

/// What etcd answers where nobody is named though somebody has to be.
const NO_USER: &str = "etcdserver: user name is empty";
/// Nothing was agreed upon, and nothing will be.
const NO_LEADER: &str = "etcdserver: no leader";

/// Reads an error's body, `{"error":…,"message":…,"code":N}`; `None` where it is none of etcd's.
/// What v2 has a code for gets that code, so that a script needs to know one list only.
#[must_use]
pub fn parse(body: &[u8]) -> Option<Fault> {
    #[derive(serde::Deserialize)]
    struct WireFault {
        error: String,
        code: u32,
    }
    let wire: WireFault = serde_json::from_slice(body).ok()?;
    let code = match (wire.code, wire.error.as_str()) {
        (PERMISSION_DENIED | UNAUTHENTICATED, _) | (_, NO_USER) => v2::UNAUTHORIZED,
        (_, NO_LEADER) => v2::LEADER_ELECT,
        // It may be carried out all the same.
        (DEADLINE_EXCEEDED | UNAVAILABLE, _) => v2::RAFT_INTERNAL,
        _ => 0,
    };
    Some(Fault {
        code,
        message: wire.error,
        cause: String::new(),
        index: Index::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: &str, code: u32) -> u32 {
        let body = serde_json::json!({"error": error, "message": error, "code": code});
        parse(body.to_string().as_bytes()).unwrap().code
    }

    #[test]
    fn what_v2_has_a_code_for_has_the_same() {
        assert_eq!(code("etcdserver: permission denied", 7), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: invalid auth token", 16), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: user name is empty", 3), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: no leader", 14), v2::LEADER_ELECT);
        assert_eq!(code("etcdserver: request timed out", 14), v2::RAFT_INTERNAL);
        assert_eq!(code("etcdserver: mvcc: database space exceeded", 8), 0);
    }

    #[test]
    fn what_is_not_the_gateways_is_no_fault() {
        assert_eq!(parse(b"404 page not found"), None);
        assert_eq!(
            parse(br#"{"errorCode":100,"message":"Key not found"}"#),
            None
        );
        assert_eq!(parse(br#"{"error":"text"}"#), None);
    }
}
