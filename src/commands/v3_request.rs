//! Reads and writes of keys over v3. Their errors have the codes of the v2 API, so that a script needs
//! only one list of codes.

use super::request::{Answer, Requester};
use crate::error::Error;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::protocol::{Failure, Fault, Precondition, Refusal, Request};
use etcdwatch_engine::v2::fault;
use etcdwatch_engine::v3::{self, KvReply, Pair, Ranges};

/// A reply over v3, and the answer that it came in.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The contents of the answer.
    pub reply: KvReply,
    answer: Answer,
}

/// Sends a transaction that writes.
///
/// # Errors
/// If the request fails, or the reply is malformed, so that the outcome is unknown.
pub fn write(requester: &Requester, request: &Request) -> Result<Answered, Error> {
    let mut answer = requester.send(request)?;
    let body = std::mem::take(&mut answer.body);
    let reply = v3::parse_reply(&body).map_err(|error| answer.malformed_after_write(error))?;
    Ok(Answered { reply, answer })
}

/// Reads ranges of keys.
///
/// # Errors
/// The error that etcd answered with, or the failure of every endpoint.
pub fn read(requester: &Requester, ranges: &Ranges) -> Result<Answered, Error> {
    let (answer, reply) = requester.read(ranges)?;
    Ok(Answered { reply, answer })
}

impl Answered {
    /// The error for a key that does not exist.
    #[must_use]
    pub fn not_found(self, key: &[u8]) -> Error {
        let cause = String::from_utf8_lossy(key).into_owned();
        self.refused(fault::KEY_NOT_FOUND, "Key not found", cause)
    }

    /// The error for a condition on `key` that does not hold.
    #[must_use]
    pub fn failed(self, key: &[u8], condition: &Precondition) -> Error {
        let Some(pair) = self.reply.pairs.first() else {
            return self.not_found(key);
        };
        if condition.exists == Some(false) {
            let cause = String::from_utf8_lossy(key).into_owned();
            return self.refused(fault::KEY_EXISTS, "Key already exists", cause);
        }
        let cause = difference(pair, condition);
        self.refused(fault::COMPARE_FAILED, "Compare failed", cause)
    }

    fn refused(self, code: u32, message: &str, cause: String) -> Error {
        let fault = Fault {
            code,
            message: message.to_owned(),
            cause,
            index: self.reply.revision,
        };
        let head = self.answer.head;
        Error::Failed {
            endpoint: self.answer.endpoint.url().to_owned(),
            failure: Failure::Refused(Box::new(Refusal { fault, head })),
        }
    }
}

/// The expected and the actual value or index, in the format of the v2 API: `[1 != 2]`.
fn difference(pair: &Pair, condition: &Precondition) -> String {
    let text = String::from_utf8_lossy;
    let value = condition
        .value
        .as_ref()
        .filter(|value| **value != pair.value);
    let value = value.map(|value| format!("[{} != {}]", text(value), text(&pair.value)));
    let modified = Index(pair.modified);
    let index = condition.index.filter(|index| *index != modified);
    let index = index.map(|index| format!("[{index} != {modified}]"));
    value.into_iter().chain(index).collect::<Vec<_>>().join(" ")
}
