//! `watch`.

use super::watching;
use crate::cli;
use crate::config;
use crate::run::inbox::Stop;
use crate::settings::Settings;

/// Prints one event, or with `--stream` every event until stopped.
///
/// # Errors
/// Where it can't go on.
pub fn run(typed: &cli::Watch, settings: &Settings) -> Result<(), Stop> {
    watching::run(config::watching::watch(typed)?, settings)
}
