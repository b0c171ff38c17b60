//! What goes out: what is asked, what is passed on, and when the session wants to be woken.

use std::time::{Duration, Instant};

use super::compare::Last;
use super::{Open, Purpose, Session, UNHEARD};
use crate::model::{Gap, Index};
use crate::protocol::Failure;
use crate::watch::ledger::Passed;
use crate::watch::{Ask, OnGap, Outcome, Start, StateOfWatch, Status, Step, Ticket, Update};

/// The probe is opened anew at most this often: while the stream delivers a burst, the probe
/// need not fire for each event of it.
const PROBE_PACE: Duration = Duration::from_millis(20);
/// Likewise the alarm. In that time even the fastest store does not write its history over.
const ALARM_PACE: Duration = Duration::from_millis(50);
/// A stream that brings nothing for this long after an event was found without it is mute.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Likewise, where so much was written since as is one part in so many of history.
const CATCH_UP_IN_BURST: Duration = Duration::from_millis(15);
const PART: u64 = 4;
/// How soon it is looked again whether the reader of the output has caught up.
pub(super) const PRESSURE_POLL: Duration = Duration::from_millis(20);

impl Session {
    /// Does whatever is due now, and notes when something is due next.
    pub(super) fn pump(&mut self) {
        self.half_close();
        self.release();
        if self.finished {
            return;
        }
        self.give_up_mute_stream();
        self.watch_freshness();
        if !self.endpoints.is_open(self.now) {
            self.wake_by(self.endpoints.retry_at());
            return;
        }
        if self.was_deaf() {
            self.doubt_store();
        }
        if self.is_comparing() {
            return;
        }
        if !self.following && self.target.is_none() {
            self.ensure(Purpose::Target, None);
            return;
        }
        if self.is_v3() {
            self.follow_revisions();
            self.give_up_unregistered();
            self.give_up_compaction();
            return;
        }
        if self.is_reading() {
            if self.states.is_spent() {
                // One state at a time lies before the reader of the output.
                self.wait_for_reader();
            } else {
                self.ensure(Purpose::State, None);
                self.keep_up();
            }
            return;
        }
        let Some(cursor) = self.cursor() else {
            match self.plan.start {
                Start::Oldest => self.ensure(Purpose::Question, Some(Index::ZERO)),
                _ if self.plan.stream => self.ensure(Purpose::Stream, None),
                _ => self.ensure(Purpose::Probe, None),
            }
            return;
        };
        if self.plan.budget.is_spent() {
            self.wait_for_reader();
            return;
        }
        if self.walks(cursor) {
            return;
        }
        let is_quiet = self.ask_questions(cursor);
        if self.following {
            // While nothing has proved itself, the probe speaks for all.
            let is_steady = self.plan.stream && !self.endpoints.is_shaky();
            if is_steady {
                self.ensure(Purpose::Stream, None);
            }
            if is_quiet || self.is_registered_at(cursor) {
                self.probe(cursor);
            }
            if is_quiet && !self.endpoints.is_shaky() {
                self.raise_alarm();
            }
        }
    }

    /// Whether nothing has been open for a while that would break with a store that is replaced.
    fn was_deaf(&mut self) -> bool {
        if self.plan.budget.is_spent() {
            return false;
        }
        let is_unheard = self.unheard.is_some_and(|at| at + UNHEARD <= self.now);
        std::mem::take(&mut self.pressed) || is_unheard && !self.unverified
    }

    /// The reader of the output is behind: history keeps what follows, for a while.
    fn wait_for_reader(&mut self) {
        // A stream that has filled the memory with what can't be told would do so again at once.
        let cursor = self.cursor();
        let is_vain = |open: &&Open| open.purpose == Purpose::Stream && Some(open.cursor) == cursor;
        if let Some(open) = self.open.values().find(is_vain).cloned() {
            self.slow_down(&open);
        }
        self.close_stream();
        if let Some(ledger) = &mut self.ledger {
            // What is held beyond a hole would wait for ever: history has it, too.
            ledger.forget_beyond();
        }
        self.pressed = true;
        self.wake_by(Some(self.now + PRESSURE_POLL));
    }

    /// Passes on what is proven, and sees whether that was all.
    fn release(&mut self) {
        let end = self.target.filter(|_| !self.following && !self.follows());
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let before = ledger.cursor();
        let mut passed = ledger.advance();
        let cursor = ledger.cursor();
        if let Some(staged) = &mut self.staged {
            staged.passed.append(&mut passed);
            return;
        }
        self.begun |= cursor > before;
        let staged = self.passed.take();
        let was_staged = staged.is_some();
        let passed = staged.into_iter().flatten().chain(passed);
        let mut events = Vec::new();
        for passed in passed {
            match passed {
                Passed::Event(index, held) => {
                    if end.is_some_and(|end| index > end) {
                        continue;
                    }
                    let gone = self.mirror.as_mut().map(|mirror| mirror.apply(&held));
                    if let Some(nodes) = gone.filter(|nodes| self.plan.expand && !nodes.is_empty())
                    {
                        self.tell_events(&mut events);
                        self.tell(Update::Below { index, nodes });
                    }
                    events.push(held);
                }
                Passed::Lost { cause, after, upto } => {
                    self.tell_events(&mut events);
                    let upto = self.end_of_loss(upto);
                    let gap = Gap {
                        from: after.next(),
                        to: Some(upto),
                        certain: false,
                        cause,
                        index: upto,
                    };
                    if self.plan.on_gap == OnGap::Fail {
                        let oldest = self.oldest;
                        self.finish(Outcome::Lost { gap, oldest });
                        return;
                    }
                    self.tell(Update::Gap(gap));
                    self.endpoints.heed_jumps();
                    // Its key may have changed since.
                    self.last = None;
                    self.tell(Update::Last(None));
                }
            }
        }
        self.tell_events(&mut events);
        if was_staged {
            // Connections may have been lost since that was heard.
            self.doubt_store();
        }
        if cursor > before || was_staged && self.knows_start() {
            if let Some(mirror) = &mut self.mirror {
                mirror.reach(cursor);
            }
            let position = end.map_or(cursor, |end| cursor.min(end));
            self.tell(Update::Position(position));
        }
        if was_staged {
            // What came while the state was read is told by now.
            self.begin_live();
        }
        if let Some(target) = self.target
            && (!self.following || self.follows())
            && self.reading.is_none()
            && self.cursor().is_some_and(|cursor| cursor >= target)
        {
            if self.follows() {
                self.follow_on();
            } else {
                self.finish(Outcome::Done);
            }
        }
    }

    /// A replay becomes a watch.
    pub(super) fn follow_on(&mut self) {
        self.following = true;
        self.target = None;
        self.tell(Update::Following);
    }

    /// Up to where events are lost: where that ends the watch, with all that is gone after it.
    fn end_of_loss(&self, upto: Index) -> Index {
        let gone = self.oldest.filter(|_| self.plan.on_gap == OnGap::Fail);
        let end = self.target.filter(|_| !self.following);
        let gone = gone.map_or(upto, Index::previous);
        upto.max(end.map_or(gone, |end| gone.min(end)))
    }

    fn tell_events(&mut self, events: &mut Vec<crate::watch::Held>) {
        if self.is_v3() {
            let told = events.iter().flat_map(crate::watch::Held::events);
            self.last = Last::of_revisions(self.last.take(), told);
        } else if let Some(event) = events.last().and_then(|held| held.events().next_back()) {
            self.last = Some(Last::of(&event));
        }
        if !events.is_empty() {
            self.tell(Update::Events(std::mem::take(events)));
            let last = self.last.as_ref().map(|last| last.event.clone());
            self.tell(Update::Last(last));
        }
    }

    fn give_up_mute_stream(&mut self) {
        let Some((index, since)) = self.stream.owes else {
            return;
        };
        if self.is_v3() {
            self.give_up_frozen_stream(since);
            return;
        }
        // In a burst its history would be written over in the meantime.
        let is_urgent = index.0.saturating_add(u64::from(self.plan.history) / PART) < self.known.0;
        let due = since
            + if is_urgent {
                CATCH_UP_IN_BURST
            } else {
                CATCH_UP
            };
        if due <= self.now {
            self.close_stream();
        } else {
            self.wake_by(Some(due));
        }
    }

    fn close_stream(&mut self) {
        self.stream.owes = None;
        self.close_where(|open| open.purpose == Purpose::Stream);
    }

    /// Asks a majority from time to time whether what is known is fresh, and says when that
    /// can't be told for too long.
    fn watch_freshness(&mut self) {
        if !self.following || self.ledger.is_none() {
            self.fresh_at = self.fresh_at.max(self.now);
            return;
        }
        let stale_at = self.fresh_at.min(self.untold_since()) + self.plan.stale_after;
        if !self.stale {
            if stale_at <= self.now {
                self.stale = true;
                let (endpoint, _) = self.endpoints.current();
                let cause = self.endpoints.last_failure();
                self.tell_status(StateOfWatch::Stale, endpoint, cause, true);
            } else {
                self.wake_by(Some(stale_at));
            }
        }
        // Early enough that an answer which takes its time is there before.
        let due = self.fresh_at + self.plan.stale_after / 2;
        if due > self.now {
            self.wake_by(Some(due));
        } else if self.endpoints.is_open(self.now) && !self.unverified {
            self.ensure(Purpose::Fresh, None);
        }
    }

    /// Goes on asking what comes after the state that is being read.
    fn keep_up(&mut self) {
        if self.staged.as_ref().is_none_or(|staged| staged.is_behind) {
            return;
        }
        if self.plan.budget.is_spent() {
            self.wake_by(Some(self.now + PRESSURE_POLL));
        } else if let Some(cursor) = self.cursor()
            && !self.walks(cursor)
        {
            let is_quiet = self.ask_questions(cursor);
            if self.following && (is_quiet || self.is_registered_at(cursor)) {
                self.probe(cursor);
            }
        }
    }

    /// Since when the probe has been registered.
    pub(super) fn probe_since(&self) -> Option<Instant> {
        self.open
            .values()
            .find(|open| open.purpose == Purpose::Probe)
            .and_then(|open| open.head)
            .map(|(_, at)| at)
    }

    fn probe(&mut self, cursor: Index) {
        if self.has(Purpose::Probe) {
            return;
        }
        let due = self.probed.map(|at| at + PROBE_PACE);
        if due.is_some_and(|due| due > self.now) {
            self.wake_by(due);
            return;
        }
        if self.request(Purpose::Probe, Some(cursor)) {
            self.probed = Some(self.now);
        }
    }

    /// Where the position is renewed rarely, the next write is to be noticed: it must be renewed
    /// before many more come.
    fn raise_alarm(&mut self) {
        let is_needed = self.renewal.is_some_and(|renewal| renewal.needs_alarm());
        if self.no_alarm || self.no_whole_store.is_some() || !is_needed || self.has(Purpose::Alarm)
        {
            return;
        }
        let due = self.alarmed.map(|at| at + ALARM_PACE);
        if due.is_some_and(|due| due > self.now) {
            self.wake_by(due);
            return;
        }
        if self.request(Purpose::Alarm, None) {
            self.alarmed = Some(self.now);
        }
    }

    pub(super) fn ensure(&mut self, purpose: Purpose, after: Option<Index>) {
        if !self.has(purpose) {
            self.request(purpose, after);
        }
    }

    /// Asks, if that may be done now; whether it was.
    pub(super) fn request(&mut self, purpose: Purpose, after: Option<Index>) -> bool {
        let (endpoint, epoch) = self.endpoints.current();
        let is_unheard = |open: &Open| open.head.is_none() && open.epoch == epoch;
        if self.endpoints.is_shaky() && self.open.values().any(is_unheard) {
            return false;
        }
        let not_before = self.paces.get(&purpose).map(|pace| pace.not_before);
        if not_before.is_some_and(|at| at > self.now) {
            self.wake_by(not_before);
            return false;
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        // A comparison is about what was told; anything else, about what is known.
        let cursor = match purpose {
            Purpose::Look | Purpose::Next => self.told(),
            _ => self.cursor(),
        };
        let opened = Open {
            purpose,
            endpoint,
            epoch,
            at: self.now,
            after,
            cursor: cursor.unwrap_or_default(),
            wanted: self.asked_upto(),
            head: None,
            registered: None,
            heard: 0,
            served: None,
            half_closed: None,
            answered: false,
            whole_store: match purpose {
                Purpose::Stream => self.reads_whole_store,
                Purpose::Question | Purpose::Verify => self.asks_whole_store(),
                Purpose::Walk | Purpose::Alarm => true,
                _ => false,
            },
            in_fragments: self.in_fragments,
            looks: match purpose {
                Purpose::Owed => true,
                // The end of a replay hangs on what the server says, and on no look.
                Purpose::Fresh => self.is_v3() && self.following && self.may_look(),
                _ => false,
            },
        };
        let ask = self.ask_of(&opened);
        self.open.insert(ticket, opened);
        self.steps.push(Step::Open {
            ticket,
            endpoint,
            ask,
        });
        true
    }

    /// What is sent for it.
    fn ask_of(&self, open: &Open) -> Ask {
        let after = open.after;
        let from = after.map(Index::next);
        // One that can't be ended may wait for ever.
        let hangs = self.half_closes.are_broken();
        let renews = open.renews();
        match open.purpose {
            Purpose::Fresh if open.looks => Ask::Since {
                after: open.cursor,
                is_awaited: false,
            },
            Purpose::Owed => Ask::Since {
                after: after.unwrap_or_default(),
                is_awaited: true,
            },
            // From what was told last on, and not from what comes next: where that was removed
            // and then compacted, etcd passes over it without a word.
            Purpose::Stream | Purpose::Compaction if self.is_v3() => Ask::Revisions {
                from: after,
                whole_store: open.whole_store,
                in_fragments: self.in_fragments,
            },
            Purpose::Verify if self.is_v3() => Ask::Kept {
                key: self.compared_key(),
                at: self.told().unwrap_or_default(),
            },
            Purpose::Left => Ask::Kept {
                key: self.plan.scope.key.as_str().as_bytes().to_owned(),
                at: after.unwrap_or_default(),
            },
            Purpose::Reach => Ask::Reach(after.unwrap_or_default()),
            Purpose::Stream | Purpose::Compaction => Ask::Stream,
            Purpose::Question | Purpose::Verify if open.whole_store => Ask::Walk {
                from: from.unwrap_or(Index(1)),
                hangs: true,
            },
            Purpose::Probe => Ask::Wait {
                from,
                hangs: true,
                renews,
            },
            Purpose::Question | Purpose::Verify => Ask::Wait {
                from,
                hangs,
                renews,
            },
            Purpose::Alarm => Ask::Alarm,
            Purpose::Walk => Ask::Walk {
                from: from.unwrap_or(Index(1)),
                hangs,
            },
            Purpose::Target | Purpose::Rewind | Purpose::Fresh | Purpose::Backlog => Ask::Index,
            Purpose::State => Ask::State,
            Purpose::Look => Ask::Look(self.compared_key()),
            Purpose::Next => Ask::Next {
                key: self.compared_key(),
                from: from.unwrap_or(Index(1)),
                hangs,
            },
        }
    }

    pub(super) fn close(&mut self, ticket: Ticket) {
        self.open.remove(&ticket);
        self.steps.push(Step::Close(ticket));
    }

    pub(super) fn close_where(&mut self, condition: impl Fn(&Open) -> bool) {
        let open = self.open.iter();
        let chosen = open.filter(|(_, open)| condition(open));
        for ticket in chosen.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.close(ticket);
        }
    }

    pub(super) fn tell(&mut self, update: Update) {
        match &update {
            Update::Gap(gap) if gap.to.is_none() => self.floor = gap.index,
            Update::Synced(index) => self.floor = *index,
            // After a gap, the state may lie beyond where a replay ends.
            Update::Position(index) if *index < self.floor => return,
            _ => {}
        }
        self.steps.push(Step::Tell(update));
    }

    pub(super) fn tell_status(
        &mut self,
        state: StateOfWatch,
        endpoint: usize,
        cause: Option<Failure>,
        notable: bool,
    ) {
        let index = self.told().unwrap_or_default();
        let is_new = self.told_state.replace((state, endpoint)) != Some((state, endpoint));
        self.tell(Update::Status(Status {
            state,
            endpoint,
            index,
            cause,
            is_new,
            notable,
        }));
    }

    pub(super) fn fail(&mut self, endpoint: usize, failure: Failure) {
        self.finish(Outcome::Failed(vec![(endpoint, failure)]));
    }

    pub(super) fn finish(&mut self, outcome: Outcome) {
        self.finished = true;
        self.steps.push(Step::Finish(outcome));
    }

    pub(super) fn wake_by(&mut self, at: Option<Instant>) {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}
