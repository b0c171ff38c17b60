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
//!   takes, with previous values over a minute. Where a replay ends is proven by what comes later,
//!   or where nothing does, by two more streams without those values ([`Purpose::Proof`]), each
//!   with a *marker*: a watch of the whole store from its present revision on, which begins when the
//!   past was looked up. What is found goes by one channel: after the marker nothing is left;
//! - what was compacted of the past of one key is not lost where that key is still as it was.
//!
//! A message is asked for whole. A server that cuts one into fragments counts its bytes anew with
//! each event: 100,000 small ones took 3.5.1 40 s instead of one. Only where a gateway refuses a
//! message for its size (those of old take 4 MiB), they are asked for.
//!
//! While the state is read for a gap or a snapshot, the stream is open already, so that however
//! long that takes, nothing is compacted in the meantime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::steps::PRESSURE_POLL;
use super::{Open, Purpose, Reading, Session, Staged};
use crate::model::{Cause, Index, StateNode};
use crate::protocol::v2::fault;
use crate::protocol::v3;
use crate::watch::ledger::{Held, Ledger};
use crate::watch::{Failure, Over, Parcel, Start, Ticket};

/// A stream that has brought nothing for this long may owe nothing.
const QUIET: Duration = Duration::from_millis(50);
/// How many proofs are under way.
const PROOFS: usize = 2;
/// A server that was stalled may have looked for both at once after all: then what was before the
/// marker may come just after it.
const GRACE: Duration = Duration::from_millis(100);
/// A stream that owes something is opened anew where nothing came for this long, and then for twice
/// as long each time: 3.4.23 took 40 s for a message with 200,000 previous values.
pub(super) const OWED: Duration = Duration::from_secs(60);
/// A stream that does not tell what is known to have been written stands still.
const FROZEN: Duration = Duration::from_secs(10);
/// A marker is waited for this long after the head, and then for twice as long each time.
const MARKED: Duration = Duration::from_secs(1);
/// The part of the time that may be spent on looking whether the stream owes something.
const LOOKING: u32 = 100;
/// Where a replay hears nothing for so long, it is asked whether anybody is there.
const SILENCE: Duration = Duration::from_secs(5);

/// What the stream may have passed over.
#[derive(Clone, Debug)]
struct Doubt {
    upto: Index,
    /// What came of the last of these revisions, of which a part may be missing.
    held: Option<Held>,
    /// History can't tell any more.
    is_refused: bool,
}

/// How far the stream has looked the past up.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// What is asked about, after the index up to which all is certain.
    doubts: BTreeMap<Index, Doubt>,
    /// The first and the last of them that the question under way is about.
    asked_about: (Index, Index),
    /// How many messages it has brought.
    messages: u32,
    backlog: Backlog,
    /// The last one may have left more for the next.
    is_full: bool,
    /// It has told all of the past.
    is_current: bool,
    /// When it was heard of last.
    heard: Option<Instant>,
    /// When it was asked last whether anybody is there.
    asked: Option<Instant>,
    /// A proof knows of an event that it owes.
    owes: Index,
    /// A proof came too late.
    is_compacted: bool,
    /// How often the marker of a proof did not come in time.
    unmarked: u32,
    /// History was compacted up to here, and one key may tell that nothing was lost.
    left: Option<Index>,
}

/// Whether the stream may ever have been so far behind that etcd put its watch off.
///
/// Then so many messages were on the way that a look at the store's revision in time shows it: as
/// long as each of them finds fewer revisions beyond what has come than [`NEAR`], and no more
/// messages than [`OFTEN`] come between two, it was not.
#[derive(Clone, Copy, Debug, Default)]
struct Backlog {
    /// How many messages had come when it was looked last.
    looked: u32,
    /// Likewise where that is under way, and up to where they had told.
    asked: (u32, Index),
    /// When it may have been so last.
    suspected: Option<Instant>,
}

/// etcd puts a watch off where 128 messages wait to be sent (from 3.5 on; 1,024 before), and looks
/// up later what it missed.
const NEAR: u64 = 64;
const OFTEN: u32 = 60;
/// It is looked after so many messages, which leaves time for the answer.
const SOON: u32 = 20;
/// A watch that was put off is up to date again within this time.
const BACK: Duration = Duration::from_secs(2);

impl Past {
    /// Up to where something may have been passed over, after `reached` and before what comes now
    /// begins at `first`; none where that can't be.
    ///
    /// A watch that is up to date is told of everything. One that is behind is looked up from a
    /// certain revision on, and that revision alone is in doubt: in the middle of the past it is
    /// any up to the next that comes, and after a watch was put off, the one that followed.
    fn may_pass_over(&self, is_past: bool, reached: Index, first: Index) -> Option<Index> {
        let is_first = self.messages == 0;
        let may_be_behind = is_past || self.backlog.suspected.is_some();
        match () {
            () if is_first => None,
            () if self.is_full => Some(first),
            () if may_be_behind && first > reached.next() => Some(reached.next()),
            () => None,
        }
    }

    fn doubt(&mut self, after: Index, upto: Index, held: Option<Held>) {
        let is_refused = false;
        let doubt = Doubt {
            upto,
            held,
            is_refused,
        };
        self.doubts.insert(after, doubt);
    }
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
            // A store begins at revision 1, in which nothing happens.
            ledger.prove(Index::ZERO, Index(1));
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
        self.past = Past {
            heard: Some(self.now),
            ..Past::default()
        };
        let after = self.open.get(&ticket).and_then(|open| open.after);
        self.stream.reached = after.unwrap_or(index);
        self.past.is_current = self.stream.reached >= index;
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

    /// A stream that was open before the watch could begin is live now.
    pub(super) fn begin_live(&mut self) {
        let streams = self.open.values();
        let stream = streams
            .filter(|open| open.purpose == Purpose::Stream)
            .find_map(|open| Some((open.clone(), open.head?.0)));
        if let Some((open, index)) = stream {
            self.on_live(&open, index);
        }
    }

    /// What the stream would have told next is asked for anew.
    pub(super) fn on_stream_ended(&mut self, is_compacted: bool) {
        self.close_where(|open| {
            matches!(
                open.purpose,
                Purpose::Reach | Purpose::Proof | Purpose::Backlog
            )
        });
        self.past.doubts.clear();
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
        if open.purpose == Purpose::Proof {
            let after = open.after;
            self.on_proof_told(after, &parcel);
            return;
        }
        let reached = self.stream.reached;
        let begins = begins.filter(|first| *first > reached);
        let passed_over = begins.and_then(|first| self.past.may_pass_over(is_past, reached, first));
        // Of the revision to which it comes then a part may be missing, too.
        let doubtful = passed_over.filter(|upto| begins == Some(*upto));
        let mut proven = passed_over.unwrap_or(reached);
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let mut set_aside = None;
        let parcel = Arc::new(parcel);
        let indexes = parcel.batch().iter().map(|event| event.index());
        let mut indexes = indexes.enumerate().peekable();
        while let Some((start, index)) = indexes.next() {
            let mut end = start + 1;
            while indexes.next_if(|(_, next)| *next == index).is_some() {
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
            ledger.prove(proven, index);
            proven = proven.max(index);
        }
        if let Some(upto) = passed_over {
            self.past.doubt(reached, upto, set_aside);
        }
        self.stream.reached = proven;
        self.known = self.known.max(proven);
        self.wanted = self.wanted.max(proven);
        self.on_stream_heard();
        if !is_past {
            self.refresh(self.now);
        }
    }

    /// A message is over; whether it had no events.
    pub(super) fn on_over(&mut self, ticket: Ticket, over: Over) {
        let Over {
            upto,
            is_full,
            is_empty,
            is_marker,
        } = over;
        let (now, known) = (self.now, self.known);
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        if open.purpose == Purpose::Proof {
            if is_marker || upto >= open.wanted && !is_full {
                open.marked = open.marked.or(Some(now));
            } else if is_full {
                // More may follow.
                self.past.heard = Some(now);
                self.close_where(|open| open.purpose == Purpose::Proof);
            }
            return;
        }
        let reached = self.stream.reached;
        // One without events says how far it is, and nothing of what it may have passed over.
        let told = Some(upto).filter(|upto| is_empty && *upto > reached);
        let passed_over = told.and_then(|upto| self.past.may_pass_over(false, reached, upto));
        self.past.is_full = is_full;
        self.past.is_current |= !is_full;
        self.past.messages = self.past.messages.saturating_add(1);
        if self.past.messages.saturating_sub(self.past.backlog.looked) > OFTEN {
            self.past.backlog.suspected = Some(now);
        }
        let proven = passed_over.unwrap_or(reached);
        if let Some(upto) = passed_over {
            self.past.doubt(reached, upto, None);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.prove(proven, upto);
        }
        self.stream.reached = reached.max(upto);
        self.known = known.max(upto);
        self.on_stream_heard();
    }

    /// Something of a message has come.
    pub(super) fn on_heard(&mut self, ticket: Ticket) {
        let purpose = self.open.get(&ticket).map(|open| open.purpose);
        if purpose == Some(Purpose::Stream) {
            self.past.heard = Some(self.now);
            self.stream.owes = self.stream.owes.map(|(index, _)| (index, self.now));
        }
    }

    /// Whether it is time to look what was written in scope: a server may have to go through all
    /// keys for that.
    pub(super) fn may_look(&self) -> bool {
        let looked = self.looked.map(|(at, took)| at + took * LOOKING);
        looked.is_none_or(|due| due <= self.now)
    }

    /// A majority tells what was written in scope after the cursor. A stream that does not is mute:
    /// its connection may stand still.
    pub(super) fn on_looked_for(&mut self, ticket: Ticket, nodes: &[StateNode]) {
        if let Some(open) = self.open.get(&ticket) {
            self.looked = Some((self.now, self.now.duration_since(open.at)));
        }
        let latest = nodes.iter().map(|node| node.modified).max();
        if let Some(latest) = latest.filter(|latest| *latest > self.stream.reached) {
            self.stream.owes.get_or_insert((latest, self.now));
        }
    }

    /// A stream that owes something since then, and of which nothing was heard.
    pub(super) fn give_up_frozen_stream(&mut self, since: Instant) {
        if self.plan.budget.is_spent() {
            // It waits for the reader of the output.
            self.stream.owes = None;
            return;
        }
        // One that is still told of the past may wait for a message that takes long to make.
        let patience = if self.past.is_current {
            FROZEN
        } else {
            self.patience
        };
        if since + patience > self.now {
            self.wake_by(Some(since + patience));
            return;
        }
        self.stream.owes = None;
        self.patience *= 2;
        let mut streams = self.open.values();
        let stream = streams
            .find(|open| open.purpose == Purpose::Stream)
            .cloned();
        self.end_stream();
        if let Some(open) = stream {
            let why = "its watch tells nothing of what was written".to_owned();
            self.note_failure(&open, Failure::Silent(why));
        }
    }

    fn on_stream_heard(&mut self) {
        let (reached, now) = (self.stream.reached, self.now);
        let owes = self.stream.owes.filter(|(index, _)| *index > reached);
        // What it still owes may be on the way.
        self.stream.owes = owes.map(|(index, _)| (index, now));
        self.past.heard = Some(self.now);
        self.endpoints.proved();
        self.paces.remove(&Purpose::Stream);
    }

    /// The history that a stream was to tell was compacted, up to a revision.
    pub(super) fn on_compacted(&mut self, open: &Open, upto: Index) {
        if open.purpose == Purpose::Proof {
            // The stream may have come before that.
            self.past.is_compacted = true;
            self.close_where(|open| open.purpose == Purpose::Proof);
        }
        if open.purpose != Purpose::Stream {
            return;
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

    fn lose_revisions(&mut self, upto: Index) {
        let target = self.target.filter(|_| !self.following);
        let upto = target.map_or(upto, |target| upto.min(target));
        self.lose(upto, Cause::Compacted);
        if self.reading.is_some() {
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
        let Some(node) = nodes.iter().find(|node| node.modified <= cursor) else {
            self.lose_revisions(upto);
            return;
        };
        // What happened to it last is the last event told, or this is another store.
        let last = self.last.as_ref().map(|last| &last.event);
        if last.is_some_and(|last| (last.index, last.created) != (node.modified, node.created)) {
            self.begin_anew(Cause::IndexRewound, index);
        } else if let Some(ledger) = &mut self.ledger {
            ledger.prove(cursor, upto);
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
            Purpose::Reach if code == fault::INDEX_CLEARED => self.on_passed_over(),
            // More was compacted since: the stream tells how much.
            Purpose::Left => self.past.left = None,
            _ => return false,
        }
        true
    }

    /// Looks from time to time how far the stream is behind the store.
    fn look_for_backlog(&mut self) {
        let Past {
            messages, backlog, ..
        } = &self.past;
        let mut is_due = messages.saturating_sub(backlog.looked) >= SOON;
        if let Some(due) = backlog.suspected.map(|at| at + BACK) {
            is_due |= due <= self.now;
            self.wake_by(Some(due).filter(|due| *due > self.now));
        }
        if is_due && !self.has(Purpose::Backlog) {
            self.past.backlog.asked = (self.past.messages, self.stream.reached);
            self.request(Purpose::Backlog, None);
        }
    }

    /// The store's revision, agreed upon by a majority after that was asked.
    pub(super) fn on_backlog(&mut self, index: Index) {
        let backlog = &mut self.past.backlog;
        let (messages, reached) = backlog.asked;
        backlog.looked = backlog.looked.max(messages);
        if index.since(reached) >= NEAR {
            backlog.suspected = Some(self.now);
        } else if backlog.suspected.is_some_and(|at| at + BACK <= self.now) {
            backlog.suspected = None;
        }
    }

    /// Asks about what lies between two messages.
    fn ask_reach(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        // A state may have told more than that.
        self.past.doubts.retain(|_, doubt| doubt.upto > cursor);
        let mut open = self.past.doubts.iter();
        let Some((first, _)) = open.find(|(_, doubt)| !doubt.is_refused) else {
            return;
        };
        let last = open.next_back().map_or(first, |(last, _)| last);
        if !self.has(Purpose::Reach) {
            self.past.asked_about = (*first, *last);
            // What a state has told need not be in history any more.
            let after = cursor.max(*first);
            self.request(Purpose::Reach, Some(after));
        }
    }

    /// The history after that is whole still: nothing was passed over, up to the last message that
    /// had come when it was asked.
    pub(super) fn on_reached(&mut self) {
        let (first, last) = self.past.asked_about;
        let settled: Vec<Index> = self
            .past
            .doubts
            .range(first..=last)
            .map(|(after, _)| *after)
            .collect();
        for after in settled {
            let doubt = self.past.doubts.remove(&after);
            if let (Some(Doubt { upto, held, .. }), Some(ledger)) = (doubt, &mut self.ledger) {
                if let Some(held) = held {
                    ledger.hold(upto, held);
                }
                ledger.prove(after, upto);
            }
        }
    }

    /// It is not. Where the state is read, that may tell it.
    fn on_passed_over(&mut self) {
        let (first, _) = self.past.asked_about;
        if let Some(doubt) = self.past.doubts.get_mut(&first) {
            doubt.is_refused = true;
        }
    }

    /// What comes next may have been passed over, and nobody can tell any more.
    fn lose_doubted(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        while let Some(first) = self.past.doubts.first_entry() {
            let (upto, is_refused) = (first.get().upto, first.get().is_refused);
            if upto > cursor && !is_refused {
                return;
            }
            first.remove();
            if upto > cursor {
                self.oldest = Some(upto.next());
                self.lose_revisions(upto);
                // It is told with the next input.
                self.wake_by(Some(self.now));
            }
        }
    }

    /// Has it proven that nothing is left up to where the replay ends.
    fn prove_end(&mut self, cursor: Index) {
        let is_registered = |open: &Open| open.purpose == Purpose::Stream && open.head.is_some();
        let Some(heard) = self
            .past
            .heard
            .filter(|_| self.open.values().any(is_registered))
        else {
            return;
        };
        if self.plan.budget.is_spent() {
            // The stream waits for the reader of the output.
            self.wake_by(Some(self.now + PRESSURE_POLL));
            return;
        }
        let asked = self.past.asked.map_or(heard, |asked| asked.max(heard)) + SILENCE;
        if asked > self.now {
            self.wake_by(Some(asked));
        } else if self.past.is_compacted {
            // What it may still have told can't be asked for any more.
            self.end_stream();
            return;
        } else {
            self.past.asked = Some(self.now);
            self.ensure(Purpose::Fresh, None);
        }
        if self.end_proofs() {
            return;
        }
        self.give_up_unmarked();
        if self.past.owes > cursor && heard + self.patience <= self.now {
            // A connection may stand still, and a server may take long.
            self.patience *= 2;
            self.end_stream();
            return;
        }
        let has_doubts = !self.past.doubts.is_empty();
        if has_doubts || self.past.owes > cursor || self.past.is_compacted {
            return;
        }
        if heard + QUIET > self.now {
            self.wake_by(Some(heard + QUIET));
        } else if !self.has(Purpose::Proof) {
            for _ in 0..PROOFS {
                self.request(Purpose::Proof, Some(cursor));
            }
        }
    }

    /// Gives up proofs whose marker does not come. Of what is sent after the first, a gateway may
    /// take no notice: while it begins to answer, the rest of a request is read by two at once. A
    /// connection may stand still, too, and a server take long.
    fn give_up_unmarked(&mut self) {
        let limit = MARKED.saturating_mul(1 << self.past.unmarked.min(6));
        let waits = self
            .open
            .values()
            .filter(|open| open.purpose == Purpose::Proof);
        let due = waits
            .filter(|open| open.marked.is_none())
            .filter_map(|open| Some(open.head?.1 + limit))
            .min();
        let Some(due) = due else { return };
        if due > self.now {
            self.wake_by(Some(due));
            return;
        }
        let now = self.now;
        self.past.unmarked += 1;
        self.close_where(|open| {
            let is_late = open.head.is_some_and(|(_, at)| at + limit <= now);
            open.purpose == Purpose::Proof && open.marked.is_none() && is_late
        });
    }

    /// A revision that the store has reached, and not before the end of the replay.
    pub(super) fn marker(&self) -> Index {
        self.known.max(self.target.unwrap_or_default())
    }

    pub(super) fn on_proof_begun(&mut self, ticket: Ticket, index: Index) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        let wanted = open.wanted;
        if index < wanted {
            // It would be told of its marker when that comes, and of the past some time later.
            self.close(ticket);
            self.note_failure(&open, Failure::Behind { index, wanted });
        }
    }

    /// There is something left to be told, if it lies before the end.
    fn on_proof_told(&mut self, after: Option<Index>, parcel: &Parcel) {
        let target = self.target;
        let mut indexes = parcel.batch().iter().map(|event| event.index());
        // Also what has been told meanwhile: more may come after it.
        let owed = indexes.find(|index| Some(*index) > after && Some(*index) <= target);
        if let Some(owed) = owed {
            self.past.owes = owed;
            self.close_where(|open| open.purpose == Purpose::Proof);
        }
    }

    /// Takes the word of the proofs that have heard nothing but their marker; whether there were any.
    fn end_proofs(&mut self) -> bool {
        let grace = |open: &Open| Some(open.marked? + GRACE);
        let proofs = self.open.iter();
        let marked: Vec<(Ticket, Index, Instant)> = proofs
            .filter_map(|(ticket, open)| Some((*ticket, open.after?, grace(open)?)))
            .collect();
        let mut is_over = false;
        for (ticket, after, at) in marked {
            if at > self.now {
                self.wake_by(Some(at));
                continue;
            }
            self.close(ticket);
            if let (Some(ledger), Some(target)) = (&mut self.ledger, self.target) {
                ledger.witness(after, target);
            }
            is_over = true;
        }
        if is_over {
            // What was proven is told with the next input.
            self.wake_by(Some(self.now));
        }
        is_over
    }
}
