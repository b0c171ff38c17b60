//! The replies of a member of the model.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::server::{Damage, HalfClose, LATENCY, Server, Stall};
use super::store::oldest;
use super::wire::{Loss, V2Call, Wire, events};
use crate::model::{Index, StateNode};
use crate::protocol::{Failure, Fault, Head, Refusal};
use crate::v2;
use crate::watch::{Input, RequestId};

/// The time after which a read that needs a majority fails (fact 12).
const NO_QUORUM: Duration = Duration::from_secs(7);
/// The time for which a client remembers the raft index of a member that it no longer asks. After it,
/// only events that contradict themselves show that the member installed a snapshot.
const REMEMBERED: Duration = Duration::from_secs(55);
/// Requests within this time count as simultaneous.
const AT_ONCE: Duration = Duration::from_millis(1);

impl Server {
    pub fn open(&mut self, id: RequestId, endpoint: usize, call: V2Call) {
        self.opened.push(self.now);
        let endpoints = self.refuses_until.len();
        let behind = (self.members.len() - endpoint).div_ceil(endpoints);
        let mut wire = Wire {
            endpoint,
            member: endpoint + endpoints * self.luck.usize(..behind),
            era: self.era(),
            call,
            has_head: false,
            registered: false,
            overlooks: None,
            queue: VecDeque::new(),
        };
        if self.now < self.refuses_until[endpoint] {
            let failure = Failure::Unreachable("refused".to_owned());
            wire.fail(id, self.now + 2 * LATENCY, failure);
        } else {
            self.reply(id, &mut wire);
            if let Some(loss) = self.losses.pop() {
                self.lose_reply(id, &mut wire, loss);
            }
        }
        self.wires.insert(id, wire);
    }

    fn lose_reply(&self, id: RequestId, wire: &mut Wire, loss: Loss) {
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
        if let Some((at, failure)) = end {
            wire.fail(id, at, failure);
        }
    }

    fn reply(&mut self, id: RequestId, wire: &mut Wire) {
        let (now, at) = (self.now, self.now + 2 * LATENCY);
        let member = &mut self.members[wire.member];
        if member.heard.is_none_or(|at| at + REMEMBERED < now) {
            // The client can't recognise this damage, so the model does not test it.
            member.damage.retain(|_, damage| *damage == Damage::Mixed);
        }
        let (index, stopped) = (member.applied, member.stopped);
        let needs_majority = matches!(
            wire.call,
            V2Call::Index | V2Call::State | V2Call::ReadKey(_)
        );
        if needs_majority && stopped.is_some() {
            wire.fail(id, now + NO_QUORUM, self.no_quorum());
            return;
        }
        let era = self.era();
        self.stores[era].raft += u64::from(needs_majority);
        let head = Head {
            status: 200,
            index: Some(Index(index)),
            cluster: Some(self.store().cluster.to_string()),
            raft: Some(stopped.unwrap_or(self.store().raft)),
        };
        let mut nodes = match &wire.call {
            V2Call::Wait {
                from: Some(Index(from)),
                ..
            }
            | V2Call::Next {
                from: Index(from), ..
            }
            | V2Call::Walk {
                from: Index(from), ..
            } => {
                let from = *from;
                self.search(id, wire, head, from..index + 1);
                return;
            }
            V2Call::Stream | V2Call::Alarm | V2Call::Wait { .. } => {
                wire.say(at, Input::Head { id, head });
                wire.registered = true;
                return;
            }
            V2Call::Index => Vec::new(),
            V2Call::State | V2Call::ReadKey(_) => self.nodes(index),
        };
        if let V2Call::ReadKey(key) = &wire.call {
            nodes.retain(|node| node.key == *key);
        }
        wire.say(at, Input::Head { id, head });
        let mut at = at;
        if wire.call != V2Call::Index {
            if wire.call == V2Call::State {
                at += self.state_takes;
            }
            wire.say(at, Input::State { id, nodes });
        }
        wire.end(id, at);
    }

    /// A member looks for an event in its history, at these indexes.
    fn search(&mut self, id: RequestId, wire: &mut Wire, head: Head, span: Range<u64>) {
        let at = self.now + 2 * LATENCY;
        let oldest = oldest(span.end - 1);
        if span.start < oldest {
            let fault = Fault {
                code: v2::fault::INDEX_CLEARED,
                message: "cleared".to_owned(),
                cause: format!(
                    "the requested history has been cleared [{oldest}/{}]",
                    span.start
                ),
                index: Index(span.end - 1),
            };
            let refusal = Refusal { fault, head };
            wire.fail(id, at, Failure::Refused(Box::new(refusal)));
            return;
        }
        wire.say(at, Input::Head { id, head });
        let (store, damage) = (self.store(), &self.members[wire.member].damage);
        let is_found = |index: &u64| match &wire.call {
            _ if damage.get(index) == Some(&Damage::Hidden) => false,
            V2Call::Walk { .. } => store.is_event(*index),
            V2Call::Next { key, .. } => {
                let key = std::str::from_utf8(key).expect("keys are text here");
                store.in_history_of(key, false, *index)
            }
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
        let at = at + self.look(wire, span);
        wire.say(at, events(id, &line, &self.budget));
        wire.end(id, at);
    }

    /// The time from the head until the member looks up an event at these indexes.
    fn look(&mut self, wire: &mut Wire, span: Range<u64>) -> Duration {
        if self.is_slow_to_look && self.half_close != HalfClose::EndsWait {
            // Without half-closed waits a slow answer causes no overlooked event.
            return Duration::from_millis(self.luck.u64(..4000));
        }
        let looks = matches!(
            wire.call,
            V2Call::Wait { hangs: false, .. } | V2Call::Next { .. }
        );
        if !self.is_slow_to_look || !looks {
            return Duration::ZERO;
        }
        // One stall of a member affects all requests of that moment. No second stall affects the same
        // events, because no client could detect that. A broken connection is not an answer.
        let is_same = self.stall.member == wire.member
            && self.now <= self.stall.since + AT_ONCE
            && self.stall.until > self.now;
        let mut overlooked = self.overlooked.range(span.clone());
        if is_same && overlooked.all(|index| self.stall.overlooked.contains(index)) {
            self.overlooked.extend(span.clone());
            self.stall.overlooked.extend(span.clone());
            wire.overlooks = Some(span);
            return self.stall.until.duration_since(self.now);
        }
        let is_new = self.overlooked.range(span.clone()).next().is_none();
        if self.luck.u8(..4) > 0 || !is_new {
            wire.overlooks = Some(0..0);
            return Duration::from_millis(self.luck.u64(1..5));
        }
        self.overlooked.extend(span.clone());
        wire.overlooks = Some(span.clone());
        let length = Duration::from_millis(self.luck.u64(20..1500));
        self.stall = Stall {
            member: wire.member,
            since: self.now,
            until: self.now + length,
            overlooked: span.collect(),
        };
        length
    }

    fn no_quorum(&self) -> Failure {
        let fault = Fault {
            code: v2::fault::RAFT_INTERNAL,
            message: "Raft Internal Error".to_owned(),
            cause: "etcdserver: request timed out".to_owned(),
            index: Index::ZERO,
        };
        let head = Head {
            status: 500,
            index: None,
            cluster: Some(self.store().cluster.to_string()),
            raft: None,
        };
        Failure::Refused(Box::new(Refusal { fault, head }))
    }

    /// The state as a read returns it.
    fn nodes(&self, index: u64) -> Vec<StateNode> {
        let nodes = self.store().state(index).into_iter();
        nodes
            .map(|(key, node)| StateNode {
                key: key.into_bytes(),
                dir: node.value.is_none(),
                value: node.value.map(String::into_bytes),
                expiration: node.expires.then(|| "2030-01-01T00:00:00Z".to_owned()),
                ttl: None,
                modified: Index(node.modified),
                created: Index(node.created),
                ..StateNode::default()
            })
            .collect()
    }
}
