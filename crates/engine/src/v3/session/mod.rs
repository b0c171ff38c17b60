//! A watch with the v3 API.
//!
//! One stream is in flight, from the revision that was reported in full last. It brings events in
//! order and without a gap, and says when history was compacted before it came to it. With three
//! exceptions:
//!
//! - where the stream is *behind*, at its beginning or because its reader was slow, the server looks
//!   history up a thousand revisions at a time. If the first of the next thousand removes a key and is
//!   compacted just then, etcd passes over it without a sign (upstream #19179), and delivers what else
//!   the transaction did. A session therefore asks about what lies between two messages, and about the
//!   first revision of the second: where the history after the first message is whole still, nothing
//!   was passed over (`doubts`);
//! - silence does not prove that nothing will come. Looking history up takes as long as it takes, over
//!   a minute with previous values. Where a replay ends is proven by a later event in the same stream
//!   (`replay_end`);
//! - where history was compacted for a watch on one key, nothing is lost if that key is still as it was
//!   (`compacted`).
//!
//! A message of fewer revisions than the server puts into one is not necessarily the last one of
//! history, so that the header of a message with events proves nothing. A stream whose connection
//! stands still is found out by what a majority says was written (`stalled`).
//!
//! A session asks for whole messages. A server that cuts a message into fragments counts its bytes anew
//! with each event: 100,000 small events took 3.5.1 40 s instead of one. It asks for fragments where a
//! gateway refuses a message for its size (old ones take 4 MiB).
//!
//! While the state is read for a gap or a snapshot, the stream is open already, so that nothing is
//! compacted in the meantime, however long that takes.
//!
//! # States
//!
//! ```text
//!      +-------------+ connections lost  +-----------+
//!  +-->| BackingOff  |<------------------| any phase |
//!  |   +-------------+                   +-----------+
//!  |          | the backoff is over
//!  |          v
//!  |   +-------------+ another store: a gap, then ReadingState
//!  |   |  Comparing  |
//!  |   +-------------+
//!  |          | the same store, or nothing to compare
//!  |          v
//!  |   +-------------+ a replay whose end is not known
//!  |   | FindingEnd  |
//!  |   +-------------+
//!  |          | known
//!  |          v
//!  |   +--------------+ --snapshot, or a gap with --on-gap resync or diff
//!  |   | ReadingState |<-------------------------------------------+
//!  |   +--------------+                                            |
//!  |          | the state was reported                             | the key has changed, or
//!  |          v                                                    | other keys are watched too
//!  |   +-------------+  history was compacted   +---------------+  |
//!  +---|  Streaming  |------------------------->|  CheckingKey  |--+
//!      +-------------+<-------------------------+---------------+
//!             |            the key is as it was
//!             v
//!         Finished: the end of a replay
//! ```
//!
//! # What each input does
//!
//! | input | in which phase | effect |
//! |---|---|---|
//! | head of the stream | `Streaming` | the watch is live; one without a cursor begins there |
//! | head of the stream | `ReadingState` | what follows is staged, and the state is read |
//! | head below the cursor | any | a majority is asked whether the store went back |
//! | events | any with a stream | proven up to the last one, unless the message may have passed over some |
//! | end of a message | any | a progress notification moves the cursor |
//! | history is whole | any with a stream | what may have been passed over was not |
//! | compacted | any with a stream | `CheckingKey`, or a gap: [`OnGap`] decides what follows |
//! | state | `ReadingState` | gap, reset, state, synced; then what was staged |
//! | failure | any | the next endpoint, or `BackingOff`; then `Comparing` |
//!
//! [`OnGap`]: crate::watch::OnGap

mod compacted;
mod compare;
mod doubt_questions;
mod doubts;
mod inputs;
mod replay_end;
mod request;
mod stalled;
mod stream_state;
mod streaming;

use std::time::{Duration, Instant};

pub use self::compare::V3ComparisonStage;
pub use self::request::V3Request;

use self::stream_state::V3Stream;
use crate::model::{Event, Index};
use crate::watch::core::{Core, SessionApi, WatchEnd};
use crate::watch::evidence::Proof;
use crate::watch::identity::Last;
use crate::watch::timing::HISTORY_STALLED;
use crate::watch::{Input, Plan, Start};

/// A watch with the v3 API.
pub type V3Session = Core<V3>;

/// What a session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V3Phase {
    /// Every endpoint failed. It ends when the backoff is over.
    BackingOff,
    /// Connections were lost, and another store may answer. It ends when the key of the last event is as
    /// that event left it; or when the store was replaced, and the watch begins anew.
    Comparing,
    /// The end of a replay is not known yet. It ends when a linearizable read returns the store's revision.
    FindingEnd,
    /// The state is read, with a stream open. It ends with a state at a revision that is not behind.
    ReadingState,
    /// History was compacted, and the one key that is watched is read there. It ends when the key is as it
    /// was, or when events were lost.
    CheckingKey(Index),
    /// The stream brings events. It ends with the replay, a gap, or a failure.
    Streaming,
}

/// What a session with the v3 API knows beside [`Core`].
#[derive(Debug)]
pub struct V3 {
    stream: V3Stream,
    /// An event that the stream in flight has to deliver, and since when that stream has delivered nothing.
    owes: Option<(Index, Instant)>,
    /// An event that a linearizable read reported and no stream has delivered, and since when no stream has
    /// delivered anything. It stays when a stream is given up.
    undelivered: Option<(Index, Instant)>,
    /// Whether messages may come in fragments: a gateway refused a whole one.
    in_fragments: bool,
    /// How long a stream that still delivers history may bring nothing of what it owes.
    patience: Duration,
    /// When it was last asked what was written in scope, and how long that took.
    scope_scan: Option<(Instant, Duration)>,
    /// Whether the stream brings the events of the whole store, to prove where a replay ends.
    reads_whole_store: bool,
}

impl V3Session {
    /// A watch at the time `now`.
    #[must_use]
    pub fn new(mut plan: Plan, now: Instant) -> Self {
        // There are no directories: each key that is removed has an event of its own.
        plan.expand = false;
        let api = V3 {
            stream: V3Stream::default(),
            owes: None,
            undelivered: None,
            in_fragments: false,
            patience: HISTORY_STALLED,
            scope_scan: None,
            reads_whole_store: false,
        };
        Self::with(api, plan, now)
    }
}

impl SessionApi for V3 {
    type Request = V3Request;
    type Phase = V3Phase;
    type ComparisonStage = V3ComparisonStage;

    const KEEPS_HELD_EVENTS: bool = true;
    const FINDS_OLDEST_LATE: bool = true;
    const FOLLOWS_BY_ITSELF: bool = true;
    const HAS_SILENT_WRITES: bool = false;

    fn take(session: &mut V3Session, input: Input) {
        match input {
            Input::Head { id, head } => session.on_head(id, &head),
            Input::Revisions {
                id,
                received,
                begins,
                is_past,
            } => session.on_revisions(id, received, begins, is_past),
            Input::MessageEnd { id, end } => session.on_message_end(id, end),
            Input::PartReceived { id } => session.on_part_received(id),
            Input::State { id, nodes } => session.on_state(id, nodes),
            Input::Ended { id, end } => session.on_ended(id, end),
            Input::Tick | Input::Events { .. } => {}
        }
    }

    fn give_up_stalled_stream(session: &mut V3Session) {
        session.close_stalled_stream();
    }

    fn phase(session: &V3Session) -> V3Phase {
        if !session.endpoints.is_open(session.now) {
            V3Phase::BackingOff
        } else if session.identity.is_unverified {
            V3Phase::Comparing
        } else if session.end == WatchEnd::Unknown {
            V3Phase::FindingEnd
        } else if session.resync.reading.is_some() {
            V3Phase::ReadingState
        } else if let Some(at) = session.api.stream.compacted_to {
            V3Phase::CheckingKey(at)
        } else {
            V3Phase::Streaming
        }
    }

    fn work(session: &mut V3Session, phase: V3Phase) {
        match phase {
            V3Phase::BackingOff => session.back_off(),
            V3Phase::Comparing => session.compare_store(),
            V3Phase::FindingEnd => {
                session.ensure(V3Request::End);
            }
            V3Phase::ReadingState => session.read_state(),
            V3Phase::CheckingKey(at) => {
                let key = session.plan.scope.key.as_str().as_bytes().to_owned();
                session.ensure(V3Request::Unchanged { key, at });
            }
            V3Phase::Streaming => session.follow_stream(),
        }
        session.give_up_unregistered();
        session.give_up_compaction();
    }

    fn forget_store(&mut self) {
        self.stream = V3Stream::default();
        self.owes = None;
        self.undelivered = None;
        self.reads_whole_store = false;
    }

    fn note_loss(session: &mut V3Session) {
        if session.resync.reading.is_some() {
            // The next stream begins before the state, and the state is read with that one open.
            session.end_stream();
            session.close_state();
        }
    }

    fn last_reported<'b>(
        before: Option<Last>,
        events: impl DoubleEndedIterator<Item = Event<'b>>,
    ) -> Option<Last> {
        Last::of_revisions(before, events)
    }

    fn first_stage(_: &Last) -> V3ComparisonStage {
        V3ComparisonStage::Event
    }

    fn comparison_request(session: &V3Session, stage: V3ComparisonStage, last: &Last) -> V3Request {
        let key = last.event.key.clone();
        match stage {
            V3ComparisonStage::Event => V3Request::Verify {
                key,
                at: session.reported().unwrap_or_default(),
            },
            V3ComparisonStage::Key => V3Request::ReadKey { key },
        }
    }

    fn freshness_request(session: &V3Session) -> V3Request {
        // The end of a replay depends on what the stream brings, and not on such a scan.
        let scans = session.is_following() && session.may_scan_scope();
        V3Request::Fresh {
            scan_after: scans.then(|| session.cursor().unwrap_or_default()),
        }
    }

    fn undelivered(&self, cursor: Option<Index>) -> Option<(Index, Instant)> {
        self.undelivered.filter(|(index, _)| Some(*index) > cursor)
    }
}

impl V3Session {
    /// Begins where no request has to say where that is.
    fn begin(&mut self) {
        if self.coverage.is_none() && self.plan.start == Start::Oldest {
            self.begin_at_oldest(Index::ZERO);
        }
        if let (Some(coverage), WatchEnd::At(Index(..=1)) | WatchEnd::Through(Index(..=1))) =
            (&mut self.coverage, self.end)
        {
            coverage.prove(Proof::of_first_revision());
        }
    }

    /// Keeps the stream open, and asks about what it may have passed over.
    fn follow_stream(&mut self) {
        self.begin();
        self.lose_doubted();
        if self.resync.reading.is_some() {
            self.read_state();
            return;
        }
        let cursor = self.cursor();
        self.open_stream(cursor);
        self.check_backlog();
        self.ask_about_doubts();
        if let Some(cursor) = cursor.filter(|_| !self.is_following()) {
            self.prove_end(cursor);
        }
    }

    fn open_stream(&mut self, after: Option<Index>) {
        let stream = V3Request::Stream {
            after,
            whole_store: self.api.reads_whole_store,
            in_fragments: self.api.in_fragments,
        };
        self.ensure(stream);
    }

    /// Reads the state, with a stream open that brings what happens in the meantime.
    fn read_state(&mut self) {
        if self.resync.states.is_spent() {
            // One state at a time waits for the reader of the output.
            self.poll_reader();
            return;
        }
        if self.resync.is_reading_start() && !self.starts_at_state() {
            // The watch begins elsewhere, and finds there what happens in the meantime.
            self.ask_for_state();
            return;
        }
        let is_staged = self.resync.is_staged();
        self.open_stream(self.cursor().filter(|_| is_staged));
        if is_staged && self.has_stream() {
            self.ask_for_state();
            self.check_backlog();
            self.ask_about_doubts();
        }
    }
}
