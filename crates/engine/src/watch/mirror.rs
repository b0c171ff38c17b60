//! The last known state of the watched keys, to which events are applied.
//!
//! In scope: applying events to a state, the differences between two states, and the keys below a
//! removed directory. Out of scope: when a state is read (`session`). A mirror holds all keys and
//! values in scope in memory, so only `--on-gap diff` and `--expand` keep one.

use std::collections::BTreeMap;

use super::HeldEvents;
use crate::model::{Change, Event, Index, Scope, StateNode};

/// The keys and values in scope at one index.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The watched keys.
    scope: Scope,
    nodes: BTreeMap<Vec<u8>, StateNode>,
    index: Index,
    /// Every event since the state was read was applied.
    is_whole: bool,
}

impl Mirror {
    /// The state of `scope`, read at `index`.
    #[must_use]
    pub fn new(scope: Scope, nodes: Vec<StateNode>, index: Index) -> Self {
        Self {
            scope,
            nodes: nodes
                .into_iter()
                .map(|node| (node.key.clone(), node))
                .collect(),
            index,
            is_whole: true,
        }
    }

    /// Whether the differences from this state to a newer one are the changes after `index`. They are not
    /// if this state was read later, or if an event in between was not applied.
    #[must_use]
    pub fn has_changes_since(&self, index: Index) -> bool {
        self.is_whole && self.index <= index
    }

    /// Events up to `index` are not applied.
    pub fn skip(&mut self, index: Index) {
        self.is_whole &= index <= self.index;
    }

    /// There is no event in scope up to `index` that was not applied.
    pub fn advance(&mut self, index: Index) {
        self.index = self.index.max(index);
    }

    /// Applies events, and returns the keys below a directory that they removed, the deepest first.
    /// Events up to the index of this state change nothing.
    pub fn apply(&mut self, held: &HeldEvents) -> Vec<StateNode> {
        let mut gone = Vec::new();
        let index = self.index;
        for event in held.events().filter(|event| event.index() > index) {
            gone.extend(self.apply_one(&event));
        }
        gone
    }

    fn apply_one(&mut self, event: &Event<'_>) -> Vec<StateNode> {
        self.index = event.index();
        let node = event.node();
        let key = node.key().to_owned();
        if event.action().removes() {
            self.nodes.remove(&key);
            return if node.is_dir() {
                self.remove_below(&key)
            } else {
                Vec::new()
            };
        }
        if self.scope.key.is_path() {
            self.make_directories(&key, event.index());
        }
        let entry = StateNode {
            key: key.clone(),
            value: node.value().map(<[u8]>::to_vec),
            dir: node.is_dir(),
            modified: event.index(),
            created: node.created(),
            version: node.version(),
            lease: node.lease(),
            ..StateNode::default()
        };
        self.nodes.insert(key, entry);
        Vec::new()
    }

    /// Applies a difference between two states.
    pub fn change(&mut self, change: &Change) {
        match change {
            Change::Set { node, .. } => self.nodes.insert(node.key.clone(), node.clone()),
            Change::Delete { previous } => self.nodes.remove(&previous.key),
        };
    }

    /// The first key in `part`, in the order of the keys.
    #[must_use]
    pub fn first_of(&self, part: &Scope) -> Option<&StateNode> {
        let own = part.key.as_str().as_bytes();
        if let Some(node) = self.nodes.get(own).filter(|_| part.holds(own)) {
            return Some(node);
        }
        if part.is_one_key() {
            return None;
        }
        // `/a-b` comes between `/a` and `/a/x`.
        let first = if part.key.is_prefix() || own.ends_with(b"/") {
            own.to_vec()
        } else {
            [own, b"/"].concat()
        };
        let (_, node) = self.nodes.range(first..).next()?;
        part.holds(&node.key).then_some(node)
    }

    /// The key with this name, if it exists.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&StateNode> {
        self.nodes.get(key)
    }

    /// All keys in order.
    pub fn nodes(&self) -> impl Iterator<Item = &StateNode> {
        self.nodes.values()
    }

    /// The differences from this state to `newer`: removed keys, the deepest first, then new and changed
    /// keys in order. A refreshed TTL is not a difference.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Vec<Change> {
        let gone = self
            .nodes
            .values()
            .rev()
            .filter(|node| !newer.nodes.contains_key(&node.key))
            .map(|previous| Change::Delete {
                previous: previous.clone(),
            });
        let set = newer.nodes.values().filter_map(|node| {
            let previous = self.nodes.get(&node.key);
            let is_same = previous.is_some_and(|previous| {
                (previous.dir, &previous.value) == (node.dir, &node.value)
                    // A directory that was created with a key below it has no event of its own.
                    && (node.dir || previous.created == node.created)
            });
            (!is_same).then(|| Change::Set {
                node: node.clone(),
                previous: previous.cloned(),
            })
        });
        gone.chain(set).collect()
    }

    fn remove_below(&mut self, directory: &[u8]) -> Vec<StateNode> {
        let prefix = match directory {
            b"/" => b"/".to_vec(),
            other => [other, b"/"].concat(),
        };
        let below: Vec<Vec<u8>> = self
            .nodes
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, _)| key.clone())
            .collect();
        below
            .iter()
            .rev()
            .filter_map(|key| self.nodes.remove(key))
            .collect()
    }

    /// Adds the directories above a new key, which have no events of their own.
    fn make_directories(&mut self, key: &[u8], index: Index) {
        for end in memchr::memchr_iter(b'/', key).skip(1) {
            let directory = key.get(..end).unwrap_or_default();
            if self.scope.holds(directory) && !self.nodes.contains_key(directory) {
                let node = StateNode {
                    key: directory.to_owned(),
                    dir: true,
                    modified: index,
                    created: index,
                    ..StateNode::default()
                };
                self.nodes.insert(directory.to_owned(), node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Key;
    use crate::v2;
    use crate::watch::{Budget, ReceivedBatch};
    use std::sync::Arc;

    fn node(key: &str, value: &str, created: u64) -> StateNode {
        StateNode {
            key: key.as_bytes().to_owned(),
            value: (!value.is_empty()).then(|| value.as_bytes().to_owned()),
            dir: value.is_empty(),
            modified: Index(created),
            created: Index(created),
            ..StateNode::default()
        }
    }

    fn state(nodes: Vec<StateNode>, index: Index) -> Mirror {
        Mirror::new(Scope::new(Key::parse("/a").unwrap(), true), nodes, index)
    }

    fn apply(mirror: &mut Mirror, json: &str) -> Vec<String> {
        let batch = v2::parse_events(format!("{json}\n").into_bytes()).unwrap();
        let gone = mirror.apply(&HeldEvents {
            places: 0..batch.len(),
            received: Arc::new(ReceivedBatch::new(
                batch,
                crate::testing::now(),
                &Budget::new(1),
            )),
        });
        gone.into_iter().map(|node| text(&node.key)).collect()
    }

    fn text(key: &[u8]) -> String {
        String::from_utf8(key.to_owned()).unwrap()
    }

    #[test]
    fn removing_a_directory_removes_the_keys_below_it_and_no_others() {
        let nodes = vec![
            node("/a", "", 1),
            node("/a/d", "", 2),
            node("/a/d/x", "v", 3),
            node("/a/d/y/z", "v", 4),
            node("/a/dx", "v", 5),
        ];
        let mut mirror = state(nodes, Index(5));
        let json = r#"{"action":"delete","node":{"key":"/a/d","dir":true,"modifiedIndex":6,"createdIndex":2}}"#;
        assert_eq!(apply(&mut mirror, json), ["/a/d/y/z", "/a/d/x"]);
        let left: Vec<String> = mirror.nodes.keys().map(|key| text(key)).collect();
        assert_eq!(left, ["/a", "/a/dx"]);
    }

    #[test]
    fn an_event_before_the_index_of_the_state_changes_nothing() {
        let mut mirror = state(vec![node("/a", "new", 1)], Index(9));
        let json = r#"{"action":"set","node":{"key":"/a","value":"old","modifiedIndex":5,"createdIndex":1}}"#;
        apply(&mut mirror, json);
        assert_eq!(mirror.nodes[&b"/a"[..]].value.as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn differences_are_removed_keys_then_new_and_changed_keys() {
        let old = state(
            vec![
                node("/a", "", 1),
                node("/a/gone", "v", 2),
                node("/a/k", "v", 3),
            ],
            Index(3),
        );
        let mut refreshed = node("/a/k", "v", 3);
        refreshed.modified = Index(8);
        let same = state(
            vec![node("/a", "", 1), node("/a/gone", "v", 2), refreshed],
            Index(8),
        );
        assert!(old.changes(&same).is_empty());
        let new = state(
            vec![
                node("/a", "", 1),
                node("/a/k", "v", 7),
                node("/a/new", "v", 8),
            ],
            Index(8),
        );
        let keys: Vec<String> = old
            .changes(&new)
            .into_iter()
            .map(|change| match change {
                Change::Set { node, .. } => format!("+{}", text(&node.key)),
                Change::Delete { previous } => format!("-{}", text(&previous.key)),
            })
            .collect();
        assert_eq!(keys, ["-/a/gone", "+/a/k", "+/a/new"]);
    }

    #[test]
    fn directories_created_with_a_key_are_not_differences() {
        let mut mirror = state(Vec::new(), Index(1));
        let json = r#"{"action":"set","node":{"key":"/a/b/c","value":"v","modifiedIndex":5,"createdIndex":5}}"#;
        apply(&mut mirror, json);
        let nodes = vec![
            node("/a", "", 5),
            node("/a/b", "", 5),
            node("/a/b/c", "v", 5),
        ];
        assert!(mirror.changes(&state(nodes, Index(5))).is_empty());
    }
}
