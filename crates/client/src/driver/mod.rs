//! Carries out the decisions of a session: one thread owns the session, and each request in flight has a
//! worker thread.
//!
//! In scope: threads, channels, and turning bytes into the session's inputs. Out of scope: the choice of
//! the next request, which the session makes. `workers` has the threads and their connections,
//! `requests` turns the session's requests into HTTP requests, and `reader` turns replies into inputs.
//!
//! Connections are reused, because history is read in many small requests.

mod message;
mod reader;
mod requests;
mod servers;
mod workers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use etcdwatch_engine::watch::{Budget, BufferPool, Input, Plan, Session, Step, Update};

use message::WorkerMessage;
use workers::Workers;

pub use servers::Servers;

/// The number of messages that may wait for the session. It is large enough to keep the session busy, and
/// small enough that the workers soon slow down when the session is behind.
const INBOX: usize = 64;

/// The updates that the consumer has not taken yet. Of several positions in a row only the last is
/// kept, so that a slow consumer costs no memory.
#[derive(Clone, Debug, Default)]
struct Updates(Arc<Mutex<Vec<Update>>>);

impl Updates {
    /// Adds updates. Returns whether there were none before.
    fn push(&self, updates: impl IntoIterator<Item = Update>) -> bool {
        let mut queued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queued.is_empty();
        for update in updates {
            match (queued.last_mut(), update) {
                (Some(Update::Position(last)), Update::Position(next)) => *last = next,
                (_, update) => queued.push(update),
            }
        }
        was_empty
    }

    fn take(&self) -> Vec<Update> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A watch that runs on its own thread.
#[derive(Debug)]
pub struct RunningWatch {
    updates: Updates,
    messages: SyncSender<WorkerMessage>,
    is_given_up: Arc<AtomicBool>,
}

impl RunningWatch {
    /// Takes the updates since the last call, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Update> {
        self.updates.take()
    }

    /// Ends the watch, and closes its connections.
    pub fn give_up(self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // A thread with a full inbox need not be woken.
        let _ = self.messages.try_send(Input::Tick.into());
    }
}

/// Runs a watch on its own thread until it ends, or [`RunningWatch::give_up`] is called. The thread calls
/// `wake` when [`RunningWatch::take`] has updates again, and ends silently once `wake` returns false.
pub fn start(
    plan: Plan,
    servers: Servers,
    wake: impl Fn() -> bool + Send + 'static,
) -> RunningWatch {
    let (messages, inbox) = mpsc::sync_channel(INBOX);
    let updates = Updates::default();
    let is_given_up = Arc::new(AtomicBool::new(false));
    let running = RunningWatch {
        updates: updates.clone(),
        messages: messages.clone(),
        is_given_up: Arc::clone(&is_given_up),
    };
    thread::spawn(move || {
        let buffers = BufferPool::default();
        let mut driver = Driver {
            workers: Workers::new(&plan, servers, messages, buffers.clone()),
            budget: plan.budget.clone(),
            buffers,
            session: Session::new(plan, Instant::now()),
            inbox,
            is_given_up,
            updates,
        };
        driver.run(&wake);
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
    updates: Updates,
}

impl Driver {
    fn run(&mut self, wake: &dyn Fn() -> bool) {
        let mut input = Input::Tick;
        loop {
            let mut updates = Vec::new();
            for step in self.session.handle(input, Instant::now()) {
                match step {
                    Step::Send {
                        id,
                        endpoint,
                        request,
                    } => self.workers.open(id, endpoint, &request),
                    Step::HalfClose(id) => self.workers.half_close(id),
                    Step::Close(id) => self.workers.close(id),
                    Step::Report(update) => updates.push(update),
                }
            }
            let is_over = updates
                .iter()
                .any(|update| matches!(update, Update::Finished(_)));
            if !updates.is_empty() && self.updates.push(updates) && !wake() || is_over {
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
                    if let Input::Ended { id, .. } = input {
                        self.workers.ended(id);
                    }
                    input
                }
                WorkerMessage::Lines(lines) => {
                    let read = lines.parse(&self.buffers, &self.budget);
                    if let Input::Ended { id, .. } = read {
                        // The rest of this reply is no longer needed.
                        self.workers.close(id);
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
    use etcdwatch_engine::model::Index;
    use etcdwatch_engine::watch::Position;

    #[test]
    fn a_position_that_was_not_taken_is_replaced_by_the_next() {
        let position = |index| {
            Update::Position(Position {
                index: Some(Index(index)),
                ..Position::default()
            })
        };
        let queue = Updates::default();
        assert!(queue.push([position(1)]));
        assert!(!queue.push([position(2), Update::Following, position(3)]));
        let shown = format!("{:?}", queue.take());
        let expected = [position(2), Update::Following, position(3)];
        assert_eq!(shown, format!("{expected:?}"));
        assert!(queue.push([position(4)]), "it was emptied");
    }
}
