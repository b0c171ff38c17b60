//! etcd's v3 API through its JSON gateway: `/v3`.
//!
//! Keys and values are base64 there, 64-bit integers are strings, and what is zero is left out
//! (etcd-facts.md, "v3 JSON gateway").

/// The first part of every target.
pub const ROOT: &str = "/v3/";
/// The first part of every target with etcd 3.3.
pub const BETA_ROOT: &str = "/v3beta/";

mod element;
pub mod fault;
mod ranges;
mod request;
pub mod session;
mod watch;
mod wire;

pub use ranges::{Ranges, any, list, read_at, read_one, revision, since, state};
pub use request::{
    KeyRange, WatchOptions, authenticate, delete, grant_lease, revoke_lease, watch, write,
};
pub use session::{V3Request, V3Session};
pub use watch::{Assembler, MessageEnd, Portion, WatchItem};
pub use wire::{KvReply, Pair, parse_lease, parse_reply, parse_token};

/// A cluster's ID as the v2 API writes it. The gateway writes it in decimal.
fn cluster_name(id: u64) -> String {
    format!("{id:x}")
}
