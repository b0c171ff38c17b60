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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Instant;

use crate::endpoint::Endpoint;
use crate::transport::http::Http;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::watch::{Budget, Input, Outcome, Plan, Session, Spares, Step, Update};

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
    arrivals: SyncSender<Arrival>,
    is_given_up: Arc<AtomicBool>,
}

impl Running {
    /// Ends it, with its connections. What it has reported by then stands.
    pub fn give_up(self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        // Where its inbox is full it needs no waking.
        let _ = self.arrivals.try_send(Input::Tick.into());
    }
}

/// Runs a watch on a thread of its own until it ends by itself, or is given up. It reports at once
/// all that it has to say at a time. It also ends, silently, when nobody takes its reports any more.
pub fn start(
    plan: Plan,
    means: Means,
    report: impl Fn(Vec<Report>) -> bool + Send + 'static,
) -> Running {
    let (arrivals, inbox) = mpsc::sync_channel(INBOX);
    let is_given_up = Arc::new(AtomicBool::new(false));
    let running = Running {
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
        };
        driver.run(&report);
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
                    Step::Send {
                        ticket,
                        endpoint,
                        request,
                    } => self.lanes.open(ticket, endpoint, &request),
                    Step::HalfClose(ticket) => self.lanes.half_close(ticket),
                    Step::Close(ticket) => self.lanes.close(ticket),
                    Step::Report(Update::Position(index)) => {
                        if moved.as_ref().is_some_and(|moved| moved.replace(index)) {
                            continue;
                        }
                        let position = Moved::to(index);
                        moved = Some(position.clone());
                        reports.push(Report::Moved(position));
                    }
                    Step::Report(update) => {
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

    #[test]
    fn a_position_that_nobody_took_makes_place_for_the_next() {
        let position = Moved::to(Index(1));
        let queued = position.clone();
        assert!(position.replace(Index(2)));
        assert_eq!(queued.take(), Index(2));
        assert!(!position.replace(Index(3)), "it is on its way already");
    }
}
