//! The sinks, which take the updates of a watch.
//!
//! - [`records::Records`] prints records.
//! - [`until::UntilHolds`] waits for the condition of `--until`, and prints the records that meet it.
//! - [`command::CommandSink`] runs a command for each record.
//! - [`drifts::DriftPrinter`] compares the state with a file, for `check`.
//! - [`sample::Sample`] counts writes, for `doctor`.
//!
//! The first three share a [`selector`], which chooses the records, and a [`cursor`], which tracks the
//! delivered ones.

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

use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::Update;

/// Whether a watch continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The sink wants more updates.
    GoesOn,
    /// The sink wants no more updates.
    Done,
}

impl Flow {
    /// `Done` if `is_done`.
    #[must_use]
    pub const fn done_if(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::GoesOn }
    }
}

/// A consumer of the updates of a watch.
pub trait Sink {
    /// Notes the scope of the watch, which also determines its API.
    fn begin(&mut self, scope: &Scope);

    /// Takes an update.
    ///
    /// # Errors
    /// The reason to end the run.
    fn take(&mut self, update: Update, inbox: &mut Inbox) -> Result<Flow, Stop>;

    /// The time to call [`Sink::wake`] even without an update; `None` for never.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does the work that is due. It is called after updates and at the time [`Sink::due`].
    ///
    /// # Errors
    /// The reason to end the run.
    fn wake(&mut self, _inbox: &mut Inbox) -> Result<Flow, Stop> {
        Ok(Flow::GoesOn)
    }

    /// Finishes after the watch, which has ended with `ended`. Returns the result of the run.
    ///
    /// # Errors
    /// The reason why the watch ended, or the failure to write the output or the checkpoint.
    fn finish(&mut self, ended: Result<(), Stop>, _inbox: &mut Inbox) -> Result<(), Stop> {
        ended
    }
}
