//! Waiting for conditions.
//!
//! In scope: every wait of every test. Out of scope: time as such. A test that sleeps is slow
//! on a quick machine and wrong on a slow one.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here should take, even on a machine that is busy with other things.
pub const LONG: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; panics with `what` where it doesn't within `limit`.
#[track_caller]
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    until_some(limit, what, || condition().then_some(()));
}

/// Waits until `attempt` gives something, and returns that; panics with `what` where it
/// doesn't within `limit`.
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

/// Proves that something does *not* happen: panics with `what` as soon as `condition` holds,
/// and returns after `span`.
#[track_caller]
pub fn never(span: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(!condition(), "{what}");
        thread::sleep(INTERVAL);
    }
}
