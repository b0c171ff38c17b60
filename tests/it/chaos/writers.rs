//! Writers that run while faults are injected, and what is known about their writes.
//!
//! In scope: acknowledged writes, which are the truth, and writes without an answer. The latter are
//! settled afterwards from the server's state, from what a later write replaced, and from what a
//! watcher printed. Out of scope: whether the tool printed the right events (`counts`).

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use super::api::{self, Api, Operation};
use crate::support::v2::{self, Truth, Writer};
use crate::support::v3;

/// The number of writers in scope on a single server. One more writes elsewhere. On a cluster a
/// write takes longer, but more can be in flight.
const CLIENTS: usize = 3;
const CLIENTS_OF_A_CLUSTER: usize = 12;

/// The pause between two writes of a writer. A short fault must not outlast history.
const PACE: Duration = Duration::from_millis(4);

/// The number of writers and their pause while the baselines watch, because `etcdctl` asks for each
/// event by itself.
const GENTLE_CLIENTS: usize = 3;
const GENTLE_PACE: Duration = Duration::from_millis(12);

/// How long a writer waits for an answer before it tries another member.
const PATIENCE: Duration = Duration::from_secs(1);

/// The largest number of keys in a transaction.
const TRANSACTION: usize = 100;

/// A write that a writer attempts.
#[derive(Clone, Debug)]
pub struct Attempt {
    action: &'static str,
    key: String,
    value: Option<String>,
}

impl Attempt {
    /// An attempt to set a key.
    pub fn set(key: &str, value: &str) -> Self {
        Self {
            action: "set",
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }
    }

    /// An attempt to delete a key.
    pub fn delete(key: &str) -> Self {
        Self {
            action: "delete",
            key: key.to_owned(),
            value: None,
        }
    }

    fn is(&self, truth: &Truth) -> bool {
        (self.action, &self.key, &self.value) == (&truth.action, &truth.key, &truth.value)
    }
}

/// Acknowledged writes, and writes that may have happened.
#[derive(Default)]
pub struct Log {
    /// Writes that were acknowledged.
    pub acknowledged: Vec<Truth>,
    /// Writes that were sent and not answered.
    open: Vec<Attempt>,
    /// Writes that later writes found in place.
    found: Vec<Truth>,
}

impl Log {
    /// The writes of both logs.
    pub fn and(mut self, other: Self) -> Self {
        self.acknowledged.extend(other.acknowledged);
        self.open.extend(other.open);
        self.found.extend(other.found);
        self
    }

    /// Records the result of writes that were sent in one request, and returns whether they
    /// certainly happened.
    pub fn note_all(
        &mut self,
        api: Api,
        mut attempts: Vec<Attempt>,
        reply: std::io::Result<v2::Reply>,
    ) -> bool {
        if api == Api::V2 {
            let attempt = attempts.pop().expect("a wish");
            return self.note(attempt, reply);
        }
        match reply {
            Ok(reply) if reply.status == 200 => {
                let reply = reply.json();
                let index = v3::revision(&reply);
                for (attempt, response) in attempts
                    .into_iter()
                    .zip(reply["responses"].as_array().expect("responses"))
                {
                    let previous = &response["response_put"]["prev_kv"];
                    if previous.is_object() {
                        self.found.extend(set_by(&api::node(previous)));
                    }
                    let is_nothing = attempt.value.is_none()
                        && response["response_delete_range"]["deleted"] != "1";
                    if !is_nothing {
                        self.acknowledged.push(Truth {
                            index,
                            action: attempt.action.to_owned(),
                            key: attempt.key,
                            value: attempt.value,
                        });
                    }
                }
                return true;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            _ => self.open.extend(attempts),
        }
        false
    }

    /// Records the result of a write with the v2 API, and returns whether it certainly happened.
    pub fn note(&mut self, attempt: Attempt, reply: std::io::Result<v2::Reply>) -> bool {
        match reply {
            Ok(reply) if reply.status < 300 => {
                self.found.extend(set_by(&reply.json()["prevNode"]));
                self.acknowledged.push(reply.truth());
                return true;
            }
            // The key does not exist.
            Ok(reply) if reply.status == 404 => {}
            // Nothing was sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            _ => self.open.push(attempt),
        }
        false
    }

    /// Everything that happened, in order. A write without an answer counts if the server has it
    /// (`nodes`), a later write found it, or a watcher printed it.
    pub fn settle(self, nodes: &[Value], printed: impl Iterator<Item = Truth>) -> History {
        // The events of a transaction are in the order of their keys.
        let place = |one: &Truth| (one.index, one.key.clone());
        let mut truth: BTreeMap<(u64, String), Truth> = self
            .acknowledged
            .into_iter()
            .map(|one| (place(&one), one))
            .collect();
        let seen = nodes.iter().filter_map(set_by).chain(self.found);
        for one in seen.chain(printed) {
            if self.open.iter().any(|attempt| attempt.is(&one)) {
                truth.entry(place(&one)).or_insert(one);
            }
        }
        let is_settled = |attempt: &Attempt| {
            attempt.value.is_some() || truth.values().any(|one| attempt.is(one))
        };
        History {
            has_loose_ends: !self.open.iter().all(is_settled),
            events: truth.into_values().collect(),
        }
    }
}

/// The writes that certainly happened in one store.
#[derive(Debug, Default)]
pub struct History {
    /// In the order of their indexes.
    pub events: Vec<Truth>,
    /// Whether a delete without an answer may have happened unseen.
    pub has_loose_ends: bool,
}

/// The write that gave a node its present value.
fn set_by(node: &Value) -> Option<Truth> {
    Some(Truth {
        index: node["modifiedIndex"].as_u64()?,
        action: "set".to_owned(),
        key: node["key"].as_str()?.to_owned(),
        value: Some(node["value"].as_str()?.to_owned()),
    })
}

/// What a run writes, and where. Two stores never get the same values, and never have the same keys
/// deleted.
pub struct Task<'a> {
    /// The API that is written to.
    pub api: Api,
    /// The URLs of the members.
    pub urls: Vec<String>,
    /// The directory in scope.
    pub top: &'a str,
    /// The prefix of every value.
    pub mark: &'a str,
    /// Whether little is written, so that the baselines can follow.
    pub is_gentle: bool,
}

/// Runs `during` while several writers write. Returns its result, and the log of the writers.
pub fn while_writing<T>(task: &Task, random: &mut Rng, during: impl FnOnce() -> T) -> (T, Log) {
    let (count, pace) = match (task.is_gentle, task.urls.len()) {
        (true, _) => (GENTLE_CLIENTS, GENTLE_PACE),
        (false, 1) => (CLIENTS, PACE),
        (false, _) => (CLIENTS_OF_A_CLUSTER, PACE),
    };
    thread::scope(|scope| {
        let (stops, clients): (Vec<_>, Vec<_>) = (0..=count)
            .map(|client| {
                // A panic drops the senders too, so that all writers stop.
                let (stop, stopped) = channel();
                let writer_thread = WriterThread::new(task, client, client < count, random.fork());
                (
                    stop,
                    scope.spawn(move || writer_thread.write_until(&stopped, pace)),
                )
            })
            .unzip();
        let result = during();
        drop(stops);
        let logs = clients.into_iter().map(|client| client.join().unwrap());
        (result, logs.fold(Log::default(), Log::and))
    })
}

/// A writer. The last one of a run writes out of scope.
struct WriterThread {
    api: Api,
    urls: Vec<String>,
    directory: String,
    mark: String,
    random: Rng,
    log: Log,
    /// Its own keys that exist.
    there: Vec<String>,
    is_in_scope: bool,
}

impl WriterThread {
    fn new(task: &Task, client: usize, is_in_scope: bool, random: Rng) -> Self {
        let directory = if is_in_scope {
            format!("{}/lane{client}", task.top)
        } else {
            "/elsewhere".to_owned()
        };
        Self {
            api: task.api,
            urls: task.urls.clone(),
            directory,
            mark: task.mark.to_owned(),
            random,
            log: Log::default(),
            there: Vec::new(),
            is_in_scope,
        }
    }

    fn write_until(mut self, stopped: &Receiver<()>, pace: Duration) -> Log {
        let mut writer: Option<Writer> = None;
        let mut member = self.random.usize(..self.urls.len());
        let mut number = 0;
        while stopped.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
            number += 1;
            let Some(open) = &mut writer else {
                writer = Writer::try_connect(&self.urls[member], PATIENCE).ok();
                member = (member + 1) % self.urls.len();
                continue;
            };
            let attempts = self.attempts(number);
            let operations: Vec<Operation> = attempts
                .iter()
                .map(|attempt| (attempt.key.as_str(), attempt.value.as_deref()))
                .collect();
            let reply = self.api.write(open, &operations);
            if reply.as_ref().map_or(true, |reply| reply.status >= 500) {
                writer = None;
            }
            let set = attempts.iter().filter(|attempt| attempt.value.is_some());
            let keys: Vec<String> = set
                .map(|attempt| attempt.key.clone())
                .filter(|key| !key.ends_with("hot"))
                .collect();
            if self.log.note_all(self.api, attempts, reply) {
                self.there.extend(keys);
            }
        }
        if !self.is_in_scope {
            return Log::default();
        }
        self.log
    }

    /// The writes of the next request: one, or now and then a transaction over v3.
    fn attempts(&mut self, number: usize) -> Vec<Attempt> {
        if self.api == Api::V2 || self.random.u8(..25) > 0 {
            return vec![self.attempt(number)];
        }
        let count = self.random.usize(2..=TRANSACTION);
        let mut attempts: BTreeMap<String, Attempt> = BTreeMap::new();
        for part in 0..count {
            let attempt = match self.random.u8(..8) {
                0 if !self.there.is_empty() => self.delete_one(),
                _ => {
                    let value = format!("{}{number}-{part:02}", self.mark);
                    Attempt::set(&format!("{}/k{value}", self.directory), &value)
                }
            };
            attempts.insert(attempt.key.clone(), attempt);
        }
        attempts.into_values().collect()
    }

    fn delete_one(&mut self) -> Attempt {
        let place = self.random.usize(..self.there.len());
        Attempt::delete(&self.there.swap_remove(place))
    }

    /// Sets a new key or one that is written repeatedly, or deletes one of its keys.
    fn attempt(&mut self, number: usize) -> Attempt {
        let value = format!("{}{number}", self.mark);
        match self.random.u8(..10) {
            0..2 if !self.there.is_empty() => self.delete_one(),
            2..4 => Attempt::set(&format!("{}/hot", self.directory), &value),
            _ => Attempt::set(&format!("{}/k{value}", self.directory), &value),
        }
    }
}
