//! The model server: members of a cluster, the connections to them, and their faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::store::{Store, Write};
use crate::model::{Index, StateNode};
use crate::protocol::{Fault, Head, Refusal, v2};
use crate::watch::{Ask, Budget, End, Failure, Input, Parcel, Plan, Ticket};

/// How many indexes the model's history holds.
pub const HISTORY: u32 = 60;
/// How many events may wait for a stream before the server drops it.
const PENDING: usize = 5;
/// One way through the network.
pub const LATENCY: Duration = Duration::from_millis(1);
/// After which a read that needs a majority fails (fact 12).
const NO_QUORUM: Duration = Duration::from_secs(7);

/// For so long the driver waits for what is due: the rest of a reply, and the head of a read
/// that needs a majority.
const PATIENCE: Duration = Duration::from_secs(5);
const QUORUM_PATIENCE: Duration = Duration::from_secs(9);

/// How a reply gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection breaks after the head.
    CutBody,
    /// Nothing comes after the head.
    SilentBody,
    /// Nothing comes.
    Silent,
}

/// For so long a client knows the raft index of a member that it no longer asks: what became
/// of that member since can't be told.
const REMEMBERED: Duration = Duration::from_secs(55);

/// What a snapshot has done to an event in a member's history (fact 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// It counts as a refresh.
    Hidden,
    /// It has what another event had.
    Mixed,
}

/// A member of the cluster.
#[derive(Clone, Debug)]
struct Member {
    /// How far it has applied the writes.
    applied: u64,
    /// It is cut off from the others, and answers those who ask it; the last raft entry that it
    /// knows.
    stopped: Option<u64>,
    /// When the client heard of it last.
    heard: Option<Instant>,
    damage: BTreeMap<u64, Damage>,
}

/// A connection to the model.
pub struct Wire {
    endpoint: usize,
    member: usize,
    /// The store that it was opened to.
    era: usize,
    pub ask: Ask,
    /// Its head has arrived.
    has_head: bool,
    /// Whether it is told of what happens: not once it was answered, or went mute.
    pub registered: bool,
    /// It ends without its event where it is half-closed now.
    overlooks: bool,
    /// What is on its way, and when it arrives.
    queue: VecDeque<(Instant, Input)>,
}

pub struct Server {
    pub now: Instant,
    /// The present store, and before it those whose place it took.
    pub stores: Vec<Store>,
    /// Those whose place leaves the same rest stand behind one endpoint.
    members: Vec<Member>,
    pub snapshot_behind: u64,
    pub wires: BTreeMap<Ticket, Wire>,
    /// Until when nobody can connect to each endpoint.
    refuses_until: Vec<Instant>,
    /// How the next replies get lost.
    losses: Vec<Loss>,
    /// It may come to look into its history long after the head.
    pub is_slow_to_look: bool,
    /// A proxy before it takes a half-close for a close.
    pub cuts_half_closed: bool,
    /// What a wait may have ended without, though history had it.
    overlooked: BTreeSet<u64>,
    luck: fastrand::Rng,
    budget: Budget,
    /// When something was asked.
    pub opened: Vec<Instant>,
}

impl Server {
    pub fn new(plan: &Plan, members: usize, store: Store, now: Instant) -> Self {
        let member = Member::new(store.latest());
        Self {
            now,
            snapshot_behind: plan.snapshot_behind,
            stores: vec![store],
            members: vec![member; members],
            wires: BTreeMap::new(),
            refuses_until: vec![now; plan.endpoints],
            losses: Vec::new(),
            is_slow_to_look: false,
            cuts_half_closed: false,
            overlooked: BTreeSet::new(),
            luck: fastrand::Rng::with_seed(plan.seed),
            budget: plan.budget.clone(),
            opened: Vec::new(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.stores[self.era()]
    }

    /// How many stores were replaced.
    pub fn era(&self) -> usize {
        self.stores.len() - 1
    }

    /// One of the members.
    pub fn pick(&self, which: u8) -> usize {
        usize::from(which) % self.members.len()
    }

    /// All members but the first are so far behind from the beginning.
    pub fn lag(&mut self, by: u64) {
        let raft = self.store().raft;
        for member in self.members.iter_mut().skip(1) {
            member.stopped = (by > 0).then_some(raft.saturating_sub(by));
            // No store is without an index: the members themselves are written down in it.
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

    /// A member applies no more writes. One always keeps up: a cluster of which none does has
    /// no majority.
    pub fn stop(&mut self, member: usize) {
        let raft = self.store().raft;
        if member > 0 {
            self.members[member].stopped.get_or_insert(raft);
        }
    }

    /// A member applies all that it missed.
    pub fn catch_up(&mut self, member: usize) {
        self.members[member].stopped = None;
        while self.members[member].applied < self.store().latest() {
            self.apply(member);
        }
    }

    /// A member takes a snapshot: its watchers live on and see nothing of what it missed
    /// (fact 5).
    pub fn snapshot(&mut self, member: usize) {
        self.members[member].stopped = None;
        self.members[member].applied = self.store().latest();
    }

    /// Others read so often, with a majority, that a member which missed it is too far behind
    /// to apply what it missed: it takes a snapshot, which damages its history (fact 16).
    pub fn install(&mut self, member: usize, reads: u64) {
        let era = self.era();
        self.stores[era].raft += reads;
        let latest = self.store().latest();
        let Member {
            applied, stopped, ..
        } = self.members[member];
        let behind = stopped.map_or(0, |raft| self.store().raft - raft);
        // A client that never heard of the member can't know.
        if behind < self.snapshot_behind || self.members[member].heard.is_none() {
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

    /// A member is started anew, and reads its history as it was written.
    pub fn restart(&mut self, member: usize) {
        let wires = self.wires.iter();
        let tickets: Vec<Ticket> = wires
            .filter(|(_, wire)| wire.member == member)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in tickets {
            self.cut(ticket);
        }
        self.members[member].damage.clear();
        self.catch_up(member);
    }

    /// All members take these writes by a snapshot.
    pub fn skip(&mut self, writes: &[Write]) {
        for write in writes {
            self.record(*write);
        }
        for member in 0..self.members.len() {
            self.snapshot(member);
        }
    }

    pub fn cut_all(&mut self) {
        let tickets: Vec<Ticket> = self.wires.keys().copied().collect();
        for ticket in tickets {
            self.cut(ticket);
        }
    }

    pub fn cut_one(&mut self, which: u8) {
        if let Some(ticket) = self.pick_wire(which) {
            self.cut(ticket);
        }
    }

    /// A connection is open as far as the client can tell, and nothing comes of it.
    pub fn mute_one(&mut self, which: u8) {
        if let Some(ticket) = self.pick_wire(which)
            && let Some(wire) = self.wires.get_mut(&ticket)
        {
            let end = if wire.has_head {
                wire.silence(self.now)
            } else {
                Some(wire.silence_before_head(self.now))
            };
            wire.forget(0);
            wire.fail(ticket, end);
        }
    }

    fn pick_wire(&self, which: u8) -> Option<Ticket> {
        let count = self.wires.len().max(1);
        self.wires.keys().nth(usize::from(which) % count).copied()
    }

    /// The next replies get lost.
    pub fn lose(&mut self, losses: &[Loss]) {
        self.losses.extend(losses);
    }

    /// Nobody can connect for so long.
    pub fn refuse(&mut self, length: Duration) {
        for endpoint in 0..self.refuses_until.len() {
            self.refuse_at(endpoint, length);
        }
    }

    /// Nobody can connect to one endpoint for so long.
    pub fn refuse_at(&mut self, endpoint: usize, length: Duration) {
        let wires = self.wires.iter();
        let tickets: Vec<Ticket> = wires
            .filter(|(_, wire)| wire.endpoint == endpoint)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in tickets {
            self.cut(ticket);
        }
        self.refuses_until[endpoint] = self.now + length;
    }

    /// A proxy ends every wait with an empty body.
    pub fn end_waits(&mut self) {
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

    /// Another store takes the place of this one, on every member.
    pub fn rebuild(&mut self, store: Store) {
        self.overlooked.clear();
        self.cut_all();
        for member in &mut self.members {
            *member = Member::new(store.latest());
        }
        self.stores.push(store);
    }

    /// All that was wrong is over.
    pub fn heal(&mut self) {
        let now = self.now;
        self.refuses_until.fill(now);
        self.losses.clear();
        for member in 0..self.members.len() {
            self.catch_up(member);
        }
    }

    /// A member applies the next write, and tells its watchers.
    fn apply(&mut self, member: usize) {
        let index = self.members[member].applied + 1;
        self.members[member].applied = index;
        let store = self.store();
        let (line, copies) = (store.line(index), store.copies(index));
        let is_heard_anywhere = store.is_heard_anywhere(index);
        let at = self.now + LATENCY;
        for (ticket, wire) in &mut self.wires {
            if wire.member != member || !wire.registered {
                continue;
            }
            let copies = match &wire.ask {
                Ask::Stream => copies,
                Ask::Wait { from, .. } if from.is_none_or(|from| from.0 <= index) => copies.min(1),
                Ask::Alarm => usize::from(is_heard_anywhere),
                _ => 0,
            };
            for _ in 0..copies {
                if wire.queue.len() >= PENDING {
                    // It is dropped without a word (fact 4).
                    wire.registered = false;
                    break;
                }
                let event = events(*ticket, &line, &self.budget);
                wire.queue.push_back((at, event));
                if wire.ask != Ask::Stream {
                    // A long poll has its event.
                    wire.registered = false;
                    let (ticket, end) = (*ticket, End::Clean);
                    wire.queue.push_back((at, Input::Ended { ticket, end }));
                }
            }
        }
    }

    fn cut(&mut self, ticket: Ticket) {
        // What was on its way is lost with it.
        if let Some(wire) = self.wires.get_mut(&ticket) {
            wire.forget(0);
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

    /// A wait that nobody has answered ends, and so does one to which the server has not come
    /// back since its head (fact 17).
    pub fn half_close(&mut self, ticket: Ticket) {
        if self.cuts_half_closed {
            self.cut(ticket);
            return;
        }
        let wire = self.wires.get_mut(&ticket);
        if let Some(wire) = wire
            && std::mem::take(&mut wire.overlooks)
        {
            wire.queue.clear();
            wire.registered = true;
        }
        if self.wires.get(&ticket).is_some_and(|wire| wire.registered) {
            self.end(ticket, End::Clean);
        }
    }

    /// When the next thing arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.wires.values().filter_map(Wire::arrival).min()
    }

    /// Something that has arrived, the store that it comes from, and the member.
    pub fn arrived(&mut self) -> Option<(Input, usize, usize)> {
        let now = self.now;
        let ready = |wire: &Wire| wire.arrival().is_some_and(|at| at <= now);
        let wire = self.wires.values_mut().find(|wire| ready(wire))?;
        let (_, input) = wire.queue.pop_front()?;
        let (era, member) = (wire.era, wire.member);
        match input {
            Input::Head { .. } => wire.has_head = true,
            Input::Events { .. } => wire.overlooks = false,
            _ => {}
        }
        if let Input::Ended { ticket, .. } = &input {
            self.wires.remove(ticket);
        }
        Some((input, era, member))
    }

    /// The client has taken in what a member told of itself.
    pub fn hear(&mut self, member: usize) {
        self.members[member].heard = Some(self.now);
    }

    pub fn open(&mut self, ticket: Ticket, endpoint: usize, ask: Ask) {
        self.opened.push(self.now);
        let endpoints = self.refuses_until.len();
        let behind = (self.members.len() - endpoint).div_ceil(endpoints);
        let mut wire = Wire {
            endpoint,
            member: endpoint + endpoints * self.luck.usize(..behind),
            era: self.era(),
            ask,
            has_head: false,
            registered: false,
            overlooks: false,
            queue: VecDeque::new(),
        };
        self.reply(ticket, &mut wire);
        if let Some(loss) = self.losses.pop() {
            self.lose_reply(ticket, &mut wire, loss);
        }
        self.wires.insert(ticket, wire);
    }

    fn lose_reply(&self, ticket: Ticket, wire: &mut Wire, loss: Loss) {
        if !matches!(wire.queue.front(), Some((_, Input::Head { .. }))) {
            return;
        }
        let at = self.now + 2 * LATENCY;
        let end = match loss {
            Loss::CutBody => Some((at + LATENCY, Failure::Cut("cut".to_owned()))),
            Loss::SilentBody => wire.silence(at),
            Loss::Silent => Some(wire.silence_before_head(at)),
        };
        wire.forget(usize::from(loss != Loss::Silent));
        wire.fail(ticket, end);
    }

    fn reply(&mut self, ticket: Ticket, wire: &mut Wire) {
        let at = self.now + 2 * LATENCY;
        let mut say = |input| wire.queue.push_back((at, input));
        let failed = |failure| Input::Ended {
            ticket,
            end: End::Failed(failure),
        };
        if self.now < self.refuses_until[wire.endpoint] {
            say(failed(Failure::Unreachable("refused".to_owned())));
            return;
        }
        let now = self.now;
        let member = &mut self.members[wire.member];
        if member.heard.is_none_or(|at| at + REMEMBERED < now) {
            member.damage.clear();
        }
        let (index, stopped) = (member.applied, member.stopped);
        let needs_majority = matches!(wire.ask, Ask::Index | Ask::State | Ask::Look(_));
        let era = self.era();
        self.stores[era].raft += u64::from(needs_majority && stopped.is_none());
        let head = Head {
            status: 200,
            index: Some(Index(index)),
            cluster: Some(self.store().cluster.to_string()),
            raft: Some(stopped.unwrap_or(self.store().raft)),
        };
        if stopped.is_some() && needs_majority {
            let fault = Fault {
                code: v2::fault::RAFT_INTERNAL,
                message: "Raft Internal Error".to_owned(),
                cause: "etcdserver: request timed out".to_owned(),
                index: Index::ZERO,
            };
            let head = Head {
                status: 500,
                index: None,
                ..head
            };
            let refusal = Failure::Refused(Box::new(Refusal { fault, head }));
            wire.queue
                .push_back((self.now + NO_QUORUM, failed(refusal)));
            return;
        }
        let (end, head_of) = (End::Clean, |head| Input::Head { ticket, head });
        match &wire.ask {
            Ask::Index => {
                say(head_of(head));
                say(Input::Ended { ticket, end });
            }
            Ask::State => {
                say(head_of(head));
                let nodes = self.nodes(index);
                say(Input::State { ticket, nodes });
                say(Input::Ended { ticket, end });
            }
            Ask::Look(key) => {
                say(head_of(head));
                let mut nodes = self.nodes(index);
                nodes.retain(|node| node.key == *key);
                say(Input::State { ticket, nodes });
                say(Input::Ended { ticket, end });
            }
            Ask::Stream | Ask::Alarm | Ask::Wait { from: None, .. } => {
                say(head_of(head));
                wire.registered = true;
            }
            Ask::Wait {
                from: Some(Index(from)),
                ..
            }
            | Ask::Walk { from: Index(from) } => {
                let from = *from;
                self.reply_from_history(ticket, wire, head, from..=index);
            }
        }
    }

    /// What history has in `span`; where it has nothing, the wait is registered.
    fn reply_from_history(
        &mut self,
        ticket: Ticket,
        wire: &mut Wire,
        head: Head,
        span: RangeInclusive<u64>,
    ) {
        let at = self.now + 2 * LATENCY;
        let (from, index) = (*span.start(), *span.end());
        let oldest = oldest(index);
        if from < oldest {
            let fault = Fault {
                code: v2::fault::INDEX_CLEARED,
                message: "cleared".to_owned(),
                cause: format!("the requested history has been cleared [{oldest}/{from}]"),
                index: Index(index),
            };
            let end = End::Failed(Failure::Refused(Box::new(Refusal { fault, head })));
            wire.queue.push_back((at, Input::Ended { ticket, end }));
            return;
        }
        wire.queue.push_back((at, Input::Head { ticket, head }));
        let (store, damage) = (self.store(), &self.members[wire.member].damage);
        let is_found = |index: &u64| match wire.ask {
            _ if damage.get(index) == Some(&Damage::Hidden) => false,
            Ask::Walk { .. } => store.is_event(*index),
            _ => store.in_history(*index),
        };
        let Some(found) = span.clone().find(is_found) else {
            wire.registered = true;
            return;
        };
        let line = if damage.contains_key(&found) {
            store.damaged_line(found)
        } else {
            store.line(found)
        };
        let is_slow = self.is_slow_to_look && matches!(wire.ask, Ask::Wait { hangs: false, .. });
        // Nothing is overlooked twice by those who wait for a while: that would be too much for
        // any client. One that breaks is no answer at all.
        let is_late = is_slow
            && self.luck.u8(..4) == 0
            && (self.cuts_half_closed || self.overlooked.range(span.clone()).next().is_none());
        let looks = match (is_slow, is_late) {
            (_, true) => self.luck.u64(20..1500),
            (true, _) => self.luck.u64(1..5),
            _ => 0,
        };
        let at = at + Duration::from_millis(looks);
        wire.overlooks = is_slow;
        if is_late {
            self.overlooked.extend(span);
        }
        let event = events(ticket, &line, &self.budget);
        wire.queue.push_back((at, event));
        let end = End::Clean;
        wire.queue.push_back((at, Input::Ended { ticket, end }));
    }

    /// The state as a read of it tells it.
    fn nodes(&self, index: u64) -> Vec<StateNode> {
        let nodes = self.store().state(index).into_iter();
        nodes
            .map(|(key, node)| StateNode {
                key,
                dir: node.value.is_none(),
                value: node.value,
                expiration: node.expires.then(|| "2030-01-01T00:00:00Z".to_owned()),
                ttl: None,
                modified: Index(node.modified),
                created: Index(node.created),
            })
            .collect()
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

impl Wire {
    fn arrival(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// When the driver gives it up where nothing comes after `since`; never where it is meant
    /// to hang.
    fn silence(&self, since: Instant) -> Option<(Instant, Failure)> {
        let hangs = match self.ask {
            Ask::Stream | Ask::Alarm => true,
            Ask::Wait { hangs, .. } => hangs,
            Ask::Index | Ask::State | Ask::Look(_) | Ask::Walk { .. } => false,
        };
        (!hangs).then(|| (since + PATIENCE, Failure::Silent("idle".to_owned())))
    }

    /// Likewise where not even its head came.
    fn silence_before_head(&self, since: Instant) -> (Instant, Failure) {
        let patience = match self.ask {
            Ask::Index | Ask::State | Ask::Look(_) => QUORUM_PATIENCE,
            Ask::Stream | Ask::Alarm | Ask::Wait { .. } | Ask::Walk { .. } => PATIENCE,
        };
        (since + patience, Failure::Silent("no head".to_owned()))
    }

    /// Nothing more comes but the first so many things on their way.
    fn forget(&mut self, kept: usize) {
        self.registered = false;
        self.overlooks = false;
        self.queue.truncate(kept);
    }

    fn fail(&mut self, ticket: Ticket, end: Option<(Instant, Failure)>) {
        if let Some((at, failure)) = end {
            let end = End::Failed(failure);
            self.queue.push_back((at, Input::Ended { ticket, end }));
        }
    }
}

/// The oldest index in history once `latest` was written (fact 10).
pub fn oldest(latest: u64) -> u64 {
    (latest + 1).saturating_sub(HISTORY.into()).max(1)
}

fn events(ticket: Ticket, line: &str, budget: &Budget) -> Input {
    let batch = v2::parse_events(format!("{line}\n").into_bytes()).expect("an event");
    Input::Events {
        ticket,
        parcel: Parcel::new(batch, budget),
    }
}
