//! Single schedules that are worth a name.

use std::time::Duration;

use super::acts::Act;
use super::store::{Store, Watched, Write};
use super::world::World;
use crate::model::Index;
use crate::watch::Ask;

#[test]
fn a_stream_that_goes_mute_is_found_out_by_the_probe() {
    let mut world = World::quiet(10);
    for wire in world.server.wires.values_mut() {
        if wire.ask == Ask::Stream {
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
fn events_that_a_snapshot_skipped_are_found_without_another_event() {
    let mut world = World::quiet(10);
    world.act(&Act::Skip(vec![Write::Set(1), Write::Set(2)]));
    assert!(world.checks.delivered.is_empty());
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.checks.delivered, [11, 12]);
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
fn an_idle_watch_asks_little() {
    let mut world = World::quiet(10);
    let before = world.server.opened.len();
    world.run_for(Duration::from_secs(600));
    let asked = world.server.opened.len() - before;
    assert!(asked <= 200, "{asked} requests in ten minutes");
}

#[test]
fn an_endpoint_that_ends_every_wait_at_once_is_asked_at_most_thirty_times_a_minute() {
    let mut world = World::quiet(10);
    let before = world.server.opened.len();
    for _ in 0..12_000 {
        world.act(&Act::EmptyEnds);
        world.run_for(Duration::from_millis(5));
    }
    let asked = world.server.opened.len() - before;
    assert!(asked <= 30, "{asked} requests in a minute");
}

#[test]
fn an_outage_of_ten_minutes_costs_few_requests() {
    let mut world = World::quiet(10);
    let before = world.server.opened.len();
    let length = Duration::from_secs(600);
    world.server.refuse(length);
    world.run_for(length);
    let asked = world.server.opened.len() - before;
    assert!(asked <= 150, "{asked} requests in ten minutes");
}

#[test]
fn a_store_whose_index_went_back_is_declared() {
    let mut world = World::quiet(50);
    world
        .server
        .rebuild(Store::new(Watched::Tree, &[Write::Other; 20]));
    world.run_for(Duration::from_secs(10));
    let gap = world.checks.gaps.first().expect("a gap");
    assert_eq!((gap.from, gap.to, gap.index), (Index(51), None, Index(20)));
}
