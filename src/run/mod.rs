//! The run of a command: one loop that receives every message and owns all output.
//!
//! - [`api`]: which of etcd's APIs a watch uses with `--api auto`.
//! - [`watching`]: a watch from its first request to its last update.
//! - [`inbox`]: the messages to the loop, and the deadline.
//! - [`screen`]: standard output and standard error.
//! - [`stop`]: the reasons to end a run before its command is done.
//! - [`trace`]: the decisions of a watch, for `-vv`.
//! - [`signal`]: signals as messages.

pub mod api;
pub mod inbox;
pub mod screen;
pub mod signal;
pub mod stop;
pub mod trace;
pub mod watching;
