//! Whether what is known is fresh, and what was reported about that.
//!
//! A silent watch is fresh where a majority has confirmed the store's state lately, and nothing that
//! is known to have been written is missing. Where that cannot be confirmed for too long, the watch
//! is declared stale.

use std::time::{Duration, Instant};

use super::WatchState;
use super::timing::FRESHNESS_ASKED;

/// Whether what is known is fresh.
#[derive(Clone, Debug)]
pub(crate) struct Freshness {
    /// When it was last certain that what is known is fresh.
    pub(crate) fresh_at: Instant,
    pub(crate) is_stale: bool,
    /// Whether `live` was reported and no connection was lost since.
    pub(crate) is_reported_live: bool,
    /// The state and the endpoint that were reported last.
    reported: Option<(WatchState, usize)>,
    /// How often all endpoints have failed since one of them answered.
    pub(crate) failed_rounds: u32,
    jitter: fastrand::Rng,
    /// After which part of the time until the watch is stale a majority is asked.
    asked_after: f64,
}

impl Freshness {
    /// That of a watch that begins at `now`, with jitter from a given seed.
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        let mut fresh = Self {
            fresh_at: now,
            is_stale: false,
            is_reported_live: false,
            reported: None,
            failed_rounds: 0,
            jitter: fastrand::Rng::with_seed(seed),
            asked_after: 0.0,
        };
        fresh.note_answer();
        fresh
    }

    /// When a majority is asked next whether what is known is fresh.
    pub(crate) fn asks_at(&self, stale_after: Duration) -> Instant {
        self.fresh_at + stale_after.mul_f64(self.asked_after)
    }

    /// A majority has answered: it is asked again after another part of the time.
    pub(crate) fn note_answer(&mut self) {
        let (earliest, latest) = FRESHNESS_ASKED;
        self.asked_after = earliest + self.jitter.f64() * (latest - earliest);
    }

    /// Notes the state that is reported now. Returns whether it differs from the one reported before.
    pub(crate) fn note_state(&mut self, state: WatchState, endpoint: usize) -> bool {
        let state = Some((state, endpoint));
        std::mem::replace(&mut self.reported, state) != state
    }

    /// Forgets what was reported of a store that another one has replaced.
    pub(crate) fn forget_reported(&mut self) {
        self.reported = None;
    }

    /// All endpoints have failed once more; how often that is now.
    pub(crate) fn count_failed_round(&mut self) -> u32 {
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        self.failed_rounds
    }

    /// How often all endpoints have failed; none has from now on.
    pub(crate) fn take_failed_rounds(&mut self) -> u32 {
        std::mem::take(&mut self.failed_rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_that_began_together_ask_a_majority_at_different_times_and_early_enough() {
        let (now, stale_after) = (crate::testing::now(), Duration::from_secs(30));
        let asked = |seed| {
            let mut freshness = Freshness::new(now, seed);
            let asks = std::iter::repeat_with(|| {
                let at = freshness.asks_at(stale_after);
                freshness.note_answer();
                at.duration_since(now)
            });
            asks.take(8).collect::<Vec<_>>()
        };
        let (first, second) = (asked(1), asked(2));
        assert!(first.iter().zip(&second).all(|(a, b)| a != b));
        let bounds = Duration::from_secs(15)..Duration::from_millis(20_101);
        assert!(first.iter().chain(&second).all(|at| bounds.contains(at)));
    }
}
