//! The clock, the environment and threads, for tests alone.

#![allow(
    clippy::disallowed_methods,
    reason = "tests count from the present, are set up with variables, and run threads"
)]

use std::time::Instant;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// The present time, for tests to count from. An `Instant` can't be made from a number.
pub fn now() -> Instant {
    Instant::now()
}

/// Runs `task` on a thread of its own.
pub fn spawn(task: impl FnOnce() + Send + 'static) {
    std::thread::spawn(task);
}

/// Waits until a condition is met that another thread brings about.
pub fn wait_until(is_met: impl Fn() -> bool) {
    while !is_met() {
        std::thread::yield_now();
    }
}

/// Whether the simulation prints the inputs and steps of its sessions:
/// `SIMULATION_TRACE=1 cargo test NAME -- --nocapture`.
pub fn is_traced() -> bool {
    std::env::var_os("SIMULATION_TRACE").is_some()
}

/// The same `cases` in every run. `PROPTEST_CASES` sets another number of random ones.
pub fn config(cases: u32) -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}
