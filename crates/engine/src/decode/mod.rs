//! Turns bytes into lines and messages.
//!
//! In scope: decoding the chunks of a body, finding the ends of lines and messages in pieces of any size,
//! and the limit on their length. Out of scope: what they mean (`v2`, `v3`). Chunks and lines know nothing of each other: an event can span several chunks, and
//! a chunk can hold several events (etcd-facts.md, fact 14).

mod chunks;
mod lines;
mod messages;
mod plain;
pub(crate) mod tokens;

pub use chunks::{BadFrame, Chunks};
pub use lines::Lines;
pub use messages::{Messages, Part};

/// A line, an element or a message is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("longer than {limit} bytes")]
pub struct TooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Makes room for `more` bytes. `Vec` would double a buffer that has grown to the limit; this takes an
/// eighth more at a time, which still keeps the copying below nine times the final size.
pub fn reserve(buffer: &mut Vec<u8>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        buffer.reserve_exact(more.max(buffer.len() / 8));
    }
}

impl TooLong {
    fn unless(length: usize, limit: usize) -> Result<(), Self> {
        if length > limit {
            Err(Self { limit })
        } else {
            Ok(())
        }
    }
}
