//! Writes with the v2 API: their preconditions, including those that etcd cannot check, and their records.

use super::request::{Answer, Requester};
use crate::error::Error;
use crate::render::json;
use crate::render::renderer::Renderer;
use etcdwatch_engine::model::{Index, Key};
use etcdwatch_engine::protocol::{Failure, Fault, Malformed, Precondition, Refusal, Request};
use etcdwatch_engine::v2;

/// The longest value that goes into the URL of a removal, in bytes.
const MAX_IN_URL: usize = 8 << 10;
/// The number of attempts to check a condition on a value while other clients write.
const MAX_TRIES: usize = 8;

/// Sends the request that `build` makes for `condition`. If etcd cannot check the value, because it is
/// empty (fact 21) or too long for the URL of a removal, reads the key first and compares by its index.
///
/// # Errors
/// If the condition does not hold, in etcd's words; if the request fails.
pub fn send(
    requester: &Requester,
    key: &Key,
    condition: &Precondition,
    build: impl Fn(&Precondition) -> Request,
) -> Result<Answer, Error> {
    let Some(wanted) = condition.value.as_ref() else {
        return requester.send(&build(condition));
    };
    let is_in_form = build(condition).body.is_some();
    if !wanted.is_empty() && (is_in_form || wanted.len() <= MAX_IN_URL) {
        return requester.send(&build(condition));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let modified = index_of_value(requester, key, wanted, condition.index)?;
        let by_index = Precondition {
            value: None,
            index: Some(modified),
            ..condition.clone()
        };
        match requester.send(&build(&by_index)) {
            // Another client wrote in between, perhaps the same value: read again.
            Err(error)
                if tries < MAX_TRIES
                    && condition.index.is_none()
                    && error
                        .fault()
                        .is_some_and(|fault| fault.code == v2::fault::COMPARE_FAILED) => {}
            other => return other,
        }
    }
}

fn index_of_value(
    requester: &Requester,
    key: &Key,
    wanted: &[u8],
    index: Option<Index>,
) -> Result<Index, Error> {
    let options = v2::ReadOptions {
        quorum: true,
        ..v2::ReadOptions::default()
    };
    let answer = requester.send(&v2::read(key, options))?;
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

/// Renders the record in the answer to a write.
///
/// # Errors
/// If the answer is malformed. The write may have been carried out.
pub fn render(mut answer: Answer, renderer: &Renderer) -> Result<Vec<u8>, Error> {
    let body = json::one_line(&std::mem::take(&mut answer.body));
    let batch = v2::parse_events(body).map_err(|error| answer.malformed_after_write(error))?;
    if batch.is_empty() {
        return Err(answer.malformed_after_write(Malformed::shape(b"", "")));
    }
    Ok(renderer.batch(&batch))
}
