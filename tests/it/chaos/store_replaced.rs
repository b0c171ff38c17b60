//! The scenario in which the servers lose their data and start as they first did: the same
//! addresses and the same cluster id, but another store (fact 19).
//!
//! In scope: writes before and after, and how far the new store has come when it is first seen. Out
//! of scope: which events of the old store may be missing (`counts`).

use fastrand::Rng;

use super::testbed::{Effort, Outcome, Run, Testbed};
use super::writers::{self, Task};
use crate::support::wait;

/// How long each store is written to, in milliseconds.
const SHORT: u64 = 300;

/// Replaces the store while it is watched.
pub fn run(testbed: &Testbed, effort: Effort, top: &str, random: &mut Rng) -> Outcome {
    // A young store has a low index, which the next store soon exceeds.
    testbed.cluster.wipe_and_restart();
    let members: Vec<usize> = (0..testbed.cluster.nodes.len()).collect();
    let run = Run::start(testbed, top, &members, effort, random);
    // Hidden: the new store is complete when it is first seen. Past: its index then exceeds that of
    // the old store.
    let (is_hidden, is_past) = (random.bool(), random.bool());
    let beyond = random.usize(20..500);
    let task = |mark| Task {
        api: testbed.api,
        urls: testbed.urls(),
        top,
        mark,
        is_gentle: effort.baselines,
    };
    let ((), old) = writers::while_writing(&task("old-"), random, || {
        run.tool().running.wait_for_lines(20, wait::LONG);
        run.hold(SHORT);
    });
    let replace_store = || {
        let url = &testbed.urls()[0];
        let index = testbed.api.index(url);
        testbed.cluster.wipe_and_restart();
        if is_past {
            let count = usize::try_from(index).expect("few writes") + beyond;
            testbed.api.write_elsewhere(url, count);
        }
    };
    if is_hidden {
        run.refuse(|_| true, replace_store);
    } else {
        replace_store();
    }
    let ((), new) = writers::while_writing(&task("new-"), random, || run.hold(SHORT));
    let happened = format!("hidden: {is_hidden}, past: {is_past} by {beyond}");
    run.judge(vec![old, new], 1, &happened)
}
