//! Stores that were replaced, and stores that were not.

use std::time::{Duration, Instant};

use super::{SETUP, TO_PRESENT, rebuild, set};
use crate::model::{Cause, Index};
use crate::protocol::{Failure, Fault, Head, Refusal, Whole};
use crate::simulation::acts::Act;
use crate::simulation::server::HalfClose;
use crate::simulation::store::{Watched, Write};
use crate::simulation::wire::{Loss, V2Call, events};
use crate::simulation::world::{FIRST, World, plan};
use crate::simulation::{Begin, RAFT_JUMP, Setup, follow};
use crate::v2::V2Request;
use crate::watch::{
    AnyRequest, Budget, Input, OnGap, Plan, PlannedEnd, ReplyEnd, RequestId, Session, Start, Step,
};

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
        rebuild(vec![Write::Update(1)], 29),
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
        rebuild(vec![Write::Delete(0)], 67),
    ];
    follow(&setup, Begin::Now, OnGap::Diff, RAFT_JUMP, &acts).unwrap();
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
    let rebuild = rebuild(set(1), 0);
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
fn a_store_replaced_after_another_failure_is_a_gap() {
    let mut world = World::quiet(10);
    world.burst(&set(4));
    world.run_for(Duration::from_secs(2));
    let mut wires = world.server.wires.values();
    let alarm = wires.position(|wire| wire.call == V2Call::Alarm).unwrap();
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
        rebuild(set(1), 37),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, u64::MAX, &acts).unwrap();
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
        rebuild(set(1), 100),
    ];
    follow(&setup, Begin::Now, OnGap::Continue, RAFT_JUMP, &acts).unwrap();
}
