//! The model server: members of a cluster, the connections to them, and their faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::store::{Store, Write};
use super::wire::{Loss, V2Call, Wire, events};
use crate::protocol::Failure;
use crate::protocol::Whole;
use crate::watch::timing::UNWATCHED;
use crate::watch::{Budget, Input, Plan, ReplyEnd, RequestId};

/// The number of events that may wait for a stream before the server drops it.
const PENDING: usize = 5;
/// The latency of the network in one direction.
pub const LATENCY: Duration = Duration::from_millis(1);

/// The effect of a snapshot on an event in a member's history (fact 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The event is hidden, as a refresh is.
    Hidden,
    /// The event has the fields of another event.
    Mixed,
}

/// A member of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The index of the last write that it has applied.
    pub(super) applied: u64,
    /// The last raft entry that it knows, if it is cut off from the other members. It still answers
    /// clients.
    pub(super) stopped: Option<u64>,
    /// The time of the last reply that the client received from it.
    pub(super) heard: Option<Instant>,
    pub(super) damage: BTreeMap<u64, Damage>,
}

/// The last stall of a server. Requests that arrive during it are answered after it.
pub(super) struct Stall {
    pub(super) member: usize,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// The events in history that the waits of this stall may end without.
    pub(super) overlooked: BTreeSet<u64>,
}

/// How a server or proxy treats a half-closed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// The server ends the wait.
    EndsWait,
    /// A proxy closes the connection.
    Cuts,
    /// A proxy does not pass the half-close on.
    DoesNothing,
}

pub struct Server {
    pub now: Instant,
    /// All stores in the order of their replacement. The last one is the present one.
    pub stores: Vec<Store>,
    /// Members whose positions are equal modulo the number of endpoints share an endpoint.
    pub(super) members: Vec<Member>,
    pub raft_jump: u64,
    pub wires: BTreeMap<RequestId, Wire>,
    /// The end of the outage of each endpoint.
    pub(super) refuses_until: Vec<Instant>,
    /// The losses of the next replies, the last one first.
    pub(super) losses: Vec<Loss>,
    /// The server may look up its history long after it has sent the head.
    pub is_slow_to_look: bool,
    /// The transfer time of the body of a state.
    pub state_takes: Duration,
    pub half_close: HalfClose,
    /// Events of a stream that were sent within this time arrive together.
    pub batches: Option<Duration>,
    began: Instant,
    pub(super) stall: Stall,
    /// The events in history that a wait may have ended without.
    pub(super) overlooked: BTreeSet<u64>,
    pub(super) luck: fastrand::Rng,
    pub(super) budget: Budget,
    /// The times of the requests.
    pub opened: Vec<Instant>,
}

impl Server {
    pub fn new(plan: &Plan, members: usize, store: Store, now: Instant) -> Self {
        let member = Member::new(store.latest());
        Self {
            now,
            raft_jump: plan.raft_jump,
            stores: vec![store],
            members: vec![member; members],
            wires: BTreeMap::new(),
            refuses_until: vec![now; plan.endpoints],
            losses: Vec::new(),
            is_slow_to_look: false,
            state_takes: Duration::ZERO,
            half_close: HalfClose::EndsWait,
            batches: None,
            began: now,
            stall: Stall {
                member: 0,
                since: now,
                until: now,
                overlooked: BTreeSet::new(),
            },
            overlooked: BTreeSet::new(),
            luck: fastrand::Rng::with_seed(plan.seed),
            budget: plan.budget.clone(),
            opened: Vec::new(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.stores[self.era()]
    }

    /// The number of replaced stores.
    pub fn era(&self) -> usize {
        self.stores.len() - 1
    }

    /// The longest time that pending replies may take. A wait that can't be ended is given up late.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(match self.half_close {
            HalfClose::EndsWait => 60,
            HalfClose::Cuts | HalfClose::DoesNothing => 400,
        })
    }

    /// One of the members.
    pub fn pick(&self, which: u8) -> usize {
        usize::from(which) % self.members.len()
    }

    /// Puts all members but the first this far behind, at the start.
    pub fn lag(&mut self, by: u64) {
        let raft = self.store().raft;
        for member in self.members.iter_mut().skip(1) {
            member.stopped = (by > 0).then_some(raft.saturating_sub(by));
            // Every store has an index, because etcd writes its members into it.
            member.applied = member.applied.saturating_sub(by).max(1);
        }
    }

    pub fn write(&mut self, write: Write) {
        self.record(write);
        for member in 0..self.members.len() {
            if self.members[member].stopped.is_none() {
                self.apply(member);
            }
        }
    }

    fn record(&mut self, write: Write) {
        let era = self.era();
        self.stores[era].write(write);
    }

    /// Stops a member from applying writes. One member always keeps up, because a cluster without
    /// one has no majority.
    pub fn stop(&mut self, member: usize) {
        let raft = self.store().raft;
        if member > 0 {
            self.members[member].stopped.get_or_insert(raft);
        }
    }

    /// A member applies all writes that it missed.
    pub fn catch_up(&mut self, member: usize) {
        self.members[member].stopped = None;
        while self.members[member].applied < self.store().latest() {
            self.apply(member);
        }
    }

    /// A member installs a snapshot. Its watchers continue and receive none of the writes that it
    /// missed (fact 5).
    pub fn snapshot(&mut self, member: usize) {
        self.members[member].stopped = None;
        self.members[member].applied = self.store().latest();
    }

    /// Carries out this many linearizable reads. A member that missed them and is too far behind
    /// installs a snapshot, which damages its history (fact 16).
    pub fn install(&mut self, member: usize, reads: u64) {
        let era = self.era();
        self.stores[era].raft += reads;
        let latest = self.store().latest();
        let Member {
            applied, stopped, ..
        } = self.members[member];
        let behind = stopped.map_or(0, |raft| self.store().raft - raft);
        if behind < self.raft_jump {
            self.catch_up(member);
            return;
        }
        for index in applied + 1..=latest {
            let damage = match self.luck.u8(..4) {
                0 => Damage::Hidden,
                1 => Damage::Mixed,
                _ => continue,
            };
            self.members[member].damage.insert(index, damage);
        }
        self.snapshot(member);
    }

    /// Restarts a member, which then has an undamaged history.
    pub fn restart(&mut self, member: usize) {
        let wires = self.wires.iter();
        let ids: Vec<RequestId> = wires
            .filter(|(_, wire)| wire.member == member)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.cut(id);
        }
        self.members[member].damage.clear();
        self.catch_up(member);
    }

    /// All members receive these writes in a snapshot.
    pub fn skip(&mut self, writes: &[Write]) {
        for write in writes {
            self.record(*write);
        }
        for member in 0..self.members.len() {
            self.snapshot(member);
        }
    }

    pub fn cut_all(&mut self) {
        let ids: Vec<RequestId> = self.wires.keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
    }

    pub fn cut_one(&mut self, which: u8) {
        if let Some(id) = self.pick_wire(which) {
            self.cut(id);
        }
    }

    /// Stalls a connection: it stays open, and delivers nothing.
    pub fn stall_one(&mut self, which: u8) {
        if let Some(id) = self.pick_wire(which)
            && let Some(wire) = self.wires.get_mut(&id)
        {
            let end = if wire.has_head {
                wire.silence(self.now)
            } else {
                Some(wire.silence_before_head(self.now))
            };
            wire.forget(0);
            if let Some((at, failure)) = end {
                wire.fail(id, at, failure);
            }
        }
    }

    fn pick_wire(&self, which: u8) -> Option<RequestId> {
        let count = self.wires.len().max(1);
        self.wires.keys().nth(usize::from(which) % count).copied()
    }

    /// Loses the next replies.
    pub fn lose(&mut self, losses: &[Loss]) {
        self.losses.extend(losses);
    }

    /// No endpoint accepts connections for this time.
    pub fn refuse(&mut self, length: Duration) {
        for endpoint in 0..self.refuses_until.len() {
            self.refuse_at(endpoint, length);
        }
    }

    /// One endpoint accepts no connections for this time.
    pub fn refuse_at(&mut self, endpoint: usize, length: Duration) {
        let wires = self.wires.iter();
        let ids: Vec<RequestId> = wires
            .filter(|(_, wire)| wire.endpoint == endpoint)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.cut(id);
        }
        self.refuses_until[endpoint] = self.now + length;
    }

    /// A proxy ends every wait with an empty body.
    pub fn end_waits(&mut self) {
        let waits: Vec<RequestId> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.registered || wire.overlooks.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in waits {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.forget(0);
            }
            self.end(id, ReplyEnd::Clean(Whole::received()));
        }
    }

    /// Replaces the store on every member.
    pub fn rebuild(&mut self, store: Store) {
        self.overlooked.clear();
        if self.wires.is_empty() {
            // No connection breaks by which the session would notice. A server is not replaced faster.
            self.refuse(UNWATCHED);
        }
        self.cut_all();
        for member in &mut self.members {
            *member = Member::new(store.latest());
        }
        self.stores.push(store);
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        let now = self.now;
        self.refuses_until.fill(now);
        self.losses.clear();
        for member in 0..self.members.len() {
            self.catch_up(member);
        }
    }

    /// A member applies the next write, and sends it to its watchers.
    fn apply(&mut self, member: usize) {
        let index = self.members[member].applied + 1;
        self.members[member].applied = index;
        let store = self.store();
        let (line, copies) = (store.line(index), store.copies(index));
        let is_heard_anywhere = store.is_heard_anywhere(index);
        let at = self.now + LATENCY;
        let in_batch = self.batches.map_or(at, |span| {
            let before = at.duration_since(self.began).as_micros() % span.as_micros();
            at + span.saturating_sub(Duration::from_micros(u64::try_from(before).expect("short")))
        });
        for (id, wire) in &mut self.wires {
            if wire.member != member || !wire.registered {
                continue;
            }
            let copies = match &wire.call {
                V2Call::Stream => copies,
                V2Call::Wait { from, .. } if from.is_none_or(|from| from.0 <= index) => {
                    copies.min(1)
                }
                V2Call::Alarm => usize::from(is_heard_anywhere),
                V2Call::Walk { from, .. } if from.0 <= index => usize::from(is_heard_anywhere),
                _ => 0,
            };
            for _ in 0..copies {
                if wire.queue.len() >= PENDING {
                    // The server drops it without a sign (fact 4).
                    wire.registered = false;
                    break;
                }
                let event = events(*id, &line, &self.budget);
                let is_stream = wire.call == V2Call::Stream;
                wire.queue
                    .push_back((if is_stream { in_batch } else { at }, event));
                if wire.call != V2Call::Stream {
                    // A long poll has its event.
                    wire.registered = false;
                    let (id, end) = (*id, ReplyEnd::Clean(Whole::received()));
                    wire.queue.push_back((at, Input::Ended { id, end }));
                }
            }
        }
    }

    fn cut(&mut self, id: RequestId) {
        // Everything in transit is lost with the connection.
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.forget(0);
        }
        self.end(id, ReplyEnd::Failed(Failure::Cut("cut".to_owned())));
    }

    fn end(&mut self, id: RequestId, end: ReplyEnd) {
        let at = self.now + LATENCY;
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.registered = false;
            wire.queue.push_back((at, Input::Ended { id, end }));
        }
    }

    /// Half-closes a wait. It ends if it has no answer, or if the server has not looked up history
    /// since the head (fact 17).
    pub fn half_close(&mut self, id: RequestId) {
        match self.half_close {
            HalfClose::EndsWait => {}
            HalfClose::Cuts => return self.cut(id),
            HalfClose::DoesNothing => {
                let wire = self.wires.get_mut(&id);
                if let Some(wire) = wire.filter(|wire| wire.queue.is_empty())
                    && let Some((at, failure)) = wire.silence(self.now)
                {
                    wire.fail(id, at, failure);
                }
                return;
            }
        }
        let wire = self.wires.get_mut(&id);
        if let Some(wire) = wire
            && wire.overlooks.take().is_some()
        {
            wire.queue.clear();
            wire.registered = true;
        }
        if self.wires.get(&id).is_some_and(|wire| wire.registered) {
            self.end(id, ReplyEnd::Clean(Whole::received()));
        }
    }

    /// The time at which the next input arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.wires.values().filter_map(Wire::arrival).min()
    }

    /// An input that has arrived, the store that it comes from, and the member.
    pub fn arrived(&mut self) -> Option<(Input, usize, usize)> {
        let now = self.now;
        let ready = |wire: &Wire| wire.arrival().is_some_and(|at| at <= now);
        let wire = self.wires.values_mut().find(|wire| ready(wire))?;
        let (_, mut input) = wire.queue.pop_front()?;
        if wire.call == V2Call::Stream {
            while let (
                Input::Events { id, received },
                Some((at, Input::Events { received: more, .. })),
            ) = (&mut input, wire.queue.front())
                && *at <= now
            {
                let lines = received.batch().iter().chain(more.batch().iter());
                let lines =
                    lines.map(|event| String::from_utf8_lossy(event.raw().unwrap()).into_owned());
                let lines: Vec<String> = lines.collect();
                input = events(*id, &lines.join("\n"), &self.budget);
                wire.queue.pop_front();
            }
        }
        let (era, member) = (wire.era, wire.member);
        match input {
            Input::Head { .. } => wire.has_head = true,
            Input::Events { .. } => wire.overlooks = None,
            _ => {}
        }
        if let Input::Ended { id, .. } = &input {
            self.wires.remove(id);
        }
        Some((input, era, member))
    }

    /// The client has received the raft index of a member.
    pub fn hear(&mut self, member: usize) {
        self.members[member].heard = Some(self.now);
    }
}

impl Member {
    fn new(applied: u64) -> Self {
        Self {
            applied,
            stopped: None,
            heard: None,
            damage: BTreeMap::new(),
        }
    }
}
