//! The choice of the endpoint for the next request.
//!
//! In scope: failover, backoff, cluster IDs, and members whose history may be damaged. Out of scope:
//! the choice of the request (`session`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::backoff::Backoff;
use super::timing::RAFT_INDEX_REMEMBERED;
use crate::model::Index;
use crate::protocol::Failure;

/// A member's raft index may go back by this much when the member restarts.
const RESTART: u64 = 100;

/// What the cluster ID of a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterMatch {
    /// The endpoint belongs to the watched cluster.
    Same,
    /// The endpoint belonged to the watched cluster before, so that cluster was replaced.
    Changed,
    /// The endpoint belongs to another cluster, and is left out from now on.
    Foreign,
    /// The endpoint belongs to another cluster, and no endpoint is left.
    NoneLeft,
}

/// What a session does after a failure.
#[derive(Debug)]
pub enum Verdict {
    /// It retries at another endpoint, or later at this one.
    Retry,
    /// All endpoints failed one after the other. It retries after the backoff.
    AllFailed,
    /// All endpoints failed, and none of them ever answered.
    Hopeless(Vec<(usize, Failure)>),
}

/// The raft index that an endpoint reported last.
#[derive(Clone, Copy, Debug)]
struct RaftIndex {
    index: u64,
    /// When the session switched to another endpoint since.
    left: Option<Instant>,
    /// The index may be that of an earlier store.
    is_old: bool,
}

/// The place of a reply among the requests, by their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// The last request that was sent before this reply arrived.
    pub last_sent: u64,
    /// The request of this reply, if a majority confirmed the reply.
    pub agreed: Option<u64>,
}

/// The endpoints of a watch.
#[derive(Debug)]
pub struct Endpoints {
    count: usize,
    current: usize,
    epoch: u64,
    excluded: BTreeSet<usize>,
    cluster: Option<String>,
    /// The endpoints that answered with that cluster's ID.
    members: BTreeSet<usize>,
    /// The endpoints that failed in this round.
    failed: BTreeMap<usize, Failure>,
    last: Option<Failure>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Whether an endpoint ever answered.
    live: bool,
    raft: BTreeMap<usize, RaftIndex>,
    /// The endpoints whose raft index has gone back, so that its jumps mean nothing.
    back: BTreeSet<usize>,
    /// For each endpoint whose raft index has jumped, the store's index at that time, and the last
    /// request that was sent before.
    jumps: BTreeMap<usize, (Index, u64)>,
    /// The cursor of the watch. A doubt about earlier indexes does not matter.
    cursor: Index,
    /// For each endpoint whose history may be damaged, the last index of the damage, and when it was
    /// found.
    doubts: BTreeMap<usize, (Index, Instant)>,
}

impl Endpoints {
    /// `count` endpoints, of which the first one is used first. `cluster` is the ID of their cluster, if
    /// it is known.
    #[must_use]
    pub fn new(count: usize, seed: u64, cluster: Option<String>) -> Self {
        Self {
            count,
            current: 0,
            epoch: 0,
            excluded: BTreeSet::new(),
            cluster,
            members: BTreeSet::new(),
            failed: BTreeMap::new(),
            last: None,
            backoff: Backoff::new(seed),
            retry_at: None,
            live: false,
            raft: BTreeMap::new(),
            back: BTreeSet::new(),
            jumps: BTreeMap::new(),
            cursor: Index::ZERO,
            doubts: BTreeMap::new(),
        }
    }

    /// The endpoint for the next request, and the epoch. A failure of a request from an earlier epoch
    /// says nothing about the current endpoint.
    #[must_use]
    pub fn current(&self) -> (usize, u64) {
        (self.current, self.epoch)
    }

    /// When the last backoff ends; `None` if there was none.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether a request may be sent at `now`.
    #[must_use]
    pub fn is_open(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }

    /// etcd answered. That alone does not reset the backoff, because a proxy can answer each request and
    /// end it at once.
    pub fn answered(&mut self) {
        self.live = true;
    }

    /// Whether all endpoints have failed, and no connection has proved itself since. Only one request at
    /// a time is sent then.
    #[must_use]
    pub fn is_shaky(&self) -> bool {
        self.backoff.is_backing_off()
    }

    /// A connection brought something useful: the backoff begins anew.
    pub fn proved(&mut self) {
        self.backoff.reset();
        self.failed.clear();
        self.last = None;
    }

    /// Notes the raft index that `endpoint` reports with its store's `index`. If the raft index jumped by
    /// `behind` or more since the last report, the member may have installed a raft snapshot. Then
    /// this returns the index up to which its history may be damaged.
    pub fn observe(
        &mut self,
        endpoint: usize,
        raft: u64,
        index: Index,
        behind: u64,
        observed: Observed,
        now: Instant,
    ) -> Option<Index> {
        let reported = RaftIndex {
            index: raft,
            left: None,
            is_old: false,
        };
        let before = self.raft.insert(endpoint, reported);
        if let Some(before) = before.filter(|before| raft.saturating_add(RESTART) < before.index) {
            if !before.is_old {
                // Several members share one address, or the store was replaced.
                self.back.insert(endpoint);
            }
            self.jumps.remove(&endpoint);
            self.doubts.remove(&endpoint);
        }
        if self.back.contains(&endpoint) {
            return None;
        }
        let is_known = |left: Instant| now.duration_since(left) <= RAFT_INDEX_REMEMBERED;
        let jump = before
            .filter(|before| before.left.is_none_or(is_known))
            .map_or(0, |before| raft.saturating_sub(before.index));
        if jump >= behind {
            self.jumps.insert(endpoint, (index, observed.last_sent));
            return Some(index);
        }
        // The raft index jumps before the store has loaded the snapshot, and the store's index moves
        // after that. A linearizable read that was sent since the jump shows that the snapshot is
        // loaded.
        let &(at, since) = self.jumps.get(&endpoint)?;
        let is_loaded = observed.agreed.is_some_and(|asked| asked > since);
        if index > at || is_loaded {
            self.jumps.remove(&endpoint);
        }
        (index > at).then_some(index)
    }

    /// The history of `endpoint` may be damaged up to `upto`.
    pub fn doubt(&mut self, endpoint: usize, upto: Index, now: Instant) {
        let doubt = self.doubts.entry(endpoint).or_insert((upto, now));
        if doubt.0 < upto {
            *doubt = (upto, now);
        }
    }

    /// The watch has passed `cursor`: doubts about earlier indexes no longer matter.
    pub fn set_cursor(&mut self, cursor: Index) {
        self.cursor = cursor;
    }

    /// The store was replaced: doubts about the old one no longer matter.
    pub fn forget(&mut self) {
        self.doubts.clear();
        self.jumps.clear();
        self.mark_raft_indexes_old();
        self.cursor = Index::ZERO;
    }

    /// A gap was declared: raft indexes from before may be those of an earlier store.
    pub fn mark_raft_indexes_old(&mut self) {
        self.back.clear();
        for raft in self.raft.values_mut() {
            raft.is_old = true;
        }
    }

    /// The index up to which the history of the current endpoint may be damaged beyond the cursor, and
    /// when that was found.
    #[must_use]
    pub fn doubted(&self) -> Option<(Index, Instant)> {
        let doubt = self.doubts.get(&self.current).copied();
        doubt.filter(|(upto, _)| *upto > self.cursor)
    }

    /// Whether the history of `endpoint` may be damaged at `index`.
    #[must_use]
    pub fn may_hide(&self, endpoint: usize, index: Index) -> bool {
        let doubt = self.doubts.get(&endpoint);
        doubt.is_some_and(|(upto, _)| index <= *upto)
    }

    /// Whether the history of any endpoint is sound.
    #[must_use]
    pub fn has_trusted(&self) -> bool {
        (0..self.count).any(|endpoint| self.is_trusted(endpoint))
    }

    fn is_trusted(&self, endpoint: usize) -> bool {
        !self.excluded.contains(&endpoint) && !self.may_hide(endpoint, self.cursor.next())
    }

    /// Whether a reply has named the cluster.
    #[must_use]
    pub fn has_cluster(&self) -> bool {
        !self.members.is_empty()
    }

    /// The last failure; `None` if a connection has proved itself since.
    #[must_use]
    pub fn last_failure(&self) -> Option<Failure> {
        self.last.clone()
    }

    /// The ID of the watched cluster, once it is known.
    #[must_use]
    pub fn cluster(&self) -> Option<&String> {
        self.cluster.as_ref()
    }

    /// Compares the cluster ID in a reply of `endpoint` with that of the watched cluster.
    pub fn identify(&mut self, endpoint: usize, cluster: Option<&str>) -> ClusterMatch {
        let Some(cluster) = cluster else {
            return ClusterMatch::Same;
        };
        let identity = match &self.cluster {
            Some(known) if known == cluster => ClusterMatch::Same,
            None => ClusterMatch::Same,
            Some(_) if self.members.contains(&endpoint) => {
                self.members.clear();
                self.excluded.clear();
                ClusterMatch::Changed
            }
            Some(_) => {
                self.excluded.insert(endpoint);
                if self.excluded.len() >= self.count {
                    return ClusterMatch::NoneLeft;
                }
                if endpoint == self.current {
                    self.move_on();
                }
                return ClusterMatch::Foreign;
            }
        };
        self.members.insert(endpoint);
        self.cluster = Some(cluster.to_owned());
        identity
    }

    /// A request to `endpoint` that was sent in `epoch` failed.
    pub fn failed(
        &mut self,
        endpoint: usize,
        epoch: u64,
        failure: Failure,
        now: Instant,
    ) -> Verdict {
        // A server that goes away breaks several connections, which count as one failure.
        if epoch != self.epoch || endpoint != self.current {
            return Verdict::Retry;
        }
        self.last = Some(failure.clone());
        self.failed.insert(endpoint, failure);
        self.move_on();
        if self.current != endpoint
            && let Some(raft) = self.raft.get_mut(&endpoint)
        {
            raft.left = Some(now);
        }
        let is_left = |endpoint| self.is_trusted(endpoint) && !self.failed.contains_key(&endpoint);
        if (0..self.count).any(is_left) {
            return Verdict::Retry;
        }
        if !self.live {
            return Verdict::Hopeless(std::mem::take(&mut self.failed).into_iter().collect());
        }
        self.failed.clear();
        self.retry_at = Some(now + self.backoff.next_delay());
        let doubted = |endpoint: &usize| self.may_hide(*endpoint, self.cursor.next());
        if let Some(doubted) = (0..self.count).find(doubted) {
            // No other endpoint is left.
            self.current = doubted;
        }
        Verdict::AllFailed
    }

    fn move_on(&mut self) {
        self.epoch += 1;
        let others = || (1..=self.count).map(|step| (self.current + step) % self.count);
        let trusted = others().find(|endpoint| self.is_trusted(*endpoint));
        let left = others().find(|endpoint| !self.excluded.contains(endpoint));
        self.current = trusted.or(left).unwrap_or(self.current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> Failure {
        Failure::Cut("reset".to_owned())
    }

    #[test]
    fn failover_is_immediate_and_a_round_of_failures_backs_off() {
        let now = crate::testing::now();
        let mut endpoints = Endpoints::new(2, 1, None);
        endpoints.answered();
        assert!(matches!(endpoints.failed(0, 0, cut(), now), Verdict::Retry));
        assert_eq!(endpoints.current(), (1, 1));
        assert!(endpoints.is_open(now));
        assert!(matches!(
            endpoints.failed(1, 1, cut(), now),
            Verdict::AllFailed
        ));
        assert!(!endpoints.is_open(now));
        let later = endpoints.retry_at().unwrap();
        assert!(endpoints.is_open(later));
    }

    #[test]
    fn several_connections_that_break_together_count_as_one_failure() {
        let now = crate::testing::now();
        let mut endpoints = Endpoints::new(3, 1, None);
        for _ in 0..5 {
            endpoints.failed(0, 0, cut(), now);
        }
        assert_eq!(endpoints.current(), (1, 1));
    }

    #[test]
    fn endpoints_that_never_answered_end_the_watch() {
        let now = crate::testing::now();
        let mut endpoints = Endpoints::new(2, 1, None);
        endpoints.failed(0, 0, cut(), now);
        let verdict = endpoints.failed(1, 1, Failure::Unreachable("refused".to_owned()), now);
        assert!(matches!(verdict, Verdict::Hopeless(attempts) if attempts.len() == 2));
    }

    #[test]
    fn a_raft_index_that_jumps_is_reported_and_one_that_went_back_is_not() {
        const BEHIND: u64 = 300;
        let now = crate::testing::now();
        let mut endpoints = Endpoints::new(1, 1, None);
        assert_eq!(
            endpoints.observe(0, 10, Index(5), BEHIND, Observed::default(), now),
            None
        );
        assert_eq!(
            endpoints.observe(0, 200, Index(9), BEHIND, Observed::default(), now),
            None
        );
        let jump = endpoints.observe(0, 500, Index(20), BEHIND, Observed::default(), now);
        assert_eq!(jump, Some(Index(20)));
        // Several members share one address, and one of them lags.
        assert_eq!(
            endpoints.observe(0, 100, Index(5), BEHIND, Observed::default(), now),
            None
        );
        assert_eq!(
            endpoints.observe(0, 501, Index(20), BEHIND, Observed::default(), now),
            None
        );
        endpoints.mark_raft_indexes_old();
        let jump = endpoints.observe(0, 900, Index(30), BEHIND, Observed::default(), now);
        assert_eq!(jump, Some(Index(30)));
    }

    #[test]
    fn a_raft_index_of_a_replaced_store_does_not_count_as_going_back() {
        const BEHIND: u64 = 300;
        let now = crate::testing::now();
        let mut endpoints = Endpoints::new(1, 1, None);
        assert_eq!(
            endpoints.observe(0, 900, Index(5), BEHIND, Observed::default(), now),
            None
        );
        endpoints.forget();
        assert_eq!(
            endpoints.observe(0, 2, Index(1), BEHIND, Observed::default(), now),
            None
        );
        let jump = endpoints.observe(0, 500, Index(20), BEHIND, Observed::default(), now);
        assert_eq!(jump, Some(Index(20)));
    }

    #[test]
    fn a_jump_counts_for_a_while_after_a_failover() {
        const BEHIND: u64 = 300;
        let now = crate::testing::now();
        for (later, jump) in [
            (RAFT_INDEX_REMEMBERED, Some(Index(20))),
            (RAFT_INDEX_REMEMBERED * 2, None),
        ] {
            let mut endpoints = Endpoints::new(2, 1, None);
            endpoints.observe(0, 10, Index(5), BEHIND, Observed::default(), now);
            endpoints.failed(0, 0, cut(), now);
            assert_eq!(
                endpoints.observe(0, 500, Index(20), BEHIND, Observed::default(), now + later),
                jump
            );
        }
    }

    #[test]
    fn another_cluster_is_left_out_and_a_replaced_cluster_is_detected() {
        let mut endpoints = Endpoints::new(2, 1, None);
        assert_eq!(endpoints.identify(0, Some("a")), ClusterMatch::Same);
        assert_eq!(endpoints.identify(0, None), ClusterMatch::Same);
        assert_eq!(endpoints.identify(1, Some("b")), ClusterMatch::Foreign);
        assert_eq!(endpoints.current().0, 0);
        assert_eq!(endpoints.identify(0, Some("c")), ClusterMatch::Changed);
        assert_eq!(endpoints.identify(0, Some("c")), ClusterMatch::Same);
    }
}
