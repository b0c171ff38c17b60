//! Proofs that no event was missed.
//!
//! Only the values of this module move a cursor, and each is made from a server's message: an event at
//! its index, an answer from history, a wait that the server ended, the order of one watcher, or a
//! read at a revision. Elapsed time proves nothing: no clock reaches this module, and
//! `tests/layers.rs` checks that.
//!
//! In scope: what each message proves. Out of scope: what all proofs cover together
//! ([`super::coverage`]), and the choice of the next request (`session`).

use crate::model::{Event, Index, StateNode};
use crate::protocol::{Head, Whole};

/// A proof that every event in scope in `(after, upto]` is held, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Proof {
    after: Index,
    upto: Index,
}

impl Proof {
    /// An event of the v2 API proves its own index, which names at most one event.
    pub fn of_event(event: &Event<'_>) -> Self {
        let index = event.index();
        Self::between(index.previous(), index)
    }

    /// Revision 1 of the v3 API is the empty store, and has no events.
    pub fn of_first_revision() -> Self {
        Self::between(Index::ZERO, Index(1))
    }

    /// A key that was read at revision `upto`, and was last written at or before `after`, did not change
    /// in between. `None` if it was written later.
    #[must_use]
    pub fn of_unchanged_key(after: Index, upto: Index, node: &StateNode) -> Option<Self> {
        (node.modified <= after).then(|| Self::between(after, upto))
    }

    /// The last index before the range.
    #[must_use]
    pub const fn after(self) -> Index {
        self.after
    }

    /// The last index of the range.
    #[must_use]
    pub const fn upto(self) -> Index {
        self.upto
    }

    const fn between(after: Index, upto: Index) -> Self {
        Self { after, upto }
    }

    /// A proof for a test, without evidence.
    #[cfg(test)]
    pub(super) const fn made_up(after: Index, upto: Index) -> Self {
        Self::between(after, upto)
    }
}

/// A wait of the v2 API whose head has arrived. etcd has either found an answer in history, or
/// registered the wait at the index of the head (etcd-facts.md, fact 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredWait {
    after: Index,
    at: Index,
    sent: u64,
}

impl RegisteredWait {
    /// A wait for the next event after `after`, or without it for the next event of all. The wait was
    /// request number `sent`. `None` if the head has no index.
    #[must_use]
    pub fn new(after: Option<Index>, head: &Head, sent: u64) -> Option<Self> {
        let at = head.index?;
        Some(Self {
            after: after.unwrap_or(at),
            at,
            sent,
        })
    }

    /// The proof of an answer with `event`: there is no event before it, up to the index of the head. It
    /// does not reach further, because a wait that survives a snapshot install skips events (fact 5).
    /// `None` if the event is not after the requested index.
    #[must_use]
    pub fn answered(self, event: &Event<'_>) -> Option<Proof> {
        let index = event.index();
        (index > self.after).then(|| Proof::between(self.after, index.min(self.at)))
    }

    /// The server ended the wait without an event. Every request with a number above `last_sent` was sent
    /// after that end, or after the server answered a request that was sent after the wait's head.
    pub fn ended(self, _: &Whole, last_sent: u64) -> EndedWait {
        EndedWait {
            span: Proof::between(self.after, self.at),
            sent: self.sent,
            last_sent,
        }
    }
}

/// A wait that the server ended without an event. A server that stalls between the head and the event
/// can end a wait by mistake (fact 17). So a proof takes two ended waits that one stall cannot have
/// affected together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct EndedWait {
    span: Proof,
    sent: u64,
    last_sent: u64,
}

impl EndedWait {
    /// The range of the wait, and the numbers that show whether it is independent of another one.
    #[must_use]
    pub const fn span(self) -> WaitSpan {
        WaitSpan {
            after: self.span.after,
            upto: self.span.upto,
            sent: self.sent,
            last_sent: Some(self.last_sent),
        }
    }

    /// The proof of two ended waits; `None` if they are not independent, or do not overlap.
    pub(super) fn agrees(self, other: Self) -> Option<Proof> {
        let (after, upto) = self.span().overlap(other.span())?;
        Some(Proof::between(after, upto))
    }

    /// An ended wait for a test, without evidence.
    #[cfg(test)]
    pub(super) const fn made_up(after: Index, upto: Index, sent: u64, last_sent: u64) -> Self {
        Self {
            span: Proof::between(after, upto),
            sent,
            last_sent,
        }
    }
}

/// The range of a wait that has ended, or may still end, without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitSpan {
    /// The last index before the range.
    pub after: Index,
    /// The last index of the range.
    pub upto: Index,
    /// The number of the request.
    pub sent: u64,
    /// Every request with a higher number was sent after the server did something that follows this
    /// wait's head. `None` until it has done so.
    pub last_sent: Option<u64>,
}

impl WaitSpan {
    /// The common range of two waits, if no stall of the server can have affected both: one of them was
    /// sent after the server had done something that follows the head of the other.
    #[must_use]
    pub fn overlap(self, other: Self) -> Option<(Index, Index)> {
        let precedes =
            |one: Self, next: Self| one.last_sent.is_some_and(|last_sent| next.sent > last_sent);
        let (after, upto) = (self.after.max(other.after), self.upto.min(other.upto));
        let is_independent = precedes(self, other) || precedes(other, self);
        (is_independent && after < upto).then_some((after, upto))
    }
}

/// One watcher of the v3 API. etcd sends the events of a watcher in order. Two watchers prove nothing
/// about each other, because etcd serves unsynced watchers in random order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watcher {
    reached: Index,
}

impl Watcher {
    /// A watcher that begins after `after`, or without it at the revision at which the server created it.
    #[must_use]
    pub fn new(after: Option<Index>, created_at: Index) -> Self {
        Self {
            reached: after.unwrap_or(created_at),
        }
    }

    /// The last revision whose events have all arrived, apart from those in [`Skipped`] revisions.
    #[must_use]
    pub const fn reached(self) -> Index {
        self.reached
    }

    /// An event of the watcher arrived, which proves that all events before it did. All events of its
    /// revision must be at hand, because a revision is one transaction.
    pub fn on_event(&mut self, event: &Event<'_>) -> Proof {
        self.advance(event.index())
    }

    /// A message of the watcher ended, which says how far the watcher has come.
    pub fn on_message_end(&mut self, message: &crate::v3::MessageEnd) -> Proof {
        self.advance(message.sent_upto)
    }

    /// The watcher may have skipped events up to `upto`. That proves nothing, so the session has to ask.
    pub fn pass_over(&mut self, upto: Index) -> Skipped {
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

/// Revisions that a watcher may have skipped, because they were compacted before it reached them
/// (etcd issue 19179).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The last revision before the range.
    pub after: Index,
    /// The last revision of the range.
    pub upto: Index,
}

impl Skipped {
    /// The proof of a later read at revision `read_at` that the server answered: revisions after
    /// `read_at` were not compacted when the watcher reached them, so it skipped none of them.
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
    fn an_event_before_the_requested_index_proves_nothing() {
        let wait = RegisteredWait::new(Some(Index(9)), &head(20), 1).unwrap();
        let batch = event_at(9);
        assert_eq!(wait.answered(&batch.event(0).unwrap()), None);
    }

    #[test]
    fn two_ended_waits_that_are_not_independent_prove_nothing() {
        let wait =
            |after, sent, last_sent| EndedWait::made_up(Index(after), Index(20), sent, last_sent);
        // The second was sent before the first was answered.
        assert_eq!(wait(3, 1, 9).agrees(wait(5, 2, 9)), None);
        let proof = wait(3, 1, 9).agrees(wait(5, 10, 12)).unwrap();
        assert_eq!(range(proof), (5, 20));
        assert_eq!(wait(5, 10, 12).agrees(wait(3, 1, 9)), Some(proof));
    }

    #[test]
    fn a_watcher_proves_the_range_between_two_of_its_events() {
        let mut watcher = Watcher::new(Some(Index(3)), Index(50));
        let batch = event_at(9);
        assert_eq!(range(watcher.on_event(&batch.event(0).unwrap())), (3, 9));
        let skipped = watcher.pass_over(Index(12));
        assert_eq!((skipped.after, skipped.upto), (Index(9), Index(12)));
        let batch = event_at(14);
        assert_eq!(range(watcher.on_event(&batch.event(0).unwrap())), (12, 14));
    }

    #[test]
    fn a_read_at_a_revision_proves_nothing_about_earlier_revisions() {
        let skipped = Watcher::new(Some(Index(9)), Index(50)).pass_over(Index(12));
        let proof = |read_at| skipped.refuted_by(Index(read_at), &head(60)).map(range);
        assert_eq!(proof(9), Some((9, 12)));
        assert_eq!(proof(10), Some((10, 12)));
        assert_eq!(proof(12), None);
    }

    #[test]
    fn an_unchanged_key_is_a_proof_and_a_later_write_is_not() {
        let node = |modified| StateNode {
            modified: Index(modified),
            ..StateNode::default()
        };
        let proof = |modified| Proof::of_unchanged_key(Index(9), Index(20), &node(modified));
        assert_eq!(proof(9).map(range), Some((9, 20)));
        assert_eq!(proof(10), None);
    }
}
