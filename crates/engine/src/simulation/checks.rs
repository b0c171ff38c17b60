//! A consumer that knows the truth, and holds what it is told against it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::replies::oldest;
use super::store::{Shown, State, Store, text};
use crate::model::{Cause, Change, Event, Fingerprint, Gap, StateNode};
use crate::watch::{OnGap, Status, Update, WatchState};

/// What there is to know about a model server and a step of the session.
#[derive(Clone, Copy)]
pub struct Truth<'s> {
    /// The present store, and before it those whose place it took.
    pub stores: &'s [Store],
    /// Where what the session takes in comes from; none where time passed.
    pub era: Option<usize>,
    /// A member takes a snapshot when it is so many raft entries behind.
    pub snapshot_behind: u64,
}

/// What was told up to now.
#[derive(Debug)]
pub struct Checks {
    on_gap: OnGap,
    /// A gap must tell exactly whether something changed: the state before it is known.
    pub is_exact: bool,
    /// The store that the position belongs to.
    pub era: usize,
    /// Everything up to here was delivered or declared; none until the beginning is known.
    pub position: Option<u64>,
    pub last: Option<Fingerprint>,
    pub delivered: Vec<u64>,
    /// What was passed before it was delivered, where that may be.
    pub overlooked: Option<BTreeSet<u64>>,
    pub gaps: Vec<Gap>,
    /// What a consumer has who applies the records in order: keys and values.
    pub consumer: BTreeMap<String, String>,
    /// The last status, and the last of which a person was told.
    pub status: Option<WatchState>,
    pub notice: Option<WatchState>,
}

impl Checks {
    pub fn new(position: Option<u64>, on_gap: OnGap) -> Self {
        Self {
            on_gap,
            is_exact: false,
            era: 0,
            position,
            last: None,
            delivered: Vec::new(),
            overlooked: None,
            gaps: Vec::new(),
            consumer: BTreeMap::new(),
            status: None,
            notice: None,
        }
    }

    pub fn take(&mut self, update: Update, truth: Truth<'_>) {
        match update {
            Update::Events(events) => {
                for held in events {
                    for event in held.events() {
                        self.take_event(&event, &truth.stores[self.era]);
                    }
                }
            }
            Update::Gap(gap) => self.take_gap(gap, truth),
            Update::Reset(_) => self.consumer.clear(),
            Update::State { index, nodes, .. } => {
                self.move_to(index.0, truth);
                self.consume(nodes);
            }
            Update::Changes { changes, .. } => {
                for change in changes {
                    match change {
                        Change::Set { node, .. } => self.consume([node]),
                        Change::Delete { previous } => {
                            self.consumer.remove(&text(&previous.key));
                        }
                    }
                }
            }
            Update::Position(position) => {
                self.last = position.last;
                if let Some(index) = position.index {
                    self.reach(index.0, truth);
                }
            }
            Update::Status(Status {
                state,
                notable,
                index,
                ..
            }) => {
                // One that was overlooked is told late, and is the exception.
                let is_told = self.position.is_none_or(|told| index.0 <= told);
                assert!(is_told, "a status names {index}, which was not told");
                self.status = Some(state);
                if notable {
                    self.notice = Some(state);
                }
            }
            _ => {}
        }
    }

    fn reach(&mut self, index: u64, truth: Truth<'_>) {
        if self.position.is_none() {
            self.move_to(index, truth);
            self.consumer = values(&truth.stores[self.era].state(index));
        } else if self.position < Some(index) {
            self.pass(index, &truth.stores[self.era]);
            self.move_to(index, truth);
        }
    }

    /// Positions of two stores have nothing to do with each other, unless a gap lies between.
    fn move_to(&mut self, index: u64, truth: Truth<'_>) {
        let era = truth.era.unwrap_or(self.era);
        let is_same = self.position.is_none() || era == self.era;
        assert!(is_same, "{index} is the position of another store");
        self.era = era;
        self.position = Some(index);
    }

    fn take_event(&mut self, event: &Event<'_>, store: &Store) {
        let (index, latest) = (event.index().0, store.latest());
        assert!(index <= latest, "{index} lies beyond {latest}");
        assert_ne!(store.shown(index), Shown::No, "{index} is not in scope");
        let raw = String::from_utf8_lossy(event.raw().unwrap_or_default());
        assert_eq!(raw, store.line(index), "{index} is what happened");
        let position = self.position.expect("an event lies after the beginning");
        let was_overlooked = |overlooked: &mut BTreeSet<u64>| overlooked.remove(&index);
        let is_late = self.overlooked.as_mut().is_some_and(was_overlooked);
        assert!(index > position || is_late, "{index} after {position}");
        self.pass(index - 1, store);
        self.position = Some(index);
        self.delivered.push(index);
        let key = String::from_utf8_lossy(event.node().key()).into_owned();
        if let Some(value) = event.node().value() {
            let value = String::from_utf8_lossy(value).into_owned();
            self.consumer.insert(key, value);
        } else {
            // A directory takes all below it along.
            let below = format!("{key}/");
            self.consumer
                .retain(|other, _| *other != key && !other.starts_with(&below));
        }
    }

    fn take_gap(&mut self, gap: Gap, truth: Truth<'_>) {
        let position = self.position.expect("a gap lies after the beginning");
        assert!(gap.from.0 > position, "a gap lies ahead");
        let (from, before) = (gap.from.0, &truth.stores[self.era]);
        self.pass(from - 1, before);
        let is_rebuilt = matches!(gap.cause, Cause::ClusterChanged | Cause::IndexRewound);
        // Where nothing came in, the gap is about the store that is asked now: it did not answer. One
        // that could not be told from the store before is declared up to its present.
        let silent = if is_rebuilt || gap.cause == Cause::Unproven {
            truth.stores.len() - 1
        } else {
            self.era
        };
        let era = truth.era.unwrap_or(silent);
        assert_eq!(is_rebuilt, gap.to.is_none(), "{gap:?}");
        if is_rebuilt {
            assert!(era > self.era, "it is the store that it was: {gap:?}");
        }
        let after = &truth.stores[era];
        if gap.cause == Cause::HistoryCleared {
            // What the server still has is not lost. A state has a later index all the same.
            let oldest = oldest(after.latest());
            assert!(from < oldest, "{oldest} is the oldest: {gap:?}");
            let is_narrow = gap.to.is_some_and(|to| to.0 < oldest);
            assert!(is_narrow || self.on_gap != OnGap::Continue, "{gap:?}");
        }
        if gap.cause == Cause::MemberUntrusted {
            let may_lie = after.raft >= truth.snapshot_behind;
            assert!(may_lie, "nobody took a snapshot: {gap:?}");
        }
        let to = gap.to.unwrap_or(gap.index).0;
        let (before, after) = (before.state(from - 1), after.state(to));
        let is_changed = essence(&before, true) != essence(&after, true);
        assert!(is_changed || !gap.certain, "a false certain: {gap:?}");
        let is_plain = essence(&before, false) != essence(&after, false);
        let is_told = gap.certain || !self.is_exact;
        assert!(is_told || !is_plain, "a change that is not told: {gap:?}");
        self.era = era;
        self.position = Some(to);
        self.gaps.push(gap);
    }

    fn consume(&mut self, nodes: impl IntoIterator<Item = StateNode>) {
        for node in nodes {
            if let Some(value) = node.value {
                self.consumer.insert(text(&node.key), text(&value));
            }
        }
    }

    /// Moves on, where every event in scope up to `upto` was delivered or lies in a gap.
    fn pass(&mut self, upto: u64, store: &Store) {
        let position = self.position.unwrap_or_default();
        let latest = store.latest();
        assert!(upto <= latest, "{upto} lies beyond {latest}");
        for index in position + 1..=upto {
            let mut is_missing = store.shown(index) == Shown::Yes;
            if is_missing && let Some(overlooked) = &mut self.overlooked {
                is_missing = !overlooked.insert(index);
            }
            assert!(!is_missing, "{index} was neither delivered nor declared");
        }
        self.position = Some(upto.max(position));
    }
}

/// Keys and values, without the directory.
pub fn values(state: &State) -> BTreeMap<String, String> {
    let nodes = state.iter();
    nodes
        .filter_map(|(key, node)| Some((key.clone(), node.value.clone()?)))
        .collect()
}

/// What a change shows in: not in a refreshed time to live. When a directory was created tells
/// that it was gone in between; but no event tells it where it came with a key below it.
fn essence(state: &State, with_directories: bool) -> Vec<(&String, Option<&String>, Option<u64>)> {
    let nodes = state.iter();
    nodes
        .map(|(key, node)| {
            let has_event = with_directories || node.value.is_some();
            let created = has_event.then_some(node.created);
            (key, node.value.as_ref(), created)
        })
        .collect()
}

/// No second has more requests than `bound`.
pub fn check_polite(opened: &[Instant], bound: usize) {
    let mut window: VecDeque<Instant> = VecDeque::new();
    for at in opened {
        window.push_back(*at);
        while window
            .front()
            .is_some_and(|first| *first + Duration::from_secs(1) < *at)
        {
            window.pop_front();
        }
        let asked = window.len();
        assert!(asked <= bound, "{asked} requests in a second");
    }
}
