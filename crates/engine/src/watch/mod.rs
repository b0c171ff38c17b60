//! A watch: what both sessions share, and what goes in and out of them.
//!
//! [`crate::v2::V2Session`] and [`crate::v3::V3Session`] decide. Both are a [`core::Core`], which is made of parts
//! of their own: [`coverage`] knows what is proven, by [`evidence`] alone; [`endpoints`] which server
//! is asked; [`in_flight`] what was asked; [`identity`] whether the store is still the same;
//! [`resync`] what is done about a gap; [`freshness`] whether silence means that nothing happened;
//! [`mirror`] keeps the last known state; `budget` limits what waits to be printed. Every duration is
//! in [`timing`].

pub mod backoff;
mod budget;
pub mod buffer_pool;
pub mod core;
pub mod coverage;
pub mod endpoints;
pub mod evidence;
mod failure;
pub mod freshness;
pub mod identity;
pub mod in_flight;
pub mod mirror;
mod release;
pub mod resync;
pub mod timers;
pub mod timing;

use std::time::{Duration, Instant};

use crate::model::{Api, Batch, Change, Fingerprint, Gap, Index, Scope, StateNode};
use crate::protocol::{Failure, Head, Whole};
use crate::v2::{V2Request, V2Session};
use crate::v3::{MessageEnd, V3Request, V3Session};

pub use budget::{Budget, Permit};
pub use buffer_pool::BufferPool;
pub use coverage::Held;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what happens next.
    Now,
    /// With the first event at or after this index.
    At(Index),
    /// With the oldest event that the server still has.
    Oldest,
}

/// Where a watch ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Nowhere.
    Forever,
    /// At the store's index at the start, agreed upon by a majority, or at `to` where that is
    /// earlier. With `follow` it goes on from there.
    Present {
        /// The last index wanted.
        to: Option<Index>,
        /// Whether it goes on as a stream.
        follow: bool,
    },
}

/// What is done when events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGap {
    /// The gap is declared, and the state told anew.
    Resync,
    /// The gap is declared, and the differences to the last known state are told.
    Diff,
    /// The gap is declared, and the watch goes on after it.
    Continue,
    /// The watch ends.
    Fail,
}

/// What a watch is to do.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Plan {
    /// What it looks at.
    pub scope: Scope,
    /// Where it begins.
    pub start: Start,
    /// Where it ends.
    pub until: Until,
    /// Whether a stream is opened: not worth it for a single event.
    pub stream: bool,
    /// Whether the values before are shown: v3 need not look for them else.
    pub previous: bool,
    /// What is done when events were lost.
    pub on_gap: OnGap,
    /// Whether the present state is told first.
    pub snapshot: bool,
    /// Whether the keys that a removed directory took with it are told.
    pub expand: bool,
    /// For how long it may be unknown whether what is known is fresh.
    pub stale_after: Duration,
    /// The cluster that it must be, where an earlier run knew it.
    pub cluster: Option<String>,
    /// The last event of an earlier run.
    pub last: Option<Fingerprint>,
    /// How many endpoints there are.
    pub endpoints: usize,
    /// How many indexes the server's history holds.
    pub history: u32,
    /// A member whose raft index jumps by as much may have been sent a snapshot.
    pub snapshot_behind: u64,
    /// For the jitter of the backoff.
    pub seed: u64,
    /// How many bytes of events may wait for the reader of the output.
    pub budget: Budget,
}

/// A batch, counted against the budget while any of its events is held or unprinted.
#[derive(Debug)]
pub struct Parcel {
    batch: Batch,
    received: Instant,
    buffers: Option<BufferPool>,
    _permit: Permit,
}

impl Parcel {
    /// Counts `batch`, which was received at that time, against `budget`.
    #[must_use]
    pub fn new(batch: Batch, received: Instant, budget: &Budget) -> Self {
        Self {
            _permit: budget.take(batch.weight()),
            batch,
            received,
            buffers: None,
        }
    }

    /// Returns its buffers to the pool when it is dropped.
    #[must_use]
    pub fn returned_to(mut self, buffers: &BufferPool) -> Self {
        self.buffers = Some(buffers.clone());
        self
    }

    /// When it was received.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }

    /// The events.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(buffers) = &self.buffers {
            buffers.keep(std::mem::take(&mut self.batch));
        }
    }
}

/// Names one request, so that what comes late is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is asked of a server, by the session of either API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyRequest {
    /// With the v2 API.
    V2(V2Request),
    /// With the v3 API.
    V3(V3Request),
}

impl AnyRequest {
    /// Whether it is answered soon, and leaves its connection to the next request.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        match self {
            Self::V2(request) => request.is_quick(),
            Self::V3(request) => !request.is_watch(),
        }
    }
}

impl From<V2Request> for AnyRequest {
    fn from(request: V2Request) -> Self {
        Self::V2(request)
    }
}

impl From<V3Request> for AnyRequest {
    fn from(request: V3Request) -> Self {
        Self::V3(request)
    }
}

/// A watch under way, with either API.
#[derive(Debug)]
pub enum Session {
    /// With the v2 API.
    V2(Box<V2Session>),
    /// With the v3 API.
    V3(Box<V3Session>),
}

impl Session {
    /// A watch of what the plan's scope names, at the time `now`. Its first request comes with the
    /// first [`Session::handle`].
    #[must_use]
    pub fn new(plan: Plan, now: Instant) -> Self {
        match plan.scope.api() {
            Api::V2 => Self::V2(Box::new(V2Session::new(plan, now))),
            Api::V3 => Self::V3(Box::new(V3Session::new(plan, now))),
        }
    }

    /// Takes one input at the time `now`; what is to be done about it.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Step> {
        match self {
            Self::V2(session) => session.handle(input, now),
            Self::V3(session) => session.handle(input, now),
        }
    }

    /// When an [`Input::Tick`] is due though nothing else happens.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match self {
            Self::V2(session) => session.wake_at(),
            Self::V3(session) => session.wake_at(),
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The head of a reply that is no error.
    Head {
        /// Whose.
        ticket: Ticket,
        /// The head.
        head: Head,
    },
    /// Events of a reply.
    Events {
        /// Whose.
        ticket: Ticket,
        /// The events.
        parcel: Parcel,
    },
    /// Events of a watch by revisions: all of those at their indexes.
    Revisions {
        /// Whose.
        ticket: Ticket,
        /// The events in scope.
        parcel: Parcel,
        /// The first revision of the message, where they are the first of it.
        begins: Option<Index>,
        /// The message is about the past, and not about what happens now.
        is_past: bool,
    },
    /// A message of a watch by revisions has ended.
    MessageEnd {
        /// Whose.
        ticket: Ticket,
        /// What it says of itself.
        end: MessageEnd,
    },
    /// A part of a long message of a watch by revisions.
    Heard {
        /// Whose.
        ticket: Ticket,
    },
    /// The state that was asked for.
    State {
        /// Whose.
        ticket: Ticket,
        /// Keys and directories, in the order of the keys.
        nodes: Vec<StateNode>,
    },
    /// A reply is over.
    Ended {
        /// Whose.
        ticket: Ticket,
        /// How.
        end: End,
    },
}

/// How a reply ended.
#[derive(Debug)]
pub enum End {
    /// As HTTP says that it ends.
    Clean(Whole),
    /// In any other way.
    Failed(Failure),
}

/// What is to be done.
#[derive(Debug)]
pub enum Step {
    /// Send a request.
    Send {
        /// The name of the request.
        ticket: Ticket,
        /// The endpoint that it goes to.
        endpoint: usize,
        /// The request.
        request: AnyRequest,
    },
    /// Tell the server that nothing more comes, so that it ends the wait.
    HalfClose(Ticket),
    /// Break the connection off.
    Close(Ticket),
    /// Pass on what is known.
    Report(Update),
}

/// What a watch tells, in order.
#[derive(Debug)]
pub enum Update {
    /// Events, each once and in order.
    Events(Vec<Held>),
    /// Events were lost, all before what comes next.
    Gap(Gap),
    /// What was told up to now is to be forgotten; the state follows.
    Reset(Index),
    /// The state at an index.
    State {
        /// The index.
        index: Index,
        /// Keys and directories, in the order of the keys.
        nodes: Vec<StateNode>,
        /// Until it is dropped, they are not printed, and no other state is read.
        unread: Permit,
    },
    /// What became of the last known state.
    Changes {
        /// At this index.
        index: Index,
        /// In an order in which they can be applied.
        changes: Vec<Change>,
        /// Until it is dropped, they are not printed, and no other state is read.
        unread: Permit,
    },
    /// The state, or the differences, are complete.
    Synced(Index),
    /// Keys that a directory will take with it: it is removed by the event that comes next.
    Below {
        /// The index of that event.
        index: Index,
        /// The keys, those below others first.
        nodes: Vec<StateNode>,
    },
    /// How far the watch has come.
    Position(Position),
    /// How the watch is.
    Status(Status),
    /// A replay runs from here to there.
    Target {
        /// Before its first index.
        from: Index,
        /// Its last.
        to: Index,
    },
    /// The replay's end was reached, and it goes on as a stream.
    Following,
    /// Something that a person may want to know.
    Notice(Notice),
    /// The watch is over. No update follows.
    Finished(Outcome),
}

/// How far a watch has come, and what tells its store from another. All three are of one store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The cluster that answers, once a reply has named it.
    pub cluster: Option<String>,
    /// Everything up to this index was reported. `None` while no index of this store is known to be.
    pub index: Option<Index>,
    /// The fingerprint of the last event that was reported; `None` where none is known.
    pub last: Option<Fingerprint>,
}

/// What a person may want to know.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The index asked for lies ahead of the store's.
    Ahead {
        /// The first index wanted.
        from: Index,
        /// The store's.
        index: Index,
    },
    /// All that was asked for lies before the oldest index.
    BeforeOldest {
        /// The oldest.
        oldest: Index,
        /// The last one asked for.
        to: Index,
    },
    /// Something before an endpoint breaks connections that are half-closed. That nothing happened
    /// can't be asked there: the history of the whole store is read instead.
    HalfClose {
        /// Which.
        endpoint: usize,
    },
    /// The end of a replay can't be proven, for this reason.
    Unproven(NoProof),
    /// An endpoint belongs to another cluster and is left out.
    OtherCluster {
        /// Which.
        endpoint: usize,
    },
}

/// Why the end of a replay can't be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProof {
    /// The user may not read the whole store, of which some event comes next in any case.
    WholeStoreRefused,
    /// An event elsewhere in the store is larger than the limit.
    TooLong,
    /// The store shows no event at the end or after it, and connections break when they are
    /// half-closed.
    NoNextEvent,
}

/// How a watch is.
#[derive(Clone, Debug)]
pub struct Status {
    /// In a word.
    pub state: StateOfWatch,
    /// The endpoint that it speaks of.
    pub endpoint: usize,
    /// Everything up to here was told.
    pub index: Index,
    /// Why, where it is not live.
    pub cause: Option<Failure>,
    /// Whether it differs from the one before.
    pub is_new: bool,
    /// Whether a person is told: a connection that is simply opened anew is not worth it.
    pub notable: bool,
}

/// How a watch is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateOfWatch {
    /// Registered: what is written from now on is seen.
    Live,
    /// It can't be told whether something happened.
    Stale,
    /// No endpoint answers just now.
    Reconnecting,
}

impl StateOfWatch {
    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Reconnecting => "reconnecting",
        }
    }
}

/// How a watch ended by itself.
#[derive(Debug)]
pub enum Outcome {
    /// It came to its end.
    Done,
    /// Events were lost, and [`OnGap::Fail`] was in force.
    Lost {
        /// What.
        gap: Gap,
        /// The oldest index that is to be had, where the history was cleared.
        oldest: Option<Index>,
    },
    /// It could not go on: which endpoint failed, and why.
    Failed(Vec<(usize, Failure)>),
}
