//! What is done about a gap, and reading the state.

use super::{Purpose, Reading, Session};
use crate::model::{Cause, Fingerprint, Gap, Index, StateNode};
use crate::watch::ledger::Ledger;
use crate::watch::mirror::Mirror;
use crate::watch::{Failure, OnGap, Outcome, Start, Ticket, Update};

impl Session {
    /// Events after the cursor up to `upto` can't be known any more, for `cause`.
    pub(super) fn lose(&mut self, upto: Index, cause: Cause) {
        match self.plan.on_gap {
            OnGap::Resync | OnGap::Diff => {
                if self.cursor().is_some_and(|cursor| cursor < upto) {
                    self.reading = Some(Reading::Gap(cause));
                }
            }
            OnGap::Continue | OnGap::Fail => {
                if let Some(ledger) = &mut self.ledger {
                    ledger.lose(upto, cause);
                }
            }
        }
    }

    /// The positions of a new store have nothing to do with those of the old one.
    pub(super) fn begin_anew(&mut self, cause: Cause, index: Index) {
        self.close_where(|_| true);
        self.wanted = Index::ZERO;
        self.known = index;
        self.renewal = None;
        self.last = None;
        self.unverified = false;
        self.mismatches = 0;
        self.tell(Update::Last(None));
        if !self.following {
            self.target = None;
        }
        let Some(cursor) = self.cursor() else { return };
        let gap = Gap {
            from: cursor.next(),
            to: None,
            certain: false,
            cause,
            index,
        };
        match self.plan.on_gap {
            OnGap::Fail => self.finish(Outcome::Lost { gap, oldest: None }),
            OnGap::Continue => {
                self.tell(Update::Gap(gap));
                self.ledger = Some(Ledger::new(index));
            }
            OnGap::Resync | OnGap::Diff => self.reading = Some(Reading::Gap(cause)),
        }
    }

    /// The state was read.
    pub(super) fn on_state(&mut self, ticket: Ticket, nodes: Vec<StateNode>) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        let (Some((index, _)), Some(reading)) = (open.head, self.reading) else {
            return;
        };
        let is_later = matches!(
            reading,
            Reading::Gap(Cause::HistoryCleared | Cause::MemberUntrusted)
        );
        if index < open.cursor && is_later {
            // A majority that knows less than was told already: the store went back.
            self.reading = None;
            self.begin_anew(Cause::IndexRewound, index);
            return;
        }
        if index < open.wanted && is_later {
            self.close(ticket);
            let wanted = open.wanted;
            self.note_failure(&open, Failure::Behind { index, wanted });
            return;
        }
        self.reading = None;
        self.endpoints.proved();
        match reading {
            Reading::Start => self.begin_with_state(nodes, index),
            Reading::Gap(cause) => self.resync(cause, nodes, index),
        }
    }

    fn begin_with_state(&mut self, nodes: Vec<StateNode>, index: Index) {
        let mirror = self
            .keeps_state()
            .then(|| Mirror::new(self.plan.scope.key.clone(), nodes.clone(), index));
        self.mirror = mirror;
        if self.plan.snapshot {
            self.tell(Update::State { index, nodes });
            self.tell(Update::Synced(index));
        }
        if self.plan.snapshot || self.plan.start == Start::Now {
            self.ledger = Some(Ledger::new(index));
            self.begun = true;
            self.tell(Update::Position(index));
        }
    }

    fn resync(&mut self, cause: Cause, nodes: Vec<StateNode>, index: Index) {
        let Some(cursor) = self.cursor() else { return };
        let state = Mirror::new(self.plan.scope.key.clone(), nodes.clone(), index);
        let same_positions = matches!(cause, Cause::HistoryCleared | Cause::MemberUntrusted);
        // A state that was read later than where the gap begins says nothing of what changed.
        let changes = self
            .mirror
            .take()
            .filter(|mirror| mirror.index() <= cursor || !same_positions)
            .map(|mirror| mirror.changes(&state));
        let is_new = |node: &StateNode| same_positions && node.created > cursor;
        let certain = match &changes {
            Some(changes) => !changes.is_empty(),
            None => nodes.iter().any(is_new),
        };
        self.tell(Update::Gap(Gap {
            from: cursor.next(),
            to: same_positions.then_some(index),
            certain,
            cause,
            index,
        }));
        match changes {
            Some(changes) if self.plan.on_gap == OnGap::Diff => {
                self.tell(Update::Changes { index, changes });
            }
            _ => {
                self.tell(Update::Reset(index));
                self.tell(Update::State { index, nodes });
            }
        }
        self.tell(Update::Synced(index));
        self.mirror = self.keeps_state().then_some(state);
        self.last = None;
        self.tell(Update::Last(None));
        match &mut self.ledger {
            Some(ledger) if same_positions => ledger.settle(index),
            ledger => *ledger = Some(Ledger::new(index)),
        }
        self.begun = true;
        self.tell(Update::Position(index));
    }

    /// Compares the last event told with what history has at its index.
    pub(super) fn on_verified(&mut self, ticket: Ticket, found: Option<&Fingerprint>) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        if found == self.verifying.as_ref() {
            self.unverified = false;
            self.mismatches = 0;
            return;
        }
        // A member's history may lie after a snapshot (fact 16): another one is asked too.
        self.mismatches += 1;
        if self.mismatches < MISMATCHES {
            self.close(ticket);
            let why = "it has another event at that index".to_owned();
            self.note_failure(&open, Failure::Cut(why));
            return;
        }
        let index = open.head.map(|(index, _)| index).unwrap_or_default();
        self.begin_anew(Cause::IndexRewound, index);
    }

    /// Whether nothing but the last event is asked for now.
    pub(super) fn is_verifying(&mut self) -> bool {
        if !self.unverified {
            return false;
        }
        let Some(last) = &self.last else {
            self.unverified = false;
            return false;
        };
        let after = last.index.previous();
        if !self.has(Purpose::Verify) {
            self.verifying = Some(last.clone());
            self.request(Purpose::Verify, Some(after));
        }
        true
    }
}

/// So many answers in a row make a rebuilt store.
const MISMATCHES: u32 = 2;
