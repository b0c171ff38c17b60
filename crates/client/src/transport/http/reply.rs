//! A reply: its head, and its body, in parts or as a whole.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderMap;

use super::failure::read_failure;
use super::returning::{ChunkedReader, ReturnSlot};
use super::tokens::AuthToken;
use crate::transport::memory::{Hold, LimitExceeded};
use etcdwatch_engine::decode::reserve;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::Head;

/// The size of one read of a whole body, in bytes.
const READ: usize = 16 * 1024;

/// A reply whose body was not read yet.
pub struct Reply {
    /// Its head.
    pub head: Head,
    /// The authentication of the request with the v3 API.
    pub token: Option<AuthToken>,
    /// Whether the reply itself says where its body ends. One that ends with the connection may have
    /// been cut short.
    pub is_delimited: bool,
    /// The target of a redirect.
    pub(super) location: Option<String>,
    /// The slot to which ureq returns the transport, if the body is chunked.
    pub(super) return_slot: Option<Arc<ReturnSlot>>,
    /// The time limit on the next bytes of the body.
    pub(super) idle: Option<Duration>,
    pub(super) body: ureq::Body,
    pub(super) hold: Hold,
}

impl Reply {
    /// The body, with the chunks undone. The connection can be used again after it.
    #[must_use]
    pub fn into_body(self) -> ReplyBody {
        ReplyBody {
            reader: Box::new(self.body.into_reader()),
            hold: self.hold,
        }
    }

    /// The body of a reply that may last. The connection can't be used again after it.
    #[must_use]
    pub fn into_stream(self) -> ReplyBody {
        let reader: Box<dyn Read> = match self.return_slot {
            Some(return_slot) => match return_slot.claim(self.body) {
                Some(transport) => Box::new(ChunkedReader::new(transport, self.idle)),
                None => Box::new(std::io::empty()),
            },
            None => Box::new(self.body.into_reader()),
        };
        ReplyBody {
            reader,
            hold: self.hold,
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// If it breaks off, or is longer than `limit` bytes.
    pub fn read_whole(self, limit: usize) -> Result<Vec<u8>, Failure> {
        let body = self
            .into_body()
            .read_up_to(limit.saturating_add(1), false)?;
        if body.len() > limit {
            return Err(Failure::TooLong(limit));
        }
        Ok(body)
    }

    /// Reads the body to its end, or to `limit` bytes, and drops it.
    ///
    /// # Errors
    /// If it breaks off.
    pub fn discard(self, limit: usize) -> Result<(), Failure> {
        let mut body = self.into_body();
        let mut buffer = [0; 4096];
        let mut discarded = 0;
        while discarded <= limit {
            match body.read(0, &mut buffer)? {
                0 => break,
                count => discarded += count,
            }
        }
        Ok(())
    }
}

/// The body of a reply while it is read.
pub struct ReplyBody {
    reader: Box<dyn Read>,
    hold: Hold,
}

impl ReplyBody {
    /// Reads the next bytes into `buffer`; 0 is the end of the body. `unfinished` is the number of
    /// bytes that the caller holds and cannot use before more has arrived.
    ///
    /// # Errors
    /// If the body breaks off, nothing arrives in time, or the connections of the watch together hold
    /// too many unfinished bytes.
    pub fn read(&mut self, unfinished: usize, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.hold.set(unfinished).map_err(|LimitExceeded| {
            let why = "the replies on all connections together exceed --max-event".to_owned();
            Failure::Cut(why)
        })?;
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other.map_err(|error| read_failure(&error)),
            }
        }
    }

    /// Reads the body to its end, or to `limit` bytes, which are counted as unfinished if `is_counted`:
    /// a state may be larger than an event, and one at a time is read.
    pub(super) fn read_up_to(mut self, limit: usize, is_counted: bool) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut filled = 0;
        while filled < limit {
            let size = limit.min(filled + READ);
            if body.len() < size {
                let more = size - body.len();
                reserve(&mut body, more);
                body.resize(size, 0);
            }
            let unfinished = if is_counted { filled } else { 0 };
            match self.read(unfinished, body.get_mut(filled..).unwrap_or_default())? {
                0 => break,
                count => filled += count,
            }
        }
        body.truncate(filled);
        Ok(body)
    }
}

/// Reads the head of a reply.
pub(super) fn read_head(status: u16, headers: &HeaderMap) -> Head {
    Head {
        status,
        index: header(headers, "x-etcd-index")
            .and_then(|index| index.parse().ok())
            .filter(|index| *index > 0)
            .map(Index),
        cluster: header(headers, "x-etcd-cluster-id").map(str::to_owned),
        raft: header(headers, "x-raft-index").and_then(|text| text.parse().ok()),
    }
}

/// Whether the head says where the body ends.
pub(super) fn is_delimited(headers: &HeaderMap) -> bool {
    is_chunked(headers) || headers.contains_key("content-length")
}

/// Whether the body is chunked.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    header(headers, "transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
