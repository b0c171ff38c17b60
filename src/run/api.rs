//! Which of etcd's APIs has what is watched.

use etcdwatch_client::endpoint::Endpoint;
use etcdwatch_client::transport::http::{Http, Limits, PATIENCE};
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::{v2, v3};

/// How long each answer may take: it is only a hint.
const LIMITS: Limits = Limits {
    head: Some(PATIENCE),
    idle: Some(PATIENCE),
};

/// A reply that is longer holds something.
const MAX_REPLY: usize = 4096;

/// Which of two APIs has what is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first one, as far as can be known.
    First,
    /// The other one alone.
    Other,
    /// Not the first one. The user may not read the other one, for this reason.
    Unknown(String),
}

/// Whether v2 is on and has nothing in `scope`, while v3 has something in `other`.
#[must_use]
pub fn find(http: &Http, endpoints: &[Endpoint], scope: &Scope, other: &Scope) -> Found {
    'endpoints: for endpoint in endpoints {
        let connection = http.connection();
        for part in scope.parts() {
            let patience = connection.break_off_after(PATIENCE);
            let read = connection
                .send(endpoint, &v2::read(&part.key, v2::Read::default()), LIMITS)
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
            // A long key.
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

/// Whether it is a directory with nothing in it: the root is always there.
fn is_empty(body: &[u8]) -> bool {
    v2::parse_state(body).is_ok_and(|state| state.node.dir && state.node.nodes.is_empty())
}
