//! Declared ranges of possibly lost events.

use super::Index;

/// The cause of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server no longer has that part of its history (v2 keeps 1,000 indexes).
    HistoryCleared,
    /// The history was compacted beyond the cursor (v3).
    Compacted,
    /// The endpoint belongs to another cluster than before.
    ClusterChanged,
    /// The store was replaced: its index went back, or it has another event at a known index.
    IndexRewound,
    /// Every reachable member installed a snapshot, so its history may be damaged (etcd-facts.md,
    /// fact 16).
    MemberUntrusted,
    /// No event is known to be lost, but the server allows no proof that none is.
    Unproven,
}

impl Cause {
    /// Whether the same store goes on after the gap, so that indexes keep their meaning.
    #[must_use]
    pub const fn keeps_positions(self) -> bool {
        matches!(
            self,
            Self::HistoryCleared | Self::Compacted | Self::MemberUntrusted | Self::Unproven
        )
    }

    /// The name in records: `historyCleared`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HistoryCleared => "historyCleared",
            Self::Compacted => "compacted",
            Self::ClusterChanged => "clusterChanged",
            Self::IndexRewound => "indexRewound",
            Self::MemberUntrusted => "memberUntrusted",
            Self::Unproven => "unproven",
        }
    }
}

/// A declared range of possibly lost events: `from..=to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first index of the range.
    pub from: Index,
    /// The last index of the range; `None` if the store was replaced, so that indexes begin anew.
    pub to: Option<Index>,
    /// Whether an event is known to be lost.
    pub certain: bool,
    /// The cause of the gap.
    pub cause: Cause,
    /// The index of the gap's record.
    pub index: Index,
}
