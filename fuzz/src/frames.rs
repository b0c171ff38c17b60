//! Framing: whichever way the bytes of a body come, they make the same frames, and no frame is
//! longer than the limit.
//!
//! That chunks are undone before is ureq's work, which has fuzz targets of its own.

use etcdwatch::decode::{Lines, Messages, Part, TooLong};

use super::bytes::Bytes;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let limit = 1 + usize::from(bytes.byte());
    let cuts = bytes.text();
    let body = bytes.0;
    let whole = [body];
    let pieces = cut(body, cuts);
    assert_eq!(lines(limit, &whole), lines(limit, &pieces));
    assert_eq!(messages(limit, &whole), messages(limit, &pieces));
}

/// The body in pieces of these lengths, over and over.
fn cut<'b>(mut body: &'b [u8], lengths: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut lengths = lengths.iter().cycle();
    while !body.is_empty() {
        let length = lengths
            .next()
            .map_or(1, |length| usize::from(*length).max(1));
        let (piece, rest) = body.split_at(length.min(body.len()));
        pieces.push(piece);
        body = rest;
    }
    pieces
}

/// The lines of a body, up to where it ends or one is too long.
fn lines(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut lines = Lines::new(limit);
    let mut found = Vec::new();
    for piece in pieces {
        lines.room()[..piece.len()].copy_from_slice(piece);
        lines.advance(piece.len());
        match lines.block() {
            Ok(Some(block)) => {
                assert_eq!(block.last(), Some(&b'\n'));
                let block = block[..block.len() - 1].split(|byte| *byte == b'\n');
                found.extend(block.map(<[u8]>::to_vec));
            }
            Ok(None) => {}
            Err(TooLong { .. }) => {
                // How many lines came before depends on what was read together.
                return (Vec::new(), None);
            }
        }
    }
    assert!(found.iter().all(|line| line.len() <= limit));
    let rest = lines.rest();
    assert!(rest.len() <= limit);
    (found, Some(rest))
}

/// The parts of a body, up to where it ends or one is too long.
fn messages(limit: usize, pieces: &[&[u8]]) -> (Vec<(bool, Vec<u8>)>, Option<bool>) {
    let mut messages = Messages::new(limit);
    let mut found = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match messages.next(&mut rest) {
                Ok(None) => break,
                Ok(Some(part)) => {
                    let (is_message, part) = match part {
                        Part::Element(part) => (false, part),
                        Part::Message(part) => (true, part),
                    };
                    assert!(part.len() <= limit);
                    found.push((is_message, part.to_vec()));
                }
                Err(TooLong { .. }) => return (Vec::new(), None),
            }
        }
        assert!(rest.is_empty());
    }
    (found, Some(messages.is_broken_off()))
}
