//! The writes and faults of the model, and their generators.

use proptest::prelude::*;

use super::store::Write;
use super::wire::Loss;

/// A write or a fault in the model.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes in quick succession.
    Burst(Vec<Write>),
    /// Time passes.
    Wait(u16),
    /// Every connection breaks.
    CutAll,
    /// One connection breaks.
    CutOne(u8),
    /// No endpoint accepts connections for this many milliseconds.
    Outage(u16),
    /// One endpoint accepts no connections for this many milliseconds.
    Down(u8, u16),
    /// A member stops applying writes.
    Stop(u8),
    /// A member applies all writes that it missed, and its watchers receive each.
    CatchUp(u8),
    /// A member installs a snapshot, and its watchers receive none of the writes that it missed.
    Snapshot(u8),
    /// This many linearizable reads happen, and then a member that missed them installs a snapshot that
    /// damages its history.
    Install(u8, u16),
    /// A member restarts.
    Restart(u8),
    /// Every member receives writes in a snapshot, so no watcher receives them.
    Skip(Vec<Write>),
    /// A proxy ends every wait with an empty body.
    EmptyEnds,
    /// One connection stalls.
    Stall(u8),
    /// The next replies are lost.
    Lose(Vec<Loss>),
    /// The store is replaced.
    Rebuild(Rebuild),
    /// The reader of the output stops reading.
    StopReading,
    /// The reader of the output continues.
    Read,
}

/// The store that replaces another one.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// The writes, repeated as often as needed.
    pub writes: Vec<Write>,
    /// The number of writes, in percent of the old store's.
    pub percent: u64,
    pub other_cluster: bool,
}

pub fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => (0u8..4).prop_map(Write::Set),
        2 => (0u8..4).prop_map(Write::Update),
        2 => (0u8..4).prop_map(Write::Delete),
        1 => Just(Write::DeleteAll),
        4 => Just(Write::Other),
        1 => Just(Write::Hidden),
        1 => Just(Write::ShorterName),
        1 => (0u8..4).prop_map(Write::Refresh),
    ]
}

pub fn writes(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Write>> {
    proptest::collection::vec(write(), count)
}

/// An act, including those that damage the history of a member.
pub fn damaging_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => act(),
        1 => (any::<u8>(), 0u16..600).prop_map(|(which, reads)| Act::Install(which, reads)),
        1 => any::<u8>().prop_map(Act::Stop),
    ]
}

fn rebuild() -> impl Strategy<Value = Rebuild> {
    (writes(1..20), 0u64..250, any::<bool>()).prop_map(|(writes, percent, other_cluster)| Rebuild {
        writes,
        percent,
        other_cluster,
    })
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::CutBody),
        Just(Loss::SilentBody),
        Just(Loss::Silent),
    ]
}

pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => writes(1..12).prop_map(Act::Burst),
        2 => writes(12..90).prop_map(Act::Burst),
        1 => proptest::collection::vec(Just(Write::Other), 1..90).prop_map(Act::Burst),
        8 => (1u16..60).prop_map(Act::Wait),
        2 => (60u16..9000).prop_map(Act::Wait),
        1 => Just(Act::CutAll),
        2 => any::<u8>().prop_map(Act::CutOne),
        1 => (1u16..3000).prop_map(Act::Outage),
        1 => (any::<u8>(), 1u16..9000).prop_map(|(which, length)| Act::Down(which, length)),
        2 => any::<u8>().prop_map(Act::Stop),
        1 => any::<u8>().prop_map(Act::CatchUp),
        1 => any::<u8>().prop_map(Act::Snapshot),
        1 => any::<u8>().prop_map(Act::Restart),
        2 => writes(1..6).prop_map(Act::Skip),
        1 => Just(Act::EmptyEnds),
        1 => any::<u8>().prop_map(Act::Stall),
        1 => proptest::collection::vec(loss(), 1..4).prop_map(Act::Lose),
        1 => rebuild().prop_map(Act::Rebuild),
        1 => Just(Act::StopReading),
        1 => Just(Act::Read),
    ]
}
