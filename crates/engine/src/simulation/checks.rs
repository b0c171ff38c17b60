//! A consumer that knows the truth, and compares each report with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::store::{Shown, State, Store, oldest, text};
use crate::model::{Cause, Change, Event, Fingerprint, Gap, StateNode};
use crate::watch::{OnGap, Status, Update, WatchState};

/// The truth about the model server at one step of the session.
#[derive(Clone, Copy)]
pub struct Truth<'s> {
    /// All stores in the order of their replacement. The last one is the present one.
    pub stores: &'s [Store],
    /// The store that the session's input comes from; `None` for a tick.
    pub era: Option<usize>,
    /// A member that is this many raft entries behind installs a snapshot.
    pub raft_jump: u64,
}

/// Everything that was reported so far.
#[derive(Debug)]
pub struct Checks {
    on_gap: OnGap,
    /// `certain` must be exact, because the state before a gap is known.
    pub is_exact: bool,
    /// The store that the position belongs to.
    pub era: usize,
    /// Everything up to here was delivered or declared; `None` until the beginning is known.
    pub position: Option<u64>,
    pub last: Option<Fingerprint>,
    pub delivered: Vec<u64>,
    /// The events that were passed before their delivery, if that is allowed.
    pub overlooked: Option<BTreeSet<u64>>,
    pub gaps: Vec<Gap>,
    /// The keys and values of a consumer that applies the records in order.
    pub consumer: BTreeMap<String, String>,
    /// The last status. `notice` is the last one that was a notice.
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
                let is_reported = self.position.is_none_or(|position| index.0 <= position);
                assert!(
                    is_reported,
                    "a status names {index}, which was not reported"
                );
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

    /// Checks that the position stays in one store unless a gap was declared.
    fn move_to(&mut self, index: u64, truth: Truth<'_>) {
        let era = truth.era.unwrap_or(self.era);
        let is_same = self.position.is_none() || era == self.era;
        assert!(is_same, "{index} is the position of another store");
        self.era = era;
        self.position = Some(index);
    }

    fn take_event(&mut self, event: &Event<'_>, store: &Store) {
        let (index, latest) = (event.index().0, store.latest());
        assert!(index <= latest, "{index} is after {latest}");
        assert_ne!(store.shown(index), Shown::No, "{index} is not in scope");
        let raw = String::from_utf8_lossy(event.raw().unwrap_or_default());
        assert_eq!(raw, store.line(index), "{index} differs");
        let position = self.position.expect("the watch has begun");
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
            // The removal of a directory removes all keys below it.
            let below = format!("{key}/");
            self.consumer
                .retain(|other, _| *other != key && !other.starts_with(&below));
        }
    }

    fn take_gap(&mut self, gap: Gap, truth: Truth<'_>) {
        let position = self.position.expect("the watch has begun");
        assert!(gap.from.0 > position, "a gap starts after the cursor");
        let (from, before) = (gap.from.0, &truth.stores[self.era]);
        self.pass(from - 1, before);
        let is_rebuilt = matches!(gap.cause, Cause::ClusterChanged | Cause::IndexRewound);
        // Without an input, the gap is about the present store, which did not answer.
        let silent = if is_rebuilt || gap.cause == Cause::Unproven {
            truth.stores.len() - 1
        } else {
            self.era
        };
        let era = truth.era.unwrap_or(silent);
        assert_eq!(is_rebuilt, gap.to.is_none(), "{gap:?}");
        if is_rebuilt {
            assert!(era > self.era, "the store was not replaced: {gap:?}");
        }
        let after = &truth.stores[era];
        if gap.cause == Cause::HistoryCleared {
            // Events that the server still has are not lost. The index of a state may be later.
            let oldest = oldest(after.latest());
            assert!(from < oldest, "{oldest} is the oldest: {gap:?}");
            let is_narrow = gap.to.is_some_and(|to| to.0 < oldest);
            assert!(is_narrow || self.on_gap != OnGap::Continue, "{gap:?}");
        }
        if gap.cause == Cause::MemberUntrusted {
            // The member belongs to the watched store, even if another store has replaced it since.
            let watched = self.era.min(era)..=era;
            let mut stores = truth.stores[watched].iter();
            let has_snapshot = stores.any(|store| store.raft >= truth.raft_jump);
            assert!(has_snapshot, "no member installed a snapshot: {gap:?}");
        }
        let to = gap.to.unwrap_or(gap.index).0;
        let (before, after) = (before.state(from - 1), after.state(to));
        let is_changed = essence(&before, true) != essence(&after, true);
        assert!(is_changed || !gap.certain, "a false certain: {gap:?}");
        let is_plain = essence(&before, false) != essence(&after, false);
        let is_declared = gap.certain || !self.is_exact;
        assert!(
            is_declared || !is_plain,
            "a change without certain: {gap:?}"
        );
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

    /// Moves on to `upto`, and checks that every event in scope before it was delivered or declared.
    fn pass(&mut self, upto: u64, store: &Store) {
        let position = self.position.unwrap_or_default();
        let latest = store.latest();
        assert!(upto <= latest, "{upto} is after {latest}");
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

/// The fields in which a change shows. A refreshed TTL is not a change. A directory that was created with
/// a key below it has no event, so its creation counts only `with_directories`.
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

/// Checks that no second has more than `bound` requests.
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
