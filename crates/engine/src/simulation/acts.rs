//! What happens to the model world, and what is generated of it.

use proptest::prelude::*;

use super::store::Write;
use super::wire::Loss;

/// What happens to the model world.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes, one after the other, within a moment.
    Burst(Vec<Write>),
    /// Time passes.
    Wait(u16),
    /// Every connection breaks.
    CutAll,
    /// One connection breaks.
    CutOne(u8),
    /// Nobody can connect for so many milliseconds.
    Outage(u16),
    /// Nobody can connect to one endpoint for so many milliseconds.
    Down(u8, u16),
    /// A member stops to apply writes.
    Stop(u8),
    /// It applies them all, and its watchers see each.
    CatchUp(u8),
    /// It takes a snapshot instead, and its watchers see none of them.
    Snapshot(u8),
    /// Others read so often, and then it takes a snapshot that damages its history if it missed
    /// all that.
    Install(u8, u16),
    /// A member is started anew.
    Restart(u8),
    /// Every member took writes by a snapshot: no watcher anywhere saw them.
    Skip(Vec<Write>),
    /// A proxy ends every wait with an empty body.
    EmptyEnds,
    /// One connection falls silent.
    Mute(u8),
    /// The next replies get lost.
    Lose(Vec<Loss>),
    /// Another store takes the place of this one.
    Rebuild(Rebuild),
    /// The reader of the output takes nothing more.
    StopReading,
    /// It reads on.
    Read,
}

/// What the new store is like.
#[derive(Clone, Debug)]
pub struct Rebuild {
    /// Its writes, over and over.
    pub writes: Vec<Write>,
    /// How many there are, of those of the old one.
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

/// Likewise, and members whose history may lie.
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
        1 => any::<u8>().prop_map(Act::Mute),
        1 => proptest::collection::vec(loss(), 1..4).prop_map(Act::Lose),
        1 => rebuild().prop_map(Act::Rebuild),
        1 => Just(Act::StopReading),
        1 => Just(Act::Read),
    ]
}
