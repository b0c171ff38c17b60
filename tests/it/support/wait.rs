//! Waiting for conditions.
//!
//! In scope: every wait of every test. Out of scope: waiting for a fixed time. A test that sleeps
//! is slow on a fast machine and fails on a slow one.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here should take, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// The interval between two checks of a condition.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds. Panics with `what` if it does not within `limit`.
#[track_caller]
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    until_some(limit, what, || condition().then_some(()));
}

/// Waits until `attempt` returns something, and returns that. Panics with `what` if it does not
/// within `limit`.
#[track_caller]
pub fn until_some<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain for {what}"
        );
        thread::sleep(INTERVAL);
    }
}

/// Asserts that something does not happen: panics with `what` if `condition` holds within `span`.
#[track_caller]
pub fn never(span: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(!condition(), "{what}");
        thread::sleep(INTERVAL);
    }
}
