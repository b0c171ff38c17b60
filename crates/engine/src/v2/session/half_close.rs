//! Half-closing waits, to prove that there was no event.
//!
//! etcd looks a wait up in history, sends the head of the reply, and then waits for an event or for the
//! end of the client's connection. A wait that is half-closed after that point ends with the event from
//! history, or without one because there was none (fact 17). The grace between the head and the
//! half-close gives etcd the time to get there.
//!
//! Some proxies close a half-closed connection. The session finds that out, and then asks for the next
//! event anywhere in the store instead.

use std::time::{Duration, Instant};

use super::{V2Request, V2Session};
use crate::model::Index;
use crate::watch::RequestId;
use crate::watch::coverage::UnknownRange;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    HALF_CLOSE_AFTER, HALF_CLOSE_BACKED, HALF_CLOSE_FACTOR, HALF_CLOSE_IGNORED, HALF_CLOSE_LATEST,
    ONE_REASON, SILENT_WAIT, SILENT_WAIT_LONGEST,
};

/// After this many half-closes in a row that broke the connection, a proxy is the reason.
const BROKEN: u32 = 3;

/// How half-closed connections ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfCloses {
    /// How many half-closed connections in a row broke while no other connection did.
    broken: u32,
    /// When a connection broke last.
    at: Option<Instant>,
    /// How many waits in a row were silent, where waits cannot be ended.
    silent: u32,
}

impl HalfCloses {
    /// Whether half-closing breaks connections.
    pub fn are_broken(self) -> bool {
        self.broken >= BROKEN
    }

    /// The server ended a half-closed wait as it should.
    pub fn worked(&mut self) {
        self.broken = 0;
    }

    /// History answered a wait, so waits that are silent now have no event.
    pub fn answered(&mut self) {
        self.silent = 0;
    }

    /// Notes a wait that was silent until it was given up, and returns whether another one was silent
    /// before. Waits that are given up together count as one.
    fn is_silent_again(&mut self, now: Instant) -> bool {
        let is_another = self.at.is_none_or(|at| at + ONE_REASON < now);
        self.at = Some(now);
        self.silent += u32::from(is_another || self.silent == 0);
        self.silent > 1
    }

    /// How long a wait may be silent where it cannot be ended. The time grows with each silent wait,
    /// because an answer may still be on its way.
    fn silence(self, slow: Duration) -> Duration {
        let silence = SILENT_WAIT.saturating_mul(1 << self.silent.min(4));
        silence.max(slow).min(SILENT_WAIT_LONGEST)
    }

    /// A half-closed connection broke. Returns true the first time that half-closing must be the reason.
    pub fn broke(&mut self, now: Instant) -> bool {
        let is_another = self.at.is_none_or(|at| at + ONE_REASON < now);
        if self.are_broken() || !is_another {
            return false;
        }
        self.at = Some(now);
        self.broken += 1;
        self.are_broken()
    }

    /// A connection broke that was not half-closed, so half-closing need not be the reason.
    pub fn others_broke(&mut self, now: Instant) {
        if !self.are_broken() {
            self.broken = 0;
        }
        self.at = Some(now);
    }
}

impl V2Session {
    /// Half-closes the waits whose grace is over.
    pub(super) fn half_close_waits(&mut self) {
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
        let was_silent = self.api.half_closes.is_silent_again(self.now);
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
                if is_last && after == range.after && head >= range.upto {
                    self.end_unproven(range.after, range.upto);
                }
            }
            V2Request::Verify { .. } | V2Request::Next { .. } => {
                self.on_no_comparison(id, one, was_silent);
            }
            V2Request::Walk { .. } => {
                self.requests.remove(id);
                self.on_hidden(one);
            }
            _ => {}
        }
    }

    /// Whether the server has answered a request that was sent after the head of this one.
    pub(super) fn is_answered_since(&self, one: &InFlight<V2Request>) -> bool {
        let latest = self.api.latest_answered;
        let latest = latest.filter(|(endpoint, _)| *endpoint == one.endpoint);
        let head = one.head.map(|(_, at)| at);
        latest.is_some_and(|(_, sent_at)| head.is_some_and(|head| sent_at >= head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(1);

    #[test]
    fn half_closes_that_break_in_a_row_are_the_work_of_a_proxy() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        let certain: Vec<bool> = (0..5).map(|n| half_closes.broke(now + LATER * n)).collect();
        assert_eq!(certain, [false, false, true, false, false]);
        half_closes.others_broke(now + LATER * 6);
        assert!(half_closes.are_broken(), "the verdict stays");
        half_closes.worked();
        assert!(!half_closes.are_broken(), "until one works");
    }

    #[test]
    fn many_breaks_in_quick_succession_are_still_recognised() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        let mut breaks = (0..1000).map(|n| half_closes.broke(now + ONE_REASON / 10 * n));
        assert!(breaks.any(|is_certain| is_certain));
    }

    #[test]
    fn one_cut_that_breaks_several_half_closes_counts_once() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        for _ in 0..5 {
            half_closes.broke(now);
        }
        assert!(!half_closes.are_broken());
    }

    #[test]
    fn cuts_that_break_other_connections_too_are_not_the_work_of_a_proxy() {
        for half_closed_first in [false, true] {
            let mut half_closes = HalfCloses::default();
            for n in 0..5 {
                let now = Instant::now() + LATER * n;
                if half_closed_first {
                    half_closes.broke(now);
                    half_closes.others_broke(now);
                } else {
                    half_closes.others_broke(now);
                    half_closes.broke(now);
                }
            }
            assert!(!half_closes.are_broken());
        }
    }

    #[test]
    fn a_half_close_that_works_resets_the_count() {
        let mut half_closes = HalfCloses::default();
        for n in 0..5 {
            half_closes.broke(Instant::now() + LATER * n);
            half_closes.worked();
        }
        assert!(!half_closes.are_broken());
    }
}
