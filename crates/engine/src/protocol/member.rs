//! Requests about a member, and their replies.

use serde::Deserialize;

use super::{Body, Method, Request};
use crate::model::Index;

/// Requests the server's version.
#[must_use]
pub fn version() -> Request {
    request(Method::Get, "/version")
}

/// Requests the member's status with the v2 API.
#[must_use]
pub fn of_v2() -> Request {
    request(Method::Get, "/v2/stats/self")
}

/// Requests the member's status with the v3 API.
#[must_use]
pub fn of_v3() -> Request {
    Request {
        body: Some(Body::Json(b"{}".to_vec())),
        ..request(Method::Post, "/v3/maintenance/status")
    }
}

/// Requests whether authentication is enabled in the v2 API.
#[must_use]
pub fn auth_of_v2() -> Request {
    request(Method::Get, "/v2/auth/enable")
}

fn request(method: Method, target: &str) -> Request {
    Request {
        method,
        target: target.to_owned(),
        body: None,
        writes: false,
        needs_leader: false,
    }
}

/// Reads the reply to [`version`].
#[must_use]
pub fn parse_version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Version {
        etcdserver: String,
    }
    let version: Version = serde_json::from_slice(body).ok()?;
    Some(version.etcdserver)
}

/// Reads the reply to [`auth_of_v2`].
#[must_use]
pub fn parse_auth(body: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Auth {
        enabled: bool,
    }
    let auth: Auth = serde_json::from_slice(body).ok()?;
    Some(auth.enabled)
}

/// The status of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// The cluster's ID. The v2 API has it only in the heads of replies.
    pub cluster: Option<String>,
    /// The member's own ID.
    pub member: String,
    /// The leader's ID, if the member knows one.
    pub leader: Option<String>,
    /// The store's revision (v3).
    pub revision: Index,
    /// It is a learner, which has no vote.
    pub is_learner: bool,
    /// Its alarms, such as NOSPACE.
    pub alarms: Vec<String>,
}

/// Reads the reply to [`of_v2`].
#[must_use]
pub fn parse_v2(body: &[u8]) -> Option<MemberStatus> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        id: String,
        leader_info: Leader,
    }
    #[derive(Deserialize)]
    struct Leader {
        #[serde(default)]
        leader: String,
    }
    let wire: Wire = serde_json::from_slice(body).ok()?;
    Some(MemberStatus {
        member: wire.id,
        leader: named(wire.leader_info.leader),
        ..MemberStatus::default()
    })
}

/// Reads the reply to [`of_v3`].
#[must_use]
pub fn parse_v3(body: &[u8]) -> Option<MemberStatus> {
    #[derive(Deserialize)]
    struct Wire {
        header: Head,
        #[serde(default)]
        leader: String,
        #[serde(default, rename = "isLearner")]
        is_learner: bool,
        #[serde(default)]
        errors: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Head {
        cluster_id: String,
        member_id: String,
        #[serde(default)]
        revision: String,
    }
    let wire: Wire = serde_json::from_slice(body).ok()?;
    // The v2 API writes IDs in hexadecimal.
    let hex = |id: &str| id.parse::<u64>().map(|id| format!("{id:x}")).ok();
    Some(MemberStatus {
        cluster: hex(&wire.header.cluster_id),
        member: hex(&wire.header.member_id)?,
        leader: hex(&wire.leader).and_then(named),
        revision: Index(wire.header.revision.parse().unwrap_or_default()),
        is_learner: wire.is_learner,
        // A missing leader shows in `leader` already.
        alarms: wire
            .errors
            .into_iter()
            .filter(|error| !error.contains("no leader"))
            .collect(),
    })
}

/// An ID, unless it is 0 or empty, which means none.
fn named(id: String) -> Option<String> {
    Some(id).filter(|id| !matches!(id.as_str(), "" | "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_apis_give_the_same_member_ids() {
        let v2 = r#"{"name":"default","id":"e500231b73632fac","state":"StateLeader","startTime":"2026-11-26T22:29:09Z","leaderInfo":{"leader":"e500231b73632fac","uptime":"2s","startTime":"2026-11-26T22:29:09Z"},"recvAppendRequestCnt":0,"sendAppendRequestCnt":0}"#;
        let v3 = r#"{"header":{"cluster_id":"9928200521393742756","member_id":"16501227635492466604","revision":"7","raft_term":"2"},"version":"3.4.23","dbSize":"20480","leader":"16501227635492466604","raftIndex":"4"}"#;
        let (v2, v3) = (
            parse_v2(v2.as_bytes()).unwrap(),
            parse_v3(v3.as_bytes()).unwrap(),
        );
        assert_eq!(v2.member, v3.member);
        assert_eq!((v2.leader, v3.revision), (v3.leader, Index(7)));
        assert_eq!(v3.cluster.as_deref(), Some("89c80dc5b885a3a4"));
    }

    #[test]
    fn a_member_without_a_leader_reports_none() {
        let v3 = r#"{"header":{"cluster_id":"1","member_id":"2","raft_term":"2"},"version":"3.5.1","errors":["etcdserver: no leader"]}"#;
        let status = parse_v3(v3.as_bytes()).unwrap();
        assert_eq!((status.leader, status.revision), (None, Index::ZERO));
        assert_eq!(status.alarms, [""; 0]);
        let v3 = v3.replace("etcdserver: no leader", "memberID:2 alarm:NOSPACE ");
        assert_eq!(parse_v3(v3.as_bytes()).unwrap().alarms.len(), 1);
        let v2 = r#"{"id":"2","leaderInfo":{"leader":"","uptime":"2s"}}"#;
        assert_eq!(parse_v2(v2.as_bytes()).unwrap().leader, None);
    }
}
