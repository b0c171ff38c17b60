//! What takes the updates of a watch: each type here is a [`Sink`].
//!
//! - [`records::Records`] prints records.
//! - [`until::UntilHolds`] prints what makes the condition of `--until` hold, and ends the watch.
//! - [`command::CommandSink`] runs a command for each record.
//! - [`drifts::DriftPrinter`] compares the state with a file, for `check`.
//! - [`sample::Sample`] counts writes, for `doctor`.
//!
//! The first three share a [`selector`], which chooses among the records, and a [`cursor`], which says how
//! far they were delivered.

pub mod command;
pub mod cursor;
pub mod drifts;
pub mod printer;
pub mod records;
pub mod runner;
pub mod sample;
pub mod selector;
pub mod until;

use std::time::Instant;

use crate::run::inbox::{Inbox, Stop};
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::Update;

/// Whether a watch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    GoesOn,
    /// Nothing more is wanted.
    Done,
}

impl Flow {
    /// Ends the watch where `is_done`.
    #[must_use]
    pub const fn done_if(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::GoesOn }
    }
}

/// Takes the updates of a watch.
pub trait Sink {
    /// The watch is on `scope`, with the API that the scope is of.
    fn begin(&mut self, scope: &Scope);

    /// Takes an update.
    ///
    /// # Errors
    /// What ends the run.
    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop>;

    /// When the sink wants to be woken though no update has come; `None` for never.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Updates have come, or the time is [`Sink::due`].
    ///
    /// # Errors
    /// What ends the run.
    fn wake(&mut self, _inbox: &mut Inbox) -> Result<Flow, Stop> {
        Ok(Flow::GoesOn)
    }

    /// The watch has ended so. Returns how the run ends.
    ///
    /// # Errors
    /// What ended the watch, or what could not be done at its end.
    fn finish(&mut self, ended: Result<(), Stop>, _inbox: &mut Inbox) -> Result<(), Stop> {
        ended
    }
}
