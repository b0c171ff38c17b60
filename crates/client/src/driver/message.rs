//! The messages from the worker threads to the thread with the session.

use std::time::Instant;

use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::v2;
use etcdwatch_engine::watch::{
    Budget, BufferPool, Input, Permit, ReceivedBatch, ReplyEnd, RequestId,
};

/// A message of a worker thread.
pub(super) enum WorkerMessage {
    /// An input for the session.
    Input(Input),
    /// Lines of a stream.
    Lines(UnparsedLines),
}

impl From<Input> for WorkerMessage {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

/// Whole lines of a stream, one event a line. The session's thread parses them, because in a burst
/// receiving them keeps the worker busy.
pub(super) struct UnparsedLines {
    pub(super) id: RequestId,
    pub(super) block: Vec<u8>,
    pub(super) received: Instant,
    /// Counts the block against the budget until it is parsed.
    pub(super) permit: Permit,
}

impl UnparsedLines {
    /// The events in the lines, or the failure to parse them.
    pub(super) fn parse(self, buffers: &BufferPool, budget: &Budget) -> Input {
        let Self {
            id,
            block,
            received,
            permit,
        } = self;
        let parsed = v2::parse_events_into(buffers.events(), block);
        drop(permit);
        match parsed {
            Ok(batch) if batch.is_empty() => Input::Tick,
            Ok(batch) => Input::Events {
                id,
                received: ReceivedBatch::new(batch, received, budget).returned_to(buffers),
            },
            Err(malformed) => Input::Ended {
                id,
                end: ReplyEnd::Failed(Failure::Malformed(malformed)),
            },
        }
    }
}
