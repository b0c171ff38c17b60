//! Single schedules, each of which once led to a wrong report.

use std::collections::VecDeque;
use std::time::Duration;

use super::acts::V3Act;
use super::store::{Operation, V3Store};
use super::wire::{ModelWatcher, Sent, V3Call, V3Wire, clean, message};
use super::world::{FULL, Quirks, V3World, plan};
use super::{V3Begin, check_end, follow};
use crate::model::Index;
use crate::testing;
use crate::v3::V3Request;
use crate::watch::{
    AnyRequest, Budget, Input, OnGap, Outcome, Plan, PlannedEnd, Session, Start, Step, Update,
};

const SECOND: Duration = Duration::from_secs(1);

/// Messages and states take up to this many milliseconds.
fn slow(milliseconds: u64) -> Quirks {
    Quirks {
        slow: Duration::from_millis(milliseconds),
        ..Quirks::default()
    }
}

fn put(key: u8) -> Vec<Operation> {
    vec![Operation {
        key,
        is_delete: false,
    }]
}

#[test]
fn a_state_from_before_a_new_stream_is_not_used() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let plan = Plan {
        snapshot: true,
        ..plan(Start::Now, PlannedEnd::Forever, OnGap::Resync)
    };
    // The state arrives after the stream was given up and before the next one is registered.
    let mut world = V3World::new(plan, &vec![vec![set(0)]; 5], 1, slow(20));
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(20));
    // These are enough revisions for several messages, between which etcd may skip a removal.
    for _ in 0..70 {
        world.act(&V3Act::Write(vec![set(0)]));
        world.act(&V3Act::Write(vec![set(5)]));
    }
    world.act(&V3Act::Compact(0));
    world.run_for(Duration::from_secs(2));
    world.act(&V3Act::Write(vec![set(3)]));
    world.run_for(Duration::from_secs(2));
    check_end(&mut world, true);
}

#[test]
fn changes_compacted_before_the_watch_began_are_not_differences() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let removed = Operation {
        key: 2,
        is_delete: true,
    };
    // The state is read before any event was reported, and history is compacted after that.
    let acts = [
        V3Act::Write(vec![removed]),
        V3Act::Write(vec![set(0)]),
        V3Act::Cut,
        V3Act::Compact(0),
        V3Act::Wait(1000),
        V3Act::Write(vec![set(0)]),
        V3Act::Wait(1000),
        V3Act::Outage(300),
        V3Act::Write(vec![set(5)]),
        V3Act::Write(vec![set(5)]),
        V3Act::Compact(0),
    ];
    let before = [vec![set(0), set(2)]];
    let mut world = follow(
        V3Begin::Oldest,
        OnGap::Diff,
        Quirks::default(),
        1,
        &before,
        &acts,
    );
    check_end(&mut world, true);
    assert_eq!(world.checks.gaps.len(), 1, "{:?}", world.checks.gaps);
}

#[test]
fn a_status_names_no_index_that_is_not_reported_yet() {
    let plan = Plan {
        snapshot: true,
        ..plan(Start::Now, PlannedEnd::Forever, OnGap::Resync)
    };
    let mut world = V3World::new(plan, &[put(0), put(1)], 1, slow(300));
    world.feed(Input::Tick);
    // Events that are written during the transfer of the state wait for it.
    world.run_for(Duration::from_millis(20));
    world.write(&put(1));
    world.write(&put(2));
    world.run_for(SECOND);
    assert_eq!(world.checks.events, 2);
}

/// Stalls all streams.
fn stall(world: &mut V3World) {
    for wire in world.wires.values_mut() {
        if matches!(wire.call, V3Call::Revisions { .. }) {
            wire.watchers.clear();
            wire.queue.clear();
        }
    }
}

#[test]
fn repeated_stalls_do_not_make_the_next_one_much_longer() {
    let mut world = V3World::new(
        plan(Start::Now, PlannedEnd::Forever, OnGap::Resync),
        &[put(0)],
        1,
        Quirks::default(),
    );
    world.feed(Input::Tick);
    world.run_for(SECOND);
    for _ in 0..70 {
        let before = world.checks.events;
        stall(&mut world);
        world.write(&put(0));
        world.run_for(60 * SECOND);
        assert_eq!(world.checks.events, before + 1);
    }
    // These streams stall before they have delivered history.
    for _ in 0..70 {
        let before = world.checks.events;
        world.act(&V3Act::Cut);
        world.write(&put(0));
        let is_begun =
            |wire: &V3Wire| matches!(wire.call, V3Call::Revisions { .. }) && wire.queue.is_empty();
        while !world.wires.values().any(is_begun) {
            world.run_for(Duration::from_millis(1));
        }
        stall(&mut world);
        world.run_for(1200 * SECOND);
        assert!(world.checks.events > before);
    }
}

#[test]
fn a_watch_that_is_not_registered_is_given_up() {
    let present = PlannedEnd::Present {
        to: None,
        follow: false,
    };
    for (start, until) in [
        (Start::Now, PlannedEnd::Forever),
        (Start::At(Index(1)), present),
    ] {
        let began = testing::now();
        let mut session = Session::new(plan(start, until, OnGap::Fail), began);
        let mut inputs = VecDeque::from([(began, Input::Tick)]);
        let mut now = began;
        let mut has_given_up = false;
        while !has_given_up && now < began + 60 * SECOND {
            let (at, input) = inputs.pop_front().unwrap_or_else(|| {
                let due = session.wake_at().expect("something is due");
                (due, Input::Tick)
            });
            now = now.max(at);
            for step in session.handle(input, now) {
                match step {
                    // The server answers this request, and never registers the watch.
                    Step::Send {
                        id,
                        request: AnyRequest::V3(V3Request::End),
                        ..
                    } => {
                        let head = V3World::head(Some(7));
                        inputs.push_back((now, Input::Head { id, head }));
                        let end = clean();
                        inputs.push_back((now, Input::Ended { id, end }));
                    }
                    // A watch that never began fails. A replay reports that it is stale.
                    Step::Report(Update::Finished(Outcome::Failed(_)))
                        if until == PlannedEnd::Forever =>
                    {
                        has_given_up = true;
                    }
                    Step::Report(Update::Status(status)) if status.notable && until == present => {
                        has_given_up = true;
                    }
                    _ => {}
                }
            }
        }
        assert!(has_given_up, "{until:?}");
    }
}

/// The reader of the output is slow, so the watcher became unsynced and the server skipped a compacted
/// removal. The time between messages proves nothing.
#[test]
fn events_missed_because_of_slow_output_are_checked() {
    for pace in [1, 20, 120, 1_000, 5_000].map(Duration::from_millis) {
        let began = testing::now();
        let budget = Budget::new(1 << 20);
        let start = Start::At(Index(1001));
        let mut session = Session::new(plan(start, PlannedEnd::Forever, OnGap::Continue), began);
        let mut store = V3Store::new();
        while store.latest() < 1158 {
            store.write(&put(u8::from(store.latest() == 1000)));
        }
        store.write(&[Operation {
            key: 1,
            is_delete: true,
        }]);
        let removed = store.latest();
        store.write(&put(0));
        store.compacted = removed;
        let latest = store.latest();
        let watcher = ModelWatcher {
            next: 0,
            is_synced: true,
            whole_store: false,
            left_more: false,
        };
        let mut now = began;
        let mut stream = None;
        let mut is_asked = false;
        let mut inputs = VecDeque::from([Input::Tick]);
        for revision in 1000..=latest {
            while let Some(input) = inputs.pop_front() {
                for step in session.handle(input, now) {
                    let Step::Send { id, request, .. } = step else {
                        continue;
                    };
                    let call = V3Call::from(request);
                    if let V3Call::Revisions { .. } = call {
                        // The next stream is canceled as compacted.
                        is_asked |= stream.is_some();
                        stream = Some(id);
                        let head = V3World::head(Some(1000));
                        inputs.push_back(Input::Head { id, head });
                    } else if let V3Call::Index | V3Call::Since { .. } = call {
                        let head = V3World::head(Some(latest));
                        inputs.push_back(Input::Head { id, head });
                        let end = clean();
                        inputs.push_back(Input::Ended { id, end });
                    }
                    is_asked |= matches!(call, V3Call::Reach(_));
                }
            }
            now += pace;
            if revision > 1000 && revision != removed {
                let id = stream.expect("a stream");
                let sent = Sent {
                    revisions: &[revision],
                    store_at: revision,
                    is_full: false,
                    splits: false,
                };
                inputs.extend(message(id, &store, &watcher, &sent, &budget));
            }
        }
        while let Some(input) = inputs.pop_front() {
            let steps = session.handle(input, now);
            let asks = |step: &Step| {
                matches!(
                    step,
                    Step::Send {
                        request: AnyRequest::V3(V3Request::Whole { .. }),
                        ..
                    }
                )
            };
            is_asked |= steps.iter().any(asks);
        }
        assert!(is_asked, "every {pace:?}");
    }
}

#[test]
fn a_store_replaced_during_its_first_state_is_where_the_watch_begins() {
    let set = |key| Operation {
        key,
        is_delete: false,
    };
    let before = vec![vec![set(0)]; 20];
    let acts = [
        V3Act::Write(vec![set(1)]),
        V3Act::Wait(20),
        V3Act::Rebuild(3),
        V3Act::Wait(2000),
    ];
    let mut world = follow(
        V3Begin::Snapshot,
        OnGap::Resync,
        slow(300),
        1,
        &before,
        &acts,
    );
    // No record of the earlier store was reported.
    world.checks.era = 1;
    check_end(&mut world, true);
    assert!(world.checks.gaps.is_empty());
    assert!(world.opened.len() < 50, "{} requests", world.opened.len());
}

/// A message of the largest size is followed by a removal, alone or with a write, that is compacted just
/// then. The next event arrives in a message of its own, as a new event does.
#[test]
fn a_removal_passed_over_after_a_full_message_is_a_gap() {
    let removal = Operation {
        key: 0,
        is_delete: true,
    };
    let write = Operation {
        key: 1,
        is_delete: false,
    };
    for transaction in [vec![removal], vec![removal, write]] {
        let mut before = vec![put(0); FULL];
        before.push(transaction);
        for seed in 0..10 {
            let plan = plan(Start::At(Index(2)), PlannedEnd::Forever, OnGap::Continue);
            let mut world = V3World::new(plan, &before, seed, Quirks::default());
            world.feed(Input::Tick);
            while world.checks.events < FULL {
                world.run_for(Duration::from_millis(1));
            }
            world.act(&V3Act::Compact(0));
            world.write(&put(2));
            world.run_for(5 * SECOND);
            check_end(&mut world, false);
            assert_eq!(world.checks.gaps.len(), 1, "{:?}", world.checks.gaps);
        }
    }
}
