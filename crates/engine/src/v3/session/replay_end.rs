//! Where a replay ends by v3: the proof that the stream has told everything up to there.
//!
//! One watcher tells what happened in order, so its first event at or beyond the end is the proof.
//! Where nothing happens in scope there, the stream is opened anew on the whole store, from the
//! cursor on: the store's own last revision is an event of that one, whatever it was. It takes over
//! from the stream, since two watchers prove nothing about each other.
//!
//! A user who may not read the whole store has no such proof. What can be read of the scope is
//! waited for, and the rest is declared: [`Cause::Unproven`].

use std::time::Instant;

use super::passed_over::About;
use super::stalled::latest_write;
use super::{V3Request, V3Session};
use crate::model::{Index, StateNode};
use crate::watch::NoProof;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{REPLAY_LAST_EVENTS, REPLAY_QUIET, REPLAY_SILENCE};

/// What is known of the end of a replay, while one stream is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayEnd {
    /// When it was asked last whether anybody is there.
    asked: Option<Instant>,
    /// The store's revision when the server put the last message together, where that may have been
    /// the last of the past.
    pub caught_up: Index,
    /// Of the keys in scope, the one that was written last was written here.
    last_write: Option<Index>,
}

impl V3Session {
    /// Has it proven that nothing is left up to where the replay ends.
    pub(super) fn prove_end(&mut self, cursor: Index) {
        let (Some(heard), Some(target)) = (self.api.stream.heard, self.last_index()) else {
            return;
        };
        if !self.has_stream() {
            return;
        }
        if self.plan.budget.is_spent() {
            // The stream waits for the reader of the output.
            self.wait_for_reader();
            return;
        }
        self.ask_who_is_there(heard);
        if self.api.stream.passed.is_open() || cursor >= target {
            return;
        }
        if self.api.reads_whole_store {
            // It has the end to tell.
            self.api.owes.get_or_insert((target, heard));
            return;
        }
        let is_told = self.api.stream.end.caught_up >= target
            || self
                .api
                .stream
                .end
                .last_write
                .is_some_and(|last| last <= self.api.stream.watcher.reached());
        if !is_told {
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

    fn ask_who_is_there(&mut self, heard: Instant) {
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
        if !self.api.stream.passed.is_open() {
            // What the stream has to tell may have been compacted, without a word to it.
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

    /// The keys in scope tell what the stream has to tell, but for what was removed.
    pub(super) fn on_owed(&mut self, one: &InFlight<V3Request>, after: Index, nodes: &[StateNode]) {
        let latest = latest_write(nodes);
        self.api.stream.end.last_write = Some(latest.unwrap_or(after));
        self.on_written(one, nodes);
    }

    /// The whole store can't be read, for this reason.
    pub(super) fn on_no_whole_store(&mut self, why: NoProof) {
        self.no_whole_store = Some(why);
        self.api.reads_whole_store = false;
    }
}
