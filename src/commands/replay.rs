//! `replay`.

use super::watching;
use crate::cli;
use crate::config;
use crate::run::inbox::Stop;
use crate::settings::Settings;

/// Prints the events of history up to the present, and with `--follow` what comes after.
///
/// # Errors
/// Where it can't go on, or events were lost.
pub fn run(typed: &cli::Replay, settings: &Settings) -> Result<(), Stop> {
    watching::run(config::watching::replay(typed)?, settings)
}
