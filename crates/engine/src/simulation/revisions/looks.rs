//! Lookups of the last write in scope that take the server a long time, and streams that deliver it
//! late or never.

use std::time::{Duration, Instant};

use super::store::{Operation, V3Store};
use super::wire::{ModelWatcher, Sent, V3Call, clean, message};
use super::world::{V3World, plan};
use crate::model::Index;
use crate::protocol::Failure;
use crate::testing;
use crate::watch::{
    Budget, HeldEvents, Input, OnGap, Outcome, PlannedEnd, ReplyEnd, RequestId, Session, Start,
    Step, Update, WatchState,
};

const SECOND: Duration = Duration::from_secs(1);

/// The time limit of the driver for a lookup that the session can do without.
const PATIENCE: Duration = Duration::from_secs(9);

/// A server, and a session that watches it.
struct Stand {
    session: Session,
    store: V3Store,
    /// The time that a lookup of the last write takes.
    look: Duration,
    /// The time from the head of a stream to its events from history; `None` if it delivers none.
    past: Option<Duration>,
    now: Instant,
    arriving: Vec<(Instant, RequestId, Input)>,
    streams: usize,
    states: Vec<WatchState>,
    events: usize,
    outcome: Option<Outcome>,
}

impl Stand {
    fn new(start: Start, planned_end: PlannedEnd, look: Duration, past: Option<Duration>) -> Self {
        let now = testing::now();
        let mut stand = Self {
            session: Session::new(plan(start, planned_end, OnGap::Continue), now),
            store: V3Store::new(),
            look,
            past,
            now,
            arriving: Vec::new(),
            streams: 0,
            states: Vec::new(),
            events: 0,
            outcome: None,
        };
        stand.write();
        stand
    }

    fn write(&mut self) {
        self.store.write(&[Operation {
            key: 0,
            is_delete: false,
        }]);
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end && self.outcome.is_none() {
            self.feed(Input::Tick);
            while let Some(at) = self.arriving.iter().position(|(at, ..)| *at <= self.now) {
                let (_, _, input) = self.arriving.remove(at);
                self.feed(input);
            }
            self.now += SECOND / 10;
        }
    }

    fn feed(&mut self, input: Input) {
        for step in self.session.handle(input, self.now) {
            match step {
                Step::Send { id, request, .. } => self.open(id, &request.into()),
                Step::Close(id) => self.arriving.retain(|(_, other, _)| *other != id),
                Step::Report(Update::Status(status)) => self.states.push(status.state),
                Step::Report(Update::Events(held)) => {
                    self.events += held.iter().flat_map(HeldEvents::events).count();
                }
                Step::Report(Update::Finished(outcome)) => self.outcome = Some(outcome),
                Step::HalfClose(_) | Step::Report(_) => {}
            }
        }
    }

    fn say(&mut self, after: Duration, id: RequestId, input: Input) {
        self.arriving.push((self.now + after, id, input));
    }

    fn open(&mut self, id: RequestId, call: &V3Call) {
        let head = V3World::head(Some(self.store.latest()));
        let head = Input::Head { id, head };
        let mut end = clean();
        let mut takes = Duration::ZERO;
        let mut nodes = None;
        match call {
            V3Call::Revisions { from, .. } => {
                self.streams += 1;
                self.say(Duration::ZERO, id, head);
                if let (Some(Index(from)), Some(past)) = (from, self.past) {
                    for input in self.past_of(id, (*from).max(1)) {
                        self.say(past, id, input);
                    }
                }
                return;
            }
            V3Call::Since { after, is_awaited } => {
                takes = self.look;
                nodes = Some(self.store.last_written(*after).into_iter().collect());
                if takes > PATIENCE && !is_awaited {
                    takes = PATIENCE;
                    end = ReplyEnd::Failed(Failure::Silent("it goes through all keys".to_owned()));
                }
            }
            _ => {}
        }
        if !matches!(end, ReplyEnd::Failed(_)) {
            self.say(takes, id, head);
            if let Some(nodes) = nodes {
                self.say(takes, id, Input::State { id, nodes });
            }
        }
        self.say(takes, id, Input::Ended { id, end });
    }

    fn past_of(&self, id: RequestId, from: u64) -> Vec<Input> {
        let latest = self.store.latest();
        let revisions: Vec<u64> = (from..=latest).collect();
        let watcher = ModelWatcher {
            next: latest + 1,
            is_synced: true,
            whole_store: false,
            left_more: false,
        };
        let sent = Sent {
            revisions: &revisions,
            store_at: latest,
            is_full: false,
            splits: false,
        };
        message(id, &self.store, &watcher, &sent, &Budget::new(1 << 20))
    }
}

/// The streams are registered, and do not deliver an event that a linearizable read reports.
#[test]
fn a_watch_is_not_live_while_a_known_event_is_undelivered() {
    let mut stand = Stand::new(Start::Now, PlannedEnd::Forever, Duration::ZERO, None);
    stand.run_for(SECOND);
    stand.write();
    stand.run_for(300 * SECOND);
    assert!(stand.streams > 2, "the stream is opened anew");
    let states = &stand.states;
    let live = states.iter().filter(|state| **state == WatchState::Live);
    assert_eq!(live.count(), 1, "{states:?}");
}

#[test]
fn a_lookup_that_times_out_does_not_end_a_healthy_stream() {
    let mut stand = Stand::new(Start::Now, PlannedEnd::Forever, 12 * SECOND, None);
    stand.run_for(600 * SECOND);
    assert_eq!(
        (stand.streams, &stand.states[..]),
        (1, &[WatchState::Live][..])
    );
}

/// The server takes longer to read history, and to look up the last write, than the time limit.
#[test]
fn a_replay_ends_if_the_server_is_slow_to_look_up_and_to_start() {
    let until = PlannedEnd::Present {
        to: None,
        follow: false,
    };
    let (look, past) = (11 * SECOND, 14 * SECOND);
    let mut stand = Stand::new(Start::At(Index(1)), until, look, Some(past));
    stand.write();
    stand.run_for(200 * SECOND);
    assert!(
        matches!(stand.outcome, Some(Outcome::Done)),
        "{:?}",
        stand.outcome
    );
    assert_eq!((stand.events, stand.streams), (2, 1));
}
