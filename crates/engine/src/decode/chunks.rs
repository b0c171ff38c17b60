//! Decodes chunked bodies (RFC 9112, section 7.1).
//!
//! etcd sends each event as a chunk, so the framing is a large part of the work. A chunk's size line that
//! has arrived as a whole is read at once, and only one that is split between reads byte by byte.

/// The limit on a chunk's extensions and on the trailers of a body, in bytes. etcd sends neither.
const MAX_EXTRA: u32 = 4096;
/// The number of hexadecimal digits of the largest chunk size.
const MAX_DIGITS: u32 = 16;

/// The framing of a chunked body is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not framed as HTTP says: {0}")]
pub struct BadFrame(&'static str);

/// Decodes one chunked body.
#[derive(Clone, Debug)]
pub struct Chunks {
    state: FrameState,
}

/// The part of the framing that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameState {
    /// The size of a chunk, with the part that was read.
    Size { size: u64, digits: u32 },
    /// The extensions after a size, with their length so far.
    Extension { size: u64, length: u32 },
    /// The line feed after a size.
    Begin { size: u64 },
    /// The data of a chunk, with the number of bytes left.
    Data { left: u64 },
    /// The carriage return after the data.
    End,
    /// The line feed after the data.
    EndFeed,
    /// A trailer line, with the length of it and of all trailers so far.
    Trailer { line: u32, length: u32 },
    /// The line feed after a trailer line.
    TrailerFeed { line: u32, length: u32 },
    /// The end of the body.
    Over,
}

impl FrameState {
    const START: Self = Self::Size { size: 0, digits: 0 };
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            state: FrameState::START,
        }
    }
}

impl Chunks {
    /// Decodes `input` into `output`, and returns how many bytes of each were used. All of `input` is used
    /// unless `output` is full or the body has ended.
    ///
    /// # Errors
    /// If the framing is not valid.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), BadFrame> {
        let (mut rest, mut room) = (input, &mut *output);
        loop {
            match self.state {
                FrameState::Data { left: 0 } => self.state = FrameState::End,
                FrameState::Data { left } => {
                    let count = rest.len().min(room.len());
                    let count = usize::try_from(left).map_or(count, |left| count.min(left));
                    if count == 0 {
                        break;
                    }
                    let (part, after) = rest.split_at(count);
                    let (filled, free) = room.split_at_mut(count);
                    filled.copy_from_slice(part);
                    (rest, room) = (after, free);
                    self.state = FrameState::Data {
                        left: left - count as u64,
                    };
                }
                FrameState::Over => break,
                FrameState::End if rest.starts_with(b"\r\n") => {
                    rest = rest.get(2..).unwrap_or_default();
                    self.state = FrameState::START;
                }
                FrameState::START if let Some((size, length)) = whole_size(rest) => {
                    rest = rest.get(length..).unwrap_or_default();
                    self.state = begin(size);
                }
                state => {
                    let Some((byte, after)) = rest.split_first() else {
                        break;
                    };
                    self.state = state.after(*byte)?;
                    rest = after;
                }
            }
        }
        let (left, free) = (rest.len(), room.len());
        Ok((input.len() - left, output.len() - free))
    }

    /// Whether the body has ended. A connection that closes before was cut.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == FrameState::Over
    }
}

/// The size of the chunk that begins here, and the length of its size line. `None` if the line is
/// incomplete, not valid, or has extensions.
fn whole_size(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0;
    for (at, byte) in bytes.iter().enumerate().take(MAX_DIGITS as usize) {
        let Some(digit) = digit(*byte) else {
            let is_whole = at > 0 && bytes.get(at..)?.starts_with(b"\r\n");
            return is_whole.then_some((size, at + 2));
        };
        size = size << 4 | digit;
    }
    None
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// The state at the start of a chunk of that size. A chunk of size 0 is the last.
fn begin(size: u64) -> FrameState {
    match size {
        0 => FrameState::Trailer { line: 0, length: 0 },
        left => FrameState::Data { left },
    }
}

impl FrameState {
    /// The state after a byte that is not data.
    fn after(self, byte: u8) -> Result<Self, BadFrame> {
        match (self, byte) {
            (Self::Size { digits: 1.., size } | Self::Extension { size, .. }, b'\r') => {
                Ok(Self::Begin { size })
            }
            (Self::Size { digits: 1.., size }, b';' | b' ' | b'\t') => {
                Ok(Self::Extension { size, length: 1 })
            }
            (Self::Size { size, digits }, byte) => match digit(byte) {
                Some(_) if digits == MAX_DIGITS => Err(BadFrame("the size of a chunk has no end")),
                Some(digit) => Ok(Self::Size {
                    size: size << 4 | digit,
                    digits: digits + 1,
                }),
                None => Err(BadFrame("the size of a chunk is no number")),
            },
            (Self::Extension { length, .. }, _) if length >= MAX_EXTRA => {
                Err(BadFrame("what is said of a chunk has no end"))
            }
            (Self::Extension { size, length }, _) => Ok(Self::Extension {
                size,
                length: length + 1,
            }),
            (Self::Begin { size }, b'\n') => Ok(begin(size)),
            (Self::End, b'\r') => Ok(Self::EndFeed),
            (Self::EndFeed, b'\n') => Ok(Self::START),
            (Self::Trailer { line, length }, b'\r') => Ok(Self::TrailerFeed { line, length }),
            (Self::Trailer { length, .. }, _) if length >= MAX_EXTRA => {
                Err(BadFrame("what trails it has no end"))
            }
            (Self::Trailer { line, length }, _) => Ok(Self::Trailer {
                line: line + 1,
                length: length + 1,
            }),
            (Self::TrailerFeed { line: 0, .. }, b'\n') => Ok(Self::Over),
            (Self::TrailerFeed { length, .. }, b'\n') => Ok(Self::Trailer { line: 0, length }),
            _ => Err(BadFrame("a chunk does not end where it should")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes the pieces into an output of `room` bytes. Returns the body, whether it ended, and how many
    /// bytes came after it.
    fn feed<'p>(
        room: usize,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> Result<(Vec<u8>, bool, usize), BadFrame> {
        let mut chunks = Chunks::default();
        let (mut body, mut behind) = (Vec::new(), 0);
        let mut output = vec![0; room];
        for mut piece in pieces {
            loop {
                let (used, written) = chunks.decode(piece, &mut output)?;
                body.extend_from_slice(&output[..written]);
                piece = &piece[used..];
                if used == 0 && written == 0 {
                    break;
                }
            }
            assert!(piece.is_empty() || chunks.is_over(), "all is taken");
            behind += piece.len();
        }
        Ok((body, chunks.is_over(), behind))
    }

    fn text(framed: &str) -> Result<(String, bool, usize), BadFrame> {
        let (body, is_over, behind) = feed(100, [framed.as_bytes()])?;
        Ok((String::from_utf8(body).unwrap(), is_over, behind))
    }

    #[test]
    fn the_data_of_the_chunks_is_the_body() {
        let framed = "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(text(framed).unwrap(), ("abc0123456789".to_owned(), true, 0));
    }

    #[test]
    fn extensions_and_trailers_are_skipped() {
        let framed = "3;a=\"b\"\r\nabc\r\n2 \r\nde\r\n0;x\r\nX: y\r\nZ:\r\n\r\nHTTP";
        assert_eq!(text(framed).unwrap(), ("abcde".to_owned(), true, 4));
    }

    #[test]
    fn a_cut_body_is_not_complete() {
        let framed = "3\r\nabc\r\n0\r\nX: y\r\n\r\n";
        for cut in 0..framed.len() {
            let (_, is_over, _) = text(&framed[..cut]).unwrap();
            assert!(!is_over, "{cut}");
        }
    }

    #[test]
    fn malformed_frames_are_refused() {
        for framed in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "3\rabc",
            ";x\r\n",
            "10000000000000000\r\n",
            "0\r\nX: y\rZ\r\n",
        ] {
            assert!(text(framed).is_err(), "{framed:?}");
        }
        let long = "x".repeat(5000);
        for framed in [
            "0".repeat(17),
            format!("1;{long}"),
            format!("0\r\n{long}"),
            format!("0\r\n{}", "X: y\r\n".repeat(2000)),
        ] {
            assert!(text(&framed).is_err(), "{}", &framed[..20]);
        }
        assert!(text("ffffffffffffffff\r\nabc").is_ok());
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let data = proptest::collection::vec(any::<u8>(), 1..40);
        let framed = data.prop_map(|data| {
            let mut framed = format!("{:X}\r\n", data.len()).into_bytes();
            framed.extend(data);
            framed.extend(b"\r\n");
            framed
        });
        let noise = proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'a'), Just(b';')],
            0..6,
        );
        let parts = proptest::collection::vec(prop_oneof![9 => framed, 1 => noise], 0..8);
        parts.prop_map(|mut parts| {
            parts.push(b"0\r\n\r\nrest".to_vec());
            parts.concat()
        })
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_and_any_room_gives_the_same_body(
            framed in frames(),
            cuts in proptest::collection::vec(0usize..300, 0..12),
            room in 1usize..50,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(framed.len())).collect();
            cuts.extend([0, framed.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &framed[pair[0]..pair[1]]);
            let whole = feed(1000, [&framed[..]]);
            prop_assert_eq!(feed(room, pieces), whole.clone());
            let bytes = framed.iter().map(std::slice::from_ref);
            prop_assert_eq!(feed(1000, bytes), whole);
        }
    }
}
