//! How often the position of a quiet watch is renewed.

use std::time::{Duration, Instant};

use crate::model::Index;
use crate::watch::timing::{
    RENEWAL, RENEWAL_AFTER_CALM, RENEWAL_CALM, RENEWAL_FIRST, RENEWAL_NEEDS_ALARM,
};

/// So often that this part of the history is written in between: once all of it is, a quiet key
/// can't be told from a lost event.
const PART: u32 = 12;
/// So many parts that nobody has been asked about are too many to wait.
const URGENT: u32 = 3;
/// When the position of a quiet watch was renewed, and is again.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    every: Duration,
    /// The store's index, and when it told it.
    known: Index,
    at: Instant,
    /// When it was renewed last.
    asked: Instant,
    part: u32,
}

impl Renewal {
    /// For a store at the index `known` whose history holds `history` indexes.
    #[must_use]
    pub fn new(known: Index, now: Instant, history: u32) -> Self {
        Self {
            every: RENEWAL_FIRST,
            known,
            at: now,
            asked: now,
            part: history / PART,
        }
    }

    /// The store's index at `now` tells how fast it is written to.
    pub fn learn(&mut self, index: Index, now: Instant) {
        let elapsed = now.duration_since(self.at);
        let written = u32::try_from(index.since(self.known)).unwrap_or(u32::MAX);
        if elapsed < RENEWAL.0 && written < self.part {
            // Several replies at once tell nothing of a rate.
            return;
        }
        let every = match written {
            0 if elapsed < self.every => return,
            0 => self.every * 2,
            written => elapsed * self.part / written,
        };
        // Who writes in bursts is back soon.
        self.every = every.min(self.every * 2).clamp(RENEWAL.0, RENEWAL.1);
        self.known = self.known.max(index);
        self.at = now;
    }

    /// It is renewed at `now`.
    pub fn ask(&mut self, now: Instant) {
        self.asked = now;
    }

    /// When it was renewed last.
    #[must_use]
    pub fn asked(&self) -> Instant {
        self.asked
    }

    /// The store was written to at `index`. After a calm, how fast is not known yet, and the
    /// fastest writes 1,000 indexes in less than a tenth of a second.
    pub fn alarm(&mut self, index: Index, now: Instant) {
        let written = u32::try_from(index.since(self.known)).unwrap_or(u32::MAX);
        if now.duration_since(self.at) * self.part < RENEWAL_CALM * written {
            self.learn(index, now);
            return;
        }
        self.every = self.every.min(RENEWAL_AFTER_CALM);
        self.known = self.known.max(index);
        self.at = now;
        self.asked = now;
    }

    /// How often it is renewed at the rate known last.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.asked + self.every
    }

    /// When so much will have been written beyond `covered` that it can't wait, at the rate
    /// known last.
    #[must_use]
    pub fn urgent_at(&self, covered: Index) -> Instant {
        let allowed = URGENT * self.part;
        let written = u32::try_from(self.known.since(covered)).unwrap_or(u32::MAX);
        self.at + self.every * allowed.saturating_sub(written) / self.part.max(1)
    }

    /// Whether an alarm is to tell when the store is written to faster.
    #[must_use]
    pub fn needs_alarm(&self) -> bool {
        self.every >= RENEWAL_NEEDS_ALARM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_store_is_renewed_before_its_history_is_written_over() {
        let start = Instant::now();
        let mut renewal = Renewal::new(Index(0), start, 1000);
        let mut now = start;
        // 5,000 writes a second.
        for _ in 0..20 {
            now = renewal.due();
            let written = u64::try_from(now.duration_since(start).as_millis() * 5).unwrap();
            renewal.ask(now);
            renewal.learn(Index(written), now);
        }
        let next = renewal.due().duration_since(now);
        assert!(next <= Duration::from_millis(60), "{next:?}");
        assert!(!renewal.needs_alarm());
    }

    #[test]
    fn a_store_that_nobody_writes_to_has_an_alarm_soon() {
        let start = Instant::now();
        let mut renewal = Renewal::new(Index(9), start, 1000);
        for _ in 0..2 {
            let due = renewal.due();
            renewal.ask(due);
            renewal.learn(Index(9), due);
        }
        assert!(renewal.needs_alarm());
    }

    #[test]
    fn the_first_write_after_a_calm_has_it_renewed_soon() {
        let start = Instant::now();
        for calm in [40, 100, 60_000] {
            let mut renewal = Renewal::new(Index(9), start, 1000);
            let now = start + Duration::from_millis(calm);
            renewal.alarm(Index(10), now);
            assert!(renewal.due() <= now + RENEWAL_AFTER_CALM, "{calm} ms");
        }
    }

    #[test]
    fn a_store_that_is_written_to_steadily_is_not_startling() {
        let start = Instant::now();
        let mut renewal = Renewal::new(Index(0), start, 1000);
        // 1,000 writes a second.
        for tick in 1..20 {
            renewal.alarm(Index(tick * 50), start + Duration::from_millis(tick * 50));
        }
        assert!(
            renewal.every() > RENEWAL_NEEDS_ALARM,
            "{:?}",
            renewal.every()
        );
    }

    #[test]
    fn a_cursor_that_is_far_behind_can_not_wait() {
        let start = Instant::now();
        let mut renewal = Renewal::new(Index(9), start, 1000);
        let now = start + RENEWAL_FIRST;
        renewal.learn(Index(300), now);
        assert_eq!(renewal.urgent_at(Index(9)), now);
        // 291 indexes in 30 ms.
        let later = renewal.urgent_at(Index(300)).duration_since(now);
        assert!(
            later > RENEWAL_FIRST / 2 && later < RENEWAL_FIRST * 2,
            "{later:?}"
        );
    }
}
