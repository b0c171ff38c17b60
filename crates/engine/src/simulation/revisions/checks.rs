//! Compares each report of the session with the truth.

use std::collections::BTreeMap;

use super::store::{KEYS, V3Store, Value, name};
use crate::model::{Cause, Event, Gap};
use crate::watch::OnGap;

/// Everything that was reported so far, compared with the truth.
pub(super) struct V3Checks {
    pub(super) on_gap: OnGap,
    /// The store that the records are about.
    pub(super) era: usize,
    /// Everything up to here was reported or declared lost; `None` before the watch began.
    pub(super) position: Option<u64>,
    /// The fingerprint of the last reported event.
    pub(super) last: (u64, u8),
    pub(super) gaps: Vec<Gap>,
    pub(super) consumer: BTreeMap<String, String>,
    pub(super) events: usize,
    /// The watch begins at the oldest event.
    pub(super) is_oldest: bool,
    /// A replay may end here without a proof.
    pub(super) unproven_end: Option<u64>,
}

impl V3Checks {
    /// The events in scope at a revision.
    pub(super) fn due(store: &V3Store, revision: u64) -> Vec<(u8, Option<Value>)> {
        let mut due = store.changes(revision);
        due.retain(|(key, _)| *key < KEYS);
        due
    }

    /// Moves on to `upto`, and checks that every event in scope before it was reported.
    pub(super) fn pass(&mut self, store: &V3Store, upto: u64) {
        if self.is_oldest && self.position.is_none() {
            self.position = Some(store.compacted.min(upto));
        }
        let Some(position) = self.position else {
            self.position = Some(upto);
            self.consumer = state_of(store, upto);
            return;
        };
        for revision in position + 1..=upto {
            let due = Self::due(store, revision);
            let is_reported = due
                .last()
                .is_none_or(|(key, _)| self.last == (revision, *key));
            assert!(is_reported, "{revision} was passed over: {due:?}");
        }
        self.position = Some(position.max(upto));
    }

    pub(super) fn take_event(&mut self, store: &V3Store, event: &Event<'_>) {
        let revision = event.index().0;
        assert!(revision <= store.latest(), "{revision} is not written yet");
        if self.is_oldest && self.position.is_none() {
            self.position = Some(store.compacted.min(revision - 1));
        }
        let position = self.position.expect("it has begun");
        assert!(
            revision > position,
            "{revision} is reported again or too late"
        );
        let due = V3Checks::due(store, revision);
        let after = if self.last.0 == revision {
            Some(self.last.1)
        } else {
            None
        };
        let next = due
            .iter()
            .find(|(key, _)| Some(*key) > after)
            .expect("an event is due");
        if after.is_none() {
            self.pass(store, revision - 1);
        }
        let key = String::from_utf8(event.node().key().to_owned()).unwrap();
        assert_eq!(key, name(next.0), "the next of {revision}");
        let value = event
            .node()
            .value()
            .map(|value| String::from_utf8(value.to_owned()).unwrap());
        assert_eq!(value, next.1.map(|value| value.number.to_string()));
        match value {
            Some(value) => self.consumer.insert(key, value),
            None => self.consumer.remove(&key),
        };
        self.last = (revision, next.0);
        self.events += 1;
        if due.last().map(|(key, _)| *key) == Some(next.0) {
            self.position = Some(revision);
        }
    }

    pub(super) fn take_gap(&mut self, stores: &[V3Store], gap: Gap) {
        // No event in scope may be missing before the gap.
        self.pass(&stores[self.era], gap.from.0 - 1);
        let position = self.position.expect("it has begun");
        assert_eq!(gap.from.0, position + 1, "{gap:?}");
        if gap.cause == Cause::Unproven {
            assert_eq!(gap.to.map(|to| to.0), self.unproven_end, "{gap:?}");
            assert!(!gap.certain);
            self.position = self.unproven_end;
        } else if let Some(to) = gap.to {
            let store = &stores[self.era];
            assert_eq!(gap.cause, Cause::Compacted);
            assert!(
                gap.from.0 <= store.compacted,
                "{gap:?}, compacted {}",
                store.compacted
            );
            let changed = (gap.from.0..=to.0).any(|at| !Self::due(store, at).is_empty());
            assert!(changed || !gap.certain, "{gap:?}");
            self.position = Some(to.0);
        } else {
            assert!(self.era + 1 < stores.len(), "{gap:?} of the only store");
            self.era = stores.len() - 1;
            self.position = Some(gap.index.0);
        }
        self.last = (0, 0);
        self.gaps.push(gap);
    }
}

pub(super) fn state_of(store: &V3Store, revision: u64) -> BTreeMap<String, String> {
    let state = store.at(revision).iter().filter(|(key, _)| **key < KEYS);
    state
        .map(|(key, value)| (name(*key), value.number.to_string()))
        .collect()
}
