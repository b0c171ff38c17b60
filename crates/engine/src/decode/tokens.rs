//! Reads JSON in one exact form, by comparing it with the expected tokens.
//!
//! In scope: the position in a text, and the spans of strings and numbers. Out of scope: the order of the
//! tokens (`v2::line`, `v3::element`), and any other form, for which every method fails.
//!
//! A token can be read only when the one before it was, and this chain takes most of the time. So the
//! methods are inlined into the event's parser, and a string that often repeats an earlier one is compared
//! with that one first, because its length is known.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use super::plain::{HIGH, ONES, plain_length};
use crate::model::Span;

/// A number with more digits may not fit into 64 bits.
const DIGITS: usize = 19;

/// A text and the position of its next token.
pub(crate) struct Tokens<'b> {
    text: &'b [u8],
    at: usize,
}

/// A string in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// The part between the quotes.
    pub span: Span,
    /// It contains escapes, so it must be decoded.
    pub is_escaped: bool,
}

impl<'b> Tokens<'b> {
    pub fn new(text: &'b [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Whether all of the text is read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The number of bytes that were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Moves back to an earlier position.
    pub fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads the rest of the line, whatever it contains, and returns it without its newline.
    pub fn line(&mut self) -> &'b [u8] {
        let rest = self.rest();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += length + 1;
        rest.get(..length).unwrap_or_default()
    }

    /// The text of a span.
    pub fn of(&self, span: Span) -> &'b [u8] {
        span.of(self.text)
    }

    fn rest(&self) -> &'b [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads `text` if it is next. Its length is a constant, so the compiler compares whole words.
    #[inline(always)]
    pub fn skip<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> bool {
        let is_next = self.rest().first_chunk() == Some(text);
        if is_next {
            self.at += LENGTH;
        }
        is_next
    }

    /// As [`Tokens::skip`]; `None` if `text` is not next.
    #[inline(always)]
    pub fn expect<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> Option<()> {
        self.skip(text).then_some(())
    }

    /// Reads a repetition of `text`, and the byte `end` after it, if they are next. A string that was
    /// decoded is not in this text, and never repeats.
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

    /// The span from `start` to the current position.
    #[inline(always)]
    pub fn span_from(&self, start: usize) -> Option<Span> {
        Some(Span {
            start: u32::try_from(start).ok()?,
            end: u32::try_from(self.at).ok()?,
        })
    }

    /// Reads the rest of a string after its first quote, and the quote at its end. Escapes are not
    /// checked, because decoding checks them.
    #[inline(always)]
    pub fn string(&mut self) -> Option<Quoted> {
        let start = self.at;
        let (mut is_escaped, mut is_ascii) = (false, true);
        loop {
            self.at += plain_length(self.rest());
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
                // JSON has no control characters in strings.
                _ => return None,
            }
        }
        let span = self.span_from(start)?;
        self.at += 1;
        let is_text = is_ascii || std::str::from_utf8(span.of(self.text)).is_ok();
        is_text.then_some(Quoted { span, is_escaped })
    }

    /// Reads an unsigned number of 64 bits.
    #[inline(always)]
    pub fn number(&mut self) -> Option<u64> {
        let (number, length) = number(self.rest())?;
        self.at += length;
        Some(number)
    }
}

/// A JSON number at the start of `bytes`, and its length.
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

/// The number that the first digits of `bytes` make, and how many digits there are. All eight are
/// combined at once: to pairs, then fours, then eight.
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
    fn numbers_are_json_and_fit_into_64_bits() {
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
        fn any_number_is_parsed_exactly(value in 0..u64::MAX / 10, end in "[^0-9]{0,9}") {
            let text = format!("{value}{end}");
            let length = value.to_string().len();
            prop_assert_eq!(number(text.as_bytes()), Some((value, length)));
        }
    }
}
