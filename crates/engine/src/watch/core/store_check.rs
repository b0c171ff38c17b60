//! The comparison of the store with the one that was watched.

use super::{Core, SessionApi};
use crate::watch::identity::Comparison;
use crate::watch::in_flight::SessionRequest;
use crate::watch::timing::UNWATCHED;

impl<A: SessionApi> Core<A> {
    /// The next reply may come from another store: requests that are not answered yet are sent again
    /// after a comparison.
    pub(crate) fn mistrust(&mut self) {
        self.doubt_store();
        self.close_where(|one| {
            let compares = one.request.compares() || one.request == A::Request::REWIND;
            one.head.is_none() && !compares
        });
    }

    /// The last event is to be compared before anything else is asked.
    pub(crate) fn doubt_store(&mut self) {
        self.identity.is_unverified = self.identity.last.is_some();
        if !A::KEEPS_HELD_EVENTS && self.identity.last.is_none() {
            // No event was reported that could be compared: what is held may be of another store.
            self.forget_beyond_cursor();
        }
        if let Some(comparison) = &mut self.identity.comparison {
            comparison.stage = A::first_stage(&comparison.last);
        }
    }

    /// Doubts the store if nothing was in flight for a while that would break with a store that is
    /// replaced.
    pub(super) fn doubt_unwatched_store(&mut self) {
        if !self.endpoints.is_open(self.now) || self.plan.budget.is_spent() {
            return;
        }
        let is_unwatched = self.identity.is_unanswered_since(self.now, UNWATCHED);
        if std::mem::take(&mut self.was_reader_behind)
            || is_unwatched && !self.identity.is_unverified
        {
            self.doubt_store();
        }
    }

    /// Asks the next question of a comparison.
    pub(crate) fn compare_store(&mut self) {
        let Some(last) = self.identity.last.clone() else {
            return;
        };
        if self.requests.has(SessionRequest::compares) {
            return;
        }
        let comparison = match self.identity.comparison.take() {
            Some(comparison) if comparison.last == last => comparison,
            _ => Comparison {
                stage: A::first_stage(&last),
                last,
                mismatches: 0,
            },
        };
        let request = A::comparison_request(self, comparison.stage, &comparison.last);
        self.identity.comparison = Some(comparison);
        self.send(request);
    }

    /// Ends the comparison. A watch that waited for it is live now.
    pub(crate) fn end_comparison(&mut self) {
        self.identity.is_unverified = false;
        self.identity.comparison = None;
        if !self.freshness.is_reported_live {
            self.begin_live();
        }
    }

    /// Nothing speaks against the store.
    pub(crate) fn trust_store(&mut self) {
        self.end_comparison();
        if !A::KEEPS_HELD_EVENTS {
            // What is held may be of another store all the same.
            self.forget_beyond_cursor();
        }
    }

    pub(crate) fn forget_beyond_cursor(&mut self) {
        if let Some(coverage) = &mut self.coverage {
            coverage.forget_beyond();
        }
    }
}
