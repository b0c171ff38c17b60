//! Single schedules, each for one behaviour.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::acts::{Act, Rebuild};
use super::server::{HalfClose, LATENCY};
use super::store::{Watched, Write};
use super::wire::{Call, Loss, events};
use super::world::{FIRST, World, plan};
use super::{Begin, RAFT_JUMP, Setup, follow};
use crate::model::{Cause, Fingerprint, Index};
use crate::protocol::{Failure, Fault, Head, Refusal, Whole};
use crate::v2::V2Request;
use crate::watch::{
    AnyRequest, Budget, Input, OnGap, Outcome, Plan, PlannedEnd, ReplyEnd, RequestId, Session,
    Start, Step,
};

/// The end of a replay that does not follow.
const TO_PRESENT: PlannedEnd = PlannedEnd::Present {
    to: None,
    follow: false,
};

#[test]
fn the_probe_detects_a_stalled_stream() {
    let mut world = World::quiet(10);
    for wire in world.server.wires.values_mut() {
        if wire.call == Call::Stream {
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
        if wire.call == Call::Stream {
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
fn events_skipped_by_a_snapshot_install_are_found_without_another_event() {
    let mut world = World::quiet(10);
    world.act(&Act::Skip(vec![Write::Set(1), Write::Set(2)]));
    assert!(world.checks.delivered.is_empty());
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.checks.delivered, [11, 12]);
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
fn a_store_whose_index_went_back_is_a_gap() {
    let mut world = World::quiet(50);
    let store = world.server.store().anew(&[Write::Other; 20]);
    world.server.rebuild(store);
    world.run_for(Duration::from_secs(10));
    let gap = world.checks.gaps.first().expect("a gap");
    assert_eq!((gap.from, gap.to, gap.index), (Index(51), None, Index(20)));
}

#[test]
fn events_during_a_comparison_do_not_make_it_fail() {
    let set = |n: usize| vec![Write::Set(0); n];
    let mut before = vec![Write::Set(0), Write::Other];
    before.extend(set(5));
    before.extend([Write::Other; 3]);
    before.extend(set(9));
    let mut plan = plan(FIRST, PlannedEnd::Forever, 6_332_672_328_008_910_881);
    plan.endpoints = 2;
    let mut world = World::new(plan, Watched::Tree, 3, &before);
    world.server.lag(17);
    world.begin();
    world.run_for(Duration::from_millis(50));
    for act in [
        Act::Burst(set(7)),
        Act::Burst(set(3)),
        Act::Wait(1307),
        Act::Lose(vec![Loss::SilentBody, Loss::CutBody, Loss::CutBody]),
        Act::CutOne(74),
        Act::Burst(set(4)),
        Act::Wait(406),
        Act::CutAll,
        Act::CatchUp(10),
        Act::Burst(set(6)),
        Act::Wait(5),
    ] {
        world.act(&act);
    }
    world.heal();
    world.run_for(Duration::from_mins(1));
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn events_held_from_a_replaced_store_are_not_reported() {
    // The cursor stays before the held events, or moves to an index with the same event in both stores.
    for held in [6, 15] {
        let set = |n: usize| vec![Write::Set(0); n];
        let (s1, d0) = (Write::Set(1), Write::Delete(0));
        let mut before = set(6);
        before.extend([d0, Write::Update(1), s1, s1, s1, s1, s1]);
        let mut plan = plan(Start::Now, PlannedEnd::Forever, 0);
        plan.snapshot = true;
        let mut world = World::new(plan, Watched::Key, 1, &before);
        world.begin();
        world.run_for(Duration::from_millis(50));
        let mut b2 = vec![s1, s1, d0];
        b2.extend(set(8));
        let mut b3 = vec![Write::Other];
        b3.extend(set(held));
        for act in [
            Act::Burst(vec![s1, s1, d0, s1]),
            Act::Burst(b2),
            Act::Burst(b3),
            Act::Skip(set(4)),
            Act::Outage(1),
            Act::Burst(set(11)),
        ] {
            world.act(&act);
        }
        world.heal();
        let store = world.server.store().anew(&[Write::Set(0); 89]);
        world.server.rebuild(store);
        world.run_for(Duration::from_mins(1));
    }
}

#[test]
fn a_store_replaced_while_slow_output_closed_all_connections_is_a_gap() {
    let plan = plan(Start::Now, PlannedEnd::Forever, 0);
    let mut world = World::new(plan, Watched::Tree, 1, &[Write::Set(0)]);
    world.begin();
    world.run_for(Duration::from_millis(50));
    world.act(&Act::Burst(vec![Write::Set(1)]));
    world.act(&Act::StopReading);
    world.act(&Act::Burst(vec![Write::Other; 4]));
    let store = world.server.store().anew(&[Write::Set(0); 10]);
    world.server.rebuild(store);
    world.act(&Act::Read);
    world.run_for(Duration::from_secs(15));
    assert_eq!(world.checks.gaps.len(), 1);
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
fn a_store_replaced_beyond_a_quiet_position_is_recognised_by_the_last_key() {
    let mut world = World::quiet(10);
    world.server.write(Write::Set(0));
    // History no longer holds that event, and nothing else happens in scope.
    for _ in 0..40 {
        world.act(&Act::Burst(vec![Write::Other; 5]));
        world.run_for(Duration::from_millis(250));
    }
    let mut writes = vec![Write::Other; 30];
    writes.push(Write::Set(0));
    writes.extend([Write::Other; 260]);
    let store = world.server.store().anew(&writes);
    world.server.rebuild(store);
    world.run_for(Duration::from_secs(10));
    let causes: Vec<Cause> = world.checks.gaps.iter().map(|gap| gap.cause).collect();
    assert_eq!(causes, [Cause::IndexRewound]);
}

/// The causes of the gaps after a store was replaced in which the watched keys are quiet. The last event
/// is the write `last`, which is older than history. The new store has the write `before` before the
/// cursor, and `after` after it.
fn rebuilt_past_a_quiet_watch(last: Write, before: Write, after: Write) -> Vec<Cause> {
    let mut world = World::quiet(10);
    world.burst(&[Write::Set(0), last]);
    for _ in 0..40 {
        world.act(&Act::Burst(vec![Write::Other; 5]));
        world.run_for(Duration::from_millis(250));
    }
    let position = world.checks.position.expect("it has begun");
    let mut writes = vec![before];
    writes.resize(usize::try_from(position).expect("few"), Write::Other);
    writes.push(after);
    let store = world.server.store().anew(&writes);
    world.server.rebuild(store);
    world.run_for(Duration::from_secs(10));
    world.checks.gaps.iter().map(|gap| gap.cause).collect()
}

#[test]
fn a_store_replaced_beyond_a_quiet_position_is_recognised_by_a_missing_key() {
    for last in [Write::Set(0), Write::Update(0)] {
        let causes = rebuilt_past_a_quiet_watch(last, Write::Other, Write::Other);
        assert_eq!(causes, [Cause::IndexRewound], "{last:?}");
    }
}

#[test]
fn a_store_replaced_beyond_a_quiet_position_is_recognised_by_the_next_event_at_the_key() {
    for (last, before) in [
        (Write::Set(0), Write::Other),
        (Write::Update(0), Write::Other),
        (Write::Delete(0), Write::Set(0)),
    ] {
        let causes = rebuilt_past_a_quiet_watch(last, before, Write::Set(0));
        assert_eq!(causes, [Cause::IndexRewound], "{last:?}");
    }
}

#[test]
fn the_next_event_at_the_last_key_confirms_the_same_store() {
    for last in [Write::Set(0), Write::Update(0), Write::Delete(0)] {
        for next in [
            Write::Set(0),
            Write::Update(0),
            Write::Delete(0),
            Write::DeleteAll,
        ] {
            let mut world = World::quiet(10);
            world.burst(&[Write::Set(0), Write::Refresh(0), last]);
            for _ in 0..40 {
                world.act(&Act::Burst(vec![Write::Other; 5]));
                world.run_for(Duration::from_millis(250));
            }
            world.server.refuse(Duration::from_millis(500));
            world.burst(&[
                Write::ShorterName,
                Write::Hidden,
                next,
                Write::Set(1),
                Write::Set(0),
            ]);
            world.run_for(Duration::from_secs(10));
            let gaps = &world.checks.gaps;
            assert!(gaps.is_empty(), "{last:?}, {next:?}: {gaps:?}");
        }
    }
}

#[test]
fn the_same_store_is_confirmed_if_history_no_longer_has_the_last_event() {
    let mut world = World::quiet(10);
    world.server.write(Write::Set(0));
    for _ in 0..40 {
        world.act(&Act::Burst(vec![Write::Other; 5]));
        world.run_for(Duration::from_millis(250));
    }
    world.server.cut_all();
    world.run_for(Duration::from_secs(10));
    let gaps = &world.checks.gaps;
    assert!(gaps.is_empty(), "{gaps:?}");
}

const SETUP: Setup = Setup {
    before: Vec::new(),
    watched: Watched::Tree,
    members: 1,
    endpoints: 1,
    lag: 0,
    is_slow_to_look: false,
    half_close: HalfClose::EndsWait,
    batches: None,
    state_takes: 0,
    seed: 0,
};

fn set(count: usize) -> Vec<Write> {
    vec![Write::Set(0); count]
}

#[test]
fn a_new_event_in_reply_to_a_comparison_proves_nothing_about_history() {
    let setup = Setup {
        before: vec![Write::Delete(0), Write::Set(0), Write::Set(0)],
        members: 3,
        endpoints: 2,
        lag: 2,
        is_slow_to_look: true,
        seed: 7_775_691_543_642_963_982,
        ..SETUP
    };
    let acts = [Act::Skip(set(1)), Act::Burst(set(1))];
    follow(&setup, Begin::Now, OnGap::Continue, u64::MAX, &acts).unwrap();
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
        Act::Rebuild(Rebuild {
            writes: set(1),
            percent: 0,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn a_store_that_went_back_to_the_cursor_is_a_gap_and_the_watch_is_live_again() {
    // Events beyond the cursor were known of the store before, and no member will ever have them.
    let setup = Setup {
        before: set(1),
        is_slow_to_look: true,
        half_close: HalfClose::Cuts,
        seed: 6_020_496_137_279_371_262,
        ..SETUP
    };
    let acts = [
        Act::Burst([Write::Delete(1)].into_iter().chain(set(5)).collect()),
        Act::Rebuild(Rebuild {
            writes: vec![Write::Update(1)],
            percent: 29,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::Snapshot, OnGap::Continue, u64::MAX, &acts).unwrap();
}

#[test]
fn a_state_of_a_store_that_went_back_below_known_events_is_taken() {
    let setup = Setup {
        before: vec![Write::Set(2)],
        is_slow_to_look: true,
        half_close: HalfClose::DoesNothing,
        seed: 6_887_113_943_556_536_991,
        ..SETUP
    };
    let acts = [
        Act::EmptyEnds,
        Act::Wait(1),
        Act::Burst(vec![Write::Other; 2]),
        Act::Install(0, 297),
        Act::Rebuild(Rebuild {
            writes: vec![Write::Delete(0)],
            percent: 67,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::Now, OnGap::Diff, RAFT_JUMP, &acts).unwrap();
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
        Act::Rebuild(Rebuild {
            writes: vec![Write::Set(0)],
            percent: 0,
            other_cluster: false,
        }),
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

#[test]
fn replies_from_before_a_failure_are_not_attributed_to_the_new_store() {
    let mut world = World::quiet(10);
    world.burst(&set(31));
    world.run_for(Duration::from_secs(61));
    // The position is renewed while the broken connections are not noticed yet.
    let renewed = world.session.wake_at().expect("it is renewed");
    let now = world.server.now;
    world.run_for(
        renewed
            .duration_since(now)
            .saturating_sub(Duration::from_micros(500)),
    );
    let store = world.server.store().anew(&[Write::Set(1); 42]);
    world.server.rebuild(store);
    world.run_for(Duration::from_secs(15));
    assert_eq!(world.checks.gaps.len(), 1);
}

#[test]
fn a_store_that_is_replaced_twice_is_two_gaps() {
    let setup = Setup {
        before: set(2),
        watched: Watched::Key,
        members: 2,
        endpoints: 2,
        ..SETUP
    };
    let rebuild = Act::Rebuild(Rebuild {
        writes: set(1),
        percent: 0,
        other_cluster: false,
    });
    let mut others = vec![Write::Other, Write::ShorterName, Write::Other];
    others.extend(set(1));
    let acts = [
        rebuild.clone(),
        Act::Burst(others),
        Act::Burst(set(4)),
        Act::Lose(vec![Loss::Silent]),
        Act::Wait(2),
        rebuild,
    ];
    follow(&setup, Begin::Now, OnGap::Continue, u64::MAX, &acts).unwrap();
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
        Act::Rebuild(Rebuild {
            writes: set(1),
            percent: 0,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::History, OnGap::Resync, RAFT_JUMP, &acts).unwrap();
}

#[test]
fn a_store_replaced_after_another_failure_is_a_gap() {
    let mut world = World::quiet(10);
    world.burst(&set(4));
    world.run_for(Duration::from_secs(2));
    let mut wires = world.server.wires.values();
    let alarm = wires.position(|wire| wire.call == Call::Alarm).unwrap();
    world.server.cut_one(u8::try_from(alarm).unwrap());
    world.run_for(Duration::from_millis(300));
    // The stream and the probe are older than that failure.
    let store = world.server.store().anew(&[Write::Set(1); 28]);
    world.server.rebuild(store);
    world.run_for(Duration::from_secs(15));
    assert_eq!(world.checks.gaps.len(), 1);
}

#[test]
fn a_store_replaced_behind_two_members_is_a_gap() {
    let setup = Setup {
        before: set(2),
        members: 2,
        lag: 1,
        is_slow_to_look: true,
        seed: 6_074_446_855_447_808_426,
        ..SETUP
    };
    let mut first = vec![Write::Other];
    first.extend(set(3));
    first.extend([Write::Set(2), Write::Delete(0)]);
    let acts = [
        Act::CutOne(173),
        Act::Burst(first),
        Act::Restart(68),
        Act::Wait(4),
        Act::Wait(30),
        Act::Burst(set(7)),
        Act::Skip(set(1)),
        Act::Wait(12),
        Act::Lose(vec![Loss::SilentBody, Loss::SilentBody]),
        Act::Burst(vec![Write::Other; 25]),
        Act::Rebuild(Rebuild {
            writes: set(1),
            percent: 37,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, u64::MAX, &acts).unwrap();
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
fn a_replaced_store_is_not_declared_again_if_its_member_is_in_doubt() {
    let acts = [
        Act::Burst(set(2)),
        Act::Install(0, 299),
        // The session recognises it by its history, which does not reach back.
        Act::Rebuild(Rebuild {
            writes: vec![Write::Set(1)],
            percent: 1500,
            other_cluster: false,
        }),
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
    let rebuild = Act::Rebuild(Rebuild {
        writes: set(1),
        percent: 0,
        other_cluster: false,
    });
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

/// Runs until everything up to `index` is reported.
fn run_to(world: &mut World, index: u64) {
    for _ in 0..600 {
        if world.checks.position == Some(index) {
            return;
        }
        world.run_for(Duration::from_millis(100));
    }
    panic!("the position is {:?}", world.checks.position);
}

/// A proxy that ignores half-closes leaves the comparison after a failure without an answer.
fn replay_with_an_open_comparison(on_gap: OnGap) -> World {
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
        ..plan(Start::At(Index(101)), TO_PRESENT, 1)
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
        let world = replay_with_an_open_comparison(on_gap);
        assert!(world.finished.is_some(), "{on_gap:?}");
    }
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

/// A session whose requests are answered one by one.
struct Conversation {
    session: Session,
    now: Instant,
    sent: Vec<(RequestId, V2Request)>,
    budget: Budget,
}

impl Conversation {
    fn new(plan: Plan) -> Self {
        let now = crate::testing::now();
        let mut begun = Self {
            session: Session::new(plan, now),
            now,
            sent: Vec::new(),
            budget: Budget::new(1 << 20),
        };
        begun.feed(Input::Tick);
        begun
    }

    fn feed(&mut self, input: Input) {
        for step in self.session.handle(input, self.now) {
            match step {
                Step::Send {
                    id,
                    request: AnyRequest::V2(request),
                    ..
                } => self.sent.push((id, request)),
                Step::Close(id) => self.sent.retain(|sent| sent.0 != id),
                _ => {}
            }
        }
    }

    /// The first request in flight for which the condition holds is answered now.
    fn take(&mut self, is_meant: impl Fn(&V2Request) -> bool) -> (RequestId, V2Request) {
        let place = self.sent.iter().position(|(_, request)| is_meant(request));
        self.sent.remove(place.expect("such a request"))
    }

    /// A head and the end of the reply, with the set at an index in between.
    fn answer(&mut self, id: RequestId, set_at: Option<u64>) {
        self.feed(Input::Head {
            id,
            head: head_at(100),
        });
        if let Some(index) = set_at {
            let line = format!(
                "{{\"action\":\"set\",\"node\":{{\"key\":\"/app/k0\",\"value\":\"v\",\
                 \"modifiedIndex\":{index},\"createdIndex\":{index}}}}}"
            );
            self.feed(events(id, &line, &self.budget));
        }
        let end = ReplyEnd::Clean(Whole::received());
        self.feed(Input::Ended { id, end });
    }

    /// History was cleared up to `oldest`, and `asked` was asked for.
    fn refuse(&mut self, id: RequestId, oldest: u64, asked: u64) {
        let index = oldest + 999;
        let fault = Fault {
            code: 401,
            message: "cleared".to_owned(),
            cause: format!("the requested history has been cleared [{oldest}/{asked}]"),
            index: Index(index),
        };
        let head = head_at(index);
        let end = ReplyEnd::Failed(Failure::Refused(Box::new(Refusal { fault, head })));
        self.feed(Input::Ended { id, end });
    }
}

fn head_at(index: u64) -> Head {
    Head {
        status: 200,
        index: Some(Index(index)),
        cluster: Some("0".to_owned()),
        raft: Some(index),
    }
}

#[test]
fn an_event_that_is_reported_after_a_gap_is_compared_if_the_store_was_in_doubt() {
    let mut talk = Conversation::new(Plan {
        on_gap: OnGap::Continue,
        ..plan(Start::At(Index(11)), TO_PRESENT, 1)
    });
    let (id, _) = talk.take(|_| true);
    talk.answer(id, None);
    // Event 11 is reported, and one beyond an unknown range is held.
    let (id, _) = talk.take(|_| true);
    talk.answer(id, Some(11));
    let (id, question) = talk.take(|request| request.after() > Some(Index(11)));
    let beyond = question.after().expect("an index").0 + 1;
    talk.answer(id, Some(beyond));
    // Nothing answers for a while, so that the store is in doubt.
    talk.now += Duration::from_millis(150);
    talk.feed(Input::Tick);
    let is_first =
        |request: &V2Request| request.is_question() && request.after() == Some(Index(11));
    let (id, _) = talk.take(is_first);
    talk.refuse(id, beyond, 12);
    let is_comparison = |request: &V2Request| matches!(request, V2Request::Verify { .. });
    let (id, _) = talk.take(is_comparison);
    talk.refuse(id, beyond, 11);
    let (_, comparison) = talk.take(is_comparison);
    assert_eq!(comparison.after(), Some(Index(beyond - 1)));
}

#[test]
fn a_store_replaced_soon_after_two_breaks_is_a_gap() {
    let setup = Setup {
        before: set(1),
        members: 2,
        endpoints: 2,
        seed: 1_764_237_994_484_344_438,
        ..SETUP
    };
    let acts = [
        Act::Wait(42),
        Act::CutAll,
        Act::Wait(5),
        Act::CutAll,
        Act::Wait(28),
        Act::Skip(set(1)),
        Act::Install(0, 299),
        Act::Rebuild(Rebuild {
            writes: set(1),
            percent: 100,
            other_cluster: false,
        }),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
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
