//! A reply: what its head tells, and its body as it comes, as a stream, or whole.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderMap;

use super::failure::read_failure;
use super::lent::{Chunked, Desk};
use super::tokens::Pass;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::Head;

/// A reply, its body still to be read.
#[derive(Debug)]
pub struct Reply {
    /// What its head tells.
    pub head: Head,
    /// By what v3 knew the user.
    pub pass: Option<Pass>,
    /// Whether the reply itself says where its body ends. One that ends with the connection may have
    /// been cut short.
    pub is_delimited: bool,
    pub(super) location: Option<String>,
    /// Where its connection can be had back: its body comes in chunks.
    pub(super) desk: Option<Arc<Desk>>,
    /// How long it may take until the next bytes of the body are there.
    pub(super) idle: Option<Duration>,
    pub(super) body: ureq::Body,
}

impl Reply {
    /// The body as it comes, chunks undone. A cut or a time-out is an error of its reader.
    #[must_use]
    pub fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// The body of a reply that may go on for long, and after which the connection is of no use. Its
    /// errors are those of [`Reply::into_reader`].
    #[must_use]
    pub fn into_stream(self) -> Box<dyn Read> {
        match self.desk {
            Some(desk) => match desk.take_back(self.body) {
                Some(transport) => Box::new(Chunked::new(transport, self.idle)),
                None => Box::new(std::io::empty()),
            },
            None => Box::new(self.body.into_reader()),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// Where it breaks off, or is longer than `limit` bytes.
    pub fn read_whole(self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let mut reader = self.body.into_reader().take(limit as u64 + 1);
        reader
            .read_to_end(&mut body)
            .map_err(|error| read_failure(&error))?;
        if body.len() > limit {
            return Err(Failure::TooLong(limit));
        }
        Ok(body)
    }
}

/// What the head of a reply tells.
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

/// Whether the reply itself says where its body ends.
pub(super) fn is_delimited(headers: &HeaderMap) -> bool {
    is_chunked(headers) || headers.contains_key("content-length")
}

/// Whether the body comes in chunks.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    header(headers, "transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
