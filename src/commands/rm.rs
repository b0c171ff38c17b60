//! `rm`.

use super::request::{self, parse_key};
use super::{condition, record};
use crate::cli;
use crate::inbox::Stop;
use crate::protocol::v2;
use crate::settings::Settings;

/// Removes a key or a directory, and prints the record.
///
/// # Errors
/// Where a condition does not hold, or the request fails.
pub fn run(typed: &cli::Rm, settings: &Settings) -> Result<(), Stop> {
    let key = parse_key(&typed.key)?;
    let typed = typed.clone();
    let look = record::Look::of(settings);
    let wanted = key.clone();
    request::run(settings, "removing", &wanted, move |client| {
        let wanted = condition::from_typed(None, typed.prev_value, typed.prev_index);
        let answer = condition::send(client, &key, &wanted, |condition| {
            v2::delete(&key, typed.recursive, typed.dir, condition)
        })?;
        record::render(answer, look)
    })
}
