//! Parses events in the exact form that etcd writes, in one pass.
//!
//! In scope: the form without blanks between tokens, and with the fields in etcd's order. Out of scope:
//! every other form of the same JSON, which `wire` parses. So this module only makes the usual form
//! faster: `wire` would give the same result.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use crate::decode::tokens::{Quoted, Tokens};
use crate::model::{Action, EventSpans, Index, NodeSpans, Span};

/// A block of lines and the position of the next event.
pub(super) struct EventReader<'b> {
    tokens: Tokens<'b>,
}

impl<'b> EventReader<'b> {
    pub fn new(block: &'b [u8]) -> Self {
        Self {
            tokens: Tokens::new(block),
        }
    }

    /// Whether all lines are read.
    pub fn is_at_end(&self) -> bool {
        self.tokens.is_at_end()
    }

    /// Parses the next line. `None`, and nothing is read, if it does not have this form. `decode`
    /// decodes a string with escapes and returns its new span.
    #[inline(always)]
    pub fn event(&mut self, decode: &mut impl FnMut(Span) -> Option<Span>) -> Option<EventSpans> {
        let start = self.tokens.at();
        let event = self.read(decode);
        if event.is_none() {
            self.tokens.go_back(start);
        }
        event
    }

    /// Reads the next line, whatever it contains, without its newline.
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

    /// Reads from the action up to the node.
    fn action(&mut self) -> Option<Action> {
        // Most events are sets.
        if self.tokens.skip(b"{\"action\":\"set\",\"node\":") {
            return Some(Action::Set);
        }
        self.tokens.expect(b"{\"action\":\"")?;
        let name = self.tokens.string().filter(|name| !name.is_escaped)?;
        self.tokens.expect(b",\"node\":")?;
        Action::parse(self.tokens.of(name.span))
    }

    /// Reads a node, which usually has the key `likely`.
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
