//! The command `replay`.

use super::watching;
use crate::cli;
use crate::config;
use crate::run::stop::Stop;
use crate::settings::Settings;

/// Prints the events in history, and with `--follow` those that come after.
///
/// # Errors
/// The reason why the run ends: a failure, a lost range, a signal or a deadline.
pub fn run(typed: &cli::Replay, settings: &Settings) -> Result<(), Stop> {
    watching::run(config::watching::replay(typed)?, settings)
}
