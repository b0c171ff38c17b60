//! Writes with the v2 API: their preconditions, and the one that etcd can't check itself; their records.

use super::request::{Answer, Client};
use crate::error::Error;
use crate::render::json;
use crate::render::renderer::Renderer;
use etcdwatch_engine::model::{Index, Key};
use etcdwatch_engine::protocol::{Failure, Fault, Malformed, Precondition, Refusal, Request};
use etcdwatch_engine::v2;

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
    condition: &Precondition,
    build: impl Fn(&Precondition) -> Request,
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
        let by_index = Precondition {
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

/// The bytes to print for the answer to a write.
///
/// # Errors
/// Where the answer can't be read: the write may have been carried out.
pub fn render(mut answer: Answer, renderer: &Renderer) -> Result<Vec<u8>, Error> {
    let body = json::one_line(&std::mem::take(&mut answer.body));
    let batch = v2::parse_events(body).map_err(|error| answer.malformed_after_write(error))?;
    if batch.is_empty() {
        return Err(answer.malformed_after_write(Malformed::shape(b"", "")));
    }
    Ok(renderer.batch(&batch))
}
