//! What a person is told of a watch beside its records.

use std::time::Duration;

use crate::settings::Settings;
use etcdwatch_engine::watch::{NoProof, Notice, Status, Until, WatchState};

/// A notice's kind, and what it says to a person. `until` is where the watch ends.
#[must_use]
pub fn of_watch(notice: &Notice, until: Until, settings: &Settings) -> (&'static str, String) {
    match notice {
        Notice::Ahead { from, index } => {
            let waits = match until {
                Until::Forever | Until::Present { follow: true, .. } => "waiting for it",
                Until::Present { .. } => "there is nothing to replay",
            };
            let message = format!("index {from} lies ahead: the store is at {index}; {waits}");
            ("ahead", message)
        }
        Notice::BeforeOldest { oldest, to } => (
            "beforeOldest",
            format!("history begins at {oldest}: nothing up to {to} can be had"),
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
                    "this user may not read the whole store, whose next event would prove it"
                }
                NoProof::TooLong => {
                    "an event elsewhere in the store, which would prove it, is larger than \
                     --max-event"
                }
                NoProof::NoNextEvent => {
                    "the store shows no event at the end of the replay or after it, and no wait \
                     can be ended by half-closing its connection"
                }
            };
            let message = format!("the end of the replay can't be proven: {why}");
            ("unproven", message)
        }
        Notice::OtherCluster { endpoint } => (
            "otherCluster",
            format!(
                "{} belongs to another cluster and is left out",
                settings.url(*endpoint)
            ),
        ),
    }
}

/// What a status says to a person. `stale_after` is for how long nothing was confirmed.
#[must_use]
pub fn of_status(status: &Status, stale_after: Duration, settings: &Settings) -> String {
    let endpoint = settings.url(status.endpoint);
    let cause = status.cause.as_ref().map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    match (status.state, cause.as_str()) {
        (WatchState::Live, _) => format!("live again, with {endpoint}"),
        (WatchState::Stale, "") => format!(
            "stale: it can't be told whether something happened; {endpoint} has not \
             confirmed anything for {}",
            humantime::format_duration(stale_after)
        ),
        (WatchState::Stale, cause) => {
            format!("stale: it can't be told whether something happened; {endpoint} {cause}")
        }
        (WatchState::Reconnecting, "") => format!("{endpoint} is gone; trying again"),
        (WatchState::Reconnecting, cause) => format!("{endpoint} {cause}; trying again"),
    }
}
