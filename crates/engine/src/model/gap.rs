//! What was lost, when something was.

use super::Index;

/// Why events could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server no longer keeps that part of its history (v2 keeps 1,000 indexes).
    HistoryCleared,
    /// The history was compacted past what was asked for (v3).
    Compacted,
    /// The same endpoint now answers for another cluster.
    ClusterChanged,
    /// The store's index went back: it was restored or rebuilt.
    IndexRewound,
    /// The only members that can be reached took a snapshot, and their history may lie
    /// (etcd-facts.md, fact 16).
    MemberUntrusted,
    /// Nothing is known to be lost. That nothing is missing could not be proven either.
    Unproven,
}

impl Cause {
    /// Whether the positions after the gap are those of the store before it.
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

/// A declared loss: what happened in `from..=to` is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first index that is not covered.
    pub from: Index,
    /// The last one; none where positions begin anew.
    pub to: Option<Index>,
    /// Whether something in scope is known to have changed unseen.
    pub certain: bool,
    /// Why.
    pub cause: Cause,
    /// The record's own position.
    pub index: Index,
}
