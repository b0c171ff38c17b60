//! An event in the very form that etcd writes, read in one pass over its bytes.
//!
//! In scope: that form alone, in which there is no blank between the tokens, and the fields have
//! their order. Out of scope: every other form that JSON has for the same: it is no less an event,
//! and is read by `wire`. So nothing is decided here but how fast most events are read: what is read
//! here, `wire` would read alike.
//!
//! Where a token begins is known once the one before it was read, and that is what takes the time. So
//! what reads a token is no call, but a part of what reads the event; and a text that most often is
//! one that was read before is compared with that first: how long that is, is known.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use wide::i8x16;

use crate::model::{Action, EventSpans, Index, NodeSpans, Span};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// A number with more digits may be none of 64 bits.
const DIGITS: usize = 19;

/// A block of lines, read from one event to the next.
pub(super) struct Reader<'b> {
    block: &'b [u8],
    at: usize,
}

/// A string in a block: where it stands, and whether it has to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    /// What stands between the quotes.
    pub span: Span,
    /// There are escapes in it.
    pub is_escaped: bool,
}

impl<'b> Reader<'b> {
    pub fn new(block: &'b [u8]) -> Self {
        Self { block, at: 0 }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.block.len()
    }

    /// The next event, with its line read; none where it is not of this form, and nothing is read.
    /// `decode` takes a string with escapes, and says where it stands decoded.
    #[inline(always)]
    pub fn event(&mut self, decode: &mut impl FnMut(Span) -> Option<Span>) -> Option<EventSpans> {
        let start = self.at;
        let event = self.read(decode);
        if event.is_none() {
            self.at = start;
        }
        event
    }

    /// The next line, whatever is in it, without its end.
    pub fn line(&mut self) -> &'b [u8] {
        let rest = self.rest();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += length + 1;
        rest.get(..length).unwrap_or_default()
    }

    #[inline(always)]
    fn read(&mut self, decode: &mut impl FnMut(Span) -> Option<Span>) -> Option<EventSpans> {
        let start = self.at;
        let action = self.action()?;
        let node = self.node(None, decode)?;
        let previous = if self.skip(b",\"prevNode\":") {
            Some(self.node(Some(node.key), decode)?)
        } else {
            None
        };
        self.expect(b"}")?;
        let raw = self.span_from(start)?;
        if !self.is_at_end() {
            self.expect(b"\n")?;
        }
        Some(EventSpans {
            action,
            raw: Some(raw),
            node,
            previous,
        })
    }

    /// The action, up to the node.
    fn action(&mut self) -> Option<Action> {
        // Most are this one.
        if self.skip(b"{\"action\":\"set\",\"node\":") {
            return Some(Action::Set);
        }
        self.expect(b"{\"action\":\"")?;
        let name = self.string().filter(|name| !name.is_escaped)?;
        self.expect(b",\"node\":")?;
        Action::parse(name.span.of(self.block))
    }

    /// A node, with this key most often.
    #[inline(always)]
    fn node(
        &mut self,
        likely: Option<Span>,
        decode: &mut impl FnMut(Span) -> Option<Span>,
    ) -> Option<NodeSpans> {
        self.expect(b"{\"key\":\"")?;
        let mut text = |quoted: Quoted| {
            if quoted.is_escaped {
                decode(quoted.span)
            } else {
                Some(quoted.span)
            }
        };
        let key = match likely {
            Some(key) if self.skip_again(key, b'"') => key,
            _ => text(self.string()?)?,
        };
        let value = if self.skip(b",\"value\":\"") {
            Some(text(self.string()?)?)
        } else {
            None
        };
        let mut dir = false;
        if !self.skip(b",\"modifiedIndex\":") {
            dir = self.skip(b",\"dir\":true");
            if self.skip(b",\"expiration\":\"") {
                self.string().filter(|quoted| !quoted.is_escaped)?;
            }
            if self.skip(b",\"ttl\":") {
                let _is_negative = self.skip(b"-");
                self.number()?;
            }
            self.expect(b",\"modifiedIndex\":")?;
        }
        let start = self.at;
        let modified = Index(self.number()?);
        let digits = self.span_from(start)?;
        self.expect(b",\"createdIndex\":")?;
        let created = if self.skip_again(digits, b'}') {
            modified
        } else {
            let created = self.number()?;
            self.expect(b"}")?;
            Index(created)
        };
        Some(NodeSpans {
            key,
            value,
            dir,
            modified,
            created,
            version: 0,
            lease: 0,
        })
    }

    fn rest(&self) -> &'b [u8] {
        self.block.get(self.at..).unwrap_or_default()
    }

    /// Its length is known when this is compiled, so that a few words are compared.
    fn skip<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> bool {
        let is_next = self.rest().first_chunk() == Some(text);
        if is_next {
            self.at += LENGTH;
        }
        is_next
    }

    /// Reads what was read before once more, with that byte after it; nothing where it is another. What
    /// was decoded does not stand in the block, and is never this.
    #[inline(always)]
    fn skip_again(&mut self, text: Span, end: u8) -> bool {
        let (from, to) = (text.start as usize, text.end as usize);
        let Some(text) = self.block.get(from..to) else {
            return false;
        };
        let rest = self.rest();
        let is_next = rest.starts_with(text) && rest.get(text.len()) == Some(&end);
        if is_next {
            self.at += text.len() + 1;
        }
        is_next
    }

    fn expect<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> Option<()> {
        self.skip(text).then_some(())
    }

    fn span_from(&self, start: usize) -> Option<Span> {
        Some(Span {
            start: u32::try_from(start).ok()?,
            end: u32::try_from(self.at).ok()?,
        })
    }

    /// The rest of a string that has begun, with the quote at its end read too. What is escaped in it
    /// is not looked at: whoever decodes it does.
    #[inline(always)]
    fn string(&mut self) -> Option<Quoted> {
        let start = self.at;
        let (mut is_escaped, mut is_ascii) = (false, true);
        loop {
            self.at += plain(self.rest());
            match self.block.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    is_escaped = true;
                    self.at += 2;
                }
                0x80.. => {
                    is_ascii = false;
                    self.at += 1;
                }
                // A control stands in no string.
                _ => return None,
            }
        }
        let span = self.span_from(start)?;
        self.at += 1;
        let is_text = is_ascii || std::str::from_utf8(span.of(self.block)).is_ok();
        is_text.then_some(Quoted { span, is_escaped })
    }

    #[inline(always)]
    fn number(&mut self) -> Option<u64> {
        let (number, length) = number(self.rest())?;
        self.at += length;
        Some(number)
    }
}

/// How many bytes there are before a quote, a backslash, a control, or what is not ASCII: sixteen
/// are looked at at once.
#[inline(always)]
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(some) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let some = i8x16::new(some.map(u8::cast_signed));
        // What is not ASCII is negative.
        let marked = some.simd_eq(i8x16::splat(0x22))
            | some.simd_eq(i8x16::splat(0x5c))
            | some.simd_lt(i8x16::splat(0x20));
        let marked = marked.to_bitmask();
        if marked != 0 {
            return at + marked.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let is_plain = |byte: &u8| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\');
    at + rest.iter().take_while(|byte| is_plain(byte)).count()
}

/// A number as JSON writes it, and how long it is.
#[inline(always)]
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut length) = bytes
        .first_chunk()
        .map_or((0, 0), |eight| eight_digits(*eight));
    if length % 8 == 0 {
        let digits = bytes.iter().skip(length).take(DIGITS + 1 - length);
        for digit in digits.take_while(|byte| byte.is_ascii_digit()) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit & 0xf));
            length += 1;
        }
    }
    let is_padded = length > 1 && bytes.first() == Some(&b'0');
    (length > 0 && length <= DIGITS && !is_padded).then_some((number, length))
}

/// What the digits say that these bytes begin with, and how many there are: all at once, pairs first.
fn eight_digits(bytes: [u8; 8]) -> (u64, usize) {
    let word = u64::from_le_bytes(bytes) ^ (ONES * 0x30);
    let others = (word.wrapping_add(ONES * 0x76) | word) & HIGH;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    let digits = word << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let number = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    (number, count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_string_is_plain_up_to_what_is_not() {
        for length in 0..40 {
            let text = "~ a".repeat(14);
            let text = &text.as_bytes()[..length];
            for odd in [b'"', b'\\', 0, 0x1f, 0x80, 0xff] {
                let bytes = [text, &[odd], b"abcdefghijklmnopqrs\"\x80"].concat();
                assert_eq!(plain(&bytes), length, "{odd:x} after {length}");
            }
            assert_eq!(plain(text), length);
        }
    }

    #[test]
    fn a_number_is_one_of_json_and_of_64_bits() {
        for text in [
            "0",
            "7",
            "10",
            "12345678",
            "123456789",
            "1234567890123456789",
        ] {
            for end in ["", ",", "}", "}\n{\"action\":"] {
                let line = format!("{text}{end}");
                let expected = Some((text.parse().unwrap(), text.len()));
                assert_eq!(number(line.as_bytes()), expected, "{line}");
            }
        }
        for text in [
            "",
            "x",
            "-1",
            "00",
            "01",
            "012345678",
            "12345678901234567890",
        ] {
            assert_eq!(number(format!("{text},").as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_read_as_it_is(value in 0..u64::MAX / 10, end in "[^0-9]{0,9}") {
            let text = format!("{value}{end}");
            let length = value.to_string().len();
            prop_assert_eq!(number(text.as_bytes()), Some((value, length)));
        }
    }
}
