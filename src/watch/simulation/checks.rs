//! A consumer that knows the truth, and holds what it is told against it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::store::{Shown, State, Store};
use crate::model::{Change, Event, Gap, Index, StateNode};
use crate::watch::Update;

/// What was told up to now.
#[derive(Debug, Default)]
pub struct Checks {
    /// Everything up to here was delivered or declared; none until the beginning is known.
    pub position: Option<u64>,
    pub delivered: Vec<u64>,
    pub gaps: Vec<Gap>,
    /// A gap must tell exactly whether something changed: the state before it is known.
    pub is_exact: bool,
    /// What a consumer has who applies the records in order: keys and values.
    pub consumer: BTreeMap<String, String>,
}

impl Checks {
    pub fn take(&mut self, update: Update, store: &Store) {
        match update {
            Update::Events(events) => {
                for held in events {
                    let event = held.event().expect("a held event is in its parcel");
                    self.take_event(&event, store);
                }
            }
            Update::Gap(gap) => self.take_gap(gap, store),
            Update::Reset(_) => self.consumer.clear(),
            Update::State { index, nodes } => {
                self.position = Some(index.0);
                self.consume(nodes);
            }
            Update::Changes { changes, .. } => {
                for change in changes {
                    match change {
                        Change::Set { node, .. } => self.consume([node]),
                        Change::Delete { previous } => {
                            self.consumer.remove(&previous.key);
                        }
                    }
                }
            }
            Update::Position(index) => match self.position {
                None => {
                    self.position = Some(index.0);
                    self.consumer = values(&store.state(index.0));
                }
                Some(position) if index.0 > position => self.pass(index.0, store),
                Some(_) => {}
            },
            _ => {}
        }
    }

    fn take_event(&mut self, event: &Event<'_>, store: &Store) {
        let index = event.index().0;
        assert_ne!(store.shown(index), Shown::No, "{index} is not in scope");
        let raw = String::from_utf8_lossy(event.raw());
        assert_eq!(raw, store.line(index), "{index} is what happened");
        let position = self.position.expect("an event lies after the beginning");
        assert!(index > position, "{index} after {position}");
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

    fn take_gap(&mut self, gap: Gap, store: &Store) {
        let position = self.position.expect("a gap lies after the beginning");
        assert!(gap.from.0 > position, "a gap lies ahead");
        self.pass(gap.from.0 - 1, store);
        let Some(Index(to)) = gap.to else {
            // Positions begin anew.
            self.position = Some(gap.index.0);
            self.gaps.push(gap);
            return;
        };
        let is_changed = differ(&store.state(gap.from.0 - 1), &store.state(to));
        assert!(is_changed || !gap.certain, "a false certain: {gap:?}");
        let is_told = gap.certain || !self.is_exact;
        assert!(is_told || !is_changed, "a change that is not told: {gap:?}");
        self.position = Some(to);
        self.gaps.push(gap);
    }

    fn consume(&mut self, nodes: impl IntoIterator<Item = StateNode>) {
        for node in nodes {
            if let Some(value) = node.value {
                self.consumer.insert(node.key, value);
            }
        }
    }

    /// Moves on, where every event in scope up to `upto` was delivered or lies in a gap.
    fn pass(&mut self, upto: u64, store: &Store) {
        let position = self.position.unwrap_or_default();
        for index in position + 1..=upto {
            let is_missing = store.shown(index) == Shown::Yes;
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

/// Whether something changed: a refreshed time to live is no change, and a directory comes
/// without an event of its own.
fn differ(one: &State, other: &State) -> bool {
    let essence = |state: &State| -> Vec<(String, Option<(String, u64)>)> {
        let nodes = state.iter();
        nodes
            .map(|(key, node)| {
                let value = node.value.clone();
                (key.clone(), value.map(|value| (value, node.created)))
            })
            .collect()
    };
    essence(one) != essence(other)
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
