//! Single schedules, each for one behaviour.

mod damaged_history;
mod events;
mod reading_state;
mod replaced_store;
mod replays;
mod requests;

use std::time::Duration;

use crate::simulation::Setup;
use crate::simulation::acts::{Act, Rebuild};
use crate::simulation::server::HalfClose;
use crate::simulation::store::{Watched, Write};
use crate::simulation::world::World;
use crate::watch::PlannedEnd;

/// The end of a replay that does not follow.
const TO_PRESENT: PlannedEnd = PlannedEnd::Present {
    to: None,
    follow: false,
};

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

/// Another store of the same cluster ID, with so many per cent of the indexes of the present one.
fn rebuild(writes: Vec<Write>, percent: u64) -> Act {
    Act::Rebuild(Rebuild {
        writes,
        percent,
        other_cluster: false,
    })
}

fn set(count: usize) -> Vec<Write> {
    vec![Write::Set(0); count]
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
