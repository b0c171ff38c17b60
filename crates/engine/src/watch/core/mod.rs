//! The state and the steps that both sessions share.
//!
//! [`Core`] holds the parts that [`crate::v2::V2Session`] and [`crate::v3::V3Session`] share, and
//! what they do alike. What differs is in [`SessionApi`], which each of them implements.

mod failure;
mod gap;
mod release;
mod staleness;
mod store_check;

use std::time::Instant;

use crate::model::{Cause, Event, Index};
use crate::protocol::{Failure, Head};
use crate::watch::coverage::{Coverage, Released};
use crate::watch::endpoints::{ClusterMatch, Endpoints, Observed};
use crate::watch::freshness::Freshness;
use crate::watch::identity::{Last, StoreIdentity};
use crate::watch::in_flight::{InFlight, Requests, SessionRequest};
use crate::watch::mirror::Mirror;
use crate::watch::resync::{Reading, Resync};
use crate::watch::timers::{Timer, Timers};
use crate::watch::{
    AnyRequest, Input, NoProof, Notice, OnGap, Outcome, Plan, PlannedEnd, Position, RequestId,
    Start, Step, Update,
};

/// What differs between the APIs.
pub trait SessionApi: std::fmt::Debug + Sized {
    /// What is asked of a server.
    type Request: SessionRequest + Into<AnyRequest>;
    /// What a session does next.
    type Phase: Copy + std::fmt::Debug + PartialEq;
    /// The progress of a comparison of the store.
    type ComparisonStage: Clone + Copy + std::fmt::Debug + PartialEq + Eq;

    /// Whether events beyond the cursor stay valid when the store is in doubt: they came from one
    /// stream that has not broken since.
    const KEEPS_HELD_EVENTS: bool;
    /// Whether the oldest index is known only once the stream has come to it.
    const FINDS_OLDEST_LATE: bool;
    /// Whether a replay that follows goes on with the same stream, so that its end changes nothing.
    const FOLLOWS_BY_ITSELF: bool;
    /// Whether a key's index may change without an event, as where a time to live is refreshed.
    const HAS_SILENT_WRITES: bool;

    /// Takes one input.
    fn take(session: &mut Core<Self>, input: Input);
    /// Ends the waits that have nothing to wait for, which may show that events are lost.
    fn half_close_waits(_session: &mut Core<Self>) {}
    /// Gives up a stream that does not deliver what it should.
    fn give_up_stalled_stream(session: &mut Core<Self>);
    /// What the session does next.
    fn phase(session: &Core<Self>) -> Self::Phase;
    /// Does what is due in this phase, and sets the timers for what is due later.
    fn work(session: &mut Core<Self>, phase: Self::Phase);
    /// Forgets all that was learnt about a store that another one has replaced.
    fn forget_store(&mut self);
    /// Notes that a request failed.
    fn note_broken(&mut self, _request: &InFlight<Self::Request>, _now: Instant) {}
    /// Notes that the store's index is at least `index`.
    fn learn_index(&mut self, _index: Index, _now: Instant) {}
    /// Notes that events were lost. If a state is read for that, the stream begins anew.
    fn note_loss(_session: &mut Core<Self>) {}
    /// The last event that was reported, after these were.
    fn last_reported<'b>(
        before: Option<Last>,
        events: impl DoubleEndedIterator<Item = Event<'b>>,
    ) -> Option<Last>;
    /// Where a comparison with that event begins.
    fn first_stage(last: &Last) -> Self::ComparisonStage;
    /// The request of a comparison at this stage.
    fn comparison_request(
        session: &Core<Self>,
        stage: Self::ComparisonStage,
        last: &Last,
    ) -> Self::Request;
    /// The request that confirms that what is known is fresh.
    fn freshness_request(session: &Core<Self>) -> Self::Request;
    /// An event that a linearizable read reported and no stream has delivered yet, and since when
    /// the stream has delivered nothing.
    fn undelivered(&self, _cursor: Option<Index>) -> Option<(Index, Instant)> {
        None
    }
}

/// Where a watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchEnd {
    /// The watch ends at the store's index, which is still to be asked for.
    Unknown,
    /// The watch ends at this index.
    At(Index),
    /// There is no end, but reaching this index is reported.
    Through(Index),
    /// There is no end.
    Never,
}

/// Whether a start lies ahead of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAhead {
    /// It does not, or the store has come to it: an index below it is a rewind.
    No,
    /// It may.
    Maybe,
    /// It does, and a notice has reported it.
    Reported,
}

/// A session with one of the APIs: the state that both share, and that of the API.
#[derive(Debug)]
pub struct Core<A: SessionApi> {
    pub(crate) plan: Plan,
    pub(crate) now: Instant,
    steps: Vec<Step>,
    timers: Timers,
    pub(crate) endpoints: Endpoints,
    pub(crate) requests: Requests<A::Request>,
    /// None until a head says where "now" is, or where the oldest event is, or a state was read.
    pub(crate) coverage: Option<Coverage>,
    /// Whether the cursor has moved. From then on the start is certain.
    pub(crate) has_begun: bool,
    /// Unknown ranges up to here are asked about; beyond, a wait reports what happens.
    pub(crate) wanted: Index,
    /// The high-water mark: the newest index that the store is known to have.
    pub(crate) high_water: Index,
    pub(crate) start_ahead: StartAhead,
    pub(crate) end: WatchEnd,
    pub(crate) resync: Resync,
    pub(crate) mirror: Option<Mirror>,
    pub(crate) identity: StoreIdentity<A::ComparisonStage>,
    pub(crate) freshness: Freshness,
    /// Whether no wait was in flight because the reader of the output was behind, with the v2 API. The store
    /// may have been replaced meanwhile.
    pub(crate) was_reader_behind: bool,
    /// The oldest index that history was said to hold.
    pub(crate) oldest: Option<Index>,
    /// Why the whole store cannot be read, where it cannot.
    pub(crate) no_whole_store: Option<NoProof>,
    pub(crate) is_finished: bool,
    /// The phase of the previous call, to trace changes.
    phase: Option<A::Phase>,
    pub(crate) api: A,
}

impl<A: SessionApi> Core<A> {
    /// A session at the time `now`; its first request comes with the first [`Core::handle`].
    #[must_use]
    pub(crate) fn with(api: A, plan: Plan, now: Instant) -> Self {
        let first = match plan.start {
            Start::At(first) => Some(first),
            Start::Now | Start::Oldest => None,
        };
        let reads_state = plan.snapshot || plan.on_gap == OnGap::Diff || plan.expand;
        Self {
            now,
            steps: Vec::new(),
            timers: Timers::default(),
            endpoints: Endpoints::new(plan.endpoints, plan.seed, plan.cluster.clone()),
            requests: Requests::default(),
            coverage: first.map(|first| Coverage::new(first.previous())),
            has_begun: false,
            wanted: Index::ZERO,
            high_water: Index::ZERO,
            start_ahead: match first {
                Some(_) if plan.cluster.is_none() => StartAhead::Maybe,
                _ => StartAhead::No,
            },
            end: match plan.planned_end {
                PlannedEnd::Forever => WatchEnd::Never,
                PlannedEnd::Present { .. } => WatchEnd::Unknown,
            },
            resync: Resync::new(reads_state.then_some(Reading::Start)),
            mirror: None,
            identity: StoreIdentity::new(plan.last.clone()),
            freshness: Freshness::new(now, plan.seed),
            was_reader_behind: false,
            oldest: None,
            no_whole_store: None,
            is_finished: false,
            phase: None,
            api,
            plan,
        }
    }

    /// Handles one input at the time `now`, and returns the steps for the driver.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Step> {
        self.now = now;
        self.trace(&input);
        self.timers.clear();
        if !self.is_finished {
            A::take(self, input);
        }
        self.proceed();
        let is_answered = self.requests.values().any(|one| one.head.is_some());
        self.identity.note_answered(is_answered, now);
        self.check_invariants();
        std::mem::take(&mut self.steps)
    }

    /// Reports what is proven, and does what is due. Nothing follows the end of the watch.
    fn proceed(&mut self) {
        let steps: [fn(&mut Self); 4] = [
            A::half_close_waits,
            Self::release,
            A::give_up_stalled_stream,
            Self::work,
        ];
        for step in steps {
            if self.is_finished {
                return;
            }
            step(self);
        }
    }

    /// Does what is due in the present phase.
    fn work(&mut self) {
        self.watch_freshness();
        self.doubt_unwatched_store();
        let phase = A::phase(self);
        if self.phase.replace(phase) != Some(phase) {
            tracing::debug!(now = ?phase, "phase");
        }
        A::work(self, phase);
    }

    /// Waits until the backoff is over.
    pub(crate) fn back_off(&mut self) {
        if let Some(at) = self.endpoints.retry_at() {
            self.wake(Timer::Backoff, at);
        }
    }

    /// Traces why the session was woken.
    fn trace(&self, input: &Input) {
        match (input, self.timers.next()) {
            (Input::Tick, Some((at, timer))) if at <= self.now => tracing::trace!(?timer, "timer"),
            (Input::Head { id, head }, _) => {
                let request = self.requests.get(*id).map(|one| one.request.name());
                let index = head.index.unwrap_or_default().0;
                tracing::debug!(id = id.0, request, index, "head");
            }
            _ => {}
        }
    }

    /// What holds after each input.
    fn check_invariants(&self) {
        if self.is_finished {
            return;
        }
        debug_assert!(
            self.timers.next().is_some() || self.requests.values().len() > 0,
            "a session has a request in flight or a timer, or it would wait for ever"
        );
        debug_assert!(
            self.requests
                .values()
                .all(|one| one.endpoint < self.plan.endpoints),
            "a request is in flight to an endpoint of the plan"
        );
        debug_assert!(
            !self.has_begun || self.coverage.is_some(),
            "a watch that has begun has a cursor"
        );
        debug_assert!(
            self.resync.staged.is_none() || self.resync.reading.is_some(),
            "events are staged only while the state is read"
        );
    }

    /// When an [`Input::Tick`] is due if no other input comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.timers.next().map(|(at, _)| at)
    }

    pub(crate) fn cursor(&self) -> Option<Index> {
        self.coverage.as_ref().map(Coverage::cursor)
    }

    /// Everything up to here was reported.
    pub(crate) fn reported(&self) -> Option<Index> {
        match &self.resync.staged {
            Some(staged) => staged.reported,
            None => self.cursor(),
        }
    }

    /// Whether it is certain where the watch begins.
    pub(crate) fn knows_start(&self) -> bool {
        self.has_begun || self.plan.start != Start::Oldest || !A::FINDS_OLDEST_LATE
    }

    /// Unknown ranges up to here are asked about.
    pub(crate) fn asked_upto(&self) -> Index {
        match self.end {
            WatchEnd::At(end) => end,
            WatchEnd::Unknown | WatchEnd::Through(_) | WatchEnd::Never => self.wanted,
        }
    }

    /// Whether the watch goes on as a stream.
    pub(crate) fn is_following(&self) -> bool {
        matches!(self.end, WatchEnd::Through(_) | WatchEnd::Never)
    }

    /// Whether the watch goes on once the end of the replay is reached.
    pub(crate) fn follows(&self) -> bool {
        matches!(
            self.plan.planned_end,
            PlannedEnd::Present { follow: true, .. }
        )
    }

    /// The index at which the watch ends by itself, once that is known.
    pub(crate) fn last_index(&self) -> Option<Index> {
        match self.end {
            WatchEnd::At(end) => Some(end),
            WatchEnd::Unknown | WatchEnd::Through(_) | WatchEnd::Never => None,
        }
    }

    /// The index at which the watch ends by itself at the latest, as far as that is known.
    pub(crate) fn planned_last(&self) -> Option<Index> {
        match self.plan.planned_end {
            PlannedEnd::Present { to, follow: false } if self.end == WatchEnd::Unknown => to,
            _ => self.last_index(),
        }
    }

    /// Whether the last known state is kept.
    pub(crate) fn keeps_state(&self) -> bool {
        self.plan.on_gap == OnGap::Diff || self.plan.expand
    }

    /// Whether a server would report what is written now.
    pub(crate) fn is_registered(&self) -> bool {
        let mut requests = self.requests.values();
        requests.any(|one| one.request.reports_new_events() && one.head.is_some())
    }

    /// Sends a request unless one of its name is in flight, or may not be sent now; whether it was sent.
    pub(crate) fn ensure(&mut self, request: A::Request) -> bool {
        let name = request.name();
        !self.requests.has(|other| other.name() == name) && self.send(request)
    }

    /// Sends a request if that may be done now; whether it was sent.
    pub(crate) fn send(&mut self, request: A::Request) -> bool {
        let (endpoint, epoch) = self.endpoints.current();
        let is_unheard = |one: &InFlight<_>| one.head.is_none() && one.epoch == epoch;
        if self.endpoints.is_shaky() && self.requests.values().any(is_unheard) {
            return false;
        }
        if let Some(at) = self.requests.not_before(request.name())
            && at > self.now
        {
            self.wake(Timer::Pace, at);
            return false;
        }
        let cursor = if request.is_about_reported() {
            self.reported()
        } else {
            self.cursor()
        };
        let id = self.requests.add(InFlight {
            request: request.clone(),
            endpoint,
            epoch,
            sent_at: self.now,
            cursor: cursor.unwrap_or_default(),
            wanted: self.asked_upto(),
            head: None,
            progress: <A::Request as SessionRequest>::Progress::default(),
        });
        let (name, after) = (request.name(), self.cursor().unwrap_or_default().0);
        tracing::debug!(id = id.0, request = name, endpoint, after, "send");
        self.steps.push(Step::Send {
            id,
            endpoint,
            request: request.into(),
        });
        true
    }

    /// Half-closes the connection of a request.
    pub(crate) fn half_close(&mut self, id: RequestId) {
        tracing::debug!(id = id.0, "half-close");
        self.steps.push(Step::HalfClose(id));
    }

    /// Gives a request up, with its connection.
    pub(crate) fn close(&mut self, id: RequestId) {
        tracing::trace!(id = id.0, "close");
        self.requests.remove(id);
        self.steps.push(Step::Close(id));
    }

    /// Gives up all requests for which a condition holds.
    pub(crate) fn close_where(&mut self, condition: impl Fn(&InFlight<A::Request>) -> bool) {
        let chosen = self.requests.iter().filter(|(_, one)| condition(one));
        for id in chosen.map(|(id, _)| id).collect::<Vec<_>>() {
            self.close(id);
        }
    }

    /// Passes something on to the consumer of the watch.
    pub(crate) fn report(&mut self, update: Update) {
        match &update {
            Update::Gap(gap) if gap.to.is_none() => self.resync.reported_from = gap.index,
            Update::Synced(index) => self.resync.reported_from = *index,
            // After a gap, the state may lie beyond where a replay ends.
            Update::Position(position)
                if position
                    .index
                    .is_some_and(|index| index < self.resync.reported_from) =>
            {
                return;
            }
            _ => {}
        }
        self.steps.push(Step::Report(update));
    }

    /// Reports how far the watch has come: to `index`, where an index of this store is known.
    pub(crate) fn report_position(&mut self, index: Option<Index>) {
        self.report(Update::Position(Position {
            cluster: self.endpoints.cluster().cloned(),
            index,
            last: self.identity.last_fingerprint(),
        }));
    }

    /// Ends the watch because an endpoint answered in a way that nothing can be done about.
    pub(crate) fn fail(&mut self, endpoint: usize, failure: Failure) {
        self.finish(Outcome::Failed(vec![(endpoint, failure)]));
    }

    /// Ends the watch.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.is_finished = true;
        self.steps.push(Step::Report(Update::Finished(outcome)));
    }

    /// Sets a timer.
    pub(crate) fn wake(&mut self, timer: Timer, at: Instant) {
        self.timers.set(timer, at);
    }

    /// The session is to look again at once, with the next input.
    pub(crate) fn wake_now(&mut self) {
        self.wake(Timer::Now, self.now);
    }

    /// Takes the head of a reply; the store's index, where the reply is of use.
    pub(crate) fn take_head(&mut self, id: RequestId, head: &Head) -> Option<Index> {
        let endpoint = self.requests.get(id)?.endpoint;
        if !self.identify(id, endpoint, head) {
            return None;
        }
        let Some(index) = head.index else {
            let failure = Failure::NotEtcd("the reply has no X-Etcd-Index".to_owned());
            if let Some(one) = self.requests.get(id).cloned() {
                self.close(id);
                self.note_failure(&one, failure);
            }
            return None;
        };
        self.endpoints.answered();
        self.identity.note_reply();
        self.learn(index);
        Some(index)
    }

    /// The store has said that its index is at least `index`.
    pub(crate) fn learn(&mut self, index: Index) {
        self.high_water = self.high_water.max(index);
        self.api.learn_index(index, self.now);
    }

    /// Compares the cluster's id; false where the reply is of no use.
    pub(crate) fn identify(&mut self, id: RequestId, endpoint: usize, head: &Head) -> bool {
        let is_first = !self.endpoints.has_cluster();
        let identity = self.endpoints.identify(endpoint, head.cluster.as_deref());
        let is_same = match identity {
            ClusterMatch::Same => {
                if is_first && head.cluster.is_some() {
                    self.report_position(None);
                }
                true
            }
            ClusterMatch::Changed => {
                self.replace_store(Cause::ClusterChanged, head.index.unwrap_or_default());
                false
            }
            ClusterMatch::Foreign => {
                self.report(Update::Notice(Notice::OtherCluster { endpoint }));
                self.close(id);
                false
            }
            ClusterMatch::NoneLeft => {
                self.fail(endpoint, Failure::OtherCluster);
                false
            }
        };
        if !is_same {
            // It counts once this is the cluster that is watched.
            self.observe(endpoint, head, None);
        }
        is_same
    }

    /// Notes the raft index of a member. Returns the index up to which its history may be damaged, if
    /// the raft index jumped.
    pub(crate) fn observe(
        &mut self,
        endpoint: usize,
        head: &Head,
        agreed: Option<RequestId>,
    ) -> Option<Index> {
        let index = head.index.unwrap_or_default();
        let (behind, now) = (self.plan.raft_jump, self.now);
        let observed = Observed {
            last_sent: self.requests.last(),
            agreed: agreed.map(|id| id.0),
        };
        self.endpoints
            .observe(endpoint, head.raft?, index, behind, observed, now)
    }

    /// A request that waits for events, or asks for history, is registered at `index`.
    pub(crate) fn compare_index(&mut self, one: &InFlight<A::Request>, index: Index) {
        if index >= one.cursor {
            self.start_ahead = StartAhead::No;
        } else if self.start_ahead != StartAhead::No {
            self.report_ahead(one.cursor, index);
        } else if !self.is_replacing_store() {
            // Either the member lags or the store went back. A linearizable read shows which.
            self.ensure(A::Request::REWIND);
        }
    }

    /// The answer to the question whether the store's index went back.
    pub(crate) fn on_rewind(&mut self, one: &InFlight<A::Request>, index: Index, head: &Head) {
        if index < one.cursor {
            self.replace_store(Cause::IndexRewound, index);
            self.observe(one.endpoint, head, None);
        }
    }

    /// A majority has answered whether what is known is fresh. A majority that knows less than was known
    /// when it was asked is that of a store that went back: without this, the session would wait for
    /// ever for a member that knows as much.
    pub(crate) fn on_fresh(&mut self, one: &InFlight<A::Request>, index: Index, head: &Head) {
        if index < one.wanted {
            self.replace_store(Cause::IndexRewound, index);
            self.observe(one.endpoint, head, None);
        } else {
            self.note_fresh(one.sent_at);
            self.freshness.note_answer();
        }
    }

    fn report_ahead(&mut self, cursor: Index, index: Index) {
        if self.start_ahead != StartAhead::Reported {
            self.start_ahead = StartAhead::Reported;
            let from = cursor.next();
            self.report(Update::Notice(Notice::Ahead { from, index }));
        }
    }

    /// The store's index at the start is known: there a replay ends.
    pub(crate) fn on_end(&mut self, index: Index) {
        let PlannedEnd::Present { to, .. } = self.plan.planned_end else {
            return;
        };
        let end = to.map_or(index, |to| to.min(index));
        let goes_on = A::FOLLOWS_BY_ITSELF && self.follows();
        if let Some(from) = self.cursor() {
            if from >= index && self.start_ahead != StartAhead::No {
                self.report_ahead(from, index);
            }
            // A stream that goes on may need long to find that it has reached the end.
            if !goes_on {
                self.report(Update::Target { from, to: end });
            }
        }
        self.end = if goes_on {
            WatchEnd::Through(end)
        } else {
            WatchEnd::At(end)
        };
    }

    /// Begins at the oldest event that history has: the first after `cursor`.
    pub(crate) fn begin_at_oldest(&mut self, cursor: Index) {
        self.coverage = Some(Coverage::new(cursor));
        if let Some(mirror) = &mut self.mirror {
            mirror.skip(cursor);
        }
        let (WatchEnd::At(to) | WatchEnd::Through(to)) = self.end else {
            return;
        };
        self.report(Update::Target { from: cursor, to });
        if to <= cursor {
            let oldest = cursor.next();
            self.report(Update::Notice(Notice::BeforeOldest { oldest, to }));
            // What the next run misses from here on is a gap.
            self.report_position(Some(cursor));
        }
    }

    /// What was staged for a state that has been reported since.
    pub(crate) fn take_released(&mut self) -> Option<Vec<Released>> {
        self.resync.released.take()
    }
}
