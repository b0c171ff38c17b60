//! Reading the state, and a slow reader of the output.

use std::time::Duration;

use super::{SETUP, rebuild, set};
use crate::simulation::acts::Act;
use crate::simulation::store::{Watched, Write};
use crate::simulation::wire::Loss;
use crate::simulation::world::{World, plan};
use crate::simulation::{Begin, RAFT_JUMP, Setup, follow};
use crate::watch::{Budget, OnGap, PlannedEnd, Start};

#[test]
fn no_events_are_requested_while_the_output_is_behind() {
    let mut world = World::quiet(10);
    world.act(&Act::StopReading);
    world.burst(&[Write::Set(0)]);
    world.run_for(Duration::from_secs(1));
    let before = world.server.opened.len();
    for _ in 0..20 {
        world.burst(&[Write::Set(0)]);
        world.run_for(Duration::from_millis(200));
    }
    let asked = world.server.opened.len() - before;
    assert_eq!(asked, 0, "requests");
    world.act(&Act::Read);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.checks.delivered.len(), 21);
}

#[test]
fn events_during_a_read_of_the_state_need_no_gap() {
    let setup = Setup {
        before: vec![Write::Delete(0)],
        watched: Watched::Key,
        seed: 1_045_874_405_082_687_848,
        ..SETUP
    };
    let (d0, s1, u1) = (Write::Delete(0), Write::Set(1), Write::Update(1));
    let acts = [
        Act::Wait(1),
        Act::Restart(0),
        Act::Skip(vec![Write::ShorterName, u1]),
        Act::Burst(vec![Write::Other; 49]),
        Act::Wait(18),
        Act::Burst(vec![d0, s1, d0, s1, s1, s1, d0, u1, s1, s1, u1]),
        Act::Wait(58),
        Act::Wait(35),
        Act::Burst(vec![s1, Write::Set(0)]),
        Act::Burst(set(1)),
    ];
    follow(&setup, Begin::Now, OnGap::Resync, u64::MAX, &acts).unwrap();
}

#[test]
fn held_events_that_fill_the_memory_are_still_reported() {
    let mut plan = plan(Start::Now, PlannedEnd::Forever, 1);
    plan.budget = Budget::new(2000);
    let mut world = World::new(plan, Watched::Tree, 1, &[Write::Other; 10]);
    world.begin();
    world.run_for(Duration::from_millis(100));
    for _ in 0..20 {
        world.server.write(Write::Other);
        world.server.write(Write::Set(1));
        world.run_for(Duration::from_millis(1));
    }
    world.run_for(Duration::from_mins(1));
    assert_eq!(world.checks.delivered.len(), 20);
}

#[test]
fn no_second_state_is_read_before_the_first_is_printed() {
    let mut plan = plan(Start::Now, PlannedEnd::Forever, 1);
    plan.on_gap = OnGap::Resync;
    let mut world = World::new(plan, Watched::Tree, 1, &[Write::Set(0); 10]);
    world.begin();
    world.run_for(Duration::from_millis(100));
    world.unread_states = Some(Vec::new());
    for _ in 0..3 {
        world.server.refuse(Duration::from_secs(1));
        world.burst(&[Write::Other; 100]);
        world.run_for(Duration::from_secs(20));
        assert_eq!(world.checks.gaps.len(), 1);
    }
    world.burst(&set(5));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.checks.delivered.len(), 0, "a gap comes first");
    world.unread_states = None;
    world.run_for(Duration::from_secs(20));
    // The states that were not printed count as one gap.
    assert_eq!(world.checks.gaps.len(), 2);
}

#[test]
fn events_after_an_unprinted_state_are_kept() {
    let mut plan = plan(Start::Now, PlannedEnd::Forever, 1);
    plan.snapshot = true;
    let mut world = World::new(plan, Watched::Tree, 1, &[Write::Set(0); 10]);
    world.unread_states = Some(Vec::new());
    world.begin();
    world.run_for(Duration::from_millis(100));
    world.burst(&set(200));
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.checks.delivered.len(), 200);
}

#[test]
fn writes_during_a_read_of_a_large_state_are_reported_after_it() {
    let mut plan = plan(Start::Now, PlannedEnd::Forever, 1);
    (plan.snapshot, plan.on_gap) = (true, OnGap::Resync);
    let mut world = World::new(plan, Watched::Tree, 1, &[Write::Set(0); 10]);
    world.server.state_takes = Duration::from_secs(4);
    world.begin();
    // Five times as much as history holds, while the state is on its way.
    for number in 0..300 {
        let is_ours = number == 150;
        let write = if is_ours { Write::Set(1) } else { Write::Other };
        world.server.write(write);
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.checks.delivered.len(), 1);
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn reading_the_state_again_is_not_a_replaced_store() {
    let setup = Setup {
        before: set(1),
        members: 2,
        endpoints: 2,
        ..SETUP
    };
    let other = Write::Other;
    let mut second = vec![other, other, Write::Delete(1), other, other, other];
    second.extend(set(5));
    second.push(other);
    let acts = [
        Act::Burst(set(1)),
        Act::Wait(1),
        Act::Burst(vec![other; 50]),
        Act::Burst(second),
        Act::Lose(vec![Loss::CutBody]),
        Act::Burst(vec![other; 9]),
    ];
    follow(&setup, Begin::Now, OnGap::Resync, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn a_replaced_store_with_a_slow_state_is_reported_anew() {
    let setup = Setup {
        before: set(1),
        state_takes: 113,
        ..SETUP
    };
    let rebuild = rebuild(set(1), 0);
    let mut acts = vec![Act::Burst(set(1)); 4];
    acts.push(rebuild);
    follow(&setup, Begin::Now, OnGap::Resync, u64::MAX, &acts).unwrap();
}

#[test]
fn history_is_kept_while_the_first_state_is_read() {
    let setup = Setup {
        before: set(17),
        state_takes: 1673,
        ..SETUP
    };
    let acts = vec![Act::Burst(set(5)); 9];
    let mut acts: Vec<Act> = acts
        .into_iter()
        .flat_map(|act| [act, Act::Wait(60)])
        .collect();
    acts.push(Act::Wait(5000));
    let diff = OnGap::Diff;
    follow(&setup, Begin::History, diff, u64::MAX, &acts).unwrap();
}
