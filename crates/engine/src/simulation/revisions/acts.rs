//! The writes and faults of the model, and their generators.

use proptest::collection::vec;
use proptest::prelude::*;

use super::store::{KEYS, Operation};

/// A write or a fault in the model.
#[derive(Clone, Debug)]
pub(super) enum V3Act {
    /// One transaction.
    Write(Vec<Operation>),
    /// Compacts all revisions but this many.
    Compact(u64),
    /// Time passes, in milliseconds.
    Wait(u16),
    /// Every connection breaks.
    Cut,
    /// One connection breaks.
    CutOne(u8),
    /// Every connection breaks, and the server accepts none for this many milliseconds.
    Outage(u16),
    /// The store is replaced by one with this many writes.
    Rebuild(u8),
}

pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation =
        (0..KEYS + 2, any::<bool>()).prop_map(|(key, is_delete)| Operation { key, is_delete });
    vec(operation, 1..4)
}

pub(super) fn act() -> impl Strategy<Value = V3Act> {
    prop_oneof![
        8 => operations().prop_map(V3Act::Write),
        2 => (0u64..6).prop_map(V3Act::Compact),
        4 => prop_oneof![1u16..20, 20u16..300].prop_map(V3Act::Wait),
        1 => Just(V3Act::Cut),
        1 => any::<u8>().prop_map(V3Act::CutOne),
        1 => (1u16..500).prop_map(V3Act::Outage),
    ]
}
