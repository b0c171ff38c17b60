//! Single schedules, each for one behaviour.

mod damaged_history;
mod events;
mod reading_state;
mod replaced_store;
mod replays;
mod requests;

use std::time::Duration;

use crate::simulation::Setup;
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
