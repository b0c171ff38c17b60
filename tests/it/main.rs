//! The whole tool against real etcd servers, faulty networks and hostile servers.
//!
//! Each module covers a topic, and the name of each test states a behavior. The harness is in
//! `support`, and `harness` tests it. The etcd servers come from `tests/get-etcd.sh`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

mod auth;
mod chaos;
mod check;
mod checkpoint;
mod closed_streams;
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
mod output;
mod quiet_keys;
mod rendering;
mod replay;
mod rm;
mod robustness;
mod set;
mod signals;
mod silence;
mod snapshot;
mod store_replaced;
mod support;
mod terminal;
mod tls;
mod until;
mod usage;
mod v3;
mod v3_gateway;
mod v3_watch;
mod verbose;
mod watch;
