//! Tests of waiting for conditions.

use std::time::Duration;

use super::panic_message;
use crate::support::wait;

#[test]
fn a_wait_that_times_out_names_its_condition() {
    let limit = Duration::from_millis(10);
    let message = panic_message(|| wait::until(limit, "the moon", || false));
    assert!(message.contains("the moon"), "{message}");
    let message = panic_message(|| wait::never(limit, "it rang", || true));
    assert!(message.contains("it rang"), "{message}");
}
