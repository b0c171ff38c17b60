//! What a stream of revisions may have passed over without a word, and how that is found out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Purpose, Session};
use crate::model::Index;
use crate::watch::ledger::Held;

/// etcd puts a watch off where 128 messages wait to be sent (from 3.5 on; 1,024 before), and looks
/// up later what it missed.
const NEAR: u64 = 64;
const OFTEN: u32 = 60;
/// It is looked after so many messages, which leaves time for the answer.
const SOON: u32 = 20;
/// A watch that was put off is up to date again within this time from when its messages find room.
const BACK: Duration = Duration::from_secs(2);

/// What a stream may have passed over.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedOver {
    /// What is asked about, after the index up to which all is certain.
    doubts: BTreeMap<Index, Doubt>,
    /// The first and the last of them that the question under way is about.
    asked_about: (Index, Index),
    /// How many messages it has brought.
    messages: u32,
    backlog: Backlog,
    /// The last one may have left more of the past for the next.
    is_full: bool,
}

/// Revisions that may have been passed over.
#[derive(Clone, Debug)]
struct Doubt {
    upto: Index,
    /// What came of the last of these revisions, of which a part may be missing.
    held: Option<Held>,
    /// History can't tell any more.
    is_refused: bool,
}

/// Whether the stream may ever have been so far behind that etcd put its watch off.
///
/// Then so many messages were on the way that a look at the store's revision in time shows it: as
/// long as each of them finds fewer revisions beyond what has come than [`NEAR`], and no more
/// messages than [`OFTEN`] come between two, it was not.
#[derive(Clone, Copy, Debug, Default)]
struct Backlog {
    /// How many messages had come when it was looked last.
    looked: u32,
    /// The look that is under way.
    asked: Option<Look>,
    /// It may have been so.
    suspicion: Option<Suspicion>,
}

/// The store's revision is asked for.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    /// How many messages had come by then, and up to where they had told.
    messages: u32,
    reached: Index,
}

/// The watch may have been put off.
#[derive(Clone, Copy, Debug)]
enum Suspicion {
    /// It may be put off still.
    Behind(Instant),
    /// Messages have found room since then.
    Calm(Instant),
    /// It was up to date again when the store was here: what it missed lies before that. Of a slow
    /// reader, that may be on the way for long.
    Upto(Index),
}

impl Suspicion {
    /// When it is looked again.
    fn due(self) -> Option<Instant> {
        match self {
            Self::Behind(at) | Self::Calm(at) => Some(at + BACK),
            Self::Upto(_) => None,
        }
    }
}

impl Backlog {
    /// Whether what comes after `reached` may have been put off.
    fn is_suspected(&self, reached: Index) -> bool {
        match self.suspicion {
            None => false,
            Some(Suspicion::Upto(upto)) => reached < upto,
            Some(_) => true,
        }
    }
}

impl PassedOver {
    /// Up to where something may have been passed over, after `reached` and before what comes now
    /// begins at `first`; none where that can't be.
    ///
    /// A watch that is up to date is told of everything. One that is behind is looked up from a
    /// certain revision on, and that revision alone is in doubt: in the middle of the past it is
    /// any up to the next that comes, and after a watch was put off, the one that followed.
    pub fn may_be(&self, is_past: bool, reached: Index, first: Index) -> Option<Index> {
        let is_first = self.messages == 0;
        let may_be_behind = is_past || self.backlog.is_suspected(reached);
        match () {
            () if is_first => None,
            () if self.is_full => Some(first),
            () if may_be_behind && first > reached.next() => Some(reached.next()),
            () => None,
        }
    }

    /// The revisions in `(after, upto]` may have been passed over; but for what was `held` of the
    /// last.
    pub fn doubt(&mut self, after: Index, upto: Index, held: Option<Held>) {
        let is_refused = false;
        let doubt = Doubt {
            upto,
            held,
            is_refused,
        };
        self.doubts.insert(after, doubt);
    }

    /// A message is over.
    pub fn count(&mut self, is_full: bool, now: Instant) {
        self.is_full = is_full;
        self.messages = self.messages.saturating_add(1);
        if self.messages.saturating_sub(self.backlog.looked) > OFTEN {
            self.backlog.suspicion = Some(Suspicion::Behind(now));
        }
    }

    /// Whether something is asked about.
    pub fn is_open(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// What it may have passed over is told once more.
    pub fn forget(&mut self) {
        self.doubts.clear();
    }
}

impl Session {
    /// Looks from time to time how far the stream is behind the store.
    pub(super) fn look_for_backlog(&mut self) {
        let passed = &self.past.passed;
        let (messages, backlog) = (passed.messages, passed.backlog);
        let due = backlog.suspicion.and_then(Suspicion::due);
        let is_often = messages.saturating_sub(backlog.looked) >= SOON;
        let is_due = is_often || due.is_some_and(|due| due <= self.now);
        self.wake_by(due.filter(|due| *due > self.now));
        if is_due && !self.has(Purpose::Backlog) {
            self.past.passed.backlog.asked = Some(Look {
                at: self.now,
                messages,
                reached: self.stream.reached,
            });
            self.request(Purpose::Backlog, None);
        }
    }

    /// The store's revision, agreed upon by a majority after that was asked.
    pub(super) fn on_backlog(&mut self, index: Index) {
        let backlog = &mut self.past.passed.backlog;
        let Some(look) = backlog.asked else { return };
        backlog.looked = backlog.looked.max(look.messages);
        if index.since(look.reached) >= NEAR {
            backlog.suspicion = Some(Suspicion::Behind(self.now));
            return;
        }
        match backlog.suspicion {
            Some(Suspicion::Behind(_)) => backlog.suspicion = Some(Suspicion::Calm(self.now)),
            Some(Suspicion::Calm(since)) if since + BACK <= look.at => {
                backlog.suspicion = Some(Suspicion::Upto(index));
            }
            _ => {}
        }
    }

    /// Asks about what lies between two messages.
    pub(super) fn ask_reach(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        // A state may have told more than that.
        self.past
            .passed
            .doubts
            .retain(|_, doubt| doubt.upto > cursor);
        let mut open = self.past.passed.doubts.iter();
        let Some((first, _)) = open.find(|(_, doubt)| !doubt.is_refused) else {
            return;
        };
        let last = open.next_back().map_or(first, |(last, _)| last);
        if !self.has(Purpose::Reach) {
            self.past.passed.asked_about = (*first, *last);
            // What a state has told need not be in history any more.
            let after = cursor.max(*first);
            self.request(Purpose::Reach, Some(after));
        }
    }

    /// The history after that is whole still: nothing was passed over, up to the last message that
    /// had come when it was asked.
    pub(super) fn on_reached(&mut self) {
        let (first, last) = self.past.passed.asked_about;
        let settled: Vec<Index> = self
            .past
            .passed
            .doubts
            .range(first..=last)
            .map(|(after, _)| *after)
            .collect();
        for after in settled {
            let doubt = self.past.passed.doubts.remove(&after);
            if let (Some(Doubt { upto, held, .. }), Some(ledger)) = (doubt, &mut self.ledger) {
                if let Some(held) = held {
                    ledger.hold(upto, held);
                }
                ledger.prove(after, upto);
            }
        }
    }

    /// It is not. Where the state is read, that may tell it.
    pub(super) fn on_passed_over(&mut self) {
        let (first, _) = self.past.passed.asked_about;
        if let Some(doubt) = self.past.passed.doubts.get_mut(&first) {
            doubt.is_refused = true;
        }
    }

    /// What comes next may have been passed over, and nobody can tell any more.
    pub(super) fn lose_doubted(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        while let Some(first) = self.past.passed.doubts.first_entry() {
            let (upto, is_refused) = (first.get().upto, first.get().is_refused);
            if upto > cursor && !is_refused {
                return;
            }
            first.remove();
            if upto > cursor {
                self.oldest = Some(upto.next());
                self.lose_revisions(upto);
                // It is told with the next input.
                self.wake_by(Some(self.now));
            }
        }
    }
}
