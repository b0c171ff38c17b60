//! The watch as a state machine: what is asked next, and what is known for certain.
//!
//! In scope: every decision about requests and the cursor. Out of scope: carrying them out
//! (`driver`), and which endpoint is asked when (`endpoints`). Pure: inputs and the time come
//! in, steps come out. `inputs` has what comes in, `steps` what goes out, `half_close` the proof
//! of nothing, `resync` what is done about a gap, `doubt` what about a member that may lie,
//! `compare` what about a store that may be another one, `revisions` what is done otherwise by v3.
//!
//! By v2, **history is the truth, a live event is a wake-up, the stream is an accelerator for
//! bursts.** A stream goes mute without a word (etcd-facts.md, facts 2, 4 and 5), so nothing
//! that merely did not arrive is taken for nothing. Under way are, each for its purpose:
//!
//! - the *stream*, which brings events fast. Each proves its own index, so that a burst without
//!   other writes in between needs no further question;
//! - the *probe*, a long poll that hangs while nothing happens. It fires even where the stream
//!   has gone mute;
//! - *questions*, which fill the holes between what is proven, several at once. A question is
//!   answered from history, or it is half-closed soon after its head and ends with the proof
//!   that there was nothing (fact 17);
//! - the *alarm*, a long poll on the whole store: while others write, a quiet watch renews its
//!   position before history moves past it;
//! - reads that a majority agrees on: where a replay ends, whether an index went back, whether
//!   what is known is *fresh*, and the state when history can't tell any more;
//! - after each failure, the last event again: a rebuilt store has another one there (`compare`);
//! - where a member's history may lie, another member is asked; where there is none, all of its
//!   history is *walked* (`doubt`).

mod asking;
mod compare;
mod doubt;
mod frozen;
mod half_close;
mod inputs;
mod passed_over;
mod renewal;
mod replay_end;
mod resync;
mod revisions;
mod steps;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::endpoints::Endpoints;
use super::evidence::RegisteredWait;
use super::ledger::{Ledger, Passed};
use super::mirror::Mirror;
use super::{Budget, Input, NoProof, OnGap, Plan, Start, StateOfWatch, Step, Ticket, Until};
use crate::model::{Api, Cause, Index};
use compare::{Comparison, Last};
use half_close::HalfCloses;
use renewal::Renewal;
use revisions::Past;

/// A question that has had its head for so long and no answer is asked once more. That is all that this
/// time decides: what both answers prove together hangs on their order
/// ([`crate::watch::evidence::Testimony`]).
const SECOND: Duration = Duration::from_millis(100);

/// A wait that has lasted so many times as long as it would have to be waited for has proved
/// itself: this long at the least, and this long at the most.
const WORTH: u32 = 8;
const LASTED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Where nothing was open for this long that would break with a store that is replaced, it may
/// have been.
const UNHEARD: Duration = Duration::from_millis(100);

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Stream,
    Probe,
    Question,
    /// Something was written somewhere.
    Alarm,
    /// What comes next anywhere, where a member's history may lie.
    Walk,
    /// Where a replay ends.
    Target,
    /// Whether an index that went back really did.
    Rewind,
    /// Whether the last event is still the same.
    Verify,
    /// Whether its key is as the event left it, where history no longer has the event.
    Look,
    /// What came next at that key.
    Next,
    /// Whether what is known is fresh.
    Fresh,
    /// The state.
    State,
    /// Whether the stream is behind with something in scope, before a replay ends (v3).
    Owed,
    /// Whether the stream passed over something that was compacted (v3).
    Reach,
    /// How far history was compacted, where it was (v3).
    Compaction,
    /// How far the stream is behind the store (v3).
    Backlog,
    /// Whether the one key that is watched was left alone, where history was compacted (v3).
    Left,
}

/// A request under way.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "two say how it was asked, and two what became of it"
)]
struct Open {
    purpose: Purpose,
    endpoint: usize,
    epoch: u64,
    at: Instant,
    /// It waits for what comes after this; none where it waits for whatever comes.
    after: Option<Index>,
    /// The cursor, and how far holes were asked about, when it was opened. A server that has
    /// seen less lags behind or went back; what has become known since proves nothing, since
    /// the reply was on its way.
    cursor: Index,
    wanted: Index,
    /// The store's index at the head, and when that came.
    head: Option<(Index, Instant)>,
    /// What its head proves together with an answer, or its end (v2).
    registered: Option<RegisteredWait>,
    /// The number of the last request that was sent when its head came.
    heard: u64,
    /// Likewise when the server had answered something that was asked after that head.
    served: Option<u64>,
    /// When it was half-closed, to end it (v2).
    half_closed: Option<Instant>,
    answered: bool,
    /// It is told of the whole store.
    whole_store: bool,
    /// Its messages come in fragments (v3).
    in_fragments: bool,
    /// It looks for what was written last in scope (v3), for which a server may take long.
    looks: bool,
}

/// What the stream has done, and what it owes.
#[derive(Clone, Copy, Debug, Default)]
struct StreamRecord {
    /// It was registered here, or has delivered up to here (v2).
    reached: Index,
    /// An event known without it, and since when it has brought nothing.
    owes: Option<(Index, Instant)>,
}

impl StreamRecord {
    /// It delivers: what it owes may be on the way.
    fn delivered(&mut self, now: Instant) {
        let owed = self.owes.filter(|(index, _)| *index > self.reached);
        self.owes = owed.map(|(index, _)| (index, now));
    }
}

/// How soon a wait that ended without an event is opened anew.
#[derive(Clone, Debug)]
struct Pace {
    backoff: Backoff,
    not_before: Instant,
}

/// What history brings while the state at an index is read: a large one takes longer to come
/// than a busy store takes to write its history over.
#[derive(Debug)]
struct Staged {
    /// Everything up to here was told before.
    told: Option<Index>,
    /// What is known beyond the state, in order.
    passed: Vec<Passed>,
    /// History has moved past it all the same.
    is_behind: bool,
}

/// Why the state is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// To begin with.
    Start,
    /// Events after the cursor are lost, up to an index where that is known.
    Gap(Cause, Option<Index>),
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

    /// None until a head says where "now" is, or where the oldest event, or a state was read.
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
    /// How large answers to questions are, in bytes: the largest of late.
    answer_size: usize,

    /// The state is being read, for this.
    reading: Option<Reading>,
    staged: Option<Staged>,
    /// Spent while a state, or what became of one, was told and is not printed yet.
    states: Budget,
    /// What was staged for a state that has been told since.
    passed: Option<Vec<Passed>>,
    mirror: Option<Mirror>,
    /// The last event told.
    last: Option<Last>,
    /// Connections were lost since the last event was compared.
    unverified: bool,
    comparison: Option<Comparison>,
    /// Nothing is asked while the reader of the output is behind.
    pressed: bool,
    /// A majority has told of something in scope here, and no stream has told it yet; since when
    /// nothing was heard of it (v3).
    untold: Option<(Index, Instant)>,
    /// Since when nothing is open that would break with the store.
    unheard: Option<Instant>,

    /// The longest that history was waited for after a head.
    slowest: Duration,
    /// The request opened last of those that have a head: at which endpoint, and when it was
    /// opened.
    control: Option<(usize, Instant)>,
    half_closes: HalfCloses,
    /// The oldest index that history was said to hold.
    oldest: Option<Index>,

    paces: BTreeMap<Purpose, Pace>,
    stream: StreamRecord,
    past: Past,
    /// A gateway on the way can't take whole messages (v3).
    in_fragments: bool,
    /// For how long a stream may owe something while a replay waits for it (v3).
    patience: Duration,
    /// When it was looked last what was written in scope, and how long that took (v3).
    looked: Option<(Instant, Duration)>,
    probed: Option<Instant>,
    renewal: Option<Renewal>,
    alarmed: Option<Instant>,
    /// The store as a whole is what is watched.
    no_alarm: bool,
    /// Why the whole store can't be read, where it can't.
    no_whole_store: Option<NoProof>,
    /// The stream tells what happened in the whole store, to prove where a replay ends (v3).
    reads_whole_store: bool,
    /// Where a state was told, or positions begin anew: what lies before is told no more.
    floor: Index,

    /// The last status told was not that the connection is lost.
    told_live: bool,
    /// The state that was told last.
    told_state: Option<(StateOfWatch, usize)>,
    /// When it was last certain that what is known is fresh.
    fresh_at: Instant,
    stale: bool,
}

impl Session {
    /// A watch at the time `now`; its first request comes with the first [`Session::handle`].
    #[must_use]
    pub fn new(mut plan: Plan, now: Instant) -> Self {
        // Where there are no directories, each key that goes has an event of its own.
        plan.expand &= plan.scope.api() == Api::V2;
        let first = match plan.start {
            Start::At(first) => Some(first),
            Start::Now | Start::Oldest => None,
        };
        let keeps_state = plan.on_gap == OnGap::Diff || plan.expand;
        let reads_first = plan.snapshot || keeps_state;
        Self {
            endpoints: Endpoints::new(plan.endpoints, plan.seed, plan.cluster.clone()),
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
            ahead: first.is_some() && plan.cluster.is_none(),
            told_ahead: false,
            target: None,
            following: matches!(plan.until, Until::Forever),
            width: 1,
            answer_size: 0,
            reading: reads_first.then_some(Reading::Start),
            staged: None,
            states: Budget::new(1),
            passed: None,
            mirror: None,
            unverified: plan.last.is_some(),
            last: plan.last.clone().map(Last::earlier),
            comparison: None,
            pressed: false,
            untold: None,
            unheard: None,
            slowest: Duration::ZERO,
            control: None,
            half_closes: HalfCloses::default(),
            oldest: None,
            paces: BTreeMap::new(),
            stream: StreamRecord::default(),
            past: Past::default(),
            in_fragments: false,
            patience: frozen::OWED,
            looked: None,
            probed: None,
            renewal: None,
            alarmed: None,
            no_whole_store: None,
            reads_whole_store: false,
            floor: Index::ZERO,
            no_alarm: plan.scope.recursive && plan.scope.key.as_str() == "/",
            told_live: false,
            told_state: None,
            fresh_at: now,
            stale: false,
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
                Input::Revisions {
                    ticket,
                    parcel,
                    begins,
                    is_past,
                } => self.on_revisions(ticket, parcel, begins, is_past),
                Input::MessageEnd { ticket, end } => self.on_message_end(ticket, end),
                Input::Heard { ticket } => self.on_heard(ticket),
                Input::State { ticket, nodes } => self.on_state(ticket, nodes),
                Input::Ended { ticket, end } => self.on_end(ticket, end),
            }
        }
        self.pump();
        let is_heard = self.open.values().any(|open| open.head.is_some());
        self.unheard = (!is_heard).then_some(self.unheard.unwrap_or(now));
        std::mem::take(&mut self.steps)
    }

    /// When an [`Input::Tick`] is due though nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    fn cursor(&self) -> Option<Index> {
        self.ledger.as_ref().map(Ledger::cursor)
    }

    /// Everything up to here was told.
    fn told(&self) -> Option<Index> {
        match &self.staged {
            Some(staged) => staged.told,
            None => self.cursor(),
        }
    }

    /// Whether it is certain where the watch begins: by v3 the oldest is what is left when the
    /// stream comes to it.
    fn knows_start(&self) -> bool {
        self.begun || self.plan.start != Start::Oldest || !self.is_v3()
    }

    /// Holes up to here are asked about.
    fn asked_upto(&self) -> Index {
        match self.target {
            Some(target) if !self.following => target,
            _ => self.wanted,
        }
    }

    fn is_v3(&self) -> bool {
        !self.plan.scope.key.is_path()
    }

    fn has(&self, purpose: Purpose) -> bool {
        self.open.values().any(|open| open.purpose == purpose)
    }

    /// Whether a server would tell of what is written now.
    fn is_registered(&self) -> bool {
        self.open.values().any(|open| {
            matches!(open.purpose, Purpose::Stream | Purpose::Probe) && open.head.is_some()
        })
    }

    /// Whether it goes on once the replay's end is reached.
    fn follows(&self) -> bool {
        matches!(self.plan.until, Until::Present { follow: true, .. })
    }

    /// Whether the last known state is kept.
    fn keeps_state(&self) -> bool {
        self.plan.on_gap == OnGap::Diff || self.plan.expand
    }
}

impl Open {
    /// When its head came, of a question that waits for an answer.
    fn waits_since(&self) -> Option<Instant> {
        let (_, at) = self.head?;
        let is_question = matches!(
            self.purpose,
            Purpose::Question | Purpose::Verify | Purpose::Next | Purpose::Walk
        );
        (is_question && self.half_closed.is_none() && !self.answered).then_some(at)
    }

    /// Whether it asks beyond all that is known, to renew the position.
    fn renews(&self) -> bool {
        self.purpose == Purpose::Question && self.after.is_some_and(|after| after >= self.wanted)
    }

    /// Whether it is there to know whether the store is still the same.
    fn compares(&self) -> bool {
        matches!(
            self.purpose,
            Purpose::Verify | Purpose::Look | Purpose::Next
        )
    }

    /// Whether it is meant to hang until something happens.
    fn hangs(&self) -> bool {
        matches!(
            self.purpose,
            Purpose::Stream | Purpose::Probe | Purpose::Alarm | Purpose::Compaction
        )
    }

    /// Whether a clean end without an event is what was asked for.
    fn is_done(&self) -> bool {
        match self.purpose {
            Purpose::Stream | Purpose::Probe | Purpose::Alarm | Purpose::Compaction => false,
            Purpose::Question | Purpose::Verify | Purpose::Next | Purpose::Walk => {
                self.head.is_some() && self.half_closed.is_some()
            }
            Purpose::Target
            | Purpose::Rewind
            | Purpose::Look
            | Purpose::Fresh
            | Purpose::State
            | Purpose::Owed
            | Purpose::Reach
            | Purpose::Backlog
            | Purpose::Left => self.head.is_some(),
        }
    }
}
