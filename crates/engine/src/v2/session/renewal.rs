//! How often a quiet watch renews its position: it asks for a proof that nothing happened up to the
//! store's present index. A position that falls out of history is a gap.

use std::time::{Duration, Instant};

use crate::model::Index;
use crate::watch::timing::{
    RENEWAL, RENEWAL_AFTER_CALM, RENEWAL_CALM, RENEWAL_FIRST, RENEWAL_NEEDS_ALARM,
};

/// A position is renewed each time this part of history (one twelfth) is written. Once all of it is, a
/// quiet key looks the same as a lost event.
const PART: u32 = 12;
/// A position with this many unproven parts of history is renewed without delay.
const URGENT: u32 = 3;

/// The rate at which the store is written to, and the time of the next renewal.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    every: Duration,
    /// The store's index, and when a reply reported it.
    known: Index,
    at: Instant,
    /// The time of the last renewal.
    asked: Instant,
    /// A twelfth of history, in indexes.
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

    /// Learns the store's index, from which the rate of writes is estimated.
    pub fn learn(&mut self, index: Index, now: Instant) {
        let elapsed = now.duration_since(self.at);
        let written = u32::try_from(index.since(self.known)).unwrap_or(u32::MAX);
        if elapsed < RENEWAL.0 && written < self.part {
            // Replies that arrive together give no rate.
            return;
        }
        let every = match written {
            0 if elapsed < self.every => return,
            0 => self.every * 2,
            written => elapsed * self.part / written,
        };
        // The next burst of writes may come soon, so the interval grows slowly.
        self.every = every.min(self.every * 2).clamp(RENEWAL.0, RENEWAL.1);
        self.known = self.known.max(index);
        self.at = now;
    }

    /// Notes a renewal at `now`.
    pub fn ask(&mut self, now: Instant) {
        self.asked = now;
    }

    /// The time of the last renewal.
    #[must_use]
    pub fn asked(&self) -> Instant {
        self.asked
    }

    /// The newest index that the store is known to have.
    #[must_use]
    pub fn known(&self) -> Index {
        self.known
    }

    /// The time at which the store's index was reported last.
    #[must_use]
    pub fn reported_at(&self) -> Instant {
        self.at
    }

    /// The long poll on the whole store reported a write at `index`. After a calm the rate is not known
    /// yet, and a fast store writes 1,000 indexes in less than 100 ms.
    pub fn on_write(&mut self, index: Index, now: Instant) {
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

    /// The interval between renewals at the last known rate.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The time of the next renewal.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.asked + self.every
    }

    /// The time at which too much will have been written beyond `covered`, at the last known rate.
    #[must_use]
    pub fn urgent_at(&self, covered: Index) -> Instant {
        let allowed = URGENT * self.part;
        let written = u32::try_from(self.known.since(covered)).unwrap_or(u32::MAX);
        self.at + self.every * allowed.saturating_sub(written) / self.part.max(1)
    }

    /// Whether a long poll on the whole store has to report when the rate rises.
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
        let start = crate::testing::now();
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
    fn a_quiet_store_soon_needs_a_long_poll_on_the_whole_store() {
        let start = crate::testing::now();
        let mut renewal = Renewal::new(Index(9), start, 1000);
        for _ in 0..2 {
            let due = renewal.due();
            renewal.ask(due);
            renewal.learn(Index(9), due);
        }
        assert!(renewal.needs_alarm());
    }

    #[test]
    fn the_first_write_after_a_calm_causes_a_renewal_soon() {
        let start = crate::testing::now();
        for calm in [40, 100, 60_000] {
            let mut renewal = Renewal::new(Index(9), start, 1000);
            let now = start + Duration::from_millis(calm);
            renewal.on_write(Index(10), now);
            assert!(renewal.due() <= now + RENEWAL_AFTER_CALM, "{calm} ms");
        }
    }

    #[test]
    fn steady_writes_do_not_shorten_the_interval() {
        let start = crate::testing::now();
        let mut renewal = Renewal::new(Index(0), start, 1000);
        // 1,000 writes a second.
        for tick in 1..20 {
            renewal.on_write(Index(tick * 50), start + Duration::from_millis(tick * 50));
        }
        assert!(
            renewal.every() > RENEWAL_NEEDS_ALARM,
            "{:?}",
            renewal.every()
        );
    }

    #[test]
    fn a_position_far_behind_the_store_is_renewed_at_once() {
        let start = crate::testing::now();
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
