//! Finds the end of the plain part of a JSON string, sixteen bytes at a time in two 64-bit words.
//!
//! Measured (benches/README.md): byte by byte, a burst of v2 events takes 11 to 13 % longer, and up to 20 %
//! more CPU. SIMD registers would save 2 % of the CPU with v2, and 5 % with v3's smallest events.

/// Every byte is 1.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte.
pub(super) const HIGH: u64 = ONES << 7;

/// How many bytes come before the first quote, backslash, control character or byte that is not ASCII.
#[allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of it, and an event takes half as long again"
)]
#[inline(always)]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let (sixteens, rest) = bytes.as_chunks::<16>();
    for (number, sixteen) in sixteens.iter().enumerate() {
        let (words, _) = sixteen.as_chunks::<8>();
        for (half, word) in words.iter().enumerate() {
            let marks = marks(u64::from_le_bytes(*word));
            if marks != 0 {
                return number * 16 + half * 8 + marks.trailing_zeros() as usize / 8;
            }
        }
    }
    let is_plain = |byte: &u8| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\');
    bytes.len() - rest.len() + rest.iter().take_while(|byte| is_plain(byte)).count()
}

/// Marks the bytes of a word that are not plain, in the highest bit of each. Above the first mark, further
/// bytes may be marked by mistake.
const fn marks(word: u64) -> u64 {
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (quote | backslash | below(word, 0x20) | word) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_plain_up_to_the_first_byte_that_is_not() {
        for length in 0..40 {
            let text = "~ a".repeat(14);
            let text = &text.as_bytes()[..length];
            for odd in [b'"', b'\\', 0, 0x1f, 0x80, 0xff] {
                let bytes = [text, &[odd], b"abcdefghijklmnopqrs\"\x80"].concat();
                assert_eq!(plain_length(&bytes), length, "{odd:x} after {length}");
            }
            assert_eq!(plain_length(text), length);
        }
    }

    #[test]
    fn every_byte_is_plain_or_not_in_every_position() {
        for position in 0..20 {
            for byte in 0..=255 {
                let mut bytes = [b'!'; 20];
                bytes[position] = byte;
                let is_plain = matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\');
                let expected = if is_plain { bytes.len() } else { position };
                assert_eq!(plain_length(&bytes), expected, "{byte:x} at {position}");
            }
        }
    }
}
