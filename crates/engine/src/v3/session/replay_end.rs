//! The end of a replay with the v3 API: the proof that the stream has delivered every event up to it.
//!
//! A watcher receives events in order, so its first event at or beyond the end is the proof. If there is
//! no such event in scope, the session opens the stream anew on the whole store, from the cursor on.
//! The store's last revision is an event of that stream. It replaces the first stream, because two
//! watchers prove nothing about each other.
//!
//! Without read permission on the whole store there is no such proof. The session then waits for the
//! last writes to the keys in scope, and declares the rest a gap: [`Cause::Unproven`].
//!
//! [`Cause::Unproven`]: crate::model::Cause::Unproven

use std::time::Instant;

use super::doubts::About;
use super::stalled::latest_write;
use super::{V3Request, V3Session};
use crate::model::{Index, StateNode};
use crate::watch::NoProof;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{REPLAY_LAST_EVENTS, REPLAY_QUIET, REPLAY_SILENCE};

impl V3Session {
    /// Works towards the proof that nothing is left up to the end of the replay.
    pub(super) fn prove_end(&mut self, cursor: Index) {
        let (Some(heard), Some(target)) = (self.api.stream.heard, self.last_index()) else {
            return;
        };
        if !self.has_stream() {
            return;
        }
        if self.plan.budget.is_spent() {
            // The stream waits for the reader of the output.
            self.poll_reader();
            return;
        }
        self.confirm_silence(heard);
        if self.api.stream.doubts.is_open() || cursor >= target {
            return;
        }
        if self.api.reads_whole_store {
            // The stream on the whole store has to deliver the end.
            self.api.owes.get_or_insert((target, heard));
            return;
        }
        let is_delivered = self.api.stream.end.caught_up >= target
            || self
                .api
                .stream
                .end
                .last_write
                .is_some_and(|last| last <= self.api.stream.watcher.reached());
        if !is_delivered {
            self.ask_what_is_owed(cursor, heard);
        } else if self.no_whole_store.is_none() {
            self.api.reads_whole_store = true;
            self.end_stream();
            self.wake_now();
        } else if heard + REPLAY_LAST_EVENTS > self.now {
            self.wake(Timer::ReplayEnd, heard + REPLAY_LAST_EVENTS);
        } else {
            self.end_unproven(cursor, target);
        }
    }

    fn confirm_silence(&mut self, heard: Instant) {
        let asked = self
            .api
            .stream
            .end
            .asked
            .map_or(heard, |asked| asked.max(heard));
        if asked + REPLAY_SILENCE > self.now {
            self.wake(Timer::ReplayEnd, asked + REPLAY_SILENCE);
            return;
        }
        self.api.stream.end.asked = Some(self.now);
        self.confirm_freshness();
        if !self.api.stream.doubts.is_open() {
            // Events that the stream has to deliver may have been compacted without a sign.
            self.ask_whether_history_is_whole(About::End);
        }
    }

    fn ask_what_is_owed(&mut self, cursor: Index, heard: Instant) {
        let is_owed = self.api.stream.end.last_write.is_some();
        if is_owed
            || self
                .requests
                .has(|one| matches!(one, V3Request::Owed { .. }))
        {
            return;
        }
        if heard + REPLAY_QUIET > self.now {
            self.wake(Timer::ReplayEnd, heard + REPLAY_QUIET);
        } else {
            self.send(V3Request::Owed { after: cursor });
        }
    }

    /// The last write to the keys in scope, which the stream has to deliver. Removals do not show here.
    pub(super) fn on_owed(&mut self, one: &InFlight<V3Request>, after: Index, nodes: &[StateNode]) {
        let latest = latest_write(nodes);
        self.api.stream.end.last_write = Some(latest.unwrap_or(after));
        self.on_written(one, nodes);
    }

    /// The whole store cannot be read, for this reason.
    pub(super) fn on_no_whole_store(&mut self, why: NoProof) {
        self.no_whole_store = Some(why);
        self.api.reads_whole_store = false;
    }
}
