//! A session against a model of etcd that has its quirks, for any schedule of writes and
//! faults.
//!
//! The model server does what etcd-facts.md measured: a stream that falls behind goes mute
//! (fact 4), a snapshot install skips events for waiting watchers (fact 5), history gives
//! hidden keys and the deletes of directories with a shorter name (fact 7), refreshes take an
//! index and are no event (fact 9), old history is cleared (fact 10), and a half-closed wait
//! ends (fact 17). Members behind one address may lag behind one another.
//!
//! What is checked: everything that is delivered is true, in order and once; what is missing
//! was declared before anything later; where the server could still tell, nothing is declared;
//! in the end everything arrives; and no schedule makes the session ask in a hot loop.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{
    Ask, Budget, End, Failure, Input, OnGap, Outcome, Parcel, Plan, Session, Start, Step, Ticket,
    Until, Update,
};
use crate::model::{Change, Gap, Index, Key, Scope, StateNode};
use crate::protocol::{Fault, Head, Refusal, v2};

/// How many indexes the model's history holds.
const HISTORY: u32 = 60;
/// How many events may wait for a stream before the server drops it.
const PENDING: usize = 5;
/// One way through the network.
const LATENCY: Duration = Duration::from_millis(1);

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// A key in scope is set.
    Ours(u8),
    /// A key in scope is removed.
    Delete(u8),
    /// A key elsewhere.
    Other,
    /// A hidden key below the scope.
    Hidden,
    /// The removal of a directory whose name is the beginning of the scope's.
    ShorterName,
    /// A refreshed time to live: an index, but no event.
    Refresh,
}

impl Write {
    fn key(self) -> String {
        match self {
            Self::Ours(name) | Self::Delete(name) => format!("/app/k{name}"),
            Self::Other | Self::Refresh => "/other".to_owned(),
            Self::Hidden => "/app/_hidden".to_owned(),
            Self::ShorterName => "/ap".to_owned(),
        }
    }

    fn is_in_scope(self) -> bool {
        matches!(self, Self::Ours(_) | Self::Delete(_))
    }

    fn in_history(self) -> bool {
        self.is_in_scope() || matches!(self, Self::Hidden | Self::ShorterName)
    }

    fn render(self, index: u64, created: u64) -> String {
        let (action, rest) = match self {
            Self::ShorterName => ("delete", r#""dir":true,"#.to_owned()),
            Self::Delete(_) => ("delete", String::new()),
            _ => ("set", format!("\"value\":\"{}\",", value(index))),
        };
        format!(
            "{{\"action\":\"{action}\",\"node\":{{\"key\":\"{}\",{rest}\
             \"modifiedIndex\":{index},\"createdIndex\":{created}}}}}\n",
            self.key()
        )
    }
}

/// The value that a write at `index` sets: few, so that a key gets the same one again.
fn value(index: u64) -> u64 {
    index % 3
}

/// Each key with its value, when it was created, and when it was changed last.
type State = BTreeMap<String, (u64, u64, u64)>;

/// The state after the first `index` of these writes.
fn state_at(writes: &[Write], index: u64) -> State {
    let mut state = State::new();
    for (at, write) in (1..=index).zip(writes) {
        match write {
            Write::Ours(_) => {
                let created = state
                    .get(&write.key())
                    .map_or(at, |(_, created, _)| *created);
                state.insert(write.key(), (value(at), created, at));
            }
            Write::Delete(_) => {
                state.remove(&write.key());
            }
            _ => {}
        }
    }
    state
}

/// What happens to the model world.
#[derive(Clone, Debug)]
enum Act {
    /// Writes, one after the other, within a moment.
    Burst(Vec<Write>),
    /// Time passes.
    Wait(u16),
    /// Every connection breaks.
    CutAll,
    /// One connection breaks.
    CutOne(u8),
    /// Nobody can connect for so many milliseconds.
    Outage(u16),
    /// A member stops to apply writes.
    Stop(u8),
    /// It applies them all, and its watchers see each.
    CatchUp(u8),
    /// It takes a snapshot instead, and its watchers see none of them.
    Snapshot(u8),
    /// Every member took writes by a snapshot: no watcher anywhere saw them.
    Skip(Vec<Write>),
    /// A proxy ends every wait with an empty body.
    EmptyEnds,
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        6 => (0u8..4).prop_map(Write::Ours),
        2 => (0u8..4).prop_map(Write::Delete),
        4 => Just(Write::Other),
        1 => Just(Write::Hidden),
        1 => Just(Write::ShorterName),
        1 => Just(Write::Refresh),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => proptest::collection::vec(write(), 1..12).prop_map(Act::Burst),
        2 => proptest::collection::vec(write(), 12..90).prop_map(Act::Burst),
        1 => proptest::collection::vec(Just(Write::Other), 1..90).prop_map(Act::Burst),
        8 => (1u16..60).prop_map(Act::Wait),
        2 => (60u16..9000).prop_map(Act::Wait),
        1 => Just(Act::CutAll),
        2 => any::<u8>().prop_map(Act::CutOne),
        1 => (1u16..3000).prop_map(Act::Outage),
        2 => any::<u8>().prop_map(Act::Stop),
        1 => any::<u8>().prop_map(Act::CatchUp),
        1 => any::<u8>().prop_map(Act::Snapshot),
        2 => proptest::collection::vec(write(), 1..6).prop_map(Act::Skip),
        1 => Just(Act::EmptyEnds),
    ]
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Now,
    History,
    Snapshot,
}

/// A connection of the model.
struct Wire {
    member: usize,
    ask: Ask,
    /// None: it was answered, or went mute.
    registered: bool,
    /// What is on its way, and when it arrives.
    queue: VecDeque<(Instant, Input)>,
}

struct World {
    now: Instant,
    /// The write at index i + 1.
    writes: Vec<Write>,
    /// How far each member has applied them.
    members: Vec<u64>,
    stopped: Vec<bool>,
    wires: BTreeMap<Ticket, Wire>,
    refuses_until: Option<Instant>,
    luck: fastrand::Rng,
    session: Session,
    budget: Budget,
    finished: Option<Outcome>,

    delivered: Vec<u64>,
    gaps: Vec<Gap>,
    opened: Vec<Instant>,
    /// Everything up to here was delivered or declared.
    position: u64,
    /// What a consumer has who applies the records in order: key and value.
    consumer: BTreeMap<String, u64>,
}

impl World {
    fn new(plan: Plan, members: usize, writes: Vec<Write>) -> Self {
        let now = Instant::now();
        let applied = writes.len() as u64;
        Self {
            now,
            writes,
            members: vec![applied; members],
            stopped: vec![false; members],
            wires: BTreeMap::new(),
            refuses_until: None,
            luck: fastrand::Rng::with_seed(plan.seed),
            budget: plan.budget.clone(),
            session: Session::new(plan, now),
            finished: None,
            delivered: Vec::new(),
            gaps: Vec::new(),
            opened: Vec::new(),
            position: 0,
            consumer: BTreeMap::new(),
        }
    }

    fn latest(&self) -> u64 {
        self.writes.len() as u64
    }

    fn act(&mut self, act: &Act) {
        let member = |which: &u8, world: &Self| usize::from(*which) % world.members.len();
        match act {
            Act::Burst(writes) => {
                for write in writes {
                    self.writes.push(*write);
                    for member in 0..self.members.len() {
                        if !self.stopped[member] {
                            self.apply(member);
                        }
                    }
                    self.run_for(Duration::from_micros(200));
                }
            }
            Act::Wait(milliseconds) => self.run_for(Duration::from_millis((*milliseconds).into())),
            Act::CutAll => {
                let tickets: Vec<Ticket> = self.wires.keys().copied().collect();
                for ticket in tickets {
                    self.cut(ticket);
                }
            }
            Act::CutOne(which) => {
                let count = self.wires.len().max(1);
                let ticket = self.wires.keys().nth(usize::from(*which) % count).copied();
                if let Some(ticket) = ticket {
                    self.cut(ticket);
                }
            }
            Act::Outage(milliseconds) => {
                let length = Duration::from_millis((*milliseconds).into());
                self.act(&Act::CutAll);
                self.refuses_until = Some(self.now + length);
            }
            // One member always keeps up: a cluster of which none does has no majority.
            Act::Stop(which) => {
                let member = member(which, self);
                if member > 0 {
                    self.stopped[member] = true;
                }
            }
            Act::CatchUp(which) => {
                let member = member(which, self);
                self.stopped[member] = false;
                while self.members[member] < self.latest() {
                    self.apply(member);
                }
            }
            Act::Snapshot(which) => {
                let member = member(which, self);
                self.stopped[member] = false;
                self.members[member] = self.latest();
            }
            Act::Skip(writes) => {
                self.writes.extend(writes);
                let latest = self.latest();
                self.members.fill(latest);
                self.stopped.fill(false);
            }
            Act::EmptyEnds => {
                let waits: Vec<Ticket> = self
                    .wires
                    .iter()
                    .filter(|(_, wire)| wire.registered)
                    .map(|(ticket, _)| *ticket)
                    .collect();
                for ticket in waits {
                    self.end(ticket, End::Clean);
                }
            }
        }
    }

    /// A member applies the next write, and tells its watchers.
    fn apply(&mut self, member: usize) {
        let index = self.members[member] + 1;
        self.members[member] = index;
        let write = self.write_at(index);
        let line = self.line(index);
        if write != Write::Refresh {
            self.alarm(member, &line);
        }
        if !write.is_in_scope() {
            return;
        }
        let at = self.now + LATENCY;
        for (ticket, wire) in &mut self.wires {
            if wire.member != member || !wire.registered {
                continue;
            }
            match &wire.ask {
                Ask::Stream => {
                    if wire.queue.len() >= PENDING {
                        wire.registered = false;
                        continue;
                    }
                    wire.queue
                        .push_back((at, events(*ticket, &line, &self.budget)));
                }
                Ask::Wait { from, .. } => {
                    if from.is_some_and(|from| index < from.0) {
                        continue;
                    }
                    wire.registered = false;
                    wire.queue
                        .push_back((at, events(*ticket, &line, &self.budget)));
                    let end = Input::Ended {
                        ticket: *ticket,
                        end: End::Clean,
                    };
                    wire.queue.push_back((at, end));
                }
                Ask::Index | Ask::State | Ask::Alarm => {}
            }
        }
    }

    /// The alarm hears of everything that is an event.
    fn alarm(&mut self, member: usize, line: &str) {
        let at = self.now + LATENCY;
        for (ticket, wire) in &mut self.wires {
            if wire.member == member && wire.registered && wire.ask == Ask::Alarm {
                wire.registered = false;
                wire.queue
                    .push_back((at, events(*ticket, line, &self.budget)));
                let (ticket, end) = (*ticket, End::Clean);
                wire.queue.push_back((at, Input::Ended { ticket, end }));
            }
        }
    }

    fn line(&self, index: u64) -> String {
        let write = self.write_at(index);
        let before = state_at(&self.writes, index - 1);
        let created = before
            .get(&write.key())
            .map_or(index, |(_, created, _)| *created);
        write.render(index, created)
    }

    fn write_at(&self, index: u64) -> Write {
        let position = usize::try_from(index - 1).expect("an index of the simulation");
        self.writes[position]
    }

    fn cut(&mut self, ticket: Ticket) {
        // What was on its way is lost with it.
        if let Some(wire) = self.wires.get_mut(&ticket) {
            wire.queue.clear();
        }
        self.end(ticket, End::Failed(Failure::Cut("cut".to_owned())));
    }

    fn end(&mut self, ticket: Ticket, end: End) {
        let at = self.now + LATENCY;
        if let Some(wire) = self.wires.get_mut(&ticket) {
            wire.registered = false;
            wire.queue.push_back((at, Input::Ended { ticket, end }));
        }
    }

    /// Runs the session and the network for so long.
    fn run_for(&mut self, length: Duration) {
        let until = self.now + length;
        while self.finished.is_none() {
            let arrival = self
                .wires
                .values()
                .filter_map(|wire| wire.queue.front().map(|(at, _)| *at))
                .min();
            let next = [arrival, self.session.wake_at()]
                .into_iter()
                .flatten()
                .min();
            let Some(at) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            let ready = self
                .wires
                .iter()
                .find(|(_, wire)| wire.queue.front().is_some_and(|(at, _)| *at <= self.now))
                .map(|(ticket, _)| *ticket);
            let input = ready
                .and_then(|ticket| self.wires.get_mut(&ticket)?.queue.pop_front())
                .map_or(Input::Tick, |(_, input)| input);
            if let Input::Ended { ticket, .. } = &input {
                self.wires.remove(ticket);
            }
            self.feed(input);
        }
        self.now = self.now.max(until);
    }

    fn feed(&mut self, input: Input) {
        for step in self.session.handle(input, self.now) {
            match step {
                Step::Open { ticket, ask, .. } => self.open(ticket, &ask),
                Step::HalfClose(ticket) => {
                    if self.wires.get(&ticket).is_some_and(|wire| wire.registered) {
                        self.end(ticket, End::Clean);
                    }
                }
                Step::Close(ticket) => {
                    self.wires.remove(&ticket);
                }
                Step::Tell(update) => self.take(update),
                Step::Finish(outcome) => self.finished = Some(outcome),
            }
        }
    }

    fn open(&mut self, ticket: Ticket, ask: &Ask) {
        self.opened.push(self.now);
        let member = self.luck.usize(..self.members.len());
        let at = self.now + 2 * LATENCY;
        let mut wire = Wire {
            member,
            ask: ask.clone(),
            registered: false,
            queue: VecDeque::new(),
        };
        if self.refuses_until.is_some_and(|until| self.now < until) {
            let failure = Failure::Unreachable("refused".to_owned());
            let end = End::Failed(failure);
            wire.queue.push_back((at, Input::Ended { ticket, end }));
            self.wires.insert(ticket, wire);
            return;
        }
        let index = match ask {
            Ask::Index | Ask::State => self.latest(),
            _ => self.members[member],
        };
        let head = Head {
            status: 200,
            index: Some(Index(index)),
            cluster: Some("c".to_owned()),
            raft: Some(index),
        };
        let clean = Input::Ended {
            ticket,
            end: End::Clean,
        };
        match ask {
            Ask::Index => {
                wire.queue.push_back((at, Input::Head { ticket, head }));
                wire.queue.push_back((at, clean));
            }
            Ask::State => {
                let directory = StateNode {
                    key: "/app".to_owned(),
                    value: None,
                    dir: true,
                    expiration: None,
                    ttl: None,
                    modified: Index::ZERO,
                    created: Index::ZERO,
                };
                let keys = state_at(&self.writes, index).into_iter().map(
                    |(key, (value, created, modified))| StateNode {
                        key,
                        value: Some(value.to_string()),
                        dir: false,
                        modified: Index(modified),
                        created: Index(created),
                        ..directory.clone()
                    },
                );
                let nodes = std::iter::once(directory.clone()).chain(keys).collect();
                wire.queue.push_back((at, Input::Head { ticket, head }));
                wire.queue.push_back((at, Input::State { ticket, nodes }));
                wire.queue.push_back((at, clean));
            }
            Ask::Stream | Ask::Alarm | Ask::Wait { from: None, .. } => {
                wire.queue.push_back((at, Input::Head { ticket, head }));
                wire.registered = true;
            }
            Ask::Wait {
                from: Some(from), ..
            } => {
                let oldest = (index + 1).saturating_sub(HISTORY.into()).max(1);
                if from.0 < oldest {
                    let fault = Fault {
                        code: v2::fault::INDEX_CLEARED,
                        message: "cleared".to_owned(),
                        cause: format!("the requested history has been cleared [{oldest}/{from}]"),
                        index: Index(index),
                    };
                    let refusal = Box::new(Refusal { fault, head });
                    let end = End::Failed(Failure::Refused(refusal));
                    wire.queue.push_back((at, Input::Ended { ticket, end }));
                } else {
                    wire.queue.push_back((at, Input::Head { ticket, head }));
                    let found = (from.0..=index).find(|index| self.write_at(*index).in_history());
                    if let Some(found) = found {
                        let line = self.line(found);
                        wire.queue
                            .push_back((at, events(ticket, &line, &self.budget)));
                        wire.queue.push_back((at, clean));
                    } else {
                        wire.registered = true;
                    }
                }
            }
        }
        self.wires.insert(ticket, wire);
    }

    fn take(&mut self, update: Update) {
        match update {
            Update::Events(events) => {
                for held in events {
                    let event = held.event().expect("a held event is in its parcel");
                    let index = event.index().0;
                    let write = self.write_at(index);
                    assert!(write.is_in_scope(), "{index} is not in scope");
                    assert_eq!(event.node().key(), write.key().as_bytes());
                    assert!(index > self.position, "{index} after {}", self.position);
                    self.check_declared(index - 1);
                    self.position = index;
                    self.delivered.push(index);
                    match write {
                        Write::Delete(_) => self.consumer.remove(&write.key()),
                        _ => self.consumer.insert(write.key(), value(index)),
                    };
                }
            }
            Update::Gap(gap) => {
                assert!(gap.from.0 > self.position, "a gap lies ahead");
                self.check_declared(gap.from.0 - 1);
                let to = gap.to.expect("the cluster stays the same").0;
                if gap.certain {
                    let kept = |index| -> Vec<(String, u64, u64)> {
                        let state = state_at(&self.writes, index).into_iter();
                        state
                            .map(|(key, (value, created, _))| (key, value, created))
                            .collect()
                    };
                    assert_ne!(kept(gap.from.0 - 1), kept(to), "a false certain");
                }
                self.position = to;
                self.gaps.push(gap);
            }
            Update::Reset(_) => self.consumer.clear(),
            Update::State { index, nodes } => {
                self.position = index.0;
                self.consume(nodes.into_iter().filter(|node| !node.dir));
            }
            Update::Changes { changes, .. } => {
                for change in changes {
                    match change {
                        Change::Set { node, .. } => self.consume([node]),
                        Change::Delete { previous } => {
                            self.consumer.remove(&previous.key);
                        }
                    }
                }
            }
            Update::Position(index) if index.0 > self.position => {
                self.check_declared(index.0);
                self.position = index.0;
            }
            _ => {}
        }
    }

    fn consume(&mut self, nodes: impl IntoIterator<Item = StateNode>) {
        for node in nodes {
            let value = node.value.expect("a key has a value");
            let value = value.parse().expect("a value is a number");
            self.consumer.insert(node.key, value);
        }
    }

    /// Every event in scope up to `upto` was delivered, or lies in a gap.
    fn check_declared(&self, upto: u64) {
        for index in self.position + 1..=upto {
            let is_missing = self.write_at(index).is_in_scope();
            assert!(!is_missing, "{index} was neither delivered nor declared");
        }
    }

    /// No second of the simulation has more requests than `bound`.
    fn check_polite(&self, bound: usize) {
        let mut window: VecDeque<Instant> = VecDeque::new();
        for at in &self.opened {
            window.push_back(*at);
            while window
                .front()
                .is_some_and(|first| *first + Duration::from_secs(1) < *at)
            {
                window.pop_front();
            }
            assert!(
                window.len() <= bound,
                "{} requests in a second",
                window.len()
            );
        }
    }
}

fn events(ticket: Ticket, line: &str, budget: &Budget) -> Input {
    let batch = v2::parse_events(line.as_bytes().to_vec()).expect("an event");
    Input::Events {
        ticket,
        parcel: Parcel::new(batch, budget),
    }
}

fn plan(start: Start, until: Until, seed: u64) -> Plan {
    Plan {
        scope: Scope {
            key: Key::parse("/app").expect("a key"),
            recursive: true,
        },
        start,
        until,
        stream: !matches!(until, Until::Present { follow: false, .. }),
        on_gap: OnGap::Continue,
        snapshot: false,
        expand: false,
        stale_after: Duration::from_secs(30),
        cluster: None,
        last: None,
        endpoints: 1,
        history: HISTORY,
        seed,
        budget: Budget::new(1 << 20),
    }
}

fn ours(world: &World, from: u64, upto: u64) -> Vec<u64> {
    (from..=upto)
        .filter(|index| world.write_at(*index).is_in_scope())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_delivers_everything_once_and_in_order_or_declares_it(
        acts in proptest::collection::vec(act(), 1..40),
        before in proptest::collection::vec(write(), 1..30),
        members in 1usize..4,
        seed in any::<u64>(),
        begins in prop_oneof![Just(Begin::Now), Just(Begin::History), Just(Begin::Snapshot)],
        on_gap in prop_oneof![Just(OnGap::Continue), Just(OnGap::Resync), Just(OnGap::Diff)],
    ) {
        let started = before.len() as u64;
        let start = if begins == Begin::History { Start::At(Index(1)) } else { Start::Now };
        let mut plan = plan(start, Until::Forever, seed);
        plan.on_gap = on_gap;
        plan.snapshot = begins == Begin::Snapshot;
        let mut world = World::new(plan, members, before);
        world.feed(Input::Tick);
        if begins == Begin::Now {
            world.position = started;
            for (key, (value, ..)) in state_at(&world.writes, started) {
                world.consumer.insert(key, value);
            }
        }
        world.run_for(Duration::from_millis(50));
        for act in &acts {
            world.act(act);
        }
        // Everything is well again, and there is time.
        world.refuses_until = None;
        for member in 0..members {
            world.act(&Act::CatchUp(u8::try_from(member).unwrap()));
        }
        world.run_for(Duration::from_secs(30));

        prop_assert!(world.finished.is_none(), "{:?}", world.finished);
        let last = ours(&world, 1, world.latest()).last().copied().unwrap_or(0);
        prop_assert!(
            world.position >= last,
            "the cursor stands at {} and the last event at {last}",
            world.position
        );
        if on_gap != OnGap::Continue {
            let state = state_at(&world.writes, world.latest());
            let state: BTreeMap<String, u64> =
                state.into_iter().map(|(key, (value, ..))| (key, value)).collect();
            prop_assert_eq!(&world.consumer, &state, "the records give the state");
        }
        if world.latest() <= HISTORY.into() {
            prop_assert!(world.gaps.is_empty(), "history sufficed: {:?}", world.gaps);
        }
        world.check_polite(600);
    }

    #[test]
    fn a_replay_ends_by_itself_with_every_event_up_to_its_end(
        acts in proptest::collection::vec(act(), 0..12),
        before in proptest::collection::vec(write(), 1..50),
        members in 1usize..4,
        seed in any::<u64>(),
        to in proptest::option::of(1u64..60),
        oldest in any::<bool>(),
        on_gap in prop_oneof![Just(OnGap::Fail), Just(OnGap::Diff)],
    ) {
        let latest = before.len() as u64;
        let start = if oldest { Start::Oldest } else { Start::At(Index(1)) };
        let until = Until::Present { to: to.map(Index), follow: false };
        let mut plan = plan(start, until, seed);
        plan.on_gap = on_gap;
        let mut world = World::new(plan, members, before);
        world.feed(Input::Tick);
        world.run_for(Duration::from_millis(10));
        for act in &acts {
            // Too many writes would clear the history that is replayed.
            match act {
                Act::Burst(_) | Act::Skip(_) | Act::Stop(_) => {}
                other => world.act(other),
            }
        }
        world.refuses_until = None;
        world.run_for(Duration::from_secs(30));

        prop_assert!(matches!(world.finished, Some(Outcome::Done)), "{:?}", world.finished);
        let end = to.unwrap_or(latest).min(latest);
        prop_assert_eq!(&world.delivered, &ours(&world, 1, end));
        prop_assert!(world.gaps.is_empty());
    }
}

fn quiet_world(writes: usize) -> World {
    let plan = plan(Start::Now, Until::Forever, 1);
    let mut world = World::new(plan, 1, vec![Write::Other; writes]);
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(100));
    world.position = writes as u64;
    world
}

#[test]
fn a_stream_that_goes_mute_is_found_out_by_the_probe() {
    let mut world = quiet_world(10);
    for wire in world.wires.values_mut() {
        if wire.ask == Ask::Stream {
            wire.registered = false;
        }
    }
    for _ in 0..5 {
        world.act(&Act::Burst(vec![Write::Other, Write::Ours(1)]));
        world.run_for(Duration::from_secs(2));
    }
    assert_eq!(world.delivered, [12, 14, 16, 18, 20]);
    let is_back = world
        .wires
        .values()
        .any(|wire| wire.ask == Ask::Stream && wire.registered);
    assert!(is_back, "a stream was opened anew");
}

#[test]
fn events_that_a_snapshot_skipped_are_found_without_another_event() {
    let mut world = quiet_world(10);
    world.stopped[0] = true;
    world.act(&Act::Burst(vec![Write::Ours(1), Write::Ours(2)]));
    world.act(&Act::Snapshot(0));
    assert!(world.delivered.is_empty());
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.delivered, [11, 12]);
}

#[test]
fn a_quiet_key_in_a_busy_store_stays_within_history() {
    let mut world = quiet_world(10);
    for _ in 0..400 {
        world.act(&Act::Burst(vec![Write::Other; 5]));
        world.run_for(Duration::from_millis(250));
    }
    world.act(&Act::Burst(vec![Write::Ours(1)]));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.delivered, [2011]);
    assert!(world.gaps.is_empty(), "{:?}", world.gaps);
}

#[test]
fn an_idle_watch_asks_little() {
    let mut world = quiet_world(10);
    let before = world.opened.len();
    world.run_for(Duration::from_secs(600));
    let asked = world.opened.len() - before;
    assert!(asked <= 200, "{asked} requests in ten minutes");
}

#[test]
fn an_endpoint_that_ends_every_wait_at_once_is_asked_at_most_thirty_times_a_minute() {
    let mut world = quiet_world(10);
    let before = world.opened.len();
    for _ in 0..12_000 {
        world.act(&Act::EmptyEnds);
        world.run_for(Duration::from_millis(5));
    }
    let asked = world.opened.len() - before;
    assert!(asked <= 30, "{asked} requests in a minute");
}

#[test]
fn an_outage_of_ten_minutes_costs_few_requests() {
    let mut world = quiet_world(10);
    let before = world.opened.len();
    world.act(&Act::CutAll);
    world.refuses_until = Some(world.now + Duration::from_secs(600));
    world.run_for(Duration::from_secs(600));
    let asked = world.opened.len() - before;
    assert!(asked <= 150, "{asked} requests in ten minutes");
}

#[test]
fn a_store_whose_index_went_back_is_declared() {
    let mut world = quiet_world(50);
    world.act(&Act::CutAll);
    world.writes.truncate(20);
    world.members[0] = 20;
    let mut gap = None;
    for _ in 0..100 {
        let inputs: Vec<Input> = world
            .wires
            .values_mut()
            .filter_map(|wire| wire.queue.pop_front().map(|(_, input)| input))
            .collect();
        world.now += Duration::from_millis(100);
        for input in inputs.into_iter().chain([Input::Tick]) {
            if let Input::Ended { ticket, .. } = &input {
                world.wires.remove(ticket);
            }
            for step in world.session.handle(input, world.now) {
                match step {
                    Step::Open { ticket, ask, .. } => world.open(ticket, &ask),
                    Step::Close(ticket) => drop(world.wires.remove(&ticket)),
                    Step::Tell(Update::Gap(declared)) => gap = Some(declared),
                    _ => {}
                }
            }
        }
    }
    let gap = gap.expect("a gap");
    assert_eq!((gap.from, gap.to, gap.index), (Index(51), None, Index(20)));
}
