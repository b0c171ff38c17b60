//! Carries out what a session decides: one thread that owns the session, and one a connection.
//!
//! In scope: threads, channels, and turning bytes into the session's inputs. No policy: what
//! to ask, and when, is the session's.
//!
//! Connections are kept and used again, since history is read in many small questions. Each
//! has an agent of its own, so that breaking one off leaves the others alone.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Ask, Budget, End, Failure, Input, Outcome, Parcel, Plan, Session, Step, Ticket, Update,
};
use crate::decode::{Lines, Messages, Part, TooLong};
use crate::http::{Connection, Http, Limits, PATIENCE, QUORUM_PATIENCE, Reply, read_failure};
use crate::model::{Index, Key, Scope, StateNode};
use crate::protocol::v2::fault;
use crate::protocol::v3::{Portion, Told};
use crate::protocol::{Head, Malformed, Refusal, Request, v2, v3};
use crate::settings::Endpoint;

/// How many inputs wait for the session: enough to keep it busy, few enough that a reader
/// thread soon feels that it is behind.
const INBOX: usize = 64;

/// How much of a watch by v3 is read at once.
const BUFFER: usize = 64 * 1024;

/// So often it is told that a message is on its way that takes long.
const HEARD: Duration = Duration::from_millis(500);

/// A whole state is never larger than this.
const MAX_STATE: usize = 1 << 30;

/// What the driver needs beside the plan.
#[derive(Clone, Debug)]
pub struct Means {
    /// How connections are made.
    pub http: Http,
    /// The endpoints, in the order in which the plan counts them.
    pub endpoints: Vec<Endpoint>,
    /// The largest event, in bytes.
    pub max_event: usize,
}

/// What a watch sends to whoever shows it.
#[derive(Debug)]
pub enum Report {
    /// Something to show.
    Update(Update),
    /// Nothing in scope happened up to here.
    Moved(Moved),
    /// It is over.
    Finished(Outcome),
}

/// A position on its way to whoever shows it. Of many in a row, while the reader of the output
/// takes nothing, only the last is of interest: none is queued behind another.
#[derive(Clone, Debug)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    /// No index of a store: it has been taken.
    const TAKEN: u64 = u64::MAX;

    fn to(index: Index) -> Self {
        Self(Arc::new(AtomicU64::new(index.0)))
    }

    /// Puts a later position in its place; false where it was taken already.
    fn replace(&self, index: Index) -> bool {
        let replaced = |old| (old != Self::TAKEN).then_some(index.0);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, replaced)
            .is_ok()
    }

    /// The position as it is now.
    #[must_use]
    pub fn take(self) -> Index {
        Index(self.0.swap(Self::TAKEN, Ordering::Relaxed))
    }
}

/// A watch that was started, and can be given up.
#[derive(Debug)]
pub struct Running {
    inputs: SyncSender<Input>,
    is_given_up: Arc<AtomicBool>,
}

impl Running {
    /// Ends it, with its connections. What it has reported by then stands.
    pub fn give_up(self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // Where its inbox is full it needs no waking.
        let _ = self.inputs.try_send(Input::Tick);
    }
}

/// Runs a watch on a thread of its own until it ends by itself, or is given up. It also ends,
/// silently, when nobody takes its reports any more.
pub fn start(
    plan: Plan,
    means: Means,
    report: impl Fn(Report) -> bool + Send + 'static,
) -> Running {
    let (inputs, inbox) = mpsc::sync_channel(INBOX);
    let is_given_up = Arc::new(AtomicBool::new(false));
    let running = Running {
        inputs: inputs.clone(),
        is_given_up: Arc::clone(&is_given_up),
    };
    thread::spawn(move || {
        let mut driver = Driver {
            lanes: Lanes {
                scope: plan.scope.clone(),
                previous: plan.previous,
                budget: plan.budget.clone(),
                means,
                inputs,
                idle: Vec::new(),
                busy: HashMap::new(),
            },
            session: Session::new(plan, Instant::now()),
            inbox,
            is_given_up,
        };
        driver.run(&report);
        driver.lanes.close_all();
    });
    running
}

struct Driver {
    session: Session,
    lanes: Lanes,
    inbox: Receiver<Input>,
    is_given_up: Arc<AtomicBool>,
}

impl Driver {
    fn run(&mut self, report: &dyn Fn(Report) -> bool) {
        let mut input = Input::Tick;
        // The last report, where that was a position.
        let mut moved: Option<Moved> = None;
        loop {
            for step in self.session.handle(input, Instant::now()) {
                match step {
                    Step::Open {
                        ticket,
                        endpoint,
                        ask,
                    } => self.lanes.open(ticket, endpoint, &ask),
                    Step::HalfClose(ticket) => self.lanes.half_close(ticket),
                    Step::Close(ticket) => self.lanes.close(ticket),
                    Step::Tell(Update::Position(index)) => {
                        if moved.as_ref().is_some_and(|moved| moved.replace(index)) {
                            continue;
                        }
                        let position = Moved::to(index);
                        moved = Some(position.clone());
                        if !report(Report::Moved(position)) {
                            return;
                        }
                    }
                    Step::Tell(update) => {
                        moved = None;
                        if !report(Report::Update(update)) {
                            return;
                        }
                    }
                    Step::Finish(outcome) => {
                        report(Report::Finished(outcome));
                        return;
                    }
                }
            }
            let Some(next) = self.next_input() else {
                return;
            };
            if self.is_given_up.load(Ordering::Relaxed) {
                return;
            }
            if let Input::Ended { ticket, .. } = next {
                self.lanes.ended(ticket);
            }
            input = next;
        }
    }

    fn next_input(&self) -> Option<Input> {
        let Some(at) = self.session.wake_at() else {
            return self.inbox.recv().ok();
        };
        let wait = at.saturating_duration_since(Instant::now());
        match self.inbox.recv_timeout(wait) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => Some(Input::Tick),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

/// A request on its way to a lane's thread.
struct Order {
    ticket: Ticket,
    endpoint: Endpoint,
    request: Request,
    reads: Reads,
    limits: Limits,
    connection: Connection,
}

/// What is read of a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Events.
    Events,
    /// Its head alone.
    Index,
    /// The state; all below the key too, or not.
    State {
        /// All below it too.
        recursive: bool,
    },
    /// The messages of a watch (v3).
    Messages,
    /// The store's revision (v3).
    Revision,
    /// That, and keys with their values (v3).
    Pairs,
}

/// A thread with a connection that it keeps.
struct Lane {
    orders: Sender<Order>,
    connection: Connection,
    endpoint: usize,
    /// Something was answered on the connection, and it may be open still.
    is_warm: bool,
    /// The connection can't be used for another request.
    spent: bool,
}

/// All threads with connections.
struct Lanes {
    scope: Scope,
    /// Whether values before an event are wanted.
    previous: bool,
    budget: Budget,
    means: Means,
    inputs: SyncSender<Input>,
    idle: Vec<Lane>,
    busy: HashMap<Ticket, Lane>,
}

impl Lanes {
    fn open(&mut self, ticket: Ticket, endpoint: usize, ask: &Ask) {
        let Some(address) = self.means.endpoints.get(endpoint).cloned() else {
            return;
        };
        // What will be answered soon goes where a connection is open already; what will spend
        // its connection, or keep it, leaves that alone.
        let is_quick = match ask {
            Ask::Wait { hangs, renews, .. } => !hangs && !renews,
            Ask::Stream | Ask::Alarm | Ask::Revisions { .. } | Ask::Proof { .. } => false,
            Ask::Index
            | Ask::State
            | Ask::Look(_)
            | Ask::Next { .. }
            | Ask::Walk { .. }
            | Ask::Kept { .. }
            | Ask::Reach(_)
            | Ask::Since(_) => true,
        };
        let mut lane = self.lane(endpoint, is_quick);
        let (request, reads, limits) = if self.scope.key.is_path() {
            by_v2(&self.scope, ask)
        } else {
            by_v3(&self.scope, self.previous, ask)
        };
        lane.endpoint = endpoint;
        let order = Order {
            ticket,
            endpoint: address,
            request,
            reads,
            limits,
            connection: lane.connection.clone(),
        };
        // A lane's thread lives as long as its sender.
        if lane.orders.send(order).is_ok() {
            self.busy.insert(ticket, lane);
        }
    }

    /// A lane that is idle: where it `is_quick`, one with a connection that is open to `endpoint`
    /// if there is one. Else one without, or one of those with, as long as one is left; or a new
    /// one.
    fn lane(&mut self, endpoint: usize, is_quick: bool) -> Lane {
        let is_open = |lane: &Lane| lane.is_warm && lane.endpoint == endpoint;
        let idle = &mut self.idle;
        let open_ones = idle.iter().filter(|lane| is_open(lane)).count();
        if open_ones > usize::from(!is_quick)
            && let Some(position) = idle.iter().position(is_open)
        {
            return idle.swap_remove(position);
        }
        if let Some(position) = idle.iter().position(|lane| !is_open(lane)) {
            let mut lane = idle.swap_remove(position);
            if lane.is_warm {
                lane.connection = self.means.http.connection();
            }
            return lane;
        }
        let (orders, queue) = mpsc::channel();
        let reader = Reader {
            scope: self.scope.clone(),
            inputs: self.inputs.clone(),
            budget: self.budget.clone(),
            max_event: self.means.max_event,
        };
        thread::spawn(move || {
            for order in queue {
                if reader.carry_out(&order).is_none() {
                    return;
                }
            }
        });
        Lane {
            orders,
            connection: self.means.http.connection(),
            endpoint,
            is_warm: false,
            spent: false,
        }
    }

    fn half_close(&mut self, ticket: Ticket) {
        if let Some(lane) = self.busy.get_mut(&ticket) {
            lane.connection.half_close();
            lane.spent = true;
        }
    }

    fn close(&mut self, ticket: Ticket) {
        if let Some(lane) = self.busy.get_mut(&ticket) {
            // The thread comes back with an end that the session no longer asks for.
            lane.connection.shut_down();
            lane.spent = true;
        }
    }

    fn close_all(&mut self) {
        for lane in self.busy.values() {
            lane.connection.shut_down();
        }
    }

    fn ended(&mut self, ticket: Ticket) {
        if let Some(mut lane) = self.busy.remove(&ticket) {
            lane.is_warm = !std::mem::take(&mut lane.spent);
            if !lane.is_warm {
                lane.connection = self.means.http.connection();
            }
            self.idle.push(lane);
        }
    }
}

/// A request that needs a majority.
const AGREED: Limits = Limits {
    head: Some(QUORUM_PATIENCE),
    idle: Some(PATIENCE),
};

/// A request that is answered at once, and then perhaps never again.
const fn patient(idle: Option<Duration>) -> Limits {
    Limits {
        head: Some(PATIENCE),
        idle,
    }
}

fn by_v2(scope: &Scope, ask: &Ask) -> (Request, Reads, Limits) {
    match ask {
        Ask::Stream => (v2::stream(scope), Reads::Events, patient(None)),
        Ask::Wait { from, hangs, .. } => {
            let idle = (!hangs).then_some(PATIENCE);
            (v2::wait(scope, *from), Reads::Events, patient(idle))
        }
        // A session by v2 asks none of the last five.
        Ask::Index
        | Ask::Revisions { .. }
        | Ask::Proof { .. }
        | Ask::Kept { .. }
        | Ask::Reach(_)
        | Ask::Since(_) => (read_index(&scope.key), Reads::Index, AGREED),
        Ask::State => {
            let how = v2::Read {
                recursive: scope.recursive,
                sorted: false,
                quorum: true,
            };
            let recursive = scope.recursive;
            (
                v2::read(&scope.key, how),
                Reads::State { recursive },
                AGREED,
            )
        }
        Ask::Look(key) => {
            let key = event_key(key, scope);
            (read_index(&key), Reads::State { recursive: false }, AGREED)
        }
        Ask::Next { key, from } => {
            let scope = Scope::new(event_key(key, scope), false);
            let request = v2::wait(&scope, Some(*from));
            (request, Reads::Events, patient(Some(PATIENCE)))
        }
        Ask::Alarm => (v2::wait_anywhere(None), Reads::Events, patient(None)),
        Ask::Walk { from } => {
            let request = v2::wait_anywhere(Some(*from));
            (request, Reads::Events, patient(Some(PATIENCE)))
        }
    }
}

fn by_v3(scope: &Scope, previous: bool, ask: &Ask) -> (Request, Reads, Limits) {
    let watch = |request| (request, Reads::Messages, patient(None));
    match ask {
        Ask::Revisions { from, in_fragments } => {
            watch(v3::watch(scope, *from, previous, *in_fragments))
        }
        Ask::Proof {
            from,
            marker,
            in_fragments,
        } => watch(v3::watch_with_marker(scope, *from, *marker, *in_fragments)),
        Ask::State => (v3::state(scope), Reads::Pairs, AGREED),
        Ask::Since(after) => (v3::since(scope, *after), Reads::Pairs, AGREED),
        Ask::Look(key) => (v3::read_at(key, None), Reads::Pairs, AGREED),
        Ask::Kept { key, at } => (v3::read_at(key, Some(*at)), Reads::Pairs, AGREED),
        Ask::Reach(at) => {
            let key = scope.key.as_str().as_bytes();
            (v3::read_at(key, Some(*at)), Reads::Revision, AGREED)
        }
        // A session by v3 asks none of the others.
        Ask::Index
        | Ask::Stream
        | Ask::Wait { .. }
        | Ask::Next { .. }
        | Ask::Alarm
        | Ask::Walk { .. } => (v3::revision(scope), Reads::Revision, AGREED),
    }
}

/// The key of an event is one that can be asked for.
fn event_key(key: &[u8], scope: &Scope) -> Key {
    let parsed = std::str::from_utf8(key)
        .ok()
        .and_then(|key| Key::parse(key).ok());
    parsed.unwrap_or_else(|| scope.key.clone())
}

fn read_index(key: &Key) -> Request {
    v2::read(
        key,
        v2::Read {
            quorum: true,
            ..v2::Read::default()
        },
    )
}

/// How soon it is looked again whether the reader of the output has caught up.
const PRESSURE_POLL: Duration = Duration::from_millis(5);

/// The reading half of a lane.
struct Reader {
    scope: Scope,
    inputs: SyncSender<Input>,
    budget: Budget,
    max_event: usize,
}

impl Reader {
    /// Sends a request and passes on what comes of it; `None` once the session is gone.
    fn carry_out(&self, order: &Order) -> Option<()> {
        let ticket = order.ticket;
        let end = match self.exchange(order) {
            Some(Ok(())) => End::Clean,
            Some(Err(failure)) => End::Failed(failure),
            None => return None,
        };
        self.inputs.send(Input::Ended { ticket, end }).ok()
    }

    fn exchange(&self, order: &Order) -> Option<Result<(), Failure>> {
        let sent = order
            .connection
            .send(&order.endpoint, &order.request, order.limits);
        let reply = match sent {
            Ok(reply) => reply,
            Err(failure) => {
                return match (order.reads, failure) {
                    // The index of a key that is not there is as good as any.
                    (Reads::Index | Reads::State { .. }, Failure::Refused(refusal))
                        if fault::is_absent(refusal.fault.code) =>
                    {
                        self.pass_head(order.ticket, refusal.head)?;
                        if order.reads != Reads::Index {
                            self.pass_state(order.ticket, Vec::new())?;
                        }
                        Some(Ok(()))
                    }
                    (_, failure) => Some(Err(failure)),
                };
            }
        };
        // v3 tells in the body what v2 tells in the head.
        if matches!(
            order.reads,
            Reads::Index | Reads::Events | Reads::State { .. }
        ) {
            self.pass_head(order.ticket, reply.head.clone())?;
        }
        match order.reads {
            Reads::Messages => {
                let head = reply.head.clone();
                self.pass_messages(order, &head, reply.into_reader())
            }
            Reads::Revision | Reads::Pairs => self.pass_reply(order, reply),
            Reads::Index => Some(reply.read_whole(self.max_event).map(drop)),
            Reads::Events => self.pass_events(order.ticket, reply.into_reader()),
            Reads::State { recursive } => {
                let state = reply
                    .read_whole(MAX_STATE)
                    .and_then(|body| v2::parse_state(&body).map_err(Failure::Malformed));
                match state {
                    Ok(state) => {
                        self.pass_state(order.ticket, state.node.flatten(recursive))?;
                        Some(Ok(()))
                    }
                    Err(failure) => Some(Err(failure)),
                }
            }
        }
    }

    /// Passes on the reply to a read by v3.
    fn pass_reply(&self, order: &Order, reply: Reply) -> Option<Result<(), Failure>> {
        let head = reply.head.clone();
        let read = reply
            .read_whole(MAX_STATE)
            .and_then(|body| match body.trim_ascii() {
                // A proxy that has nothing to say.
                [] => Err(Failure::Cut(
                    "it ended the reply with nothing in it".to_owned(),
                )),
                body => v3::parse_reply(body).map_err(Failure::Malformed),
            });
        let read = match read {
            Ok(read) => read,
            Err(failure) => return Some(Err(failure)),
        };
        self.pass_head(
            order.ticket,
            Head {
                index: Some(read.revision),
                cluster: Some(read.cluster),
                ..head
            },
        )?;
        if order.reads == Reads::Pairs {
            let nodes = read.pairs.into_iter().map(StateNode::from).collect();
            self.pass_state(order.ticket, nodes)?;
        }
        Some(Ok(()))
    }

    /// Passes on what a watch by v3 tells.
    fn pass_messages(
        &self,
        order: &Order,
        head: &Head,
        mut body: impl Read,
    ) -> Option<Result<(), Failure>> {
        let mut messages = Messages::new(self.max_event);
        let mut assembler = v3::Assembler::new(self.scope.clone());
        let mut buffer = vec![0; BUFFER];
        let mut is_registered = false;
        let mut told_at = Instant::now();
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Some(Err(read_failure(&error))),
            };
            let mut bytes = buffer.get(..count).unwrap_or_default();
            loop {
                let told = match messages.next(&mut bytes) {
                    Ok(None) => break,
                    Ok(Some(Part::Element(text))) => assembler
                        .event(text)
                        .map(|portion| portion.map(Told::Events).into_iter().collect()),
                    Ok(Some(Part::Message(text))) => assembler.message(text),
                    Err(TooLong { limit }) => return Some(Err(Failure::TooLong(limit))),
                };
                let told: Vec<Told> = match told {
                    Ok(told) => told,
                    Err(malformed) => return Some(Err(Failure::Malformed(malformed))),
                };
                for told in told {
                    told_at = Instant::now();
                    let is_created = matches!(told, Told::Created { .. });
                    // A marker has a watch of its own, which is registered later.
                    if is_created && std::mem::replace(&mut is_registered, true) {
                        continue;
                    }
                    if let Err(failure) = self.pass_told(order, head, told)? {
                        return Some(Err(failure));
                    }
                }
            }
            if told_at.elapsed() >= HEARD {
                told_at = Instant::now();
                self.inputs
                    .send(Input::Heard {
                        ticket: order.ticket,
                    })
                    .ok()?;
            }
        }
        if messages.is_broken_off() {
            let why = "the reply broke off in the middle of a message".to_owned();
            return Some(Err(Failure::Cut(why)));
        }
        Some(Ok(()))
    }

    fn pass_told(&self, order: &Order, head: &Head, told: Told) -> Option<Result<(), Failure>> {
        let ticket = order.ticket;
        let input = match told {
            Told::Created { revision, cluster } => Input::Head {
                ticket,
                head: Head {
                    index: Some(revision),
                    cluster: Some(cluster),
                    ..head.clone()
                },
            },
            Told::Events(Portion {
                batch,
                begins,
                is_past,
            }) => {
                // The server waits, and its history goes on: nothing is lost by reading later.
                while self.budget.is_spent() && !order.connection.is_shut_down() {
                    thread::sleep(PRESSURE_POLL);
                }
                Input::Revisions {
                    ticket,
                    parcel: Parcel::new(batch, Instant::now(), &self.budget),
                    begins,
                    is_past,
                }
            }
            Told::Over(over) => Input::Over { ticket, over },
            Told::Compacted(upto) => return Some(Err(Failure::Compacted(upto))),
            Told::Refused(fault) => {
                let refusal = Refusal {
                    fault,
                    head: head.clone(),
                };
                return Some(Err(Failure::Refused(Box::new(refusal))));
            }
        };
        self.inputs.send(input).ok().map(Ok)
    }

    fn pass_state(&self, ticket: Ticket, nodes: Vec<StateNode>) -> Option<()> {
        self.inputs.send(Input::State { ticket, nodes }).ok()
    }

    fn pass_head(&self, ticket: Ticket, head: Head) -> Option<()> {
        self.inputs.send(Input::Head { ticket, head }).ok()
    }

    fn pass_events(&self, ticket: Ticket, mut body: impl Read) -> Option<Result<(), Failure>> {
        let mut lines = Lines::new(self.max_event);
        loop {
            let count = match body.read(lines.room()) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Some(Err(read_failure(&error))),
            };
            lines.advance(count);
            match lines.block() {
                Ok(None) => {}
                Ok(Some(block)) => match self.pass_block(ticket, block)? {
                    Ok(()) => {}
                    refused => return Some(refused),
                },
                Err(too_long) => return Some(Err(Failure::TooLong(too_long.limit))),
            }
        }
        // A last line without its newline is one all the same, if it is whole.
        let rest = lines.rest();
        if rest.is_empty() {
            return Some(Ok(()));
        }
        match self.pass_block(ticket, rest)? {
            Err(Failure::Malformed(Malformed::Shape(_))) => {
                let why = "the reply broke off in the middle of an event".to_owned();
                Some(Err(Failure::Cut(why)))
            }
            other => Some(other),
        }
    }

    fn pass_block(&self, ticket: Ticket, block: Vec<u8>) -> Option<Result<(), Failure>> {
        match v2::parse_events(block) {
            Ok(batch) if batch.is_empty() => Some(Ok(())),
            Ok(batch) => {
                let parcel = Parcel::new(batch, Instant::now(), &self.budget);
                self.inputs
                    .send(Input::Events { ticket, parcel })
                    .ok()
                    .map(Ok)
            }
            Err(malformed) => Some(Err(Failure::Malformed(malformed))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_that_nobody_took_makes_place_for_the_next() {
        let position = Moved::to(Index(1));
        let queued = position.clone();
        assert!(position.replace(Index(2)));
        assert_eq!(queued.take(), Index(2));
        assert!(!position.replace(Index(3)), "it is on its way already");
    }
}
