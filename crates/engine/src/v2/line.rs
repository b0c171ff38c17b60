//! An event in the very form that etcd writes, read in one pass over its bytes.
//!
//! In scope: that form alone, in which there is no blank between the tokens, and the fields have
//! their order. Out of scope: every other form that JSON has for the same: it is no less an event,
//! and is read by `wire`. So nothing is decided here but how fast most events are read: what is read
//! here, `wire` would read alike.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use crate::decode::tokens::{Quoted, Tokens};
use crate::model::{Action, EventSpans, Index, NodeSpans, Span};

/// A block of lines, read from one event to the next.
pub(super) struct EventReader<'b> {
    tokens: Tokens<'b>,
}

impl<'b> EventReader<'b> {
    pub fn new(block: &'b [u8]) -> Self {
        Self {
            tokens: Tokens::new(block),
        }
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.tokens.is_at_end()
    }

    /// The next event, with its line read; none where it is not of this form, and nothing is read.
    /// `decode` takes a string with escapes, and says where it stands decoded.
    #[inline(always)]
    pub fn event(&mut self, decode: &mut impl FnMut(Span) -> Option<Span>) -> Option<EventSpans> {
        let start = self.tokens.at();
        let event = self.read(decode);
        if event.is_none() {
            self.tokens.go_back(start);
        }
        event
    }

    /// The next line, whatever is in it, without its end.
    pub fn line(&mut self) -> &'b [u8] {
        self.tokens.line()
    }

    #[inline(always)]
    fn read(&mut self, decode: &mut impl FnMut(Span) -> Option<Span>) -> Option<EventSpans> {
        let start = self.tokens.at();
        let action = self.action()?;
        let node = self.node(None, decode)?;
        let previous = if self.tokens.skip(b",\"prevNode\":") {
            Some(self.node(Some(node.key), decode)?)
        } else {
            None
        };
        self.tokens.expect(b"}")?;
        let raw = self.tokens.span_from(start)?;
        if !self.tokens.is_at_end() {
            self.tokens.expect(b"\n")?;
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
        if self.tokens.skip(b"{\"action\":\"set\",\"node\":") {
            return Some(Action::Set);
        }
        self.tokens.expect(b"{\"action\":\"")?;
        let name = self.tokens.string().filter(|name| !name.is_escaped)?;
        self.tokens.expect(b",\"node\":")?;
        Action::parse(self.tokens.of(name.span))
    }

    /// A node, with this key most often.
    #[inline(always)]
    fn node(
        &mut self,
        likely: Option<Span>,
        decode: &mut impl FnMut(Span) -> Option<Span>,
    ) -> Option<NodeSpans> {
        self.tokens.expect(b"{\"key\":\"")?;
        let mut text = |quoted: Quoted| {
            if quoted.is_escaped {
                decode(quoted.span)
            } else {
                Some(quoted.span)
            }
        };
        let key = match likely {
            Some(key) if self.tokens.skip_again(key, b'"') => key,
            _ => text(self.tokens.string()?)?,
        };
        let value = if self.tokens.skip(b",\"value\":\"") {
            Some(text(self.tokens.string()?)?)
        } else {
            None
        };
        let mut dir = false;
        if !self.tokens.skip(b",\"modifiedIndex\":") {
            dir = self.tokens.skip(b",\"dir\":true");
            if self.tokens.skip(b",\"expiration\":\"") {
                self.tokens.string().filter(|quoted| !quoted.is_escaped)?;
            }
            if self.tokens.skip(b",\"ttl\":") {
                let _is_negative = self.tokens.skip(b"-");
                self.tokens.number()?;
            }
            self.tokens.expect(b",\"modifiedIndex\":")?;
        }
        let start = self.tokens.at();
        let modified = Index(self.tokens.number()?);
        let digits = self.tokens.span_from(start)?;
        self.tokens.expect(b",\"createdIndex\":")?;
        let created = if self.tokens.skip_again(digits, b'}') {
            modified
        } else {
            let created = self.tokens.number()?;
            self.tokens.expect(b"}")?;
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
}
