//! Members whose history may be damaged.

use std::time::Duration;

use super::{SETUP, TO_PRESENT, rebuild, run_to, set};
use crate::simulation::acts::{Act, Rebuild};
use crate::simulation::server::HalfClose;
use crate::simulation::store::{Watched, Write};
use crate::simulation::wire::Loss;
use crate::simulation::world::{FIRST, World, plan};
use crate::simulation::{Begin, RAFT_JUMP, Setup, follow};
use crate::watch::{OnGap, Plan, PlannedEnd, Start};

#[test]
fn events_skipped_by_a_snapshot_install_are_found_without_another_event() {
    let mut world = World::quiet(10);
    world.act(&Act::Skip(vec![Write::Set(1), Write::Set(2)]));
    assert!(world.checks.delivered.is_empty());
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.checks.delivered, [11, 12]);
}

#[test]
fn a_store_replaced_while_its_member_is_in_doubt_is_a_gap() {
    let setup = Setup {
        before: set(1),
        ..SETUP
    };
    let acts = [
        Act::Install(0, 298),
        Act::Burst(set(2)),
        Act::Restart(0),
        Act::Wait(24),
        Act::Burst(set(6)),
        Act::Lose(vec![Loss::SilentBody]),
        Act::Restart(0),
        Act::Wait(60),
        rebuild(set(1), 0),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn a_store_replaced_while_its_member_is_in_doubt_is_recognised_by_its_history() {
    let setup = Setup {
        before: set(17),
        members: 2,
        endpoints: 2,
        is_slow_to_look: true,
        seed: 4_991_998_280_200_466_834,
        ..SETUP
    };
    let acts = [
        Act::Install(0, 298),
        Act::Outage(2588),
        Act::Down(43, 5093),
        Act::Burst(vec![Write::Other, Write::Refresh(0)]),
        Act::Wait(5093),
        Act::CutAll,
        rebuild(set(1), 0),
    ];
    follow(&setup, Begin::History, OnGap::Resync, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn snapshot_installs_are_detected_after_the_cluster_was_replaced() {
    let setup = Setup {
        before: set(4),
        members: 3,
        endpoints: 3,
        seed: 5_082_991_669_493_919_826,
        ..SETUP
    };
    let acts = [
        Act::Rebuild(Rebuild {
            writes: set(1),
            percent: 0,
            other_cluster: true,
        }),
        Act::Burst(vec![Write::Other]),
        Act::Stop(65),
        Act::CutAll,
        Act::CutAll,
        Act::Burst(vec![Write::Set(0), Write::Refresh(0), Write::Set(0)]),
        Act::Down(106, 7),
        Act::Install(0, 278),
        Act::Install(65, 19),
        Act::Wait(7),
    ];
    let resync = OnGap::Resync;
    follow(&setup, Begin::History, resync, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn an_event_hidden_by_a_snapshot_is_not_a_replaced_store() {
    for seed in 0..20 {
        let mut plan = plan(Start::Now, PlannedEnd::Forever, seed);
        plan.endpoints = 2;
        plan.raft_jump = RAFT_JUMP;
        let mut world = World::new(plan, Watched::Tree, 2, &[Write::Other; 10]);
        world.begin();
        world.run_for(Duration::from_millis(200));
        // The watch moves to the second endpoint, and back.
        world.server.refuse_at(0, Duration::from_secs(1));
        world.run_for(Duration::from_secs(3));
        world.server.stop(1);
        world.server.refuse_at(1, Duration::from_secs(1));
        world.run_for(Duration::from_secs(3));
        world.burst(&[Write::Set(1), Write::Set(2), Write::Set(1)]);
        world.run_for(Duration::from_secs(2));
        world.server.install(1, 300);
        world.run_for(Duration::from_secs(2));
        world.server.refuse_at(0, Duration::from_secs(3));
        world.run_for(Duration::from_secs(20));
        assert_eq!(world.checks.delivered.len(), 3);
        assert!(world.checks.gaps.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_replaced_store_is_not_declared_again_if_its_member_is_in_doubt() {
    let acts = [
        Act::Burst(set(2)),
        Act::Install(0, 299),
        // The session recognises it by its history, which does not reach back.
        rebuild(vec![Write::Set(1)], 1500),
        Act::Burst(set(5)),
        Act::CutAll,
        Act::Burst(set(7)),
        Act::Install(0, 290),
    ];
    // With some of these seeds a wait overlooks the last event of the comparison.
    for seed in 0..50 {
        let setup = Setup {
            before: set(4),
            is_slow_to_look: true,
            seed,
            ..SETUP
        };
        follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
    }
}

#[test]
fn a_snapshot_install_is_detected_after_history_showed_a_replaced_store() {
    let mut before = vec![Write::Set(1), Write::Other, Write::Set(1), Write::Other];
    before.extend([Write::Set(1), Write::Other, Write::Delete(0), Write::Set(0)]);
    before.extend([Write::Refresh(0), Write::DeleteAll, Write::Delete(0)]);
    before.extend([Write::Hidden, Write::Set(0), Write::Hidden]);
    let setup = Setup {
        before,
        members: 3,
        endpoints: 3,
        lag: 13,
        is_slow_to_look: true,
        seed: 2_391_514_627_938_542_993,
        ..SETUP
    };
    let mut first = vec![Write::Other; 7];
    first.extend([Write::Delete(1), Write::DeleteAll, Write::Delete(0)]);
    first.extend([Write::Hidden, Write::Delete(0), Write::Delete(0)]);
    first.extend(set(4));
    first.push(Write::Other);
    first.extend(set(4));
    let mut writes = set(14);
    writes.push(Write::DeleteAll);
    writes.extend(set(2));
    let acts = [
        Act::Install(13, 287),
        Act::Burst(first),
        Act::Burst(set(6)),
        Act::Install(113, 310),
        Act::Skip(set(4)),
        Act::Stop(53),
        Act::Burst(set(2)),
        Act::Wait(1),
        Act::Wait(8141),
        Act::Rebuild(Rebuild {
            writes,
            percent: 209,
            other_cluster: false,
        }),
        Act::Skip(vec![Write::Hidden]),
        Act::Wait(2858),
        Act::Burst(vec![Write::Set(0), Write::Delete(1)]),
        Act::Install(0, 430),
        Act::Burst(set(3)),
        Act::CutOne(125),
        Act::Stop(46),
        Act::Burst(set(6)),
        Act::Install(88, 402),
    ];
    let resync = OnGap::Resync;
    follow(&setup, Begin::History, resync, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn a_comparison_that_a_damaged_history_leaves_open_is_a_gap_of_an_untrusted_member() {
    let setup = Setup {
        before: vec![Write::Update(1)],
        watched: Watched::Key,
        members: 2,
        endpoints: 2,
        half_close: HalfClose::Cuts,
        seed: 9_528_836_702_921_347_291,
        ..SETUP
    };
    let acts = [
        Act::Wait(10),
        Act::Wait(35),
        Act::Burst(vec![
            Write::Other,
            Write::Other,
            Write::Refresh(0),
            Write::Other,
            Write::Other,
            Write::Set(0),
            Write::ShorterName,
            Write::Set(0),
        ]),
        Act::Burst(vec![
            Write::Set(0),
            Write::Set(0),
            Write::Set(1),
            Write::Set(0),
            Write::Set(1),
            Write::Other,
            Write::Other,
        ]),
        Act::Wait(27),
        Act::EmptyEnds,
        Act::Stop(1),
        Act::Wait(5796),
        Act::Install(224, 300),
        Act::CutAll,
        Act::Wait(35),
        Act::Burst(vec![
            Write::Update(0),
            Write::Set(0),
            Write::Set(1),
            Write::Delete(0),
        ]),
        Act::Wait(5),
        Act::Install(11, 300),
    ];
    follow(&setup, Begin::Now, OnGap::Diff, RAFT_JUMP, &acts).unwrap();
}

/// The last index is a refreshed time to live, which is no event, and the history of the only member may
/// be damaged.
fn doubtful_refresh(planned_end: PlannedEnd, on_gap: OnGap) -> World {
    let plan = Plan {
        on_gap,
        raft_jump: RAFT_JUMP,
        ..plan(FIRST, planned_end, 1)
    };
    let before = [Write::Set(1), Write::Other, Write::Other, Write::Refresh(1)];
    let mut world = World::new(plan, Watched::Key, 1, &before);
    world.server.half_close = HalfClose::DoesNothing;
    world.begin();
    run_to(&mut world, 3);
    world.server.install(0, 400);
    world.act(&Act::CutAll);
    world
}

#[test]
fn a_replay_ends_though_an_index_of_a_doubtful_history_has_no_event() {
    for on_gap in [OnGap::Fail, OnGap::Continue] {
        let mut world = doubtful_refresh(TO_PRESENT, on_gap);
        world.run_for(Duration::from_mins(10));
        assert!(world.finished.is_some(), "{on_gap:?}");
    }
}

#[test]
fn a_watch_declares_an_index_of_a_doubtful_history_lost_as_soon_as_it_is() {
    let mut world = doubtful_refresh(PlannedEnd::Forever, OnGap::Continue);
    // The walk is silent for ten seconds, and half-closed for five.
    world.run_for(Duration::from_secs(17));
    assert_eq!(world.checks.gaps.len(), 1);
    assert!(world.has_stream());
}
