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

mod checks;
mod looks;
mod scenarios;
mod store;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::model::{Index, Key, Scope};
use crate::watch::{Budget, Input, OnGap, Outcome, Plan, PlannedEnd, Start};

use checks::state_of;
use world::{Quirks, World};

/// The largest number of revisions in a message.
const FULL: usize = 5;
/// The interval at which the server looks history up for unsynced watchers.
const PASS: Duration = Duration::from_millis(100);
const LATENCY: Duration = Duration::from_millis(1);
/// The number of keys in scope. One more key is outside of it, and one has a longer name.
const KEYS: u8 = 4;

/// A write or removal of one key.
#[derive(Clone, Copy, Debug)]
struct Operation {
    key: u8,
    is_delete: bool,
}

#[derive(Clone, Debug)]
enum Act {
    Write(Vec<Operation>),
    /// Compacts all revisions but this many.
    Compact(u64),
    Wait(u16),
    Cut,
    CutOne(u8),
    Outage(u16),
    Rebuild(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Value {
    number: u64,
    created: u64,
    modified: u64,
    version: u64,
}

type State = BTreeMap<u8, Value>;

fn scope() -> Scope {
    Scope::new(Key::literal("/app").unwrap(), true)
}

fn plan(start: Start, planned_end: PlannedEnd, on_gap: OnGap) -> Plan {
    Plan {
        scope: scope(),
        start,
        planned_end,
        stream: true,
        previous: true,
        on_gap,
        snapshot: false,
        expand: false,
        stale_after: Duration::from_secs(30),
        cluster: None,
        last: None,
        endpoints: 1,
        history: 1000,
        raft_jump: u64::MAX,
        seed: 1,
        budget: Budget::new(1 << 20),
    }
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation =
        (0..KEYS + 2, any::<bool>()).prop_map(|(key, is_delete)| Operation { key, is_delete });
    vec(operation, 1..4)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => operations().prop_map(Act::Write),
        2 => (0u64..6).prop_map(Act::Compact),
        4 => prop_oneof![1u16..20, 20u16..300].prop_map(Act::Wait),
        1 => Just(Act::Cut),
        1 => any::<u8>().prop_map(Act::CutOne),
        1 => (1u16..500).prop_map(Act::Outage),
    ]
}

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

/// A few cases, the same in every run. `PROPTEST_CASES` sets another number of random ones.
fn config() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig {
        cases: 1024,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

/// The starting point of a watch.
#[derive(Clone, Copy, Debug)]
enum Begin {
    Now,
    Snapshot,
    At(u64),
    Oldest,
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![
        Just(Begin::Now),
        Just(Begin::Snapshot),
        (1u64..20).prop_map(Begin::At),
        Just(Begin::Oldest),
    ]
}

fn follow(
    begins: Begin,
    on_gap: OnGap,
    quirks: Quirks,
    seed: u64,
    before: &[Vec<Operation>],
    acts: &[Act],
) -> World {
    let start = match begins {
        Begin::Now | Begin::Snapshot => Start::Now,
        Begin::At(first) => Start::At(Index(first)),
        Begin::Oldest => Start::Oldest,
    };
    let plan = Plan {
        snapshot: matches!(begins, Begin::Snapshot),
        ..plan(start, PlannedEnd::Forever, on_gap)
    };
    let mut world = World::new(plan, before, seed, quirks);
    world.checks.is_oldest = matches!(begins, Begin::Oldest);
    world.feed(Input::Tick);
    world.run_for(Duration::from_millis(50));
    for act in acts {
        world.act(act);
    }
    world.run_for(Duration::from_secs(40) + 4 * quirks.slow);
    world
}

/// Checks the end of a run: every event was reported or declared lost, and the consumer has the state.
fn check_end(world: &mut World, is_whole: bool) {
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
    #![proptest_config(config())]

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
        let is_whole = matches!(begins, Begin::Now | Begin::Snapshot);
        check_end(&mut world, is_whole);
        let is_compacted = acts.iter().any(|act| matches!(act, Act::Compact(_)));
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
        all.push(Act::Wait(1000));
        all.push(Act::Write(vec![Operation { key: 1, is_delete: false }]));
        all.push(Act::Wait(1000));
        all.push(Act::Rebuild(count));
        // This is not the compared key, because a write of that key at the same index would be
        // indistinguishable.
        let operation = Operation {
            key: 2,
            is_delete: false,
        };
        all.extend(vec![Act::Write(vec![operation]); after]);
        let mut world = follow(Begin::Now, on_gap, Quirks::default(), seed, &before, &all);
        check_end(&mut world, true);
    }

    #[test]
    fn a_v3_replay_ends_with_its_last_event_or_reports_an_unproven_end(
        quirks in quirks(),
        refuses_whole_store in any::<bool>(),
        seed in any::<u64>(),
        from in 1u64..30,
        to in proptest::option::of(1u64..60),
        before in vec(operations(), 0..60),
        acts in vec(act(), 0..20),
    ) {
        let until = PlannedEnd::Present { to: to.map(Index), follow: false };
        let plan = plan(Start::At(Index(from)), until, OnGap::Continue);
        let quirks = Quirks { refuses_whole_store, ..quirks };
        let mut world = World::new(plan, &before, seed, quirks);
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
