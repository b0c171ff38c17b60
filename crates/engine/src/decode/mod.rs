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

/// A buffer beyond this size, in bytes, gets all of the address space that it may need at once. Few values
/// are as large, and each such buffer costs the kernel new pages (benches/README.md).
const LARGE: usize = 2 << 20;
/// glibc takes an allocation of more than 32 MiB from the kernel and gives it back when it is freed,
/// whatever was allocated before. It may keep a smaller one.
const ALWAYS_RETURNED: usize = 33 << 20;

/// Makes room for `more` bytes in a buffer that may grow to `limit` bytes. A large buffer gets address space
/// for all of them. It takes up memory only where it was written, it never moves, and its memory is free
/// for the other connections as soon as it is dropped. Without that space, it grows by an eighth at a time,
/// where `Vec` would double it.
pub fn reserve(buffer: &mut Vec<u8>, more: usize, limit: usize) {
    let length = buffer.len();
    if buffer.capacity() - length >= more {
        return;
    }
    let most = limit.saturating_add(LARGE).max(ALWAYS_RETURNED);
    let is_large = length + more > LARGE && length + more <= most;
    if !is_large || buffer.try_reserve_exact(most - length).is_err() {
        buffer.reserve_exact(more.max(length / 8));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grow(buffer: &mut Vec<u8>, length: usize, limit: usize) {
        while buffer.len() < length {
            reserve(buffer, 4096, limit);
            buffer.resize(buffer.len() + 4096, 0);
        }
    }

    #[test]
    fn a_large_buffer_does_not_move_while_it_grows_to_its_limit() {
        let (mut buffer, limit) = (Vec::new(), 64 << 20);
        grow(&mut buffer, LARGE * 2, limit);
        let place = buffer.as_ptr();
        grow(&mut buffer, limit, limit);
        assert_eq!(buffer.as_ptr(), place);
    }

    #[test]
    fn a_small_buffer_takes_little_more_than_it_holds() {
        let mut buffer = Vec::new();
        grow(&mut buffer, LARGE / 2, 64 << 20);
        assert!(buffer.capacity() < LARGE, "{}", buffer.capacity());
    }

    #[test]
    fn a_buffer_without_a_limit_grows_by_an_eighth() {
        let mut buffer = Vec::new();
        grow(&mut buffer, 1 << 20, usize::MAX);
        assert!(
            buffer.capacity() < (1 << 20) * 5 / 4,
            "{}",
            buffer.capacity()
        );
    }
}
