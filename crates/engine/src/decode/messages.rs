//! Splits the body of a v3 watch into messages, and their lists into elements.
//!
//! One message can hold the events of a thousand transactions and be tens of MB long. So it is not held
//! as a whole: each element of its list is handed out when it is complete, and at the end the message
//! with an empty list.

use super::plain::plain_length;
use super::{TooLong, reserve};

/// The depth of brackets inside the list of a message: `{"result":{"events":[…]}}`.
const LIST_DEPTH: usize = 3;

/// How many bytes of capacity a buffer keeps from one part to the next.
const KEPT_CAPACITY: usize = 256 << 10;

/// A part of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// An element of the list of the current message.
    Element(&'p [u8]),
    /// The message, without the elements of its list.
    Message(&'p [u8]),
}

/// Splits a body. It only follows brackets and strings, and does not check that a part is valid JSON.
#[derive(Debug)]
pub struct Messages {
    /// The current message without its list, so far.
    message: Vec<u8>,
    /// The current element, as far as earlier bytes had it.
    element: Vec<u8>,
    /// The number of open brackets.
    depth: usize,
    /// The third open bracket is that of a list.
    is_list: bool,
    in_string: bool,
    /// The last byte was the backslash of an escape.
    is_escaped: bool,
    /// The part that was handed out last. The next call clears its buffer.
    handed_out: Option<Handed>,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
enum Handed {
    Element,
    Message,
}

impl Messages {
    /// Splits a body whose elements have at most `limit` bytes, and whose messages have at most as many
    /// without their elements.
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

    /// Takes bytes from `bytes` up to the end of the next part; `None` if all are taken and the part is
    /// not complete.
    ///
    /// # Errors
    /// If a part is longer than the limit.
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
                // Separators are not needed, because each element is handed out by itself.
                let kept = |byte: &u8| !matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n');
                reserve(&mut self.message, part.len());
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

    /// How many bytes of an incomplete message or element are held.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.message.len() + self.element.len()
    }

    /// Whether the body so far ends in the middle of a message.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
        let is_message = self.handed_out.is_none() && !self.message.trim_ascii().is_empty();
        self.depth > 0 || is_message
    }

    fn in_element(&self) -> bool {
        self.is_list && self.depth > LIST_DEPTH
    }

    fn in_list(&self) -> bool {
        self.is_list && self.depth == LIST_DEPTH && !self.in_string
    }

    fn opens_element(&self, bytes: &[u8]) -> bool {
        self.in_list() && matches!(bytes.first(), Some(b'{' | b'['))
    }

    /// Reads up to the end of the element, or all.
    fn element_end(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let read = self.read(rest);
            let is_over = !self.in_string && self.depth <= LIST_DEPTH;
            at += read;
            if is_over {
                break;
            }
        }
        at
    }

    /// Reads up to the end of the message, to the next element, or to the start or end of the list; or
    /// all.
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

    /// Whether the message ends after `read`.
    fn is_over(&self, read: &[u8]) -> bool {
        self.depth == 0 && !self.in_string && matches!(read.last(), Some(b'}' | b'\n'))
    }

    /// Reads a bracket, a part of a string, or another byte, and returns its length.
    fn read(&mut self, bytes: &[u8]) -> usize {
        if self.in_string {
            return self.read_string(bytes);
        }
        match bytes.first() {
            Some(b'"') => self.in_string = true,
            Some(open @ (b'{' | b'[')) => {
                self.depth += 1;
                if self.depth == LIST_DEPTH {
                    self.is_list = *open == b'[';
                }
            }
            Some(b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                self.is_list &= self.depth >= LIST_DEPTH;
            }
            _ => {}
        }
        1
    }

    fn read_string(&mut self, bytes: &[u8]) -> usize {
        if std::mem::take(&mut self.is_escaped) {
            return 1;
        }
        let end = plain_length(bytes);
        match bytes.get(end) {
            None => return bytes.len(),
            Some(b'"') => self.in_string = false,
            Some(b'\\') => self.is_escaped = true,
            Some(_) => {}
        }
        end + 1
    }
}

/// Empties a buffer, and frees the memory that a long part took.
fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT_CAPACITY);
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
    fn a_body_that_is_not_messages_is_passed_on_unchanged() {
        assert_eq!(parts("null\n\n  \n}\n"), ["=null\n", "=}"]);
        assert_eq!(
            parts("{\"r\":{\"events\":[1,\"a,b\"]}}"),
            ["={\"r\":{\"events\":[1\"a,b\"]}}"],
            "no list of a message of etcd's"
        );
    }

    #[test]
    fn a_body_that_breaks_off_is_detected() {
        for body in ["{", "{\"a\":{\"b\":[{", "<html>", "{\"a\":\"}\n"] {
            let (parts, is_broken_off) = feed(1000, [body.as_bytes()]).unwrap();
            assert!(is_broken_off && parts.is_empty(), "{body}: {parts:?}");
        }
    }

    #[test]
    fn elements_and_the_rest_of_a_message_have_separate_limits() {
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
