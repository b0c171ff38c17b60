//! Finds out which of etcd's APIs has the watched keys.

use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::{Http, Limits, PATIENCE};
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::{v2, v3};

/// The time limit on each answer. A slow server does not delay the watch, which starts with v2.
const LIMITS: Limits = Limits {
    head: Some(PATIENCE),
    idle: Some(PATIENCE),
};

/// The limit on a reply, in bytes. The reply of an empty directory is shorter.
const MAX_REPLY: usize = 4096;

/// Which of two APIs has the watched keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first API. This is also the result if etcdwatch could not find out.
    First,
    /// The other API only.
    Other,
    /// The first API does not have the keys, and the other one refused to answer, for this reason.
    Unknown(String),
}

/// Reads `scope` with the v2 API and, if it is empty there, `other` over v3.
#[must_use]
pub fn find(http: &Http, endpoints: &[Endpoint], scope: &Scope, other: &Scope) -> Found {
    'endpoints: for endpoint in endpoints {
        let connection = http.connection();
        for part in scope.parts() {
            let patience = connection.break_off_after(PATIENCE);
            let read = connection
                .send(
                    endpoint,
                    &v2::read(&part.key, v2::ReadOptions::default()),
                    LIMITS,
                )
                .and_then(|reply| reply.read_whole(MAX_REPLY));
            match patience.judge(read) {
                Ok(body) if !is_empty(&body) => return Found::First,
                Ok(_) => {}
                Err(Failure::Refused(refusal)) if fault::is_absent(refusal.fault.code) => {}
                Err(Failure::Unreachable(_) | Failure::Cut(_) | Failure::Silent(_)) => {
                    continue 'endpoints;
                }
                Err(_) => return Found::First,
            }
        }
        let ranges = v3::any(other);
        let patience = connection.break_off_after(LIMITS.head_of(&ranges).unwrap_or(PATIENCE));
        let found = connection.read(endpoint, &ranges, LIMITS, MAX_REPLY);
        return match patience.judge(found) {
            Ok((_, reply)) if !reply.pairs.is_empty() => Found::Other,
            // A key of this length exists.
            Err(Failure::TooLong(_)) => Found::Other,
            Err(Failure::Refused(refusal))
                if refusal.fault.code == fault::UNAUTHORIZED && http.has_user() =>
            {
                let failure = Failure::Refused(refusal);
                Found::Unknown(format!("{} {failure}", endpoint.url()))
            }
            Err(Failure::Unreachable(_) | Failure::Cut(_) | Failure::Silent(_)) => continue,
            _ => Found::First,
        };
    }
    Found::First
}

/// Whether the reply is an empty directory. The root exists even in an empty store.
fn is_empty(body: &[u8]) -> bool {
    v2::parse_state(body).is_ok_and(|state| state.node.dir && state.node.nodes.is_empty())
}
