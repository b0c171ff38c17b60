//! Connections to the model server, and how they break.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::model::Index;
use crate::protocol::{Failure, Whole};
use crate::testing;
use crate::v2::{self, V2Request};
use crate::watch::{AnyRequest, Budget, Input, ReceivedBatch, ReplyEnd, RequestId};

/// A request as the model server receives it, without its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V2Call {
    Stream,
    Wait {
        from: Option<Index>,
        hangs: bool,
    },
    Index,
    State,
    ReadKey(Vec<u8>),
    Next {
        key: Vec<u8>,
        from: Index,
        hangs: bool,
    },
    Alarm,
    Walk {
        from: Index,
        hangs: bool,
    },
}

impl From<AnyRequest> for V2Call {
    fn from(request: AnyRequest) -> Self {
        let AnyRequest::V2(request) = request else {
            panic!("a session of the v2 API sends {request:?}");
        };
        match request {
            V2Request::Stream => Self::Stream,
            V2Request::Probe { after } => Self::Wait {
                from: after.map(Index::next),
                hangs: true,
            },
            V2Request::Question {
                after,
                whole_store: true,
                ..
            }
            | V2Request::Verify {
                after,
                whole_store: true,
                ..
            } => Self::Walk {
                from: after.next(),
                hangs: true,
            },
            V2Request::Question {
                after, may_hang, ..
            }
            | V2Request::Verify {
                after, may_hang, ..
            } => Self::Wait {
                from: Some(after.next()),
                hangs: may_hang,
            },
            V2Request::Alarm => Self::Alarm,
            V2Request::Walk { after, may_hang } => Self::Walk {
                from: after.next(),
                hangs: may_hang,
            },
            V2Request::End | V2Request::Rewind | V2Request::Fresh => Self::Index,
            V2Request::State => Self::State,
            V2Request::ReadKey { key } => Self::ReadKey(key),
            V2Request::Next {
                key,
                after,
                may_hang,
            } => Self::Next {
                key,
                from: after.next(),
                hangs: may_hang,
            },
        }
    }
}

/// The time limit of the driver for the rest of a reply, and for the head of a read that needs a
/// majority.
const PATIENCE: Duration = Duration::from_secs(5);
const QUORUM_PATIENCE: Duration = Duration::from_secs(9);

/// The loss of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection breaks after the head.
    CutBody,
    /// The reply stalls after the head.
    SilentBody,
    /// The reply never begins.
    Silent,
}

/// A connection to the model.
pub struct Wire {
    pub endpoint: usize,
    pub member: usize,
    /// The store that it was opened to.
    pub era: usize,
    pub call: V2Call,
    /// The head has arrived.
    pub has_head: bool,
    /// Whether the connection still receives events: not after an answer, or when it is stalled.
    pub registered: bool,
    /// If the connection is half-closed now, it ends without its event. The range has the events that
    /// only this wait may overlook.
    pub overlooks: Option<Range<u64>>,
    /// The inputs in transit, with their times of arrival.
    pub queue: VecDeque<(Instant, Input)>,
}

impl Wire {
    pub fn arrival(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// The time at which the driver gives the connection up if nothing arrives after `since`; `None`
    /// for a request that is meant to stay open.
    pub fn silence(&self, since: Instant) -> Option<(Instant, Failure)> {
        let hangs = match self.call {
            V2Call::Stream | V2Call::Alarm => true,
            V2Call::Wait { hangs, .. }
            | V2Call::Next { hangs, .. }
            | V2Call::Walk { hangs, .. } => hangs,
            V2Call::Index | V2Call::State | V2Call::ReadKey(_) => false,
        };
        (!hangs).then(|| (since + PATIENCE, Failure::Silent("idle".to_owned())))
    }

    /// The same for a connection whose head did not arrive.
    pub fn silence_before_head(&self, since: Instant) -> (Instant, Failure) {
        let patience = match self.call {
            V2Call::Index | V2Call::State | V2Call::ReadKey(_) => QUORUM_PATIENCE,
            V2Call::Stream
            | V2Call::Alarm
            | V2Call::Wait { .. }
            | V2Call::Next { .. }
            | V2Call::Walk { .. } => PATIENCE,
        };
        (since + patience, Failure::Silent("no head".to_owned()))
    }

    /// Drops all inputs in transit but the first ones.
    pub fn forget(&mut self, kept: usize) {
        self.registered = false;
        self.overlooks = None;
        self.queue.truncate(kept);
    }

    /// Delays an event that the server has found until `until`. If the client half-closes the wait before,
    /// the wait ends without the event.
    pub fn stall(&mut self, until: Instant) {
        let mut is_late = false;
        for (at, input) in &mut self.queue {
            is_late |= matches!(input, Input::Events { .. });
            if is_late {
                *at = until.max(*at);
            }
        }
        if is_late && matches!(self.call, V2Call::Wait { hangs: false, .. }) {
            self.overlooks = Some(0..0);
        }
    }

    pub fn say(&mut self, at: Instant, input: Input) {
        self.queue.push_back((at, input));
    }

    pub fn end(&mut self, id: RequestId, at: Instant) {
        let end = ReplyEnd::Clean(Whole::received());
        self.say(at, Input::Ended { id, end });
    }

    pub fn fail(&mut self, id: RequestId, at: Instant, failure: Failure) {
        let end = ReplyEnd::Failed(failure);
        self.say(at, Input::Ended { id, end });
    }
}

/// The input for events as etcd writes them, one a line.
pub fn events(id: RequestId, line: &str, budget: &Budget) -> Input {
    let batch = v2::parse_events(format!("{line}\n").into_bytes()).expect("an event");
    Input::Events {
        id,
        received: ReceivedBatch::new(batch, testing::now(), budget),
    }
}
