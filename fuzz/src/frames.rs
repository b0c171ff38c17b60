//! Framing: a body makes the same frames however its bytes are split, and no frame is longer than
//! the limit. This holds for chunks, lines and messages.

use etcdwatch_engine::decode::{Chunks, Lines, Messages, Part, TooLong};

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
    assert_eq!(chunks(limit, &whole), chunks(300, &pieces));
}

/// The contents of the chunks of a body, read with room for so many bytes at a time, up to the end
/// or an invalid chunk, and whether the body is complete.
fn chunks(room: usize, pieces: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
    let mut chunks = Chunks::default();
    let mut output = vec![0; room];
    let mut body = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            let (used, written) = chunks.decode(piece, &mut output).ok()?;
            body.extend_from_slice(&output[..written]);
            piece = &piece[used..];
            if used == 0 && written == 0 {
                break;
            }
        }
        assert!(piece.is_empty() || chunks.is_over());
    }
    Some((body, chunks.is_over()))
}

/// The body in pieces of these lengths, repeatedly.
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

/// The lines of a body, up to the end or a line that is too long.
fn lines(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut lines = Lines::new(limit);
    let mut found = Vec::new();
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let room = lines.unfilled();
            let (part, rest) = piece.split_at(room.len().min(piece.len()));
            room[..part.len()].copy_from_slice(part);
            lines.advance(part.len());
            piece = rest;
            match lines.block() {
                Ok(Some(block)) => {
                    assert_eq!(block.last(), Some(&b'\n'));
                    let block = block[..block.len() - 1].split(|byte| *byte == b'\n');
                    found.extend(block.map(<[u8]>::to_vec));
                }
                Ok(None) => {}
                Err(TooLong { .. }) => {
                    // The number of lines before depends on how the bytes were split.
                    return (Vec::new(), None);
                }
            }
        }
    }
    assert!(found.iter().all(|line| line.len() <= limit));
    let rest = lines.rest();
    assert!(rest.len() <= limit);
    (found, Some(rest))
}

/// The parts of a body, up to the end or a part that is too long.
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
