//! etcd's v2 API: `/v2/keys`.

pub mod fault;
mod request;
mod wire;

pub use request::{
    Condition, Expiry, Read, Write, delete, read, stream, wait, wait_anywhere, write,
};
/// How many indexes the server's history holds, of all keys together (etcd-facts.md, fact 10).
pub const HISTORY: u32 = 1000;
/// How many raft entries behind a member must be to be sent a snapshot instead of the entries:
/// etcd keeps 5,000 of them (facts 5 and 16).
pub const SNAPSHOT_BEHIND: u64 = 5000;

pub use wire::{Node, State, check_state, parse_events, parse_state};
