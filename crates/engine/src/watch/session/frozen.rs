//! A stream of revisions whose connection stands still.
//!
//! Nothing breaks then, and nothing comes. What a majority says was written in scope, and the stream
//! does not tell, gives it away.

use std::time::{Duration, Instant};

use super::{Open, Purpose, Session};
use crate::model::{Index, StateNode};
use crate::protocol::Failure;
use crate::watch::Ticket;

/// A stream that owes something is opened anew where nothing came for this long, and then for twice
/// as long each time: 3.4.23 took 40 s for a message with 200,000 previous values.
pub(super) const OWED: Duration = Duration::from_mins(1);
/// And where nothing came for this long, however often that was so.
const OWED_AT_MOST: Duration = Duration::from_mins(10);
/// A watch is registered within this time after it was asked for.
const REGISTERED: Duration = Duration::from_secs(15);
/// A server cancels a watch on compacted history within 100 ms, and says how far it was compacted.
const CANCELLED: Duration = Duration::from_secs(2);
/// A stream that does not tell what is known to have been written stands still.
const FROZEN: Duration = Duration::from_secs(10);
/// The part of the time that may be spent on looking whether the stream owes something.
const LOOKING: u32 = 100;

impl Session {
    /// Something of a message has come.
    pub(super) fn on_heard(&mut self, ticket: Ticket) {
        let purpose = self.open.get(&ticket).map(|open| open.purpose);
        if purpose == Some(Purpose::Stream) {
            self.past.heard = Some(self.now);
            self.stream.owes = self.stream.owes.map(|(index, _)| (index, self.now));
            self.untold = self.untold.map(|(index, _)| (index, self.now));
        }
    }

    /// Whether it is time to look what was written in scope: a server may have to go through all
    /// keys for that.
    pub(super) fn may_look(&self) -> bool {
        let looked = self.looked.map(|(at, took)| at + took * LOOKING);
        looked.is_none_or(|due| due <= self.now)
    }

    /// How long it took to look, whatever came of it.
    pub(super) fn note_look(&mut self, open: &Open) {
        self.looked = Some((self.now, self.now.duration_since(open.at)));
    }

    /// Something that takes long is waited for longer the next time.
    pub(super) fn grow_patience(&mut self) {
        self.patience = (self.patience * 2).min(OWED_AT_MOST);
    }

    /// The index of an event that a linearizable read reported and no stream has delivered yet, and since
    /// when that is known. Always `None` with the v2 API, where the stream is opened anew first.
    pub(super) fn untold(&self) -> Option<(Index, Instant)> {
        self.untold
            .filter(|(index, _)| Some(*index) > self.cursor())
    }

    /// Since when nothing was heard of what a stream is to tell; now where there is no such thing.
    pub(super) fn untold_since(&self) -> Instant {
        self.untold().map_or(self.now, |(_, since)| since)
    }

    /// Gives up watches of revisions that are not registered, though the server has begun to answer.
    pub(super) fn give_up_unregistered(&mut self) {
        let waits = self.open.iter().filter(|(_, open)| {
            matches!(open.purpose, Purpose::Stream | Purpose::Compaction) && open.head.is_none()
        });
        let due = waits.map(|(ticket, open)| (open.at + REGISTERED, *ticket));
        let Some((at, ticket)) = due.min() else {
            return;
        };
        if at > self.now {
            self.wake_by(Some(at));
            return;
        }
        let open = self.open.get(&ticket).cloned();
        self.close(ticket);
        if let Some(open) = open {
            let why = "its watch does not begin".to_owned();
            self.note_failure(&open, Failure::Silent(why));
            self.wake_by(Some(self.now));
        }
    }

    /// Gives up asking how far history was compacted, where nobody says so.
    pub(super) fn give_up_compaction(&mut self) {
        let asked = self.open.iter();
        let asked = asked.filter(|(_, open)| open.purpose == Purpose::Compaction);
        let due = asked.filter_map(|(ticket, open)| Some((open.head?.1 + CANCELLED, *ticket)));
        let Some((at, ticket)) = due.min() else {
            return;
        };
        if at > self.now {
            self.wake_by(Some(at));
            return;
        }
        self.close(ticket);
        self.on_no_compaction();
    }

    /// A majority tells what was written in scope after the cursor. A stream that does not is mute:
    /// its connection may stand still.
    pub(super) fn on_looked_for(&mut self, ticket: Ticket, nodes: &[StateNode]) {
        if let Some(open) = self.open.get(&ticket).cloned() {
            self.note_look(&open);
        }
        let latest = nodes.iter().map(|node| node.modified).max();
        if let Some(latest) = latest.filter(|latest| *latest > self.past.watcher.reached()) {
            self.stream.owes.get_or_insert((latest, self.now));
            self.untold.get_or_insert((latest, self.now));
        }
    }

    /// A stream that owes something since then, and of which nothing was heard.
    pub(super) fn give_up_frozen_stream(&mut self, since: Instant) {
        if self.plan.budget.is_spent() {
            // It waits for the reader of the output.
            self.stream.owes = None;
            return;
        }
        // One that is still told of the past may wait for a message that takes long to make.
        let patience = if self.past.is_current {
            FROZEN
        } else {
            self.patience
        };
        if since + patience > self.now {
            self.wake_by(Some(since + patience));
            return;
        }
        self.stream.owes = None;
        if !self.past.is_current {
            self.grow_patience();
        }
        let mut streams = self.open.values();
        let stream = streams
            .find(|open| open.purpose == Purpose::Stream)
            .cloned();
        self.end_stream();
        if let Some(open) = stream {
            let why = "its watch tells nothing of what was written".to_owned();
            self.note_failure(&open, Failure::Silent(why));
        }
    }
}
