//! Events, many in one buffer.
//!
//! To avoid an allocation for each event, a [`Batch`] owns the bytes as they came from the server, and
//! an event consists of offsets into them. Texts that had to be decoded (JSON escapes, base64) are
//! appended to the same buffer.

use std::ops::Range;

use twox_hash::XxHash3_64;

use super::Index;

/// A range of a [`Batch`]'s bytes.
///
/// Offsets are 32 bits: a batch is never larger than the limit on one line, which is checked
/// to be below 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

impl Span {
    /// The part of `bytes` in this range; empty if `bytes` is shorter.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// What happened to a key, by its name in etcd's v2 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The key was read.
    Get,
    /// A value was written, whether the key existed or not.
    Set,
    /// The key was created.
    Create,
    /// An existing key was written.
    Update,
    /// The key was deleted.
    Delete,
    /// The key's TTL expired.
    Expire,
    /// A value was written under a condition.
    CompareAndSwap,
    /// The key was deleted under a condition.
    CompareAndDelete,
    /// An unknown action, which is passed on unchanged.
    Other(Span),
}

impl Action {
    /// The known actions and their names.
    pub const KNOWN: [(Self, &'static str); 8] = [
        (Self::Get, "get"),
        (Self::Set, "set"),
        (Self::Create, "create"),
        (Self::Update, "update"),
        (Self::Delete, "delete"),
        (Self::Expire, "expire"),
        (Self::CompareAndSwap, "compareAndSwap"),
        (Self::CompareAndDelete, "compareAndDelete"),
    ];

    /// The action of this name; `None` if it is unknown.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut known = Self::KNOWN.into_iter();
        known.find_map(|(action, known)| (known.as_bytes() == name).then_some(action))
    }

    /// The name of a known action.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let mut known = Self::KNOWN.into_iter();
        known.find_map(|(known, name)| (known == self).then_some(name))
    }

    /// Whether the action removes the key.
    #[must_use]
    pub const fn removes(self) -> bool {
        matches!(self, Self::Delete | Self::Expire | Self::CompareAndDelete)
    }
}

/// The fields of a node, as ranges of its batch.
#[derive(Clone, Copy, Debug)]
pub struct NodeSpans {
    /// The key.
    pub key: Span,
    /// The value; `None` for a directory and a removed key.
    pub value: Option<Span>,
    /// Whether the node is a directory.
    pub dir: bool,
    /// The index of the last change.
    pub modified: Index,
    /// The index of the creation.
    pub created: Index,
    /// The number of writes since the creation (v3); 0 if it is not known.
    pub version: u64,
    /// The ID of the lease (v3); 0 for none.
    pub lease: i64,
}

/// The parts of an event, as ranges of its batch.
#[derive(Clone, Copy, Debug)]
pub struct EventSpans {
    /// What happened.
    pub action: Action,
    /// The JSON text as the server sent it (v2).
    pub raw: Option<Span>,
    /// The node after the event.
    pub node: NodeSpans,
    /// The node before the event.
    pub previous: Option<NodeSpans>,
}

/// Events, and the buffer that holds their texts.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    events: Vec<EventSpans>,
    /// The text of each event is a line, with nothing between the lines.
    is_lines: bool,
}

impl Batch {
    /// A batch over `bytes`, which contain every span of `events`.
    #[must_use]
    pub fn new(bytes: Vec<u8>, events: Vec<EventSpans>) -> Self {
        debug_assert!(
            events
                .iter()
                .all(|event| event.node.key.end as usize <= bytes.len())
        );
        Self {
            bytes,
            events,
            is_lines: false,
        }
    }

    /// A batch in which the text of each event is a line, with nothing between the lines.
    #[must_use]
    pub fn of_lines(bytes: Vec<u8>, events: Vec<EventSpans>) -> Self {
        Self {
            is_lines: true,
            ..Self::new(bytes, events)
        }
    }

    /// The lines of the events at these positions, newlines included. `None` if the events are not lines,
    /// or have something between them.
    #[must_use]
    pub fn lines(&self, places: Range<usize>) -> Option<&[u8]> {
        let spans = self.events.get(places).filter(|_| self.is_lines)?;
        let (first, last) = (spans.first()?.raw?, spans.last()?.raw?);
        let lines = self.bytes.get(first.start as usize..=last.end as usize)?;
        lines.ends_with(b"\n").then_some(lines)
    }

    /// The buffers of the batch, for reuse.
    #[must_use]
    pub fn into_buffers(self) -> (Vec<u8>, Vec<EventSpans>) {
        (self.bytes, self.events)
    }

    /// The number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The memory of the batch in bytes, spans included.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.events.capacity() * size_of::<EventSpans>()
    }

    /// The event at `position`, counted from 0.
    #[must_use]
    pub fn event(&self, position: usize) -> Option<Event<'_>> {
        Some(Event {
            bytes: &self.bytes,
            spans: self.events.get(position)?,
        })
    }

    /// The events in order.
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        self.events.iter().map(|spans| Event {
            bytes: &self.bytes,
            spans,
        })
    }
}

/// One event of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Event<'b> {
    bytes: &'b [u8],
    spans: &'b EventSpans,
}

/// The hash of a value. It is the same in every run, because checkpoints contain it.
#[must_use]
pub fn hash_value(value: &[u8]) -> u64 {
    XxHash3_64::oneshot(value)
}

/// Whether two hashes are of the same value, or one of them is not known.
#[must_use]
pub fn may_be_same(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl<'b> Event<'b> {
    /// The action.
    #[must_use]
    pub fn action(&self) -> Action {
        self.spans.action
    }

    /// The action's name in records.
    #[must_use]
    pub fn action_name(&self) -> &'b [u8] {
        match self.spans.action {
            Action::Other(span) => span.of(self.bytes),
            known => known.name().unwrap_or_default().as_bytes(),
        }
    }

    /// The index of the event.
    #[must_use]
    pub fn index(&self) -> Index {
        self.spans.node.modified
    }

    /// The JSON text as the server sent it (v2).
    #[must_use]
    pub fn raw(&self) -> Option<&'b [u8]> {
        Some(self.spans.raw?.of(self.bytes))
    }

    /// The node after the event.
    #[must_use]
    pub fn node(&self) -> Node<'b> {
        Node {
            bytes: self.bytes,
            spans: &self.spans.node,
        }
    }

    /// Whether both can be the same event, as far as their fields are known.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let place = |node: Node<'b>| (node.key(), node.modified(), node.created());
        place(self.node()) == place(other.node())
            && may_be_same(self.value_hash(), other.value_hash())
    }

    /// The hash of the written value ([`hash_value`]); `None` if no value was written.
    #[must_use]
    pub fn value_hash(&self) -> Option<u64> {
        // A member that installed a snapshot can report a value for a removal (fact 16).
        let value = self.node().value().filter(|_| !self.action().removes())?;
        Some(hash_value(value))
    }

    /// The node before the event.
    #[must_use]
    pub fn previous(&self) -> Option<Node<'b>> {
        Some(Node {
            bytes: self.bytes,
            spans: self.spans.previous.as_ref()?,
        })
    }

    /// Whether the event removed a directory, and with it all keys below. etcd sends such an event to
    /// watchers below the directory only if it is a delete or an expiry.
    #[must_use]
    pub fn removes_directory(&self) -> bool {
        self.action().removes() && self.node().is_dir()
    }
}

/// One node of an event.
#[derive(Clone, Copy, Debug)]
pub struct Node<'b> {
    bytes: &'b [u8],
    spans: &'b NodeSpans,
}

impl<'b> Node<'b> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &'b [u8] {
        self.spans.key.of(self.bytes)
    }

    /// The index of the last change.
    #[must_use]
    pub fn modified(&self) -> Index {
        self.spans.modified
    }

    /// The number of writes since the creation (v3); 0 if it is not known.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.spans.version
    }

    /// The ID of the lease (v3); 0 for none.
    #[must_use]
    pub fn lease(&self) -> i64 {
        self.spans.lease
    }

    /// The index of the creation.
    #[must_use]
    pub fn created(&self) -> Index {
        self.spans.created
    }

    /// The value; `None` for a directory and a removed key.
    #[must_use]
    pub fn value(&self) -> Option<&'b [u8]> {
        self.spans.value.map(|span| span.of(self.bytes))
    }

    /// Whether the node is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.spans.dir
    }
}
