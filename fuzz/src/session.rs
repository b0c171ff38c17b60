//! The session with any replies of a server, at any time. Positions never go back, the number of requests
//! is bounded, and the session never waits for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use etcdwatch_engine::model::{Batch, Gap, Index, Key, Scope, StateNode};
use etcdwatch_engine::protocol::Failure;
use etcdwatch_engine::protocol::Whole;
use etcdwatch_engine::protocol::{Fault, Head, Malformed, Refusal};
use etcdwatch_engine::v2;
use etcdwatch_engine::v2::V2Request;
use etcdwatch_engine::v3::MessageEnd;
use etcdwatch_engine::v3::V3Request;
use etcdwatch_engine::watch::{
    AnyRequest, Budget, Input, OnGap, Plan, PlannedEnd, Position, ReceivedBatch, ReplyEnd,
    RequestId, Session, Start, Step, Update,
};

use super::bytes::Bytes;

/// The session never has this many requests in flight.
const MOST: usize = 64;
/// The largest number of inputs. More inputs find nothing more.
const INPUTS: usize = 400;
const BUDGET: usize = 4096;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let plan = plan(&mut bytes);
    let now = Instant::now();
    let mut world = World {
        is_v3: !plan.scope.key.is_path(),
        budget: plan.budget.clone(),
        endpoints: plan.endpoints,
        now,
        open: BTreeMap::new(),
        closed: Vec::new(),
        reached: None,
        position: None,
        reported: BTreeSet::new(),
        is_over: false,
        session: Session::new(plan, now),
    };
    world.feed(Input::Tick);
    for _ in 0..INPUTS {
        if world.is_over || bytes.0.is_empty() {
            return;
        }
        world.act(&mut bytes);
        if !world.is_waiting() {
            // What was given up comes back, and wakes it.
            world.give_back();
            assert!(world.is_waiting(), "it stands still for ever");
        }
    }
}

fn plan(bytes: &mut Bytes<'_>) -> Plan {
    let recursive = bytes.flip();
    let key = if bytes.flip() {
        Key::parse("/a").expect("a key")
    } else {
        Key::literal("/a").expect("a key")
    };
    // As the commands have it: a replay begins in history, and reads no state before.
    let is_replay = bytes.flip();
    let first = 1 + bytes.number() % 300;
    let at = Start::At(Index(first));
    let (start, planned_end) = match (is_replay, bytes.flip()) {
        (false, false) => (Start::Now, PlannedEnd::Forever),
        (false, true) => (at, PlannedEnd::Forever),
        (true, is_oldest) => {
            let start = if is_oldest { Start::Oldest } else { at };
            let to = bytes.flip().then(|| Index(bytes.number().max(first)));
            let follow = bytes.flip();
            (start, PlannedEnd::Present { to, follow })
        }
    };
    let on_gap = [OnGap::Resync, OnGap::Diff, OnGap::Continue, OnGap::Fail][bytes.of(4)];
    Plan {
        scope: Scope::new(key, recursive),
        start,
        planned_end,
        stream: bytes.flip(),
        previous: bytes.flip(),
        on_gap,
        snapshot: bytes.flip() && !is_replay,
        expand: bytes.flip(),
        stale_after: Duration::from_secs(30),
        cluster: None,
        last: None,
        endpoints: 1 + bytes.of(3),
        history: v2::HISTORY,
        raft_jump: v2::RAFT_JUMP,
        seed: 7,
        budget: Budget::new(BUDGET),
    }
}

/// A request in flight.
struct Request {
    brings: Brings,
    has_head: bool,
    has_state: bool,
}

/// How the driver reads a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brings {
    Nothing,
    Events,
    Messages,
    State,
}

impl Brings {
    fn of(request: &AnyRequest) -> Self {
        match request {
            AnyRequest::V2(request) => match request {
                V2Request::End | V2Request::Rewind | V2Request::Fresh => Self::Nothing,
                V2Request::State | V2Request::ReadKey { .. } => Self::State,
                _ => Self::Events,
            },
            AnyRequest::V3(request) => match request {
                V3Request::Stream { .. } | V3Request::Compaction { .. } => Self::Messages,
                V3Request::End
                | V3Request::Rewind
                | V3Request::Backlog
                | V3Request::Whole { .. }
                | V3Request::Fresh { scan_after: None } => Self::Nothing,
                _ => Self::State,
            },
        }
    }
}

struct World {
    session: Session,
    is_v3: bool,
    budget: Budget,
    endpoints: usize,
    now: Instant,
    /// The requests in flight.
    open: BTreeMap<RequestId, Request>,
    closed: Vec<RequestId>,
    /// The index of the last reported record.
    reached: Option<Index>,
    /// Everything up to here was reported.
    position: Option<Index>,
    /// The events that were reported with the v2 API.
    reported: BTreeSet<Index>,
    is_over: bool,
}

impl World {
    /// Whether something will wake the session, or the watch is over.
    fn is_waiting(&self) -> bool {
        self.is_over || self.session.wake_at().is_some() || !self.open.is_empty()
    }

    /// The driver's threads return from requests that were given up.
    fn give_back(&mut self) {
        for id in std::mem::take(&mut self.closed) {
            if !self.is_over {
                let end = ReplyEnd::Failed(Failure::Cut("given up".to_owned()));
                self.feed(Input::Ended { id, end });
            }
        }
    }

    /// Gives an input for one of the requests, or lets time pass.
    fn act(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.byte();
        if what.is_multiple_of(4) {
            self.now += bytes.time();
            return self.feed(Input::Tick);
        }
        let Some(id) = self.id(bytes) else {
            return;
        };
        let input = self.input(id, what, bytes);
        self.feed(input);
    }

    /// An input that the driver may give for a request.
    fn input(&mut self, id: RequestId, what: u8, bytes: &mut Bytes<'_>) -> Input {
        let (now, budget) = (self.now, &self.budget);
        let end = |bytes: &mut Bytes<'_>| Input::Ended {
            id,
            end: end(bytes),
        };
        // Inputs of a request that was given up may still be on their way.
        let mut late = Request {
            brings: if self.is_v3 {
                Brings::Messages
            } else {
                Brings::Events
            },
            has_head: true,
            has_state: true,
        };
        let request = self.open.get_mut(&id).unwrap_or(&mut late);
        if what.is_multiple_of(5) {
            return end(bytes);
        }
        if !request.has_head {
            request.has_head = true;
            let head = head(bytes);
            return Input::Head { id, head };
        }
        match (request.brings, what % 4) {
            (Brings::Events, _) => {
                let received = ReceivedBatch::new(events(bytes, false), now, budget);
                Input::Events { id, received }
            }
            (Brings::Messages, 0 | 1) => Input::Revisions {
                id,
                received: ReceivedBatch::new(events(bytes, true), now, budget),
                begins: bytes.flip().then(|| Index(bytes.number())),
                is_past: bytes.flip(),
            },
            (Brings::Messages, 2) => Input::MessageEnd {
                id,
                end: MessageEnd {
                    sent_upto: Index(bytes.number()),
                    store_at: Index(bytes.number()),
                    is_full: bytes.flip(),
                    is_progress: bytes.flip(),
                },
            },
            (Brings::Messages, _) => Input::PartReceived { id },
            (Brings::State, _) if !request.has_state => {
                request.has_state = true;
                let nodes = nodes(bytes);
                Input::State { id, nodes }
            }
            (Brings::State | Brings::Nothing, _) => end(bytes),
        }
    }

    /// A request in flight, or sometimes one that was given up.
    fn id(&self, bytes: &mut Bytes<'_>) -> Option<RequestId> {
        let which = usize::from(bytes.byte());
        if which >= 250 {
            return self.closed.last().copied();
        }
        let open: Vec<&RequestId> = self.open.keys().collect();
        open.get(which % open.len().max(1)).map(|id| **id)
    }

    fn feed(&mut self, input: Input) {
        // No input follows the end of a reply.
        if let Input::Ended { id, .. } = &input {
            self.open.remove(id);
        }
        for step in self.session.handle(input, self.now) {
            match step {
                Step::Send {
                    id,
                    endpoint,
                    request,
                } => {
                    assert!(endpoint < self.endpoints);
                    let request = Request {
                        brings: Brings::of(&request),
                        has_head: false,
                        has_state: false,
                    };
                    assert!(self.open.insert(id, request).is_none(), "a new name");
                    assert!(self.open.len() <= MOST, "{} requests", self.open.len());
                }
                Step::Close(id) => {
                    self.open.remove(&id);
                    self.closed.push(id);
                }
                Step::HalfClose(_) => {}
                Step::Report(Update::Finished(_)) => {
                    self.is_over = true;
                    return;
                }
                Step::Report(update) => self.on_update(&update),
            }
        }
    }

    fn on_update(&mut self, update: &Update) {
        match update {
            Update::Events(events) => {
                for event in events.iter().flat_map(|held| held.events()) {
                    // With the v2 API, an event that two waits have overlooked may come late.
                    if self.is_v3 {
                        self.reach(event.index());
                    } else {
                        assert!(
                            self.reported.insert(event.index()),
                            "{:?} again",
                            event.index()
                        );
                        if Some(event.index()) <= self.position {
                            (self.position, self.reached) = (None, None);
                        }
                    }
                }
            }
            Update::Gap(gap) => self.lose(gap),
            Update::Position(Position {
                index: index @ Some(_),
                ..
            }) => {
                assert!(
                    *index >= self.position,
                    "{index:?} after {:?}",
                    self.position
                );
                self.position = *index;
            }
            Update::Reset(index) | Update::Synced(index) => self.reach(*index),
            Update::State { index, .. }
            | Update::Changes { index, .. }
            | Update::Below { index, .. } => self.reach(*index),
            _ => {}
        }
    }

    fn reach(&mut self, index: Index) {
        assert!(
            Some(index) >= self.reached,
            "{index:?} after {:?}",
            self.reached
        );
        self.reached = Some(index);
    }

    fn lose(&mut self, gap: &Gap) {
        if gap.to.is_none() {
            // The store was replaced, so positions begin anew.
            self.reached = Some(gap.index);
            self.reported.clear();
            self.position = None;
        } else {
            self.reach(gap.index);
        }
    }
}

fn head(bytes: &mut Bytes<'_>) -> Head {
    let clusters = ["a", "b"];
    Head {
        status: 200,
        index: bytes.flip().then(|| Index(bytes.number())),
        cluster: bytes.flip().then(|| clusters[bytes.of(2)].to_owned()),
        raft: bytes.flip().then(|| bytes.number()),
    }
}

/// Events in any order (v2), or in the order of their revisions (v3).
fn events(bytes: &mut Bytes<'_>, are_sorted: bool) -> Batch {
    let actions: &[&str] = if are_sorted {
        &["set", "delete"]
    } else {
        &["set", "create", "delete", "expire", "news"]
    };
    let mut block = String::new();
    let mut least = 1;
    for _ in 0..=bytes.of(4) {
        let action = actions[bytes.of(actions.len())];
        let key = ["/a", "/a/b", "/a/b/c", "/other", "/a/_h"][bytes.of(5)];
        let dir = if bytes.of(8) == 7 && !are_sorted {
            r#","dir":true"#
        } else {
            ""
        };
        let (modified, created) = (bytes.number(), bytes.number());
        let modified = if are_sorted {
            modified.max(least)
        } else {
            modified
        };
        least = modified;
        let node = format!(
            r#"{{"key":"{key}","value":"v"{dir},"modifiedIndex":{modified},"createdIndex":{created}}}"#
        );
        let previous = match bytes.of(3) {
            0 => format!(r#","prevNode":{node}"#),
            _ => String::new(),
        };
        block.push_str(&format!(
            "{{\"action\":\"{action}\",\"node\":{node}{previous}}}\n"
        ));
    }
    v2::parse_events(block.into_bytes()).unwrap_or_default()
}

fn nodes(bytes: &mut Bytes<'_>) -> Vec<StateNode> {
    let keys = ["/a", "/a/b", "/a/c", "/a/c/d"];
    let there = keys
        .into_iter()
        .filter(|_| bytes.flip())
        .collect::<Vec<_>>();
    there
        .into_iter()
        .map(|key| StateNode {
            key: key.as_bytes().to_vec(),
            value: Some(vec![bytes.byte()]),
            dir: false,
            modified: Index(bytes.number()),
            created: Index(bytes.number()),
            ..StateNode::default()
        })
        .collect()
}

fn end(bytes: &mut Bytes<'_>) -> ReplyEnd {
    let text = || "reason".to_owned();
    ReplyEnd::Failed(match bytes.of(11) {
        0 | 1 => return ReplyEnd::Clean(Whole::received()),
        2 => Failure::Unreachable(text()),
        3 => Failure::Cut(text()),
        4 => Failure::Silent(text()),
        5 => Failure::Compacted(Index(bytes.number())),
        6 => Failure::NotEtcd(text()),
        7 => Failure::BadGateway(text()),
        8 => Failure::Malformed(Malformed::Shape(text())),
        9 => Failure::TooLong(7),
        _ => {
            let codes = [100, 110, 300, 301, 401, 11, 8, 0];
            let code = codes[bytes.of(8)];
            let (oldest, asked) = (bytes.number(), bytes.number());
            Failure::Refused(Box::new(Refusal {
                fault: Fault {
                    code,
                    message: text(),
                    cause: format!("the requested history has been cleared [{oldest}/{asked}]"),
                    index: Index(bytes.number()),
                },
                head: head(bytes),
            }))
        }
    })
}
