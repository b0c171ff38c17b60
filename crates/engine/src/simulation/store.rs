//! The model's store: its writes, the state after each, and the events that a watch receives.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::Fingerprint;

/// The directory that holds the keys of the model.
pub const DIRECTORY: &str = "/app";

/// The number of indexes in the model's history.
pub const HISTORY: u32 = 60;

/// The oldest index in history once `latest` was written (fact 10).
pub fn oldest(latest: u64) -> u64 {
    (latest + 1).saturating_sub(HISTORY.into()).max(1)
}

/// Keys and values of the model are text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_owned()).expect("text")
}

/// The scope of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// `/app` and all keys below it.
    Tree,
    /// The key `/app/k0` alone.
    Key,
}

/// A kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// A key is set. It is created again even if it exists.
    Set(u8),
    /// A key is written and keeps its `createdIndex`.
    Update(u8),
    /// A key is removed.
    Delete(u8),
    /// The directory is removed with all keys below it.
    DeleteAll,
    /// A key elsewhere.
    Other,
    /// A hidden key in the directory.
    Hidden,
    /// The removal of a directory whose name is the beginning of the directory's.
    ShorterName,
    /// A refreshed time to live: an index, but no event.
    Refresh(u8),
}

/// The content of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyContent {
    /// The value; `None` for a directory.
    pub value: Option<String>,
    pub created: u64,
    pub modified: u64,
    /// It has a time to live.
    pub expires: bool,
}

/// The directory and its keys.
pub type State = BTreeMap<String, KeyContent>;

/// Whether a watch shows an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Yes,
    No,
    /// A directory above a key that did not exist was removed. History and live delivery differ
    /// (fact 7), and both are accepted.
    Perhaps,
}

/// A write that was carried out.
#[derive(Clone, Debug)]
struct Entry {
    write: Write,
    before: Option<KeyContent>,
    after: Option<KeyContent>,
}

/// A store of etcd.
#[derive(Clone, Debug)]
pub struct Store {
    watched: Watched,
    pub cluster: u32,
    /// The number of stores before it. The values of two stores differ.
    era: usize,
    /// The number of entries in the raft log: writes and linearizable reads.
    pub raft: u64,
    /// The write at index i + 1.
    entries: Vec<Entry>,
    /// The state after each number of writes.
    states: Vec<State>,
}

impl Watched {
    pub const fn key(self) -> &'static str {
        match self {
            Self::Tree => DIRECTORY,
            Self::Key => "/app/k0",
        }
    }

    pub const fn is_recursive(self) -> bool {
        matches!(self, Self::Tree)
    }
}

impl Write {
    fn key(self) -> String {
        match self {
            Self::Set(name) | Self::Update(name) | Self::Delete(name) | Self::Refresh(name) => {
                format!("{DIRECTORY}/k{name}")
            }
            Self::DeleteAll => DIRECTORY.to_owned(),
            Self::Other => "/other".to_owned(),
            Self::Hidden => format!("{DIRECTORY}/_hidden"),
            Self::ShorterName => "/ap".to_owned(),
        }
    }

    const fn removes_directory(self) -> bool {
        matches!(self, Self::DeleteAll | Self::ShorterName)
    }
}

impl Store {
    pub fn new(watched: Watched, writes: &[Write]) -> Self {
        let empty = Self {
            watched,
            cluster: 0,
            era: 0,
            raft: 0,
            entries: Vec::new(),
            states: vec![State::new()],
        };
        empty.with(writes)
    }

    /// The store that replaces this one.
    pub fn anew(&self, writes: &[Write]) -> Self {
        let empty = Self {
            era: self.era + 1,
            raft: 0,
            entries: Vec::new(),
            states: vec![State::new()],
            ..*self
        };
        empty.with(writes)
    }

    fn with(mut self, writes: &[Write]) -> Self {
        for write in writes {
            self.write(*write);
        }
        self
    }

    pub fn latest(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The state of the watched keys after the first `index` writes.
    pub fn state(&self, index: u64) -> State {
        let mut state = self.states[position(index)].clone();
        if self.watched == Watched::Key {
            state.retain(|key, _| key == self.watched.key());
        }
        state
    }

    /// The state of one key after the first `index` writes.
    pub fn state_of(&self, key: &str, index: u64) -> Option<KeyContent> {
        self.states[position(index)].get(key).cloned()
    }

    /// Whether the event at `index` is about exactly this key.
    pub fn is_at(&self, key: &str, index: u64) -> bool {
        self.entry(index).write.key() == key
    }

    /// Carries out a write. If etcd would refuse it because the key does not exist, another key is
    /// written.
    pub fn write(&mut self, write: Write) {
        let index = self.latest() + 1;
        let mut state = self.states[position(index - 1)].clone();
        let key = write.key();
        let before = state.get(&key).cloned();
        let era = self.era;
        // There are few values, so that a key gets the same value again.
        let node = |created| KeyContent {
            value: Some(format!("{era}.{}", index % 3)),
            created,
            modified: index,
            expires: false,
        };
        let after = match (write, &before) {
            (Write::Update(_), Some(before)) => Some(node(before.created)),
            (Write::Set(_) | Write::Update(_) | Write::Other | Write::Hidden, _) => {
                Some(node(index))
            }
            (Write::Refresh(_), Some(before)) => Some(KeyContent {
                modified: index,
                expires: true,
                ..before.clone()
            }),
            (Write::Delete(_) | Write::DeleteAll, Some(_)) | (Write::ShorterName, _) => None,
            (Write::Delete(_) | Write::DeleteAll | Write::Refresh(_), None) => {
                return self.write(Write::Other);
            }
        };
        match write {
            Write::DeleteAll => state.clear(),
            Write::Delete(_) => drop(state.remove(&key)),
            Write::Set(_) | Write::Update(_) | Write::Refresh(_) => {
                state.entry(DIRECTORY.to_owned()).or_insert(KeyContent {
                    value: None,
                    ..node(index)
                });
                state.extend(after.clone().map(|node| (key, node)));
            }
            Write::Other | Write::Hidden | Write::ShorterName => {}
        }
        self.raft += 1;
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

    /// Whether the watch has to show the event at `index`.
    pub fn shown(&self, index: u64) -> Shown {
        let write = self.entry(index).write;
        let is_key = self.watched == Watched::Key;
        match write {
            Write::Set(name) | Write::Update(name) | Write::Delete(name) => {
                let is_other = is_key && name > 0;
                if is_other { Shown::No } else { Shown::Yes }
            }
            Write::DeleteAll if self.state(index - 1).contains_key(self.watched.key()) => {
                Shown::Yes
            }
            Write::DeleteAll => Shown::Perhaps,
            Write::Other | Write::Hidden | Write::ShorterName | Write::Refresh(_) => Shown::No,
        }
    }

    /// Whether history has the event for the watch.
    pub fn in_history(&self, index: u64) -> bool {
        self.in_history_of(self.watched.key(), self.watched.is_recursive(), index)
    }

    /// Whether history has the event for a watch on a key, or on a key and all keys below it. History has
    /// more events than live delivery (fact 7).
    pub fn in_history_of(&self, own: &str, is_recursive: bool, index: u64) -> bool {
        let write = self.entry(index).write;
        let key = write.key();
        let is_below = key.starts_with(&format!("{own}/")) && is_recursive;
        let is_above = write.removes_directory() && own.starts_with(&key);
        !matches!(write, Write::Refresh(_)) && (key == own || is_below || is_above)
    }

    /// The number of times that a stream delivers the event. The removal of the watched key itself is delivered twice
    /// (fact 6).
    pub fn copies(&self, index: u64) -> usize {
        let write = self.entry(index).write;
        let is_removed = matches!(write, Write::Delete(_) | Write::DeleteAll);
        match self.shown(index) {
            Shown::Yes if is_removed && write.key() == self.watched.key() => 2,
            Shown::Yes => 1,
            Shown::No | Shown::Perhaps => 0,
        }
    }

    /// Whether history has the event for a watch on the whole store, which includes hidden keys (fact 7).
    pub fn is_event(&self, index: u64) -> bool {
        !matches!(self.entry(index).write, Write::Refresh(_))
    }

    /// Whether a watch on the whole store receives the event.
    pub fn is_heard_anywhere(&self, index: u64) -> bool {
        !matches!(self.entry(index).write, Write::Refresh(_) | Write::Hidden)
    }

    /// Whether the store has this event at its index.
    pub fn has(&self, last: &Fingerprint) -> bool {
        let Entry {
            write,
            before,
            after,
        } = self.entry(last.index.0);
        let node = after.as_ref().or(before.as_ref());
        write.key().as_bytes() == last.key
            && node.is_some_and(|node| node.created == last.created.0)
    }

    /// The event as etcd writes it.
    pub fn line(&self, index: u64) -> String {
        let Entry { before, after, .. } = self.entry(index);
        let value = after.as_ref().and_then(|node| node.value.as_deref());
        let key = self.entry(index).write.key();
        self.render(
            index,
            value,
            before.as_ref().map(|node| (key.as_str(), node)),
        )
    }

    /// The event in a damaged history. A removal has a value, and another event has the previous node of
    /// another key (fact 16).
    pub fn damaged_line(&self, index: u64) -> String {
        let Entry { after, .. } = self.entry(index);
        let stale = KeyContent {
            value: Some("stale".to_owned()),
            created: 1,
            modified: 1,
            expires: false,
        };
        match after {
            Some(node) => self.render(index, node.value.as_deref(), Some(("/stale", &stale))),
            None => self.render(index, stale.value.as_deref(), None),
        }
    }

    fn render(
        &self,
        index: u64,
        value: Option<&str>,
        previous: Option<(&str, &KeyContent)>,
    ) -> String {
        let Entry {
            write,
            before,
            after,
        } = self.entry(index);
        let action = match write {
            Write::Delete(_) | Write::DeleteAll | Write::ShorterName => "delete",
            Write::Update(_) if before.is_some() => "update",
            _ => "set",
        };
        // An event of a removal has the `createdIndex` of the node, not its value.
        let created = after.as_ref().or(before.as_ref());
        let created = created.map_or(index, |node| node.created);
        let is_directory = write.removes_directory();
        let mut line = format!("{{\"action\":\"{action}\",\"node\":");
        push_node(&mut line, &write.key(), value, is_directory, index, created);
        if let Some((key, node)) = previous {
            line.push_str(",\"prevNode\":");
            let (value, modified) = (node.value.as_deref(), node.modified);
            push_node(&mut line, key, value, is_directory, modified, node.created);
        }
        line.push('}');
        line
    }
}

fn push_node(
    line: &mut String,
    key: &str,
    value: Option<&str>,
    is_directory: bool,
    modified: u64,
    created: u64,
) {
    let value = value.map_or_else(String::new, |value| format!(",\"value\":\"{value}\""));
    let dir = if is_directory { ",\"dir\":true" } else { "" };
    write!(
        line,
        "{{\"key\":\"{key}\"{value}{dir},\"modifiedIndex\":{modified},\"createdIndex\":{created}}}"
    )
    .expect("a string takes it");
}

fn position(index: u64) -> usize {
    usize::try_from(index).expect("an index of the simulation")
}
