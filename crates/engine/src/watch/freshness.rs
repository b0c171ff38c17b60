//! Whether what is known is fresh, and what was reported about that.
//!
//! A silent watch is fresh where a majority has confirmed the store's state lately, and nothing that
//! is known to have been written is missing. Where that cannot be confirmed for too long, the watch
//! is declared stale.

use std::time::Instant;

use super::WatchState;

/// Whether what is known is fresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// When it was last certain that what is known is fresh.
    pub(crate) fresh_at: Instant,
    pub(crate) is_stale: bool,
    /// Whether the last status reported was not that the connection is lost.
    pub(crate) is_reported_live: bool,
    /// The state and the endpoint that were reported last.
    reported: Option<(WatchState, usize)>,
    /// How often all endpoints have failed since one of them answered.
    pub(crate) failed_rounds: u32,
}

impl Freshness {
    /// That of a watch that begins at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            fresh_at: now,
            is_stale: false,
            is_reported_live: false,
            reported: None,
            failed_rounds: 0,
        }
    }

    /// Whether that state was not the last one reported; it is from now on.
    pub(crate) fn is_new_state(&mut self, state: WatchState, endpoint: usize) -> bool {
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
