//! A session, its model server, and the consumer of its reports.

use std::time::{Duration, Instant};

use super::acts::{Act, Rebuild};
use super::checks::{Checks, Truth};
use super::server::Server;
use super::store::{DIRECTORY, HISTORY, KeyContent, Shown, Store, Watched, Write, oldest, text};
use super::wire::V2Call;
use crate::model::{Fingerprint, Index, Key, Scope};
use crate::testing;
use crate::watch::{
    Budget, Input, OnGap, Outcome, Permit, Plan, PlannedEnd, Session, Start, Step, Update,
};

/// The time between two writes of a burst.
const PACE: Duration = Duration::from_micros(200);

/// The number of bytes of events that may wait for the reader of the output.
const BUDGET: usize = 1 << 20;

pub struct World {
    pub server: Server,
    pub session: Session,
    pub checks: Checks,
    pub finished: Option<Outcome>,
    endpoints: usize,
    budget: Budget,
    /// The updates that a reader of the output has not taken yet.
    unread: Option<Permit>,
    /// The states that a slow reader has not read yet.
    pub unread_states: Option<Vec<Permit>>,
    /// Whether a request was ever answered.
    is_heard: bool,
    is_traced: bool,
    began: Instant,
}

impl World {
    pub fn new(mut plan: Plan, watched: Watched, members: usize, before: &[Write]) -> Self {
        plan.scope = Scope::new(
            Key::parse(watched.key()).expect("a key"),
            watched.is_recursive(),
        );
        let now = testing::now();
        let begins = match plan.start {
            Start::Now => None,
            Start::At(first) => Some(first.previous().0),
            Start::Oldest => Some(0),
        };
        let server = Server::new(&plan, members, Store::new(watched, before), now);
        Self {
            server,
            endpoints: plan.endpoints,
            budget: plan.budget.clone(),
            unread: None,
            unread_states: None,
            checks: Checks::new(begins, plan.on_gap),
            session: Session::new(plan, now),
            finished: None,
            is_heard: false,
            is_traced: testing::is_traced(),
            began: now,
        }
    }

    /// A world with a watch that is live and has been idle for a while.
    pub fn quiet(writes: usize) -> Self {
        let plan = plan(Start::Now, PlannedEnd::Forever, 1);
        let mut world = Self::new(plan, Watched::Tree, 1, &vec![Write::Other; writes]);
        world.begin();
        world.run_for(Duration::from_millis(100));
        world
    }

    pub fn begin(&mut self) {
        self.feed(Input::Tick, None);
    }

    pub fn act(&mut self, act: &Act) {
        let server = &mut self.server;
        match act {
            Act::Burst(writes) => self.burst(writes),
            Act::Wait(milliseconds) => self.run_for(Duration::from_millis((*milliseconds).into())),
            Act::CutAll => server.cut_all(),
            Act::CutOne(which) => server.cut_one(*which),
            Act::Outage(milliseconds) => {
                server.refuse(Duration::from_millis((*milliseconds).into()));
            }
            Act::Down(which, milliseconds) => {
                let length = Duration::from_millis((*milliseconds).into());
                server.refuse_at(usize::from(*which) % self.endpoints, length);
            }
            Act::Stop(which) => server.stop(server.pick(*which)),
            Act::CatchUp(which) => server.catch_up(server.pick(*which)),
            Act::Snapshot(which) => server.snapshot(server.pick(*which)),
            Act::Install(which, reads) => server.install(server.pick(*which), (*reads).into()),
            Act::Restart(which) => server.restart(server.pick(*which)),
            Act::Skip(writes) => server.skip(writes),
            Act::EmptyEnds => server.end_waits(),
            Act::Stall(which) => server.stall_one(*which),
            Act::Lose(losses) => server.lose(losses),
            Act::Rebuild(rebuild) => self.rebuild(rebuild),
            Act::StopReading => self.unread = Some(self.budget.take(BUDGET)),
            Act::Read => self.unread = None,
        }
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        self.unread = None;
        self.server.heal();
    }

    /// Replaces the store while nothing else happens, so that the session can check the new store first.
    fn rebuild(&mut self, rebuild: &Rebuild) {
        if self.checks.position.is_none() || !self.is_heard {
            // The session knows nothing about the old store yet.
            return;
        }
        self.heal();
        // The reader of the output catches up first. A session that has closed every connection
        // because of slow output would notice no broken one.
        self.run_for(Duration::from_secs(1));
        let old = self.server.store();
        let count = (old.latest() * rebuild.percent / 100).max(1);
        let writes = rebuild.writes.iter().cycle();
        let mut writes: Vec<Write> = (0..count).zip(writes).map(|(_, write)| *write).collect();
        let mut store = old.anew(&writes);
        if self.is_cleared_by(&store) {
            // The session first reports the events that it holds beyond the cursor.
            self.run_for(Duration::from_secs(20));
        }
        while self.last_in(&store).is_some_and(|last| store.has(last)) {
            writes.insert(0, Write::Other);
            store = self.server.store().anew(&writes);
        }
        // A store with the same cluster ID is recognised by its index, by another event in place of
        // the last one, by the key of that event, or by a history that does not reach back. If none
        // of these applies, no client can recognise it, and the model gives the store another ID.
        let is_rewound = self.checks.position > Some(store.latest());
        let is_recognisable = is_rewound
            || self.last_in(&store).is_some()
            || self.is_recognisable_by_key(&store)
            || self.is_cleared_by(&store);
        if rebuild.other_cluster || !is_recognisable {
            store.cluster += 1;
        }
        self.server.rebuild(store);
        self.run_for(self.server.patience() / 4);
    }

    /// The last reported event, if the history of `store` has its index. A key of a state is compared by
    /// its key.
    fn last_in(&self, store: &Store) -> Option<&Fingerprint> {
        let range = oldest(store.latest())..=store.latest();
        let last = self.checks.last.as_ref();
        last.filter(|last| range.contains(&last.index.0) && !last.of_state)
    }

    /// Whether the key of the last event in `store` differs from what that event left, or the next event
    /// at the key contradicts it.
    fn is_recognisable_by_key(&self, store: &Store) -> bool {
        let (Some(last), Some(position)) = (&self.checks.last, self.checks.position) else {
            return false;
        };
        let own = self.server.store();
        let key = text(&last.key);
        let before = own.state_of(&key, position);
        let now = store.state_of(&key, store.latest());
        // A directory is created and removed with its keys.
        let is_directory = key == DIRECTORY;
        // A removed key may be missing in both stores.
        if is_directory || before.is_none() && now.is_none() {
            return false;
        }
        let created = |node: Option<KeyContent>| node.map(|node| node.created);
        let mut after = position + 1..=store.latest();
        match after.find(|index| store.in_history_of(&key, false, *index)) {
            // The session does not request such an event, or the event is about a directory and has no
            // values of its keys.
            Some(index) if !store.is_at(&key, index) => false,
            _ => created(before) != created(store.state_of(&key, position)),
        }
    }

    /// Whether the history of `store` does not reach back to the cursor.
    fn is_cleared_by(&self, store: &Store) -> bool {
        let next = self.checks.position.map(|position| position + 1);
        next < Some(oldest(store.latest()))
    }

    pub fn burst(&mut self, writes: &[Write]) {
        for write in writes {
            self.server.write(*write);
            self.run_for(PACE);
        }
    }

    /// Runs the session and the network for this long.
    pub fn run_for(&mut self, length: Duration) {
        let until = self.server.now + length;
        while self.finished.is_none() {
            let next = [self.server.next_arrival(), self.session.wake_at()];
            let next = next.into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else {
                break;
            };
            self.server.now = self.server.now.max(at);
            let Some((input, era, member)) = self.server.arrived() else {
                self.feed(Input::Tick, None);
                continue;
            };
            // Inputs from another store than the watched one are dropped.
            let is_heard = matches!(input, Input::Head { .. }) && era == self.checks.era;
            self.feed(input, Some(era));
            if is_heard {
                self.server.hear(member);
            }
        }
        self.server.now = self.server.now.max(until);
    }

    fn feed(&mut self, input: Input, era: Option<usize>) {
        self.is_heard |= matches!(input, Input::Head { .. });
        if self.is_traced && !matches!(input, Input::Tick) {
            let at = self.server.now.duration_since(self.began);
            eprintln!("{at:?} {input:?}");
        }
        for step in self.session.handle(input, self.server.now) {
            if self.is_traced {
                eprintln!("    {step:?}");
            }
            assert!(self.finished.is_none(), "a step follows the end: {step:?}");
            match step {
                Step::Send {
                    id,
                    endpoint,
                    request,
                } => self.server.open(id, endpoint, request.into()),
                Step::HalfClose(id) => self.server.half_close(id),
                Step::Close(id) => {
                    self.server.wires.remove(&id);
                }
                Step::Report(Update::Finished(outcome)) => self.finished = Some(outcome),
                Step::Report(mut update) => {
                    if let (Update::State { unread, .. }, Some(unread_states)) =
                        (&mut update, &mut self.unread_states)
                    {
                        let read = std::mem::replace(unread, self.budget.take(0));
                        unread_states.push(read);
                    }
                    let stores = &self.server.stores;
                    let raft_jump = self.server.raft_jump;
                    let truth = Truth {
                        stores,
                        era,
                        raft_jump,
                    };
                    self.checks.take(update, truth);
                }
            }
        }
    }

    /// The events that must be delivered up to `upto`.
    pub fn events(&self, upto: u64) -> Vec<u64> {
        let store = self.server.store();
        (1..=upto)
            .filter(|index| store.shown(*index) == Shown::Yes)
            .collect()
    }

    /// Whether the watch ended because no endpoint ever answered, which it may.
    pub fn is_hopeless(&self) -> bool {
        !self.is_heard && matches!(self.finished, Some(Outcome::Failed(_)))
    }

    /// Whether an open stream delivers events.
    pub fn has_stream(&self) -> bool {
        let mut wires = self.server.wires.values();
        wires.any(|wire| wire.call == V2Call::Stream && wire.registered)
    }
}

pub fn plan(start: Start, planned_end: PlannedEnd, seed: u64) -> Plan {
    Plan {
        scope: Scope::new(Key::parse(Watched::Tree.key()).expect("a key"), true),
        start,
        planned_end,
        stream: !matches!(planned_end, PlannedEnd::Present { follow: false, .. }),
        previous: true,
        on_gap: OnGap::Continue,
        snapshot: false,
        expand: false,
        stale_after: Duration::from_secs(30),
        cluster: None,
        last: None,
        endpoints: 1,
        history: HISTORY,
        raft_jump: u64::MAX,
        seed,
        budget: Budget::new(BUDGET),
    }
}

/// The first index of history.
pub const FIRST: Start = Start::At(Index(1));
