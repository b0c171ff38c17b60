//! Where a replay ends by v3: the proof that the stream has told everything up to there.
//!
//! One watcher tells what happened in order, so its first event at or beyond the end is the proof.
//! Where nothing happens in scope there, the stream is opened anew on the whole store, from the
//! cursor on: the store's own last revision is an event of that one, whatever it was. It takes over
//! from the stream, since two watchers prove nothing about each other.
//!
//! A user who may not read the whole store has no such proof. What can be read of the scope is
//! waited for, and the rest is declared: [`Cause::Unproven`].

use std::time::{Duration, Instant};

use super::passed_over::About;
use super::steps::PRESSURE_POLL;
use super::{Open, Purpose, Session};
use crate::model::{Cause, Gap, Index, StateNode};
use crate::watch::{NoProof, Notice, OnGap, Outcome, Ticket, Update};

/// A stream that has brought nothing for this long is asked after: a server looks the past up every
/// 100 ms.
const QUIET: Duration = Duration::from_millis(150);
/// Where the end can't be proven, and no key says that something is missing, what may still come is
/// waited for so long before that is declared.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// Where a replay hears nothing for so long, it is asked whether anybody is there, and whether
/// history is still whole.
const SILENCE: Duration = Duration::from_secs(5);

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

impl Session {
    /// Has it proven that nothing is left up to where the replay ends.
    pub(super) fn prove_end(&mut self, cursor: Index) {
        let is_registered = |open: &Open| open.purpose == Purpose::Stream && open.head.is_some();
        let (Some(heard), Some(target)) = (self.past.heard, self.target) else {
            return;
        };
        if !self.open.values().any(is_registered) {
            return;
        }
        if self.plan.budget.is_spent() {
            // The stream waits for the reader of the output.
            self.wake_by(Some(self.now + PRESSURE_POLL));
            return;
        }
        self.ask_who_is_there(heard);
        if self.past.passed.is_open() || cursor >= target {
            return;
        }
        if self.reads_whole_store {
            // It has the end to tell.
            self.stream.owes.get_or_insert((target, heard));
            return;
        }
        let is_told = self.past.end.caught_up >= target
            || self
                .past
                .end
                .last_write
                .is_some_and(|last| last <= self.past.watcher.reached());
        if !is_told {
            self.ask_what_is_owed(cursor, heard);
        } else if self.no_whole_store.is_none() {
            self.reads_whole_store = true;
            self.end_stream();
            self.wake_by(Some(self.now));
        } else if heard + LAST_WAIT > self.now {
            self.wake_by(Some(heard + LAST_WAIT));
        } else {
            self.end_unproven(cursor, target);
        }
    }

    fn ask_who_is_there(&mut self, heard: Instant) {
        let asked = self.past.end.asked.map_or(heard, |asked| asked.max(heard));
        if asked + SILENCE > self.now {
            self.wake_by(Some(asked + SILENCE));
            return;
        }
        self.past.end.asked = Some(self.now);
        self.ensure(Purpose::Fresh, None);
        if !self.past.passed.is_open() {
            // What the stream has to tell may have been compacted, without a word to it.
            self.ask_whether_history_is_whole(About::End);
        }
    }

    fn ask_what_is_owed(&mut self, cursor: Index, heard: Instant) {
        let is_owed = self.past.end.last_write.is_some();
        if is_owed || self.has(Purpose::Owed) {
            return;
        }
        if heard + QUIET > self.now {
            self.wake_by(Some(heard + QUIET));
        } else {
            self.request(Purpose::Owed, Some(cursor));
        }
    }

    /// The keys in scope tell what the stream has to tell, but for what was removed.
    pub(super) fn on_owed(&mut self, ticket: Ticket, nodes: &[StateNode]) {
        let after = self.open.get(&ticket).and_then(|open| open.after);
        let latest = nodes.iter().map(|node| node.modified).max();
        self.past.end.last_write = latest.or(after);
        self.on_looked_for(ticket, nodes);
    }

    /// The whole store can't be read, for this reason.
    pub(super) fn on_no_whole_store(&mut self, why: NoProof) {
        self.no_whole_store = Some(why);
        self.reads_whole_store = false;
    }

    /// Ends a replay whose end could not be proven. Its position stays at what is.
    pub(super) fn end_unproven(&mut self, cursor: Index, target: Index) {
        if self.follows() {
            // What comes next proves what lies before it.
            self.follow_on();
            self.wake_by(Some(self.now));
            return;
        }
        let why = self.no_whole_store.unwrap_or(NoProof::NoNextEvent);
        self.tell(Update::Notice(Notice::Unproven(why)));
        if matches!(self.plan.on_gap, OnGap::Resync | OnGap::Diff) {
            self.lose(target, Cause::Unproven);
            self.begin_reading();
            self.wake_by(Some(self.now));
            return;
        }
        let gap = Gap {
            from: cursor.next(),
            to: Some(target),
            certain: false,
            cause: Cause::Unproven,
            index: target,
        };
        self.tell(Update::Gap(gap.clone()));
        self.finish(match self.plan.on_gap {
            OnGap::Fail => Outcome::Lost { gap, oldest: None },
            _ => Outcome::Done,
        });
    }
}
