//! The notices of a watch: what standard error says beside the records.

use std::time::Duration;

use crate::settings::Settings;
use etcdwatch_engine::watch::{NoProof, Notice, PlannedEnd, Status, WatchState};

/// The kind and the message of a notice. `until` is where the watch ends.
#[must_use]
pub fn of_watch(
    notice: &Notice,
    planned_end: PlannedEnd,
    settings: &Settings,
) -> (&'static str, String) {
    match notice {
        Notice::Ahead { from, index } => {
            let waits = match planned_end {
                PlannedEnd::Forever | PlannedEnd::Present { follow: true, .. } => "waiting for it",
                PlannedEnd::Present { .. } => "there is nothing to replay",
            };
            let message =
                format!("index {from} is ahead of the store, which is at {index}; {waits}");
            ("ahead", message)
        }
        Notice::BeforeOldest { oldest, to } => (
            "beforeOldest",
            format!(
                "history begins at index {oldest}: the server no longer has anything up to {to}"
            ),
        ),
        Notice::HalfClose { endpoint } => (
            "halfClose",
            format!(
                "half-closing a connection to {} breaks it or does nothing; etcdwatch reads \
                 the history of the whole store instead to prove that no event is missing",
                settings.url(*endpoint)
            ),
        ),
        Notice::Unproven(why) => {
            let why = match why {
                NoProof::WholeStoreRefused => {
                    "this user has no read permission on the whole keyspace, whose next event would \
                     prove it"
                }
                NoProof::TooLong => {
                    "an event elsewhere in the store, which would prove it, is larger than \
                     --max-event"
                }
                NoProof::NoNextEvent => {
                    "the store has no event at the end of the replay or after it, and half-closing the \
                     connection does not end a wait"
                }
            };
            let message = format!("cannot prove that the replay is complete: {why}");
            ("unproven", message)
        }
        Notice::OtherCluster { endpoint } => (
            "otherCluster",
            format!(
                "{} belongs to another cluster; etcdwatch does not use it",
                settings.url(*endpoint)
            ),
        ),
    }
}

/// The message for a change of the watch's state. `stale_after` is the time without confirmation.
#[must_use]
pub fn of_status(status: &Status, stale_after: Duration, settings: &Settings) -> String {
    let endpoint = settings.url(status.endpoint);
    let cause = status.cause.as_ref().map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    match (status.state, cause.as_str()) {
        (WatchState::Live, _) => format!("live again at {endpoint}"),
        (WatchState::Stale, "") => format!(
            "stale: no confirmation from {endpoint} for {}; events may be missing until it answers",
            humantime::format_duration(stale_after)
        ),
        (WatchState::Stale, cause) => {
            format!("stale: {endpoint} {cause}; events may be missing until it answers")
        }
        (WatchState::Reconnecting, "") => {
            format!("lost the connection to {endpoint}; trying again")
        }
        (WatchState::Reconnecting, cause) => format!("{endpoint} {cause}; trying again"),
    }
}
