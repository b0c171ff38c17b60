//! The proof of nothing: when a wait is half-closed, and whether half-closing works here.
//!
//! etcd puts an event from history before a wait, sends the head, and comes back to look for the
//! event, or for the client's end, whichever it sees first. A wait that is half-closed after it
//! has come back therefore ends with the event, or with nothing because nothing was there
//! (fact 17). How long it takes to come back is what the grace is about.

use std::time::{Duration, Instant};

use super::{Open, Purpose, Session};
use crate::model::Index;
use crate::watch::ledger::Hole;
use crate::watch::{Step, Ticket};

/// A wait is half-closed this long after its head, at least. A server that was stalled before it
/// came to look for the event may answer with nothing though history has it: on a machine with a
/// load of twenty, 14 in 40,000 at 20 ms, 2 at 50 ms, none at 100 ms. Therefore, too, two are
/// asked about everything ([`crate::watch::ledger::Ledger::witness`]).
const GRACE: Duration = Duration::from_millis(200);
/// So many times as long as an answer from history was ever waited for after its head: a server
/// that is slow to answer is slow to look.
const GRACE_FACTOR: u32 = 10;
/// It is this long where the server has meanwhile answered what was asked after that head, and
/// where the probe waits for the same: it is never half-closed, so that the event comes, and then
/// it is told late ([`crate::watch::ledger::Ledger::go_back`]). The busiest store writes its
/// history over in 70 ms.
const BACKED_GRACE: Duration = Duration::from_millis(20);

/// A wait is half-closed no later than this after its head, however slow the server is.
const LATEST: Duration = Duration::from_secs(2);
/// Where half-closing breaks connections, as behind some proxies, a wait is left alone for this long
/// at least. That nothing comes proves nothing: it is half-closed then to be rid of its connection,
/// which may be dead, and in case that it works after all.
const SILENCE: Duration = Duration::from_secs(5);
/// And for this long at most.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// One that was half-closed, and has not ended after this time, is given up: the server does not know.
const IGNORED: Duration = Duration::from_secs(5);
/// After so many half-closes in a row that broke the connection, it is a proxy's doing.
const BROKEN: u32 = 3;
/// What breaks within this time breaks for one reason.
const AT_ONCE: Duration = Duration::from_millis(20);

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
        let is_another = self.at.is_none_or(|at| at + AT_ONCE < now);
        self.at = Some(now);
        self.silent += u32::from(is_another || self.silent == 0);
        self.silent > 1
    }

    /// For how long a wait may be silent where it can't be ended: longer each time, since an answer
    /// may be on its way.
    fn silence(self, slow: Duration) -> Duration {
        let silence = SILENCE.saturating_mul(1 << self.silent.min(4));
        silence.max(slow).min(LONGEST_SILENCE)
    }

    /// One broke the connection, or the connection broke; whether it is certain from now on that
    /// it is the half-closing.
    pub fn broke(&mut self, now: Instant) -> bool {
        let is_another = self.at.is_none_or(|at| at + AT_ONCE < now);
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

impl Session {
    /// Half-closes the waits that are due.
    pub(super) fn half_close(&mut self) {
        let is_broken = self.half_closes.are_broken();
        let slow = self.slowest.saturating_mul(GRACE_FACTOR);
        let (grace, silence) = (slow.clamp(GRACE, LATEST), self.half_closes.silence(slow));
        let probes = self
            .open
            .values()
            .filter(|open| open.purpose == Purpose::Probe && open.head.is_some() && !open.answered);
        let backed: Vec<(usize, Option<Index>)> =
            probes.map(|open| (open.endpoint, open.after)).collect();
        let is_backed = |open: &Open| {
            let mut backed = backed.iter();
            self.is_controlled(open)
                && backed.any(|(of, after)| *of == open.endpoint && *after <= open.after)
        };
        let grace = |open: &Open| match () {
            () if is_broken => silence,
            () if is_backed(open) => BACKED_GRACE,
            () => grace,
        };
        let waits = self.open.iter();
        let ends: Vec<(Ticket, Instant)> = waits
            .filter_map(|(ticket, open)| Some((*ticket, open.waits_since()? + grace(open))))
            .collect();
        for (ticket, at) in ends {
            if at > self.now {
                self.wake_by(Some(at));
                continue;
            }
            if let Some(open) = self.open.get_mut(&ticket) {
                open.half_closed = Some(self.now);
            }
            self.steps.push(Step::HalfClose(ticket));
        }
        if is_broken {
            self.give_up_half_closed();
        }
    }

    /// Gives up the waits that were half-closed and did not end. Nobody else does where they may wait
    /// for ever.
    fn give_up_half_closed(&mut self) {
        let half_closed = self.open.iter();
        let ends: Vec<(Ticket, Instant)> = half_closed
            .filter_map(|(ticket, open)| Some((*ticket, open.half_closed? + IGNORED)))
            .collect();
        for (ticket, at) in ends {
            if at > self.now {
                self.wake_by(Some(at));
            } else if let Some(open) = self.open.get(&ticket).cloned() {
                self.close(ticket);
                self.on_no_end(ticket, &open);
            }
        }
    }

    /// Whether what nobody says is asked of the whole store: some event of it comes next, whichever
    /// that is, so that nothing in scope does before it.
    pub(super) fn asks_whole_store(&self) -> bool {
        self.half_closes.are_broken() && self.no_whole_store.is_none()
    }

    /// A wait was silent for long, and broke when it was half-closed, as they do here. Nothing is
    /// known of what it was about.
    pub(super) fn on_no_end(&mut self, ticket: Ticket, open: &Open) {
        let was_silent = self.half_closes.is_silent_again(self.now);
        // It has lasted until then.
        self.endpoints.proved();
        match open.purpose {
            // An answer may have been on its way.
            Purpose::Question if self.following || !was_silent => {}
            Purpose::Question if !open.whole_store && self.no_whole_store.is_none() => {}
            Purpose::Question => {
                // What is left lies behind the last event that history shows.
                let left = self
                    .ledger
                    .iter()
                    .flat_map(|ledger| ledger.holes(self.asked_upto()));
                let left: Vec<Hole> = left.take(2).collect();
                let (&[hole], Some((head, _))) = (left.as_slice(), open.head) else {
                    return;
                };
                let is_last = Some(hole.upto) == self.target;
                if is_last && open.after == Some(hole.after) && head >= hole.upto {
                    self.end_unproven(hole.after, hole.upto);
                }
            }
            Purpose::Verify | Purpose::Next => self.on_no_comparison(ticket, open, was_silent),
            Purpose::Walk => {
                self.open.remove(&ticket);
                self.on_hidden(open);
            }
            _ => {}
        }
    }

    /// Whether the server has answered something that was asked after that head.
    pub(super) fn is_controlled(&self, open: &Open) -> bool {
        let asked = self.control.filter(|(of, _)| *of == open.endpoint);
        let head = open.head.map(|(_, at)| at);
        asked.is_some_and(|(_, at)| head.is_some_and(|head| at >= head))
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
        let mut breaks = (0..1000).map(|n| half_closes.broke(now + AT_ONCE / 10 * n));
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
