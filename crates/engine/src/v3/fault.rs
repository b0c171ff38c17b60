//! Errors of the gateway.

use crate::model::Index;
use crate::protocol::Fault;
use crate::v2::fault as v2;

/// The codes of gRPC.
const CANCELED: u32 = 1;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const OUT_OF_RANGE: u32 = 11;
const ABORTED: u32 = 10;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

/// The message for a request without a user while authentication is enabled.
const NO_USER: &str = "etcdserver: user name is empty";
/// The message for a token that has expired, or that a restarted server does not know.
const BAD_TOKEN: &str = "etcdserver: invalid auth token";
/// The message for a token that is older than the last change of users or roles.
const OLD_TOKEN: &str = "etcdserver: revision of auth store is old";
/// The message for a request for a token while authentication is disabled.
const AUTH_OFF: &str = "etcdserver: authentication is not enabled";
/// The message for a wrong name or password.
const BAD_PASSWORD: &str = "etcdserver: authentication failed, invalid user ID or password";
/// The messages for a request that was not carried out, and will not be.
const NO_LEADER: &str = "etcdserver: no leader";

/// The message for a reply that is too large for a gateway.
pub const TOO_LARGE: u32 = 8;
/// The message for a revision that the store has not reached yet.
pub const FUTURE: u32 = 11;

/// Whether a request was refused because its token is missing or not valid any more. Nothing was done.
#[must_use]
pub fn is_about_token(fault: &Fault) -> bool {
    [NO_USER, BAD_TOKEN, OLD_TOKEN].contains(&fault.message.as_str())
}

/// Whether a token was refused because authentication is disabled.
#[must_use]
pub fn is_auth_off(fault: &Fault) -> bool {
    fault.message == AUTH_OFF
}

/// Parses the body of an error, `{"error":…,"message":…,"code":N}`; `None` if it is not one of etcd's.
/// Gateways from 3.6 on leave `error` out.
#[must_use]
pub fn parse(body: &[u8]) -> Option<Fault> {
    #[derive(serde::Deserialize)]
    struct WireFault {
        error: Option<String>,
        message: Option<String>,
        code: u32,
    }
    let wire: WireFault = serde_json::from_slice(body).ok()?;
    Some(read(wire.code, wire.error.or(wire.message)?))
}

/// The fault for gRPC's `code` and etcd's `message`. An error that the v2 API has too gets the code of
/// that, so that scripts need only one list.
#[must_use]
pub fn read(code: u32, message: String) -> Fault {
    let code = match (code, message.as_str()) {
        (PERMISSION_DENIED | UNAUTHENTICATED, _) | (_, NO_USER | BAD_PASSWORD | OLD_TOKEN) => {
            v2::UNAUTHORIZED
        }
        (OUT_OF_RANGE, text) if text.contains("has been compacted") => v2::INDEX_CLEARED,
        (OUT_OF_RANGE, text) if text.contains("future revision") => FUTURE,
        (_, text) if text.contains("received message larger than max") => TOO_LARGE,
        (_, NO_LEADER) => v2::LEADER_ELECT,
        // It is temporary, and a write may be carried out all the same. A gateway reports a closing
        // connection when its server ends.
        (CANCELED | UNKNOWN | DEADLINE_EXCEEDED | ABORTED | INTERNAL | UNAVAILABLE, _) => {
            v2::RAFT_INTERNAL
        }
        _ => 0,
    };
    Fault {
        code,
        message,
        cause: String::new(),
        index: Index::ZERO,
    }
}

/// The fault for the reason with which the server cancels a watch.
#[must_use]
pub fn read_reason(reason: &str) -> Fault {
    // "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    let message = reason
        .split_once(" desc = ")
        .map_or(reason, |(_, message)| message);
    let code = match reason {
        _ if reason.contains("PermissionDenied") || reason.contains("permission denied") => {
            PERMISSION_DENIED
        }
        _ if reason.contains("Unauthenticated") || reason.contains(NO_USER) => UNAUTHENTICATED,
        _ if reason.contains(NO_LEADER) => UNAVAILABLE,
        _ => 0,
    };
    read(
        code,
        match message {
            "" => "the watch was cancelled".to_owned(),
            message => message.to_owned(),
        },
    )
}

/// Whether the user name or the password is wrong.
#[must_use]
pub fn is_authentication_failure(fault: &Fault) -> bool {
    fault.message == BAD_PASSWORD
}

/// Whether the request names no user although authentication is enabled.
#[must_use]
pub fn is_user_missing(fault: &Fault) -> bool {
    fault.message == NO_USER
}

/// Whether the user has no permission for what was requested.
#[must_use]
pub fn is_permission_denied(fault: &Fault) -> bool {
    fault.message == "etcdserver: permission denied"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: &str, code: u32) -> u32 {
        let body = serde_json::json!({"error": error, "message": error, "code": code});
        parse(body.to_string().as_bytes()).unwrap().code
    }

    #[test]
    fn errors_that_v2_also_has_get_the_v2_code() {
        assert_eq!(code("etcdserver: permission denied", 7), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: invalid auth token", 16), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: user name is empty", 3), v2::UNAUTHORIZED);
        assert_eq!(code("etcdserver: no leader", 14), v2::LEADER_ELECT);
        assert_eq!(code("etcdserver: request timed out", 14), v2::RAFT_INTERNAL);
        let closing = "grpc: the client connection is closing";
        assert_eq!(code(closing, 1), v2::RAFT_INTERNAL);
        assert_eq!(code("etcdserver: mvcc: database space exceeded", 8), 0);
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        assert_eq!(code(compacted, 11), v2::INDEX_CLEARED);
        let large = "grpc: received message larger than max (5242880 vs. 4194304)";
        assert_eq!((code(large, 8), code(large, 11)), (TOO_LARGE, TOO_LARGE));
        let future = "etcdserver: mvcc: required revision is a future revision";
        assert_eq!(code(future, 11), FUTURE);
    }

    #[test]
    fn a_gateway_of_3_6_says_it_in_other_words() {
        let body = br#"{"code":7,"message":"etcdserver: permission denied","details":[]}"#;
        assert_eq!(parse(body).unwrap().code, v2::UNAUTHORIZED);
    }

    #[test]
    fn a_canceled_watch_reports_its_reason() {
        let reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
        assert_eq!(read_reason(reason).code, v2::UNAUTHORIZED);
        let old =
            "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old";
        assert_eq!(read_reason(old).code, v2::UNAUTHORIZED);
        assert!(is_about_token(&read_reason(old)));
        assert_eq!(read_reason("").message, "the watch was cancelled");
    }

    #[test]
    fn other_bodies_are_not_gateway_faults() {
        assert_eq!(parse(b"404 page not found"), None);
        assert_eq!(
            parse(br#"{"errorCode":100,"message":"Key not found"}"#),
            None
        );
        assert_eq!(parse(br#"{"error":"text"}"#), None);
    }
}
