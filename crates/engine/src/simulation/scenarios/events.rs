//! Events, waits and streams.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::simulation::acts::Act;
use crate::simulation::server::LATENCY;
use crate::simulation::store::{Watched, Write};
use crate::simulation::wire::V2Call;
use crate::simulation::world::{World, plan};
use crate::watch::{PlannedEnd, Start};

#[test]
fn the_probe_detects_a_stalled_stream() {
    let mut world = World::quiet(10);
    for wire in world.server.wires.values_mut() {
        if wire.call == V2Call::Stream {
            wire.registered = false;
        }
    }
    for _ in 0..5 {
        world.burst(&[Write::Other, Write::Set(1)]);
        world.run_for(Duration::from_secs(2));
    }
    assert_eq!(world.checks.delivered, [12, 14, 16, 18, 20]);
    assert!(world.has_stream(), "a stream was opened anew");
}

#[test]
fn a_stream_that_stalls_in_a_burst_is_detected_soon() {
    let mut world = World::quiet(10);
    world.run_for(Duration::from_secs(2));
    for wire in world.server.wires.values_mut() {
        if wire.call == V2Call::Stream {
            wire.registered = false;
        }
    }
    for _ in 0..100 {
        world.server.write(Write::Set(1));
        world.run_for(Duration::from_millis(2));
    }
    assert!(world.has_stream(), "a stream was opened anew");
    assert!(world.checks.gaps.is_empty());
}

#[test]
fn a_wait_that_overlooks_an_event_in_history_loses_nothing() {
    let mut world = World::quiet(10);
    world.server.is_slow_to_look = true;
    for name in 0..100 {
        world.act(&Act::Skip(vec![Write::Set(name), Write::Other]));
        world.run_for(Duration::from_secs(20));
    }
    assert_eq!(world.checks.delivered.len(), 100);
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn an_event_that_two_waits_overlook_is_reported_late() {
    let mut world = World::quiet(10);
    world.checks.overlooked = Some(BTreeSet::new());
    // In this busy store, every reply that has the event is late.
    for _ in 0..100 {
        world.burst(&[Write::Other; 2]);
        world.run_for(Duration::from_millis(10));
    }
    let until = world.server.now + Duration::from_millis(300);
    world.server.write(Write::Set(1));
    for _ in 0..50 {
        for wire in world.server.wires.values_mut() {
            wire.stall(until);
        }
        world.server.write(Write::Other);
        for _ in 0..10 {
            for wire in world.server.wires.values_mut() {
                wire.stall(until);
            }
            world.run_for(LATENCY / 2);
        }
    }
    assert!(
        world.checks.position > Some(211),
        "two waits that overlooked it have ended"
    );
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.checks.delivered, [211]);
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn a_wait_that_a_proxy_ends_proves_nothing() {
    let mut world = World::quiet(10);
    world.server.is_slow_to_look = true;
    for name in 0..50 {
        world.act(&Act::Skip(vec![Write::Set(name), Write::Other]));
        for _ in 0..30 {
            world.run_for(Duration::from_millis(100));
            world.act(&Act::EmptyEnds);
        }
    }
    world.run_for(Duration::from_mins(1));
    assert_eq!(world.checks.delivered.len(), 50);
}

#[test]
fn a_quiet_key_in_a_busy_store_stays_within_history() {
    let mut world = World::quiet(10);
    for _ in 0..400 {
        world.burst(&[Write::Other; 5]);
        world.run_for(Duration::from_millis(250));
    }
    world.burst(&[Write::Set(1)]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.checks.delivered, [2011]);
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn an_isolated_event_is_reported_at_most_one_round_trip_after_it_arrives() {
    // The event takes one latency, and a question with its answer takes three.
    let round_trip = 3 * LATENCY;
    for others in [0, 1, 5, 40] {
        let mut world = World::quiet(10);
        world.run_for(Duration::from_secs(10));
        for _ in 0..others {
            world.server.write(Write::Other);
        }
        world.server.write(Write::Set(0));
        world.run_for(LATENCY + round_trip);
        assert_eq!(
            world.checks.delivered,
            [11 + others],
            "after {others} others"
        );
    }
}

#[test]
fn waits_move_to_the_next_member_if_a_member_loses_its_majority() {
    let mut plan = plan(Start::Now, PlannedEnd::Forever, 1);
    plan.endpoints = 2;
    let mut world = World::new(plan, Watched::Tree, 2, &[Write::Other; 10]);
    world.server.refuse_at(0, Duration::from_secs(5));
    world.begin();
    world.run_for(Duration::from_secs(10));
    world.server.stop(1);
    world.run_for(Duration::from_mins(1));
    for _ in 0..300 {
        world.server.write(Write::Other);
        world.run_for(Duration::from_millis(10));
    }
    world.server.write(Write::Set(1));
    world.run_for(4 * LATENCY);
    assert_eq!(world.checks.delivered.len(), 1);
    assert!(world.checks.gaps.is_empty());
}

#[test]
fn a_quiet_watch_keeps_up_with_other_writes_after_its_connections_broke() {
    for idle in (0..1200).step_by(60) {
        let mut world = World::quiet(10);
        world.run_for(Duration::from_millis(100));
        world.act(&Act::CutAll);
        world.run_for(Duration::from_millis(idle));
        // More than history holds.
        for _ in 0..80 {
            world.burst(&[Write::Other]);
            world.run_for(Duration::from_millis(5));
        }
        let gaps = &world.checks.gaps;
        assert!(gaps.is_empty(), "{idle} ms after the break: {gaps:?}");
    }
}
