//! Ends waits: when a wait is half-closed, and what is done about one that does not end.

use std::time::Instant;

use super::{V2Request, V2Session};
use crate::model::Index;
use crate::watch::RequestId;
use crate::watch::coverage::UnknownRange;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    HALF_CLOSE_AFTER, HALF_CLOSE_BACKED, HALF_CLOSE_FACTOR, HALF_CLOSE_IGNORED, HALF_CLOSE_LATEST,
};

impl V2Session {
    /// Half-closes the waits whose grace is over.
    pub(super) fn half_close_silent_waits(&mut self) {
        let is_broken = self.api.half_closes.are_broken();
        let slow = self.api.slowest.saturating_mul(HALF_CLOSE_FACTOR);
        let (after, silence) = (
            slow.clamp(HALF_CLOSE_AFTER, HALF_CLOSE_LATEST),
            self.api.half_closes.silence(slow),
        );
        let probes = self.requests.values().filter(|one| {
            let is_probe = matches!(one.request, V2Request::Probe { .. });
            is_probe && one.head.is_some() && !one.progress.is_answered
        });
        let probes: Vec<(usize, Option<Index>)> =
            probes.map(|one| (one.endpoint, one.after())).collect();
        let is_backed = |one: &InFlight<V2Request>| {
            let mut probes = probes.iter();
            self.is_answered_since(one)
                && probes.any(|(of, after)| *of == one.endpoint && *after <= one.after())
        };
        let grace = |one: &InFlight<V2Request>| match () {
            () if is_broken => silence,
            () if is_backed(one) => HALF_CLOSE_BACKED,
            () => after,
        };
        let waits = self.requests.iter();
        let due: Vec<(RequestId, Instant)> = waits
            .filter_map(|(id, one)| Some((id, one.waits_since()? + grace(one))))
            .collect();
        for (id, at) in due {
            if at > self.now {
                self.wake(Timer::HalfClose, at);
                continue;
            }
            let now = self.now;
            if let Some(one) = self.requests.get_mut(id) {
                one.progress.half_closed = Some(now);
            }
            self.half_close(id);
        }
        if is_broken {
            self.give_up_half_closed();
        }
    }

    /// Gives up half-closed waits that did not end. The transport has no limit for requests that may hang.
    fn give_up_half_closed(&mut self) {
        let half_closed = self.requests.iter();
        let due: Vec<(RequestId, Instant)> = half_closed
            .filter_map(|(id, one)| Some((id, one.progress.half_closed? + HALF_CLOSE_IGNORED)))
            .collect();
        for (id, at) in due {
            if at > self.now {
                self.wake(Timer::HalfClose, at);
            } else if let Some(one) = self.requests.get(id).cloned() {
                self.close(id);
                self.on_no_end(id, &one);
                if self.is_finished {
                    return;
                }
            }
        }
    }

    /// Whether questions are about the whole store. The next event anywhere proves that there is no event
    /// in scope before it.
    pub(super) fn asks_whole_store(&self) -> bool {
        self.api.half_closes.are_broken() && self.no_whole_store.is_none()
    }

    /// A wait was silent for long, and its connection broke when it was half-closed. That proves nothing.
    pub(super) fn on_no_end(&mut self, id: RequestId, one: &InFlight<V2Request>) {
        let was_silent = self.api.half_closes.note_silent_wait(self.now);
        // The connection was open until then.
        self.endpoints.proved();
        match one.request {
            // An answer may have been on its way.
            V2Request::Question { .. } if self.is_following() || !was_silent => {}
            V2Request::Question {
                whole_store: false, ..
            } if self.no_whole_store.is_none() => {}
            V2Request::Question { after, .. } => {
                // The only unknown range is the one after the last event in history.
                let unknown = self
                    .coverage
                    .iter()
                    .flat_map(|coverage| coverage.unknown(self.asked_upto()));
                let unknown: Vec<UnknownRange> = unknown.take(2).collect();
                let (&[range], Some((head, _))) = (unknown.as_slice(), one.head) else {
                    return;
                };
                let is_last = Some(range.upto) == self.last_index();
                // What is proven before the range is to be reported first.
                let is_next = self.cursor() == Some(range.after);
                if is_last && is_next && after == range.after && head >= range.upto {
                    self.end_unproven(range.after, range.upto);
                }
            }
            V2Request::Verify { .. } | V2Request::Next { .. } => {
                self.on_no_comparison(id, one, was_silent);
            }
            V2Request::Walk { .. } => {
                self.requests.remove(id);
                // No other request is in flight that would break if the store was replaced.
                self.doubt_store();
                self.on_hidden(one);
            }
            _ => {}
        }
    }

    /// Whether the server has answered a request that was sent after the head of this one.
    pub(super) fn is_answered_since(&self, one: &InFlight<V2Request>) -> bool {
        let latest = self.api.latest_answered;
        let latest = latest.filter(|latest| latest.endpoint == one.endpoint);
        let head = one.head.map(|(_, at)| at);
        latest.is_some_and(|latest| head.is_some_and(|head| latest.sent_at >= head))
    }
}
