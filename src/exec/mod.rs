//! A command that is run for the records of a watch: `watch --stream KEY -- CMD`.
//!
//! [`queue`] decides which is run next and is pure; [`child`] runs it.

pub mod child;
pub mod queue;

use std::ffi::OsString;
use std::time::Duration;

use queue::{Mode, OnFailure};

/// How a command is run.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What is done with records that come while it runs.
    pub mode: Mode,
    /// What is done when it fails.
    pub on_failure: OnFailure,
    /// It is run once no record has come for this long.
    pub debounce: Duration,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
}
