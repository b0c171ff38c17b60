//! Carries out what a session decides: one thread owns the session, and each request in flight has a
//! worker thread.
//!
//! In scope: threads, channels, and turning bytes into the session's inputs. Out of scope: what to
//! ask, and when, which the session decides. `workers` has the threads and their connections,
//! `requests` turns what the session asks into requests, and `reader` turns replies into inputs.
//!
//! Connections are kept and used again, because history is read in many small requests.

mod means;
mod message;
mod reader;
mod requests;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Instant;

use etcdwatch_engine::model::Index;
use etcdwatch_engine::watch::{Budget, BufferPool, Input, Outcome, Plan, Session, Step, Update};

use message::WorkerMessage;
use workers::Workers;

pub use means::Means;

/// How many messages may wait for the session: enough to keep it busy, and few enough to slow the
/// workers down soon when it is behind.
const INBOX: usize = 64;

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
    messages: SyncSender<WorkerMessage>,
    is_given_up: Arc<AtomicBool>,
}

impl Running {
    /// Ends it, with its connections. What it has reported by then stands.
    pub fn give_up(self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // Where its inbox is full it needs no waking.
        let _ = self.messages.try_send(Input::Tick.into());
    }
}

/// Runs a watch on a thread of its own until it ends by itself, or is given up. It reports at once
/// all that it has to say at a time. It also ends, silently, when nobody takes its reports any more.
pub fn start(
    plan: Plan,
    means: Means,
    report: impl Fn(Vec<Report>) -> bool + Send + 'static,
) -> Running {
    let (messages, inbox) = mpsc::sync_channel(INBOX);
    let is_given_up = Arc::new(AtomicBool::new(false));
    let running = Running {
        messages: messages.clone(),
        is_given_up: Arc::clone(&is_given_up),
    };
    thread::spawn(move || {
        let buffers = BufferPool::default();
        let mut driver = Driver {
            workers: Workers::new(&plan, means, messages, buffers.clone()),
            budget: plan.budget.clone(),
            buffers,
            session: Session::new(plan, Instant::now()),
            inbox,
            is_given_up,
        };
        driver.run(&report);
        driver.workers.close_all();
    });
    running
}

struct Driver {
    session: Session,
    workers: Workers,
    budget: Budget,
    buffers: BufferPool,
    inbox: Receiver<WorkerMessage>,
    is_given_up: Arc<AtomicBool>,
}

impl Driver {
    fn run(&mut self, report: &dyn Fn(Vec<Report>) -> bool) {
        let mut input = Input::Tick;
        // The last report, where that was a position.
        let mut moved: Option<Moved> = None;
        loop {
            let mut reports = Vec::new();
            for step in self.session.handle(input, Instant::now()) {
                match step {
                    Step::Open {
                        ticket,
                        endpoint,
                        ask,
                    } => self.workers.open(ticket, endpoint, &ask),
                    Step::HalfClose(ticket) => self.workers.half_close(ticket),
                    Step::Close(ticket) => self.workers.close(ticket),
                    Step::Tell(Update::Position(index)) => {
                        if moved.as_ref().is_some_and(|moved| moved.replace(index)) {
                            continue;
                        }
                        let position = Moved::to(index);
                        moved = Some(position.clone());
                        reports.push(Report::Moved(position));
                    }
                    Step::Tell(update) => {
                        moved = None;
                        reports.push(Report::Update(update));
                    }
                    Step::Finish(outcome) => {
                        reports.push(Report::Finished(outcome));
                        report(reports);
                        return;
                    }
                }
            }
            if !reports.is_empty() && !report(reports) {
                return;
            }
            let Some(next) = self.next_message() else {
                return;
            };
            if self.is_given_up.load(Ordering::Relaxed) {
                return;
            }
            input = match next {
                WorkerMessage::Input(input) => {
                    if let Input::Ended { ticket, .. } = input {
                        self.workers.ended(ticket);
                    }
                    input
                }
                WorkerMessage::Lines(lines) => {
                    let read = lines.parse(&self.buffers, &self.budget);
                    if let Input::Ended { ticket, .. } = read {
                        // What it is that comes there is of no interest any more.
                        self.workers.close(ticket);
                    }
                    read
                }
            };
        }
    }

    fn next_message(&self) -> Option<WorkerMessage> {
        let Some(at) = self.session.wake_at() else {
            return self.inbox.recv().ok();
        };
        let wait = at.saturating_duration_since(Instant::now());
        match self.inbox.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => Some(Input::Tick.into()),
            Err(RecvTimeoutError::Disconnected) => None,
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
