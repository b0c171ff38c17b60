//! The part of etcdwatch that decides: no sockets, no files, no clock, no terminal.
//!
//! - [`model`]: keys, indexes, events, states and gaps as values.
//! - [`decode`]: bytes become lines (v2) or JSON messages (v3), within a size limit.
//! - [`protocol`]: what both APIs share: requests and heads as data, and why a request failed.
//! - [`v2`], [`v3`]: the requests, replies and faults of each API.
//! - [`watch`]: what a watch asks next, and what is proven.
//! - [`escape`]: untrusted text made safe to print.
//!
//! The simulation, which is built for tests alone, is a model of etcd with its quirks, and holds the
//! sessions to what a watch promises.

pub mod decode;
pub mod escape;
pub mod model;
pub mod protocol;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
pub mod v2;
pub mod v3;
pub mod watch;
