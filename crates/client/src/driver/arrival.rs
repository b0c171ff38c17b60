//! What arrives from the connections.

use std::time::Instant;

use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::v2;
use etcdwatch_engine::watch::{Budget, End, Input, Parcel, Permit, Spares, Ticket};

/// What a connection's thread passes on.
pub(super) enum Arrival {
    /// An input of the session.
    Input(Input),
    /// Lines of a stream.
    Lines(Lines),
}

impl From<Input> for Arrival {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

/// Whole lines of a stream, an event each, that nobody has read yet. In a burst it takes as long to
/// receive them as to read them, so that another thread does that.
pub(super) struct Lines {
    pub(super) ticket: Ticket,
    pub(super) block: Vec<u8>,
    pub(super) received: Instant,
    /// Until they are read.
    pub(super) permit: Permit,
}

impl Lines {
    /// What they say: their events, or what is wrong with them.
    pub(super) fn read(self, spares: &Spares, budget: &Budget) -> Input {
        let Self {
            ticket,
            block,
            received,
            permit,
        } = self;
        let read = v2::parse_events_into(spares.events(), block);
        drop(permit);
        match read {
            Ok(batch) if batch.is_empty() => Input::Tick,
            Ok(batch) => Input::Events {
                ticket,
                parcel: Parcel::new(batch, received, budget).returned_to(spares),
            },
            Err(malformed) => Input::Ended {
                ticket,
                end: End::Failed(Failure::Malformed(malformed)),
            },
        }
    }
}
