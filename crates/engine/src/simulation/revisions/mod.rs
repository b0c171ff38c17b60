//! The v3 session against a model of etcd with its quirks, for any schedule of writes and faults.
//!
//! The model server behaves as etcd-facts.md measured it, and as etcd's source says:
//!
//! - it looks history up for unsynced watchers from time to time, a limited number of revisions at once,
//!   and serves these watchers in random order;
//! - it cancels a watcher that needs compacted history, unless the watcher is just at the compacted
//!   revision: then it passes over the removal of a key without a sign;
//! - it sends each transaction to synced watchers, and sometimes a progress notification;
//! - a message takes its time while those of other connections overtake it. It may come in fragments
//!   with pauses, and may have fewer revisions than it could.
//!
//! Connections break, servers are unreachable, history is compacted at any moment, states take their
//! time, a user may have read permission on the scope alone, and the store is replaced.
//!
//! The properties: every reported event is true, whole, in order and reported once; a gap precedes
//! everything after missing events, which were compacted; the records give the state; a replay ends
//! after its last event, or reports that its end is unproven; and no schedule makes the session send
//! requests in a hot loop.
//!
//! `store` has the writes, `wire` the connections and messages, and `acts` the possible writes and faults.
//! `world` runs them, `checks` compares the reports with the truth, and `scenarios` and `looks` have
//! single tests.

mod acts;
mod checks;
mod looks;
mod scenarios;
mod store;
mod wire;
mod world;

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::Index;
use crate::testing;
use crate::watch::{Input, OnGap, Outcome, Plan, PlannedEnd, Start};
use acts::{V3Act, act, operations};
use checks::state_of;
use store::Operation;
use world::{Quirks, V3World, plan};

fn quirks() -> impl Strategy<Value = Quirks> {
    let slow = prop_oneof![
        3 => Just(0u64),
        2 => 1u64..200,
        2 => 200u64..4000,
        1 => 4000u64..20_000,
    ];
    let look = prop_oneof![3 => Just(0u64), 1 => 1u64..20];
    (slow, look, any::<bool>(), any::<bool>()).prop_map(
        |(slow, look, cuts_messages, splits_messages)| Quirks {
            slow: Duration::from_millis(slow),
            look: Duration::from_secs(look),
            cuts_messages,
            splits_messages,
            refuses_whole_store: false,
        },
    )
}

/// The starting point of a watch.
#[derive(Clone, Copy, Debug)]
enum V3Begin {
    Now,
    Snapshot,
    At(u64),
    Oldest,
}

fn begin() -> impl Strategy<Value = V3Begin> {
    prop_oneof![
        Just(V3Begin::Now),
        Just(V3Begin::Snapshot),
        (1u64..20).prop_map(V3Begin::At),
        Just(V3Begin::Oldest),
    ]
}

fn follow(
    begins: V3Begin,
    on_gap: OnGap,
    quirks: Quirks,
    seed: u64,
    before: &[Vec<Operation>],
    acts: &[V3Act],
) -> V3World {
    let start = match begins {
        V3Begin::Now | V3Begin::Snapshot => Start::Now,
        V3Begin::At(first) => Start::At(Index(first)),
        V3Begin::Oldest => Start::Oldest,
    };
    let plan = Plan {
        snapshot: matches!(begins, V3Begin::Snapshot),
        ..plan(start, PlannedEnd::Forever, on_gap)
    };
    let mut world = V3World::new(plan, before, seed, quirks);
    world.checks.is_oldest = matches!(begins, V3Begin::Oldest);
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(50));
    for act in acts {
        world.act(act);
    }
    world.run_for(Duration::from_secs(40) + 4 * quirks.slow);
    world
}

/// Checks the end of a run: every event was reported or declared lost, and the consumer has the state.
fn check_end(world: &mut V3World, is_whole: bool) {
    assert!(world.finished.is_none(), "{:?}", world.finished);
    let store = world.store().clone();
    assert_eq!(world.checks.era, world.stores.len() - 1);
    world.checks.pass(&store, store.latest());
    if is_whole && matches!(world.checks.on_gap, OnGap::Resync | OnGap::Diff) {
        assert_eq!(world.checks.consumer, state_of(&store, store.latest()));
    }
    let opened = world.opened.len();
    assert!(opened < 2000, "{opened} requests");
}

proptest! {
    #![proptest_config(testing::config(1024))]

    #[test]
    fn a_v3_stream_delivers_everything_once_in_order_or_declares_a_gap(
        begins in begin(),
        on_gap in prop_oneof![Just(OnGap::Continue), Just(OnGap::Resync), Just(OnGap::Diff)],
        quirks in quirks(),
        seed in any::<u64>(),
        before in vec(operations(), 0..30),
        acts in vec(act(), 1..60),
    ) {
        let mut world = follow(begins, on_gap, quirks, seed, &before, &acts);
        if world.is_hopeless() {
            return Ok(());
        }
        let is_whole = matches!(begins, V3Begin::Now | V3Begin::Snapshot);
        check_end(&mut world, is_whole);
        let is_compacted = acts.iter().any(|act| matches!(act, V3Act::Compact(_)));
        prop_assert!(is_compacted || world.checks.gaps.is_empty(), "{:?}", world.checks.gaps);
    }

    #[test]
    fn a_replaced_v3_store_is_declared(
        on_gap in prop_oneof![Just(OnGap::Resync), Just(OnGap::Diff)],
        seed in any::<u64>(),
        before in vec(operations(), 4..30),
        acts in vec(act(), 1..20),
        count in 0u8..60,
        after in 0usize..10,
    ) {
        // The session recognises the store by this event.
        let mut all = acts;
        all.push(V3Act::Wait(1000));
        all.push(V3Act::Write(vec![Operation { key: 1, is_delete: false }]));
        all.push(V3Act::Wait(1000));
        all.push(V3Act::Rebuild(count));
        // This is not the compared key, because a write of that key at the same index would be
        // indistinguishable.
        let operation = Operation {
            key: 2,
            is_delete: false,
        };
        all.extend(vec![V3Act::Write(vec![operation]); after]);
        let mut world = follow(V3Begin::Now, on_gap, Quirks::default(), seed, &before, &all);
        check_end(&mut world, true);
    }

    #[test]
    fn a_v3_replay_ends_with_its_last_event_or_reports_an_unproven_end(
        quirks in quirks(),
        refuses_whole_store in any::<bool>(),
        seed in any::<u64>(),
        from in 1u64..30,
        to in proptest::option::of(1u64..60),
        on_gap in prop_oneof![Just(OnGap::Continue), Just(OnGap::Fail)],
        before in vec(operations(), 0..60),
        acts in vec(act(), 0..20),
    ) {
        let until = PlannedEnd::Present { to: to.map(Index), follow: false };
        let plan = plan(Start::At(Index(from)), until, on_gap);
        let quirks = Quirks { refuses_whole_store, ..quirks };
        let mut world = V3World::new(plan, &before, seed, quirks);
        let latest = world.store().latest();
        let end = to.unwrap_or(latest).min(latest);
        world.checks.unproven_end = refuses_whole_store.then_some(end);
        world.feed(Input::Tick);
        world.run_for(Duration::from_millis(3));
        for act in &acts {
            world.act(act);
        }
        world.run_for(Duration::from_mins(20));
        if world.is_hopeless() {
            return Ok(());
        }
        if on_gap == OnGap::Fail && matches!(world.finished, Some(Outcome::Lost { .. })) {
            return Ok(());
        }
        prop_assert!(matches!(world.finished, Some(Outcome::Done)), "{:?}", world.finished);
        let store = world.store().clone();
        if from <= end {
            world.checks.pass(&store, end);
            prop_assert!(world.checks.last.0 <= end);
        } else {
            prop_assert_eq!(world.checks.events, 0);
        }
    }
}
