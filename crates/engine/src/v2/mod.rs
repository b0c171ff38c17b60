//! etcd's v2 API: `/v2/keys`.

/// The first part of every target.
pub const ROOT: &str = "/v2/";

pub mod fault;
mod line;
mod request;
pub mod session;
mod wire;

pub use request::{Expiry, ReadOptions, Write, delete, read, stream, wait, wait_anywhere, write};
pub use session::{V2Request, V2Session};
/// How many indexes the server's history holds, of all keys together (etcd-facts.md, fact 10).
pub const HISTORY: u32 = 1000;
/// A jump of a member's raft index by this much may mean that it installed a snapshot. etcd keeps 5,000
/// entries for members that lag (facts 5 and 16). A member that was stopped may first process what its
/// sockets hold, so the jump comes in steps.
pub const RAFT_JUMP: u64 = 2000;

pub use wire::{ReplyNode, StateReply, check_state, parse_events, parse_events_into, parse_state};
