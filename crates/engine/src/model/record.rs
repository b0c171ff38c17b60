//! One view of a key for printing, whether it comes from an event, a state or a difference.

use super::{Action, Change, Event, Index, StateNode};

/// What is printed about a key.
#[derive(Clone, Copy, Debug)]
pub enum Record<'r> {
    /// An event.
    Event(Event<'r>),
    /// The key in a state that was read at this index.
    State(Index, &'r StateNode),
    /// The key differs between two states, the later of which was read at this index.
    Change(Index, &'r Change),
    /// A directory above the key was removed at this index, and the key with it.
    Below(Index, &'r StateNode),
}

impl<'r> Record<'r> {
    /// The index of the record.
    #[must_use]
    pub fn index(&self) -> Index {
        match *self {
            Self::Event(event) => event.index(),
            Self::State(index, _) | Self::Change(index, _) | Self::Below(index, _) => index,
        }
    }

    /// The action; [`Action::Get`] for a key in a state.
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

    /// Whether the key is, or was, a directory.
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

    /// The present value; `None` for a directory and a removed key.
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

    /// The previous value, if it is known.
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
