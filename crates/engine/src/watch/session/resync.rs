//! What is done about a gap, and reading the state.

use super::compare::Last;
use super::{Past, Purpose, Reading, Session, Staged};
use crate::model::{Cause, Gap, Index, StateNode};
use crate::protocol::Failure;
use crate::watch::ledger::Ledger;
use crate::watch::mirror::Mirror;
use crate::watch::{OnGap, Outcome, Start, Ticket, Update};

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
        self.floor = Index::ZERO;
        self.renewal = None;
        self.last = None;
        self.unverified = false;
        self.comparison = None;
        self.past = Past::default();
        self.untold = None;
        self.told_state = None;
        self.reads_whole_store = false;
        self.endpoints.forget();
        self.tell(Update::Last(None));
        if !self.following {
            self.target = None;
        }
        let Some(cursor) = self.told() else {
            // Nothing was told yet: it begins with this store.
            self.staged = None;
            self.ledger = None;
            return;
        };
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
                self.begun = true;
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
        match open.purpose {
            Purpose::Look => {
                self.on_looked(&open, index, &nodes);
                return;
            }
            Purpose::Verify => {
                self.on_kept(ticket, index, &nodes);
                return;
            }
            Purpose::Fresh => {
                self.on_looked_for(ticket, &nodes);
                return;
            }
            Purpose::Owed => {
                self.on_owed(ticket, &nodes);
                return;
            }
            Purpose::Left => {
                self.on_left(ticket, &nodes);
                return;
            }
            _ => {}
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
        // What was asked before may have brought more in the meantime. Nor can history have been
        // cleared further than the store has come.
        let cleared = match reading {
            Reading::Gap(_, upto) => upto.unwrap_or_default(),
            Reading::Start => Index::ZERO,
        };
        let wanted = open
            .wanted
            .max(self.told().unwrap_or_default())
            .max(cleared);
        if index < wanted && is_later || index < self.floor {
            self.close(ticket);
            self.note_failure(&open, Failure::Behind { index, wanted });
            return;
        }
        self.reading = None;
        self.endpoints.proved();
        let nodes = self.plan.scope.select(nodes);
        match reading {
            Reading::Start => self.begin_with_state(nodes, index),
            Reading::Gap(cause, _) => self.resync(cause, nodes, index),
        }
    }

    /// Whether the watch begins where the state is read.
    pub(super) fn takes_over(&self) -> bool {
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
        let passed = std::mem::take(&mut staged.passed).into_iter();
        staged.passed = passed.filter_map(|passed| passed.beyond(index)).collect();
        match &mut self.ledger {
            Some(ledger) if same_positions || !is_first => ledger.settle(index),
            ledger => *ledger = Some(Ledger::new(index)),
        }
    }

    /// The state at `index` was told: what happened since comes next.
    fn take_over(&mut self, index: Index, same_positions: bool) {
        if let Some(staged) = self.staged.take() {
            self.passed = Some(staged.passed);
            return;
        }
        match &mut self.ledger {
            Some(ledger) if same_positions => ledger.settle(index),
            ledger => *ledger = Some(Ledger::new(index)),
        }
    }

    fn begin_with_state(&mut self, nodes: Vec<StateNode>, index: Index) {
        let last = Last::of_state(&nodes);
        let start = self.told().unwrap_or(index);
        self.mirror = self.keeps_state().then(|| {
            let mut mirror = Mirror::new(self.plan.scope.clone(), nodes.clone(), index);
            // Between a state and a start that lies ahead of it, nothing is told.
            mirror.skip(start);
            mirror
        });
        if self.plan.snapshot {
            self.tell_state(index, nodes);
            self.tell(Update::Synced(index));
        }
        if self.takes_over() {
            self.take_over(index, false);
            self.begun = true;
            self.tell_last(last);
            self.tell(Update::Position(index));
        } else if let Some(staged) = self.staged.take() {
            self.passed = Some(staged.passed);
        }
        if self.passed.is_none() {
            self.begin_live();
        }
    }

    fn resync(&mut self, cause: Cause, nodes: Vec<StateNode>, index: Index) {
        let Some(cursor) = self.told() else { return };
        let last = Last::of_state(&nodes);
        let state = Mirror::new(self.plan.scope.clone(), nodes.clone(), index);
        let same_positions = cause.keeps_positions();
        let changes = self
            .mirror
            .take()
            .filter(|mirror| mirror.tells_since(cursor))
            .map(|mirror| mirror.changes(&state));
        // With the v2 API a refreshed time to live changes the index of a key, and is no event.
        let is_v3 = self.is_v3();
        let is_written = |node: &StateNode| {
            same_positions && (node.created > cursor || is_v3 && node.modified > cursor)
        };
        let certain = match &changes {
            Some(changes) if !changes.is_empty() => true,
            Some(_) if !is_v3 => false,
            _ => nodes.iter().any(is_written),
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
                let unread = self.states.take(1);
                self.tell(Update::Changes {
                    index,
                    changes,
                    unread,
                });
            }
            _ => {
                self.tell(Update::Reset(index));
                self.tell_state(index, nodes);
            }
        }
        self.tell(Update::Synced(index));
        self.endpoints.heed_jumps();
        self.mirror = self.keeps_state().then_some(state);
        self.take_over(index, same_positions);
        self.begun = true;
        self.tell_last(last);
        self.tell(Update::Position(index));
    }

    /// A state was told, of which this is the last that happened. Its position comes next, and
    /// none that was told before goes with it.
    fn tell_last(&mut self, last: Option<Last>) {
        self.tell(Update::Last(None));
        self.last = last;
        let last = self.last.as_ref().map(|last| last.event.clone());
        self.tell(Update::Last(last));
    }

    fn tell_state(&mut self, index: Index, nodes: Vec<StateNode>) {
        let unread = self.states.take(1);
        self.tell(Update::State {
            index,
            nodes,
            unread,
        });
    }
}
