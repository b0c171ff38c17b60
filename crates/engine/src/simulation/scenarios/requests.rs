//! How many requests a session sends.

use std::time::Duration;

use super::{SETUP, rebuild, set};
use crate::simulation::acts::Act;
use crate::simulation::store::Write;
use crate::simulation::world::World;
use crate::simulation::{Begin, RAFT_JUMP, Setup, follow};
use crate::watch::OnGap;

#[test]
fn an_idle_watch_sends_few_requests() {
    let mut world = World::quiet(10);
    let before = world.server.opened.len();
    world.run_for(Duration::from_mins(10));
    let asked = world.server.opened.len() - before;
    assert!(asked <= 200, "{asked} requests in ten minutes");
}

#[test]
fn an_endpoint_that_ends_every_wait_at_once_gets_at_most_thirty_requests_a_minute() {
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
fn an_outage_of_ten_minutes_causes_few_requests() {
    let mut world = World::quiet(10);
    let before = world.server.opened.len();
    let length = Duration::from_mins(10);
    world.server.refuse(length);
    world.run_for(length);
    let asked = world.server.opened.len() - before;
    assert!(asked <= 150, "{asked} requests in ten minutes");
}

#[test]
fn a_lagging_member_is_not_asked_in_a_hot_loop() {
    let setup = Setup {
        before: set(1),
        members: 3,
        endpoints: 3,
        seed: 95_584_432_788_226_253,
        ..SETUP
    };
    let others = |count| vec![Write::Other; count];
    let acts = [
        rebuild(vec![Write::Set(0)], 0),
        Act::Burst(vec![Write::Set(0)]),
        Act::Wait(1),
        Act::CutAll,
        Act::Stop(100),
        Act::Burst(others(21)),
        Act::CutAll,
        Act::Install(8, 272),
        Act::Burst(vec![Write::Set(0); 63]),
        Act::Wait(947),
        Act::Install(67, 214),
        Act::Burst(
            [
                set(4),
                others(1),
                set(1),
                others(1),
                set(2),
                others(1),
                set(1),
            ]
            .concat(),
        ),
        Act::Burst(others(43)),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
}
