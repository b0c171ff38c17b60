//! What the model's store holds: its writes, and the state after each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// A key in scope is set: it is created anew even where it was there.
    Set(u8),
    /// A key in scope is written and stays the one that was created.
    Update(u8),
    /// A key in scope is removed.
    Delete(u8),
    /// A key elsewhere.
    Other,
    /// A hidden key below the scope.
    Hidden,
    /// The removal of a directory whose name is the beginning of the scope's.
    ShorterName,
    /// A refreshed time to live: an index, but no event.
    Refresh(u8),
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub value: String,
    pub created: u64,
    pub modified: u64,
}

/// The keys in scope.
pub type State = BTreeMap<String, Node>;

/// A write that was carried out.
#[derive(Clone, Debug)]
struct Entry {
    write: Write,
    before: Option<Node>,
    after: Option<Node>,
}

/// A store of etcd's.
#[derive(Clone, Debug)]
pub struct Store {
    /// The write at index i + 1.
    entries: Vec<Entry>,
    /// The state after so many writes.
    states: Vec<State>,
}

impl Write {
    fn key(self) -> String {
        match self {
            Self::Set(name) | Self::Update(name) | Self::Delete(name) | Self::Refresh(name) => {
                format!("/app/k{name}")
            }
            Self::Other => "/other".to_owned(),
            Self::Hidden => "/app/_hidden".to_owned(),
            Self::ShorterName => "/ap".to_owned(),
        }
    }
}

impl Store {
    pub fn new(writes: &[Write]) -> Self {
        let mut store = Self {
            entries: Vec::new(),
            states: vec![State::new()],
        };
        for write in writes {
            store.write(*write);
        }
        store
    }

    pub fn latest(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The state after the first `index` writes.
    pub fn state(&self, index: u64) -> &State {
        &self.states[position(index)]
    }

    /// Carries out a write. One that etcd would refuse, since there is no such key, is one
    /// elsewhere.
    pub fn write(&mut self, write: Write) {
        let index = self.latest() + 1;
        let mut state = self.state(index - 1).clone();
        let key = write.key();
        let before = state.get(&key).cloned();
        // Few values, so that a key gets the same one again.
        let value = (index % 3).to_string();
        let node = |created| Node {
            value,
            created,
            modified: index,
        };
        let after = match (write, &before) {
            (Write::Update(_), Some(before)) => Some(node(before.created)),
            (Write::Set(_) | Write::Update(_) | Write::Other | Write::Hidden, _) => {
                Some(node(index))
            }
            (Write::Refresh(_), Some(before)) => Some(Node {
                modified: index,
                ..before.clone()
            }),
            (Write::Delete(_), Some(_)) | (Write::ShorterName, _) => None,
            (Write::Delete(_) | Write::Refresh(_), None) => return self.write(Write::Other),
        };
        if key.starts_with("/app/k") {
            match after.clone() {
                Some(node) => state.insert(key, node),
                None => state.remove(&key),
            };
        }
        self.states.push(state);
        self.entries.push(Entry {
            write,
            before,
            after,
        });
    }

    fn entry(&self, index: u64) -> &Entry {
        &self.entries[position(index - 1)]
    }

    /// Whether a watch has to deliver what happened at `index`.
    pub fn is_event(&self, index: u64) -> bool {
        matches!(
            self.entry(index).write,
            Write::Set(_) | Write::Update(_) | Write::Delete(_)
        )
    }

    /// Whether history has it for the watch: more than it delivers live (fact 7).
    pub fn in_history(&self, index: u64) -> bool {
        let extra = matches!(self.entry(index).write, Write::Hidden | Write::ShorterName);
        extra || self.is_event(index)
    }

    /// Whether a watch on the whole store is told of it.
    pub fn is_heard_anywhere(&self, index: u64) -> bool {
        !matches!(self.entry(index).write, Write::Refresh(_) | Write::Hidden)
    }

    /// The event as etcd writes it.
    pub fn line(&self, index: u64) -> String {
        let Entry {
            write,
            before,
            after,
        } = self.entry(index);
        let key = write.key();
        let action = match write {
            Write::Delete(_) | Write::ShorterName => "delete",
            Write::Update(_) if before.is_some() => "update",
            _ => "set",
        };
        let mut line = format!("{{\"action\":\"{action}\",\"node\":");
        // Of a removed key its creation is told, not its value.
        let created = after.as_ref().or(before.as_ref());
        let created = created.map_or(index, |node| node.created);
        let value = after.as_ref().map(|node| &node.value);
        push_node(&mut line, &key, value, index, created);
        if let Some(node) = before {
            line.push_str(",\"prevNode\":");
            push_node(
                &mut line,
                &key,
                Some(&node.value),
                node.modified,
                node.created,
            );
        }
        line.push('}');
        line
    }
}

fn push_node(line: &mut String, key: &str, value: Option<&String>, modified: u64, created: u64) {
    write!(line, "{{\"key\":\"{key}\"").expect("a string takes it");
    if let Some(value) = value {
        write!(line, ",\"value\":\"{value}\"").expect("a string takes it");
    }
    write!(
        line,
        ",\"modifiedIndex\":{modified},\"createdIndex\":{created}}}"
    )
    .expect("a string takes it");
}

fn position(index: u64) -> usize {
    usize::try_from(index).expect("an index of the simulation")
}
