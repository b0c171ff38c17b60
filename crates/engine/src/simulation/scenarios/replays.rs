//! Replays that end by themselves.

use std::time::Duration;

use super::{SETUP, TO_PRESENT, run_to, set};
use crate::model::{Fingerprint, Index};
use crate::simulation::acts::Act;
use crate::simulation::server::HalfClose;
use crate::simulation::store::{Watched, Write};
use crate::simulation::world::{FIRST, World, plan};
use crate::simulation::{RAFT_JUMP, Setup};
use crate::watch::{OnGap, Outcome, Plan, PlannedEnd, Start};

/// A proxy that ignores half-closes leaves the comparison after a failure without an answer.
fn replay_with_an_open_comparison(on_gap: OnGap, to: Option<Index>) -> World {
    let last = Fingerprint {
        index: Index(5),
        key: b"/app/k0".to_vec(),
        created: Index(5),
        value: None,
        of_state: false,
    };
    let plan = Plan {
        on_gap,
        cluster: Some("0".to_owned()),
        last: Some(last.clone()),
        ..plan(
            Start::At(Index(101)),
            PlannedEnd::Present { to, follow: false },
            1,
        )
    };
    let mut before = vec![Write::Other; 4];
    before.push(Write::Set(0));
    before.extend([Write::Other; 115]);
    before.push(Write::Refresh(0));
    let mut world = World::new(plan, Watched::Tree, 1, &before);
    world.checks.last = Some(last);
    world.server.half_close = HalfClose::DoesNothing;
    world.begin();
    run_to(&mut world, 120);
    let store = world.server.store().anew(&[Write::Other; 130]);
    world.server.rebuild(store);
    world.run_for(Duration::from_mins(10));
    world
}

#[test]
fn a_replay_ends_though_the_comparison_of_its_store_has_no_answer() {
    for on_gap in [OnGap::Fail, OnGap::Continue] {
        let world = replay_with_an_open_comparison(on_gap, None);
        assert!(world.finished.is_some(), "{on_gap:?}");
    }
}

#[test]
fn nothing_follows_the_end_of_a_replay_that_could_not_be_proven() {
    let plan = Plan {
        on_gap: OnGap::Fail,
        ..plan(FIRST, TO_PRESENT, 1)
    };
    let before = [Write::Set(1), Write::Other, Write::Other, Write::Refresh(1)];
    let mut world = World::new(plan, Watched::Key, 1, &before);
    world.server.half_close = HalfClose::DoesNothing;
    world.begin();
    world.run_for(Duration::from_mins(10));
    assert!(matches!(world.finished, Some(Outcome::Lost { .. })));
}

#[test]
fn a_gap_beyond_the_end_of_a_replay_is_not_declared() {
    let setup = Setup {
        before: [set(31), vec![Write::Delete(0), Write::Delete(0)], set(1)].concat(),
        is_slow_to_look: true,
        seed: 13_281_934_133_924_254_612,
        ..SETUP
    };
    let end = Index(setup.before.len() as u64);
    let mut world = setup.world(Plan {
        on_gap: OnGap::Continue,
        raft_jump: RAFT_JUMP,
        ..plan(FIRST, TO_PRESENT, 0)
    });
    world.run_for(Duration::from_millis(10));
    world.act(&Act::Install(0, 295));
    // The last refreshed time to live is no event, so that the history of the member looks damaged.
    let rest = vec![Write::Update(1), Write::Other, Write::Refresh(0)];
    world.act(&Act::Burst([set(12), rest, set(10)].concat()));
    world.act(&Act::Stall(0));
    world.run_for(Duration::from_mins(1));
    assert!(matches!(world.finished, Some(Outcome::Done)));
    let gaps = &world.checks.gaps;
    assert!(gaps.iter().all(|gap| gap.to <= Some(end)), "{gaps:?}");
}

#[test]
fn a_gap_in_place_of_a_comparison_ends_where_the_replay_ends() {
    let end = Index(121);
    let world = replay_with_an_open_comparison(OnGap::Fail, Some(end));
    let Some(Outcome::Lost { gap, .. }) = &world.finished else {
        panic!("{:?}", world.finished);
    };
    assert_eq!(gap.to, Some(end));
}
