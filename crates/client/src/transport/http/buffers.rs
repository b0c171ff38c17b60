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
    /// How many bytes of the output wait to be sent with the next ones.
    kept: usize,
    /// The last call of `input_consume` consumed something.
    progress: bool,
}

/// The kernel's pages are zero already, so `vec!` does not write to them.
fn make(room: &mut Vec<u8>, size: usize) {
    if room.is_empty() {
        *room = vec![0; size];
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

    fn receive(room: &mut LazyBuffers, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let free = room.input_append_buf();
            assert!(!free.is_empty(), "there is room");
            let (some, rest) = bytes.split_at(free.len().min(bytes.len()));
            free[..some.len()].copy_from_slice(some);
            room.input_appended(some.len());
            bytes = rest;
        }
    }

    #[test]
    fn unconsumed_bytes_stay_in_order() {
        let mut room = LazyBuffers::default();
        receive(&mut room, b"a head, ");
        room.input_consume(2);
        receive(&mut room, b"and a body");
        assert_eq!(room.input(), b"head, and a body");
    }

    #[test]
    fn there_is_room_for_more_once_something_was_consumed() {
        let mut room = LazyBuffers::default();
        let all: Vec<u8> = (0..=250).cycle().take(10 * MAX_SIZE + 7).collect();
        let (mut given, mut taken) = (0, Vec::new());
        while taken.len() < all.len() {
            let free = room.input_append_buf();
            let next = &all[given..all.len().min(given + free.len())];
            assert!(!next.is_empty() || given == all.len());
            free[..next.len()].copy_from_slice(next);
            room.input_appended(next.len());
            given += next.len();
            let some = room.input().len().div_ceil(3);
            taken.extend_from_slice(&room.input()[..some]);
            room.input_consume(some);
        }
        assert!(taken == all);
    }

    #[test]
    fn input_that_nothing_could_be_made_of_waits_for_more() {
        let mut room = LazyBuffers::default();
        receive(&mut room, b"HTTP/1.1 20");
        room.input_consume(0);
        assert!(!room.can_use_input());
        room.input_consume(3);
        assert!(room.can_use_input());
    }

    #[test]
    fn buffered_bytes_are_sent_with_the_next_ones() {
        let mut room = LazyBuffers::default();
        room.output()[..4].copy_from_slice(b"head");
        room.keep(4);
        room.output()[..4].copy_from_slice(b"body");
        assert_eq!(room.take(4), b"headbody");
        room.output()[..4].copy_from_slice(b"next");
        assert_eq!(room.take(4), b"next");
    }

    #[test]
    fn there_is_more_room_once_what_there_was_has_been_filled() {
        let mut room = LazyBuffers::default();
        for size in [
            FIRST_SIZE,
            FIRST_SIZE * 2,
            FIRST_SIZE * 4,
            FIRST_SIZE * 8,
            MAX_SIZE,
            MAX_SIZE,
        ] {
            assert_eq!(room.input_append_buf().len(), size);
            receive(&mut room, &vec![b'x'; size]);
            room.input_consume(size);
        }
    }

    #[test]
    fn a_full_room_has_none_left() {
        let mut room = LazyBuffers::default();
        receive(&mut room, &vec![b'x'; MAX_SIZE]);
        assert!(room.input_append_buf().is_empty());
        assert_eq!(room.input().len(), MAX_SIZE);
    }
}
