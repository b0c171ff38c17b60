//! What is done about a gap, and reading the state.

use super::{Open, Purpose, Reading, Session, Staged};
use crate::model::{Cause, Fingerprint, Gap, Index, StateNode};
use crate::watch::ledger::Ledger;
use crate::watch::mirror::Mirror;
use crate::watch::{Failure, OnGap, Outcome, Start, Ticket, Update};

impl Session {
    /// Events after the cursor up to `upto` can't be known any more, for `cause`.
    pub(super) fn lose(&mut self, upto: Index, cause: Cause) {
        match self.plan.on_gap {
            OnGap::Resync | OnGap::Diff => {
                if let Some(staged) = &mut self.staged {
                    staged.is_behind = true;
                } else if self.cursor().is_some_and(|cursor| cursor < upto) {
                    self.reading = Some(Reading::Gap(cause, Some(upto)));
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
        self.endpoints.forget();
        self.tell(Update::Last(None));
        if !self.following {
            self.target = None;
        }
        let Some(cursor) = self.told() else { return };
        if self.staged.take().is_some() {
            self.ledger = Some(Ledger::new(cursor));
        }
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
                self.tell(Update::Position(index));
            }
            OnGap::Resync | OnGap::Diff => self.reading = Some(Reading::Gap(cause, None)),
        }
    }

    /// Whether the state is to be read: not for a gap that was closed in the meantime by what
    /// had been asked before.
    pub(super) fn is_reading(&mut self) -> bool {
        if let Some(Reading::Gap(_, Some(upto))) = self.reading
            && self.staged.is_none()
            && self.cursor() >= Some(upto)
        {
            self.reading = None;
            self.close_where(|open| open.purpose == Purpose::State);
        }
        self.reading.is_some()
    }

    /// The state was read.
    pub(super) fn on_state(&mut self, ticket: Ticket, nodes: Vec<StateNode>) {
        let Some(open) = self.open.get(&ticket).cloned() else {
            return;
        };
        let Some((index, _)) = open.head else {
            return;
        };
        if open.purpose == Purpose::Look {
            self.on_looked(&open, index, &nodes);
            return;
        }
        if !self.is_reading() {
            return;
        }
        let Some(reading) = self.reading else {
            return;
        };
        let is_later = matches!(reading, Reading::Gap(_, Some(_)));
        if index < open.cursor && is_later {
            // A majority that knows less than was told already: the store went back.
            self.reading = None;
            self.begin_anew(Cause::IndexRewound, index);
            return;
        }
        // What was asked before may have brought more in the meantime.
        let wanted = open.wanted.max(self.told().unwrap_or_default());
        if index < wanted && is_later {
            self.close(ticket);
            self.note_failure(&open, Failure::Behind { index, wanted });
            return;
        }
        self.reading = None;
        self.endpoints.proved();
        match reading {
            Reading::Start => self.begin_with_state(nodes, index),
            Reading::Gap(cause, _) => self.resync(cause, nodes, index),
        }
    }

    /// Whether the watch begins where the state is read.
    fn takes_over(&self) -> bool {
        self.plan.snapshot || self.plan.start == Start::Now
    }

    /// The head of the state came: what happens after its index is asked for from now on, and
    /// told after the state.
    pub(super) fn stage(&mut self, ticket: Ticket, index: Index) {
        let told = self.told();
        let same_positions = match self.reading {
            Some(Reading::Start) if self.takes_over() => false,
            Some(Reading::Start) => {
                // It goes on from where it begins; the state is to compare with alone.
                self.staged.get_or_insert(Staged {
                    told,
                    passed: Vec::new(),
                    is_behind: false,
                });
                return;
            }
            Some(Reading::Gap(_, upto)) => upto.is_some(),
            None => return,
        };
        let wanted = self
            .open
            .get(&ticket)
            .map(|open| open.wanted.max(open.cursor));
        if same_positions && wanted.max(told) > Some(index) {
            // It will be of no use.
            return;
        }
        let is_first = self.staged.is_none();
        let staged = self.staged.get_or_insert(Staged {
            told,
            passed: Vec::new(),
            is_behind: false,
        });
        staged.is_behind = false;
        staged.passed.retain(|passed| passed.upto() > index);
        match &mut self.ledger {
            Some(ledger) if same_positions || !is_first => ledger.settle(index),
            ledger => *ledger = Some(Ledger::new(index)),
        }
    }

    /// The state at `index` was told: what happened since comes next.
    fn take_over(&mut self, index: Index, same_positions: bool) {
        if let Some(staged) = self.staged.take() {
            self.passed = staged.passed;
            return;
        }
        match &mut self.ledger {
            Some(ledger) if same_positions => ledger.settle(index),
            ledger => *ledger = Some(Ledger::new(index)),
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
        if self.takes_over() {
            self.take_over(index, false);
            self.begun = true;
            self.tell(Update::Position(index));
        } else if let Some(staged) = self.staged.take() {
            self.passed = staged.passed;
        }
    }

    fn resync(&mut self, cause: Cause, nodes: Vec<StateNode>, index: Index) {
        let Some(cursor) = self.told() else { return };
        let state = Mirror::new(self.plan.scope.key.clone(), nodes.clone(), index);
        let same_positions = matches!(cause, Cause::HistoryCleared | Cause::MemberUntrusted);
        // A state that was read later than where the gap begins says nothing of what changed.
        let changes = self
            .mirror
            .take()
            .filter(|mirror| mirror.index() <= cursor)
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
        self.endpoints.heed_jumps();
        self.mirror = self.keeps_state().then_some(state);
        self.last = None;
        self.tell(Update::Last(None));
        self.take_over(index, same_positions);
        self.begun = true;
        self.tell(Update::Position(index));
    }

    /// History, or what happens now, answers the question for the last event told.
    pub(super) fn on_found(&mut self, ticket: Ticket, head: Index, found: Option<&Fingerprint>) {
        let live = found.filter(|event| event.index > head);
        if let (Some(event), Some(open)) = (live, self.open.get(&ticket).cloned()) {
            // What happens now says nothing of the past.
            let (index, wanted) = (head, event.index);
            self.close(ticket);
            self.note_failure(&open, Failure::Behind { index, wanted });
            return;
        }
        self.on_verified(ticket, found);
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
        let is_hidden = |asked: &Fingerprint| {
            self.endpoints.may_hide(open.endpoint, asked.index)
                && found.is_none_or(|found| found.index != asked.index)
        };
        if self.verifying.as_ref().is_some_and(is_hidden) {
            self.too_old = true;
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

    /// Compares the key of the last event told with how that event left it: history no longer
    /// has the event.
    fn on_looked(&mut self, open: &Open, index: Index, nodes: &[StateNode]) {
        self.unverified = false;
        let (Some(event), Some(cursor)) = (self.verifying.take(), self.cursor()) else {
            return;
        };
        // Nothing happened to it since, but that its time to live may have been refreshed.
        let is_later = |node: &StateNode| node.modified > open.cursor || node.expiration.is_some();
        let is_other =
            |node: &StateNode| (node.modified, node.created) != (event.index, event.created);
        let mut found = nodes
            .iter()
            .filter(|node| node.key == event.key && !node.dir);
        let contradicts = |node: &StateNode| is_other(node) && !is_later(node);
        if index < open.cursor || found.any(contradicts) {
            self.begin_anew(Cause::IndexRewound, index);
        } else if let Some(ledger) = &mut self.ledger {
            // What is held may be of another store all the same.
            *ledger = Ledger::new(cursor);
        }
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
        if self.has(Purpose::Verify) || self.has(Purpose::Look) {
            return true;
        }
        let after = last.index.previous();
        if self.verifying.as_ref() != Some(last) {
            self.verifying = Some(last.clone());
            self.mismatches = 0;
        }
        if self.too_old {
            self.request(Purpose::Look, None);
        } else {
            self.request(Purpose::Verify, Some(after));
        }
        true
    }
}

/// So many answers in a row make a rebuilt store.
const MISMATCHES: u32 = 3;
