//! The input and output buffers of a connection, which grow as they are used.
//!
//! ureq's own buffers are filled with zeros first. Measured (benches/README.md), a `get` takes 4 to 9 %
//! longer with them.

use ureq::unversioned::transport::Buffers;

/// The size of each buffer at most, as in ureq. The head of a reply must fit into it.
const MAX_SIZE: usize = 128 * 1024;
/// The first size of the input buffer, which is enough for most replies. It doubles each time that a read
/// fills it.
const FIRST_SIZE: usize = 8 * 1024;

/// ureq's buffers. `consumed` and `filled` delimit the unread bytes of `input`.
#[derive(Debug, Default)]
pub(super) struct LazyBuffers {
    input: Vec<u8>,
    filled: usize,
    consumed: usize,
    output: Vec<u8>,
    /// The number of output bytes that wait to be sent with the next ones.
    kept: usize,
    /// Whether the last call of `input_consume` consumed something.
    progress: bool,
}

/// The kernel's pages are zero already, so `vec!` does not write to them.
fn make(buffers: &mut Vec<u8>, size: usize) {
    if buffers.is_empty() {
        *buffers = vec![0; size];
    }
}

impl LazyBuffers {
    /// Keeps the next `amount` bytes of output, to be sent with those after them.
    pub fn keep(&mut self, amount: usize) {
        self.kept = (self.kept + amount).min(self.output.len());
    }

    /// The bytes to send: those that were kept, and the `amount` bytes after them.
    pub fn take(&mut self, amount: usize) -> &[u8] {
        let end = std::mem::take(&mut self.kept) + amount;
        self.output.get(..end).unwrap_or_default()
    }
}

impl Buffers for LazyBuffers {
    fn output(&mut self) -> &mut [u8] {
        make(&mut self.output, MAX_SIZE);
        self.output.get_mut(self.kept..).unwrap_or_default()
    }

    fn input(&self) -> &[u8] {
        self.input
            .get(self.consumed..self.filled)
            .unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        make(&mut self.input, FIRST_SIZE);
        let is_filled = self.filled == self.input.len();
        if self.consumed == self.filled {
            (self.consumed, self.filled) = (0, 0);
        } else if self.consumed > 0 && self.filled > self.input.len() / 2 {
            self.input.copy_within(self.consumed..self.filled, 0);
            (self.consumed, self.filled) = (0, self.filled - self.consumed);
        }
        if is_filled && self.input.len() < MAX_SIZE {
            self.input.resize(self.input.len() * 2, 0);
        }
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        make(&mut self.output, MAX_SIZE);
        self.input_append_buf();
        let free = self.input.get_mut(self.filled..).unwrap_or_default();
        let output = self.output.get_mut(self.kept..).unwrap_or_default();
        (free, output)
    }

    fn can_use_input(&self) -> bool {
        !self.input().is_empty() && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffers: &mut LazyBuffers, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let free = buffers.input_append_buf();
            assert!(!free.is_empty(), "there is buffers");
            let (some, rest) = bytes.split_at(free.len().min(bytes.len()));
            free[..some.len()].copy_from_slice(some);
            buffers.input_appended(some.len());
            bytes = rest;
        }
    }

    #[test]
    fn unconsumed_bytes_stay_in_order() {
        let mut buffers = LazyBuffers::default();
        receive(&mut buffers, b"a head, ");
        buffers.input_consume(2);
        receive(&mut buffers, b"and a body");
        assert_eq!(buffers.input(), b"head, and a body");
    }

    #[test]
    fn consumed_input_frees_its_place() {
        let mut buffers = LazyBuffers::default();
        let all: Vec<u8> = (0..=250).cycle().take(10 * MAX_SIZE + 7).collect();
        let (mut given, mut taken) = (0, Vec::new());
        while taken.len() < all.len() {
            let free = buffers.input_append_buf();
            let next = &all[given..all.len().min(given + free.len())];
            assert!(!next.is_empty() || given == all.len());
            free[..next.len()].copy_from_slice(next);
            buffers.input_appended(next.len());
            given += next.len();
            let some = buffers.input().len().div_ceil(3);
            taken.extend_from_slice(&buffers.input()[..some]);
            buffers.input_consume(some);
        }
        assert!(taken == all);
    }

    #[test]
    fn incomplete_input_waits_for_more() {
        let mut buffers = LazyBuffers::default();
        receive(&mut buffers, b"HTTP/1.1 20");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input());
        buffers.input_consume(3);
        assert!(buffers.can_use_input());
    }

    #[test]
    fn buffered_bytes_are_sent_with_the_next_ones() {
        let mut buffers = LazyBuffers::default();
        buffers.output()[..4].copy_from_slice(b"head");
        buffers.keep(4);
        buffers.output()[..4].copy_from_slice(b"body");
        assert_eq!(buffers.take(4), b"headbody");
        buffers.output()[..4].copy_from_slice(b"next");
        assert_eq!(buffers.take(4), b"next");
    }

    #[test]
    fn a_full_input_buffer_grows() {
        let mut buffers = LazyBuffers::default();
        for size in [
            FIRST_SIZE,
            FIRST_SIZE * 2,
            FIRST_SIZE * 4,
            FIRST_SIZE * 8,
            MAX_SIZE,
            MAX_SIZE,
        ] {
            assert_eq!(buffers.input_append_buf().len(), size);
            receive(&mut buffers, &vec![b'x'; size]);
            buffers.input_consume(size);
        }
    }

    #[test]
    fn a_buffer_of_the_largest_size_does_not_grow() {
        let mut buffers = LazyBuffers::default();
        receive(&mut buffers, &vec![b'x'; MAX_SIZE]);
        assert!(buffers.input_append_buf().is_empty());
        assert_eq!(buffers.input().len(), MAX_SIZE);
    }
}
