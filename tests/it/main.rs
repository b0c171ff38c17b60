//! The whole tool against real etcds, through faulty networks and against hostile servers.
//!
//! One module a topic, a sentence a test. `support` holds what they stand on, and `harness`
//! proves that it can be stood on. The etcds come from `tests/get-etcd.sh`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod auth;
mod chaos;
mod check;
mod checkpoint;
mod conformance;
mod decoder;
mod doctor;
mod errors;
mod examples;
mod exec;
mod failover;
mod files;
mod freshness;
mod gaps;
mod get;
mod harness;
mod hostile;
mod hostile_data;
mod input;
mod large_values;
mod manners;
mod output;
mod quiet;
mod reading;
mod rebuilt;
mod replay;
mod rm;
mod set;
mod silence;
mod snapshot;
mod support;
mod terminal;
mod tls;
mod until;
mod usage;
mod v3;
mod v3_watch;
mod verbose;
mod watch;
