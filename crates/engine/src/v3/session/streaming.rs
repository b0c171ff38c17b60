//! What the stream brings, and what that proves.

use std::sync::Arc;
use std::time::Instant;

use super::V3Session;
use super::doubts::Doubts;
use super::request::STREAM;
use super::stream_state::V3Stream;
use crate::model::Index;
use crate::v3::MessageEnd;
use crate::watch::coverage::{Coverage, HeldEvents};
use crate::watch::evidence::Watcher;
use crate::watch::timing::HISTORY_STALLED;
use crate::watch::{ReceivedBatch, RequestId};

impl V3Session {
    /// Whether the stream is registered.
    pub(super) fn has_stream(&self) -> bool {
        let mut requests = self.requests.values();
        requests.any(|one| one.request.is_stream() && one.head.is_some())
    }

    /// The stream, opened after a revision, is registered at `index`.
    pub(super) fn on_stream_begun(&mut self, after: Option<Index>, index: Index) {
        let undelivered = self
            .api
            .undelivered
            .filter(|(at, _)| Some(*at) > self.cursor());
        self.api.owes = undelivered.map(|(at, _)| (at, self.now));
        // Without a revision, the stream begins where it was registered.
        let watcher = Watcher::new(after, index);
        self.api.stream = V3Stream {
            watcher,
            is_current: watcher.reached() >= index,
            heard: Some(self.now),
            ..V3Stream::default()
        };
        if self.resync.reading.is_none() || self.resync.is_staged() {
            return;
        }
        let reported = self.reported();
        self.close_state();
        self.coverage = Some(Coverage::new(index));
        self.resync.stage(reported);
    }

    /// The stream is over. The next one brings again what was held beyond the cursor.
    pub(super) fn on_stream_ended(&mut self, is_compacted: bool) {
        self.close_where(|one| one.request.is_about_stream());
        self.api.stream.doubts = Doubts::default();
        self.api.stream.heard = None;
        // Where history was compacted, the revisions in doubt are lost, and not those after them.
        if !is_compacted {
            self.forget_beyond_cursor();
        }
    }

    /// Ends the stream.
    pub(super) fn end_stream(&mut self) {
        self.close_where(|one| one.request.is_stream());
        self.on_stream_ended(false);
    }

    /// Events of whole revisions.
    pub(super) fn on_revisions(
        &mut self,
        id: RequestId,
        received: ReceivedBatch,
        begins: Option<Index>,
        is_past: bool,
    ) {
        let Some(one) = self.requests.get(id) else {
            return;
        };
        if !one.request.is_stream() {
            // It was opened to learn how far history was compacted, and history was not.
            self.close(id);
            self.on_no_compaction();
            return;
        }
        let stream = &mut self.api.stream;
        // Events of history do not show that the server knows the present.
        let was_current = stream.is_current;
        let reached = stream.watcher.reached();
        let begins = begins.filter(|first| *first > reached);
        let passed_over = begins.and_then(|first| stream.doubts.may_be(is_past, reached, first));
        // Of the revision to which the server came then, a part may be missing too.
        let doubtful = passed_over.filter(|upto| begins == Some(*upto));
        let skipped = passed_over.map(|upto| stream.watcher.pass_over(upto));
        let Some(coverage) = &mut self.coverage else {
            return;
        };
        let mut set_aside = None;
        let received = Arc::new(received);
        let mut events = received.batch().iter().enumerate().peekable();
        while let Some((start, event)) = events.next() {
            let index = event.index();
            let mut end = start + 1;
            while events.next_if(|(_, next)| next.index() == index).is_some() {
                end += 1;
            }
            let held = HeldEvents {
                received: Arc::clone(&received),
                places: start..end,
            };
            if Some(index) == doubtful {
                set_aside = Some(held);
                continue;
            }
            coverage.hold(index..=index, held);
            coverage.prove(stream.watcher.on_event(&event));
        }
        if let Some(skipped) = skipped {
            stream.doubts.doubt(skipped, set_aside);
        }
        let reached = stream.watcher.reached();
        self.high_water = self.high_water.max(reached);
        self.wanted = self.wanted.max(reached);
        self.on_stream_heard();
        if was_current && !is_past {
            self.note_fresh(self.now);
        }
    }

    /// A message has ended.
    pub(super) fn on_message_end(&mut self, id: RequestId, end: MessageEnd) {
        match self.requests.get(id) {
            Some(one) if one.request.is_stream() => {}
            Some(_) => {
                self.close(id);
                self.on_no_compaction();
                return;
            }
            None => return,
        }
        let stream = &mut self.api.stream;
        let reached = stream.watcher.reached();
        let (sent_upto, is_full) = (end.sent_upto, end.is_full);
        // A progress notification says nothing about revisions that the watcher may have passed over.
        let progress = Some(sent_upto).filter(|upto| end.is_progress && *upto > reached);
        let passed_over = progress.and_then(|upto| stream.doubts.may_be(false, reached, upto));
        if let Some(upto) = passed_over {
            let skipped = stream.watcher.pass_over(upto);
            stream.doubts.doubt(skipped, None);
        }
        stream.doubts.count(&end, self.now);
        stream.is_current |= !is_full;
        if !is_full {
            stream.end.caught_up = stream.end.caught_up.max(end.store_at);
        }
        if stream.is_current {
            self.api.patience = HISTORY_STALLED;
        }
        let proof = stream.watcher.on_message_end(&end);
        if let Some(coverage) = &mut self.coverage {
            coverage.prove(proof);
        }
        self.high_water = self.high_water.max(sent_upto).max(end.store_at);
        self.on_stream_heard();
    }

    fn on_stream_heard(&mut self) {
        let (reached, now) = (self.api.stream.watcher.reached(), self.now);
        let is_left = |(index, _): &(Index, Instant)| *index > reached;
        // What the stream still owes may be on the way.
        let owes = self.api.owes.filter(is_left);
        self.api.owes = owes.map(|(index, _)| (index, now));
        let was_undelivered = self.api.undelivered.is_some();
        let undelivered = self.api.undelivered.filter(is_left);
        self.api.undelivered = undelivered.map(|(index, _)| (index, now));
        if was_undelivered && undelivered.is_none() && !self.freshness.is_reported_live {
            self.begin_live();
        }
        self.api.stream.heard = Some(now);
        self.endpoints.proved();
        self.requests.reset_pace(STREAM);
    }
}
