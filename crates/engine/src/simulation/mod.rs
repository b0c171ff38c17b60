//! The v2 session against a model of etcd with its quirks, for any schedule of writes and faults.
//!
//! The model server behaves as etcd-facts.md measured it:
//!
//! - a stream that falls behind stalls (fact 4), and a stream delivers a removal at the watched key
//!   twice (fact 6);
//! - a snapshot install skips events for waiting watchers (fact 5), and may damage the history of the
//!   member (fact 16). A member hides events only if the client has seen its raft index before, because
//!   no client can know about other members;
//! - history has hidden keys, deletes of directories with a shorter name, and deletes of directories
//!   above a key that did not exist (fact 7);
//! - one event removes a directory with all keys below it (fact 8), a refresh takes an index and is not
//!   an event (fact 9), and old history is cleared (fact 10);
//! - members lag, and a member without a majority fails linearizable reads (fact 12);
//! - a half-closed wait ends, sometimes without the event that history has, or breaks because of a proxy
//!   (fact 17);
//! - connections break or stall before a head, between a head and its body, and later; the output is
//!   slow; and the store is replaced (fact 19).
//!
//! Not modelled: a stream that stalls after an event from history (fact 2), because the session never
//! opens one with a `waitIndex`.
//!
//! The properties: every reported event is true, in order and reported once; a gap precedes everything
//! after a missing event; there is no gap where the server could still deliver the events; a gap is
//! `certain` only if something changed; the records give the state; in the end everything arrives; and
//! no schedule makes the session send requests in a hot loop.
//!
//! `store` has the writes, `server` the members and their faults, `replies` their replies, `wire` the
//! connections, and `acts` the possible faults. `world` runs them, `checks` compares the reports with
//! the truth, and `scenarios` has single tests. `revisions` does the same for the v3 session, with a
//! model of its own.

mod acts;
mod checks;
mod replies;
mod revisions;
mod scenarios;
mod server;
mod store;
mod wire;
mod world;

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::model::{Cause, Gap, Index};
use crate::testing;
use crate::watch::{OnGap, Outcome, Plan, PlannedEnd, Start, WatchState};
use acts::{Act, act, damaging_act, writes};
use checks::{check_polite, values};
use server::HalfClose;
use store::{HISTORY, Shown, Watched, Write};
use world::{FIRST, World, plan};

/// A member that is this many raft entries behind installs a snapshot. As with etcd, that is five times
/// the length of history.
const RAFT_JUMP: u64 = 300;

/// The starting point of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Now,
    History,
    Snapshot,
}

/// The watch, its cluster, and their state at the start.
#[derive(Clone, Debug)]
struct Setup {
    before: Vec<Write>,
    watched: Watched,
    members: usize,
    endpoints: usize,
    /// The lag of all members but the first, in indexes.
    lag: u64,
    is_slow_to_look: bool,
    half_close: HalfClose,
    /// Events of a stream that were sent within this many milliseconds arrive together.
    batches: Option<u8>,
    /// The body of a state takes this many milliseconds.
    state_takes: u16,
    seed: u64,
}

impl Setup {
    fn world(&self, mut plan: Plan) -> World {
        plan.endpoints = self.endpoints;
        plan.seed = self.seed;
        let mut world = World::new(plan, self.watched, self.members, &self.before);
        world.server.lag(self.lag);
        world.server.is_slow_to_look = self.is_slow_to_look;
        world.server.half_close = self.half_close;
        world.server.batches = self.batches.map(|span| Duration::from_millis(span.into()));
        world.server.state_takes = Duration::from_millis(self.state_takes.into());
        world.begin();
        world
    }
}

fn setup() -> impl Strategy<Value = Setup> {
    let cluster = (1usize..4).prop_flat_map(|members| (Just(members), 1..=members));
    let watched = prop_oneof![2 => Just(Watched::Tree), 1 => Just(Watched::Key)];
    let state_takes = prop_oneof![2 => Just(0), 1 => 1u16..3000];
    let batches = option::of(1u8..30);
    let half_close = prop_oneof![
        8 => Just(HalfClose::EndsWait),
        1 => Just(HalfClose::Cuts),
        1 => Just(HalfClose::DoesNothing),
    ];
    let quirks = (0u64..20, any::<bool>(), half_close, batches, state_takes);
    (writes(1..50), watched, cluster, quirks, any::<u64>()).prop_map(
        |(before, watched, (members, endpoints), quirks, seed)| {
            let (lag, is_slow_to_look, half_close, batches, state_takes) = quirks;
            Setup {
                before,
                watched,
                members,
                endpoints,
                lag,
                is_slow_to_look,
                half_close,
                batches,
                state_takes,
                seed,
            }
        },
    )
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![
        Just(Begin::Now),
        Just(Begin::History),
        Just(Begin::Snapshot)
    ]
}

fn on_gap() -> impl Strategy<Value = OnGap> {
    prop_oneof![
        Just(OnGap::Continue),
        Just(OnGap::Resync),
        Just(OnGap::Diff)
    ]
}

/// Bursts of writes, each with a pause, and sometimes with one broken connection or all broken.
fn bursts() -> impl Strategy<Value = Vec<(Vec<Write>, u16, Option<Act>)>> {
    let cut = prop_oneof![Just(Act::CutAll), any::<u8>().prop_map(Act::CutOne)];
    let pauses = prop_oneof![Just(6u16..14), Just(60u16..500)];
    pauses.prop_flat_map(move |pauses| {
        let cut = option::weighted(0.1, cut.clone());
        vec((writes(1..8), pauses, cut), 1..60)
    })
}

/// Runs a stream through these acts, and checks what must hold afterwards. A member that is
/// `raft_jump` raft entries behind installs a snapshot.
fn follow(
    setup: &Setup,
    begins: Begin,
    on_gap: OnGap,
    raft_jump: u64,
    acts: &[Act],
) -> Result<World, TestCaseError> {
    let start = if begins == Begin::History {
        FIRST
    } else {
        Start::Now
    };
    let mut world = setup.world(Plan {
        on_gap,
        snapshot: begins == Begin::Snapshot,
        raft_jump,
        ..plan(start, PlannedEnd::Forever, 0)
    });
    world.checks.is_exact = on_gap == OnGap::Diff && begins != Begin::History;
    world.run_for(Duration::from_millis(50));
    for act in acts {
        world.act(act);
    }
    // All faults end, and there is enough time to recover.
    world.heal();
    world.run_for(world.server.patience());

    if world.is_hopeless() {
        return Ok(world);
    }
    prop_assert!(world.finished.is_none(), "{:?}", world.finished);
    let latest = world.server.store().latest();
    let last = world.events(latest).last().copied().unwrap_or(0);
    prop_assert!(
        world.checks.position >= Some(last),
        "the cursor stands at {:?} and the last event at {last}",
        world.checks.position
    );
    if on_gap != OnGap::Continue {
        let state = values(&world.server.store().state(latest));
        prop_assert_eq!(&world.checks.consumer, &state, "the records give the state");
    }
    let (status, notice) = (world.checks.status, world.checks.notice);
    prop_assert_eq!(status, Some(WatchState::Live), "all is well");
    prop_assert!(
        notice.is_none_or(|notice| notice == WatchState::Live),
        "no notice says that the watch is live again"
    );
    prop_assert_eq!(world.checks.era, world.server.era());
    if latest <= HISTORY.into() && world.server.era() == 0 {
        let gaps = &world.checks.gaps;
        let is_untrusted = |gap: &Gap| gap.cause == Cause::MemberUntrusted;
        prop_assert!(gaps.iter().all(is_untrusted), "history sufficed: {gaps:?}");
    }
    check_polite(&world.server.opened, 600);
    Ok(world)
}

proptest! {
    #![proptest_config(testing::config(512))]

    #[test]
    fn a_stream_delivers_everything_once_in_order_or_declares_a_gap(
        setup in setup(),
        begins in begin(),
        on_gap in on_gap(),
        acts in vec(act(), 1..40),
    ) {
        follow(&setup, begins, on_gap, u64::MAX, &acts)?;
    }

    /// Each member has its own endpoint. Behind a common one, the raft index of another member hides the
    /// jump.
    #[test]
    fn a_history_damaged_by_a_snapshot_is_detected(
        mut setup in setup(),
        members in 1usize..4,
        begins in begin(),
        on_gap in on_gap(),
        acts in vec(damaging_act(), 1..40),
    ) {
        (setup.members, setup.endpoints) = (members, members);
        follow(&setup, begins, on_gap, RAFT_JUMP, &acts)?;
    }

    /// A healthy cluster, apart from broken connections, is never too fast for the session: neither if its
    /// history is overwritten within half a second, nor within a tenth, as at full speed.
    #[test]
    fn no_gap_is_declared_while_history_suffices(
        mut setup in setup(),
        begins in begin(),
        on_gap in on_gap(),
        bursts in bursts(),
    ) {
        (setup.lag, setup.is_slow_to_look) = (0, false);
        setup.half_close = HalfClose::EndsWait;
        let acts = bursts.into_iter().flat_map(|(writes, pause, cut)| {
            [Act::Burst(writes), Act::Wait(pause)].into_iter().chain(cut)
        });
        let acts: Vec<Act> = acts.collect();
        let world = follow(&setup, begins, on_gap, u64::MAX, &acts)?;
        prop_assert!(world.checks.gaps.is_empty(), "{:?}", world.checks.gaps);
    }

    #[test]
    fn a_replay_ends_by_itself_with_every_event_up_to_its_end(
        setup in setup(),
        to in option::of(1u64..60),
        oldest in any::<bool>(),
        on_gap in prop_oneof![Just(OnGap::Fail), Just(OnGap::Continue), Just(OnGap::Diff)],
        acts in vec(act(), 0..12),
    ) {
        let start = if oldest { Start::Oldest } else { FIRST };
        let until = PlannedEnd::Present { to: to.map(Index), follow: false };
        let mut world = setup.world(Plan { on_gap, ..plan(start, until, 0) });
        let latest = world.server.store().latest();
        world.run_for(Duration::from_millis(10));
        for act in &acts {
            // Too many writes would clear the history that is replayed.
            match act {
                Act::Burst(_) | Act::Skip(_) | Act::Stop(_) | Act::Rebuild(_) => {}
                other => world.act(other),
            }
        }
        world.heal();
        world.run_for(world.server.patience());

        if world.is_hopeless() {
            return Ok(());
        }
        let mut end = to.unwrap_or(latest).min(latest);
        let is_unproven = |gap: &Gap| gap.cause == Cause::Unproven;
        let is_ended = match &world.finished {
            Some(Outcome::Done) => true,
            Some(Outcome::Lost { gap, .. }) => is_unproven(gap),
            _ => false,
        };
        prop_assert!(is_ended, "{:?}", world.finished);
        // Indexes after the last event in history cannot be proven without half-closing.
        if let Some(gap) = world.checks.gaps.pop_if(|gap| is_unproven(gap)) {
            prop_assert!(setup.half_close != HalfClose::EndsWait && !gap.certain, "{gap:?}");
            // A state that is read replaces what comes after the end too.
            let is_to_end = gap.to == Some(Index(end)) || on_gap == OnGap::Diff && gap.to > Some(Index(end));
            prop_assert!(is_to_end, "{gap:?}");
            end = gap.from.0 - 1;
        }
        let store = world.server.store();
        let mut delivered = world.checks.delivered.clone();
        delivered.retain(|index| store.shown(*index) == Shown::Yes);
        prop_assert_eq!(delivered, world.events(end));
        prop_assert!(world.checks.gaps.is_empty());
    }

    /// Whatever becomes of its members, their histories and the store.
    #[test]
    fn a_replay_ends_by_itself_under_all_faults(
        mut setup in setup(),
        members in 1usize..4,
        to in option::of(1u64..60),
        on_gap in on_gap(),
        acts in vec(prop_oneof![act(), damaging_act()], 0..20),
    ) {
        (setup.members, setup.endpoints) = (members, members);
        let until = PlannedEnd::Present { to: to.map(Index), follow: false };
        let raft_jump = RAFT_JUMP;
        let mut world = setup.world(Plan { on_gap, raft_jump, ..plan(FIRST, until, 0) });
        world.run_for(Duration::from_millis(10));
        for act in &acts {
            if world.finished.is_none() {
                world.act(act);
            }
        }
        world.heal();
        world.run_for(world.server.patience());
        prop_assert!(world.finished.is_some());
        check_polite(&world.server.opened, 600);
    }
}
