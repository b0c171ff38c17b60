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

/// A buffer beyond this size, in bytes, gets [`ALWAYS_RETURNED`] of address space at once. Few values are as
/// large, and each such buffer costs the kernel new pages (benches/README.md).
const LARGE: usize = 2 << 20;
/// glibc takes an allocation of more than 32 MiB from the kernel, extends it without copying, and gives it
/// back when it is freed, whatever was allocated before. It may keep a smaller one, and copy it.
const ALWAYS_RETURNED: usize = 33 << 20;

/// Makes room for `more` bytes. A buffer grows by an eighth at a time, where `Vec` would double it. A large
/// one takes up memory only where it was written, and that memory is free for the other connections as
/// soon as the buffer is dropped.
pub fn reserve(buffer: &mut Vec<u8>, more: usize) {
    let length = buffer.len();
    if buffer.capacity() - length >= more {
        return;
    }
    let large = ALWAYS_RETURNED.saturating_sub(length);
    let is_large = length + more > LARGE && large > more;
    if !is_large || buffer.try_reserve_exact(large).is_err() {
        buffer.reserve_exact(more.max(length / 8));
    }
}

/// Gives back the address space beyond the length of a large buffer.
fn trim(buffer: &mut Vec<u8>) {
    if buffer.capacity() > LARGE {
        buffer.shrink_to_fit();
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

    fn grown_to(length: usize) -> Vec<u8> {
        let mut buffer = Vec::new();
        while buffer.len() < length {
            reserve(&mut buffer, 4096);
            buffer.resize(buffer.len() + 4096, 0);
        }
        buffer
    }

    #[test]
    fn a_buffer_grows_by_an_eighth_at_a_time() {
        for length in [LARGE / 2, ALWAYS_RETURNED * 2] {
            let buffer = grown_to(length);
            assert!(buffer.capacity() < length / 4 * 5, "{}", buffer.capacity());
        }
    }

    #[test]
    fn a_large_buffer_is_always_returned_to_the_kernel() {
        assert!(grown_to(LARGE * 2).capacity() >= ALWAYS_RETURNED);
    }

    #[test]
    fn a_trimmed_buffer_has_no_address_space_that_was_not_written() {
        let mut buffer = grown_to(LARGE * 2);
        trim(&mut buffer);
        assert!(buffer.capacity() < LARGE * 3, "{}", buffer.capacity());
    }
}
