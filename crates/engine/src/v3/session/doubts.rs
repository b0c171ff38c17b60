//! What a stream may have passed over.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::model::Index;
use crate::v3::MessageEnd;
use crate::watch::coverage::HeldEvents;
use crate::watch::evidence::Skipped;
use crate::watch::timing::BACKLOG_CALM;

/// A stream that lags the store by fewer revisions than this was not demoted: etcd makes a watcher
/// unsynced when 128 of its messages wait to be sent (from 3.5 on; 1,024 before).
pub(super) const SAFE_LAG: u64 = 64;
/// The largest number of messages between two checks of the backlog that rules a demotion out.
const SAFE_MESSAGES: u32 = 60;
/// The backlog is checked after this many messages, which leaves time for the answer.
pub(super) const CHECK_EVERY: u32 = 20;

/// The ranges that a stream may have passed over.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    /// The open doubts, by the last revision before each.
    pub(super) open: BTreeMap<Index, Doubt>,
    /// The purpose of the question in flight.
    pub(super) asked_about: About,
    /// The answer to the question how far history was compacted, for the first doubt.
    pub compaction: Option<Compaction>,
    /// The number of messages of the stream.
    pub(super) messages: u32,
    pub(super) backlog: Backlog,
    /// The last message was full, so the next one may have more of the past.
    pub(super) is_full: bool,
    /// The store's revision when the server assembled the last message.
    pub(super) store_at: Index,
}

/// How far history was compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compaction {
    /// Up to this revision.
    Upto(Index),
    /// The server does not say how far.
    Unknown,
}

/// Why the session asks whether history is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum About {
    /// The answer is no longer needed.
    #[default]
    Nothing,
    /// To resolve the doubts from the first to the last that were open when it was asked.
    Doubts(Index, Index),
    /// A replay receives nothing: the events that it waits for may have been compacted.
    End,
    /// The stream's watcher may have been unsynced. The stream is opened anew if nothing is lost by that.
    Backlog,
}

/// A range of revisions that may have been passed over.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) skipped: Skipped,
    /// The events of the last revision of the range, if some arrived. Others may be missing.
    pub(super) held: Option<HeldEvents>,
    /// History after this revision is no longer whole.
    pub(super) refused_at: Option<Index>,
}

/// Whether the stream was ever so far behind that etcd made its watcher unsynced.
///
/// Many messages were on their way then, so regular checks of the store's revision rule it out: each check
/// finds fewer than [`SAFE_LAG`] revisions beyond the stream, and at most [`SAFE_MESSAGES`] messages arrive between
/// two checks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    /// The number of messages at the last check.
    pub(super) checked: u32,
    /// The check in flight.
    pub(super) asked: Option<BacklogCheck>,
    /// Set if the watcher may have been unsynced.
    pub(super) suspicion: Option<Suspicion>,
    /// History after this cursor is no longer whole.
    pub(super) compacted_at: Option<Index>,
}

/// A request for the store's revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct BacklogCheck {
    pub(super) at: Instant,
    /// The number of messages when it was sent.
    pub(super) messages: u32,
    /// The revision that the stream had reached when it was sent.
    pub(super) reached: Index,
}

/// The stream's watcher may have been unsynced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Suspicion {
    /// The watcher may still be unsynced. Since then the stream was last found behind.
    Behind(Instant),
    /// The stream is close to the store since then.
    Calm(Instant),
}

impl Suspicion {
    /// The time of the next check.
    pub(super) fn due(self) -> Instant {
        let (Self::Behind(at) | Self::Calm(at)) = self;
        at + BACKLOG_CALM
    }
}

impl Doubts {
    /// The last revision that may have been passed over between `reached` and the next message, which
    /// begins at `first`. `None` if nothing can have been passed over.
    ///
    /// A synced watcher receives everything. For an unsynced one the server looks history up from one
    /// revision on, and only that revision is in doubt. In the middle of the past it can be any up to
    /// `first`; after the watcher became unsynced it is the one after `reached`.
    pub fn may_be(&self, is_past: bool, reached: Index, first: Index) -> Option<Index> {
        let is_first = self.messages == 0;
        let may_be_behind = is_past || self.backlog.suspicion.is_some();
        // A server may put fewer revisions into a message than it could, as the next message shows.
        let left_more = self.is_full || first <= self.store_at;
        match () {
            () if is_first => None,
            () if left_more => Some(first),
            () if may_be_behind && first > reached.next() => Some(reached.next()),
            () => None,
        }
    }

    /// Adds a doubt. `held` are the events of its last revision that arrived.
    pub fn doubt(&mut self, skipped: Skipped, held: Option<HeldEvents>) {
        let doubt = Doubt {
            skipped,
            held,
            refused_at: None,
        };
        self.open.insert(skipped.after, doubt);
    }

    /// Counts a message that has ended.
    pub fn count(&mut self, end: &MessageEnd, now: Instant) {
        self.is_full = end.is_full;
        self.store_at = end.store_at;
        self.messages = self.messages.saturating_add(1);
        if self.messages.saturating_sub(self.backlog.checked) > SAFE_MESSAGES {
            self.backlog.suspicion = Some(Suspicion::Behind(now));
        }
    }

    /// Whether there are doubts.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }
}
