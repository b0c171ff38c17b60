//! What proves that nothing was missed.
//!
//! The cursor moves by the values of this module alone, and each of them is made from a message of
//! a server: an event in its place, an answer from history, a wait that the server ended, the
//! order of one watcher, a read at a revision. That time has passed proves nothing. No clock
//! reaches this module, and `tests/layers.rs` keeps it so.
//!
//! In scope: what each message proves. Out of scope: what is known altogether ([`super::coverage`]),
//! and what is asked next (`session`).

use crate::model::{Event, Index, StateNode};
use crate::protocol::{Head, Whole};

/// Everything that happened in scope in `(after, upto]` is held, or nothing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Proof {
    after: Index,
    upto: Index,
}

impl Proof {
    /// With the v2 API an index names one event at most, so an event speaks for its own index.
    pub fn of_event(event: &Event<'_>) -> Self {
        let index = event.index();
        Self::between(index.previous(), index)
    }

    /// Revision 1 of the v3 API is the empty store. Nothing happens at it.
    pub fn of_first_revision() -> Self {
        Self::between(Index::ZERO, Index(1))
    }

    /// A key as it was at the revision `upto` was written last at or before `after`: it was left
    /// alone in between.
    #[must_use]
    pub fn of_unchanged_key(after: Index, upto: Index, node: &StateNode) -> Option<Self> {
        (node.modified <= after).then(|| Self::between(after, upto))
    }

    /// The last index before it.
    #[must_use]
    pub const fn after(self) -> Index {
        self.after
    }

    /// The last index that it speaks for.
    #[must_use]
    pub const fn upto(self) -> Index {
        self.upto
    }

    const fn between(after: Index, upto: Index) -> Self {
        Self { after, upto }
    }

    /// A proof that a test makes up.
    #[cfg(test)]
    pub(super) const fn made_up(after: Index, upto: Index) -> Self {
        Self::between(after, upto)
    }
}

/// A wait of the v2 API whose head has come: etcd found an answer in history, or registered the
/// wait at the index of the head (etcd-facts.md, fact 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredWait {
    after: Index,
    at: Index,
    sent: u64,
}

impl RegisteredWait {
    /// The wait for what comes after `after`, or without it for whatever comes, which was the request
    /// of the number `sent`. None where the head tells no index.
    #[must_use]
    pub fn new(after: Option<Index>, head: &Head, sent: u64) -> Option<Self> {
        let at = head.index?;
        Some(Self {
            after: after.unwrap_or(at),
            at,
            sent,
        })
    }

    /// It was answered with `event`. Up to the index of its head, and no further, history had
    /// nothing before that: a wait that lives on through a snapshot skips events (fact 5).
    /// None where the event is not one that was asked for.
    #[must_use]
    pub fn answered(self, event: &Event<'_>) -> Option<Proof> {
        let index = event.index();
        (index > self.after).then(|| Proof::between(self.after, index.min(self.at)))
    }

    /// The server ended it without an event. Requests of a higher number than `last_sent` were sent when
    /// it had ended, or when the server had answered something that was sent after its head.
    pub fn ended(self, _: &Whole, last_sent: u64) -> EndedWait {
        EndedWait {
            span: Proof::between(self.after, self.at),
            sent: self.sent,
            last_sent,
        }
    }
}

/// A wait that the server ended without an event. A server that was stopped between the head and
/// the event can end one so by mistake (fact 17): it takes two to prove something, and one stall
/// must not have hit both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct EndedWait {
    span: Proof,
    sent: u64,
    last_sent: u64,
}

impl EndedWait {
    /// What it speaks of, and what tells it from others.
    #[must_use]
    pub const fn span(self) -> WaitSpan {
        WaitSpan {
            after: self.span.after,
            upto: self.span.upto,
            sent: self.sent,
            last_sent: Some(self.last_sent),
        }
    }

    /// What this one and another one prove together.
    pub(super) fn agrees(self, other: Self) -> Option<Proof> {
        let (after, upto) = self.span().overlap(other.span())?;
        Some(Proof::between(after, upto))
    }

    /// One that a test makes up.
    #[cfg(test)]
    pub(super) const fn made_up(after: Index, upto: Index, sent: u64, last_sent: u64) -> Self {
        Self {
            span: Proof::between(after, upto),
            sent,
            last_sent,
        }
    }
}

/// What a wait says, or may come to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitSpan {
    /// The last index before what it speaks of.
    pub after: Index,
    /// The last index that it speaks of.
    pub upto: Index,
    /// The number of its request.
    pub sent: u64,
    /// Requests of a higher number were sent when the server was at work after its head; none are
    /// known yet.
    pub last_sent: Option<u64>,
}

impl WaitSpan {
    /// What both speak of, where no stall of the server can have hit both: one of them was sent
    /// when the server was at work after the head of the other.
    #[must_use]
    pub fn overlap(self, other: Self) -> Option<(Index, Index)> {
        let precedes =
            |one: Self, next: Self| one.last_sent.is_some_and(|last_sent| next.sent > last_sent);
        let (after, upto) = (self.after.max(other.after), self.upto.min(other.upto));
        let is_independent = precedes(self, other) || precedes(other, self);
        (is_independent && after < upto).then_some((after, upto))
    }
}

/// One watcher of the v3 API, which tells what happened in order. Two watchers prove nothing about
/// each other: a server that catches several up serves them in random order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watcher {
    reached: Index,
}

impl Watcher {
    /// A watcher that begins after `after`, or without it at the revision at which the server says
    /// that it was created.
    #[must_use]
    pub fn new(after: Option<Index>, created_at: Index) -> Self {
        Self {
            reached: after.unwrap_or(created_at),
        }
    }

    /// Everything up to here has been told, or lies in [`Skipped`] revisions.
    #[must_use]
    pub const fn reached(self) -> Index {
        self.reached
    }

    /// It tells an event: it has told everything before. A revision is one transaction, all of which
    /// must be at hand.
    pub fn tells(&mut self, event: &Event<'_>) -> Proof {
        self.advance(event.index())
    }

    /// It ends a message, which tells how far it has come.
    pub fn ends_message(&mut self, message: &crate::v3::MessageEnd) -> Proof {
        self.advance(message.told_upto)
    }

    /// It may have skipped something up to here: that is no proof, and is asked about.
    pub fn may_have_skipped(&mut self, upto: Index) -> Skipped {
        let after = self.reached;
        self.reached = after.max(upto);
        Skipped {
            after,
            upto: self.reached,
        }
    }

    fn advance(&mut self, upto: Index) -> Proof {
        let after = self.reached;
        self.reached = after.max(upto);
        Proof::between(after, self.reached)
    }
}

/// Revisions that a watcher may have skipped, because they were compacted when it came to them
/// (etcd issue 19179).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The last revision before them.
    pub after: Index,
    /// The last of them.
    pub upto: Index,
}

impl Skipped {
    /// A read at the revision `read_at`, which was asked for later, was answered: what lies after
    /// that revision was not compacted when the watcher came to it, so that it skipped nothing of
    /// that.
    #[must_use]
    pub fn refuted_by(self, read_at: Index, _answer: &Head) -> Option<Proof> {
        let after = self.after.max(read_at);
        (after < self.upto).then(|| Proof::between(after, self.upto))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Batch;
    use crate::v2;

    fn head(index: u64) -> Head {
        Head {
            status: 200,
            index: Some(Index(index)),
            cluster: None,
            raft: None,
        }
    }

    fn event_at(index: u64) -> Batch {
        let line = format!(
            "{{\"action\":\"set\",\"node\":{{\"key\":\"/a\",\"value\":\"v\",\
             \"modifiedIndex\":{index},\"createdIndex\":{index}}}}}\n"
        );
        v2::parse_events(line.into_bytes()).unwrap()
    }

    fn range(proof: Proof) -> (u64, u64) {
        (proof.after().0, proof.upto().0)
    }

    #[test]
    fn an_answer_from_history_proves_everything_up_to_it() {
        let wait = RegisteredWait::new(Some(Index(3)), &head(20), 1).unwrap();
        let batch = event_at(9);
        let proof = wait.answered(&batch.event(0).unwrap()).unwrap();
        assert_eq!(range(proof), (3, 9));
    }

    #[test]
    fn a_live_answer_proves_nothing_beyond_the_index_of_its_head() {
        let wait = RegisteredWait::new(Some(Index(3)), &head(20), 1).unwrap();
        let batch = event_at(29);
        let proof = wait.answered(&batch.event(0).unwrap()).unwrap();
        assert_eq!(range(proof), (3, 20));
    }

    #[test]
    fn an_event_that_was_not_asked_for_proves_nothing() {
        let wait = RegisteredWait::new(Some(Index(9)), &head(20), 1).unwrap();
        let batch = event_at(9);
        assert_eq!(wait.answered(&batch.event(0).unwrap()), None);
    }

    #[test]
    fn two_waits_that_one_stall_can_have_hit_prove_nothing() {
        let wait =
            |after, sent, last_sent| EndedWait::made_up(Index(after), Index(20), sent, last_sent);
        // Asked together, and the second before the first was answered.
        assert_eq!(wait(3, 1, 9).agrees(wait(5, 2, 9)), None);
        let proof = wait(3, 1, 9).agrees(wait(5, 10, 12)).unwrap();
        assert_eq!(range(proof), (5, 20));
        assert_eq!(wait(5, 10, 12).agrees(wait(3, 1, 9)), Some(proof));
    }

    #[test]
    fn a_watcher_proves_what_lies_between_two_of_its_events() {
        let mut watcher = Watcher::new(Some(Index(3)), Index(50));
        let batch = event_at(9);
        assert_eq!(range(watcher.tells(&batch.event(0).unwrap())), (3, 9));
        let skipped = watcher.may_have_skipped(Index(12));
        assert_eq!((skipped.after, skipped.upto), (Index(9), Index(12)));
        let batch = event_at(14);
        assert_eq!(range(watcher.tells(&batch.event(0).unwrap())), (12, 14));
    }

    #[test]
    fn a_read_at_a_revision_says_nothing_of_what_was_skipped_before_it() {
        let skipped = Watcher::new(Some(Index(9)), Index(50)).may_have_skipped(Index(12));
        let proof = |read_at| skipped.refuted_by(Index(read_at), &head(60)).map(range);
        assert_eq!(proof(9), Some((9, 12)));
        assert_eq!(proof(10), Some((10, 12)));
        assert_eq!(proof(12), None);
    }

    #[test]
    fn a_key_that_was_written_since_was_not_left_alone() {
        let node = |modified| StateNode {
            modified: Index(modified),
            ..StateNode::default()
        };
        let proof = |modified| Proof::of_unchanged_key(Index(9), Index(20), &node(modified));
        assert_eq!(proof(9).map(range), Some((9, 20)));
        assert_eq!(proof(10), None);
    }
}
