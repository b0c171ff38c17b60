//! What a session asks with the v2 API, and why.

use std::time::Instant;

use crate::model::Index;
use crate::watch::evidence::RegisteredWait;
use crate::watch::in_flight::{InFlight, SessionRequest};

/// A request with the v2 API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V2Request {
    /// Opens the stream: every event from now on.
    Stream,
    /// A long poll for the next event in scope. It reports an event even where the stream is stalled.
    Probe {
        /// The index after which the event comes; none for the next one from now on.
        after: Option<Index>,
    },
    /// Asks history for the next event after an index. Without one it is half-closed.
    Question {
        /// The index.
        after: Index,
        /// Whether it asks for the next event anywhere in the store.
        whole_store: bool,
        /// Whether it may wait for ever, since waits cannot be ended here.
        may_hang: bool,
        /// Whether no event is expected, so that its connection will be spent on it.
        renews: bool,
    },
    /// A long poll for the next event anywhere in the store. It shows a quiet watch that others write.
    Alarm,
    /// Asks for the next event anywhere in the store, of a member whose history may be damaged.
    Walk {
        /// The index after which it comes.
        after: Index,
        /// Whether it may wait for ever.
        may_hang: bool,
    },
    /// Asks at which index a replay ends.
    End,
    /// Asks a majority whether the store's index went back.
    Rewind,
    /// Asks a majority whether what is known is fresh.
    Fresh,
    /// Reads the state.
    State,
    /// Asks history for the last event that was reported.
    Verify {
        /// The index before that event.
        after: Index,
        /// Whether it asks for the next event anywhere in the store.
        whole_store: bool,
        /// Whether it may wait for ever.
        may_hang: bool,
    },
    /// Reads the key of that event.
    ReadKey {
        /// The key.
        key: Vec<u8>,
    },
    /// Asks history for the next event at that key.
    Next {
        /// The key.
        key: Vec<u8>,
        /// The index after which it comes.
        after: Index,
        /// Whether it may wait for ever.
        may_hang: bool,
    },
}

/// What a session notes of a wait.
#[derive(Clone, Debug, Default)]
pub struct Wait {
    /// Events come after this index; the one of the head where the request named none.
    pub after: Option<Index>,
    /// What its head proves together with an answer, or its end.
    pub registered: Option<RegisteredWait>,
    /// The number of the last request that was sent when the head came.
    pub last_sent: u64,
    /// The same when the server had answered another request that was sent after that head.
    pub last_sent_at_answer: Option<u64>,
    /// When it was half-closed, to end it.
    pub half_closed: Option<Instant>,
    /// Whether it has brought an event.
    pub is_answered: bool,
}

impl SessionRequest for V2Request {
    type Progress = Wait;
    const REWIND: Self = Self::Rewind;
    const STATE: Self = Self::State;

    fn name(&self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Probe { .. } => "probe",
            Self::Question { .. } => "question",
            Self::Alarm => "alarm",
            Self::Walk { .. } => "walk",
            Self::End => "end",
            Self::Rewind => "rewind",
            Self::Fresh => "fresh",
            Self::State => "state",
            Self::Verify { .. } => "verify",
            Self::ReadKey { .. } => "read-key",
            Self::Next { .. } => "next",
        }
    }

    fn hangs(&self) -> bool {
        matches!(self, Self::Stream | Self::Probe { .. } | Self::Alarm)
    }

    fn reports_new_events(&self) -> bool {
        matches!(self, Self::Stream | Self::Probe { .. })
    }

    fn compares(&self) -> bool {
        matches!(
            self,
            Self::Verify { .. } | Self::ReadKey { .. } | Self::Next { .. }
        )
    }

    fn is_about_reported(&self) -> bool {
        matches!(self, Self::ReadKey { .. } | Self::Next { .. })
    }
}

impl V2Request {
    /// The index after which it asks for events.
    #[must_use]
    pub fn after(&self) -> Option<Index> {
        match self {
            Self::Probe { after } => *after,
            Self::Question { after, .. }
            | Self::Walk { after, .. }
            | Self::Verify { after, .. }
            | Self::Next { after, .. } => Some(*after),
            Self::Stream
            | Self::Alarm
            | Self::End
            | Self::Rewind
            | Self::Fresh
            | Self::State
            | Self::ReadKey { .. } => None,
        }
    }

    /// Whether it is ended once it seems that there is no event.
    #[must_use]
    pub fn has_to_be_ended(&self) -> bool {
        matches!(
            self,
            Self::Question { .. } | Self::Verify { .. } | Self::Next { .. } | Self::Walk { .. }
        )
    }

    /// Whether it is a question about history.
    #[must_use]
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Question { .. })
    }

    /// Whether it asks for events of the whole store.
    #[must_use]
    pub fn is_of_whole_store(&self) -> bool {
        match self {
            Self::Question { whole_store, .. } | Self::Verify { whole_store, .. } => *whole_store,
            Self::Walk { .. } | Self::Alarm => true,
            _ => false,
        }
    }

    /// Whether it is answered soon, and leaves its connection to the next request.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        match self {
            Self::Stream | Self::Probe { .. } | Self::Alarm => false,
            Self::Question {
                whole_store,
                may_hang,
                renews,
                ..
            } => !whole_store && !may_hang && !renews,
            Self::Verify {
                whole_store,
                may_hang,
                ..
            } => !whole_store && !may_hang,
            Self::Walk { may_hang, .. } => !may_hang,
            Self::End
            | Self::Rewind
            | Self::Fresh
            | Self::State
            | Self::ReadKey { .. }
            | Self::Next { .. } => true,
        }
    }

    /// Whether a majority agrees on the answer.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        matches!(
            self,
            Self::End | Self::Rewind | Self::Fresh | Self::State | Self::ReadKey { .. }
        )
    }
}

impl InFlight<V2Request> {
    /// Events come after this index; none for whatever comes next.
    pub(super) fn after(&self) -> Option<Index> {
        self.progress.after.or(self.request.after())
    }

    /// When the head came of a wait that has to be ended, unless it brought an event or was
    /// half-closed.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let (_, at) = self.head?;
        let wait = &self.progress;
        let is_waiting =
            self.request.has_to_be_ended() && wait.half_closed.is_none() && !wait.is_answered;
        is_waiting.then_some(at)
    }

    /// Whether a clean end without an event is the answer that was asked for.
    pub(super) fn is_done(&self) -> bool {
        match &self.request {
            V2Request::Stream | V2Request::Probe { .. } | V2Request::Alarm => false,
            request if request.has_to_be_ended() => {
                self.head.is_some() && self.progress.half_closed.is_some()
            }
            _ => self.head.is_some(),
        }
    }
}
