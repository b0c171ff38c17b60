//! The watch engine.
//!
//! [`session`] decides and is pure; [`ledger`] knows what is proven, by [`evidence`] alone; [`endpoints`] knows which
//! server to ask; [`questions`] what to ask; [`mirror`] keeps the last known state; `budget` how much
//! may wait to be printed. What goes in and out of a session is here.

pub mod backoff;
mod budget;
pub mod buffer_pool;
pub mod endpoints;
pub mod evidence;
pub mod ledger;
pub mod mirror;
pub mod questions;
pub mod session;
pub use std::time::{Duration, Instant};

use crate::model::{Batch, Change, Fingerprint, Gap, Index, Scope, StateNode};
use crate::protocol::{Failure, Head, Whole};
use crate::v3::MessageEnd;

pub use budget::{Budget, Permit};
pub use buffer_pool::BufferPool;
pub use ledger::Held;
pub use session::Session;

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

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Every event from now on.
    Stream,
    /// One event at or after an index, or the next one. `hangs`: it is expected to wait, so
    /// that silence is no failure.
    Wait {
        /// The first index that will do.
        from: Option<Index>,
        /// Whether it may wait for ever.
        hangs: bool,
        /// Whether nothing is expected, so that its connection will be spent on it.
        renews: bool,
    },
    /// The store's index, agreed upon by a majority.
    Index,
    /// The state of what is watched, agreed upon by a majority.
    State,
    /// How one key is, agreed upon by a majority.
    Look(Vec<u8>),
    /// The next event at one key, from history. `hangs`: there may be none, so that silence is no
    /// failure.
    Next {
        /// The key.
        key: Vec<u8>,
        /// The first index that will do.
        from: Index,
        /// Whether it may wait for ever.
        hangs: bool,
    },
    /// Whatever happens next anywhere in the store.
    Alarm,
    /// The next event anywhere in the store, from history. `hangs`: there may be none yet, so that
    /// silence is no failure.
    Walk {
        /// The first index that will do.
        from: Index,
        /// Whether it may wait for ever.
        hangs: bool,
    },
    /// Every event at or after a revision, or from now on (v3).
    Revisions {
        /// The first revision.
        from: Option<Index>,
        /// Whether those of the whole store come, to prove that nothing in scope is missing.
        whole_store: bool,
        /// Whether messages come in fragments.
        in_fragments: bool,
    },
    /// How one key was at a revision, agreed upon by a majority (v3).
    Kept {
        /// The key.
        key: Vec<u8>,
        /// The revision.
        at: Index,
    },
    /// Whether the history after a revision is whole still (v3).
    Reach(Index),
    /// What was written last in scope after a revision, agreed upon by a majority (v3). A server may
    /// have to go through all keys for that.
    Since {
        /// The revision.
        after: Index,
        /// Nothing can be done without the answer: it is waited for much longer.
        is_awaited: bool,
    },
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
    Open {
        /// Its name.
        ticket: Ticket,
        /// To which endpoint.
        endpoint: usize,
        /// What is asked.
        ask: Ask,
    },
    /// Tell the server that nothing more comes, so that it ends the wait.
    HalfClose(Ticket),
    /// Break the connection off.
    Close(Ticket),
    /// Pass on what is known.
    Tell(Update),
    /// The watch is over.
    Finish(Outcome),
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
    /// The last event told has this fingerprint; none where no event is known.
    Last(Option<Fingerprint>),
    /// The cluster that answers.
    Cluster(String),
    /// How the watch is.
    Status(Status),
    /// Nothing in scope happened up to here.
    Position(Index),
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
