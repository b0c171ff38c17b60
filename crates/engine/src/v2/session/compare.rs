//! Whether the store is still the one that was watched, with the v2 API.
//!
//! The last event is asked for in history. Where history no longer has it, its key is read, as a
//! majority knows it: nothing happened to the key between that event and the cursor. Where the key
//! was written since, or is gone, the next event at it must have found it as the last event left it.
//! Where a state was reported and no event since, a key of the state stands for the last event.

use super::damaged_history::contradicts_itself;
use super::{V2, V2Request};
use crate::model::{Cause, Event, Fingerprint, Index, Key, Scope, StateNode};
use crate::protocol::Failure;
use crate::watch::core::Core;
use crate::watch::identity::Last;
use crate::watch::in_flight::{InFlight, SessionRequest as _};
use crate::watch::{ReceivedBatch, RequestId};

/// This many answers in a row that name another event mean that the store was replaced.
const MISMATCHES: u32 = 3;

/// What a comparison asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V2ComparisonStage {
    /// The event, in history.
    Event,
    /// Its key, in the state.
    Key,
    /// The next event at its key: after this index, and before the state in which the key was read.
    Next {
        /// The index before it.
        after: Index,
        /// The index of the state.
        before: Index,
    },
}

impl Last {
    /// Whether that event was found at its index.
    fn is(&self, found: &Event) -> bool {
        self.event.may_be(&Fingerprint::of(found))
    }

    /// Whether an event is about its key. A watch also receives the removal of a directory above.
    fn concerns(&self, next: &Event) -> bool {
        let key = std::str::from_utf8(&self.event.key).ok();
        let scope = key
            .and_then(|key| Key::parse(key).ok())
            .map(|key| Scope::new(key, false));
        scope.is_some_and(|scope| scope.covers(next.node().key(), next.removes_directory()))
    }

    /// Whether the next event at its key found the key as this event left it.
    fn precedes(&self, next: &Event) -> bool {
        if contradicts_itself(next) {
            return false;
        }
        if next.node().key() != self.event.key {
            // A directory above was removed, which says nothing of its keys.
            return true;
        }
        match next.previous() {
            Some(previous) => self.stays != Some(false) && previous.created() == self.event.created,
            None => self.stays != Some(true),
        }
    }
}

impl Core<V2> {
    /// History, or a new event, answers a question of the comparison.
    pub(super) fn on_compared(&mut self, id: RequestId, received: &ReceivedBatch) {
        let (Some(one), Some(event)) = (
            self.requests.get(id).cloned(),
            received.batch().iter().next(),
        ) else {
            return;
        };
        let Some((head, _)) = one.head else { return };
        let is_live = event.index() > head;
        match one.request {
            V2Request::Verify { .. } if is_live => {
                // A new event says nothing of the past.
                self.close(id);
                let (index, wanted) = (head, event.index());
                self.note_failure(&one, Failure::Behind { index, wanted });
            }
            V2Request::Verify { .. } => self.on_found(&one, Some(&event)),
            _ if is_live => self.on_next(&one, None),
            _ => self.on_next(&one, Some(&event)),
        }
    }

    /// A question of the comparison was silent, and could not be ended. The key may show what history
    /// does not. Where the key was written since, or is gone, the events in between are a gap.
    pub(super) fn on_no_comparison(
        &mut self,
        id: RequestId,
        one: &InFlight<V2Request>,
        was_silent: bool,
    ) {
        if self.reject_if_behind(id, one) {
            return;
        }
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        match comparison.stage {
            V2ComparisonStage::Event if was_silent => comparison.stage = V2ComparisonStage::Key,
            V2ComparisonStage::Next { after, before } if was_silent => {
                self.trust_store();
                let is_doubtful = self.endpoints.may_hide(one.endpoint, after.next());
                if is_doubtful && self.endpoints.doubted().is_some() {
                    self.on_hidden(one);
                } else {
                    self.lose(before, Cause::Unproven);
                }
            }
            V2ComparisonStage::Event | V2ComparisonStage::Next { .. } | V2ComparisonStage::Key => {}
        }
    }

    /// Rejects the answer of a member that does not have the index yet that it was asked about; whether it
    /// was rejected.
    fn reject_if_behind(&mut self, id: RequestId, one: &InFlight<V2Request>) -> bool {
        let (Some(comparison), Some((index, _))) = (&self.identity.comparison, one.head) else {
            return false;
        };
        let wanted = match comparison.stage {
            V2ComparisonStage::Next { before, .. } => before,
            V2ComparisonStage::Event | V2ComparisonStage::Key => comparison.last.event.index,
        };
        let is_behind = index < wanted;
        if is_behind {
            self.requests.remove(id);
            self.note_failure(one, Failure::Behind { index, wanted });
        }
        is_behind
    }

    /// A question of the comparison ended without an event.
    pub(super) fn on_nothing(&mut self, id: RequestId, one: &InFlight<V2Request>) {
        if self.reject_if_behind(id, one) {
            return;
        }
        match one.request {
            V2Request::Verify { .. } => self.on_found(one, None),
            _ => self.on_next(one, None),
        }
    }

    /// History no longer has the event that a comparison asked for.
    pub(super) fn on_comparison_cleared(&mut self) {
        match &mut self.identity.comparison {
            Some(comparison) if comparison.stage == V2ComparisonStage::Event => {
                comparison.stage = V2ComparisonStage::Key;
            }
            // Nor does it have the next event, and the watch itself will find that gap.
            _ => self.trust_store(),
        }
    }

    /// Compares the last event with the one that history has at its index.
    fn on_found(&mut self, one: &InFlight<V2Request>, found: Option<&Event>) {
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        let asked = &comparison.last.event;
        let is_elsewhere = found.is_none_or(|found| found.index() != asked.index);
        if found.is_some_and(|found| comparison.last.is(found)) {
            self.end_comparison();
        } else if is_elsewhere && self.endpoints.may_hide(one.endpoint, asked.index) {
            comparison.stage = V2ComparisonStage::Key;
        } else {
            self.mismatch(one, "it has another event at that index");
        }
    }

    /// Compares the key of the last event with how that event left it.
    pub(super) fn on_key_read(
        &mut self,
        one: &InFlight<V2Request>,
        index: Index,
        nodes: &[StateNode],
    ) {
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        if comparison.stage != V2ComparisonStage::Key {
            // It was asked before a failure, after which the comparison began anew.
            return;
        }
        let Last { event, stays } = &comparison.last;
        let (cursor, at_key) = (one.cursor, nodes.iter().find(|node| node.key == event.key));
        let is_as_left = match at_key {
            // A majority knows less than was known when it was asked: the store went back.
            _ if index < cursor.max(one.wanted) => Some(false),
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
            Some(true) => self.trust_store(),
            Some(false) => self.replace_store(Cause::IndexRewound, index),
            None => {
                comparison.stage = V2ComparisonStage::Next {
                    after: cursor,
                    before: index,
                };
            }
        }
    }

    /// Compares the last event with the next one at its key, where there is one.
    fn on_next(&mut self, one: &InFlight<V2Request>, next: Option<&Event>) {
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        let V2ComparisonStage::Next { after, .. } = &mut comparison.stage else {
            return;
        };
        if next.is_some_and(|next| !comparison.last.concerns(next)) {
            *after = next.map_or(*after, Event::index);
        } else if next.is_some_and(|next| comparison.last.precedes(next)) {
            self.trust_store();
        } else if self.endpoints.may_hide(one.endpoint, after.next())
            && self.endpoints.doubted().is_some()
        {
            // The member hides what became of the key, or this is another store: either is possible.
            self.trust_store();
            self.on_hidden(one);
        } else if let Some(next) = next.filter(|next| contradicts_itself(next)) {
            self.doubt(one, next.index());
        } else {
            self.mismatch(one, "its history goes on from another event");
        }
    }

    /// The answer is not that of the store that was watched. A member's history may be damaged after
    /// a snapshot (fact 16), so other members are asked too before the store counts as replaced.
    fn mismatch(&mut self, one: &InFlight<V2Request>, why: &str) {
        let Some(comparison) = &mut self.identity.comparison else {
            return;
        };
        comparison.mismatches += 1;
        if comparison.mismatches < MISMATCHES {
            // It answers, so that it is asked again soon, before history has moved on.
            self.endpoints.proved();
            self.close_where(|one| one.request.compares());
            self.note_failure(one, Failure::Cut(why.to_owned()));
            return;
        }
        let index = one.head.map(|(index, _)| index).unwrap_or_default();
        self.replace_store(Cause::IndexRewound, index);
    }
}
