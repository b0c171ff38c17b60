//! Whether the store is still the one that was watched: what is compared after each failure.
//!
//! A rebuilt store with the same cluster id has another event where the last one told was. That
//! event is asked for. Where history no longer has it, its key is looked at, as a majority knows
//! it: nothing happened to it between that event and the cursor. Where it was written since, or
//! is gone, what came next there must have found it as that event left it. Where a state was told
//! and no event since, a key of it stands for the last event, and is looked at.

use super::doubt::contradicts_itself;
use super::{Open, Purpose, Session};
use crate::model::{Cause, Event, Fingerprint, Index, Key, Scope, StateNode};
use crate::protocol::Failure;
use crate::v3;
use crate::watch::{Parcel, Ticket};

/// So many answers in a row make a rebuilt store.
const MISMATCHES: u32 = 3;

/// The last event told, or a key of the state that was told since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub event: Fingerprint,
    /// Whether its key was there afterwards; none where that is not known.
    pub stays: Option<bool>,
}

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub last: Last,
    pub stage: Stage,
    /// How often it was not the same.
    mismatches: u32,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The event, in history.
    Event,
    /// Its key, in the state.
    Key,
    /// What came next at its key: after this, and before the state in which the key was seen.
    Next { after: Index, before: Index },
}

impl Last {
    pub fn of(event: &Event) -> Self {
        Self {
            event: Fingerprint::of(event),
            stays: Some(!event.action().removes()),
        }
    }

    /// That of v3: what tells most of what was told ([`Fingerprint::of_revisions`]).
    pub fn of_revisions<'b>(
        before: Option<Self>,
        events: impl Iterator<Item = Event<'b>>,
    ) -> Option<Self> {
        let event = Fingerprint::of_revisions(before.map(|before| before.event), events)?;
        Some(Self { event, stays: None })
    }

    /// That of a state.
    pub fn of_state(nodes: &[StateNode]) -> Option<Self> {
        Fingerprint::of_state(nodes).map(Self::earlier)
    }

    /// That of an earlier run, of which less is known.
    pub fn earlier(event: Fingerprint) -> Self {
        // What is removed was created before, and is in no state.
        let is_there = event.created == event.index || event.of_state;
        Self {
            stays: is_there.then_some(true),
            event,
        }
    }

    /// Whether it is what was found at its index.
    fn is(&self, found: &Event) -> bool {
        self.event.may_be(&Fingerprint::of(found))
    }

    /// Where its comparison begins. v3 has every key as it was at any revision.
    fn first_stage(&self, is_v3: bool) -> Stage {
        if self.event.of_state && !is_v3 {
            Stage::Key
        } else {
            Stage::Event
        }
    }

    /// Whether an event is one at its key. A watch is told of the removal of a directory with a
    /// shorter name, too.
    fn concerns(&self, next: &Event) -> bool {
        let key = std::str::from_utf8(&self.event.key).ok();
        let scope = key
            .and_then(|key| Key::parse(key).ok())
            .map(|key| Scope::new(key, false));
        scope.is_some_and(|scope| scope.covers(next.node().key(), next.removes_directory()))
    }

    /// Whether what came next at its key found it as the event left it.
    fn precedes(&self, next: &Event) -> bool {
        if contradicts_itself(next) {
            return false;
        }
        if next.node().key() != self.event.key {
            // A directory above went away, and says nothing of what was in it.
            return true;
        }
        match next.previous() {
            Some(previous) => self.stays != Some(false) && previous.created() == self.event.created,
            None => self.stays != Some(true),
        }
    }
}

impl Session {
    /// Whoever answers next may be another store: what was asked and is not answered yet is asked
    /// anew, after a comparison.
    pub(super) fn mistrust(&mut self) {
        self.doubt_store();
        self.close_where(|open| {
            let compares = open.compares() || open.purpose == Purpose::Rewind;
            open.head.is_none() && !compares
        });
    }

    /// The last event is compared before anything else is asked.
    pub(super) fn doubt_store(&mut self) {
        self.unverified = self.last.is_some();
        let is_v3 = self.is_v3();
        if let Some(ledger) = self
            .ledger
            .as_mut()
            .filter(|_| !is_v3 && self.last.is_none())
        {
            // Nothing was told that could be compared: what is held may be of the store before.
            ledger.forget_beyond();
        }
        if let Some(comparison) = &mut self.comparison {
            comparison.stage = comparison.last.first_stage(is_v3);
        }
    }

    /// The key of the event that is compared.
    pub(super) fn compared_key(&self) -> Vec<u8> {
        let comparison = self.comparison.as_ref();
        comparison.map_or_else(Vec::new, |comparison| comparison.last.event.key.clone())
    }

    /// Whether nothing but the last event is asked for now.
    pub(super) fn is_comparing(&mut self) -> bool {
        if !self.unverified {
            return false;
        }
        let Some(last) = self.last.clone() else {
            self.unverified = false;
            return false;
        };
        if self.open.values().any(Open::compares) {
            return true;
        }
        let comparison = match self.comparison.take() {
            Some(comparison) if comparison.last == last => comparison,
            _ => Comparison {
                stage: last.first_stage(self.is_v3()),
                last,
                mismatches: 0,
            },
        };
        let (purpose, after) = match comparison.stage {
            Stage::Event if self.is_v3() => (Purpose::Verify, None),
            Stage::Event => (
                Purpose::Verify,
                Some(comparison.last.event.index.previous()),
            ),
            Stage::Key => (Purpose::Look, None),
            Stage::Next { after, .. } => (Purpose::Next, Some(after)),
        };
        self.comparison = Some(comparison);
        self.request(purpose, after);
        true
    }

    /// History, or what happens now, answers a question of the comparison.
    pub(super) fn on_compared(&mut self, ticket: Ticket, parcel: &Parcel) {
        let (Some(open), Some(event)) = (
            self.open.get(&ticket).cloned(),
            parcel.batch().iter().next(),
        ) else {
            return;
        };
        let Some((head, _)) = open.head else { return };
        let is_live = event.index() > head;
        match open.purpose {
            Purpose::Verify if is_live => {
                // What happens now says nothing of the past.
                self.close(ticket);
                let (index, wanted) = (head, event.index());
                self.note_failure(&open, Failure::Behind { index, wanted });
            }
            Purpose::Verify => self.on_found(&open, Some(&event)),
            _ if is_live => self.on_next(&open, None),
            _ => self.on_next(&open, Some(&event)),
        }
    }

    /// The key of the last event, as it was where everything was told (v3): what happened to it
    /// last is that event.
    pub(super) fn on_kept(&mut self, ticket: Ticket, index: Index, nodes: &[StateNode]) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.answered = true;
        }
        let Some(comparison) = &self.comparison else {
            return;
        };
        let last = &comparison.last.event;
        let at_key = nodes.iter().find(|node| node.key == last.key);
        let is_same = match at_key {
            Some(node) => {
                (node.modified, node.created) == (last.index, last.created)
                    && last.has_value_of(node)
            }
            // A delete does not tell when its key was created.
            None => last.created == Index::ZERO,
        };
        if is_same {
            self.trust();
        } else {
            self.begin_anew(Cause::IndexRewound, index);
        }
    }

    /// Where everything was told, the store has no history any more, or none yet (v3). Whether
    /// that was what was asked.
    pub(super) fn on_kept_refused(&mut self, code: u32) {
        if code == v3::fault::FUTURE
            && let Some(comparison) = &mut self.comparison
        {
            // A majority that knows less: its key tells how much.
            comparison.stage = Stage::Key;
        } else {
            // A watch finds the same, and that is a gap.
            self.trust();
        }
    }

    /// A question of the comparison was silent, and could not be ended. The key may tell what history
    /// does not. Where that was written since, or is gone, what came next there is declared.
    pub(super) fn on_no_comparison(&mut self, ticket: Ticket, open: &Open, was_silent: bool) {
        if self.is_behind(ticket, open) {
            return;
        }
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        match comparison.stage {
            Stage::Event => comparison.stage = Stage::Key,
            Stage::Next { before, .. } if was_silent => {
                self.trust();
                self.lose(before, Cause::Unproven);
            }
            Stage::Next { .. } | Stage::Key => {}
        }
    }

    /// Whether a member that was asked does not know yet what it was asked about.
    fn is_behind(&mut self, ticket: Ticket, open: &Open) -> bool {
        let (Some(comparison), Some((index, _))) = (&self.comparison, open.head) else {
            return false;
        };
        let wanted = match comparison.stage {
            Stage::Next { before, .. } => before,
            Stage::Event | Stage::Key => comparison.last.event.index,
        };
        let is_behind = index < wanted;
        if is_behind {
            self.open.remove(&ticket);
            self.note_failure(open, Failure::Behind { index, wanted });
        }
        is_behind
    }

    /// A question of the comparison ended, and brought nothing.
    pub(super) fn on_nothing(&mut self, ticket: Ticket, open: &Open) {
        if self.is_behind(ticket, open) {
            return;
        }
        match open.purpose {
            Purpose::Verify => self.on_found(open, None),
            _ => self.on_next(open, None),
        }
    }

    /// History no longer has what was asked for.
    pub(super) fn on_comparison_cleared(&mut self) {
        match &mut self.comparison {
            Some(comparison) if comparison.stage == Stage::Event => comparison.stage = Stage::Key,
            // Nor has it what comes next, and that is a gap.
            _ => self.trust(),
        }
    }

    /// Compares the last event told with what history has at its index.
    fn on_found(&mut self, open: &Open, found: Option<&Event>) {
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        let asked = &comparison.last.event;
        let is_elsewhere = found.is_none_or(|found| found.index() != asked.index);
        if found.is_some_and(|found| comparison.last.is(found)) {
            self.end_comparison();
        } else if is_elsewhere && self.endpoints.may_hide(open.endpoint, asked.index) {
            comparison.stage = Stage::Key;
        } else {
            self.mismatch(open, "it has another event at that index");
        }
    }

    /// Compares the key of the last event told with how that event left it.
    pub(super) fn on_looked(&mut self, open: &Open, index: Index, nodes: &[StateNode]) {
        let Some(comparison) = &self.comparison else {
            return;
        };
        if comparison.stage != Stage::Key {
            // It was asked before a failure, and begins anew.
            return;
        }
        if self.plan.scope.key.is_path() {
            self.on_looked_by_v2(open, index, nodes);
        } else if index < open.cursor {
            self.begin_anew(Cause::IndexRewound, index);
        } else if let Some(comparison) = &mut self.comparison {
            // It has come so far since, and has it at that revision now, or another one.
            comparison.stage = Stage::Event;
        }
    }

    fn on_looked_by_v2(&mut self, open: &Open, index: Index, nodes: &[StateNode]) {
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        let Last { event, stays, .. } = &comparison.last;
        let (cursor, at_key) = (open.cursor, nodes.iter().find(|node| node.key == event.key));
        let is_as_left = match at_key {
            _ if index < cursor => Some(false),
            // One that was gone comes back without an event where a hidden key is in it.
            Some(node) if node.dir => Some(true),
            // It was written since.
            Some(node) if node.created > cursor => None,
            Some(_) if *stays == Some(false) => Some(false),
            Some(node) if node.created != event.created => Some(false),
            // Its time to live may have been refreshed, without an event: that leaves its value.
            Some(node) if node.modified <= cursor && !event.has_value_of(node) => Some(false),
            Some(node) if node.modified > cursor || node.expiration.is_some() => Some(true),
            Some(node) => Some(node.modified == event.index),
            // Nothing has happened since, so that it is not there.
            None if *stays == Some(true) && index == cursor => Some(false),
            None if *stays == Some(true) => None,
            None => Some(true),
        };
        match is_as_left {
            Some(true) => self.trust(),
            Some(false) => self.begin_anew(Cause::IndexRewound, index),
            None => {
                comparison.stage = Stage::Next {
                    after: cursor,
                    before: index,
                };
            }
        }
    }

    /// Compares the last event told with what came next at its key, if anything did.
    fn on_next(&mut self, open: &Open, next: Option<&Event>) {
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        let Stage::Next { after, .. } = &mut comparison.stage else {
            return;
        };
        if next.is_some_and(|next| !comparison.last.concerns(next)) {
            *after = next.map_or(*after, Event::index);
        } else if next.is_some_and(|next| comparison.last.precedes(next)) {
            self.trust();
        } else if self.endpoints.may_hide(open.endpoint, after.next()) {
            // What became of the key is hidden, or this is another store: it can't be told here.
            self.trust();
            self.on_hidden(open);
        } else if let Some(next) = next.filter(|next| contradicts_itself(next)) {
            self.doubt(open, next.index());
        } else {
            self.mismatch(open, "its history goes on from another event");
        }
    }

    /// The store is not the one that was watched. Before that was said several times, a member's
    /// history may lie after a snapshot (fact 16): another one is asked too.
    fn mismatch(&mut self, open: &Open, why: &str) {
        let Some(comparison) = &mut self.comparison else {
            return;
        };
        comparison.mismatches += 1;
        if comparison.mismatches < MISMATCHES {
            // It answers: what it says is asked again soon, before history has moved on.
            self.endpoints.proved();
            self.close_where(Open::compares);
            self.note_failure(open, Failure::Cut(why.to_owned()));
            return;
        }
        let index = open.head.map(|(index, _)| index).unwrap_or_default();
        self.begin_anew(Cause::IndexRewound, index);
    }

    /// Ends the comparison; a watch that waited for it with being live is live now.
    fn end_comparison(&mut self) {
        self.unverified = false;
        self.comparison = None;
        if !self.told_live {
            self.begin_live();
        }
    }

    /// Nothing speaks against the store.
    pub(super) fn trust(&mut self) {
        self.end_comparison();
        // Of v3, what is held was told by a stream that has not broken since.
        let is_v3 = self.is_v3();
        if let Some(ledger) = self.ledger.as_mut().filter(|_| !is_v3) {
            // What is held may be of another store all the same.
            ledger.forget_beyond();
        }
    }
}
