//! A session, its model servers, and the consumer of its reports.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::acts::V3Act;
use super::checks::V3Checks;
use super::store::{KEYS, Operation, V3Store, name, scope};
use super::wire::{ModelWatcher, Sent, V3Call, V3Wire, clean, message};
use crate::model::{Change, Index};
use crate::protocol::{Failure, Fault, Head, Refusal};
use crate::simulation::world;
use crate::testing;
use crate::v2::fault;
use crate::v3::{self, MessageEnd};
use crate::watch::{
    Budget, Input, OnGap, Outcome, Plan, PlannedEnd, ReplyEnd, RequestId, Session, Start, Step,
    Update,
};

/// The largest number of revisions in a message.
pub(super) const FULL: usize = 5;
/// The interval at which the server looks history up for unsynced watchers.
pub(super) const PASS: Duration = Duration::from_millis(100);
/// The latency of the network in one direction.
pub(super) const LATENCY: Duration = Duration::from_millis(1);

/// The peculiarities of a server and its connection.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a separate peculiarity"
)]
pub(super) struct Quirks {
    /// The longest transfer time of a message or a state. Those of other connections may overtake it.
    pub(super) slow: Duration,
    /// The server puts fewer revisions into a message than it could. It does not skip compacted
    /// removals between such messages.
    pub(super) cuts_messages: bool,
    /// The user has read permission on the scope alone.
    pub(super) refuses_whole_store: bool,
    /// The time that a lookup of the last write in scope takes.
    pub(super) look: Duration,
    /// The driver passes each revision on as soon as it is complete.
    pub(super) splits_messages: bool,
}

/// A session, its model server, and the consumer of its reports.
pub(super) struct V3World {
    pub(super) stores: Vec<V3Store>,
    pub(super) wires: BTreeMap<RequestId, V3Wire>,
    pub(super) session: Session,
    pub(super) budget: Budget,
    pub(super) now: Instant,
    is_traced: bool,
    pub(super) began: Instant,
    pub(super) next_pass: Instant,
    pub(super) refuses_until: Instant,
    pub(super) quirks: Quirks,
    pub(super) luck: Rng,
    pub(super) finished: Option<Outcome>,
    /// Whether a request was ever answered.
    pub(super) is_heard: bool,
    pub(super) opened: Vec<Instant>,
    pub(super) checks: V3Checks,
}

impl V3World {
    pub(super) fn new(plan: Plan, before: &[Vec<Operation>], seed: u64, quirks: Quirks) -> Self {
        let now = testing::now();
        let mut store = V3Store::new();
        for operations in before {
            store.write(operations);
        }
        Self {
            stores: vec![store],
            wires: BTreeMap::new(),
            budget: plan.budget.clone(),
            checks: V3Checks {
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
                unproven_end: None,
            },
            session: Session::new(plan, now),
            now,
            is_traced: testing::is_traced(),
            began: now,
            next_pass: now + PASS,
            refuses_until: now,
            quirks,
            luck: Rng::with_seed(seed),
            finished: None,
            is_heard: false,
            opened: Vec::new(),
        }
    }

    pub(super) fn store(&self) -> &V3Store {
        self.stores.last().unwrap()
    }

    pub(super) fn act(&mut self, act: &V3Act) {
        match act {
            V3Act::Write(operations) => self.write(operations),
            V3Act::Compact(behind) => {
                let store = self.stores.last_mut().unwrap();
                let upto = store.latest().saturating_sub(*behind);
                store.compacted = store.compacted.max(upto);
            }
            V3Act::Wait(milliseconds) => {
                self.run_for(Duration::from_millis((*milliseconds).into()));
            }
            V3Act::Cut => self.cut(|_| true),
            V3Act::CutOne(which) => {
                let count = self.wires.len().max(1);
                self.cut(|place| place == usize::from(*which) % count);
            }
            V3Act::Outage(milliseconds) => {
                self.refuses_until = self.now + Duration::from_millis((*milliseconds).into());
                self.cut(|_| true);
            }
            V3Act::Rebuild(count) => {
                self.cut(|_| true);
                self.stores.push(V3Store::new());
                for _ in 0..*count {
                    self.write(&[Operation {
                        key: 0,
                        is_delete: false,
                    }]);
                }
            }
        }
    }

    pub(super) fn write(&mut self, operations: &[Operation]) {
        let (now, era) = (self.now, self.stores.len() - 1);
        let store = self.stores.last_mut().unwrap();
        if !store.write(operations) {
            return;
        }
        let (latest, store) = (store.latest(), store.clone());
        for (id, wire) in self.wires.iter_mut().filter(|(_, wire)| wire.era == era) {
            let watchers = wire.watchers.clone();
            for watcher in watchers
                .iter()
                .filter(|watcher| watcher.is_synced && watcher.next <= latest)
            {
                let sent = Sent {
                    revisions: &[latest],
                    store_at: latest,
                    is_full: false,
                    splits: self.quirks.splits_messages,
                };
                for input in message(*id, &store, watcher, &sent, &self.budget) {
                    wire.say(now + LATENCY, input);
                }
            }
        }
    }

    /// Breaks the connections that are selected by their positions.
    pub(super) fn cut(&mut self, is_chosen: impl Fn(usize) -> bool) {
        let at = self.now + LATENCY;
        let wires = self.wires.iter_mut().enumerate();
        for (_, (id, wire)) in wires.filter(|(place, _)| is_chosen(*place)) {
            // Inputs in transit may arrive or be lost.
            wire.queue.truncate(self.luck.usize(..=wire.queue.len()));
            let is_over = matches!(wire.queue.back(), Some((_, Input::Ended { .. })));
            if !is_over {
                wire.end(*id, at, ReplyEnd::Failed(Failure::Cut("cut".to_owned())));
            }
        }
    }

    /// Looks history up for unsynced watchers.
    pub(super) fn pass(&mut self) {
        let (now, era) = (self.now, self.stores.len() - 1);
        let store = self.stores.last().unwrap().clone();
        for (id, wire) in self.wires.iter_mut().filter(|(_, wire)| wire.era == era) {
            let Some(watcher) = wire.watchers.first().cloned() else {
                continue;
            };
            let is_current = watcher.next <= store.latest() + 1;
            if watcher.is_synced {
                if is_current && self.luck.u8(..20) == 0 {
                    let end = MessageEnd {
                        sent_upto: Index(store.latest()),
                        store_at: Index(store.latest()),
                        is_full: false,
                        is_progress: true,
                    };
                    let id = *id;
                    wire.say(now, Input::MessageEnd { id, end });
                }
                continue;
            }
            if self.luck.u8(..8) == 0 {
                // The server serves a limited number of unsynced watchers at once, in random order.
                continue;
            }
            let slow = u64::try_from(self.quirks.slow.as_millis()).expect("short");
            let at = now + Duration::from_millis(self.luck.u64(..=slow));
            let is_careful = self.quirks.cuts_messages && watcher.left_more;
            if watcher.next < store.compacted || is_careful && watcher.next == store.compacted {
                let failure = Failure::Compacted(Index(store.compacted));
                wire.end(*id, now + LATENCY, ReplyEnd::Failed(failure));
                continue;
            }
            let cuts = self.quirks.cuts_messages;
            let is_wanted = |revision: &u64| {
                let mut left = store.left(*revision).into_iter();
                left.any(|(key, _)| watcher.covers(key))
            };
            let size = if cuts {
                self.luck.usize(1..=FULL)
            } else {
                FULL
            };
            let mut found = (watcher.next.max(2)..=store.latest()).filter(is_wanted);
            let revisions: Vec<u64> = found.by_ref().take(size).collect();
            let more = found.next();
            let pause = if self.quirks.splits_messages {
                slow / 4
            } else {
                0
            };
            if !revisions.is_empty() {
                let sent = Sent {
                    revisions: &revisions,
                    store_at: store.latest(),
                    is_full: revisions.len() == FULL,
                    splits: self.quirks.splits_messages,
                };
                let mut at = at;
                for input in message(*id, &store, &watcher, &sent, &self.budget) {
                    wire.say(at, input);
                    at += Duration::from_millis(self.luck.u64(..=pause));
                }
            }
            wire.watchers[0].next = more.unwrap_or(store.latest() + 1);
            wire.watchers[0].is_synced = more.is_none();
            wire.watchers[0].left_more = more.is_some();
        }
    }

    pub(super) fn open(&mut self, id: RequestId, call: &V3Call) {
        self.opened.push(self.now);
        let mut wire = V3Wire {
            call: call.clone(),
            era: self.stores.len() - 1,
            watchers: Vec::new(),
            queue: VecDeque::new(),
        };
        let at = self.now + 2 * LATENCY;
        let slow = u64::try_from(self.quirks.slow.as_millis()).expect("short");
        let state_at = at + Duration::from_millis(self.luck.u64(..=slow));
        let store = self.store();
        let latest = store.latest();
        let head = Input::Head {
            id,
            head: Self::head(Some(latest)),
        };
        let watcher = |from: Option<Index>, whole_store| {
            let next = from.map_or(latest + 1, |from| from.0.max(1));
            ModelWatcher {
                next,
                is_synced: next > latest,
                whole_store,
                left_more: false,
            }
        };
        if self.now < self.refuses_until {
            let failure = Failure::Unreachable("refused".to_owned());
            wire.end(id, at, ReplyEnd::Failed(failure));
            self.wires.insert(id, wire);
            return;
        }
        match call {
            V3Call::Revisions {
                whole_store: true, ..
            } if self.quirks.refuses_whole_store => {
                let failure = refused(fault::UNAUTHORIZED, Self::head(None));
                wire.end(id, at, ReplyEnd::Failed(failure));
            }
            V3Call::Revisions {
                from, whole_store, ..
            } => {
                wire.watchers.push(watcher(*from, *whole_store));
                wire.say(at, head);
            }
            V3Call::Kept {
                at: Index(revision),
                ..
            }
            | V3Call::Reach(Index(revision))
                if *revision < store.compacted || *revision > latest =>
            {
                let code = if *revision > latest {
                    v3::fault::FUTURE
                } else {
                    fault::INDEX_CLEARED
                };
                let head = Head {
                    cluster: None,
                    ..Self::head(None)
                };
                wire.end(id, at, ReplyEnd::Failed(refused(code, head)));
            }
            V3Call::Kept {
                key,
                at: Index(revision),
            } => {
                let nodes = store.nodes(*revision, |other| name(other).as_bytes() == key);
                wire.say(at, head);
                wire.say(at, Input::State { id, nodes });
                wire.end(id, at, clean());
            }
            V3Call::ReadKey(key) => {
                let nodes = store.nodes(latest, |other| name(other).as_bytes() == key);
                wire.say(at, head);
                wire.say(at, Input::State { id, nodes });
                wire.end(id, at, clean());
            }
            V3Call::Since { after, is_awaited } => {
                let nodes = store.last_written(*after).into_iter().collect();
                let state = Input::State { id, nodes };
                let patience = Duration::from_secs(if *is_awaited { 600 } else { 9 });
                wire.answer_after(id, at, self.quirks.look, patience, [head, state]);
            }
            V3Call::State => {
                let nodes = store.nodes(latest, |other| other < KEYS);
                wire.say(state_at, head);
                wire.say(state_at, Input::State { id, nodes });
                wire.end(id, state_at, clean());
            }
            V3Call::Index | V3Call::Reach(_) => {
                wire.say(at, head);
                wire.end(id, at, clean());
            }
        }
        self.wires.insert(id, wire);
    }

    pub(super) fn head(index: Option<u64>) -> Head {
        Head {
            status: 200,
            index: index.map(Index),
            cluster: Some("1".to_owned()),
            raft: None,
        }
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.is_heard |= matches!(input, Input::Head { .. });
        if self.is_traced {
            println!("{:?} {input:?}", self.now - self.began);
        }
        for step in self.session.handle(input, self.now) {
            if self.is_traced {
                println!("    {step:?}");
            }
            assert!(self.finished.is_none(), "a step follows the end: {step:?}");
            match step {
                Step::Send { id, request, .. } => self.open(id, &request.into()),
                Step::Close(id) => {
                    self.wires.remove(&id);
                }
                Step::HalfClose(_) => panic!("v3 needs none"),
                Step::Report(update) => self.take(update),
            }
        }
    }

    pub(super) fn take(&mut self, update: Update) {
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
            Update::Position(position) => {
                if let Some(index) = position.index {
                    checks.pass(store, index.0);
                }
            }
            Update::Finished(outcome) => self.finished = Some(outcome),
            Update::Status(status) => {
                let is_reported = checks.position.is_none_or(|at| status.index.0 <= at);
                assert!(is_reported, "{status:?} is after the cursor");
            }
            _ => {}
        }
    }

    /// Whether the watch ended because no server answered at the start.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.is_heard && matches!(self.finished, Some(Outcome::Failed(_)))
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.finished.is_none() {
            let arrival = self
                .wires
                .iter()
                .filter_map(|(id, wire)| Some((wire.queue.front()?.0, *id)));
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
            } else if let Some((_, id)) = arrival.filter(|(at, _)| *at <= self.now) {
                let wire = self.wires.get_mut(&id).unwrap();
                let (_, input) = wire.queue.pop_front().unwrap();
                if matches!(input, Input::Ended { .. }) {
                    self.wires.remove(&id);
                }
                self.feed(input);
            } else {
                self.feed(Input::Tick);
            }
        }
        self.now = self.now.max(until);
    }
}

fn refused(code: u32, head: Head) -> Failure {
    let fault = Fault {
        code,
        message: "no".to_owned(),
        cause: String::new(),
        index: Index::ZERO,
    };
    Failure::Refused(Box::new(Refusal { fault, head }))
}

pub(super) fn plan(start: Start, planned_end: PlannedEnd, on_gap: OnGap) -> Plan {
    Plan {
        scope: scope(),
        stream: true,
        on_gap,
        history: 1000,
        budget: Budget::new(1 << 20),
        ..world::plan(start, planned_end, 1)
    }
}
