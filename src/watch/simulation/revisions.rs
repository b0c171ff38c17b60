//! A session by v3 against a model of etcd that has its quirks, for any schedule of writes and
//! faults.
//!
//! The model does what etcd-facts.md measured, and what etcd's own source says: a watch that is
//! behind is looked up from time to time, so many revisions at once; what was compacted cancels
//! it, unless it is just about to come to the compacted revision, where the removal of a key is
//! passed over without a word; previous values take their time; a watch that is up to date is told
//! of each transaction, and now and then how far it is. Connections break, servers can't be
//! reached, history is compacted at any moment, states take their time to come, and a rebuilt
//! store takes the place of the one that was watched.
//!
//! What is checked: everything that is told is true, whole, in order and once; what is missing was
//! declared before anything later, and was compacted; the records give the state; a replay ends,
//! and not before its last event; and no schedule makes the session ask in a hot loop.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::model::{Cause, Change, Event, Gap, Index, Key, Scope, StateNode};
use crate::protocol::v2::fault;
use crate::protocol::v3::{self, Assembler, Told};
use crate::protocol::{Fault, Head, Refusal};
use crate::watch::{
    Ask, Budget, End, Failure, Input, OnGap, Outcome, Over, Parcel, Plan, Session, Start, Step,
    Ticket, Until, Update,
};

/// So many revisions are told at once.
const FULL: usize = 5;
/// Watches that are behind are looked up this often.
const PASS: Duration = Duration::from_millis(100);
const LATENCY: Duration = Duration::from_millis(1);
/// The keys in scope; there is one more beside them, and one whose name is longer.
const KEYS: u8 = 4;

/// What is done to a key.
#[derive(Clone, Copy, Debug)]
struct Operation {
    key: u8,
    is_delete: bool,
}

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<Operation>),
    /// Compacts all but so many revisions.
    Compact(u64),
    Wait(u16),
    Cut,
    CutOne(u8),
    Outage(u16),
    Rebuild(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value {
    number: u64,
    created: u64,
    modified: u64,
    version: u64,
}

type State = BTreeMap<u8, Value>;

/// One store: the state after each revision.
#[derive(Clone, Debug)]
struct Store {
    states: Vec<State>,
    compacted: u64,
}

impl Store {
    /// Nothing happens at 1.
    fn new() -> Self {
        Self {
            states: vec![State::new(); 2],
            compacted: 0,
        }
    }

    fn latest(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn at(&self, revision: u64) -> &State {
        &self.states[usize::try_from(revision).unwrap()]
    }

    /// Whether anything was written.
    fn write(&mut self, operations: &[Operation]) -> bool {
        let revision = self.latest() + 1;
        let mut state = self.at(revision - 1).clone();
        let mut is_changed = false;
        let unique: BTreeMap<u8, bool> = operations
            .iter()
            .map(|operation| (operation.key, operation.is_delete))
            .collect();
        for (key, is_delete) in unique {
            if is_delete {
                is_changed |= state.remove(&key).is_some();
                continue;
            }
            is_changed = true;
            let before = state.get(&key).copied();
            let value = Value {
                number: revision,
                created: before.map_or(revision, |before| before.created),
                modified: revision,
                version: before.map_or(0, |before| before.version) + 1,
            };
            state.insert(key, value);
        }
        if is_changed {
            self.states.push(state);
        }
        is_changed
    }

    /// What happened at a revision: keys with their values, none where they were removed.
    fn changes(&self, revision: u64) -> Vec<(u8, Option<Value>)> {
        let (before, after) = (self.at(revision - 1), self.at(revision));
        let keys: std::collections::BTreeSet<&u8> = before.keys().chain(after.keys()).collect();
        let changed = keys
            .into_iter()
            .filter(|key| before.get(key) != after.get(key));
        changed.map(|key| (*key, after.get(key).copied())).collect()
    }

    /// Likewise, as far as history still has it.
    fn left(&self, revision: u64) -> Vec<(u8, Option<Value>)> {
        let mut changes = self.changes(revision);
        changes.retain(|(_, value)| revision > self.compacted || value.is_some());
        changes
    }

    fn nodes(&self, revision: u64, is_wanted: impl Fn(u8) -> bool) -> Vec<StateNode> {
        let state = self.at(revision).iter().filter(|(key, _)| is_wanted(**key));
        state
            .map(|(key, value)| StateNode {
                key: name(*key).into_bytes(),
                value: Some(value.number.to_string().into_bytes()),
                modified: Index(value.modified),
                created: Index(value.created),
                version: value.version,
                ..StateNode::default()
            })
            .collect()
    }
}

fn name(key: u8) -> String {
    match key {
        0..KEYS => format!("/app/k{key}"),
        KEYS => "/app-x".to_owned(),
        _ => "/other".to_owned(),
    }
}

/// What the watch's own range holds; more than its scope.
fn is_in_range(key: u8) -> bool {
    key <= KEYS
}

/// One of the watches of a stream.
#[derive(Clone, Debug)]
struct Watcher {
    next: u64,
    is_synced: bool,
    is_marker: bool,
}

struct Wire {
    ask: Ask,
    era: usize,
    watchers: Vec<Watcher>,
    queue: VecDeque<(Instant, Input)>,
}

impl Wire {
    fn say(&mut self, at: Instant, input: Input) {
        let last = self.queue.back().map(|(at, _)| *at);
        self.queue
            .push_back((last.map_or(at, |last| last.max(at)), input));
    }

    fn end(&mut self, ticket: Ticket, at: Instant, end: End) {
        self.watchers.clear();
        self.say(at, Input::Ended { ticket, end });
    }
}

struct World {
    stores: Vec<Store>,
    wires: BTreeMap<Ticket, Wire>,
    session: Session,
    budget: Budget,
    now: Instant,
    began: Instant,
    next_pass: Instant,
    refuses_until: Instant,
    /// For so long the past is looked up where values are wanted, and a state is on its way.
    slow: Duration,
    luck: Rng,
    finished: Option<Outcome>,
    /// Something was answered.
    is_heard: bool,
    opened: Vec<Instant>,
    checks: Checks,
}

/// What was told, and what of it is so.
struct Checks {
    on_gap: OnGap,
    /// The store that the records are about.
    era: usize,
    /// All up to here was told or declared; none before the watch began.
    position: Option<u64>,
    /// The last event told.
    last: (u64, u8),
    gaps: Vec<Gap>,
    consumer: BTreeMap<String, String>,
    events: usize,
    /// It begins wherever history does.
    is_oldest: bool,
}

impl Checks {
    /// What is in scope of what happened at a revision.
    fn due(store: &Store, revision: u64) -> Vec<(u8, Option<Value>)> {
        let mut due = store.changes(revision);
        due.retain(|(key, _)| *key < KEYS);
        due
    }

    /// Goes on to `upto`: nothing in scope may lie between that was not told.
    fn pass(&mut self, store: &Store, upto: u64) {
        if self.is_oldest && self.position.is_none() {
            self.position = Some(store.compacted.min(upto));
        }
        let Some(position) = self.position else {
            self.position = Some(upto);
            self.consumer = state_of(store, upto);
            return;
        };
        for revision in position + 1..=upto {
            let due = Self::due(store, revision);
            let is_told = due
                .last()
                .is_none_or(|(key, _)| self.last == (revision, *key));
            assert!(is_told, "{revision} was passed over: {due:?}");
        }
        self.position = Some(position.max(upto));
    }

    fn take_event(&mut self, store: &Store, event: &Event<'_>) {
        let revision = event.index().0;
        assert!(revision <= store.latest(), "{revision} lies ahead");
        if self.is_oldest && self.position.is_none() {
            self.position = Some(store.compacted.min(revision - 1));
        }
        let position = self.position.expect("it has begun");
        assert!(revision > position, "{revision} is told again or too late");
        let due = Checks::due(store, revision);
        let after = if self.last.0 == revision {
            Some(self.last.1)
        } else {
            None
        };
        let next = due
            .iter()
            .find(|(key, _)| Some(*key) > after)
            .expect("something is due");
        if after.is_none() {
            self.pass(store, revision - 1);
        }
        let key = String::from_utf8(event.node().key().to_owned()).unwrap();
        assert_eq!(key, name(next.0), "the next of {revision}");
        let value = event
            .node()
            .value()
            .map(|value| String::from_utf8(value.to_owned()).unwrap());
        assert_eq!(value, next.1.map(|value| value.number.to_string()));
        match value {
            Some(value) => self.consumer.insert(key, value),
            None => self.consumer.remove(&key),
        };
        self.last = (revision, next.0);
        self.events += 1;
        if due.last().map(|(key, _)| *key) == Some(next.0) {
            self.position = Some(revision);
        }
    }

    fn take_gap(&mut self, stores: &[Store], gap: Gap) {
        // Before it nothing in scope may be missing.
        self.pass(&stores[self.era], gap.from.0 - 1);
        let position = self.position.expect("it has begun");
        assert_eq!(gap.from.0, position + 1, "{gap:?}");
        if let Some(to) = gap.to {
            let store = &stores[self.era];
            assert_eq!(gap.cause, Cause::Compacted);
            assert!(
                gap.from.0 <= store.compacted,
                "{gap:?}, compacted {}",
                store.compacted
            );
            let changed = (gap.from.0..=to.0).any(|at| !Self::due(store, at).is_empty());
            assert!(changed || !gap.certain, "{gap:?}");
            self.position = Some(to.0);
        } else {
            assert!(self.era + 1 < stores.len(), "{gap:?} of the only store");
            self.era = stores.len() - 1;
            self.position = Some(gap.index.0);
        }
        self.last = (0, 0);
        self.gaps.push(gap);
    }
}

fn state_of(store: &Store, revision: u64) -> BTreeMap<String, String> {
    let state = store.at(revision).iter().filter(|(key, _)| **key < KEYS);
    state
        .map(|(key, value)| (name(*key), value.number.to_string()))
        .collect()
}

impl World {
    fn new(plan: Plan, before: &[Vec<Operation>], seed: u64, slow: Duration) -> Self {
        let now = Instant::now();
        let mut store = Store::new();
        for operations in before {
            store.write(operations);
        }
        Self {
            stores: vec![store],
            wires: BTreeMap::new(),
            budget: plan.budget.clone(),
            checks: Checks {
                on_gap: plan.on_gap,
                era: 0,
                position: match plan.start {
                    Start::At(first) => Some(first.previous().0),
                    _ => None,
                },
                last: (0, 0),
                gaps: Vec::new(),
                consumer: BTreeMap::new(),
                events: 0,
                is_oldest: false,
            },
            session: Session::new(plan, now),
            now,
            began: now,
            next_pass: now + PASS,
            refuses_until: now,
            slow,
            luck: Rng::with_seed(seed),
            finished: None,
            is_heard: false,
            opened: Vec::new(),
        }
    }

    fn store(&self) -> &Store {
        self.stores.last().unwrap()
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Write(operations) => self.write(operations),
            Act::Compact(behind) => {
                let store = self.stores.last_mut().unwrap();
                let upto = store.latest().saturating_sub(*behind);
                store.compacted = store.compacted.max(upto);
            }
            Act::Wait(milliseconds) => self.run_for(Duration::from_millis((*milliseconds).into())),
            Act::Cut => self.cut(|_| true),
            Act::CutOne(which) => {
                let count = self.wires.len().max(1);
                self.cut(|place| place == usize::from(*which) % count);
            }
            Act::Outage(milliseconds) => {
                self.refuses_until = self.now + Duration::from_millis((*milliseconds).into());
                self.cut(|_| true);
            }
            Act::Rebuild(count) => {
                self.cut(|_| true);
                self.stores.push(Store::new());
                for _ in 0..*count {
                    self.write(&[Operation {
                        key: 0,
                        is_delete: false,
                    }]);
                }
            }
        }
    }

    fn write(&mut self, operations: &[Operation]) {
        let (now, era) = (self.now, self.stores.len() - 1);
        let store = self.stores.last_mut().unwrap();
        if !store.write(operations) {
            return;
        }
        let (latest, store) = (store.latest(), store.clone());
        for (ticket, wire) in self.wires.iter_mut().filter(|(_, wire)| wire.era == era) {
            let watchers = wire.watchers.clone();
            for watcher in watchers
                .iter()
                .filter(|one| one.is_synced && one.next <= latest)
            {
                let told = message(
                    *ticket,
                    &store,
                    watcher,
                    &[latest],
                    latest,
                    false,
                    &self.budget,
                );
                for input in told {
                    wire.say(now + LATENCY, input);
                }
            }
        }
    }

    /// Breaks the connections off that are chosen by their places.
    fn cut(&mut self, is_chosen: impl Fn(usize) -> bool) {
        let at = self.now + LATENCY;
        let wires = self.wires.iter_mut().enumerate();
        for (_, (ticket, wire)) in wires.filter(|(place, _)| is_chosen(*place)) {
            // What is on its way may be lost or not.
            wire.queue.truncate(self.luck.usize(..=wire.queue.len()));
            let is_over = matches!(wire.queue.back(), Some((_, Input::Ended { .. })));
            if !is_over {
                wire.end(*ticket, at, End::Failed(Failure::Cut("cut".to_owned())));
            }
        }
    }

    /// Looks up what those have missed who are behind.
    fn pass(&mut self) {
        let (now, era) = (self.now, self.stores.len() - 1);
        let store = self.stores.last().unwrap().clone();
        for (ticket, wire) in self.wires.iter_mut().filter(|(_, wire)| wire.era == era) {
            let mut order: Vec<usize> = (0..wire.watchers.len()).collect();
            self.luck.shuffle(&mut order);
            let is_main = matches!(wire.ask, Ask::Revisions { .. });
            for place in order {
                let Some(watcher) = wire.watchers.get(place).cloned() else {
                    break;
                };
                let is_told = is_main && watcher.next <= store.latest() + 1;
                if watcher.is_synced {
                    if is_told && self.luck.u8(..20) == 0 {
                        let upto = Index(store.latest());
                        wire.say(
                            now,
                            Input::Over {
                                ticket: *ticket,
                                over: Over {
                                    upto,
                                    is_full: false,
                                    is_empty: true,
                                    is_marker: false,
                                },
                            },
                        );
                    }
                    continue;
                }
                // Far below what a proof allows for.
                let delay = if is_main {
                    self.slow
                } else {
                    Duration::from_millis(self.luck.u64(..20))
                };
                let at = now + delay;
                if watcher.next < store.compacted {
                    let failure = Failure::Compacted(Index(store.compacted));
                    wire.end(*ticket, now + LATENCY, End::Failed(failure));
                    break;
                }
                let is_wanted = |revision: &u64| {
                    let mut left = store.left(*revision).into_iter();
                    left.any(|(key, _)| watcher.is_marker || is_in_range(key))
                };
                let mut found = (watcher.next.max(2)..=store.latest()).filter(is_wanted);
                let told: Vec<u64> = found.by_ref().take(FULL).collect();
                let more = found.next();
                if !told.is_empty() {
                    let is_full = told.len() == FULL;
                    let told = message(
                        *ticket,
                        &store,
                        &watcher,
                        &told,
                        store.latest(),
                        is_full,
                        &self.budget,
                    );
                    for input in told {
                        wire.say(at, input);
                    }
                }
                wire.watchers[place].next = more.unwrap_or(store.latest() + 1);
                wire.watchers[place].is_synced = more.is_none();
            }
        }
    }

    fn open(&mut self, ticket: Ticket, ask: &Ask) {
        self.opened.push(self.now);
        let mut wire = Wire {
            ask: ask.clone(),
            era: self.stores.len() - 1,
            watchers: Vec::new(),
            queue: VecDeque::new(),
        };
        let at = self.now + 2 * LATENCY;
        let store = self.store();
        let latest = store.latest();
        let head = Input::Head {
            ticket,
            head: Self::head(Some(latest)),
        };
        let watcher = |from: Option<Index>, is_marker| {
            let next = from.map_or(latest + 1, |from| from.0.max(1));
            Watcher {
                next,
                is_synced: next > latest,
                is_marker,
            }
        };
        if self.now < self.refuses_until {
            let failure = Failure::Unreachable("refused".to_owned());
            wire.end(ticket, at, End::Failed(failure));
            self.wires.insert(ticket, wire);
            return;
        }
        match ask {
            Ask::Revisions { from, .. } => {
                wire.watchers.push(watcher(*from, false));
                wire.say(at, head);
            }
            Ask::Proof { from, marker, .. } => {
                wire.watchers.push(watcher(Some(*from), false));
                wire.watchers.push(watcher(Some(*marker), true));
                wire.say(at, head);
            }
            Ask::Kept {
                at: Index(revision),
                ..
            }
            | Ask::Reach(Index(revision))
                if *revision < store.compacted || *revision > latest =>
            {
                let code = if *revision > latest {
                    v3::fault::FUTURE
                } else {
                    fault::INDEX_CLEARED
                };
                let refusal = Refusal {
                    fault: Fault {
                        code,
                        message: "no such revision".to_owned(),
                        cause: String::new(),
                        index: Index::ZERO,
                    },
                    head: Head {
                        cluster: None,
                        ..Self::head(None)
                    },
                };
                wire.end(ticket, at, End::Failed(Failure::Refused(Box::new(refusal))));
            }
            Ask::Kept {
                key,
                at: Index(revision),
            } => {
                let nodes = store.nodes(*revision, |one| name(one).as_bytes() == key);
                wire.say(at, head);
                wire.say(at, Input::State { ticket, nodes });
                wire.end(ticket, at, End::Clean);
            }
            Ask::Look(key) => {
                let nodes = store.nodes(latest, |one| name(one).as_bytes() == key);
                wire.say(at, head);
                wire.say(at, Input::State { ticket, nodes });
                wire.end(ticket, at, End::Clean);
            }
            Ask::Since(Index(after)) => {
                let mut nodes = store.nodes(latest, |one| one < KEYS);
                nodes.retain(|node| node.modified.0 > *after);
                nodes.truncate(1);
                wire.say(at, head);
                wire.say(at, Input::State { ticket, nodes });
                wire.end(ticket, at, End::Clean);
            }
            Ask::State => {
                let nodes = store.nodes(latest, |one| one < KEYS);
                wire.say(at + self.slow, head);
                wire.say(at + self.slow, Input::State { ticket, nodes });
                wire.end(ticket, at + self.slow, End::Clean);
            }
            Ask::Index | Ask::Reach(_) => {
                wire.say(at, head);
                wire.end(ticket, at, End::Clean);
            }
            other => panic!("v3 has no {other:?}"),
        }
        self.wires.insert(ticket, wire);
    }

    fn head(index: Option<u64>) -> Head {
        Head {
            status: 200,
            index: index.map(Index),
            cluster: Some("1".to_owned()),
            raft: None,
        }
    }

    fn feed(&mut self, input: Input) {
        self.is_heard |= matches!(input, Input::Head { .. });
        if std::env::var_os("SIMULATION_TRACE").is_some() {
            println!("{:?} {input:?}", self.now - self.began);
        }
        for step in self.session.handle(input, self.now) {
            if std::env::var_os("SIMULATION_TRACE").is_some() {
                println!("    {step:?}");
            }
            match step {
                Step::Open { ticket, ask, .. } => self.open(ticket, &ask),
                Step::Close(ticket) => {
                    self.wires.remove(&ticket);
                }
                Step::HalfClose(_) => panic!("v3 needs none"),
                Step::Tell(update) => self.take(update),
                Step::Finish(outcome) => self.finished = Some(outcome),
            }
        }
    }

    fn take(&mut self, update: Update) {
        let checks = &mut self.checks;
        let store = &self.stores[checks.era];
        match update {
            Update::Events(events) => {
                for held in &events {
                    held.events()
                        .for_each(|event| checks.take_event(store, &event));
                    let index = held.events().next().expect("an event").index().0;
                    assert_eq!(checks.position, Some(index), "a transaction is whole");
                }
            }
            Update::Gap(gap) => checks.take_gap(&self.stores, gap),
            Update::Reset(_) => checks.consumer.clear(),
            Update::State { index, nodes, .. } => {
                checks.position = checks.position.max(Some(index.0));
                for node in nodes {
                    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                    checks
                        .consumer
                        .insert(text(node.key), text(node.value.unwrap()));
                }
            }
            Update::Changes { changes, .. } => {
                for change in changes {
                    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                    match change {
                        Change::Set { node, .. } => {
                            checks
                                .consumer
                                .insert(text(node.key), text(node.value.unwrap()));
                        }
                        Change::Delete { previous } => {
                            checks.consumer.remove(&text(previous.key));
                        }
                    }
                }
            }
            Update::Position(index) => checks.pass(store, index.0),
            Update::Status(status) => {
                let is_told = checks.position.is_none_or(|told| status.index.0 <= told);
                assert!(is_told, "{status:?} names what was not told");
            }
            _ => {}
        }
    }

    /// Nobody was there at the start.
    fn is_hopeless(&self) -> bool {
        !self.is_heard && matches!(self.finished, Some(Outcome::Failed(_)))
    }

    fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.finished.is_none() {
            let arrival = self
                .wires
                .iter()
                .filter_map(|(ticket, wire)| Some((wire.queue.front()?.0, *ticket)));
            let arrival = arrival.min();
            let wake = self.session.wake_at();
            let next = [arrival.map(|(at, _)| at), wake, Some(self.next_pass)];
            let next = next.into_iter().flatten().min().unwrap();
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if self.next_pass <= self.now {
                self.next_pass += PASS;
                self.pass();
            } else if let Some((_, ticket)) = arrival.filter(|(at, _)| *at <= self.now) {
                let wire = self.wires.get_mut(&ticket).unwrap();
                let (_, input) = wire.queue.pop_front().unwrap();
                if matches!(input, Input::Ended { .. }) {
                    self.wires.remove(&ticket);
                }
                self.feed(input);
            } else {
                self.feed(Input::Tick);
            }
        }
        self.now = self.now.max(until);
    }
}

/// A message as the driver passes it on.
fn message(
    ticket: Ticket,
    store: &Store,
    watcher: &Watcher,
    revisions: &[u64],
    header: u64,
    is_full: bool,
    budget: &Budget,
) -> Vec<Input> {
    let mut assembler = Assembler::new(scope());
    let mut told = Vec::new();
    let (mut is_empty, mut last) = (true, 0);
    for revision in revisions {
        let before = store.at(revision - 1);
        for (key, value) in store.left(*revision) {
            if !watcher.is_marker && !is_in_range(key) {
                continue;
            }
            (is_empty, last) = (false, *revision);
            let text = event(key, *revision, value, before.get(&key));
            told.extend(assembler.event(text.as_bytes()).unwrap().map(Told::Events));
        }
    }
    if is_empty {
        return Vec::new();
    }
    let end = format!(r#"{{"result":{{"header":{{"revision":"{header}"}},"events":[]}}}}"#);
    told.extend(assembler.message(end.as_bytes()).unwrap());
    let input = |told| match told {
        Told::Events(portion) => Input::Revisions {
            ticket,
            parcel: Parcel::new(portion.batch, Instant::now(), budget),
            begins: portion.begins,
            is_past: portion.is_past,
        },
        Told::Over(over) => Input::Over {
            ticket,
            over: Over {
                upto: if is_full { Index(last) } else { over.upto },
                is_full,
                is_marker: watcher.is_marker,
                ..over
            },
        },
        other => panic!("{other:?}"),
    };
    told.into_iter().map(input).collect()
}

fn event(key: u8, revision: u64, value: Option<Value>, before: Option<&Value>) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    let pair = |value: &Value| {
        format!(
            r#"{{"key":"{}","create_revision":"{}","mod_revision":"{}","version":"{}","value":"{}"}}"#,
            encode(&name(key)),
            value.created,
            value.modified,
            value.version,
            encode(&value.number.to_string()),
        )
    };
    let mut text = match &value {
        Some(value) => format!(r#"{{"kv":{}"#, pair(value)),
        None => format!(
            r#"{{"type":"DELETE","kv":{{"key":"{}","mod_revision":"{revision}"}}"#,
            encode(&name(key))
        ),
    };
    if let Some(before) = before {
        write!(text, r#","prev_kv":{}"#, pair(before)).unwrap();
    }
    text + "}"
}

fn scope() -> Scope {
    Scope::new(Key::literal("/app").unwrap(), true)
}

fn plan(start: Start, until: Until, on_gap: OnGap) -> Plan {
    Plan {
        scope: scope(),
        start,
        until,
        stream: true,
        previous: true,
        on_gap,
        snapshot: false,
        expand: false,
        stale_after: Duration::from_secs(30),
        cluster: None,
        last: None,
        endpoints: 1,
        history: 1000,
        snapshot_behind: u64::MAX,
        seed: 1,
        budget: Budget::new(1 << 20),
    }
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation =
        (0..KEYS + 2, any::<bool>()).prop_map(|(key, is_delete)| Operation { key, is_delete });
    vec(operation, 1..4)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => operations().prop_map(Act::Write),
        2 => (0u64..6).prop_map(Act::Compact),
        4 => prop_oneof![1u16..20, 20u16..300].prop_map(Act::Wait),
        1 => Just(Act::Cut),
        1 => any::<u8>().prop_map(Act::CutOne),
        1 => (1u16..500).prop_map(Act::Outage),
    ]
}

fn slow() -> impl Strategy<Value = Duration> {
    prop_oneof![3 => Just(0u64), 1 => 1u64..200, 1 => 200u64..4000].prop_map(Duration::from_millis)
}

/// Few cases, and the same ones in every run of the tests; `PROPTEST_CASES` asks for so many others.
fn config() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig {
        cases: 1024,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

/// How a watch begins.
#[derive(Clone, Copy, Debug)]
enum Begin {
    Now,
    Snapshot,
    At(u64),
    Oldest,
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![
        Just(Begin::Now),
        Just(Begin::Snapshot),
        (1u64..20).prop_map(Begin::At),
        Just(Begin::Oldest),
    ]
}

fn follow(
    begins: Begin,
    on_gap: OnGap,
    slow: Duration,
    seed: u64,
    before: &[Vec<Operation>],
    acts: &[Act],
) -> World {
    let start = match begins {
        Begin::Now | Begin::Snapshot => Start::Now,
        Begin::At(first) => Start::At(Index(first)),
        Begin::Oldest => Start::Oldest,
    };
    let plan = Plan {
        snapshot: matches!(begins, Begin::Snapshot),
        ..plan(start, Until::Forever, on_gap)
    };
    let mut world = World::new(plan, before, seed, slow);
    world.checks.is_oldest = matches!(begins, Begin::Oldest);
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(50));
    for act in acts {
        world.act(act);
    }
    world.run_for(Duration::from_secs(40));
    world
}

/// What must hold in the end: all is told or declared, and the consumer has the state.
fn check_end(world: &mut World, is_whole: bool) {
    assert!(world.finished.is_none(), "{:?}", world.finished);
    let store = world.store().clone();
    assert_eq!(world.checks.era, world.stores.len() - 1);
    world.checks.pass(&store, store.latest());
    if is_whole && matches!(world.checks.on_gap, OnGap::Resync | OnGap::Diff) {
        assert_eq!(world.checks.consumer, state_of(&store, store.latest()));
    }
    let opened = world.opened.len();
    assert!(opened < 2000, "{opened} requests");
}

const SECOND: Duration = Duration::from_secs(1);

fn put(key: u8) -> Vec<Operation> {
    vec![Operation {
        key,
        is_delete: false,
    }]
}

#[test]
fn a_state_that_was_asked_for_before_the_stream_began_anew_is_not_begun_with() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let plan = Plan {
        snapshot: true,
        ..plan(Start::Now, Until::Forever, OnGap::Resync)
    };
    // It arrives when the stream was given up, and the next one is not registered yet.
    let slow = Duration::from_millis(20);
    let mut world = World::new(plan, &vec![vec![set(0)]; 5], 1, slow);
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(20));
    // So many at once that something may have been passed over between them.
    for _ in 0..70 {
        world.act(&Act::Write(vec![set(0)]));
        world.act(&Act::Write(vec![set(5)]));
    }
    world.act(&Act::Compact(0));
    world.run_for(Duration::from_secs(2));
    world.act(&Act::Write(vec![set(3)]));
    world.run_for(Duration::from_secs(2));
    check_end(&mut world, true);
}

#[test]
fn what_was_compacted_before_the_watch_began_is_no_difference_after_a_gap() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let removed = Operation {
        key: 2,
        is_delete: true,
    };
    // The state is read when nothing was told yet, and history begins later then.
    let acts = [
        Act::Write(vec![removed]),
        Act::Write(vec![set(0)]),
        Act::Cut,
        Act::Compact(0),
        Act::Wait(1000),
        Act::Write(vec![set(0)]),
        Act::Wait(1000),
        Act::Outage(300),
        Act::Write(vec![set(5)]),
        Act::Write(vec![set(5)]),
        Act::Compact(0),
    ];
    let before = [vec![set(0), set(2)]];
    let slow = Duration::ZERO;
    let mut world = follow(Begin::Oldest, OnGap::Diff, slow, 1, &before, &acts);
    check_end(&mut world, true);
    assert_eq!(world.checks.gaps.len(), 1, "{:?}", world.checks.gaps);
}

#[test]
fn a_status_names_nothing_that_is_told_only_later() {
    let plan = Plan {
        snapshot: true,
        ..plan(Start::Now, Until::Forever, OnGap::Resync)
    };
    let mut world = World::new(plan, &[put(0), put(1)], 1, Duration::from_millis(300));
    world.feed(Input::Tick);
    // What is written while the state is on its way waits for it.
    world.run_for(Duration::from_millis(20));
    world.write(&put(1));
    world.write(&put(2));
    world.run_for(SECOND);
    assert_eq!(world.checks.events, 2);
}

/// All streams stand still from now on.
fn freeze(world: &mut World) {
    for wire in world.wires.values_mut() {
        if matches!(wire.ask, Ask::Revisions { .. }) {
            wire.watchers.clear();
            wire.queue.clear();
        }
    }
}

#[test]
fn however_often_a_stream_stood_still_the_next_one_is_not_waited_for_much_longer() {
    let mut world = World::new(
        plan(Start::Now, Until::Forever, OnGap::Resync),
        &[put(0)],
        1,
        Duration::ZERO,
    );
    world.feed(Input::Tick);
    world.run_for(SECOND);
    for _ in 0..70 {
        let before = world.checks.events;
        freeze(&mut world);
        world.write(&put(0));
        world.run_for(60 * SECOND);
        assert_eq!(world.checks.events, before + 1);
    }
    // Those that stand still before they have told the past.
    for _ in 0..70 {
        let before = world.checks.events;
        world.act(&Act::Cut);
        world.write(&put(0));
        let is_begun =
            |wire: &Wire| matches!(wire.ask, Ask::Revisions { .. }) && wire.queue.is_empty();
        while !world.wires.values().any(is_begun) {
            world.run_for(Duration::from_millis(1));
        }
        freeze(&mut world);
        world.run_for(1200 * SECOND);
        assert!(world.checks.events > before);
    }
}

#[test]
fn a_watch_that_does_not_begin_is_no_watch() {
    let present = Until::Present {
        to: None,
        follow: false,
    };
    for (start, until) in [(Start::Now, Until::Forever), (Start::At(Index(1)), present)] {
        let began = Instant::now();
        let mut session = Session::new(plan(start, until, OnGap::Fail), began);
        let mut inputs = VecDeque::from([(began, Input::Tick)]);
        let mut now = began;
        let mut told = None;
        while told.is_none() && now < began + 60 * SECOND {
            let (at, input) = inputs.pop_front().unwrap_or_else(|| {
                let due = session.wake_at().expect("something is due");
                (due, Input::Tick)
            });
            now = now.max(at);
            for step in session.handle(input, now) {
                match step {
                    // The store answers, and the watch does not begin.
                    Step::Open {
                        ticket,
                        ask: Ask::Index,
                        ..
                    } => {
                        let head = World::head(Some(7));
                        inputs.push_back((now, Input::Head { ticket, head }));
                        let end = End::Clean;
                        inputs.push_back((now, Input::Ended { ticket, end }));
                    }
                    // Nothing was heard of the server, or it is there and can't be watched.
                    Step::Finish(Outcome::Failed(_)) if until == Until::Forever => told = Some(()),
                    Step::Tell(Update::Status(status)) if status.notable && until == present => {
                        told = Some(());
                    }
                    _ => {}
                }
            }
        }
        assert!(told.is_some(), "{until:?}");
    }
}

/// A slow reader takes what is on the way from a server that had put the watch off meanwhile, and
/// passed over a removal that was compacted. How long it takes proves nothing.
#[test]
fn what_a_slow_reader_missed_is_asked_about_however_slow_it_is() {
    for pace in [1, 20, 120, 1_000, 5_000].map(Duration::from_millis) {
        let began = Instant::now();
        let budget = Budget::new(1 << 20);
        let start = Start::At(Index(1001));
        let mut session = Session::new(plan(start, Until::Forever, OnGap::Continue), began);
        let mut store = Store::new();
        while store.latest() < 1158 {
            store.write(&put(u8::from(store.latest() == 1000)));
        }
        store.write(&[Operation {
            key: 1,
            is_delete: true,
        }]);
        let removed = store.latest();
        store.write(&put(0));
        store.compacted = removed;
        let latest = store.latest();
        let watcher = Watcher {
            next: 0,
            is_synced: true,
            is_marker: false,
        };
        let mut now = began;
        let mut stream = None;
        let mut is_asked = false;
        let mut inputs = VecDeque::from([Input::Tick]);
        for revision in 1000..=latest {
            while let Some(input) = inputs.pop_front() {
                for step in session.handle(input, now) {
                    let Step::Open { ticket, ask, .. } = step else {
                        continue;
                    };
                    if let Ask::Revisions { .. } = ask {
                        stream = Some(ticket);
                        let head = World::head(Some(1000));
                        inputs.push_back(Input::Head { ticket, head });
                    } else if let Ask::Index | Ask::Since(_) = ask {
                        let head = World::head(Some(latest));
                        inputs.push_back(Input::Head { ticket, head });
                        let end = End::Clean;
                        inputs.push_back(Input::Ended { ticket, end });
                    }
                    is_asked |= matches!(ask, Ask::Reach(_));
                }
            }
            now += pace;
            if revision > 1000 && revision != removed {
                let (ticket, at) = (stream.expect("a stream"), &[revision]);
                inputs.extend(message(
                    ticket, &store, &watcher, at, revision, false, &budget,
                ));
            }
        }
        while let Some(input) = inputs.pop_front() {
            let steps = session.handle(input, now);
            let asks = |step: &Step| {
                matches!(
                    step,
                    Step::Open {
                        ask: Ask::Reach(_),
                        ..
                    }
                )
            };
            is_asked |= steps.iter().any(asks);
        }
        assert!(is_asked, "every {pace:?}");
    }
}

#[test]
fn a_store_that_is_replaced_while_its_first_state_is_read_is_begun_with() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let before = vec![vec![set(0)]; 20];
    let acts = [
        Act::Write(vec![set(1)]),
        Act::Wait(20),
        Act::Rebuild(3),
        Act::Wait(2000),
    ];
    let slow = Duration::from_millis(300);
    let mut world = follow(Begin::Snapshot, OnGap::Resync, slow, 1, &before, &acts);
    // Nothing was told of the store before.
    world.checks.era = 1;
    check_end(&mut world, true);
    assert!(world.checks.gaps.is_empty());
    assert!(world.opened.len() < 50, "{} requests", world.opened.len());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn by_v3_everything_is_told_once_and_in_order_or_declared(
        begins in begin(),
        on_gap in prop_oneof![Just(OnGap::Continue), Just(OnGap::Resync), Just(OnGap::Diff)],
        slow in slow(),
        seed in any::<u64>(),
        before in vec(operations(), 0..30),
        acts in vec(act(), 1..60),
    ) {
        let mut world = follow(begins, on_gap, slow, seed, &before, &acts);
        if world.is_hopeless() {
            return Ok(());
        }
        let is_whole = matches!(begins, Begin::Now | Begin::Snapshot);
        check_end(&mut world, is_whole);
        let is_compacted = acts.iter().any(|act| matches!(act, Act::Compact(_)));
        prop_assert!(is_compacted || world.checks.gaps.is_empty(), "{:?}", world.checks.gaps);
    }

    #[test]
    fn by_v3_a_rebuilt_store_is_declared(
        on_gap in prop_oneof![Just(OnGap::Resync), Just(OnGap::Diff)],
        seed in any::<u64>(),
        before in vec(operations(), 4..30),
        acts in vec(act(), 1..20),
        count in 0u8..60,
        after in 0usize..10,
    ) {
        // An event, by which the store is known.
        let mut all = acts;
        all.push(Act::Wait(1000));
        all.push(Act::Write(vec![Operation { key: 1, is_delete: false }]));
        all.push(Act::Wait(1000));
        all.push(Act::Rebuild(count));
        // Never the key that is compared: made at the same index, it could not be told.
        let operation = Operation {
            key: 2,
            is_delete: false,
        };
        all.extend(vec![Act::Write(vec![operation]); after]);
        let mut world = follow(Begin::Now, on_gap, Duration::ZERO, seed, &before, &all);
        check_end(&mut world, true);
    }

    #[test]
    fn by_v3_a_replay_ends_with_its_last_event(
        slow in slow(),
        seed in any::<u64>(),
        from in 1u64..30,
        to in proptest::option::of(1u64..60),
        before in vec(operations(), 0..60),
        acts in vec(act(), 0..20),
    ) {
        let until = Until::Present { to: to.map(Index), follow: false };
        let plan = plan(Start::At(Index(from)), until, OnGap::Continue);
        let mut world = World::new(plan, &before, seed, slow);
        let latest = world.store().latest();
        world.feed(Input::Tick);
        world.run_for(Duration::from_millis(3));
        for act in &acts {
            world.act(act);
        }
        world.run_for(Duration::from_secs(60));
        if world.is_hopeless() {
            return Ok(());
        }
        prop_assert!(matches!(world.finished, Some(Outcome::Done)), "{:?}", world.finished);
        let end = to.unwrap_or(latest).min(latest);
        let store = world.store().clone();
        if from <= end {
            world.checks.pass(&store, end);
            prop_assert!(world.checks.last.0 <= end);
        } else {
            prop_assert_eq!(world.checks.events, 0);
        }
    }
}
