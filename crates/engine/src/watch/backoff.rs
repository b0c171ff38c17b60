//! The delay before a retry.

use std::time::Duration;

use super::timing::BACKOFF;

/// Exponential backoff with jitter, from a given seed.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempts: u32,
    jitter: fastrand::Rng,
}

impl Backoff {
    /// A backoff whose jitter depends on `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            attempts: 0,
            jitter: fastrand::Rng::with_seed(seed),
        }
    }

    /// The next delay. It doubles each time up to the longest, and the jitter shortens it by up to a half, so that
    /// many clients of one server don't retry together.
    pub fn next_delay(&mut self) -> Duration {
        let (first, longest) = BACKOFF;
        let full = first
            .saturating_mul(1 << self.attempts.min(16))
            .min(longest);
        self.attempts = self.attempts.saturating_add(1);
        full.mul_f64(0.5 + self.jitter.f64() / 2.0)
    }

    /// Whether there was a delay since the last reset.
    #[must_use]
    pub fn is_backing_off(&self) -> bool {
        self.attempts > 0
    }

    /// A connection has proved itself: the next delay is the first one again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_are_never_zero() {
        let mut backoff = Backoff::new(1);
        let (mut full, longest) = BACKOFF;
        for _ in 0..40 {
            let delay = backoff.next_delay();
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
            full = (full * 2).min(longest);
        }
    }

    #[test]
    fn a_reset_makes_the_next_delay_the_first_one() {
        let mut backoff = Backoff::new(1);
        for _ in 0..10 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= BACKOFF.0);
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..8).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7));
        assert_ne!(delays(7), delays(8));
    }
}
