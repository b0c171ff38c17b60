//! Carries out what a session decides: one thread that owns the session, and one a connection.
//!
//! In scope: threads, channels, and turning bytes into the session's inputs. No policy: what
//! to ask, and when, is the session's. `lanes` has the connections, `requests` what is sent for
//! what the session asks, and `reader` what is made of the replies.
//!
//! Connections are kept and used again, since history is read in many small questions. Each
//! has an agent of its own, so that breaking one off leaves the others alone.

mod arrival;
mod lanes;
mod reader;
mod requests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::endpoint::Endpoint;
use crate::transport::http::Http;
use etcdwatch_engine::watch::{Budget, Input, Plan, Session, Spares, Step, Update};

use arrival::Arrival;
use lanes::Lanes;

/// How many inputs wait for the session: enough to keep it busy, few enough that a reader
/// thread soon feels that it is behind.
const INBOX: usize = 64;

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

/// Updates on their way from a watch to whoever takes them. Of several positions in a row, while nobody
/// takes any, only the last is kept, so that a reader who is slow costs no memory.
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

/// A watch that was started, and can be given up.
#[derive(Debug)]
pub struct RunningWatch {
    updates: Updates,
    arrivals: SyncSender<Arrival>,
    is_given_up: Arc<AtomicBool>,
}

impl RunningWatch {
    /// Takes the updates that have come since the last call, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Update> {
        self.updates.take()
    }

    /// Ends it, with its connections.
    pub fn give_up(self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // Where its inbox is full it needs no waking.
        let _ = self.arrivals.try_send(Input::Tick.into());
    }
}

/// Runs a watch on a thread of its own until it ends by itself, or is given up. It calls `wake` when
/// [`RunningWatch::take`] has updates again, and ends, silently, once `wake` returns false.
pub fn start(plan: Plan, means: Means, wake: impl Fn() -> bool + Send + 'static) -> RunningWatch {
    let (arrivals, inbox) = mpsc::sync_channel(INBOX);
    let updates = Updates::default();
    let is_given_up = Arc::new(AtomicBool::new(false));
    let running = RunningWatch {
        updates: updates.clone(),
        arrivals: arrivals.clone(),
        is_given_up: Arc::clone(&is_given_up),
    };
    thread::spawn(move || {
        let spares = Spares::default();
        let mut driver = Driver {
            lanes: Lanes::new(&plan, means, arrivals, spares.clone()),
            budget: plan.budget.clone(),
            spares,
            session: Session::new(plan, Instant::now()),
            inbox,
            is_given_up,
            updates,
        };
        driver.run(&wake);
        driver.lanes.close_all();
    });
    running
}

struct Driver {
    session: Session,
    lanes: Lanes,
    budget: Budget,
    spares: Spares,
    inbox: Receiver<Arrival>,
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
                        ticket,
                        endpoint,
                        request,
                    } => self.lanes.open(ticket, endpoint, &request),
                    Step::HalfClose(ticket) => self.lanes.half_close(ticket),
                    Step::Close(ticket) => self.lanes.close(ticket),
                    Step::Report(update) => updates.push(update),
                }
            }
            let is_over = matches!(updates.last(), Some(Update::Finished(_)));
            if !updates.is_empty() && self.updates.push(updates) && !wake() || is_over {
                return;
            }
            let Some(next) = self.next_arrival() else {
                return;
            };
            if self.is_given_up.load(Ordering::Relaxed) {
                return;
            }
            input = match next {
                Arrival::Input(input) => {
                    if let Input::Ended { ticket, .. } = input {
                        self.lanes.ended(ticket);
                    }
                    input
                }
                Arrival::Lines(lines) => {
                    let read = lines.read(&self.spares, &self.budget);
                    if let Input::Ended { ticket, .. } = read {
                        // What it is that comes there is of no interest any more.
                        self.lanes.close(ticket);
                    }
                    read
                }
            };
        }
    }

    fn next_arrival(&self) -> Option<Arrival> {
        let Some(at) = self.session.wake_at() else {
            return self.inbox.recv().ok();
        };
        let wait = at.saturating_duration_since(Instant::now());
        match self.inbox.recv_timeout(wait) {
            Ok(arrival) => Some(arrival),
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
    fn a_position_that_nobody_took_is_replaced_by_the_next() {
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
