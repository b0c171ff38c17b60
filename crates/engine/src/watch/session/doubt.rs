//! What is done about a member whose history may lie.
//!
//! A member that was so far behind that it was sent a snapshot has that snapshot decoded into
//! its old history: until 1,000 more indexes it may hide events, or tell another key's
//! (etcd-facts.md, fact 16). Its raft index has jumped then, or what it tells contradicts
//! itself. What was told live, and reads of the state, are as true as ever.
//!
//! Another member is asked then. Where none can be reached the whole of its history is walked,
//! index by index: where there is an event at each, none is hidden. Where there is none at one,
//! it may be a refreshed time to live, or it may be hidden: that is a gap.

use std::sync::Arc;
use std::time::Duration;

use super::{Open, Purpose, Session};
use crate::model::{Cause, Event, Index};
use crate::protocol::Failure;
use crate::protocol::Head;
use crate::watch::endpoints::Requests;
use crate::watch::evidence::Proof;
use crate::watch::ledger::Held;
use crate::watch::{Parcel, Ticket};

/// For so long other members are tried, before a gap is declared.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many questions are under way at most.
const WALKERS: usize = 8;

impl Session {
    /// Whether so much went by at the member that answers that it may have taken a snapshot: what
    /// it says is of no use then.
    pub(super) fn has_jumped(&mut self, ticket: Ticket, open: &Open, head: &Head) -> bool {
        let is_agreed = matches!(
            open.purpose,
            Purpose::Target | Purpose::Rewind | Purpose::Fresh | Purpose::State | Purpose::Look
        );
        let upto = self.observe(open.endpoint, head, is_agreed.then_some(ticket));
        upto.is_some_and(|upto| self.doubt(open, upto))
    }

    /// Notes what a member tells of itself; up to where its history may lie, where it jumped.
    pub(super) fn observe(
        &mut self,
        endpoint: usize,
        head: &Head,
        agreed: Option<Ticket>,
    ) -> Option<Index> {
        let index = head.index.unwrap_or_default();
        let (behind, now) = (self.plan.snapshot_behind, self.now);
        let requests = Requests {
            last: self.last_ticket,
            agreed: agreed.map(|ticket| ticket.0),
        };
        self.endpoints
            .observe(endpoint, head.raft?, index, behind, requests, now)
    }

    /// The history of the member that was asked may lie up to `upto`; whether that matters.
    pub(super) fn doubt(&mut self, open: &Open, upto: Index) -> bool {
        self.endpoints.doubt(open.endpoint, upto, self.now);
        let Some(cursor) = self.cursor().filter(|cursor| *cursor < upto) else {
            return false;
        };
        self.endpoints.settle(cursor);
        self.close_where(|other| other.endpoint == open.endpoint);
        if self.endpoints.has_trusted() {
            self.note_failure(open, Failure::Doubtful(upto));
        }
        true
    }

    /// Walks the history of a member that may lie; whether it does.
    pub(super) fn walks(&mut self, cursor: Index) -> bool {
        self.endpoints.settle(cursor);
        let Some((upto, _)) = self.endpoints.doubted() else {
            return false;
        };
        self.wanted = self.wanted.max(upto);
        let walking: Vec<Index> = self
            .open
            .values()
            .filter(|open| open.purpose == Purpose::Walk && !open.answered)
            .filter_map(|open| open.after)
            .collect();
        let holes = self.ledger.iter().flat_map(|ledger| ledger.holes(upto));
        let next: Vec<Index> = holes
            .flat_map(|hole| (hole.after.0..hole.upto.0).map(Index))
            .filter(|after| !walking.contains(after))
            .take(WALKERS.saturating_sub(walking.len()))
            .collect();
        for after in next {
            self.request(Purpose::Walk, Some(after));
        }
        true
    }

    /// What comes next anywhere after what was asked for.
    pub(super) fn on_walked(&mut self, open: &Open, after: Index, parcel: Parcel) {
        let parcel = Arc::new(parcel);
        let found = parcel.batch().iter().next();
        let next = found.filter(|event| event.index() == after.next());
        let (Some(event), Some(ledger)) = (next, &mut self.ledger) else {
            self.on_hidden(open);
            return;
        };
        if contradicts_itself(&event) {
            self.on_hidden(open);
            return;
        }
        let (node, removes_directory) = (event.node(), event.removes_directory());
        if self.plan.scope.covers(node.key(), removes_directory) {
            let held = Held {
                parcel: Arc::clone(&parcel),
                places: 0..1,
            };
            ledger.hold(after.next(), held);
        } else {
            ledger.prove(Proof::of_event(&event));
        }
    }

    /// At an index there is no event, or one that can't be.
    pub(super) fn on_hidden(&mut self, open: &Open) {
        let Some((upto, since)) = self.endpoints.doubted() else {
            return;
        };
        self.close_where(|other| other.purpose == Purpose::Walk);
        if self.endpoints.has_trusted() && self.now < since + PATIENCE {
            self.note_failure(open, Failure::Doubtful(upto));
            return;
        }
        self.lose(upto, Cause::MemberUntrusted);
    }
}

/// Whether an event is what a damaged history makes of one: it tells of another key's past, or
/// of a removed key's value.
pub(super) fn contradicts_itself(event: &Event) -> bool {
    let node = event.node();
    let is_other = |previous: crate::model::Node| previous.key() != node.key();
    event.previous().is_some_and(is_other) || (event.action().removes() && node.value().is_some())
}
