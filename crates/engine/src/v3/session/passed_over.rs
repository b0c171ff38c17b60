//! What a stream of revisions may have passed over without a word, and how that is found out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{V3Request, V3Session};
use crate::model::Index;
use crate::protocol::Head;
use crate::v3::MessageEnd;
use crate::watch::OnGap;
use crate::watch::coverage::Held;
use crate::watch::evidence::Skipped;
use crate::watch::timers::Timer;
use crate::watch::timing::BACKLOG_CALM;

/// etcd puts a watch off where 128 messages wait to be sent (from 3.5 on; 1,024 before), and looks
/// up later what it missed.
const NEAR: u64 = 64;
const OFTEN: u32 = 60;
/// It is looked after so many messages, which leaves time for the answer.
const SOON: u32 = 20;
/// What a stream may have passed over.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedOver {
    /// What is asked about, after the index up to which all is certain.
    doubts: BTreeMap<Index, Doubt>,
    /// What the question under way is about.
    asked_about: About,
    /// How far history was compacted, where it can't tell of the first of them.
    pub compacted: Option<Index>,
    /// How many messages it has brought.
    messages: u32,
    backlog: Backlog,
    /// The last one may have left more of the past for the next.
    is_full: bool,
    /// The store's revision when the last one was put together.
    store_at: Index,
}

/// Why it is asked whether history is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum About {
    /// Nothing waits for the answer any more.
    #[default]
    Nothing,
    /// The first and the last of the doubts that had come by then.
    Doubts(Index, Index),
    /// A replay hears nothing: what it waits for may have been compacted.
    End,
    /// The stream may have been put off, and may be opened anew where nothing is lost by that.
    Backlog,
}

/// Revisions that may have been passed over.
#[derive(Clone, Debug)]
struct Doubt {
    skipped: Skipped,
    /// What came of the last of these revisions, of which a part may be missing.
    held: Option<Held>,
    /// History after this revision is not whole any more.
    refused_at: Option<Index>,
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
    /// History after this cursor is not whole any more.
    compacted_at: Option<Index>,
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
}

impl Suspicion {
    /// When it is looked again.
    fn due(self) -> Instant {
        let (Self::Behind(at) | Self::Calm(at)) = self;
        at + BACKLOG_CALM
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
        let may_be_behind = is_past || self.backlog.suspicion.is_some();
        // A server may put less into a message than it could. What follows then shows it.
        let left_more = self.is_full || first <= self.store_at;
        match () {
            () if is_first => None,
            () if left_more => Some(first),
            () if may_be_behind && first > reached.next() => Some(reached.next()),
            () => None,
        }
    }

    /// These revisions may have been passed over; but for what was `held` of the last.
    pub fn doubt(&mut self, skipped: Skipped, held: Option<Held>) {
        let doubt = Doubt {
            skipped,
            held,
            refused_at: None,
        };
        self.doubts.insert(skipped.after, doubt);
    }

    /// A message has ended.
    pub fn count(&mut self, end: &MessageEnd, now: Instant) {
        self.is_full = end.is_full;
        self.store_at = end.store_at;
        self.messages = self.messages.saturating_add(1);
        if self.messages.saturating_sub(self.backlog.looked) > OFTEN {
            self.backlog.suspicion = Some(Suspicion::Behind(now));
        }
    }

    /// Whether something is asked about.
    pub fn is_open(&self) -> bool {
        !self.doubts.is_empty()
    }
}

impl V3Session {
    /// Looks from time to time how far the stream is behind the store.
    pub(super) fn look_for_backlog(&mut self) {
        let passed = &self.api.stream.passed;
        let (messages, backlog) = (passed.messages, passed.backlog);
        // Where it can't be opened anew, there is nothing to look for.
        let is_stuck = backlog.compacted_at.is_some() && backlog.compacted_at >= self.cursor();
        let due = backlog.suspicion.map(Suspicion::due).filter(|_| !is_stuck);
        let is_often = messages.saturating_sub(backlog.looked) >= SOON;
        let is_due = is_often || due.is_some_and(|due| due <= self.now);
        if let Some(due) = due.filter(|due| *due > self.now) {
            self.wake(Timer::Backlog, due);
        }
        let is_quiet = self
            .api
            .stream
            .heard
            .is_some_and(|heard| heard + BACKLOG_CALM <= self.now);
        if due.is_some_and(|due| due <= self.now) && is_quiet && self.can_open_anew() {
            // The store may go on elsewhere for ever.
            self.ask_whether_history_is_whole(About::Backlog);
        }
        if is_due && !self.requests.has(|one| *one == V3Request::Backlog) {
            self.api.stream.passed.backlog.asked = Some(Look {
                at: self.now,
                messages,
                reached: self.api.stream.watcher.reached(),
            });
            self.send(V3Request::Backlog);
        }
    }

    /// The store's revision, agreed upon by a majority after that was asked.
    pub(super) fn on_backlog(&mut self, index: Index) {
        let backlog = &mut self.api.stream.passed.backlog;
        let Some(look) = backlog.asked else { return };
        backlog.looked = backlog.looked.max(look.messages);
        if index.since(look.reached) >= NEAR {
            backlog.suspicion = Some(Suspicion::Behind(self.now));
            return;
        }
        match backlog.suspicion {
            Some(Suspicion::Behind(_)) => backlog.suspicion = Some(Suspicion::Calm(self.now)),
            Some(Suspicion::Calm(since)) if since + BACKLOG_CALM <= look.at => {
                backlog.suspicion = Some(Suspicion::Calm(self.now));
                self.ask_whether_history_is_whole(About::Backlog);
            }
            _ => {}
        }
    }

    /// Whether the stream can be opened anew: it is not behind, as far as is known, and nothing waits
    /// for what it brings.
    fn can_open_anew(&self) -> bool {
        let is_idle = self.resync.staged.is_none() && self.api.owes.is_none();
        self.api.stream.is_current && is_idle && !self.api.stream.passed.is_open()
    }

    /// Asks about what lies between two messages.
    pub(super) fn ask_about_doubts(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        // A state may have told more than that.
        let passed = &mut self.api.stream.passed;
        passed.doubts.retain(|_, doubt| doubt.skipped.upto > cursor);
        let mut open = passed.doubts.iter();
        let Some((first, _)) = open.find(|(_, doubt)| doubt.refused_at.is_none()) else {
            return;
        };
        let last = open.next_back().map_or(first, |(last, _)| last);
        let (first, last) = (*first, *last);
        // What a state has told need not be in history any more.
        if self.ask_whole(cursor.max(first)) {
            self.api.stream.passed.asked_about = About::Doubts(first, last);
        }
    }

    /// Asks whether history is whole after a revision, unless that is being asked; whether it was asked.
    fn ask_whole(&mut self, at: Index) -> bool {
        let is_asked = self
            .requests
            .has(|one| matches!(one, V3Request::Whole { .. }));
        !is_asked && self.send(V3Request::Whole { at })
    }

    /// Asks whether history is whole still after the cursor, though nothing is in doubt.
    pub(super) fn ask_whether_history_is_whole(&mut self, about: About) {
        let cursor = self.cursor().unwrap_or_default();
        if self.ask_whole(cursor) {
            self.api.stream.passed.asked_about = about;
        }
    }

    /// The history after that is whole still: nothing was passed over, up to the last message that
    /// had come when it was asked.
    pub(super) fn on_whole(&mut self, read_at: Index, head: &Head) {
        let about = std::mem::take(&mut self.api.stream.passed.asked_about);
        if about == About::Backlog && self.can_open_anew() {
            // What it may have missed comes first in the next one.
            self.end_stream();
            self.wake_now();
        }
        let About::Doubts(first, last) = about else {
            return;
        };
        let doubts = &mut self.api.stream.passed.doubts;
        let settled: Vec<Index> = doubts
            .range(first..=last)
            .map(|(after, _)| *after)
            .collect();
        for after in settled {
            let (Some(doubt), Some(coverage)) = (doubts.remove(&after), &mut self.coverage) else {
                return;
            };
            if let Some(held) = doubt.held {
                coverage.hold(doubt.skipped.upto, held);
            }
            if let Some(proof) = doubt.skipped.refuted_by(read_at, head) {
                coverage.prove(proof);
            }
        }
    }

    /// It is not, as of `read_at`. Where the state is read, that may tell it.
    pub(super) fn on_not_whole(&mut self, read_at: Index) {
        let passed = &mut self.api.stream.passed;
        match std::mem::take(&mut passed.asked_about) {
            About::Doubts(first, _) => {
                if let Some(doubt) = passed.doubts.get_mut(&first) {
                    doubt.refused_at = Some(read_at);
                }
            }
            // It may be on its way all the same. If not, the next stream is told so.
            About::End => {
                let end = self.last_index().unwrap_or_default();
                self.api.owes.get_or_insert((end, self.now));
            }
            // Opened anew, the stream would begin with a gap.
            About::Backlog => passed.backlog.compacted_at = Some(read_at),
            About::Nothing => {}
        }
    }

    /// Nobody says how much of history is gone: what is in doubt is.
    pub(super) fn on_no_compaction(&mut self) {
        self.api.stream.passed.compacted = Some(Index::ZERO);
        self.wake_now();
    }

    /// What comes next may have been passed over, and nobody can tell any more. How much else of
    /// history is gone is asked first.
    pub(super) fn lose_doubted(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        while let Some(mut first) = self.api.stream.passed.doubts.first_entry() {
            let (upto, refused_at) = (first.get().skipped.upto, first.get().refused_at);
            if upto <= cursor {
                first.remove();
                continue;
            }
            let Some(read_at) = refused_at else {
                return;
            };
            if read_at < cursor {
                // History may be whole after what a state has told since.
                first.get_mut().refused_at = None;
                return;
            }
            let Some(compacted) = self.api.stream.passed.compacted.take() else {
                let compaction = V3Request::Compaction {
                    after: cursor,
                    in_fragments: self.api.in_fragments,
                };
                self.ensure(
                    |one| matches!(one, V3Request::Compaction { .. }),
                    compaction,
                );
                return;
            };
            first.remove();
            let compacted = compacted.max(upto);
            self.oldest = Some(compacted.next());
            // The stream goes on after what it passed over.
            self.lose_revisions(match self.plan.on_gap {
                OnGap::Continue => upto,
                OnGap::Fail | OnGap::Resync | OnGap::Diff => compacted,
            });
            // It is told with the next input.
            self.wake_now();
        }
    }
}
