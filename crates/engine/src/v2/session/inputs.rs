//! Handles the inputs of a session with the v2 API: heads, events, states, ends and failures.

use std::sync::Arc;

use super::damaged_history::contradicts_itself;
use super::questions::QUESTIONS;
use super::{LatestAnswered, V2Request, V2Session, V2Stream};
use crate::model::{Cause, Event, Index, Scope, StateNode};
use crate::protocol::{Failure, Fault, Head, Refusal};
use crate::v2::fault;
use crate::watch::coverage::{Coverage, HeldEvents};
use crate::watch::evidence::{Proof, RegisteredWait};
use crate::watch::in_flight::{InFlight, SessionRequest as _};
use crate::watch::{NoProof, Notice, ReceivedBatch, ReplyEnd, RequestId, Start, Update};

impl V2Session {
    pub(super) fn on_head(&mut self, id: RequestId, head: &Head) {
        let Some(index) = self.take_head(id, head) else {
            return;
        };
        if let Some(one) = self.requests.get(id).cloned()
            && self.doubt_after_jump(id, &one, head)
        {
            return;
        }
        let (last_sent, now) = (self.requests.last(), self.now);
        let Some(one) = self.requests.get_mut(id) else {
            return;
        };
        let after = one.request.after();
        one.head = Some((index, now));
        one.progress.registered = RegisteredWait::new(after, head, id.0);
        one.progress.last_sent = last_sent;
        one.progress.after = after.or(Some(index));
        let one = one.clone();
        for other in self.requests.values_mut() {
            let is_later = other.head.is_some() && id.0 > other.progress.last_sent;
            if other.endpoint == one.endpoint && is_later {
                other.progress.last_sent_at_answer.get_or_insert(last_sent);
            }
        }
        let (endpoint, sent_at) = (one.endpoint, one.sent_at);
        let latest = self.api.latest_answered;
        if latest.is_none_or(|one| one.endpoint != endpoint || one.sent_at < sent_at) {
            self.api.latest_answered = Some(LatestAnswered {
                endpoint,
                sent_at,
                index,
            });
        }
        match one.request {
            V2Request::End => {
                self.on_end(index);
                self.note_fresh(one.sent_at);
            }
            V2Request::Rewind => self.on_rewind(&one, index, head),
            V2Request::State => {
                self.note_fresh(one.sent_at);
                self.stage_events(id, index);
            }
            V2Request::Fresh => self.on_fresh(&one, index, head),
            V2Request::ReadKey { .. } => self.note_fresh(one.sent_at),
            V2Request::Stream => {
                self.api.stream = V2Stream {
                    reached: index,
                    owes: None,
                };
                self.on_registered(id, &one, index);
            }
            V2Request::Probe { .. }
            | V2Request::Question { .. }
            | V2Request::Walk { .. }
            | V2Request::Verify { .. }
            | V2Request::Next { .. } => self.on_registered(id, &one, index),
            V2Request::Alarm => {}
        }
    }

    /// A wait is registered at `index`, or history answers it.
    fn on_registered(&mut self, id: RequestId, one: &InFlight<V2Request>, index: Index) {
        if self.coverage.is_none() {
            match self.plan.start {
                Start::Now => self.coverage = Some(Coverage::new(index)),
                // History was not cleared after 0: it reaches back to the beginning.
                Start::Oldest => self.begin_at_oldest(Index::ZERO),
                Start::At(_) => {}
            }
            self.note_registered(one, index);
            return;
        }
        self.compare_index(one, index);
        self.note_registered(one, index);
        let is_behind = one
            .after()
            .is_some_and(|after| index <= after && after < one.wanted);
        let asks = matches!(
            one.request,
            V2Request::Question { .. } | V2Request::Walk { .. }
        );
        if asks && is_behind {
            self.close(id);
            let wanted = one.wanted;
            self.note_failure(one, Failure::Behind { index, wanted });
        }
    }

    pub(super) fn on_events(&mut self, id: RequestId, received: ReceivedBatch) {
        let Some(one) = self.requests.get_mut(id) else {
            return;
        };
        one.progress.is_answered = true;
        let one = one.clone();
        let (Some(after), Some(registered)) = (one.progress.after, one.progress.registered) else {
            return;
        };
        match one.request {
            V2Request::Alarm => self.on_alarm(&received),
            V2Request::Verify { .. } | V2Request::Next { .. } => self.on_compared(id, &received),
            V2Request::Walk { .. } => self.on_walked(&one, after, received),
            V2Request::Stream => self.on_streamed(received),
            _ => {
                if !self.reject_useless_answer(id, &one, &received) {
                    self.on_answer(&one, registered, received);
                }
            }
        }
    }

    /// Something was written somewhere in the store.
    fn on_alarm(&mut self, received: &ReceivedBatch) {
        let highest = received.batch().iter().map(|event| event.index()).max();
        self.high_water = self.high_water.max(highest.unwrap_or_default());
        let (known, now) = (self.high_water, self.now);
        self.renewal().on_write(known, now);
    }

    /// Events of the stream.
    fn on_streamed(&mut self, received: ReceivedBatch) {
        let Some(coverage) = &mut self.coverage else {
            return;
        };
        let scope = &self.plan.scope;
        let received = Arc::new(received);
        let mut events = received.batch().iter().enumerate().peekable();
        while let Some((start, event)) = events.next() {
            let first = event.index();
            self.wanted = self.wanted.max(first);
            if !is_in_scope(scope, &event) {
                // An index names one event: no other event happened there.
                coverage.prove(Proof::of_event(&event));
                continue;
            }
            // In a burst of writes in scope, all events are held as one.
            let (mut last, mut end) = (first, start + 1);
            while events
                .next_if(|(_, next)| next.index() == last.next() && is_in_scope(scope, next))
                .is_some()
            {
                last = last.next();
                end += 1;
            }
            let held = HeldEvents {
                received: Arc::clone(&received),
                places: start..end,
            };
            coverage.hold(first..=last, held);
            self.wanted = self.wanted.max(last);
            self.api.stream.reached = self.api.stream.reached.max(last);
        }
        self.api.stream.delivered(self.now);
        // An event that cannot be reported yet proves nothing of the connection: it may come again.
        if coverage.can_advance() {
            self.endpoints.proved();
            self.requests.reset_pace(V2Request::Stream.name());
        }
        self.note_fresh(self.now);
    }

    /// The answer to a probe or a question: an event from history, or a new one.
    fn on_answer(
        &mut self,
        one: &InFlight<V2Request>,
        registered: RegisteredWait,
        received: ReceivedBatch,
    ) {
        let (Some((head, head_at)), Some(coverage)) = (one.head, &mut self.coverage) else {
            return;
        };
        self.api.answer_size = received.batch().weight().max(self.api.answer_size / 2);
        let received = Arc::new(received);
        let mut is_live = false;
        for (place, event) in received.batch().iter().enumerate() {
            let index = event.index();
            coverage.forget_if_contradicted(&event);
            // Found in history; or the wait was registered at the head, so that history had nothing.
            if let Some(proof) = registered.answered(&event) {
                coverage.prove(proof);
            }
            if index <= head {
                let took = self.now.duration_since(head_at);
                self.api.slowest = self.api.slowest.max(took);
                self.api.half_closes.answered();
                self.wanted = self.wanted.max(head);
                self.api.width = (self.api.width + 1).min(QUESTIONS);
            } else {
                is_live = true;
            }
            self.wanted = self.wanted.max(index);
            if !is_in_scope(&self.plan.scope, &event) {
                coverage.prove(Proof::of_event(&event));
                continue;
            }
            let cursor = coverage.cursor();
            if coverage.go_back(index) {
                self.wanted = self.wanted.max(cursor);
            }
            let places = place..place + 1;
            let received = Arc::clone(&received);
            coverage.hold(index..=index, HeldEvents { received, places });
            if index > self.api.stream.reached && self.api.stream.owes.is_none() {
                self.api.stream.owes = Some((index, self.now));
            }
        }
        self.endpoints.proved();
        self.requests.reset_pace(one.request.name());
        if is_live {
            self.note_fresh(self.now);
        }
    }

    /// Whether the answer to a wait is of no use: from a damaged history, or not what was asked for.
    fn reject_useless_answer(
        &mut self,
        id: RequestId,
        one: &InFlight<V2Request>,
        received: &ReceivedBatch,
    ) -> bool {
        let (Some((head, _)), Some(after)) = (one.head, one.after()) else {
            return true;
        };
        let is_damaged = |event: Event| event.index() <= head && contradicts_itself(&event);
        if received.batch().iter().any(is_damaged) {
            self.doubt(one, head);
            return true;
        }
        let is_early = received.batch().iter().any(|event| event.index() <= after);
        if is_early {
            // Asked again at once, it would go on for ever.
            self.close(id);
            let why = "it answered with an event before the index asked for".to_owned();
            self.note_failure(one, Failure::Cut(why));
        }
        is_early
    }

    pub(super) fn on_state(&mut self, id: RequestId, nodes: Vec<StateNode>) {
        let Some(one) = self.requests.get(id).cloned() else {
            return;
        };
        match (&one.request, one.head) {
            (V2Request::ReadKey { .. }, Some((index, _))) => self.on_key_read(&one, index, &nodes),
            (V2Request::State, _) => self.on_state_read(id, nodes),
            _ => {}
        }
    }

    pub(super) fn on_ended(&mut self, id: RequestId, end: ReplyEnd) {
        let Some(one) = self.requests.get(id).cloned() else {
            return;
        };
        let is_half_closed = one.progress.half_closed.is_some();
        match end {
            // A wait that brought its event may end as it likes.
            _ if one.progress.is_answered && one.request != V2Request::Stream => {}
            ReplyEnd::Failed(Failure::Cut(_) | Failure::Silent(_)) if is_half_closed => {
                self.on_half_close_broke(id, &one);
            }
            ReplyEnd::Clean(whole) if one.is_done() => {
                if let (true, Some(registered), Some(coverage)) = (
                    one.request.is_question(),
                    one.progress.registered,
                    &mut self.coverage,
                ) {
                    let last_sent = one.progress.last_sent_at_answer;
                    let last_sent = last_sent.unwrap_or(self.requests.last());
                    coverage.add_ended_wait(registered.ended(&whole, last_sent));
                }
                match one.request {
                    V2Request::Walk { .. } => self.on_hidden(&one),
                    V2Request::Verify { .. } | V2Request::Next { .. } => {
                        self.on_nothing(id, &one);
                    }
                    // A read says nothing of waits, which a proxy may end.
                    V2Request::Question { .. } => {
                        self.endpoints.proved();
                        self.api.half_closes.worked();
                    }
                    _ => {}
                }
            }
            ReplyEnd::Clean(_) => {
                self.requests.remove(id);
                self.note_failure(&one, Failure::Cut("it ended the reply".to_owned()));
            }
            ReplyEnd::Failed(Failure::Refused(refusal)) => self.on_refusal(id, &one, refusal),
            // Events out of scope may be larger than those that are watched.
            ReplyEnd::Failed(Failure::TooLong(_)) if one.request.is_of_whole_store() => {
                self.requests.remove(id);
                self.on_too_long_elsewhere(&one);
            }
            ReplyEnd::Failed(failure @ (Failure::Malformed(_) | Failure::TooLong(_))) => {
                self.fail(one.endpoint, failure);
            }
            ReplyEnd::Failed(failure) => {
                self.requests.remove(id);
                self.note_failure(&one, failure);
            }
        }
        self.requests.remove(id);
    }

    /// A half-closed wait broke: some proxies take a half-close for a close, and others do not pass
    /// it on.
    fn on_half_close_broke(&mut self, id: RequestId, one: &InFlight<V2Request>) {
        if self.api.half_closes.are_broken() {
            self.on_no_end(id, one);
            return;
        }
        self.mistrust();
        if self.api.half_closes.broke(self.now) {
            let endpoint = one.endpoint;
            self.report(Update::Notice(Notice::HalfClose { endpoint }));
            // From now on, these questions are about the whole store.
            self.close_where(|one| one.request.is_question());
        }
    }

    /// An event that was asked of the whole store is larger than the limit.
    fn on_too_long_elsewhere(&mut self, one: &InFlight<V2Request>) {
        match one.request {
            // All that matters is that there is an event.
            V2Request::Alarm => {
                let (known, now) = (self.high_water.next(), self.now);
                self.renewal().on_write(known, now);
            }
            V2Request::Walk { .. } => self.on_hidden(one),
            _ => self.no_whole_store = Some(NoProof::TooLong),
        }
    }

    fn on_refusal(&mut self, id: RequestId, one: &InFlight<V2Request>, refusal: Box<Refusal>) {
        let endpoint = one.endpoint;
        let Refusal { fault, head } = &*refusal;
        if !self.identify(id, endpoint, head) {
            return;
        }
        self.identity.note_reply();
        if let (fault::INDEX_CLEARED, Some(after)) = (fault.code, one.after()) {
            self.endpoints.answered();
            self.learn(fault.index);
            if let Some(why) = contradiction_of(fault, after) {
                // Asked again at once, it would go on for ever.
                self.requests.remove(id);
                self.note_failure(one, Failure::Cut(why.to_owned()));
            } else if one.request.compares() {
                self.on_comparison_cleared();
            } else {
                self.on_cleared(fault);
            }
            return;
        }
        let passes = fault::is_passing(fault.code) || head.status == 503;
        let failure = Failure::Refused(refusal);
        self.requests.remove(id);
        match one.request {
            _ if passes => self.note_failure(one, failure),
            // Some users may read only a part of the store.
            V2Request::Alarm => self.no_whole_store = Some(NoProof::WholeStoreRefused),
            V2Request::Question { whole_store, .. } | V2Request::Verify { whole_store, .. }
                if whole_store =>
            {
                self.no_whole_store = Some(NoProof::WholeStoreRefused);
            }
            V2Request::Walk { .. } => self.on_hidden(one),
            V2Request::ReadKey { .. } | V2Request::Next { .. } => self.trust_store(),
            _ => self.fail(endpoint, failure),
        }
    }

    /// History no longer holds the events that were asked for.
    fn on_cleared(&mut self, fault: &Fault) {
        // Without the text of its cause: the last 1,000 indexes are kept (fact 10).
        let oldest =
            fault::oldest_kept(fault).unwrap_or_else(|| Index(fault.index.0.saturating_sub(999)));
        self.oldest = Some(oldest);
        let lost = oldest.previous();
        if self.plan.start == Start::Oldest && !self.has_begun {
            // Nothing was promised yet: the oldest is what the server has now.
            self.begin_at_oldest(lost);
            return;
        }
        self.lose(lost, Cause::HistoryCleared);
    }
}

/// What is impossible in the answer that history was cleared after `after`.
fn contradiction_of(fault: &Fault, after: Index) -> Option<&'static str> {
    let oldest = fault::oldest_kept(fault)?;
    if oldest <= after.next() {
        return Some("it says that it has what it does not give");
    }
    let is_ahead = oldest > fault.index.next();
    is_ahead.then_some("it says that it has cleared what has not happened yet")
}

fn is_in_scope(scope: &Scope, event: &Event) -> bool {
    scope.covers(event.node().key(), event.removes_directory())
}
