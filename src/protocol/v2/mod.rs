//! etcd's v2 API: `/v2/keys`.

pub mod fault;
mod request;
mod wire;

pub use request::{Condition, Expiry, Read, Write, delete, read, stream, wait, write};
pub use wire::{Node, State, parse_events, parse_state};
