//! etcd's v3 API through its JSON gateway: `/v3`.
//!
//! Keys and values are base64 there, 64-bit integers are strings, and what is zero is left out
//! (etcd-facts.md, "v3 JSON gateway").

/// What the targets of its requests begin with.
pub const ROOT: &str = "/v3/";

pub mod fault;
mod request;
mod wire;

pub use request::{Condition, Span, delete, grant_lease, list, read_one, revoke_lease, write};
pub use wire::{Pair, Reply, parse_lease, parse_reply};
