//! The tokens of JSON in a form that is known before: what is expected is compared, not looked for.
//!
//! In scope: moving on in a text, and where strings and numbers stand in it. Out of scope: which tokens
//! follow each other (`v2::line`, `v3::element`), and every text that is written otherwise: of that,
//! nothing is said but that it is.
//!
//! Where a token begins is known once the one before it was read, and that is what takes the time. So
//! what reads a token is no call, but a part of what reads the event; and a text that most often is
//! one that was read before is compared with that first: how long that is, is known.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use wide::i8x16;

use crate::model::Span;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// A number with more digits may be none of 64 bits.
const DIGITS: usize = 19;

/// A text, read from one token to the next.
pub(crate) struct Tokens<'b> {
    text: &'b [u8],
    at: usize,
}

/// A string in a text: where it stands, and whether it has to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// What stands between the quotes.
    pub span: Span,
    /// There are escapes in it.
    pub is_escaped: bool,
}

impl<'b> Tokens<'b> {
    pub fn new(text: &'b [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// How much was read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes back to there.
    pub fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// The rest of the line, whatever is in it, without its end.
    pub fn line(&mut self) -> &'b [u8] {
        let rest = self.rest();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += length + 1;
        rest.get(..length).unwrap_or_default()
    }

    /// What stands there.
    pub fn of(&self, span: Span) -> &'b [u8] {
        span.of(self.text)
    }

    fn rest(&self) -> &'b [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads that, if it is next. Its length is known when this is compiled, so that a few words are
    /// compared.
    #[inline(always)]
    pub fn skip<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> bool {
        let is_next = self.rest().first_chunk() == Some(text);
        if is_next {
            self.at += LENGTH;
        }
        is_next
    }

    /// Likewise; none where it is not next.
    #[inline(always)]
    pub fn expect<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> Option<()> {
        self.skip(text).then_some(())
    }

    /// Reads what was read before once more, with that byte after it, if that is next. What was
    /// decoded does not stand in the text, and is never this.
    #[inline(always)]
    pub fn skip_again(&mut self, text: Span, end: u8) -> bool {
        let (from, to) = (text.start as usize, text.end as usize);
        let Some(text) = self.text.get(from..to) else {
            return false;
        };
        let rest = self.rest();
        let is_next = rest.starts_with(text) && rest.get(text.len()) == Some(&end);
        if is_next {
            self.at += text.len() + 1;
        }
        is_next
    }

    /// What was read since then.
    #[inline(always)]
    pub fn span_from(&self, start: usize) -> Option<Span> {
        Some(Span {
            start: u32::try_from(start).ok()?,
            end: u32::try_from(self.at).ok()?,
        })
    }

    /// The rest of a string that has begun, with the quote at its end read too. What is escaped in it
    /// is not looked at: whoever decodes it does.
    #[inline(always)]
    pub fn string(&mut self) -> Option<Quoted> {
        let start = self.at;
        let (mut is_escaped, mut is_ascii) = (false, true);
        loop {
            self.at += plain(self.rest());
            match self.text.get(self.at)? {
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
        let is_text = is_ascii || std::str::from_utf8(span.of(self.text)).is_ok();
        is_text.then_some(Quoted { span, is_escaped })
    }

    /// A number of 64 bits that is not negative.
    #[inline(always)]
    pub fn number(&mut self) -> Option<u64> {
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
