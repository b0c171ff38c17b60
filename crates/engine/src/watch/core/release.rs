//! What a session reports: events in order, gaps before them, and where a replay ends.

use std::time::Instant;

use super::{Core, SessionApi, WatchEnd};
use crate::model::{Gap, Index};
use crate::protocol::Failure;
use crate::watch::coverage::{HeldEvents, Released};
use crate::watch::timers::Timer;
use crate::watch::timing::READER_POLL;
use crate::watch::{OnGap, Outcome, Status, Update, WatchState};

impl<A: SessionApi> Core<A> {
    /// Reports what is proven, and ends the watch where that was all.
    pub(crate) fn release(&mut self) {
        let end = self.last_index().filter(|_| !self.follows());
        let Some(coverage) = &mut self.coverage else {
            return;
        };
        let before = coverage.cursor();
        let mut released = coverage.advance();
        let cursor = coverage.cursor();
        self.endpoints.set_cursor(cursor);
        if cursor > before {
            tracing::trace!(from = before.0, to = cursor.0, "cursor");
        }
        if let Some(staged) = &mut self.resync.staged {
            staged.released.append(&mut released);
            return;
        }
        self.drop_closed_gap(cursor);
        self.has_begun |= cursor > before;
        let staged = self.take_released();
        let was_staged = staged.is_some();
        let released = staged.into_iter().flatten().chain(released);
        let mut events = Vec::new();
        for next in released {
            match next {
                passed if end.is_some_and(|end| passed.first() > end) => {}
                Released::Events(_, held) if self.mirror.is_none() => events.push(held),
                Released::Events(_, held) => self.apply_to_mirror(&held, &mut events),
                Released::Lost { cause, after, upto } => {
                    self.report_events(&mut events);
                    let upto = self.end_of_loss(upto);
                    let gap = Gap {
                        from: after.next(),
                        to: Some(upto),
                        certain: false,
                        cause,
                        index: upto,
                    };
                    if self.plan.on_gap == OnGap::Fail {
                        let oldest = self.oldest;
                        self.finish(Outcome::Lost { gap, oldest });
                        return;
                    }
                    self.report(Update::Gap(gap));
                    self.endpoints.mark_raft_indexes_old();
                    // The key of the last event may have changed since.
                    self.identity.last = None;
                    self.report_position(None);
                }
            }
        }
        self.report_events(&mut events);
        // An event beyond a gap is compared in place of the one before it.
        self.identity.is_unverified &= self.identity.last.is_some();
        if was_staged {
            // Connections may have been lost since these events were received.
            self.doubt_store();
        }
        if cursor > before || was_staged && self.knows_start() {
            if let Some(mirror) = &mut self.mirror {
                mirror.advance(cursor);
            }
            let position = end.map_or(cursor, |end| cursor.min(end));
            self.report_position(Some(position));
        }
        if was_staged {
            // What came while the state was read is reported by now.
            self.begin_live();
        }
        self.end_replay();
    }

    /// Applies events to the last known state, one index after the other. `--expand` reports which keys a
    /// removed directory took with it, before its own event.
    fn apply_to_mirror(&mut self, held: &HeldEvents, events: &mut Vec<HeldEvents>) {
        for (index, held) in held.by_index() {
            let removed = self.mirror.as_mut().map(|mirror| mirror.apply(&held));
            if let Some(nodes) = removed.filter(|nodes| self.plan.expand && !nodes.is_empty()) {
                self.report_events(events);
                self.report(Update::Below { index, nodes });
            }
            events.push(held);
        }
    }

    /// Ends a replay, or goes on as a stream, where the end is reached.
    fn end_replay(&mut self) {
        let (WatchEnd::At(end) | WatchEnd::Through(end)) = self.end else {
            return;
        };
        let is_reached = self.cursor().is_some_and(|cursor| cursor >= end);
        if self.resync.reading.is_some() || !is_reached {
            return;
        }
        if self.follows() {
            self.follow_on();
        } else {
            self.finish(Outcome::Done);
        }
    }

    /// A replay goes on as a stream.
    pub(crate) fn follow_on(&mut self) {
        self.end = WatchEnd::Never;
        self.report(Update::Following);
    }

    /// The last index that is lost: where the loss ends the watch, the last one before the oldest
    /// that history still has.
    fn end_of_loss(&self, upto: Index) -> Index {
        let gone = self.oldest.filter(|_| self.plan.on_gap == OnGap::Fail);
        let gone = gone.map_or(upto, Index::previous);
        upto.max(self.last_index().map_or(gone, |end| gone.min(end)))
    }

    fn report_events(&mut self, events: &mut Vec<HeldEvents>) {
        if events.is_empty() {
            return;
        }
        let reported = events.iter().flat_map(HeldEvents::events);
        self.identity.last = A::last_reported(self.identity.last.take(), reported);
        let last = events.last().and_then(|held| held.events().next_back());
        let index = last.map(|event| event.index());
        self.report(Update::Events(std::mem::take(events)));
        self.report_position(index);
    }

    /// Waits for the reader of the output, who is behind.
    pub(crate) fn poll_reader(&mut self) {
        let due: Instant = self.now + READER_POLL;
        self.wake(Timer::Reader, due);
    }

    /// Reports how the watch is.
    pub(crate) fn report_status(
        &mut self,
        state: WatchState,
        endpoint: usize,
        cause: Option<Failure>,
        notable: bool,
    ) {
        let index = self.reported().unwrap_or_default();
        let is_new = self.freshness.note_state(state, endpoint);
        self.report(Update::Status(Status {
            state,
            endpoint,
            index,
            cause,
            is_new,
            notable,
        }));
    }
}
