//! Where a replay by v3 ends: the proof that the stream owes nothing up to there.

use std::time::{Duration, Instant};

use super::steps::PRESSURE_POLL;
use super::{Open, Purpose, Session};
use crate::model::Index;
use crate::watch::{Failure, Notice, Parcel, Ticket, Update};

/// A stream that has brought nothing for this long may owe nothing.
const QUIET: Duration = Duration::from_millis(50);
/// How many proofs are under way.
const PROOFS: usize = 2;
/// A server that was stalled may have looked for both at once after all: then what was before the
/// marker may come just after it.
const GRACE: Duration = Duration::from_millis(100);
/// Who may not read everything can't be told of a marker. A stream that has brought nothing for this
/// long is taken to owe nothing then.
const SILENT: Duration = Duration::from_secs(2);
/// A marker is waited for this long after the head, and then for twice as long each time.
const MARKED: Duration = Duration::from_secs(1);
/// Where a replay hears nothing for so long, it is asked whether anybody is there.
const SILENCE: Duration = Duration::from_secs(5);

/// What is known of the end of a replay, while one stream is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayEnd {
    /// When it was asked last whether anybody is there.
    asked: Option<Instant>,
    /// A proof knows of an event that the stream owes.
    owes: Index,
    /// A proof came too late.
    pub is_compacted: bool,
    /// How often the marker of a proof did not come in time.
    unmarked: u32,
}

impl Session {
    /// Has it proven that nothing is left up to where the replay ends.
    pub(super) fn prove_end(&mut self, cursor: Index) {
        let is_registered = |open: &Open| open.purpose == Purpose::Stream && open.head.is_some();
        let Some(heard) = self
            .past
            .heard
            .filter(|_| self.open.values().any(is_registered))
        else {
            return;
        };
        if self.plan.budget.is_spent() {
            // The stream waits for the reader of the output.
            self.wake_by(Some(self.now + PRESSURE_POLL));
            return;
        }
        let asked = self.past.end.asked.map_or(heard, |asked| asked.max(heard)) + SILENCE;
        if asked > self.now {
            self.wake_by(Some(asked));
        } else if self.past.end.is_compacted {
            // What it may still have told can't be asked for any more.
            self.end_stream();
            return;
        } else {
            self.past.end.asked = Some(self.now);
            self.ensure(Purpose::Fresh, None);
        }
        if self.end_proofs() {
            return;
        }
        self.give_up_unmarked();
        if self.past.end.owes > cursor && heard + self.patience <= self.now {
            // A connection may stand still, and a server may take long.
            self.grow_patience();
            self.end_stream();
            return;
        }
        let has_doubts = self.past.passed.is_open();
        if has_doubts || self.past.end.owes > cursor || self.past.end.is_compacted {
            return;
        }
        let quiet = if self.is_deaf { SILENT } else { QUIET };
        if heard + quiet > self.now {
            self.wake_by(Some(heard + quiet));
        } else if self.is_deaf {
            self.end_in_silence(cursor);
        } else if !self.has(Purpose::Proof) {
            for _ in 0..PROOFS {
                self.request(Purpose::Proof, Some(cursor));
            }
        }
    }

    /// Takes silence for the end.
    fn end_in_silence(&mut self, cursor: Index) {
        self.tell(Update::Notice(Notice::Unproven));
        if let (Some(ledger), Some(target)) = (&mut self.ledger, self.target) {
            ledger.prove(cursor, target);
        }
        // It is told with the next input.
        self.wake_by(Some(self.now));
    }

    /// A marker was refused: not everybody may read everything.
    pub(super) fn on_marker_refused(&mut self) {
        self.is_deaf = true;
        self.close_where(|open| open.purpose == Purpose::Proof);
    }

    /// Gives up proofs whose marker does not come. Of what is sent after the first, a gateway may
    /// take no notice: while it begins to answer, the rest of a request is read by two at once. A
    /// connection may stand still, too, and a server take long.
    pub(super) fn give_up_unmarked(&mut self) {
        let limit = MARKED.saturating_mul(1 << self.past.end.unmarked.min(6));
        let waits = self
            .open
            .values()
            .filter(|open| open.purpose == Purpose::Proof);
        let due = waits
            .filter(|open| open.marked.is_none())
            .filter_map(|open| Some(open.head?.1 + limit))
            .min();
        let Some(due) = due else { return };
        if due > self.now {
            self.wake_by(Some(due));
            return;
        }
        let now = self.now;
        self.past.end.unmarked += 1;
        self.close_where(|open| {
            let is_late = open.head.is_some_and(|(_, at)| at + limit <= now);
            open.purpose == Purpose::Proof && open.marked.is_none() && is_late
        });
    }

    /// A revision that the store has reached, and not before the end of the replay.
    pub(super) fn marker(&self) -> Index {
        self.known.max(self.target.unwrap_or_default())
    }

    pub(super) fn on_proof_begun(&mut self, ticket: Ticket, index: Index) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        let wanted = open.wanted;
        if index < wanted {
            // It would be told of its marker when that comes, and of the past some time later.
            self.close(ticket);
            self.note_failure(&open, Failure::Behind { index, wanted });
        }
    }

    /// There is something left to be told, if it lies before the end.
    pub(super) fn on_proof_told(&mut self, after: Option<Index>, parcel: &Parcel) {
        let target = self.target;
        let mut indexes = parcel.batch().iter().map(|event| event.index());
        // Also what has been told meanwhile: more may come after it.
        let owed = indexes.find(|index| Some(*index) > after && Some(*index) <= target);
        if let Some(owed) = owed {
            self.past.end.owes = owed;
            self.close_where(|open| open.purpose == Purpose::Proof);
        }
    }

    /// Takes the word of the proofs that have heard nothing but their marker; whether there were any.
    pub(super) fn end_proofs(&mut self) -> bool {
        let grace = |open: &Open| Some(open.marked? + GRACE);
        let proofs = self.open.iter();
        let marked: Vec<(Ticket, Index, Instant)> = proofs
            .filter_map(|(ticket, open)| Some((*ticket, open.after?, grace(open)?)))
            .collect();
        let mut is_over = false;
        for (ticket, after, at) in marked {
            if at > self.now {
                self.wake_by(Some(at));
                continue;
            }
            self.close(ticket);
            if let (Some(ledger), Some(target)) = (&mut self.ledger, self.target) {
                ledger.witness(after, target);
            }
            is_over = true;
        }
        if is_over {
            // What was proven is told with the next input.
            self.wake_by(Some(self.now));
        }
        is_over
    }
}
