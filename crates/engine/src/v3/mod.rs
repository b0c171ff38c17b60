//! etcd's v3 API through its JSON gateway: `/v3`.
//!
//! Keys and values are base64 there, 64-bit integers are strings, and what is zero is left out
//! (etcd-facts.md, "v3 JSON gateway").

/// What the targets of its requests begin with.
pub const ROOT: &str = "/v3/";
/// Likewise, in 3.3.
pub const BETA_ROOT: &str = "/v3beta/";

mod element;
pub mod fault;
mod ranges;
mod request;
pub mod session;
mod watch;
mod wire;

pub use ranges::{Ranges, any, list, read_at, read_one, revision, since, state};
pub use request::{Span, Watch, authenticate, delete, grant_lease, revoke_lease, watch, write};
pub use session::{V3Request, V3Session};
pub use watch::{Assembler, MessageEnd, Portion, Told};
pub use wire::{Pair, Reply, parse_lease, parse_reply, parse_token};

/// A cluster's id as the heads of v2's replies write it; the gateway writes it in decimal.
fn cluster_name(id: u64) -> String {
    format!("{id:x}")
}
