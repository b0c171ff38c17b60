//! What is told of one key, wherever it is known from.

use super::{Action, Change, Event, Index, StateNode};

/// Something to show of a key.
#[derive(Clone, Copy, Debug)]
pub enum Record<'r> {
    /// Something happened to it.
    Event(Event<'r>),
    /// It is so in a state that was read at this index.
    State(Index, &'r StateNode),
    /// It became so between two states, the later one read at this index.
    Change(Index, &'r Change),
    /// It went with a directory above it that was removed at this index.
    Below(Index, &'r StateNode),
}

impl<'r> Record<'r> {
    /// Where it stands among all others.
    #[must_use]
    pub fn index(&self) -> Index {
        match *self {
            Self::Event(event) => event.index(),
            Self::State(index, _) | Self::Change(index, _) | Self::Below(index, _) => index,
        }
    }

    /// What happened; [`Action::Get`] for what was read.
    #[must_use]
    pub fn action(&self) -> Action {
        match *self {
            Self::Event(event) => event.action(),
            Self::State(..) => Action::Get,
            Self::Change(_, Change::Set { .. }) => Action::Set,
            Self::Change(_, Change::Delete { .. }) | Self::Below(..) => Action::Delete,
        }
    }

    /// The action's name.
    #[must_use]
    pub fn action_name(&self) -> &'r [u8] {
        match *self {
            Self::Event(event) => event.action_name(),
            _ => self.action().name().unwrap_or_default().as_bytes(),
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'r [u8] {
        match *self {
            Self::Event(event) => event.node().key(),
            Self::State(_, node)
            | Self::Below(_, node)
            | Self::Change(_, Change::Set { node, .. }) => &node.key,
            Self::Change(_, Change::Delete { previous }) => &previous.key,
        }
    }

    /// Whether it is, or was, a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        match *self {
            Self::Event(event) => event.node().is_dir(),
            Self::State(_, node)
            | Self::Below(_, node)
            | Self::Change(_, Change::Set { node, .. }) => node.dir,
            Self::Change(_, Change::Delete { previous }) => previous.dir,
        }
    }

    /// The value that it has now; a directory and a key that is gone have none.
    #[must_use]
    pub fn value(&self) -> Option<&'r [u8]> {
        match *self {
            Self::Event(event) => event.node().value(),
            Self::State(_, node) | Self::Change(_, Change::Set { node, .. }) => {
                node.value.as_deref()
            }
            Self::Change(_, Change::Delete { .. }) | Self::Below(..) => None,
        }
    }

    /// The value that it had before, where that is known.
    #[must_use]
    pub fn previous(&self) -> Option<&'r [u8]> {
        match *self {
            Self::Event(event) => event.previous()?.value(),
            Self::State(..) => None,
            Self::Change(_, Change::Set { previous, .. }) => previous.as_ref()?.value.as_deref(),
            Self::Change(_, Change::Delete { previous }) | Self::Below(_, previous) => {
                previous.value.as_deref()
            }
        }
    }
}
