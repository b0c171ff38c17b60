//! The command `watch`.

use super::watching;
use crate::cli;
use crate::config;
use crate::run::stop::Stop;
use crate::settings::Settings;

/// Prints one event, or with `--stream` every event until stopped.
///
/// # Errors
/// The reason why the run ends: a failure, a lost range, a signal or a deadline.
pub fn run(typed: &cli::Watch, settings: &Settings) -> Result<(), Stop> {
    watching::run(config::watching::watch(typed)?, settings)
}
