//! The data of a watch: indexes, keys, events, gaps.
//!
//! In scope: plain values, their invariants, and the rules that say which event belongs to
//! which watch. Out of scope: where they come from (`protocol`) and how they are shown
//! (`print`). Pure: nothing here knows a socket, a thread or a clock.

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
