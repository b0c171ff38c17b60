//! When a watch is live, and when it is stale.

use std::time::Instant;

use super::{Core, SessionApi};
use crate::model::Index;
use crate::watch::WatchState;
use crate::watch::in_flight::{InFlight, SessionRequest};
use crate::watch::timers::Timer;

impl<A: SessionApi> Core<A> {
    /// Since when the stream has delivered nothing although it has to deliver a known event; now if there
    /// is no such event.
    fn undelivered_since(&self) -> Instant {
        let undelivered = self.api.undelivered(self.cursor());
        undelivered.map_or(self.now, |(_, since)| since)
    }

    /// Notes that a request is registered at `index`. If it reports new events, the watch may be live now.
    pub(crate) fn note_registered(&mut self, one: &InFlight<A::Request>, index: Index) {
        if !one.request.reports_new_events() {
            return;
        }
        if self.resync.is_reading_start() || self.is_replacing_store() {
            // Nothing of this store was reported yet, and the state or the gap comes first.
            return;
        }
        if self.freshness.is_stale {
            let age = self.now.duration_since(self.freshness.fresh_at);
            if age < self.plan.stale_after {
                self.note_fresh(self.freshness.fresh_at);
            }
        }
        let is_behind = self.api.undelivered(self.cursor()).is_some();
        if is_behind || std::mem::replace(&mut self.freshness.is_reported_live, true) {
            return;
        }
        let is_known = self.knows_start();
        if let Some(cursor) = self
            .reported()
            .filter(|cursor| *cursor <= index && is_known)
        {
            self.report_position(Some(cursor));
        }
        let notable = self.take_notable_rounds();
        if !self.freshness.is_stale {
            self.report_status(WatchState::Live, one.endpoint, None, notable);
        }
    }

    /// A request that was registered before the watch could begin is live now.
    pub(crate) fn begin_live(&mut self) {
        let mut requests = self.requests.values();
        let live = requests.find_map(|one| {
            let (index, _) = one.head.filter(|_| one.request.reports_new_events())?;
            Some((one.clone(), index))
        });
        if let Some((one, index)) = live {
            self.note_registered(&one, index);
        }
    }

    /// Notes that all that is known was confirmed at that time. A stale watch may be live again.
    pub(crate) fn note_fresh(&mut self, at: Instant) {
        self.freshness.fresh_at = self.freshness.fresh_at.max(at);
        let heard = self.freshness.fresh_at.min(self.undelivered_since());
        let is_fresh = heard + self.plan.stale_after > self.now;
        // Of a store that replaced the one that was watched, the gap comes first.
        if self.freshness.is_stale && is_fresh && self.is_registered() && !self.is_replacing_store()
        {
            self.freshness.is_stale = false;
            self.freshness.is_reported_live = true;
            self.freshness.failed_rounds = 0;
            let (endpoint, _) = self.endpoints.current();
            self.report_status(WatchState::Live, endpoint, None, true);
        }
    }

    /// Asks a majority from time to time whether what is known is fresh, and declares the watch stale
    /// when that cannot be confirmed for too long.
    pub(crate) fn watch_freshness(&mut self) {
        if !self.is_following() || self.coverage.is_none() {
            self.freshness.fresh_at = self.freshness.fresh_at.max(self.now);
            return;
        }
        let fresh_at = self.freshness.fresh_at;
        let stale_at = fresh_at.min(self.undelivered_since()) + self.plan.stale_after;
        if !self.freshness.is_stale {
            if stale_at <= self.now {
                self.freshness.is_stale = true;
                let (endpoint, _) = self.endpoints.current();
                let cause = self.endpoints.last_failure();
                self.report_status(WatchState::Stale, endpoint, cause, true);
            } else {
                self.wake(Timer::Freshness, stale_at);
            }
        }
        // Early enough that a slow answer still comes in time.
        let due = self.freshness.asks_at(self.plan.stale_after);
        if due > self.now {
            self.wake(Timer::Freshness, due);
        } else if self.endpoints.is_open(self.now) && !self.identity.is_unverified {
            self.confirm_freshness();
        }
    }

    /// Asks a majority whether what is known is fresh.
    pub(crate) fn confirm_freshness(&mut self) {
        let request = A::freshness_request(self);
        self.ensure(request);
    }
}
