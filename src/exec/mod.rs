//! A command that is run for the records of a watch: `watch --stream KEY -- CMD`.
//!
//! [`queue`] decides which record the command runs for next, without I/O. [`child`] runs the command.

pub mod child;
pub mod queue;

use std::ffi::OsString;
use std::time::Duration;

use queue::{Mode, OnFailure};

/// The command, and the options for running it.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The treatment of records that arrive while the command runs.
    pub mode: Mode,
    /// The treatment of a command that fails.
    pub on_failure: OnFailure,
    /// The time without a new record after which the command starts.
    pub debounce: Duration,
    /// The time that the command has to end before etcdwatch kills it.
    pub grace: Duration,
}
