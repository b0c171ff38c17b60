//! Which endpoint is asked, and when.
//!
//! In scope: failing over, backing off, and telling clusters apart. Out of scope: what is
//! asked (`session`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::backoff::Backoff;
use super::timing::RAFT_INDEX_REMEMBERED;
use crate::model::Index;
use crate::protocol::Failure;

/// By so much a member's raft index may go back when it is restarted.
const RESTART: u64 = 100;

/// What the id of the cluster that answered tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The same as ever.
    Same,
    /// The endpoint answered for another cluster before: it was replaced.
    Changed,
    /// The endpoint belongs to another cluster, and is left out from now on.
    Foreign,
    /// Likewise, and it was the last one.
    NoneLeft,
}

/// What a failure leads to.
#[derive(Debug)]
pub enum Verdict {
    /// Another endpoint, or this one later.
    Retry,
    /// All have failed one after the other; later again.
    AllFailed,
    /// All have failed, and none ever answered.
    Hopeless(Vec<(usize, Failure)>),
}

/// The raft index that an endpoint told last.
#[derive(Clone, Copy, Debug)]
struct Raft {
    index: u64,
    /// When the endpoint was left since.
    left: Option<Instant>,
    /// It may be that of another store, whose place this one took.
    is_old: bool,
}

/// When a member told its raft index, by the numbers of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// The last request that was sent.
    pub last_sent: u64,
    /// The request that is answered, where a majority agreed on the answer.
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
    /// The endpoints that answered for that cluster.
    members: BTreeSet<usize>,
    /// Those that failed in this round.
    failed: BTreeMap<usize, Failure>,
    last: Option<Failure>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    live: bool,
    /// What each told of itself last.
    raft: BTreeMap<usize, Raft>,
    /// Those whose raft index has gone back: its jumps tell nothing.
    back: BTreeSet<usize>,
    /// Those whose raft index has jumped: the store's index then, and the last request that was sent
    /// by then.
    jumps: BTreeMap<usize, (Index, u64)>,
    /// Everything up to here is settled.
    settled: Index,
    /// Those whose history may lie, up to where, and since when that is known.
    doubts: BTreeMap<usize, (Index, Instant)>,
}

impl Endpoints {
    /// `count` endpoints, the first of which is asked first. They are of `cluster` where that is
    /// known.
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
            settled: Index::ZERO,
            doubts: BTreeMap::new(),
        }
    }

    /// The endpoint to ask now, and the epoch: what was opened in an earlier one tells nothing
    /// of this one's health.
    #[must_use]
    pub fn current(&self) -> (usize, u64) {
        (self.current, self.epoch)
    }

    /// When something may be asked again, where that is not now.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether something may be asked at `now`.
    pub fn is_open(&mut self, now: Instant) -> bool {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
        }
        self.retry_at.is_none()
    }

    /// etcd answered. That alone does not make up for a failure: a proxy can answer each
    /// request and end it at once.
    pub fn answered(&mut self) {
        self.live = true;
    }

    /// Whether all failed lately and nothing has been of use since: one request at a time then
    /// speaks for all.
    #[must_use]
    pub fn is_shaky(&self) -> bool {
        self.backoff.is_backing_off()
    }

    /// A connection was of use: the next delay is short again.
    pub fn proved(&mut self) {
        self.backoff.reset();
        self.failed.clear();
        self.last = None;
    }

    /// Notes the raft index that `endpoint` tells with its store's `index`. Up to which index its
    /// history may lie, where `behind` entries or more went by since it told one last, not long
    /// ago: it may have been sent a snapshot.
    pub fn observe(
        &mut self,
        endpoint: usize,
        raft: u64,
        index: Index,
        behind: u64,
        observed: Observed,
        now: Instant,
    ) -> Option<Index> {
        let told = Raft {
            index: raft,
            left: None,
            is_old: false,
        };
        let before = self.raft.insert(endpoint, told);
        if let Some(before) = before.filter(|before| raft.saturating_add(RESTART) < before.index) {
            if !before.is_old {
                // Several members behind one address, or another store: no jump tells anything.
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
        // Entries are committed before the store has taken the snapshot in, however long that takes:
        // then its index moves. A read that a majority agreed on, and that was asked since, tells
        // that nothing is left to take in.
        let &(at, since) = self.jumps.get(&endpoint)?;
        let is_settled = observed.agreed.is_some_and(|asked| asked > since);
        if index > at || is_settled {
            self.jumps.remove(&endpoint);
        }
        (index > at).then_some(index)
    }

    /// The history of `endpoint` up to `upto` may lie.
    pub fn doubt(&mut self, endpoint: usize, upto: Index, now: Instant) {
        let doubt = self.doubts.entry(endpoint).or_insert((upto, now));
        if doubt.0 < upto {
            *doubt = (upto, now);
        }
    }

    /// Everything up to `cursor` is settled: nobody is asked about it any more.
    pub fn settle(&mut self, cursor: Index) {
        self.settled = cursor;
    }

    /// The store is another one: what was doubted of its members is of no interest.
    pub fn forget(&mut self) {
        self.doubts.clear();
        self.jumps.clear();
        self.heed_jumps();
        self.settled = Index::ZERO;
    }

    /// A gap was declared: a raft index that was told, or went back, before it may be that of a
    /// store before.
    pub fn heed_jumps(&mut self) {
        self.back.clear();
        for raft in self.raft.values_mut() {
            raft.is_old = true;
        }
    }

    /// Up to where the history of the current endpoint may lie, and since when that is known.
    #[must_use]
    pub fn doubted(&self) -> Option<(Index, Instant)> {
        let doubt = self.doubts.get(&self.current).copied();
        doubt.filter(|(upto, _)| *upto > self.settled)
    }

    /// Whether the history of `endpoint` may lie about what it has at `index`.
    #[must_use]
    pub fn may_hide(&self, endpoint: usize, index: Index) -> bool {
        let doubt = self.doubts.get(&endpoint);
        doubt.is_some_and(|(upto, _)| index <= *upto)
    }

    /// Whether there is an endpoint whose history is not doubted.
    #[must_use]
    pub fn has_trusted(&self) -> bool {
        (0..self.count).any(|endpoint| self.is_trusted(endpoint))
    }

    fn is_trusted(&self, endpoint: usize) -> bool {
        !self.excluded.contains(&endpoint) && !self.may_hide(endpoint, self.settled.next())
    }

    /// Whether an endpoint has said which cluster it is.
    #[must_use]
    pub fn has_cluster(&self) -> bool {
        !self.members.is_empty()
    }

    /// Why the last request failed, while nothing has been of use since.
    #[must_use]
    pub fn last_failure(&self) -> Option<Failure> {
        self.last.clone()
    }

    /// The id of the cluster that is watched, once it is known.
    #[must_use]
    pub fn cluster(&self) -> Option<&String> {
        self.cluster.as_ref()
    }

    /// Compares the id of the cluster that answered at `endpoint`.
    pub fn identify(&mut self, endpoint: usize, cluster: Option<&str>) -> Identity {
        let Some(cluster) = cluster else {
            return Identity::Same;
        };
        let identity = match &self.cluster {
            Some(known) if known == cluster => Identity::Same,
            None => Identity::Same,
            Some(_) if self.members.contains(&endpoint) => {
                self.members.clear();
                self.excluded.clear();
                Identity::Changed
            }
            Some(_) => {
                self.excluded.insert(endpoint);
                if self.excluded.len() >= self.count {
                    return Identity::NoneLeft;
                }
                if endpoint == self.current {
                    self.move_on();
                }
                return Identity::Foreign;
            }
        };
        self.members.insert(endpoint);
        self.cluster = Some(cluster.to_owned());
        identity
    }

    /// A request to `endpoint`, opened in `epoch`, failed.
    pub fn failed(
        &mut self,
        endpoint: usize,
        epoch: u64,
        failure: Failure,
        now: Instant,
    ) -> Verdict {
        // One server that goes away breaks several connections: it counts once.
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
        let doubted = |endpoint: &usize| self.may_hide(*endpoint, self.settled.next());
        if let Some(doubted) = (0..self.count).find(doubted) {
            // Better than none.
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
    fn the_next_endpoint_is_asked_at_once_and_a_full_round_backs_off() {
        let now = Instant::now();
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
    fn several_connections_that_break_at_once_count_once() {
        let now = Instant::now();
        let mut endpoints = Endpoints::new(3, 1, None);
        for _ in 0..5 {
            endpoints.failed(0, 0, cut(), now);
        }
        assert_eq!(endpoints.current(), (1, 1));
    }

    #[test]
    fn endpoints_that_never_answered_are_hopeless() {
        let now = Instant::now();
        let mut endpoints = Endpoints::new(2, 1, None);
        endpoints.failed(0, 0, cut(), now);
        let verdict = endpoints.failed(1, 1, Failure::Unreachable("refused".to_owned()), now);
        assert!(matches!(verdict, Verdict::Hopeless(attempts) if attempts.len() == 2));
    }

    #[test]
    fn a_raft_index_that_jumps_makes_a_doubt_and_one_that_went_back_none() {
        const BEHIND: u64 = 300;
        let now = Instant::now();
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
        // Behind one address there are several members, of which one lags behind.
        assert_eq!(
            endpoints.observe(0, 100, Index(5), BEHIND, Observed::default(), now),
            None
        );
        assert_eq!(
            endpoints.observe(0, 501, Index(20), BEHIND, Observed::default(), now),
            None
        );
        endpoints.heed_jumps();
        let jump = endpoints.observe(0, 900, Index(30), BEHIND, Observed::default(), now);
        assert_eq!(jump, Some(Index(30)));
    }

    #[test]
    fn what_was_told_of_the_store_before_makes_no_raft_index_that_went_back() {
        const BEHIND: u64 = 300;
        let now = Instant::now();
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
    fn a_jump_counts_for_a_while_after_the_endpoint_was_left() {
        const BEHIND: u64 = 300;
        let now = Instant::now();
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
    fn another_cluster_is_left_out_and_a_replaced_one_is_a_change() {
        let mut endpoints = Endpoints::new(2, 1, None);
        assert_eq!(endpoints.identify(0, Some("a")), Identity::Same);
        assert_eq!(endpoints.identify(0, None), Identity::Same);
        assert_eq!(endpoints.identify(1, Some("b")), Identity::Foreign);
        assert_eq!(endpoints.current().0, 0);
        assert_eq!(endpoints.identify(0, Some("c")), Identity::Changed);
        assert_eq!(endpoints.identify(0, Some("c")), Identity::Same);
    }
}
