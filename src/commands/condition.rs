//! Conditions on writes and removals, and the one that etcd can't check itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::request::{Answer, Client};
use crate::error::Error;
use etcdwatch_engine::model::{Index, Key};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::{Fault, Refusal, Request};
use etcdwatch_engine::v2::{self, Condition};

/// A value longer than this is too long for an URL, in which a removal has it.
const MAX_IN_URL: usize = 8 << 10;
/// How often a condition on a value is tried while others write.
const TRIES: usize = 8;

/// Sends the request that `build` makes of `condition`. An empty value as a condition, which
/// etcd refuses (fact 21), is read first and then compared by its index; so is one that is too
/// long for the URL of a removal.
///
/// # Errors
/// Where the condition does not hold, as etcd would say it; where the request fails.
pub fn send(
    client: &Client,
    key: &Key,
    condition: &Condition,
    build: impl Fn(&Condition) -> Request,
) -> Result<Answer, Error> {
    let Some(wanted) = condition.value.as_ref() else {
        return client.send(&build(condition));
    };
    let is_in_form = build(condition).body.is_some();
    if !wanted.is_empty() && (is_in_form || wanted.len() <= MAX_IN_URL) {
        return client.send(&build(condition));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let modified = index_of_value(client, key, wanted, condition.index)?;
        let by_index = Condition {
            value: None,
            index: Some(modified),
            ..condition.clone()
        };
        match client.send(&build(&by_index)) {
            // Somebody wrote in between, which says nothing of the value: read again.
            Err(error)
                if tries < TRIES
                    && condition.index.is_none()
                    && error
                        .fault()
                        .is_some_and(|fault| fault.code == v2::fault::COMPARE_FAILED) => {}
            other => return other,
        }
    }
}

fn index_of_value(
    client: &Client,
    key: &Key,
    wanted: &[u8],
    index: Option<Index>,
) -> Result<Index, Error> {
    let how = v2::Read {
        quorum: true,
        ..v2::Read::default()
    };
    let answer = client.send(&v2::read(key, how))?;
    let state = v2::parse_state(&answer.body).map_err(|error| answer.malformed(error))?;
    let modified = Index(state.node.modified);
    let value = state.node.value.unwrap_or_default();
    let cause = match index {
        _ if value.as_bytes() != wanted => {
            format!("[{} != {value}]", String::from_utf8_lossy(wanted))
        }
        Some(index) if index != modified => format!("[{index} != {modified}]"),
        _ => return Ok(modified),
    };
    let fault = Fault {
        code: v2::fault::COMPARE_FAILED,
        message: "Compare failed".to_owned(),
        cause,
        index: answer.head.index.unwrap_or_default(),
    };
    Err(Error::Failed {
        endpoint: answer.endpoint.url().to_owned(),
        failure: Failure::Refused(Box::new(Refusal {
            fault,
            head: answer.head,
        })),
    })
}

/// The condition that was typed, with the bytes of the value as they are.
#[must_use]
pub fn from_typed(exists: Option<bool>, value: Option<OsString>, index: Option<u64>) -> Condition {
    Condition {
        exists,
        value: value.map(OsString::into_vec),
        index: index.map(Index),
    }
}
