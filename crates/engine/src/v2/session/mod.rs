//! A watch with the v2 API.
//!
//! **The session believes what a server sends, and never its silence.** A stream can stall without a sign
//! (etcd-facts.md, facts 2, 4 and 5), so history has to show that nothing happened. In flight are:
//!
//! - the *stream*, which brings events fast. Each event proves its own index, so that a burst without
//!   other writes in between needs no further question;
//! - the *probe*, a long poll that waits for the next event. It reports one even where the stream is
//!   stalled;
//! - *questions*, which fill the unknown ranges between proven ones, several at once. History answers
//!   a question, or it is half-closed soon after its head and ends with the proof that there was
//!   nothing (fact 17);
//! - the *alarm*, a long poll on the whole store: while others write, a quiet watch renews its
//!   position before history moves past it;
//! - reads that a majority agrees on: where a replay ends, whether the store's index went back,
//!   whether what is known is fresh, and the state where history has lost events;
//! - after each failure a *comparison*: a store that took the place of the one that was watched has
//!   another event where the last reported one was (`compare`);
//! - where the history of a member may be damaged, another member is asked; where there is none, its
//!   whole history is *walked* (`damaged_history`).
//!
//! # States
//!
//! ```text
//!              +-------------+  connections lost   +-----------+
//!      +-----> | BackingOff  | <------------------ | any phase |
//!      |       +-------------+                     +-----------+
//!      |              | the backoff is over
//!      |              v
//!      |       +-------------+ an event was reported and connections were lost since
//!      |       |  Comparing  |---------------------> the store was replaced: gap, then ReadingState
//!      |       +-------------+
//!      |              | the same store, or nothing to compare
//!      |              v
//!      |       +-------------+ a replay whose end is not known
//!      |       | FindingEnd  |
//!      |       +-------------+
//!      |              | known
//!      |              v
//!      |       +--------------+ --snapshot, or a gap with --on-gap resync or diff
//!      |       | ReadingState |<--------------------------------------+
//!      |       +--------------+                                       |
//!      |              | the state was reported                        | history was cleared
//!      |              v                                               |
//!      |       +-----------+  a head   +---------+  +-----------+     |
//!      +-------| Beginning |---------->| Walking |->|  Asking   |-----+
//!              +-----------+           +---------+  +-----------+
//!                                 doubtful member      | a replay's end: Finished, or --follow
//!                                                      v
//!                                               stream and probe
//! ```
//!
//! `ReaderBehind` takes the place of `Walking` and `Asking` while the reader of the output is behind.
//!
//! # What each input does
//!
//! | input | in which phase | effect |
//! |---|---|---|
//! | head | any | identity of the cluster; a raft index that jumped puts the member in doubt |
//! | head of the stream or probe | `Beginning` | the watch begins at that index |
//! | head below the cursor | any | a majority is asked whether the store went back |
//! | event at the cursor's next index | any | proven by itself, reported |
//! | event further on | any | held; questions ask about the unknown range before it |
//! | event from history | any | everything between the question's index and the event is proven |
//! | end of a half-closed wait | any | with a second, independent one: proof that there was nothing |
//! | 401 (history cleared) | any | a gap, unless it answers a comparison, or the watch begins at the oldest event; [`OnGap`](crate::watch::OnGap) decides what follows |
//! | state | `ReadingState` | gap, reset, state, synced; then what was staged |
//! | failure | any | the next endpoint, or `BackingOff`; then `Comparing` |

mod choice;
mod compare;
mod damaged_history;
mod half_close;
mod inputs;
mod questions;
mod renewal;
mod request;
mod waits;

use std::time::{Duration, Instant};

pub use self::compare::V2ComparisonStage;
pub use self::request::{V2Request, Wait};

use self::half_close::HalfCloses;
use self::renewal::Renewal;
use crate::model::{Event, Index};
use crate::watch::core::{Core, SessionApi, WatchEnd};
use crate::watch::identity::Last;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    ALARM_INTERVAL, PROBE_INTERVAL, STREAM_CATCH_UP, STREAM_CATCH_UP_IN_BURST,
};
use crate::watch::{Input, Plan, Start};

/// A watch with the v2 API.
pub type V2Session = Core<V2>;

/// A stream that has this part of history to catch up with is in a burst.
const BURST_PART: u64 = 4;

/// What a session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V2Phase {
    /// Every endpoint failed. It ends when the backoff is over.
    BackingOff,
    /// Connections were lost, and another store may answer. It ends when the last event, or what became
    /// of its key, is the same; or when the store was replaced, and the watch begins anew.
    Comparing,
    /// The end of a replay is not known yet. It ends when a linearizable read returns the store's index.
    FindingEnd,
    /// The state is read. It ends with a state at an index that is not behind the cursor.
    ReadingState,
    /// The watch has no cursor. It ends with the head of the first wait.
    Beginning,
    /// The reader of the output is behind: with events, or with the state before the one that is to be
    /// read. It ends when the reader has caught up.
    ReaderBehind,
    /// The only members left have a history that may be damaged. It ends when all of it was walked, when
    /// another member answers, or with a gap.
    Walking,
    /// Questions fill the unknown ranges, and a watch waits for new events. It ends with the replay, a gap,
    /// or a failure.
    Asking,
}

/// What a session with the v2 API knows beside [`Core`].
#[derive(Debug)]
pub struct V2 {
    stream: V2Stream,
    /// How many questions may be asked at once: more with each that history answers.
    width: usize,
    /// How large answers to questions are, in bytes: the largest of late.
    answer_size: usize,
    /// The longest that history took to answer after a head.
    slowest: Duration,
    latest_answered: Option<LatestAnswered>,
    half_closes: HalfCloses,
    /// When the probe was sent last.
    probed: Option<Instant>,
    renewal: Option<Renewal>,
    /// How many indexes history holds.
    history: u32,
    /// When the alarm was sent last.
    alarmed: Option<Instant>,
    /// The whole store is what is watched, so that it needs no alarm.
    is_whole_store: bool,
}

/// Of the requests that have a head, the one that was sent last.
#[derive(Clone, Copy, Debug)]
struct LatestAnswered {
    endpoint: usize,
    sent_at: Instant,
    /// The store's index in its head.
    index: Index,
}

/// What the stream has delivered, and what it has still to deliver.
#[derive(Clone, Copy, Debug, Default)]
struct V2Stream {
    /// It was registered here, or has delivered up to here.
    reached: Index,
    /// An event that is known from elsewhere, and since when the stream has delivered nothing.
    owes: Option<(Index, Instant)>,
}

impl V2Stream {
    /// It has delivered something: what it owes may be on the way.
    fn delivered(&mut self, now: Instant) {
        let owed = self.owes.filter(|(index, _)| *index > self.reached);
        self.owes = owed.map(|(index, _)| (index, now));
    }
}

impl V2Session {
    /// A watch at the time `now`.
    #[must_use]
    pub fn new(plan: Plan, now: Instant) -> Self {
        let api = V2 {
            stream: V2Stream::default(),
            width: 1,
            answer_size: 0,
            slowest: Duration::ZERO,
            latest_answered: None,
            half_closes: HalfCloses::default(),
            probed: None,
            renewal: None,
            history: plan.history,
            alarmed: None,
            is_whole_store: plan.scope.recursive && plan.scope.key.as_str() == "/",
        };
        Self::with(api, plan, now)
    }
}

impl SessionApi for V2 {
    type Request = V2Request;
    type Phase = V2Phase;
    type ComparisonStage = V2ComparisonStage;

    const KEEPS_HELD_EVENTS: bool = false;
    const FINDS_OLDEST_LATE: bool = false;
    const FOLLOWS_BY_ITSELF: bool = false;
    const HAS_SILENT_WRITES: bool = true;

    fn take(session: &mut V2Session, input: Input) {
        match input {
            Input::Head { id, head } => session.on_head(id, &head),
            Input::Events { id, received } => session.on_events(id, received),
            Input::State { id, nodes } => session.on_state(id, nodes),
            Input::Ended { id, end } => session.on_ended(id, end),
            Input::Tick
            | Input::Revisions { .. }
            | Input::MessageEnd { .. }
            | Input::PartReceived { .. } => {}
        }
    }

    fn half_close_waits(session: &mut V2Session) {
        session.half_close_silent_waits();
    }

    fn give_up_stalled_stream(session: &mut V2Session) {
        session.close_stalled_stream();
    }

    fn phase(session: &V2Session) -> V2Phase {
        if !session.endpoints.is_open(session.now) {
            V2Phase::BackingOff
        } else if session.identity.is_unverified {
            V2Phase::Comparing
        } else if session.end == WatchEnd::Unknown {
            V2Phase::FindingEnd
        } else if session.resync.reading.is_some() {
            if session.resync.states.is_spent() {
                V2Phase::ReaderBehind
            } else {
                V2Phase::ReadingState
            }
        } else if session.coverage.is_none() {
            V2Phase::Beginning
        } else if session.plan.budget.is_spent() {
            V2Phase::ReaderBehind
        } else if session.is_member_in_doubt() {
            V2Phase::Walking
        } else {
            V2Phase::Asking
        }
    }

    fn work(session: &mut V2Session, phase: V2Phase) {
        match phase {
            V2Phase::BackingOff => session.back_off(),
            V2Phase::Comparing => session.compare_store(),
            V2Phase::FindingEnd => {
                session.ensure(V2Request::End);
            }
            V2Phase::ReadingState => {
                session.ask_for_state();
                session.keep_up();
            }
            V2Phase::Beginning => session.begin(),
            V2Phase::ReaderBehind => session.hold_back(),
            V2Phase::Walking => session.walk_history(),
            V2Phase::Asking => session.ask(),
        }
    }

    fn forget_store(&mut self) {
        self.renewal = None;
        self.stream = V2Stream::default();
    }

    fn note_broken(&mut self, request: &InFlight<V2Request>, now: Instant) {
        if request.progress.half_closed.is_none() {
            self.half_closes.others_broke(now);
        }
    }

    fn learn_index(&mut self, index: Index, now: Instant) {
        if let Some(renewal) = &mut self.renewal {
            renewal.learn(index, now);
        }
    }

    fn last_reported<'b>(
        before: Option<Last>,
        mut events: impl DoubleEndedIterator<Item = Event<'b>>,
    ) -> Option<Last> {
        events.next_back().map(|event| Last::of(&event)).or(before)
    }

    fn first_stage(last: &Last) -> V2ComparisonStage {
        if last.event.of_state {
            V2ComparisonStage::Key
        } else {
            V2ComparisonStage::Event
        }
    }

    fn comparison_request(session: &V2Session, stage: V2ComparisonStage, last: &Last) -> V2Request {
        let key = last.event.key.clone();
        let may_hang = session.api.half_closes.are_broken();
        match stage {
            V2ComparisonStage::Event => V2Request::Verify {
                after: last.event.index.previous(),
                whole_store: session.asks_whole_store(),
                may_hang,
            },
            V2ComparisonStage::Key => V2Request::ReadKey { key },
            V2ComparisonStage::Next { after, .. } => V2Request::Next {
                key,
                after,
                may_hang,
            },
        }
    }

    fn freshness_request(_: &V2Session) -> V2Request {
        V2Request::Fresh
    }
}

impl V2Session {
    /// Sends the first wait: its head says where the watch begins.
    fn begin(&mut self) {
        match self.plan.start {
            Start::Oldest => {
                let question = self.question(Index::ZERO);
                self.ensure(question);
            }
            _ if self.plan.stream => self.open_stream(),
            _ => {
                self.ensure(V2Request::Probe { after: None });
            }
        }
    }

    fn open_stream(&mut self) {
        self.ensure(V2Request::Stream);
    }

    /// Asks about the unknown ranges, and waits for new events.
    fn ask(&mut self) {
        let Some(cursor) = self.cursor() else { return };
        let is_quiet = self.ask_questions(cursor);
        if !self.is_following() {
            return;
        }
        // After a failure, one request at a time: the probe.
        if self.plan.stream && !self.endpoints.is_shaky() {
            self.open_stream();
        }
        if is_quiet || self.would_be_answered(cursor) {
            self.probe(cursor);
        }
        if is_quiet && !self.endpoints.is_shaky() {
            self.raise_alarm();
        }
    }

    /// Goes on asking what comes after the state that is being read.
    fn keep_up(&mut self) {
        if !self.resync.is_staged() {
            return;
        }
        if self.plan.budget.is_spent() {
            self.poll_reader();
        } else if self.is_member_in_doubt() {
            self.walk_history();
        } else if let Some(cursor) = self.cursor() {
            let is_quiet = self.ask_questions(cursor);
            if self.is_following() && (is_quiet || self.would_be_answered(cursor)) {
                self.probe(cursor);
            }
        }
    }

    /// Asks nothing while the reader of the output is behind. History keeps what follows, for a while.
    fn hold_back(&mut self) {
        // A stream that has filled the memory with events that cannot be reported would do so again.
        let cursor = self.cursor();
        let fills_memory =
            |one: &&InFlight<_>| one.request == V2Request::Stream && Some(one.cursor) == cursor;
        if let Some(stream) = self.requests.values().find(fills_memory).cloned() {
            self.slow_down(&stream);
        }
        self.close_stream();
        // What is held beyond an unknown range would wait for ever, and history has it too.
        self.forget_beyond_cursor();
        self.was_reader_behind = true;
        self.poll_reader();
    }

    fn close_stalled_stream(&mut self) {
        let Some((index, since)) = self.api.stream.owes else {
            return;
        };
        // In a burst, history would be written over in the meantime.
        let burst = u64::from(self.plan.history) / BURST_PART;
        let is_burst = index.0.saturating_add(burst) < self.high_water.0;
        let due = since
            + if is_burst {
                STREAM_CATCH_UP_IN_BURST
            } else {
                STREAM_CATCH_UP
            };
        if due <= self.now {
            tracing::debug!(owes = index.0, "the stream is stalled");
            self.close_stream();
        } else {
            self.wake(Timer::StreamCatchUp, due);
        }
    }

    fn close_stream(&mut self) {
        self.api.stream.owes = None;
        self.close_where(|one| one.request == V2Request::Stream);
    }

    /// Since when the probe has been registered.
    fn probe_since(&self) -> Option<Instant> {
        let mut requests = self.requests.values();
        let probe = requests.find(|one| matches!(one.request, V2Request::Probe { .. }));
        probe.and_then(|one| one.head).map(|(_, at)| at)
    }

    fn probe(&mut self, cursor: Index) {
        if self
            .requests
            .has(|one| matches!(one, V2Request::Probe { .. }))
        {
            return;
        }
        let due = self.api.probed.map(|at| at + PROBE_INTERVAL);
        if let Some(due) = due.filter(|due| *due > self.now) {
            self.wake(Timer::Probe, due);
        } else if self.send(V2Request::Probe {
            after: Some(cursor),
        }) {
            self.api.probed = Some(self.now);
        }
    }

    /// Where the position is renewed rarely, the next write anywhere must be noticed: the position
    /// has to be renewed before many more come.
    fn raise_alarm(&mut self) {
        let is_needed = self.api.renewal.is_some_and(|one| one.needs_alarm());
        if self.api.is_whole_store
            || self.no_whole_store.is_some()
            || !is_needed
            || self.requests.has(|one| *one == V2Request::Alarm)
        {
            return;
        }
        let due = self.api.alarmed.map(|at| at + ALARM_INTERVAL);
        if let Some(due) = due.filter(|due| *due > self.now) {
            self.wake(Timer::Alarm, due);
        } else if self.send(V2Request::Alarm) {
            self.api.alarmed = Some(self.now);
        }
    }

    /// The renewal of a watch that has just become quiet.
    fn renewal(&mut self) -> &mut Renewal {
        let (known, now, history) = (self.high_water, self.now, self.api.history);
        self.api
            .renewal
            .get_or_insert_with(|| Renewal::new(known, now, history))
    }
}
