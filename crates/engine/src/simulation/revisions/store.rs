//! A store of v3: its state after each revision, and the part of history that was not compacted.

use std::collections::BTreeMap;

use crate::model::{Index, Key, Scope, StateNode};

/// The number of keys in scope. One more key is outside of it, and one has a longer name.
pub(super) const KEYS: u8 = 4;

/// A write or removal of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) key: u8,
    pub(super) is_delete: bool,
}

/// The content of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) number: u64,
    pub(super) created: u64,
    pub(super) modified: u64,
    pub(super) version: u64,
}

/// The keys that exist at a revision.
pub(super) type KeyValues = BTreeMap<u8, Value>;

/// One store: the state after each revision.
#[derive(Clone, Debug)]
pub(super) struct V3Store {
    pub(super) states: Vec<KeyValues>,
    pub(super) compacted: u64,
}

impl V3Store {
    /// An empty store. Its first write is at revision 2, as with etcd.
    pub(super) fn new() -> Self {
        Self {
            states: vec![KeyValues::new(); 2],
            compacted: 0,
        }
    }

    pub(super) fn latest(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    pub(super) fn at(&self, revision: u64) -> &KeyValues {
        &self.states[usize::try_from(revision).unwrap()]
    }

    /// Carries out a transaction. Returns whether it changed the store.
    pub(super) fn write(&mut self, operations: &[Operation]) -> bool {
        let revision = self.latest() + 1;
        let mut state = self.at(revision - 1).clone();
        let mut is_changed = false;
        let unique: BTreeMap<u8, bool> = operations
            .iter()
            .map(|operation| (operation.key, operation.is_delete))
            .collect();
        for (key, is_delete) in unique {
            if is_delete {
                is_changed |= state.remove(&key).is_some();
                continue;
            }
            is_changed = true;
            let before = state.get(&key).copied();
            let value = Value {
                number: revision,
                created: before.map_or(revision, |before| before.created),
                modified: revision,
                version: before.map_or(0, |before| before.version) + 1,
            };
            state.insert(key, value);
        }
        if is_changed {
            self.states.push(state);
        }
        is_changed
    }

    /// The changes at a revision: keys with their values, or `None` for a removal.
    pub(super) fn changes(&self, revision: u64) -> Vec<(u8, Option<Value>)> {
        let (before, after) = (self.at(revision - 1), self.at(revision));
        let keys: std::collections::BTreeSet<&u8> = before.keys().chain(after.keys()).collect();
        let changed = keys
            .into_iter()
            .filter(|key| before.get(key) != after.get(key));
        changed.map(|key| (*key, after.get(key).copied())).collect()
    }

    /// The changes at a revision that history still has.
    pub(super) fn left(&self, revision: u64) -> Vec<(u8, Option<Value>)> {
        let mut changes = self.changes(revision);
        changes.retain(|(_, value)| revision > self.compacted || value.is_some());
        changes
    }

    pub(super) fn nodes(&self, revision: u64, is_wanted: impl Fn(u8) -> bool) -> Vec<StateNode> {
        let state = self.at(revision).iter().filter(|(key, _)| is_wanted(**key));
        state
            .map(|(key, value)| StateNode {
                key: name(*key).into_bytes(),
                value: Some(value.number.to_string().into_bytes()),
                modified: Index(value.modified),
                created: Index(value.created),
                version: value.version,
                ..StateNode::default()
            })
            .collect()
    }

    /// The key in scope with the last write after a revision.
    pub(super) fn last_written(&self, after: Index) -> Option<StateNode> {
        let nodes = self.nodes(self.latest(), |key| key < KEYS).into_iter();
        let written = nodes.filter(|node| node.modified > after);
        written.max_by_key(|node| node.modified)
    }
}

pub(super) fn name(key: u8) -> String {
    match key {
        0..KEYS => format!("/app/k{key}"),
        KEYS => "/app-x".to_owned(),
        _ => "/other".to_owned(),
    }
}

/// Whether the range of the watch contains a key. It is larger than the scope.
pub(super) fn is_in_range(key: u8) -> bool {
    key <= KEYS
}

/// The scope of the watch: the keys below `/app`.
pub(super) fn scope() -> Scope {
    Scope::new(Key::literal("/app").unwrap(), true)
}
