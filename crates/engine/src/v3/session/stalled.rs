//! Stalled streams.
//!
//! The connection of a stalled stream does not break, and delivers nothing. A linearizable read of the
//! keys in scope shows it: the read returns a write that the stream does not deliver.

use std::time::Instant;

use super::{V3Request, V3Session};
use crate::model::{Index, StateNode};
use crate::protocol::Failure;
use crate::watch::RequestId;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    COMPACTION_REPORTED, HISTORY_STALLED_LONGEST, SCAN_PART, STREAM_STALLED, WATCH_REGISTERED,
};

impl V3Session {
    /// A part of a message has come.
    pub(super) fn on_part_received(&mut self, id: RequestId) {
        let is_stream = self
            .requests
            .get(id)
            .is_some_and(|one| one.request.is_stream());
        if is_stream {
            let now = self.now;
            self.api.stream.heard = Some(now);
            self.api.owes = self.api.owes.map(|(index, _)| (index, now));
            self.api.undelivered = self.api.undelivered.map(|(index, _)| (index, now));
        }
    }

    /// Whether it may be asked what was written in scope: a server may have to go through all keys.
    pub(super) fn may_scan_scope(&self) -> bool {
        let due = self.api.scope_scan.map(|(at, took)| at + took * SCAN_PART);
        due.is_none_or(|due| due <= self.now)
    }

    /// Notes how long such a read took, whatever came of it.
    pub(super) fn note_scope_scan(&mut self, one: &InFlight<V3Request>) {
        self.api.scope_scan = Some((self.now, self.now.duration_since(one.sent_at)));
    }

    /// Gives up watches that are not registered, though the server has begun to answer.
    pub(super) fn give_up_unregistered(&mut self) {
        let watches = self
            .requests
            .iter()
            .filter(|(_, one)| one.request.is_watch() && one.head.is_none());
        let due = watches.map(|(id, one)| (one.sent_at + WATCH_REGISTERED, id));
        let Some((at, id)) = due.min() else {
            return;
        };
        if at > self.now {
            self.wake(Timer::Registration, at);
            return;
        }
        let one = self.requests.get(id).cloned();
        self.close(id);
        if let Some(one) = one {
            let why = "its watch does not begin".to_owned();
            self.note_failure(&one, Failure::Silent(why));
            self.wake_now();
        }
    }

    /// Gives up asking how far history was compacted, where the server does not say so.
    pub(super) fn give_up_compaction(&mut self) {
        let asked = self
            .requests
            .iter()
            .filter(|(_, one)| matches!(one.request, V3Request::Compaction { .. }));
        let due = asked.filter_map(|(id, one)| Some((one.head?.1 + COMPACTION_REPORTED, id)));
        let Some((at, id)) = due.min() else {
            return;
        };
        if at > self.now {
            self.wake(Timer::Compaction, at);
            return;
        }
        self.close(id);
        self.on_no_compaction();
    }

    /// A linearizable read returned the writes in scope after the cursor. The stream has to deliver them.
    pub(super) fn on_written(&mut self, one: &InFlight<V3Request>, nodes: &[StateNode]) {
        self.note_scope_scan(one);
        let latest = latest_write(nodes);
        let reached = self.api.stream.watcher.reached();
        if let Some(latest) = latest.filter(|latest| *latest > reached) {
            self.api.owes.get_or_insert((latest, self.now));
            self.api.undelivered.get_or_insert((latest, self.now));
        }
    }

    /// Gives up a stream that does not bring what it owes, and of which nothing was heard for long.
    pub(super) fn close_stalled_stream(&mut self) {
        let Some((_, since)) = self.api.owes else {
            return;
        };
        if self.plan.budget.is_spent() {
            // It waits for the reader of the output.
            self.api.owes = None;
            return;
        }
        // A stream that still brings history may wait for a message that takes long to make.
        let patience = if self.api.stream.is_current {
            STREAM_STALLED
        } else {
            self.api.patience
        };
        let due: Instant = since + patience;
        if due > self.now {
            self.wake(Timer::StreamCatchUp, due);
            return;
        }
        tracing::debug!("the stream is stalled");
        self.api.owes = None;
        if !self.api.stream.is_current {
            self.api.patience = (self.api.patience * 2).min(HISTORY_STALLED_LONGEST);
        }
        let mut requests = self.requests.values();
        let stream = requests.find(|one| one.request.is_stream()).cloned();
        self.end_stream();
        if let Some(one) = stream {
            let why = "its watch delivers nothing of what was written".to_owned();
            self.note_failure(&one, Failure::Silent(why));
        }
    }
}

/// The last revision at which one of these keys was written.
pub(super) fn latest_write(nodes: &[StateNode]) -> Option<Index> {
    nodes.iter().map(|node| node.modified).max()
}
