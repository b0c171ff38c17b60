//! A command that is run for what a watch tells: `watch --stream KEY -- CMD`.
//!
//! [`queue`] decides what is run next and is pure; [`child`] runs it.

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
    /// What is done with what comes while it runs.
    pub mode: Mode,
    /// What is done where it fails.
    pub on_failure: OnFailure,
    /// So long nothing new may have come before it is run.
    pub debounce: Duration,
    /// So long it may take to end.
    pub grace: Duration,
}
