//! Splits the body of a v2 stream into lines.

use super::{TooLong, reserve, trim};

/// The size of a read, in bytes: the first, which is enough for most events, and the largest. It doubles
/// each time that a read fills it.
const FIRST_READ: usize = 4 * 1024;
const MAX_READ: usize = 128 * 1024;

/// Splits a body into blocks of whole lines. The lines of one read stay in one buffer, so no line is
/// copied.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Replaces the buffer when that is handed out.
    spare: Vec<u8>,
    filled: usize,
    /// The buffer has no newline before this position.
    searched: usize,
    /// The size of the next read, in bytes.
    read: usize,
    limit: usize,
}

impl Lines {
    /// Splits a body whose lines have at most `limit` bytes without their newline.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            spare: Vec::new(),
            filled: 0,
            searched: 0,
            read: FIRST_READ,
            limit,
        }
    }

    /// Provides a buffer to use after the current one. Its content is overwritten.
    pub fn refill(&mut self, spare: Vec<u8>) {
        self.spare = spare;
    }

    /// The space for the next read of the body. [`Lines::advance`] must follow.
    pub fn unfilled(&mut self) -> &mut [u8] {
        let size = self.filled + self.read;
        if self.buffer.len() < size {
            let more = size - self.buffer.len();
            reserve(&mut self.buffer, more);
            self.buffer.resize(size, 0);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Notes that `count` bytes were read into [`Lines::unfilled`].
    pub fn advance(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.buffer.len());
        if self.filled == self.buffer.len() {
            self.read = (self.read * 2).min(MAX_READ);
        }
    }

    /// How many bytes of an incomplete line are held.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.filled
    }

    /// All complete lines so far, as one block that ends in a newline; `None` if there is none.
    ///
    /// # Errors
    /// If one of the lines, complete or not, is longer than the limit.
    pub fn block(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let (known, fresh) = self
            .buffer
            .get(..self.filled)
            .unwrap_or_default()
            .split_at(self.searched.min(self.filled));
        let Some(last) = memchr::memrchr(b'\n', fresh) else {
            self.searched = self.filled;
            return TooLong::unless(self.filled, self.limit).map(|()| None);
        };
        let end = known.len() + last + 1;
        // A block within the limit has no line beyond it.
        if end > self.limit {
            let mut start = 0;
            for newline in memchr::memchr_iter(b'\n', self.buffer.get(..end).unwrap_or_default()) {
                TooLong::unless(newline - start, self.limit)?;
                start = newline + 1;
            }
        }
        let block = if end * 2 < self.buffer.len() {
            // The buffer is mostly empty: it stays, and the block gets one of its own size.
            let block = self.buffer.get(..end).unwrap_or_default().to_vec();
            self.buffer.copy_within(end..self.filled, 0);
            block
        } else {
            let mut next = std::mem::take(&mut self.spare);
            let rest = self.buffer.get(end..self.filled).unwrap_or_default();
            match next.get_mut(..rest.len()) {
                Some(place) => place.copy_from_slice(rest),
                None => next = rest.to_vec(),
            }
            let mut block = std::mem::replace(&mut self.buffer, next);
            trim(&mut block);
            block.truncate(end);
            block
        };
        self.filled -= end;
        self.searched = self.filled;
        TooLong::unless(self.filled, self.limit)?;
        Ok(Some(block))
    }

    /// The bytes after the last newline, at the end of the body.
    #[must_use]
    pub fn rest(mut self) -> Vec<u8> {
        trim(&mut self.buffer);
        self.buffer.truncate(self.filled);
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads as many bytes as fit, and returns the others.
    fn put<'p>(lines: &mut Lines, bytes: &'p [u8]) -> &'p [u8] {
        let room = lines.unfilled();
        assert!(!room.is_empty());
        let (part, rest) = bytes.split_at(room.len().min(bytes.len()));
        room[..part.len()].copy_from_slice(part);
        lines.advance(part.len());
        rest
    }

    /// Feeds `pieces` and returns all blocks joined, and the rest.
    fn feed<'p>(
        limit: usize,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> Result<(Vec<u8>, Vec<u8>), TooLong> {
        let mut lines = Lines::new(limit);
        let mut joined = Vec::new();
        for mut piece in pieces {
            while !piece.is_empty() {
                piece = put(&mut lines, piece);
                if let Some(block) = lines.block()? {
                    assert_eq!(block.last(), Some(&b'\n'), "a block ends in a newline");
                    joined.extend(block);
                }
            }
        }
        Ok((joined, lines.rest()))
    }

    #[test]
    fn a_line_split_across_reads_is_one_line() {
        let (lines, rest) = feed(100, [&b"{\"a"[..], b"\":1", b"}\n"]).unwrap();
        assert_eq!(lines, b"{\"a\":1}\n");
        assert!(rest.is_empty());
    }

    #[test]
    fn a_cut_in_the_middle_of_a_character_keeps_its_bytes() {
        let whole = "{\"é\":\"漢\"}\n".as_bytes();
        for cut in 0..whole.len() {
            let (lines, _) = feed(100, [&whole[..cut], &whole[cut..]]).unwrap();
            assert_eq!(lines, whole);
        }
    }

    #[test]
    fn many_lines_in_one_read_are_one_block() {
        let mut lines = Lines::new(100);
        lines.unfilled()[..6].copy_from_slice(b"a\nb\nc\n");
        lines.advance(6);
        assert_eq!(lines.block().unwrap().unwrap(), b"a\nb\nc\n");
        assert_eq!(lines.block().unwrap(), None);
    }

    #[test]
    fn a_reused_buffer_changes_nothing() {
        let long = [vec![b'a'; 10_000], b"\nbc".to_vec()].concat();
        for spare in [0, 1, 3, 300_000] {
            let mut lines = Lines::new(20_000);
            let (mut rest, mut whole) = (long.as_slice(), Vec::new());
            while !rest.is_empty() {
                rest = put(&mut lines, rest);
                lines.refill(vec![b'\n'; spare]);
                whole.extend(lines.block().unwrap().unwrap_or_default());
            }
            assert_eq!(whole, &long[..10_001]);
            assert!(put(&mut lines, b"d\n").is_empty());
            assert_eq!(lines.block().unwrap().unwrap(), b"bcd\n");
            assert!(lines.rest().is_empty());
        }
    }

    #[test]
    fn bytes_after_the_last_newline_are_the_rest() {
        let (lines, rest) = feed(100, [&b"a\nb"[..]]).unwrap();
        assert_eq!(
            (lines.as_slice(), rest.as_slice()),
            (&b"a\n"[..], &b"b"[..])
        );
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_beyond_it_does_not() {
        assert!(feed(4, [&b"abcd\n"[..]]).is_ok());
        assert_eq!(feed(4, [&b"abcde\n"[..]]), Err(TooLong { limit: 4 }));
        assert_eq!(feed(4, [&b"a\nabcde\nb\n"[..]]), Err(TooLong { limit: 4 }));
    }

    #[test]
    fn a_line_without_an_end_stops_at_the_limit() {
        let limit = MAX_READ;
        let mut lines = Lines::new(limit);
        let mut fed = 0;
        let error = loop {
            let room = lines.unfilled();
            room.fill(b'x');
            fed += room.len();
            let count = room.len();
            lines.advance(count);
            match lines.block() {
                Ok(_) => assert!(fed < 3 * limit, "the limit is kept"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, TooLong { limit });
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_lines(
            body in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(0usize..400, 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]);
            let (lines, rest) = feed(1000, pieces).unwrap();
            let end = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            prop_assert_eq!(lines.as_slice(), &body[..end]);
            prop_assert_eq!(rest.as_slice(), &body[end..]);
        }
    }
}
