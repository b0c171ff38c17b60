//! The requests that were sent and are not over.

use std::collections::{BTreeMap, btree_map};
use std::time::Instant;

use super::RequestId;
use super::backoff::Backoff;
use super::timing::{PROVEN_BY, PROVEN_WITHIN};
use crate::model::Index;

/// What a session asks of a server. Each API has its own, so that a request which the API does not
/// have cannot be written down.
pub trait SessionRequest: Clone + std::fmt::Debug + PartialEq {
    /// What a session notes of the request beside its head.
    type Progress: Clone + std::fmt::Debug + Default;
    /// Asks a majority whether the store's index went back.
    const REWIND: Self;
    /// Asks for the state of what is watched.
    const STATE: Self;

    /// The name in a trace. Requests of one name share one backoff.
    fn name(&self) -> &'static str;
    /// Whether the request waits until something happens, so that silence is no failure.
    fn hangs(&self) -> bool;
    /// Whether a server that has registered the request reports what is written from now on.
    fn reports_new_events(&self) -> bool;
    /// Whether the request compares the store with the one that was watched.
    fn compares(&self) -> bool;
    /// Whether the request is about what was reported, and not about all that is known.
    fn is_about_reported(&self) -> bool;
}

/// A request in flight.
#[derive(Clone, Debug)]
pub struct InFlight<R: SessionRequest> {
    /// The request.
    pub request: R,
    /// The endpoint that it was sent to.
    pub endpoint: usize,
    /// The epoch of the endpoints in which it was sent.
    pub epoch: u64,
    /// When it was sent.
    pub sent_at: Instant,
    /// The cursor when it was sent. A server that has seen less lags behind or went back; what
    /// became known since proves nothing, since the reply was on its way.
    pub cursor: Index,
    /// Up to where events were asked about when it was sent.
    pub wanted: Index,
    /// The store's index in the head of the reply, and when the head came.
    pub head: Option<(Index, Instant)>,
    /// What else the session noted of it.
    pub progress: R::Progress,
}

/// How soon a kind of request may be sent again.
#[derive(Clone, Debug)]
struct Pace {
    backoff: Backoff,
    not_before: Instant,
}

/// All requests in flight.
#[derive(Debug)]
pub struct Requests<R: SessionRequest> {
    in_flight: BTreeMap<RequestId, InFlight<R>>,
    last: u64,
    paces: BTreeMap<&'static str, Pace>,
}

impl<R: SessionRequest> Default for Requests<R> {
    fn default() -> Self {
        Self {
            in_flight: BTreeMap::new(),
            last: 0,
            paces: BTreeMap::new(),
        }
    }
}

impl<R: SessionRequest> Requests<R> {
    /// Adds a request that is being sent; and returns its ID.
    pub fn add(&mut self, request: InFlight<R>) -> RequestId {
        self.last += 1;
        let id = RequestId(self.last);
        self.in_flight.insert(id, request);
        id
    }

    /// The number of the request that was sent last.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The request with this ID, unless it is over.
    #[must_use]
    pub fn get(&self, id: RequestId) -> Option<&InFlight<R>> {
        self.in_flight.get(&id)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: RequestId) -> Option<&mut InFlight<R>> {
        self.in_flight.get_mut(&id)
    }

    /// A request is over.
    pub fn remove(&mut self, id: RequestId) {
        self.in_flight.remove(&id);
    }

    /// All requests in flight, in the order in which they were sent.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (RequestId, &InFlight<R>)> {
        self.in_flight.iter().map(|(id, request)| (*id, request))
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut InFlight<R>> {
        self.in_flight.values_mut()
    }

    /// The same, without their IDs.
    pub fn values(&self) -> btree_map::Values<'_, RequestId, InFlight<R>> {
        self.in_flight.values()
    }

    /// Whether a request of that kind is in flight.
    #[must_use]
    pub fn has(&self, is_meant: impl Fn(&R) -> bool) -> bool {
        self.values().any(|one| is_meant(&one.request))
    }

    /// When a request of that name may be sent again.
    #[must_use]
    pub fn not_before(&self, name: &str) -> Option<Instant> {
        self.paces.get(name).map(|pace| pace.not_before)
    }

    /// A request was of use: one of its name may be sent again at once.
    pub fn reset_pace(&mut self, name: &str) {
        self.paces.remove(name);
    }

    /// A request that was to wait ended without an event: the next of its name is sent later each
    /// time, unless this one lasted.
    pub fn slow_down(&mut self, ended: &InFlight<R>, now: Instant, seed: u64) {
        let pace = self
            .paces
            .entry(ended.request.name())
            .or_insert_with(|| Pace {
                backoff: Backoff::new(seed),
                not_before: now,
            });
        let lasted = ended.head.map(|(_, at)| now.duration_since(at));
        let mut delay = pace.backoff.next_delay();
        let (shortest, longest) = PROVEN_WITHIN;
        let enough = (delay * PROVEN_BY).clamp(shortest, longest);
        if lasted.is_some_and(|lasted| lasted >= enough) {
            pace.backoff.reset();
            delay = pace.backoff.next_delay();
        }
        pace.not_before = now + delay;
    }
}
