//! What is done otherwise by v3: a watch of revisions.
//!
//! One stream is under way, from what was told last on. What it brings is in order and without a
//! hole, and it says when the history was compacted before it came to it. With three exceptions:
//!
//! - where a stream is *behind*, at its beginning or because its reader was slow, the server looks
//!   the past up a thousand revisions at a time. If the first of the next thousand removes a key and
//!   is compacted just then, that is passed over without a word (upstream #19179), and what else
//!   the transaction did is told. What comes between two messages, and the first revision of the
//!   second, is therefore asked about ([`Purpose::Reach`]): where the history after the first of
//!   them is whole still, nothing was passed over;
//! - that nothing comes is no proof that nothing will. Looking the past up takes as long as it
//!   takes, with previous values over a minute. Where a replay ends is proven by what comes later
//!   in the same stream (`replay_end`);
//! - what was compacted of the past of one key is not lost where that key is still as it was.
//!
//! A message of fewer revisions than the server puts into one is not necessarily the last of the
//! past. The header of a message with events therefore proves nothing.
//!
//! A message is asked for whole. A server that cuts one into fragments counts its bytes anew with
//! each event: 100,000 small ones took 3.5.1 40 s instead of one. Only where a gateway refuses a
//! message for its size (those of old take 4 MiB), they are asked for.
//!
//! Each of these has a room of its own: `passed_over`, `replay_end`; and `frozen` for a stream that
//! stands still.
//!
//! While the state is read for a gap or a snapshot, the stream is open already, so that however
//! long that takes, nothing is compacted in the meantime.

use std::sync::Arc;
use std::time::Instant;

use super::frozen;
use super::passed_over::PassedOver;
use super::replay_end::ReplayEnd;
use super::steps::PRESSURE_POLL;
use super::{Open, Purpose, Reading, Session, Staged};
use crate::model::{Cause, Fingerprint, Index, StateNode};
use crate::protocol::Failure;
use crate::v2::fault;
use crate::v3;
use crate::v3::MessageEnd;
use crate::watch::evidence::{Proof, Watcher};
use crate::watch::ledger::{Held, Ledger};
use crate::watch::{Parcel, Start, Ticket};

/// How far the stream has looked the past up.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// What its watcher has told.
    pub watcher: Watcher,
    /// What it may have passed over.
    pub passed: PassedOver,
    /// What is known of the end of a replay.
    pub end: ReplayEnd,
    /// It has told all of the past.
    pub is_current: bool,
    /// When it was heard of last.
    pub heard: Option<Instant>,
    /// History was compacted up to here, and one key may tell that nothing was lost.
    left: Option<Index>,
}

impl Session {
    /// Asks for what is due.
    pub(super) fn follow_revisions(&mut self) {
        if self.is_reading() {
            self.read_revisions();
            return;
        }
        if self.ledger.is_none() && self.plan.start == Start::Oldest {
            self.begin_at_oldest(Index::ZERO);
        }
        if let (Some(ledger), Some(Index(..=1))) = (&mut self.ledger, self.target) {
            ledger.prove(Proof::of_first_revision());
        }
        if let Some(upto) = self.past.left {
            self.ensure(Purpose::Left, Some(upto));
            return;
        }
        self.lose_doubted();
        if self.is_reading() {
            self.read_revisions();
            return;
        }
        let cursor = self.cursor();
        self.ensure(Purpose::Stream, cursor);
        self.look_for_backlog();
        self.ask_reach();
        if let Some(cursor) = cursor.filter(|_| !self.following) {
            self.prove_end(cursor);
        }
    }

    /// Reads the state, with a stream open that tells what happens in the meantime.
    fn read_revisions(&mut self) {
        if self.states.is_spent() {
            // One state at a time lies before the reader of the output.
            self.wake_by(Some(self.now + PRESSURE_POLL));
            return;
        }
        if self.reading == Some(Reading::Start) && !self.takes_over() {
            // It begins elsewhere: what happens in the meantime it finds there.
            self.ensure(Purpose::State, None);
            return;
        }
        let from = match &self.staged {
            Some(staged) if !staged.is_behind => self.cursor(),
            _ => None,
        };
        self.ensure(Purpose::Stream, from);
        let is_registered = |open: &Open| open.purpose == Purpose::Stream && open.head.is_some();
        let is_staged = self.staged.as_ref().is_some_and(|staged| !staged.is_behind);
        if is_staged && self.open.values().any(is_registered) {
            self.ensure(Purpose::State, None);
            self.look_for_backlog();
            self.ask_reach();
        }
    }

    /// The positions are those of another store than what was told.
    pub(super) fn begins_anew(&self) -> bool {
        matches!(self.reading, Some(Reading::Gap(cause, _)) if !cause.keeps_positions())
    }

    /// The stream is registered at `index`.
    pub(super) fn on_stream_begun(&mut self, ticket: Ticket, index: Index) {
        // What it was opened after, if anything: else this is where it begins.
        let after = self.open.get(&ticket).and_then(|open| open.after);
        let watcher = Watcher::new(after, index);
        self.past = Past {
            watcher,
            is_current: watcher.reached() >= index,
            heard: Some(self.now),
            ..Past::default()
        };
        let is_staged = self.staged.as_ref().is_some_and(|staged| !staged.is_behind);
        if self.reading.is_none() || is_staged {
            return;
        }
        let told = self.told();
        self.close_where(|open| open.purpose == Purpose::State);
        self.ledger = Some(Ledger::new(index));
        self.staged = Some(Staged {
            told,
            passed: Vec::new(),
            is_behind: false,
        });
    }

    /// A stream or a probe that was registered before the watch could begin is live now.
    pub(super) fn begin_live(&mut self) {
        let is_wait = |open: &&Open| matches!(open.purpose, Purpose::Stream | Purpose::Probe);
        let mut waits = self.open.values().filter(is_wait);
        if let Some((open, index)) = waits.find_map(|open| Some((open.clone(), open.head?.0))) {
            self.on_live(&open, index);
        }
    }

    /// What the stream would have told next is asked for anew.
    pub(super) fn on_stream_ended(&mut self, is_compacted: bool) {
        self.close_where(|open| {
            matches!(
                open.purpose,
                Purpose::Reach | Purpose::Compaction | Purpose::Owed | Purpose::Backlog
            )
        });
        self.past.passed = PassedOver::default();
        self.past.heard = None;
        // What lies in doubt is lost then, and not what came after it.
        if let Some(ledger) = self.ledger.as_mut().filter(|_| !is_compacted) {
            ledger.forget_beyond();
        }
    }

    /// Likewise, where that is our own doing.
    pub(super) fn end_stream(&mut self) {
        self.close_where(|open| open.purpose == Purpose::Stream);
        self.on_stream_ended(false);
    }

    /// Events of whole revisions.
    pub(super) fn on_revisions(
        &mut self,
        ticket: Ticket,
        parcel: Parcel,
        begins: Option<Index>,
        is_past: bool,
    ) {
        let Some(open) = self.open.get(&ticket) else {
            return;
        };
        if open.purpose != Purpose::Stream {
            // One that was opened to learn how far history was compacted, and it was not.
            self.close(ticket);
            self.on_no_compaction();
            return;
        }
        let past = &mut self.past;
        // What it tells of the past is no sign that the server knows the present.
        let was_current = past.is_current;
        let reached = past.watcher.reached();
        let begins = begins.filter(|first| *first > reached);
        let passed_over = begins.and_then(|first| past.passed.may_be(is_past, reached, first));
        // Of the revision to which it comes then a part may be missing, too.
        let doubtful = passed_over.filter(|upto| begins == Some(*upto));
        let skipped = passed_over.map(|upto| past.watcher.may_have_skipped(upto));
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let mut set_aside = None;
        let parcel = Arc::new(parcel);
        let mut events = parcel.batch().iter().enumerate().peekable();
        while let Some((start, event)) = events.next() {
            let index = event.index();
            let mut end = start + 1;
            while events.next_if(|(_, next)| next.index() == index).is_some() {
                end += 1;
            }
            let held = Held {
                parcel: Arc::clone(&parcel),
                places: start..end,
            };
            if Some(index) == doubtful {
                set_aside = Some(held);
                continue;
            }
            ledger.hold(index, held);
            ledger.prove(past.watcher.tells(&event));
        }
        if let Some(skipped) = skipped {
            past.passed.doubt(skipped, set_aside);
        }
        let reached = past.watcher.reached();
        self.known = self.known.max(reached);
        self.wanted = self.wanted.max(reached);
        self.on_stream_heard();
        if was_current && !is_past {
            self.refresh(self.now);
        }
    }

    /// A message has ended.
    pub(super) fn on_message_end(&mut self, ticket: Ticket, end: MessageEnd) {
        match self.open.get(&ticket).map(|open| open.purpose) {
            Some(Purpose::Stream) => {}
            Some(_) => {
                self.close(ticket);
                self.on_no_compaction();
                return;
            }
            None => return,
        }
        let past = &mut self.past;
        let reached = past.watcher.reached();
        let (told_upto, is_full) = (end.told_upto, end.is_full);
        // A progress notification says nothing of what the watcher may have passed over.
        let told = Some(told_upto).filter(|upto| end.is_progress && *upto > reached);
        let passed_over = told.and_then(|upto| past.passed.may_be(false, reached, upto));
        if let Some(upto) = passed_over {
            past.passed.doubt(past.watcher.may_have_skipped(upto), None);
        }
        past.passed.count(&end, self.now);
        past.is_current |= !is_full;
        if !is_full {
            past.end.caught_up = past.end.caught_up.max(end.store_at);
        }
        if past.is_current {
            self.patience = frozen::OWED;
        }
        let proof = past.watcher.ends_message(&end);
        if let Some(ledger) = &mut self.ledger {
            ledger.prove(proof);
        }
        self.known = self.known.max(told_upto).max(end.store_at);
        self.on_stream_heard();
    }

    fn on_stream_heard(&mut self) {
        let (reached, now) = (self.past.watcher.reached(), self.now);
        let owes = self.stream.owes.filter(|(index, _)| *index > reached);
        // What it still owes may be on the way.
        self.stream.owes = owes.map(|(index, _)| (index, now));
        let was_untold = self.untold.is_some();
        let untold = self.untold.filter(|(index, _)| *index > reached);
        self.untold = untold.map(|(index, _)| (index, now));
        if was_untold && untold.is_none() && !self.told_live {
            self.begin_live();
        }
        self.past.heard = Some(self.now);
        self.endpoints.proved();
        self.paces.remove(&Purpose::Stream);
    }

    /// The history that a stream was to tell was compacted, up to a revision.
    pub(super) fn on_compacted(&mut self, open: &Open, upto: Index) {
        if open.purpose == Purpose::Compaction {
            self.past.passed.compacted = Some(upto);
            self.wake_by(Some(self.now));
        }
        if open.purpose != Purpose::Stream {
            return;
        }
        if upto > self.known {
            // It may be so, and it may go on to be said.
            self.slow_down(open);
        }
        self.oldest = Some(upto.next());
        if self.plan.start == Start::Oldest && !self.begun {
            // Nothing was promised yet: the oldest is what the server has now.
            self.begin_at_oldest(upto);
            return;
        }
        if self.cursor().is_some_and(|cursor| cursor >= upto) {
            // A member that took a snapshot looks for what was told already.
            self.slow_down(open);
            return;
        }
        let is_known = self.cursor() > Some(Index::ZERO) && self.staged.is_none();
        if self.plan.scope.is_one_key() && is_known {
            self.past.left = Some(upto);
        } else {
            self.lose_revisions(upto);
        }
    }

    pub(super) fn lose_revisions(&mut self, upto: Index) {
        let target = self.target.filter(|_| !self.following);
        let upto = target.map_or(upto, |target| upto.min(target));
        self.lose(upto, Cause::Compacted);
        self.begin_reading();
    }

    /// Where a state is to be read, the next stream begins before that.
    pub(super) fn begin_reading(&mut self) {
        if self.reading.is_some() && self.is_v3() {
            self.end_stream();
            // The next stream begins after what was asked with this one open.
            self.close_where(|open| open.purpose == Purpose::State);
        }
    }

    /// The one key that is watched, as it was where history begins. What was written last before
    /// is either told, or lost.
    pub(super) fn on_left(&mut self, ticket: Ticket, nodes: &[StateNode]) {
        let open = self.open.get(&ticket);
        let asked = open.and_then(|open| Some((open.after?, open.head?.0)));
        let (Some((upto, index)), Some(cursor)) = (asked, self.cursor()) else {
            return;
        };
        self.past.left = None;
        let is_left = |node: &&StateNode| Proof::of_unchanged_key(cursor, upto, node).is_some();
        let Some(node) = nodes.iter().find(is_left) else {
            self.lose_revisions(upto);
            return;
        };
        // What happened to it last is the last event told, or this is another store.
        let last = self.last.as_ref().map(|last| &last.event);
        let is_other = |last: &Fingerprint| {
            (last.index, last.created) != (node.modified, node.created) || !last.has_value_of(node)
        };
        if last.is_some_and(is_other) {
            self.begin_anew(Cause::IndexRewound, index);
        } else if let (Some(ledger), Some(proof)) = (
            &mut self.ledger,
            Proof::of_unchanged_key(cursor, upto, node),
        ) {
            ledger.prove(proof);
        }
    }

    /// Whether an answer is no failure: a revision that is none any more, or none yet; or a
    /// message that was too large, and can be had in fragments.
    pub(super) fn on_refused_revision(&mut self, open: &Open, code: u32) -> bool {
        if code == v3::fault::TOO_LARGE && open.hangs() {
            self.in_fragments = true;
            return !open.in_fragments;
        }
        if !matches!(code, fault::INDEX_CLEARED | v3::fault::FUTURE) {
            return false;
        }
        self.endpoints.answered();
        match open.purpose {
            Purpose::Verify => self.on_kept_refused(code),
            Purpose::Reach if code == fault::INDEX_CLEARED => {
                self.on_passed_over(open.after.unwrap_or_default());
            }
            // The store has not come so far, or not any more: the head of the next stream tells.
            Purpose::Reach => {
                self.end_stream();
                let why = "it does not have the revision of an event that was printed".to_owned();
                self.note_failure(open, Failure::Cut(why));
            }
            // More was compacted since: the stream tells how much.
            Purpose::Left => self.past.left = None,
            _ => return false,
        }
        true
    }
}
