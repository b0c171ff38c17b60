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

use crate::watch::timing::{ONE_REASON, SILENT_WAIT, SILENT_WAIT_LONGEST};

/// After this many half-closes in a row that broke the connection, a proxy is the reason.
const BROKEN: u32 = 3;

/// How half-closed connections ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HalfCloses {
    /// How many half-closed connections in a row broke while no other connection did.
    broken: u32,
    /// When a connection broke last, or a silent wait was given up.
    last_trouble: Option<Instant>,
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
    pub fn note_silent_wait(&mut self, now: Instant) -> bool {
        let is_another = self.last_trouble.is_none_or(|at| at + ONE_REASON < now);
        self.last_trouble = Some(now);
        self.silent += u32::from(is_another || self.silent == 0);
        self.silent > 1
    }

    /// How long a wait may be silent where it cannot be ended. The time grows with each silent wait,
    /// because an answer may still be on its way.
    pub fn silence(self, slow: Duration) -> Duration {
        let silence = SILENT_WAIT.saturating_mul(1 << self.silent.min(4));
        silence.max(slow).min(SILENT_WAIT_LONGEST)
    }

    /// A half-closed connection broke. Returns true the first time that half-closing must be the reason.
    pub fn broke(&mut self, now: Instant) -> bool {
        let is_another = self.last_trouble.is_none_or(|at| at + ONE_REASON < now);
        if self.are_broken() || !is_another {
            return false;
        }
        self.last_trouble = Some(now);
        self.broken += 1;
        self.are_broken()
    }

    /// A connection broke that was not half-closed, so half-closing need not be the reason.
    pub fn others_broke(&mut self, now: Instant) {
        if !self.are_broken() {
            self.broken = 0;
        }
        self.last_trouble = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(1);

    #[test]
    fn half_closes_that_break_in_a_row_are_the_work_of_a_proxy() {
        let mut half_closes = HalfCloses::default();
        let now = crate::testing::now();
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
        let now = crate::testing::now();
        let mut breaks = (0..1000).map(|n| half_closes.broke(now + ONE_REASON / 10 * n));
        assert!(breaks.any(|is_certain| is_certain));
    }

    #[test]
    fn one_cut_that_breaks_several_half_closes_counts_once() {
        let mut half_closes = HalfCloses::default();
        let now = crate::testing::now();
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
                let now = crate::testing::now() + LATER * n;
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
            half_closes.broke(crate::testing::now() + LATER * n);
            half_closes.worked();
        }
        assert!(!half_closes.are_broken());
    }
}
