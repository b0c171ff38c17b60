//! What a session does about a request that failed.

use super::{Core, SessionApi};
use crate::protocol::Failure;
use crate::watch::endpoints::Verdict;
use crate::watch::in_flight::{InFlight, SessionRequest};
use crate::watch::{Outcome, WatchState};

/// After this many rounds in which every endpoint failed, a notice says so.
const NOTABLE_ROUNDS: u32 = 2;

impl<A: SessionApi> Core<A> {
    /// Notes that a request failed: another endpoint is asked, or this one later.
    pub(crate) fn note_failure(&mut self, one: &InFlight<A::Request>, failure: Failure) {
        tracing::debug!(request = one.request.name(), endpoint = one.endpoint, %failure, "failed");
        if one.request.hangs() {
            self.slow_down(one);
        }
        self.api.note_broken(one, self.now);
        if matches!(failure, Failure::Silent(_)) {
            // A server that does not answer a question does not end a wait either.
            self.close_where(|other| other.endpoint == one.endpoint);
        }
        let endpoint = one.endpoint;
        let (_, epoch) = self.endpoints.current();
        let verdict = self
            .endpoints
            .failed(endpoint, one.epoch, failure.clone(), self.now);
        if self.endpoints.current().1 != epoch || one.head.is_some() {
            self.mistrust();
        }
        if self.endpoints.current().0 != endpoint {
            // The next endpoint also reports what happens.
            self.close_where(|other| other.endpoint == endpoint && other.request.hangs());
        }
        match verdict {
            Verdict::Retry => {}
            // Events still come, unless they wait for a comparison.
            Verdict::AllFailed if self.is_registered() && !self.identity.is_unverified => {}
            Verdict::AllFailed => {
                let notable = self.freshness.count_failed_round() == NOTABLE_ROUNDS;
                let was_live = std::mem::take(&mut self.freshness.is_reported_live);
                if was_live || notable {
                    let state = WatchState::Reconnecting;
                    self.report_status(state, endpoint, Some(failure), notable);
                }
            }
            Verdict::Hopeless(attempts) => self.finish(Outcome::Failed(attempts)),
        }
    }

    /// Whether so many rounds have failed that a notice says when the watch is live again.
    pub(crate) fn take_notable_rounds(&mut self) -> bool {
        self.freshness.take_failed_rounds() >= NOTABLE_ROUNDS
    }

    /// A wait ended without an event: the next one is sent later each time.
    pub(crate) fn slow_down(&mut self, ended: &InFlight<A::Request>) {
        self.requests.slow_down(ended, self.now, self.plan.seed);
    }
}
