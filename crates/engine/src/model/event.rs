//! Events, many in one buffer.
//!
//! A million events need no million allocations: a [`Batch`] owns the bytes as they came from
//! the server, and each event is a handful of offsets into them. What had to be decoded
//! (JSON escapes, base64) is appended to the same buffer.

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
    /// What stands there in `bytes`; nothing where they end before.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// What happened to a key, in the words of etcd's v2 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A value was read.
    Get,
    /// A value was written, whatever was there.
    Set,
    /// A key was created that was not there.
    Create,
    /// A key that was there was written.
    Update,
    /// A key was removed.
    Delete,
    /// A key's time to live ran out.
    Expire,
    /// A value was written on a condition that held.
    CompareAndSwap,
    /// A key was removed on a condition that held.
    CompareAndDelete,
    /// One that this version does not know, passed on as it came.
    Other(Span),
}

impl Action {
    /// Those that are known, with their names.
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

    /// Reads a name; `None` for one that is not known.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut known = Self::KNOWN.into_iter();
        known.find_map(|(action, known)| (known.as_bytes() == name).then_some(action))
    }

    /// Its name, where it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let mut known = Self::KNOWN.into_iter();
        known.find_map(|(known, name)| (known == self).then_some(name))
    }

    /// Whether the key is gone afterwards.
    #[must_use]
    pub const fn removes(self) -> bool {
        matches!(self, Self::Delete | Self::Expire | Self::CompareAndDelete)
    }
}

/// Where the fields of a node stand in its batch.
#[derive(Clone, Copy, Debug)]
pub struct NodeSpans {
    /// The key.
    pub key: Span,
    /// The value; a directory and a removed key have none.
    pub value: Option<Span>,
    /// Whether it is a directory.
    pub dir: bool,
    /// The index of its last change.
    pub modified: Index,
    /// The index of its creation.
    pub created: Index,
    /// How often it was written since it was created (v3); 0 where that is not known.
    pub version: u64,
    /// The lease it hangs on (v3); 0 for none.
    pub lease: i64,
}

/// Where an event stands in its batch.
#[derive(Clone, Copy, Debug)]
pub struct EventSpans {
    /// What happened.
    pub action: Action,
    /// The event's own JSON text, as the server sent it; v3 has none of that shape.
    pub raw: Option<Span>,
    /// The node after the event.
    pub node: NodeSpans,
    /// The node before it.
    pub previous: Option<NodeSpans>,
}

/// A buffer with the events in it as spans.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    events: Vec<EventSpans>,
    /// The texts of the events are lines, and nothing stands between them.
    is_lines: bool,
}

impl Batch {
    /// A batch over `bytes`, in which every span of `events` lies.
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

    /// Likewise, where the text of each event is a line, and nothing stands between them.
    #[must_use]
    pub fn of_lines(bytes: Vec<u8>, events: Vec<EventSpans>) -> Self {
        Self {
            is_lines: true,
            ..Self::new(bytes, events)
        }
    }

    /// The lines of the events at these places; none where they are not all lines, or more stands
    /// between them.
    #[must_use]
    pub fn lines(&self, places: Range<usize>) -> Option<&[u8]> {
        let spans = self.events.get(places).filter(|_| self.is_lines)?;
        let (first, last) = (spans.first()?.raw?, spans.last()?.raw?);
        let lines = self.bytes.get(first.start as usize..=last.end as usize)?;
        lines.ends_with(b"\n").then_some(lines)
    }

    /// Its buffers, to be filled with others.
    #[must_use]
    pub fn into_buffers(self) -> (Vec<u8>, Vec<EventSpans>) {
        (self.bytes, self.events)
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many bytes it holds in memory, spans included.
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

    /// The events in their order.
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

/// A number that stands for a value, the same in every run: checkpoints hold it.
#[must_use]
pub fn hash_value(value: &[u8]) -> u64 {
    XxHash3_64::oneshot(value)
}

/// Whether two values may be the same, where one of them may not be known.
#[must_use]
pub fn may_be_same(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl<'b> Event<'b> {
    /// What happened.
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

    /// Its place in history.
    #[must_use]
    pub fn index(&self) -> Index {
        self.spans.node.modified
    }

    /// The JSON text as the server sent it; v3 has none of that shape.
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

    /// Whether nothing speaks against that both are the same event.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let place = |node: Node<'b>| (node.key(), node.modified(), node.created());
        place(self.node()) == place(other.node())
            && may_be_same(self.value_hash(), other.value_hash())
    }

    /// What stands for the value that was written ([`hash_value`]); none where none was.
    #[must_use]
    pub fn value_hash(&self) -> Option<u64> {
        // What a removal or a directory does not have, a member that was sent a snapshot makes up
        // (fact 16).
        let value = self.node().value().filter(|_| !self.action().removes())?;
        Some(hash_value(value))
    }

    /// The node before it.
    #[must_use]
    pub fn previous(&self) -> Option<Node<'b>> {
        Some(Node {
            bytes: self.bytes,
            spans: self.spans.previous.as_ref()?,
        })
    }

    /// Whether a directory went away, and all below it with it, in one event. etcd tells
    /// watchers below of a delete and an expiry only.
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

    /// The index of its last change.
    #[must_use]
    pub fn modified(&self) -> Index {
        self.spans.modified
    }

    /// How often it was written since it was created (v3); 0 where that is not known.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.spans.version
    }

    /// The lease it hangs on (v3); 0 for none.
    #[must_use]
    pub fn lease(&self) -> i64 {
        self.spans.lease
    }

    /// The index of its creation.
    #[must_use]
    pub fn created(&self) -> Index {
        self.spans.created
    }

    /// The value; a directory and a removed key have none.
    #[must_use]
    pub fn value(&self) -> Option<&'b [u8]> {
        self.spans.value.map(|span| span.of(self.bytes))
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.spans.dir
    }
}
