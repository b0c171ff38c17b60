//! What is asked of etcd, and what its replies mean.
//!
//! In scope: requests as data, the heads and bodies of replies as values of [`crate::model`],
//! errors as [`Fault`]s. Out of scope: sending anything (`http`) and deciding what to ask
//! next (`watch`). Pure.

mod failure;
pub mod member;

use std::fmt;

use crate::model::Index;

pub use self::failure::{Distrust, Failure};
pub use crate::model::Api;

/// So many bytes of a text that is no reply are shown.
const BEGIN: usize = 60;

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads, and waits.
    Get,
    /// Writes a key.
    Put,
    /// Writes a key under a name that etcd chooses; in v3, anything.
    Post,
    /// Removes a key.
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, less the endpoint that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How it is made.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// What is sent along.
    pub body: Option<Body>,
    /// Whether it changes the store, so that it must not be sent twice.
    pub writes: bool,
    /// Whether a member without a leader is to break it off, rather than to stay silent (v3).
    pub needs_leader: bool,
}

/// What is sent along with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An URL-encoded form.
    Form(Vec<u8>),
    /// A JSON text.
    Json(Vec<u8>),
}

impl Body {
    /// The bytes as they are sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Form(bytes) | Self::Json(bytes) => bytes,
        }
    }

    /// What they are, as HTTP names it.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Form(_) => "application/x-www-form-urlencoded",
            Self::Json(_) => "application/json",
        }
    }
}

/// What the head of a reply tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The store's index when the request was handled. None where the reply has none that
    /// counts: errors other than 100, 104 and 401 carry 0 (etcd-facts.md, fact 18).
    pub index: Option<Index>,
    /// The cluster that answered.
    pub cluster: Option<String>,
    /// The raft entries that the member which answered knew to be committed: a jump by thousands
    /// may hide a snapshot install (etcd-facts.md, facts 5 and 16).
    pub raft: Option<u64>,
}

/// The end of a reply as HTTP says where that is: the terminal chunk, or the last byte that was
/// announced. A connection that broke or fell silent has none.
#[derive(Debug)]
pub struct Whole(());

impl Whole {
    /// A body was read to its end.
    #[must_use]
    pub const fn received() -> Self {
        Self(())
    }
}

/// An error that etcd answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// etcd's own code, such as 100 for a key that is not there.
    pub code: u32,
    /// What etcd says.
    pub message: String,
    /// What it is about: a key, a condition that failed.
    pub cause: String,
    /// The index that came along; not with every code is it the store's
    /// ([`crate::v2::fault::tells_index`]).
    pub index: Index,
}

/// A reply in which etcd says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What its body says.
    pub fault: Fault,
    /// What its head says.
    pub head: Head,
}

/// A reply that etcd does not give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is no text.
    #[error("the reply is empty")]
    Empty,
    /// The text is not JSON of the shape that was due.
    #[error("the reply is not what etcd sends: {0}")]
    Shape(String),
    /// An event claims to be a record that only this tool makes.
    #[error("the server sent an event that imitates a record of this tool ({0})")]
    Imitation(String),
}

impl Malformed {
    /// What is wrong with a text that can't be read for the reason `why`: where it is not even
    /// meant to be what was due, what it is instead.
    #[must_use]
    pub fn shape(text: &[u8], why: impl fmt::Display) -> Self {
        Self::Shape(match text.trim_ascii() {
            [] => "it is empty".to_owned(),
            [0x1f, 0x8b, ..] => "it is compressed by gzip, which was not asked for".to_owned(),
            [b'{', ..] => why.to_string(),
            other => {
                let begin = String::from_utf8_lossy(other.get(..BEGIN).unwrap_or(other));
                let line = begin.lines().next().unwrap_or_default();
                format!("it is no JSON object, but begins with {line:?}")
            }
        })
    }
}

/// What must hold for a write or a removal of one key, which is refused where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Whether the key must be there (`true`) or must not (`false`).
    pub exists: Option<bool>,
    /// The value that the key must have. With the v2 API it is never empty: etcd refuses that (fact 21).
    pub value: Option<Vec<u8>>,
    /// The index of the last change that the key must have.
    pub index: Option<Index>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_something_is_that_is_no_reply_is_told() {
        for (text, told) in [
            (&b""[..], "it is empty"),
            (b"\r\n", "it is empty"),
            (
                b"\x1f\x8b\x08",
                "it is compressed by gzip, which was not asked for",
            ),
            (
                b"<!DOCTYPE html>\n<html>",
                "it is no JSON object, but begins with \"<!DOCTYPE html>\"",
            ),
            (
                b"\xff\x1b]0;",
                "it is no JSON object, but begins with \"\u{fffd}\\u{1b}]0;\"",
            ),
            (b"{", "why"),
        ] {
            assert_eq!(
                Malformed::shape(text, "why"),
                Malformed::Shape(told.to_owned())
            );
        }
    }
}
