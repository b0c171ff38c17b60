//! The data of a watch: indexes, keys, events, gaps.
//!
//! In scope: plain values, their invariants, and the rule that decides which event belongs to which
//! watch. Out of scope: parsing (`v2`, `v3`) and printing (the command's `render`).

mod api;
mod event;
mod gap;
mod index;
mod key;
mod record;
mod scope;
mod state;
mod tree;

pub use api::Api;
pub use event::{Action, Batch, Event, EventSpans, Node, NodeSpans, Span, hash_value, may_be_same};
pub use gap::{Cause, Gap};
pub use index::Index;
pub use key::{Key, KeyError};
pub use record::Record;
pub use scope::Scope;
pub use state::{Change, Fingerprint, StateNode};
pub use tree::Tree;
