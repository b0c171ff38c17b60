//! Requests to etcd as data, and the parts of replies that both APIs share.
//!
//! In scope: requests, heads of replies, and errors as [`Fault`]s. Out of scope: sending them (the
//! client's `transport`), and the decision what to request next (`watch`).

mod failure;
pub mod member;

use std::fmt;

use crate::model::Index;

pub use self::failure::{Distrust, Failure};
pub use crate::model::Api;

/// How many bytes of an unexpected reply a message shows.
const SHOWN_BYTES: usize = 60;

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads or waits.
    Get,
    /// Writes a key.
    Put,
    /// With the v2 API, writes a key under a name that etcd chooses; with v3, used by every request.
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

/// A request, without the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// The body.
    pub body: Option<Body>,
    /// Whether it changes the store, so that it must not be sent twice.
    pub writes: bool,
    /// Whether a member that loses its leader should end the reply instead of staying silent (v3).
    pub needs_leader: bool,
}

/// The body of a request.
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

    /// The content type.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Form(_) => "application/x-www-form-urlencoded",
            Self::Json(_) => "application/json",
        }
    }
}

/// The head of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The store's index when the request was handled. `None` if the reply has none that counts: errors
    /// other than 100, 104 and 401 carry 0 (etcd-facts.md, fact 18).
    pub index: Option<Index>,
    /// The ID of the cluster.
    pub cluster: Option<String>,
    /// The number of raft entries that the member knew to be committed. A jump by thousands may hide a
    /// snapshot install (etcd-facts.md, facts 5 and 16).
    pub raft: Option<u64>,
}

/// Evidence that a reply ended where HTTP says so: at the terminal chunk, or at the announced length. A
/// connection that broke or stalled yields none.
#[derive(Debug)]
pub struct Whole(());

impl Whole {
    /// The body was read to its end.
    #[must_use]
    pub const fn received() -> Self {
        Self(())
    }
}

/// An error of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// etcd's own code, such as 100 for a key that is not there.
    pub code: u32,
    /// etcd's message.
    pub message: String,
    /// The subject of the error, such as a key or a condition that failed.
    pub cause: String,
    /// The index in the error. Only for some codes it is the store's
    /// ([`crate::v2::fault::tells_index`]).
    pub index: Index,
}

/// A reply with an error of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error in its body.
    pub fault: Fault,
    /// Its head.
    pub head: Head,
}

/// Why a reply is not one that etcd sends. The text follows "malformed reply:".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The reply has no body.
    #[error("it is empty")]
    Empty,
    /// The body is not JSON of the expected shape.
    #[error("{0}")]
    Shape(String),
    /// An event has the form of a record that only etcdwatch makes.
    #[error("an event imitates a record of etcdwatch with '{0}'")]
    Imitation(String),
}

impl Malformed {
    /// The error for a text that can't be parsed for the reason `why`. If the text is not JSON at all,
    /// the error says what it is instead.
    #[must_use]
    pub fn shape(text: &[u8], why: impl fmt::Display) -> Self {
        Self::Shape(match text.trim_ascii() {
            [] => "it is empty".to_owned(),
            [0x1f, 0x8b, ..] => "it is gzip-compressed, which etcdwatch did not request".to_owned(),
            [b'{', ..] => why.to_string(),
            other => {
                let begin = String::from_utf8_lossy(other.get(..SHOWN_BYTES).unwrap_or(other));
                let line = begin.lines().next().unwrap_or_default();
                format!("it is not a JSON object, but begins with {line:?}")
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
    fn the_error_for_a_malformed_reply_says_what_it_is() {
        for (text, expected) in [
            (&b""[..], "it is empty"),
            (b"\r\n", "it is empty"),
            (
                b"\x1f\x8b\x08",
                "it is gzip-compressed, which etcdwatch did not request",
            ),
            (
                b"<!DOCTYPE html>\n<html>",
                "it is not a JSON object, but begins with \"<!DOCTYPE html>\"",
            ),
            (
                b"\xff\x1b]0;",
                "it is not a JSON object, but begins with \"\u{fffd}\\u{1b}]0;\"",
            ),
            (b"{", "why"),
        ] {
            assert_eq!(
                Malformed::shape(text, "why"),
                Malformed::Shape(expected.to_owned())
            );
        }
    }
}
