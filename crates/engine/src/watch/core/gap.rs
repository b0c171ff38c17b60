//! What a session does about a gap, and how it reads the state again.

use super::{Core, SessionApi, WatchEnd};
use crate::model::{Cause, Gap, Index, StateNode};
use crate::protocol::Failure;
use crate::watch::coverage::Coverage;
use crate::watch::identity::Last;
use crate::watch::in_flight::SessionRequest;
use crate::watch::mirror::Mirror;
use crate::watch::resync::{Reading, Staged};
use crate::watch::{NoProof, Notice, OnGap, Outcome, RequestId, Start, Update};

impl<A: SessionApi> Core<A> {
    /// Events after the cursor up to `upto`, or up to the end of a replay, can no longer be known, for `cause`.
    pub(crate) fn lose(&mut self, upto: Index, cause: Cause) {
        let upto = self.planned_last().map_or(upto, |end| upto.min(end));
        tracing::debug!(upto = upto.0, cause = cause.name(), "events are lost");
        match self.plan.on_gap {
            OnGap::Resync | OnGap::Diff => {
                if let Some(staged) = &mut self.resync.staged {
                    staged.is_behind = true;
                } else if self.cursor().is_some_and(|cursor| cursor < upto) {
                    self.resync.reading = Some(Reading::Gap(cause, Some(upto)));
                }
                A::note_loss(self);
            }
            OnGap::Continue | OnGap::Fail => {
                if let Some(coverage) = &mut self.coverage {
                    coverage.lose(upto, cause);
                }
            }
        }
    }

    /// Ends a replay whose end could not be proven. Its position stays where the proof ends.
    pub(crate) fn end_unproven(&mut self, cursor: Index, end: Index) {
        if self.follows() {
            // The next event proves what lies before it.
            self.follow_on();
            self.wake_now();
            return;
        }
        let why = self.no_whole_store.unwrap_or(NoProof::NoNextEvent);
        self.report(Update::Notice(Notice::Unproven(why)));
        if matches!(self.plan.on_gap, OnGap::Resync | OnGap::Diff) {
            self.lose(end, Cause::Unproven);
            self.wake_now();
            return;
        }
        let gap = Gap {
            from: cursor.next(),
            to: Some(end),
            certain: false,
            cause: Cause::Unproven,
            index: end,
        };
        self.report(Update::Gap(gap.clone()));
        self.finish(match self.plan.on_gap {
            OnGap::Fail => Outcome::Lost { gap, oldest: None },
            _ => Outcome::Done,
        });
    }

    /// Declares that the store was replaced by one at `index`: all requests are closed, the old store is
    /// forgotten, and [`OnGap`] decides what follows.
    pub(crate) fn replace_store(&mut self, cause: Cause, index: Index) {
        tracing::debug!(
            index = index.0,
            cause = cause.name(),
            "the store was replaced"
        );
        self.close_where(|_| true);
        self.wanted = Index::ZERO;
        self.high_water = index;
        self.resync.reported_from = Index::ZERO;
        self.identity.forget();
        self.api.forget_store();
        self.freshness.forget_reported();
        self.endpoints.forget();
        self.report_position(None);
        if let WatchEnd::At(_) = self.end {
            self.end = WatchEnd::Unknown;
        }
        let Some(cursor) = self.reported() else {
            // Nothing was reported yet: the watch begins with this store.
            self.resync.staged = None;
            self.coverage = None;
            return;
        };
        if self.resync.staged.take().is_some() {
            self.coverage = Some(Coverage::new(cursor));
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
                self.report(Update::Gap(gap));
                self.coverage = Some(Coverage::new(index));
                self.has_begun = true;
                self.report_position(Some(index));
            }
            OnGap::Resync | OnGap::Diff => self.resync.reading = Some(Reading::Gap(cause, None)),
        }
    }

    /// The positions are those of another store than the events that were reported.
    pub(crate) fn is_replacing_store(&self) -> bool {
        matches!(self.resync.reading, Some(Reading::Gap(cause, _)) if !cause.keeps_positions())
    }

    /// Does not read the state for a gap that answers to earlier requests have closed.
    pub(super) fn drop_closed_gap(&mut self, cursor: Index) {
        if let Some(Reading::Gap(_, Some(upto))) = self.resync.reading
            && cursor >= upto
        {
            self.resync.reading = None;
            self.close_state();
        }
    }

    /// Gives up reading the state for now.
    pub(crate) fn close_state(&mut self) {
        self.close_where(|one| one.request == A::Request::STATE);
    }

    /// Asks for the state.
    pub(crate) fn ask_for_state(&mut self) {
        self.ensure(A::Request::STATE);
    }

    /// The state was read.
    pub(crate) fn on_state_read(&mut self, id: RequestId, nodes: Vec<StateNode>) {
        let Some(one) = self.requests.get(id).cloned() else {
            return;
        };
        let Some((index, _)) = one.head else {
            return;
        };
        let Some(reading) = self.resync.reading else {
            return;
        };
        let is_later = matches!(reading, Reading::Gap(_, Some(_)));
        if index < one.cursor.max(one.wanted) && is_later {
            // A majority knows less than was known when it was asked: the store went back.
            self.resync.reading = None;
            self.replace_store(Cause::IndexRewound, index);
            return;
        }
        // Answers to earlier requests may have brought more in the meantime. And history cannot have
        // been cleared further than the store has come.
        let cleared = match reading {
            Reading::Gap(_, upto) => upto.unwrap_or_default(),
            Reading::Start => Index::ZERO,
        };
        let wanted = one
            .wanted
            .max(self.reported().unwrap_or_default())
            .max(cleared);
        if index < wanted && is_later || index < self.resync.reported_from {
            self.close(id);
            self.note_failure(&one, Failure::Behind { index, wanted });
            return;
        }
        self.resync.reading = None;
        self.endpoints.proved();
        let nodes = self.plan.scope.select(nodes);
        match reading {
            Reading::Start => self.begin_with_state(nodes, index),
            Reading::Gap(cause, _) => self.resync(cause, nodes, index),
        }
    }

    /// Whether the watch begins where the state is read.
    pub(crate) fn starts_at_state(&self) -> bool {
        self.plan.snapshot || self.plan.start == Start::Now
    }

    /// The head of the state came: events after its index are asked for from now on, and reported
    /// after the state.
    pub(crate) fn stage_events(&mut self, id: RequestId, index: Index) {
        let reported = self.reported();
        let same_positions = match self.resync.reading {
            Some(Reading::Start) if self.starts_at_state() => false,
            Some(Reading::Start) => {
                // The watch goes on from its start; the state is only for comparisons.
                self.resync.staged.get_or_insert(Staged::new(reported));
                return;
            }
            Some(Reading::Gap(_, upto)) => upto.is_some(),
            None => return,
        };
        let wanted = self.requests.get(id);
        let wanted = wanted.map(|one| one.wanted.max(one.cursor));
        if same_positions && wanted.max(reported) > Some(index) {
            // The state is too old to be of use.
            return;
        }
        let is_first = self.resync.staged.is_none();
        let staged = self.resync.staged.get_or_insert(Staged::new(reported));
        staged.is_behind = false;
        let released = std::mem::take(&mut staged.released).into_iter();
        staged.released = released
            .filter_map(|released| released.beyond(index))
            .collect();
        match &mut self.coverage {
            Some(coverage) if same_positions || !is_first => coverage.skip_to(index),
            coverage => *coverage = Some(Coverage::new(index)),
        }
    }

    /// The state at `index` was reported: events since then come next.
    fn continue_after_state(&mut self, index: Index, same_positions: bool) {
        if let Some(staged) = self.resync.staged.take() {
            self.resync.released = Some(staged.released);
            return;
        }
        match &mut self.coverage {
            Some(coverage) if same_positions => coverage.skip_to(index),
            coverage => *coverage = Some(Coverage::new(index)),
        }
    }

    fn begin_with_state(&mut self, nodes: Vec<StateNode>, index: Index) {
        let last = Last::of_state(&nodes);
        let start = self.reported().unwrap_or(index);
        self.mirror = self.keeps_state().then(|| {
            let mut mirror = Mirror::new(self.plan.scope.clone(), nodes.clone(), index);
            // Between a state and a start that lies ahead of it, nothing is reported.
            mirror.skip(start);
            mirror
        });
        if self.plan.snapshot {
            self.report_state(index, nodes);
            self.report(Update::Synced(index));
        }
        if self.starts_at_state() {
            self.continue_after_state(index, false);
            self.has_begun = true;
            self.identity.replace_last(last);
            self.report_position(Some(index));
        } else if let Some(staged) = self.resync.staged.take() {
            self.resync.released = Some(staged.released);
        }
        if self.resync.released.is_none() {
            self.begin_live();
        }
    }

    fn resync(&mut self, cause: Cause, nodes: Vec<StateNode>, index: Index) {
        let Some(cursor) = self.reported() else {
            return;
        };
        let last = Last::of_state(&nodes);
        let state = Mirror::new(self.plan.scope.clone(), nodes.clone(), index);
        let same_positions = cause.keeps_positions();
        let changes = self
            .mirror
            .take()
            .filter(|mirror| mirror.has_changes_since(cursor))
            .map(|mirror| mirror.changes(&state));
        // With the v2 API a refreshed time to live changes the index of a key, and is no event.
        let is_written = |node: &StateNode| {
            same_positions
                && (node.created > cursor || !A::HAS_SILENT_WRITES && node.modified > cursor)
        };
        let certain = match &changes {
            Some(changes) if !changes.is_empty() => true,
            Some(_) if A::HAS_SILENT_WRITES => false,
            _ => nodes.iter().any(is_written),
        };
        self.report(Update::Gap(Gap {
            from: cursor.next(),
            to: same_positions.then_some(index),
            certain,
            cause,
            index,
        }));
        match changes {
            Some(changes) if self.plan.on_gap == OnGap::Diff => {
                let unread = self.resync.states.take(1);
                self.report(Update::Changes {
                    index,
                    changes,
                    unread,
                });
            }
            _ => {
                self.report(Update::Reset(index));
                self.report_state(index, nodes);
            }
        }
        self.report(Update::Synced(index));
        self.endpoints.mark_raft_indexes_old();
        self.mirror = self.keeps_state().then_some(state);
        self.continue_after_state(index, same_positions);
        self.has_begun = true;
        self.identity.replace_last(last);
        self.report_position(Some(index));
        if self.resync.released.is_none() {
            self.begin_live();
        }
    }

    fn report_state(&mut self, index: Index, nodes: Vec<StateNode>) {
        let unread = self.resync.states.take(1);
        self.report(Update::State {
            index,
            nodes,
            unread,
        });
    }
}
