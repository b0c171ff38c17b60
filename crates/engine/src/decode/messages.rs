//! A body of v3: JSON objects, whose lists come apart as they arrive.
//!
//! One message of a v3 watch can hold the events of a thousand transactions, and be tens of
//! megabytes long. So that it need not be held whole, the elements of its list are handed out one
//! by one, and what is left of it, with an empty list, at its end.

use memchr::memchr2;
use wide::i8x16;

use super::{TooLong, reserve};

/// The list of a message is what stands in an object in the message:
/// `{"result":{"events":[…]}}`.
const LIST: usize = 3;

/// So many bytes are looked at at once, each of which is a bit then: of these.
const SIXTEEN: usize = 16;
const ALL: u32 = 0xffff;

/// The buffers keep this many bytes of capacity from one part to the next.
const KEPT: usize = 256 << 10;

/// A part of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// An element of the list of the message that is being read.
    Element(&'p [u8]),
    /// The message itself, without the elements that came before.
    Message(&'p [u8]),
}

/// Takes a body apart. It checks nothing but how brackets and strings are nested: that a part is
/// JSON is for its reader to see.
#[derive(Debug)]
pub struct Messages {
    /// What of the message is neither in its list nor handed out.
    message: Vec<u8>,
    /// What of the element came with earlier bytes.
    element: Vec<u8>,
    /// How many brackets are open.
    depth: usize,
    /// The third of them is that of a list.
    is_list: bool,
    in_string: bool,
    /// The next byte of the string is escaped.
    is_escaped: bool,
    /// What was handed out last is forgotten with the next call.
    handed_out: Option<Handed>,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
enum Handed {
    Element,
    Message,
}

impl Messages {
    /// Messages with elements of at most `limit` bytes, and as many beside the elements.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            message: Vec::new(),
            element: Vec::new(),
            depth: 0,
            is_list: false,
            in_string: false,
            is_escaped: false,
            handed_out: None,
            limit,
        }
    }

    /// The next part in what was read so far and `bytes`, from which it is taken; none once all
    /// of them are read.
    ///
    /// # Errors
    /// Where a part is longer than the limit.
    pub fn next<'s, 'b: 's>(
        &'s mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Part<'s>>, TooLong> {
        match self.handed_out.take() {
            Some(Handed::Element) => clear(&mut self.element),
            Some(Handed::Message) => clear(&mut self.message),
            None => {}
        }
        while !bytes.is_empty() {
            if self.in_element() || self.opens_element(bytes) {
                let (part, rest) = bytes.split_at(self.element_end(bytes));
                *bytes = rest;
                let is_whole = !self.in_element();
                if is_whole && self.element.is_empty() {
                    TooLong::unless(part.len(), self.limit)?;
                    return Ok(Some(Part::Element(part)));
                }
                TooLong::unless(self.element.len() + part.len(), self.limit)?;
                reserve(&mut self.element, part.len());
                self.element.extend_from_slice(part);
                if is_whole {
                    self.handed_out = Some(Handed::Element);
                    return Ok(Some(Part::Element(&self.element)));
                }
                continue;
            }
            let was_in_list = self.in_list();
            let (part, rest) = bytes.split_at(self.message_end(bytes));
            *bytes = rest;
            if was_in_list {
                // Elements are told apart already.
                let kept = |byte: &u8| !matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n');
                self.message.extend(part.iter().copied().filter(kept));
            } else {
                TooLong::unless(self.message.len() + part.len(), self.limit)?;
                reserve(&mut self.message, part.len());
                self.message.extend_from_slice(part);
            }
            TooLong::unless(self.message.len(), self.limit)?;
            let ends = self.is_over(part);
            if ends && self.message.trim_ascii().is_empty() {
                self.message.clear();
            } else if ends {
                self.handed_out = Some(Handed::Message);
                return Ok(Some(Part::Message(&self.message)));
            }
        }
        Ok(None)
    }

    /// How many bytes are held of a message that is not whole yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.message.len() + self.element.len()
    }

    /// Whether the body broke off in the middle of a message.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
        let is_message = self.handed_out.is_none() && !self.message.trim_ascii().is_empty();
        self.depth > 0 || is_message
    }

    fn in_element(&self) -> bool {
        self.is_list && self.depth > LIST
    }

    fn in_list(&self) -> bool {
        self.is_list && self.depth == LIST && !self.in_string
    }

    fn opens_element(&self, bytes: &[u8]) -> bool {
        self.in_list() && matches!(bytes.first(), Some(b'{' | b'['))
    }

    /// Reads up to the end of the element, or all. Nearly every byte is read here, so sixteen are
    /// looked at at once, where none is escaped.
    fn element_end(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let sixteen = rest.first_chunk();
            let read_at_once = sixteen.and_then(|some| self.read_sixteen(some));
            let (read, is_over) = read_at_once.unwrap_or_else(|| {
                let read = self.read(rest);
                (read, !self.in_string && self.depth <= LIST)
            });
            at += read;
            if is_over {
                break;
            }
        }
        at
    }

    /// Reads sixteen bytes, or up to the end of the element, if that comes first: how many, and whether
    /// it does. None where something is escaped, and nothing is read.
    fn read_sixteen(&mut self, bytes: &[u8; SIXTEEN]) -> Option<(usize, bool)> {
        let bytes = i8x16::new(bytes.map(u8::cast_signed));
        let is =
            |bytes: i8x16, byte: u8| bytes.simd_eq(i8x16::splat(byte.cast_signed())).to_bitmask();
        if self.is_escaped || is(bytes, b'\\') != 0 {
            return None;
        }
        // Set from a quote that opens a string to the byte before the one that ends it.
        let mut inside = is(bytes, b'"');
        for width in [1, 2, 4, 8] {
            inside ^= inside << width;
        }
        if self.in_string {
            inside = !inside;
        }
        // `[` and `]` differ from `{` and `}` in one bit.
        let folded = bytes | i8x16::splat(0x20);
        let opening = is(folded, b'{') & !inside;
        let mut brackets = (opening | is(folded, b'}') & !inside) & ALL;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            if opening >> at & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth -= 1;
                if self.depth <= LIST {
                    self.in_string = false;
                    return Some((at as usize + 1, true));
                }
            }
            brackets &= brackets - 1;
        }
        self.in_string = inside >> (SIXTEEN - 1) & 1 == 1;
        Some((SIXTEEN, false))
    }

    /// Reads up to the end of the message, or to where an element begins, or the list does or
    /// ends; or all.
    fn message_end(&mut self, bytes: &[u8]) -> usize {
        let was_in_list = self.in_list();
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            if at > 0 && self.opens_element(rest) {
                break;
            }
            at += self.read(rest);
            if self.is_over(bytes.get(..at).unwrap_or_default()) || self.in_list() != was_in_list {
                break;
            }
        }
        at
    }

    /// Whether the message ends with what was read.
    fn is_over(&self, read: &[u8]) -> bool {
        self.depth == 0 && !self.in_string && matches!(read.last(), Some(b'}' | b'\n'))
    }

    /// Reads what comes next: a bracket, a part of a string, or another byte. How long it is.
    fn read(&mut self, bytes: &[u8]) -> usize {
        if self.in_string {
            return self.read_string(bytes);
        }
        match bytes.first() {
            Some(b'"') => self.in_string = true,
            Some(open @ (b'{' | b'[')) => {
                self.depth += 1;
                if self.depth == LIST {
                    self.is_list = *open == b'[';
                }
            }
            Some(b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                self.is_list &= self.depth >= LIST;
            }
            _ => {}
        }
        1
    }

    fn read_string(&mut self, bytes: &[u8]) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            return 1;
        }
        let Some(end) = memchr2(b'"', b'\\', bytes) else {
            return bytes.len();
        };
        match bytes.get(end) {
            Some(b'"') => self.in_string = false,
            _ => self.is_escaped = true,
        }
        end + 1
    }
}

/// Empties a buffer. One that a long part has filled gives its memory back.
fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `pieces`; elements with `*` before them, messages with `=`.
    fn feed<'p>(
        limit: usize,
        pieces: impl IntoIterator<Item = &'p [u8]>,
    ) -> Result<(Vec<String>, bool), TooLong> {
        let mut messages = Messages::new(limit);
        let mut parts = Vec::new();
        for mut piece in pieces {
            while let Some(part) = messages.next(&mut piece)? {
                let (sign, text) = match part {
                    Part::Element(text) => ('*', text),
                    Part::Message(text) => ('=', text),
                };
                parts.push(format!("{sign}{}", String::from_utf8_lossy(text)));
            }
        }
        Ok((parts, messages.is_broken_off()))
    }

    #[track_caller]
    fn parts(body: &str) -> Vec<String> {
        let (parts, is_broken_off) = feed(1000, [body.as_bytes()]).unwrap();
        assert!(!is_broken_off, "{body}");
        parts
    }

    #[test]
    fn the_elements_of_a_list_come_before_their_message() {
        let body = "{\"result\":{\"header\":{\"x\":[1]},\"events\":[{\"kv\":{\"key\":\"}],\\\"{\"}} , {}],\"n\":1}}\n{\"a\":[{}]}\n";
        assert_eq!(
            parts(body),
            [
                "*{\"kv\":{\"key\":\"}],\\\"{\"}}",
                "*{}",
                "={\"result\":{\"header\":{\"x\":[1]},\"events\":[],\"n\":1}}",
                "={\"a\":[{}]}",
            ]
        );
    }

    #[test]
    fn what_is_no_message_comes_as_it_is() {
        assert_eq!(parts("null\n\n  \n}\n"), ["=null\n", "=}"]);
        assert_eq!(
            parts("{\"r\":{\"events\":[1,\"a,b\"]}}"),
            ["={\"r\":{\"events\":[1\"a,b\"]}}"],
            "no list of a message of etcd's"
        );
    }

    #[test]
    fn a_body_that_breaks_off_is_known_for_it() {
        for body in ["{", "{\"a\":{\"b\":[{", "<html>", "{\"a\":\"}\n"] {
            let (parts, is_broken_off) = feed(1000, [body.as_bytes()]).unwrap();
            assert!(is_broken_off && parts.is_empty(), "{body}: {parts:?}");
        }
    }

    #[test]
    fn an_element_is_as_long_as_may_be_and_the_message_longer() {
        let body = format!(
            "{{\"r\":{{\"e\":[{}]}}}}",
            vec!["{\"k\":\"v\"}"; 50].join(",")
        );
        let pieces = || body.as_bytes().chunks(7);
        assert_eq!(feed(20, pieces()).unwrap().0.len(), 51);
        assert_eq!(feed(8, pieces()), Err(TooLong { limit: 8 }));
        let endless = vec![b'x'; 100];
        let text = [b"{\"".as_slice(), &endless].concat();
        assert_eq!(feed(64, [&text[..]]), Err(TooLong { limit: 64 }));
    }

    /// Like JSON, and not always.
    fn like_json() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            3 => Just("{\"r\":{\"e\":["),
            3 => Just("{\"k\":\"v\"}"),
            2 => Just(","),
            3 => Just("]}}\n"),
            1 => Just("\""),
            1 => Just("\\"),
            1 => Just("["),
            1 => Just("}"),
            1 => Just("é\n"),
        ];
        proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    /// A value in an element, with marks and escapes in its strings.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let text = "[a\\]\\[{}\"\\\\,\n é]{0,40}";
        let leaf = prop_oneof![
            any::<i32>().prop_map(serde_json::Value::from),
            text.prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::vec((text, inner), 0..4)
                    .prop_map(|fields| { serde_json::Value::Object(fields.into_iter().collect()) }),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_are_what_serde_finds_in_the_list(
            elements in proptest::collection::vec(proptest::collection::vec(value(), 0..3), 1..6),
            is_spaced in any::<bool>(),
            length in 1usize..90,
        ) {
            let message = serde_json::json!({"result": {"n": "[{", "events": elements}});
            let body = if is_spaced { serde_json::to_vec_pretty(&message).unwrap() } else { serde_json::to_vec(&message).unwrap() };
            let (parts, is_broken_off) = feed(body.len(), body.chunks(length)).unwrap();
            prop_assert!(!is_broken_off);
            let read = |text: &String| serde_json::from_str(&text[1..]).unwrap();
            let found: Vec<serde_json::Value> = parts.iter().map(read).collect();
            let (rest, found) = found.split_last().unwrap();
            prop_assert_eq!(serde_json::json!(found), serde_json::json!(elements));
            prop_assert_eq!(rest, &serde_json::json!({"result": {"n": "[{", "events": []}}));
        }

        #[test]
        fn any_split_of_the_bytes_gives_the_same_parts(
            body in like_json(),
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let body = body.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]);
            prop_assert_eq!(feed(1000, pieces).unwrap(), feed(1000, [body]).unwrap());
        }
    }
}
