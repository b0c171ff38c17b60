//! `set`.

use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;

use super::request::{self, parse_key};
use super::{condition, record};
use crate::cli;
use crate::error::Error;
use crate::inbox::Stop;
use crate::protocol::v2::{self, Write};
use crate::settings::Settings;

/// Writes a value or makes a directory, and prints the record.
///
/// # Errors
/// Where a condition does not hold, or the request fails.
pub fn run(typed: &cli::Set, settings: &Settings) -> Result<(), Stop> {
    let key = parse_key(&typed.key)?;
    let typed = typed.clone();
    let max = settings.max_event;
    let look = record::Look::of(settings);
    let wanted = key.clone();
    request::run(settings, "writing", &wanted, move |client| {
        let value = match typed.value {
            Some(value) if value == "-" => Some(read_stdin(max)?),
            other => other.map(std::ffi::OsString::into_vec),
        };
        let exists = match (typed.create, typed.update) {
            (true, _) => Some(false),
            (_, true) => Some(true),
            _ => None,
        };
        let wanted = condition::from_typed(exists, typed.prev_value, typed.prev_index);
        let answer = condition::send(client, &key, &wanted, |condition| {
            v2::write(&Write {
                key: key.clone(),
                value: value.clone(),
                ttl: typed.ttl,
                condition: condition.clone(),
                in_order: typed.in_order,
            })
        })?;
        record::render(answer, look)
    })
}

fn read_stdin(max: usize) -> Result<Vec<u8>, Error> {
    let mut value = Vec::new();
    io::stdin()
        .lock()
        .take(max as u64 + 1)
        .read_to_end(&mut value)
        .map_err(|source| Error::Input {
            what: "standard input".to_owned(),
            source,
        })?;
    if value.len() > max {
        return Err(Error::Usage(format!(
            "the value on standard input is longer than {max} bytes: raise the limit with \
             --max-event"
        )));
    }
    Ok(value)
}
