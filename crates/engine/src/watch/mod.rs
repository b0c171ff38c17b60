//! The parts of a watch that both sessions share, and the values that go in and out of a session.
//!
//! [`crate::v2::V2Session`] and [`crate::v3::V3Session`] decide what a watch does. Both are a
//! [`core::Core`], which has one part for each concern:
//!
//! - [`coverage`] holds the proven ranges of indexes, by [`evidence`] alone;
//! - [`endpoints`] chooses the server for the next request;
//! - [`in_flight`] holds the requests that were sent;
//! - [`identity`] finds out whether the store was replaced;
//! - [`resync`] reads the state again after a gap;
//! - [`freshness`] confirms that silence means that nothing happened;
//! - [`mirror`] keeps the last known state;
//! - `budget` limits the bytes that wait to be printed;
//! - [`timing`] has every duration.

pub mod backoff;
mod budget;
pub mod buffer_pool;
pub mod core;
pub mod coverage;
pub mod endpoints;
pub mod evidence;
pub mod freshness;
pub mod identity;
pub mod in_flight;
pub mod mirror;
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
pub use coverage::HeldEvents;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the next event.
    Now,
    /// At the first event with this index or a later one.
    At(Index),
    /// At the oldest event that the server still has.
    Oldest,
}

/// Where a watch ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedEnd {
    /// The watch never ends by itself.
    Forever,
    /// A replay. It ends at the store's index at the start, which a majority has confirmed, or at `to`
    /// if that is earlier. With `follow` the watch goes on from there.
    Present {
        /// The last index to replay.
        to: Option<Index>,
        /// Whether the watch goes on as a stream.
        follow: bool,
    },
}

/// How a watch reacts to lost events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGap {
    /// Declare the gap, and report the whole state.
    Resync,
    /// Declare the gap, and report the differences from the last known state.
    Diff,
    /// Declare the gap, and go on after it.
    Continue,
    /// End the watch.
    Fail,
}

/// The options of a watch.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Plan {
    /// The keys that are watched.
    pub scope: Scope,
    /// Where the watch begins.
    pub start: Start,
    /// Where the watch ends.
    pub planned_end: PlannedEnd,
    /// Whether to open a stream. A long poll is enough for a single event.
    pub stream: bool,
    /// Whether to request previous values (v3). A server has to look them up.
    pub previous: bool,
    /// How to react to lost events.
    pub on_gap: OnGap,
    /// Whether to report the present state first.
    pub snapshot: bool,
    /// Whether to report the keys below a removed directory (v2).
    pub expand: bool,
    /// The watch is stale when freshness could not be confirmed for this long.
    pub stale_after: Duration,
    /// The ID of the cluster that an earlier run watched. Other clusters are left out.
    pub cluster: Option<String>,
    /// The fingerprint of the last event that an earlier run reported.
    pub last: Option<Fingerprint>,
    /// The number of endpoints.
    pub endpoints: usize,
    /// How many indexes the server's history holds (v2).
    pub history: u32,
    /// A member whose raft index jumps by this much may have installed a raft snapshot.
    pub raft_jump: u64,
    /// The seed of all jitter.
    pub seed: u64,
    /// How many bytes of events may wait to be printed.
    pub budget: Budget,
}

/// A batch as it was received. It counts against the budget until its last event is printed.
#[derive(Debug)]
pub struct ReceivedBatch {
    batch: Batch,
    received_at: Instant,
    buffers: Option<BufferPool>,
    _permit: Permit,
}

impl ReceivedBatch {
    /// Counts `batch` against `budget`.
    #[must_use]
    pub fn new(batch: Batch, received_at: Instant, budget: &Budget) -> Self {
        Self {
            _permit: budget.take(batch.weight()),
            batch,
            received_at,
            buffers: None,
        }
    }

    /// Returns the buffers of the batch to this pool when the batch is dropped.
    #[must_use]
    pub fn returned_to(mut self, buffers: &BufferPool) -> Self {
        self.buffers = Some(buffers.clone());
        self
    }

    /// When the batch was received.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// The events of the batch.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }
}

impl Drop for ReceivedBatch {
    fn drop(&mut self) {
        if let Some(buffers) = &self.buffers {
            buffers.keep(std::mem::take(&mut self.batch));
        }
    }
}

/// Identifies a request, so that a late reply to an earlier one is not taken for the reply to a later
/// one. IDs ascend in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request of either session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyRequest {
    /// A request with the v2 API.
    V2(V2Request),
    /// A request with the v3 API.
    V3(V3Request),
}

impl AnyRequest {
    /// Whether the reply comes soon, so that the next request can use the same connection.
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

/// The session of a watch, with either API.
#[derive(Debug)]
pub enum Session {
    /// A session with the v2 API.
    V2(Box<V2Session>),
    /// A session with the v3 API.
    V3(Box<V3Session>),
}

impl Session {
    /// Creates a session at the time `now`. The first [`Session::handle`] returns its first request.
    #[must_use]
    pub fn new(plan: Plan, now: Instant) -> Self {
        match plan.scope.api() {
            Api::V2 => Self::V2(Box::new(V2Session::new(plan, now))),
            Api::V3 => Self::V3(Box::new(V3Session::new(plan, now))),
        }
    }

    /// Handles one input at the time `now`, and returns the steps for the driver.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Step> {
        match self {
            Self::V2(session) => session.handle(input, now),
            Self::V3(session) => session.handle(input, now),
        }
    }

    /// When an [`Input::Tick`] is due if no other input comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        match self {
            Self::V2(session) => session.wake_at(),
            Self::V3(session) => session.wake_at(),
        }
    }
}

/// What a session reacts to.
#[derive(Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The head of a reply that is not an error.
    Head {
        /// The request that this head belongs to.
        id: RequestId,
        /// The head of the reply.
        head: Head,
    },
    /// Events in the reply to a wait, or in a stream (v2).
    Events {
        /// The request that these events belong to.
        id: RequestId,
        /// The events in the order of their indexes.
        received: ReceivedBatch,
    },
    /// Events of a watch (v3), complete for each revision in the batch.
    Revisions {
        /// The watch that these events belong to.
        id: RequestId,
        /// The events in scope, in the order of their revisions.
        received: ReceivedBatch,
        /// The first revision of the message, if these are its first events.
        begins: Option<Index>,
        /// Whether the message is about the past: an unsynced watcher received it.
        is_past: bool,
    },
    /// A message of a watch is complete (v3).
    MessageEnd {
        /// The watch that this message belongs to.
        id: RequestId,
        /// What the message says beside its events.
        end: MessageEnd,
    },
    /// A part of a long message of a watch arrived (v3), so the stream is not stalled.
    PartReceived {
        /// The watch that this message belongs to.
        id: RequestId,
    },
    /// The state in the reply to a read.
    State {
        /// The request that this state belongs to.
        id: RequestId,
        /// Keys and directories, sorted by key.
        nodes: Vec<StateNode>,
    },
    /// A reply ended. No input for this request follows.
    Ended {
        /// The request that this reply belongs to.
        id: RequestId,
        /// Whether the reply is complete.
        end: ReplyEnd,
    },
}

/// How a reply ended.
#[derive(Debug)]
pub enum ReplyEnd {
    /// The reply ended where HTTP says that it ends.
    Clean(Whole),
    /// The request failed, or the reply broke off.
    Failed(Failure),
}

/// What the driver has to do.
#[derive(Debug)]
pub enum Step {
    /// Send a request.
    Send {
        /// The ID of the request.
        id: RequestId,
        /// The endpoint to send it to.
        endpoint: usize,
        /// The request to send.
        request: AnyRequest,
    },
    /// Half-close the connection of this request, so that the server ends the wait.
    HalfClose(RequestId),
    /// Close the connection of this request.
    Close(RequestId),
    /// Pass this update on to the consumer of the watch.
    Report(Update),
}

/// What a watch reports, in order.
#[derive(Debug)]
pub enum Update {
    /// Events, each once and in order.
    Events(Vec<HeldEvents>),
    /// Events may be lost. Every later update is about what happened after the gap.
    Gap(Gap),
    /// Everything reported so far is void. The state at this index follows.
    Reset(Index),
    /// The state at an index.
    State {
        /// The index at which the state was read.
        index: Index,
        /// Keys and directories, sorted by key.
        nodes: Vec<StateNode>,
        /// Dropped when the state is printed. Until then no other state is read.
        unread: Permit,
    },
    /// The differences from the last known state.
    Changes {
        /// The index of the newer state.
        index: Index,
        /// The differences, in an order in which they can be applied.
        changes: Vec<Change>,
        /// Dropped when the differences are printed. Until then no other state is read.
        unread: Permit,
    },
    /// The state, or the list of differences, is complete.
    Synced(Index),
    /// The keys below a directory that the next event removes.
    Below {
        /// The index of that event.
        index: Index,
        /// The removed keys, the deepest first.
        nodes: Vec<StateNode>,
    },
    /// The position to write into a checkpoint.
    Position(Position),
    /// The watch is live, stale or reconnecting.
    Status(Status),
    /// The range of a replay is known.
    Target {
        /// The last index before the replay.
        from: Index,
        /// The last index of the replay.
        to: Index,
    },
    /// The replay is complete, and the watch goes on as a stream.
    Following,
    /// Something that a person may want to know.
    Notice(Notice),
    /// The watch ended. No update follows.
    Finished(Outcome),
}

/// How far a watch has come, and what identifies its store. All fields are about the same store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The ID of the cluster, once a reply has named it.
    pub cluster: Option<String>,
    /// Everything up to this index was reported. `None` until an index of this store is known.
    pub index: Option<Index>,
    /// The fingerprint of the last reported event; `None` if there is none.
    pub last: Option<Fingerprint>,
}

/// What a person may want to know about a watch.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The requested index lies ahead of the store's index.
    Ahead {
        /// The first requested index.
        from: Index,
        /// The store's index.
        index: Index,
    },
    /// The whole requested range lies before the oldest index in history.
    BeforeOldest {
        /// The oldest index in history.
        oldest: Index,
        /// The last requested index.
        to: Index,
    },
    /// A proxy before this endpoint closes half-closed connections, so no wait can be ended with a
    /// proof. The history of the whole store is read instead.
    HalfClose {
        /// The number of the endpoint.
        endpoint: usize,
    },
    /// The end of a replay cannot be proven, for this reason.
    Unproven(NoProof),
    /// This endpoint belongs to another cluster and is left out.
    OtherCluster {
        /// The number of the endpoint.
        endpoint: usize,
    },
}

/// Why the end of a replay cannot be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProof {
    /// The user has no read permission on the whole store, whose next event would be the proof.
    WholeStoreRefused,
    /// An event elsewhere in the store is larger than the limit.
    TooLong,
    /// The store has no event at the end or after it, and no wait can be ended, because half-closed
    /// connections break.
    NoNextEvent,
}

/// The status of a watch.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether the watch is live, stale or reconnecting.
    pub state: WatchState,
    /// The endpoint that this status is about.
    pub endpoint: usize,
    /// Everything up to this index was reported.
    pub index: Index,
    /// The last failure, if the watch is not live.
    pub cause: Option<Failure>,
    /// Whether the state or the endpoint differs from the status before.
    pub is_new: bool,
    /// Whether a notice is printed. A single reconnect is not worth one.
    pub notable: bool,
}

/// Whether a watch is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// The watch is registered: the server reports every later write.
    Live,
    /// No server confirmed within `stale_after` that nothing is missing.
    Stale,
    /// Every endpoint failed.
    Reconnecting,
}

impl WatchState {
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
    /// The watch reached its end.
    Done,
    /// Events were lost, and the plan says [`OnGap::Fail`].
    Lost {
        /// The range of lost events.
        gap: Gap,
        /// The oldest index that history still has, if history was cleared or compacted.
        oldest: Option<Index>,
    },
    /// Every endpoint failed: the endpoints and their failures.
    Failed(Vec<(usize, Failure)>),
}
