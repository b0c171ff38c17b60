//! Bytes to lines, and to messages.
//!
//! In scope: undoing the chunks of a body, finding where a line or a message ends in one that
//! arrives in pieces of any size, and the limit on how long it may grow. Out of scope: what it says
//! (`protocol`). Chunks and lines know nothing of each other: an event can span several chunks, and
//! a chunk can hold several events (etcd-facts.md, fact 14).

mod chunks;
mod lines;
mod messages;
pub(crate) mod tokens;

pub use chunks::{BadFrame, Chunks};
pub use lines::Lines;
pub use messages::{Messages, Part};

/// What is being read grew past the limit before its end came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is longer than {limit} bytes")]
pub struct TooLong {
    /// The limit that was in force.
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
