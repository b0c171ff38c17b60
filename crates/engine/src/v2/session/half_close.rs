//! The proof of nothing: when a wait is half-closed, and whether half-closing works here.
//!
//! etcd puts an event from history before a wait, sends the head, and comes back to look for the
//! event, or for the client's end, whichever it sees first. A wait that is half-closed after it
//! has come back therefore ends with the event, or with nothing because nothing was there
//! (fact 17). How long it takes to come back is what the grace is about.

use std::time::{Duration, Instant};

use super::{V2Request, V2Session};
use crate::model::Index;
use crate::watch::Ticket;
use crate::watch::coverage::UnknownRange;
use crate::watch::in_flight::InFlight;
use crate::watch::timers::Timer;
use crate::watch::timing::{
    HALF_CLOSE_AFTER, HALF_CLOSE_BACKED, HALF_CLOSE_FACTOR, HALF_CLOSE_IGNORED, HALF_CLOSE_LATEST,
    ONE_REASON, SILENT_WAIT, SILENT_WAIT_LONGEST,
};

/// After so many half-closes in a row that broke the connection, it is a proxy's doing.
const BROKEN: u32 = 3;
/// What became of the connections that were half-closed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfCloses {
    /// How often in a row one of them broke, and no other connection.
    broken: u32,
    /// When that was last, or others broke.
    at: Option<Instant>,
    /// How many waits in a row were silent, where they can't be ended.
    silent: u32,
}

impl HalfCloses {
    /// Whether they break connections here.
    pub fn are_broken(self) -> bool {
        self.broken >= BROKEN
    }

    /// One did what it was for.
    pub fn worked(&mut self) {
        self.broken = 0;
    }

    /// History answered: what is silent now has nothing to say.
    pub fn heard(&mut self) {
        self.silent = 0;
    }

    /// A wait was silent until it was given up; whether others had been before. Those that are
    /// given up at once count as one.
    fn is_silent_again(&mut self, now: Instant) -> bool {
        let is_another = self.at.is_none_or(|at| at + ONE_REASON < now);
        self.at = Some(now);
        self.silent += u32::from(is_another || self.silent == 0);
        self.silent > 1
    }

    /// For how long a wait may be silent where it can't be ended: longer each time, since an answer
    /// may be on its way.
    fn silence(self, slow: Duration) -> Duration {
        let silence = SILENT_WAIT.saturating_mul(1 << self.silent.min(4));
        silence.max(slow).min(SILENT_WAIT_LONGEST)
    }

    /// One broke the connection, or the connection broke; whether it is certain from now on that
    /// it is the half-closing.
    pub fn broke(&mut self, now: Instant) -> bool {
        let is_another = self.at.is_none_or(|at| at + ONE_REASON < now);
        if self.are_broken() || !is_another {
            return false;
        }
        self.at = Some(now);
        self.broken += 1;
        self.are_broken()
    }

    /// Others break just as well.
    pub fn others_broke(&mut self, now: Instant) {
        if !self.are_broken() {
            self.broken = 0;
        }
        self.at = Some(now);
    }
}

impl V2Session {
    /// Half-closes the waits that are due.
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
        let due: Vec<(Ticket, Instant)> = waits
            .filter_map(|(ticket, one)| Some((ticket, one.waits_since()? + grace(one))))
            .collect();
        for (ticket, at) in due {
            if at > self.now {
                self.wake(Timer::HalfClose, at);
                continue;
            }
            let now = self.now;
            if let Some(one) = self.requests.get_mut(ticket) {
                one.progress.half_closed = Some(now);
            }
            self.half_close(ticket);
        }
        if is_broken {
            self.give_up_half_closed();
        }
    }

    /// Gives up the waits that were half-closed and did not end. Where they may wait for ever, no
    /// limit of the transport does.
    fn give_up_half_closed(&mut self) {
        let half_closed = self.requests.iter();
        let due: Vec<(Ticket, Instant)> = half_closed
            .filter_map(|(ticket, one)| {
                Some((ticket, one.progress.half_closed? + HALF_CLOSE_IGNORED))
            })
            .collect();
        for (ticket, at) in due {
            if at > self.now {
                self.wake(Timer::HalfClose, at);
            } else if let Some(one) = self.requests.get(ticket).cloned() {
                self.close(ticket);
                self.on_no_end(ticket, &one);
            }
        }
    }

    /// Whether questions are about the whole store: its next event, whichever that is, proves that
    /// no event in scope lies before it.
    pub(super) fn asks_whole_store(&self) -> bool {
        self.api.half_closes.are_broken() && self.no_whole_store.is_none()
    }

    /// A wait was silent for long, and broke when it was half-closed, as waits do here. It proves
    /// nothing.
    pub(super) fn on_no_end(&mut self, ticket: Ticket, one: &InFlight<V2Request>) {
        let was_silent = self.api.half_closes.is_silent_again(self.now);
        // Its connection has lasted until then.
        self.endpoints.proved();
        match one.request {
            // An answer may have been on its way.
            V2Request::Question { .. } if self.is_following() || !was_silent => {}
            V2Request::Question {
                whole_store: false, ..
            } if self.no_whole_store.is_none() => {}
            V2Request::Question { after, .. } => {
                // What is left lies behind the last event that history shows.
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
                self.on_no_comparison(ticket, one, was_silent);
            }
            V2Request::Walk { .. } => {
                self.requests.remove(ticket);
                self.on_hidden(one);
            }
            _ => {}
        }
    }

    /// Whether the server has answered a request that was sent after that head.
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
    fn half_closes_that_break_alone_and_in_a_row_are_a_proxys_doing() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        let told: Vec<bool> = (0..5).map(|n| half_closes.broke(now + LATER * n)).collect();
        assert_eq!(told, [false, false, true, false, false]);
        half_closes.others_broke(now + LATER * 6);
        assert!(half_closes.are_broken(), "it stays so");
        half_closes.worked();
        assert!(!half_closes.are_broken(), "until one works");
    }

    #[test]
    fn many_that_break_one_after_the_other_do_not_hide_it() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        let mut breaks = (0..1000).map(|n| half_closes.broke(now + ONE_REASON / 10 * n));
        assert!(breaks.any(|is_certain| is_certain));
    }

    #[test]
    fn a_cut_that_breaks_several_at_once_is_not() {
        let mut half_closes = HalfCloses::default();
        let now = Instant::now();
        for _ in 0..5 {
            half_closes.broke(now);
        }
        assert!(!half_closes.are_broken());
    }

    #[test]
    fn cuts_that_break_others_too_are_not_whichever_is_noticed_first() {
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
    fn a_half_close_that_worked_in_between_speaks_for_them_all() {
        let mut half_closes = HalfCloses::default();
        for n in 0..5 {
            half_closes.broke(Instant::now() + LATER * n);
            half_closes.worked();
        }
        assert!(!half_closes.are_broken());
    }
}
