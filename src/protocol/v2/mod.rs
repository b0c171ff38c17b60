//! etcd's v2 API: `/v2/keys`.

pub mod fault;
mod request;
mod wire;

pub use request::{
    Condition, Expiry, Read, Write, delete, read, stream, wait, wait_anywhere, write,
};
/// How many indexes the server's history holds, of all keys together (etcd-facts.md, fact 10).
pub const HISTORY: u32 = 1000;

pub use wire::{Node, State, check_state, parse_events, parse_state};
