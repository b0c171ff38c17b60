//! What a session does about a member whose history may be damaged.
//!
//! A member that was so far behind that it received a raft snapshot has that snapshot decoded into
//! its old history: until 1,000 more indexes it may hide events, or attribute them to another key
//! (etcd-facts.md, fact 16). Its raft index has jumped then, or its events contradict themselves.
//! Live events and reads of the state are as true as ever.
//!
//! Another member is asked then. Where none can be reached, the whole history is walked, index by
//! index: where there is an event at each, none is hidden. An index without an event may be a
//! refreshed time to live, or a hidden event: that is a gap.

use std::sync::Arc;

use super::{V2Request, V2Session};
use crate::model::{Cause, Event, Index};
use crate::protocol::{Failure, Head};
use crate::watch::coverage::HeldEvents;
use crate::watch::evidence::Proof;
use crate::watch::in_flight::InFlight;
use crate::watch::timing::OTHER_MEMBERS;
use crate::watch::{ReceivedBatch, RequestId};

/// How many walking requests are in flight at most.
const WALKERS: usize = 8;

impl V2Session {
    /// Whether the raft index of the member that answers has jumped so far that it may have taken a
    /// snapshot. Its answer is of no use then.
    pub(super) fn doubt_after_jump(
        &mut self,
        id: RequestId,
        one: &InFlight<V2Request>,
        head: &Head,
    ) -> bool {
        let agreed = one.request.is_agreed().then_some(id);
        let upto = self.observe(one.endpoint, head, agreed);
        upto.is_some_and(|upto| self.doubt(one, upto))
    }

    /// The history of the member that was asked may be damaged up to `upto`; whether that matters.
    pub(super) fn doubt(&mut self, one: &InFlight<V2Request>, upto: Index) -> bool {
        self.endpoints.doubt(one.endpoint, upto, self.now);
        if self.cursor().is_none_or(|cursor| cursor >= upto) {
            return false;
        }
        self.close_where(|other| other.endpoint == one.endpoint);
        if self.endpoints.has_trusted() {
            self.note_failure(one, Failure::Doubtful(upto));
        }
        true
    }

    /// Whether the member that is asked has a history that may be damaged beyond the cursor.
    pub(super) fn is_member_in_doubt(&self) -> bool {
        self.cursor().is_some() && self.endpoints.doubted().is_some()
    }

    /// Walks the history of a member that may be damaged.
    pub(super) fn walk_history(&mut self) {
        let Some((upto, _)) = self.endpoints.doubted() else {
            return;
        };
        let upto = self.last_index().map_or(upto, |end| end.min(upto));
        self.wanted = self.wanted.max(upto);
        let walks = self.requests.values().filter_map(|one| match one.request {
            V2Request::Walk { after, .. } if !one.progress.is_answered => Some(after),
            _ => None,
        });
        let walking: Vec<Index> = walks.collect();
        let unknown = self.coverage.iter().flat_map(|one| one.unknown(upto));
        let next: Vec<Index> = unknown
            .flat_map(|range| (range.after.0..range.upto.0).map(Index))
            .filter(|after| !walking.contains(after))
            .take(WALKERS.saturating_sub(walking.len()))
            .collect();
        let may_hang = self.api.half_closes.are_broken();
        for after in next {
            self.send(V2Request::Walk { after, may_hang });
        }
    }

    /// The next event anywhere in the store, after the index that was asked about.
    pub(super) fn on_walked(
        &mut self,
        one: &InFlight<V2Request>,
        after: Index,
        received: ReceivedBatch,
    ) {
        let received = Arc::new(received);
        let found = received.batch().iter().next();
        let next = found.filter(|event| event.index() == after.next());
        let (Some(event), Some(coverage)) = (next, &mut self.coverage) else {
            self.on_hidden(one);
            return;
        };
        if contradicts_itself(&event) {
            self.on_hidden(one);
            return;
        }
        let (node, removes_directory) = (event.node(), event.removes_directory());
        if self.plan.scope.covers(node.key(), removes_directory) {
            let held = HeldEvents {
                received: Arc::clone(&received),
                places: 0..1,
            };
            coverage.hold(after.next()..=after.next(), held);
        } else {
            coverage.prove(Proof::of_event(&event));
        }
    }

    /// An index has no event, or an event that cannot be.
    pub(super) fn on_hidden(&mut self, one: &InFlight<V2Request>) {
        let Some((upto, since)) = self.endpoints.doubted() else {
            return;
        };
        self.close_where(|other| matches!(other.request, V2Request::Walk { .. }));
        if self.endpoints.has_trusted() && self.now < since + OTHER_MEMBERS {
            self.note_failure(one, Failure::Doubtful(upto));
            return;
        }
        self.lose(upto, Cause::MemberUntrusted);
    }
}

/// Whether an event is what a damaged history makes of one: its previous node is another key's, or a
/// removed key has a value.
pub(super) fn contradicts_itself(event: &Event) -> bool {
    let node = event.node();
    let is_other = |previous: crate::model::Node| previous.key() != node.key();
    event.previous().is_some_and(is_other) || (event.action().removes() && node.value().is_some())
}
