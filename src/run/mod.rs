//! The run of a command: one loop that takes what happens and owns all that the user sees.
//!
//! - [`api`]: which of etcd's APIs a watch uses.
//! - [`watching`]: a watch from its first request to its last update.
//! - [`inbox`]: what the loop waits for, the deadline, standard output and standard error.
//! - [`trace`]: the decisions of a watch, for `-vv`.
//! - [`signal`]: signals as messages.

pub mod api;
pub mod inbox;
pub mod signal;
pub mod trace;
pub mod watching;
