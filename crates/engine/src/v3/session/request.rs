//! What a session asks with the v3 API, and why.

use crate::model::Index;
use crate::watch::in_flight::SessionRequest;

/// The name of [`V3Request::Stream`].
pub const STREAM: &str = "stream";

/// A request with the v3 API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V3Request {
    /// Opens the stream: a watch that brings every event at or after a revision.
    Stream {
        /// The revision that was reported in full last; none for events from now on. The stream begins
        /// with it and not with the next one: etcd passes over a removal at the first revision of a
        /// watch where that was compacted (upstream #19179).
        after: Option<Index>,
        /// Whether the stream brings the events of the whole store, to prove where a replay ends.
        whole_store: bool,
        /// Whether a message may come in fragments.
        in_fragments: bool,
    },
    /// Opens a watch on history that is no longer whole. The server cancels it and says how far history
    /// was compacted.
    Compaction {
        /// The revision that was reported in full last.
        after: Index,
        /// Whether a message may come in fragments.
        in_fragments: bool,
    },
    /// Asks at which revision a replay ends.
    End,
    /// Asks a majority whether the store's revision went back.
    Rewind,
    /// Asks a majority whether what is known is fresh.
    Fresh {
        /// Also asks which keys in scope were written after this revision. A server may have to go
        /// through all keys for that.
        scan_after: Option<Index>,
    },
    /// Asks how far the stream is behind the store.
    Backlog,
    /// Reads the state.
    State,
    /// Reads the key of the last event that was reported, at the revision up to which all was.
    Verify {
        /// The key.
        key: Vec<u8>,
        /// The revision.
        at: Index,
    },
    /// Reads that key as it is now.
    ReadKey {
        /// The key.
        key: Vec<u8>,
    },
    /// Asks whether history is whole after a revision.
    Whole {
        /// The revision.
        at: Index,
    },
    /// Asks which keys in scope were written after a revision, before a replay ends.
    Owed {
        /// The revision.
        after: Index,
    },
    /// Reads the one key that is watched where history begins, to see whether it was left alone.
    Unchanged {
        /// The key.
        key: Vec<u8>,
        /// The revision.
        at: Index,
    },
}

impl SessionRequest for V3Request {
    type Progress = ();
    const REWIND: Self = Self::Rewind;
    const STATE: Self = Self::State;

    fn name(&self) -> &'static str {
        match self {
            Self::Stream { .. } => STREAM,
            Self::Compaction { .. } => "compaction",
            Self::End => "end",
            Self::Rewind => "rewind",
            Self::Fresh { .. } => "fresh",
            Self::Backlog => "backlog",
            Self::State => "state",
            Self::Verify { .. } => "verify",
            Self::ReadKey { .. } => "read-key",
            Self::Whole { .. } => "whole",
            Self::Owed { .. } => "owed",
            Self::Unchanged { .. } => "unchanged",
        }
    }

    fn hangs(&self) -> bool {
        matches!(self, Self::Stream { .. } | Self::Compaction { .. })
    }

    fn reports_new_events(&self) -> bool {
        self.is_stream()
    }

    fn compares(&self) -> bool {
        matches!(self, Self::Verify { .. } | Self::ReadKey { .. })
    }

    fn is_about_reported(&self) -> bool {
        matches!(self, Self::ReadKey { .. })
    }
}

impl V3Request {
    /// Whether it is the stream.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    /// Whether it is a watch of any kind.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        matches!(self, Self::Stream { .. } | Self::Compaction { .. })
    }

    /// Whether a server may have to go through all keys in scope to answer it.
    #[must_use]
    pub fn scans_scope(&self) -> bool {
        match self {
            Self::Owed { .. } => true,
            Self::Fresh { scan_after } => scan_after.is_some(),
            _ => false,
        }
    }

    /// Whether it asks about what the stream has delivered, so that it ends with the stream.
    #[must_use]
    pub fn is_about_stream(&self) -> bool {
        matches!(
            self,
            Self::Whole { .. } | Self::Compaction { .. } | Self::Owed { .. } | Self::Backlog
        )
    }
}
