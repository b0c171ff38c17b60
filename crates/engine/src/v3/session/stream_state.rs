//! What a session knows about its stream.

use std::time::Instant;

use super::doubts::Doubts;
use crate::model::Index;
use crate::watch::evidence::Watcher;

/// What is known about the stream in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct V3Stream {
    /// The progress of its watcher.
    pub watcher: Watcher,
    /// The revisions that it may have passed over.
    pub doubts: Doubts,
    /// What is known about the end of a replay.
    pub end: ReplayEnd,
    /// Whether it has delivered all of history.
    pub is_current: bool,
    /// When data of the stream arrived last.
    pub heard: Option<Instant>,
    /// History was compacted up to here, and the one key that is watched may show that nothing was
    /// lost.
    pub compacted_to: Option<Index>,
}

/// What is known about the end of a replay while one stream is in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayEnd {
    /// When the session last asked a majority, because the stream was silent.
    pub asked: Option<Instant>,
    /// The store's revision when the server assembled the last message that was not full, and so may
    /// have been the last one of the past.
    pub caught_up: Index,
    /// The revision of the last write to the keys in scope.
    pub last_write: Option<Index>,
}
