//! Revisions that the stream may have passed over without a sign, and the questions about them.
//!
//! etcd passes over a removal if it is the first revision of a lookup and was compacted before
//! (upstream #19179). A *doubt* is a range in which that may have happened. A read at the revision
//! before the range resolves it: if that revision is not compacted, nothing was passed over.

use super::doubts::{About, BacklogCheck, CHECK_EVERY, Compaction, SAFE_LAG, Suspicion};
use super::{V3Request, V3Session};
use crate::model::Index;
use crate::protocol::Head;
use crate::watch::OnGap;
use crate::watch::timers::Timer;
use crate::watch::timing::BACKLOG_CALM;

impl V3Session {
    /// Compares the stream with the store's revision from time to time.
    pub(super) fn check_backlog(&mut self) {
        let doubts = &self.api.stream.doubts;
        let (messages, backlog) = (doubts.messages, doubts.backlog);
        // A stream that cannot be opened anew needs no check.
        let is_stuck = backlog.compacted_at.is_some() && backlog.compacted_at >= self.cursor();
        let due = backlog.suspicion.map(Suspicion::due).filter(|_| !is_stuck);
        let is_often = messages.saturating_sub(backlog.checked) >= CHECK_EVERY;
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
            // Writes out of scope may keep the store ahead of the stream for ever.
            self.ask_whether_history_is_whole(About::Backlog);
        }
        if is_due && !self.requests.has(|one| *one == V3Request::Backlog) {
            self.api.stream.doubts.backlog.asked = Some(BacklogCheck {
                at: self.now,
                messages,
                reached: self.api.stream.watcher.reached(),
            });
            self.send(V3Request::Backlog);
        }
    }

    /// The answer to a check of the backlog: the store's revision, which a majority has confirmed.
    pub(super) fn on_backlog(&mut self, index: Index) {
        let backlog = &mut self.api.stream.doubts.backlog;
        let Some(check) = backlog.asked else { return };
        backlog.checked = backlog.checked.max(check.messages);
        if index.since(check.reached) >= SAFE_LAG {
            backlog.suspicion = Some(Suspicion::Behind(self.now));
            return;
        }
        match backlog.suspicion {
            Some(Suspicion::Behind(_)) => backlog.suspicion = Some(Suspicion::Calm(self.now)),
            Some(Suspicion::Calm(since)) if since + BACKLOG_CALM <= check.at => {
                backlog.suspicion = Some(Suspicion::Calm(self.now));
                self.ask_whether_history_is_whole(About::Backlog);
            }
            _ => {}
        }
    }

    /// Whether the stream can be opened anew: it is not known to be behind, and nothing waits for its
    /// events.
    fn can_open_anew(&self) -> bool {
        let is_idle = self.resync.staged.is_none() && self.api.owes.is_none();
        self.api.stream.is_current && is_idle && !self.api.stream.doubts.is_open()
    }

    /// Asks about the open doubts.
    pub(super) fn ask_about_doubts(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        // A state that was reported since may resolve doubts.
        let doubts = &mut self.api.stream.doubts;
        doubts.open.retain(|_, doubt| doubt.skipped.upto > cursor);
        let mut open = doubts.open.iter();
        let Some((first, _)) = open.find(|(_, doubt)| doubt.refused_at.is_none()) else {
            return;
        };
        let last = open.next_back().map_or(first, |(last, _)| last);
        let (first, last) = (*first, *last);
        // Revisions before a reported state need not be in history any more.
        if self.ask_whole(cursor.max(first)) {
            self.api.stream.doubts.asked_about = About::Doubts(first, last);
        }
    }

    /// Asks whether history is whole after a revision, unless such a question is in flight. Returns
    /// whether it was sent.
    fn ask_whole(&mut self, at: Index) -> bool {
        let is_asked = self
            .requests
            .has(|one| matches!(one, V3Request::Whole { .. }));
        !is_asked && self.send(V3Request::Whole { at })
    }

    /// Asks whether history is still whole after the cursor, though there is no doubt.
    pub(super) fn ask_whether_history_is_whole(&mut self, about: About) {
        let cursor = self.cursor().unwrap_or_default();
        if self.ask_whole(cursor) {
            self.api.stream.doubts.asked_about = about;
        }
    }

    /// History after `read_at` is whole, so nothing was passed over up to the last message before the
    /// question.
    pub(super) fn on_whole(&mut self, read_at: Index, head: &Head) {
        let about = std::mem::take(&mut self.api.stream.doubts.asked_about);
        if about == About::Backlog && self.can_open_anew() {
            // The next stream begins with the events that this one may have missed.
            self.end_stream();
            self.wake_now();
        }
        let About::Doubts(first, last) = about else {
            return;
        };
        let doubts = &mut self.api.stream.doubts.open;
        let resolved: Vec<Index> = doubts
            .range(first..=last)
            .map(|(after, _)| *after)
            .collect();
        for after in resolved {
            let (Some(doubt), Some(coverage)) = (doubts.remove(&after), &mut self.coverage) else {
                return;
            };
            if let Some(held) = doubt.held {
                coverage.hold(doubt.skipped.upto..=doubt.skipped.upto, held);
            }
            if let Some(proof) = doubt.skipped.refuted_by(read_at, head) {
                coverage.prove(proof);
            }
        }
    }

    /// History after `read_at` is no longer whole. A state that is being read may still resolve a doubt.
    pub(super) fn on_not_whole(&mut self, read_at: Index) {
        let doubts = &mut self.api.stream.doubts;
        match std::mem::take(&mut doubts.asked_about) {
            About::Doubts(first, _) => {
                if let Some(doubt) = doubts.open.get_mut(&first) {
                    doubt.refused_at = Some(read_at);
                }
            }
            // The events may still be on their way. If not, the next stream is canceled as compacted.
            About::End => {
                let end = self.last_index().unwrap_or_default();
                self.api.owes.get_or_insert((end, self.now));
            }
            // Opened anew, the stream would begin with a gap.
            About::Backlog => doubts.backlog.compacted_at = Some(read_at),
            About::Nothing => {}
        }
    }

    /// The server does not say how far history was compacted, so only the doubts are lost.
    pub(super) fn on_no_compaction(&mut self) {
        self.api.stream.doubts.compaction = Some(Compaction::Unknown);
        self.wake_now();
    }

    /// Declares doubts lost that can no longer be resolved. Before that, the session asks how far history
    /// was compacted.
    pub(super) fn lose_doubted(&mut self) {
        let cursor = self.cursor().unwrap_or_default();
        while let Some(mut first) = self.api.stream.doubts.open.first_entry() {
            let (upto, refused_at) = (first.get().skipped.upto, first.get().refused_at);
            if upto <= cursor {
                first.remove();
                continue;
            }
            let Some(read_at) = refused_at else {
                return;
            };
            if read_at < cursor {
                // History may be whole after a state that was reported since.
                first.get_mut().refused_at = None;
                return;
            }
            let Some(compaction) = self.api.stream.doubts.compaction.take() else {
                let request = V3Request::Compaction {
                    after: cursor,
                    in_fragments: self.api.in_fragments,
                };
                self.ensure(request);
                return;
            };
            first.remove();
            let compacted = match compaction {
                Compaction::Upto(compacted) => compacted.max(upto),
                Compaction::Unknown => upto,
            };
            self.oldest = Some(compacted.next());
            // The stream goes on after the revisions that it passed over.
            self.lose_revisions(match self.plan.on_gap {
                OnGap::Continue => upto,
                OnGap::Fail | OnGap::Resync | OnGap::Diff => compacted,
            });
            // The gap is reported with the next input.
            self.wake_now();
        }
    }
}
