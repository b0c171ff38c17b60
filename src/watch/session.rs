//! The watch as a state machine: what is asked next, and what is known for certain.
//!
//! In scope: every decision about requests and the cursor. Out of scope: carrying them out
//! (`driver`), and which endpoint is asked when (`endpoints`). Pure: inputs and the time come
//! in, steps come out.
//!
//! **History is the truth, a live event is a wake-up, the stream is an accelerator for
//! bursts.** A stream goes mute without a word (etcd-facts.md, facts 2, 4 and 5), so nothing
//! that merely did not arrive is taken for nothing. Four kinds of request are under way:
//!
//! - the *stream* brings events fast. Each proves its own index, so that a burst without other
//!   writes in between needs no further question;
//! - the *probe* is a long poll that hangs while nothing happens. It fires even where the
//!   stream has gone mute;
//! - *questions* fill the holes between what is proven, several at once. A question is
//!   answered from history, or it is half-closed soon after its head and ends with the proof
//!   that there was nothing (fact 17);
//! - an *index* read, agreed upon by a majority, says where a replay ends, and whether an
//!   index that seems to have gone back really did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoints::{Endpoints, Identity, Verdict};
use super::ledger::{Held, Hole, Ledger, Passed};
use super::{
    Ask, End, Failure, Input, Notice, OnGap, Outcome, Parcel, Plan, Start, Step, Ticket, Until,
    Update, questions,
};
use crate::model::{Cause, Gap, Index};
use crate::protocol::v2::fault;
use crate::protocol::{Fault, Head, Refusal};

/// How many questions are under way at most.
const QUESTIONS: usize = 8;
/// A question is half-closed this long after its head: 20 ms lost nothing in 1,500 trials,
/// none at all lost a fifth (fact 17).
const GRACE: Duration = Duration::from_millis(20);
/// The probe is opened anew at most this often: while the stream delivers a burst, the probe
/// need not fire for each event of it.
const PROBE_PACE: Duration = Duration::from_millis(20);
/// A stream that brings nothing this long after an event was found without it is mute.
const CATCH_UP: Duration = Duration::from_secs(1);
/// How often the position of a quiet watch is renewed: at the most and at the least.
const RENEWALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// It is renewed so often that this part of the history is written in between: once all of it
/// is, a quiet key can't be told from a lost event.
const RENEWED_PART: u32 = 4;
/// The first such interval.
const FIRST_RENEWAL: Duration = Duration::from_millis(200);
/// After how many rounds of failures a notice says so: a connection that is simply opened
/// anew is not worth one.
const NOTICED_ROUNDS: u32 = 2;
/// How soon it is looked again whether the reader of the output has caught up.
const PRESSURE_POLL: Duration = Duration::from_millis(20);

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Stream,
    Probe,
    Question,
    /// Where a replay ends.
    Target,
    /// Whether an index that went back really did.
    Rewind,
}

/// A request under way.
#[derive(Clone, Debug)]
struct Open {
    purpose: Purpose,
    endpoint: usize,
    epoch: u64,
    /// It waits for what comes after this; none where it waits for whatever comes.
    after: Option<Index>,
    /// The cursor, and how far holes were asked about, when it was opened. A server that has
    /// seen less lags behind or went back; what has become known since proves nothing, since
    /// the reply was on its way.
    cursor: Index,
    wanted: Index,
    /// The store's index at the head, and when that came.
    head: Option<(Index, Instant)>,
    half_closed: bool,
    answered: bool,
}

/// What the stream has done, and what it owes.
#[derive(Clone, Copy, Debug, Default)]
struct StreamRecord {
    /// It was registered here, or has delivered up to here.
    reached: Index,
    /// An event known without it, and when it is given up for that.
    owes: Option<(Index, Instant)>,
}

/// When the position of a quiet watch was renewed, and is again.
#[derive(Clone, Copy, Debug)]
struct Renewal {
    every: Duration,
    known: Index,
    at: Instant,
}

impl Renewal {
    /// The store's index at `now` tells how fast it is written to.
    fn learn(&mut self, index: Index, now: Instant, history: u32) {
        let elapsed = now.duration_since(self.at);
        let written = u32::try_from(index.since(self.known)).unwrap_or(u32::MAX);
        self.every = match written {
            0 if elapsed < self.every => return,
            0 => self.every * 2,
            written => elapsed * (history / RENEWED_PART) / written,
        }
        .clamp(RENEWALS.0, RENEWALS.1);
        self.known = self.known.max(index);
        self.at = now;
    }
}

/// A watch under way.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact learnt once, and they come in any order"
)]
pub struct Session {
    plan: Plan,
    endpoints: Endpoints,
    steps: Vec<Step>,
    open: BTreeMap<Ticket, Open>,
    last_ticket: u64,
    now: Instant,
    wake_at: Option<Instant>,
    finished: bool,
    /// How often all endpoints have failed since one answered.
    failed_rounds: u32,

    /// None until a head says where "now" is, or where the oldest event.
    ledger: Option<Ledger>,
    /// The cursor has moved: the start is no longer open to choice.
    begun: bool,
    /// Holes up to here are asked about; beyond, the probe's silence is enough.
    wanted: Index,
    /// The highest index that the store has told of itself.
    known: Index,
    /// The start lies ahead of the store, as far as is known: its index is no rewind.
    ahead: bool,
    told_ahead: bool,
    /// Where a replay ends, once known.
    target: Option<Index>,
    /// There is no end, or it was passed.
    following: bool,
    /// How many questions may be asked at once: more with each that history answers.
    width: usize,

    stream: StreamRecord,
    probed: Option<Instant>,
    renewal: Option<Renewal>,
}

impl Session {
    /// A watch at the time `now`; its first request comes with the first [`Session::handle`].
    #[must_use]
    pub fn new(plan: Plan, now: Instant) -> Self {
        let first = match plan.start {
            Start::At(first) => Some(first),
            Start::Now | Start::Oldest => None,
        };
        Self {
            endpoints: Endpoints::new(plan.endpoints, plan.seed),
            steps: Vec::new(),
            open: BTreeMap::new(),
            last_ticket: 0,
            now,
            wake_at: None,
            finished: false,
            failed_rounds: 0,
            ledger: first.map(|first| Ledger::new(first.previous())),
            begun: false,
            wanted: Index::ZERO,
            known: Index::ZERO,
            ahead: first.is_some(),
            told_ahead: false,
            target: None,
            following: matches!(plan.until, Until::Forever),
            width: 1,
            stream: StreamRecord::default(),
            probed: None,
            renewal: None,
            plan,
        }
    }

    /// Takes one input at the time `now`; what is to be done about it.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Step> {
        self.now = now;
        self.wake_at = None;
        if !self.finished {
            match input {
                Input::Tick => {}
                Input::Head { ticket, head } => self.on_head(ticket, &head),
                Input::Events { ticket, parcel } => self.on_events(ticket, parcel),
                Input::Ended { ticket, end } => self.on_end(ticket, end),
            }
        }
        self.pump();
        std::mem::take(&mut self.steps)
    }

    /// When an [`Input::Tick`] is due though nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }
}

/// What comes in.
impl Session {
    fn on_head(&mut self, ticket: Ticket, head: &Head) {
        let Some(endpoint) = self.open.get(&ticket).map(|open| open.endpoint) else {
            return;
        };
        if !self.identify(ticket, endpoint, head) {
            return;
        }
        let Some(index) = head.index else {
            let failure = Failure::NotEtcd("the reply has no X-Etcd-Index".to_owned());
            self.fail(endpoint, failure);
            return;
        };
        self.answered(endpoint);
        self.known = self.known.max(index);
        if let Some(renewal) = &mut self.renewal {
            renewal.learn(index, self.now, self.plan.history);
        }
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        open.head = Some((index, self.now));
        open.after = open.after.or(Some(index));
        match open.purpose {
            Purpose::Target => self.on_target(index),
            Purpose::Rewind => {
                let cursor = open.cursor;
                if index < cursor {
                    self.begin_anew(Cause::IndexRewound, index);
                }
            }
            Purpose::Stream => {
                self.stream = StreamRecord {
                    reached: index,
                    owes: None,
                };
                self.on_registered(ticket, index);
            }
            Purpose::Probe | Purpose::Question => self.on_registered(ticket, index),
        }
    }

    fn answered(&mut self, endpoint: usize) {
        self.endpoints.answered();
        if std::mem::take(&mut self.failed_rounds) >= NOTICED_ROUNDS {
            self.tell(Update::Notice(Notice::Back { endpoint }));
        }
    }

    /// Compares the cluster's id; false where the reply is of no use.
    fn identify(&mut self, ticket: Ticket, endpoint: usize, head: &Head) -> bool {
        match self.endpoints.identify(endpoint, head.cluster.as_deref()) {
            Identity::Same => true,
            Identity::Changed => {
                self.begin_anew(Cause::ClusterChanged, head.index.unwrap_or_default());
                false
            }
            Identity::Foreign => {
                self.tell(Update::Notice(Notice::OtherCluster { endpoint }));
                self.close(ticket);
                false
            }
        }
    }

    /// A wait is registered at `index`, or history answers it.
    fn on_registered(&mut self, ticket: Ticket, index: Index) {
        if self.ledger.is_none() {
            match self.plan.start {
                Start::Now => self.ledger = Some(Ledger::new(index)),
                // What comes after 0 was not refused: history reaches back to the beginning.
                Start::Oldest => self.begin_at_oldest(Index::ZERO),
                Start::At(_) => {}
            }
            return;
        }
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        if index >= open.cursor {
            self.ahead = false;
        } else if self.ahead {
            self.tell_ahead(open.cursor, index);
        } else if !self.has(Purpose::Rewind) {
            // A member that lags behind, or a store that went back: a majority can tell.
            self.request(Purpose::Rewind, None);
        }
        let is_behind = open
            .after
            .is_some_and(|after| index <= after && after < open.wanted);
        if open.purpose == Purpose::Question && is_behind {
            self.close(ticket);
            let wanted = open.wanted;
            self.note_failure(&open, Failure::Behind { index, wanted });
        }
    }

    fn tell_ahead(&mut self, cursor: Index, index: Index) {
        if !std::mem::replace(&mut self.told_ahead, true) {
            let from = cursor.next();
            self.tell(Update::Notice(Notice::Ahead { from, index }));
        }
    }

    fn on_target(&mut self, index: Index) {
        let Until::Present { to, .. } = self.plan.until else {
            return;
        };
        let target = to.map_or(index, |to| to.min(index));
        self.target = Some(target);
        if let Some(from) = self.cursor() {
            if from > index {
                self.tell_ahead(from, index);
            }
            self.tell(Update::Target { from, to: target });
        }
    }

    fn on_events(&mut self, ticket: Ticket, parcel: Parcel) {
        let Some(open) = self.open.get_mut(&ticket) else {
            return;
        };
        open.answered = true;
        let (Some(ledger), Some((head, _)), Some(after)) =
            (&mut self.ledger, open.head, open.after)
        else {
            return;
        };
        let from_stream = open.purpose == Purpose::Stream;
        let parcel = Arc::new(parcel);
        for (position, event) in parcel.batch().iter().enumerate() {
            let index = event.index();
            if !from_stream {
                // Found in history; or registered at the head, so that history had nothing.
                ledger.prove(after, index.min(head));
                if index <= head {
                    self.wanted = self.wanted.max(head);
                    self.width = (self.width + 1).min(QUESTIONS);
                }
            }
            self.wanted = self.wanted.max(index);
            if !self
                .plan
                .scope
                .covers(event.node().key(), event.removes_directory())
            {
                // An index names one event: whatever else happened there is none of ours.
                ledger.prove(index.previous(), index);
                continue;
            }
            let parcel = Arc::clone(&parcel);
            ledger.hold(index, Held { parcel, position });
            if from_stream {
                self.stream.reached = self.stream.reached.max(index);
            } else if index > self.stream.reached && self.stream.owes.is_none() {
                self.stream.owes = Some((index, self.now + CATCH_UP));
            }
        }
        if from_stream {
            // It delivers; what it owes may be on the way.
            let StreamRecord { reached, owes } = self.stream;
            self.stream.owes = owes
                .filter(|(index, _)| *index > reached)
                .map(|(index, _)| (index, self.now + CATCH_UP));
        }
        self.endpoints.proved();
    }

    fn on_end(&mut self, ticket: Ticket, end: End) {
        let Some(open) = self.open.remove(&ticket) else {
            return;
        };
        match end {
            // Of a wait that brought its event, it is of no interest how it ends.
            _ if open.answered && open.purpose != Purpose::Stream => {}
            End::Clean if open.is_done() => {
                if let (Purpose::Question, Some(after), Some((head, _)), Some(ledger)) =
                    (open.purpose, open.after, open.head, &mut self.ledger)
                {
                    ledger.prove(after, head);
                }
                self.endpoints.proved();
            }
            End::Clean => {
                self.note_failure(&open, Failure::Cut("it ended the reply".to_owned()));
            }
            End::Failed(Failure::Refused(refusal)) => self.on_refusal(ticket, &open, refusal),
            End::Failed(failure @ (Failure::Malformed(_) | Failure::TooLong(_))) => {
                let endpoint = open.endpoint;
                self.fail(endpoint, failure);
            }
            End::Failed(failure) => self.note_failure(&open, failure),
        }
    }

    fn on_refusal(&mut self, ticket: Ticket, open: &Open, refusal: Box<Refusal>) {
        let endpoint = open.endpoint;
        let Refusal { fault, head } = &*refusal;
        if fault.code == fault::INDEX_CLEARED && open.after.is_some() {
            if self.identify(ticket, endpoint, head) {
                self.answered(endpoint);
                self.known = self.known.max(fault.index);
                self.on_cleared(fault);
            }
            return;
        }
        let passes = fault::is_passing(fault.code) || head.status == 503;
        let failure = Failure::Refused(refusal);
        if self.following && passes {
            self.note_failure(open, failure);
        } else {
            self.fail(endpoint, failure);
        }
    }

    /// History no longer holds what was asked for.
    fn on_cleared(&mut self, fault: &Fault) {
        // Without the words of its cause: the last 1,000 indexes are kept (fact 10).
        let oldest =
            fault::oldest_kept(fault).unwrap_or_else(|| Index(fault.index.0.saturating_sub(999)));
        let lost = oldest.previous();
        if self.plan.start == Start::Oldest && !self.begun {
            // Nothing was promised yet: the oldest is what the server has now.
            self.begin_at_oldest(lost);
            return;
        }
        let lost = match self.target.filter(|_| !self.following) {
            Some(target) => lost.min(target),
            None => lost,
        };
        if let Some(ledger) = &mut self.ledger {
            ledger.lose(lost);
        }
    }

    fn begin_at_oldest(&mut self, cursor: Index) {
        self.ledger = Some(Ledger::new(cursor));
        if let Some(to) = self.target {
            self.tell(Update::Target { from: cursor, to });
        }
    }

    fn note_failure(&mut self, open: &Open, failure: Failure) {
        if matches!(failure, Failure::Silent(_)) {
            // A server that does not answer a question won't wake a wait either.
            let stale: Vec<Ticket> = self
                .open
                .iter()
                .filter(|(_, other)| other.endpoint == open.endpoint)
                .map(|(ticket, _)| *ticket)
                .collect();
            for ticket in stale {
                self.close(ticket);
            }
        }
        let endpoint = open.endpoint;
        match self
            .endpoints
            .failed(endpoint, open.epoch, failure.clone(), self.now)
        {
            Verdict::Retry => {}
            Verdict::AllFailed => {
                self.failed_rounds = self.failed_rounds.saturating_add(1);
                if self.failed_rounds == NOTICED_ROUNDS {
                    self.tell(Update::Notice(Notice::Lost { endpoint, failure }));
                }
            }
            Verdict::Hopeless(attempts) => self.finish(Outcome::Failed(attempts)),
        }
    }

    /// The positions of a new store have nothing to do with those of the old one.
    fn begin_anew(&mut self, cause: Cause, index: Index) {
        let all: Vec<Ticket> = self.open.keys().copied().collect();
        for ticket in all {
            self.close(ticket);
        }
        self.wanted = Index::ZERO;
        self.known = index;
        self.renewal = None;
        if !self.following {
            self.target = None;
        }
        let Some(cursor) = self.cursor() else { return };
        let gap = Gap {
            from: cursor.next(),
            to: None,
            certain: false,
            cause,
            index,
        };
        if self.plan.on_gap == OnGap::Fail {
            self.finish(Outcome::Lost { gap, oldest: None });
        } else {
            self.tell(Update::Gap(gap));
            self.ledger = Some(Ledger::new(index));
        }
    }
}

/// What goes out.
impl Session {
    /// Does whatever is due now, and notes when something is due next.
    fn pump(&mut self) {
        self.release();
        if self.finished {
            return;
        }
        self.half_close();
        self.give_up_mute_stream();
        if !self.endpoints.is_open(self.now) {
            self.wake_by(self.endpoints.retry_at());
            return;
        }
        if !self.following && self.target.is_none() {
            self.ensure(Purpose::Target, None);
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
            // The reader of the output is behind: history keeps what follows, for a while.
            self.close_stream();
            self.wake_by(Some(self.now + PRESSURE_POLL));
            return;
        }
        let is_quiet = self.ask_questions(cursor);
        if self.following {
            if self.plan.stream {
                self.ensure(Purpose::Stream, None);
            }
            if is_quiet {
                self.probe(cursor);
            }
        }
    }

    /// Passes on what is proven, and sees whether that was all.
    fn release(&mut self) {
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let before = ledger.cursor();
        let passed = ledger.advance();
        let cursor = ledger.cursor();
        self.begun |= cursor > before;
        let end = self.target.filter(|_| !self.following && !self.follows());
        let mut events = Vec::new();
        for passed in passed {
            match passed {
                Passed::Event(index, held) => {
                    if end.is_none_or(|end| index <= end) {
                        events.push(held);
                    }
                }
                Passed::Lost { after, upto } => {
                    if !events.is_empty() {
                        self.tell(Update::Events(std::mem::take(&mut events)));
                    }
                    let gap = Gap {
                        from: after.next(),
                        to: Some(upto),
                        certain: false,
                        cause: Cause::HistoryCleared,
                        index: upto,
                    };
                    if self.plan.on_gap == OnGap::Fail {
                        let oldest = Some(upto.next());
                        self.finish(Outcome::Lost { gap, oldest });
                        return;
                    }
                    self.tell(Update::Gap(gap));
                }
            }
        }
        if !events.is_empty() {
            self.tell(Update::Events(events));
        }
        if cursor > before {
            let position = end.map_or(cursor, |end| cursor.min(end));
            self.tell(Update::Position(position));
        }
        if let Some(target) = self.target
            && !self.following
            && cursor >= target
        {
            if self.follows() {
                self.following = true;
                self.tell(Update::Following);
            } else {
                self.finish(Outcome::Done);
            }
        }
    }

    fn half_close(&mut self) {
        let mut next = None;
        for (ticket, open) in &mut self.open {
            let Some(at) = open.half_close_at() else {
                continue;
            };
            if at <= self.now {
                open.half_closed = true;
                self.steps.push(Step::HalfClose(*ticket));
            } else {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        }
        self.wake_by(next);
    }

    fn give_up_mute_stream(&mut self) {
        let Some((_, due)) = self.stream.owes else {
            return;
        };
        if due <= self.now {
            self.close_stream();
        } else {
            self.wake_by(Some(due));
        }
    }

    fn close_stream(&mut self) {
        self.stream.owes = None;
        let stream = self
            .open
            .iter()
            .find(|(_, open)| open.purpose == Purpose::Stream)
            .map(|(ticket, _)| *ticket);
        if let Some(ticket) = stream {
            self.close(ticket);
        }
    }

    /// Asks about the holes, or where there are none, renews the position of a quiet watch.
    /// Whether there are none.
    fn ask_questions(&mut self, cursor: Index) -> bool {
        let upto = self.asked_upto();
        let holes: Vec<Hole> = self
            .ledger
            .iter()
            .flat_map(|ledger| ledger.holes(upto))
            .take(QUESTIONS)
            .collect();
        let questions = || {
            self.open
                .values()
                .filter(|open| open.purpose == Purpose::Question)
        };
        let under_way = questions().count();
        if holes.is_empty() {
            self.width = 1;
            if under_way == 0 && self.following && !self.ahead {
                self.renew(cursor);
            }
            return true;
        }
        let asked: BTreeSet<Index> = questions()
            .filter(|open| !open.answered)
            .filter_map(|open| open.after)
            .collect();
        let free = self.width.saturating_sub(under_way);
        for after in questions::choose(&holes, &asked, free) {
            self.request(Purpose::Question, Some(after));
        }
        false
    }

    fn renew(&mut self, cursor: Index) {
        let (now, known) = (self.now, self.known);
        let renewal = self.renewal.get_or_insert(Renewal {
            every: FIRST_RENEWAL,
            known,
            at: now,
        });
        let due = renewal.at + renewal.every;
        if due <= now {
            self.request(Purpose::Question, Some(cursor));
        } else {
            self.wake_by(Some(due));
        }
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
        self.probed = Some(self.now);
        self.request(Purpose::Probe, Some(cursor));
    }

    fn ensure(&mut self, purpose: Purpose, after: Option<Index>) {
        if !self.has(purpose) {
            self.request(purpose, after);
        }
    }

    fn request(&mut self, purpose: Purpose, after: Option<Index>) {
        if self.endpoints.is_shaky() && self.open.values().any(|open| open.head.is_none()) {
            return;
        }
        let (endpoint, epoch) = self.endpoints.current();
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let open = Open {
            purpose,
            endpoint,
            epoch,
            after,
            cursor: self.cursor().unwrap_or_default(),
            wanted: self.asked_upto(),
            head: None,
            half_closed: false,
            answered: false,
        };
        self.open.insert(ticket, open);
        let from = after.map(Index::next);
        let ask = match purpose {
            Purpose::Stream => Ask::Stream,
            Purpose::Probe => Ask::Wait { from, hangs: true },
            Purpose::Question => Ask::Wait { from, hangs: false },
            Purpose::Target | Purpose::Rewind => Ask::Index,
        };
        self.steps.push(Step::Open {
            ticket,
            endpoint,
            ask,
        });
    }

    fn close(&mut self, ticket: Ticket) {
        self.open.remove(&ticket);
        self.steps.push(Step::Close(ticket));
    }

    fn tell(&mut self, update: Update) {
        self.steps.push(Step::Tell(update));
    }

    fn fail(&mut self, endpoint: usize, failure: Failure) {
        self.finish(Outcome::Failed(vec![(endpoint, failure)]));
    }

    fn finish(&mut self, outcome: Outcome) {
        self.finished = true;
        self.steps.push(Step::Finish(outcome));
    }

    fn wake_by(&mut self, at: Option<Instant>) {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Holes up to here are asked about.
    fn asked_upto(&self) -> Index {
        match self.target {
            Some(target) if !self.following => target,
            _ => self.wanted,
        }
    }

    fn cursor(&self) -> Option<Index> {
        self.ledger.as_ref().map(Ledger::cursor)
    }

    fn has(&self, purpose: Purpose) -> bool {
        self.open.values().any(|open| open.purpose == purpose)
    }

    /// Whether it goes on once the replay's end is reached.
    fn follows(&self) -> bool {
        matches!(self.plan.until, Until::Present { follow: true, .. })
    }
}

impl Open {
    /// When the server is told that nothing more comes, so that it ends the wait.
    fn half_close_at(&self) -> Option<Instant> {
        let (_, at) = self.head?;
        let due = self.purpose == Purpose::Question && !self.half_closed && !self.answered;
        due.then(|| at + GRACE)
    }

    /// Whether a clean end without an event is what was asked for.
    fn is_done(&self) -> bool {
        match self.purpose {
            Purpose::Stream | Purpose::Probe => false,
            Purpose::Question => self.head.is_some() && self.half_closed,
            Purpose::Target | Purpose::Rewind => self.head.is_some(),
        }
    }
}
