//! Parsers of option values: durations, indexes, counts and sizes.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use etcdwatch_engine::model::Action;

/// The value of `--from-index` for a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest event that the server has.
    Oldest,
    /// An index.
    Index(u64),
}

pub(super) fn action() -> impl TypedValueParser<Value = Action> {
    let names = Action::KNOWN.map(|(_, name)| name);
    PossibleValuesParser::new(names)
        .try_map(|name| Action::parse(name.as_bytes()).ok_or("unknown action"))
}

/// The longest duration that is accepted. A much longer one overflows when it is added to `Instant`.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// Parses a duration from the command line or the environment.
///
/// # Errors
/// If the text is not a duration with a unit, or the duration is 0 or longer than 100 years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| match text.parse::<u64>() {
        Ok(_) => format!("a duration needs a unit, as in {text}s for seconds"),
        Err(_) => "a duration is written as 250ms, 30s, 5m or 1h30m".to_owned(),
    })?;
    if duration.is_zero() {
        return Err("a duration must be longer than 0".to_owned());
    }
    if duration > LONGEST {
        return Err("a duration must not be longer than 100 years".to_owned());
    }
    Ok(duration)
}

pub(super) fn seconds(text: &str) -> Result<std::num::NonZeroU64, String> {
    let refused = || {
        "a time to live must be at least one second, such as 30, 90s or 5m (with 0, etcd would \
         delete the key at once)"
            .to_owned()
    };
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let duration = humantime::parse_duration(text).map_err(|_| refused())?;
        if duration.subsec_nanos() != 0 {
            return Err("a time to live must be in whole seconds".to_owned());
        }
        duration.as_secs()
    };
    // etcd adds it to the time of day in nanoseconds, which overflows after 292 years.
    if seconds > 9_000_000_000 {
        return Err("a time to live must be less than 285 years".to_owned());
    }
    std::num::NonZeroU64::new(seconds).ok_or_else(refused)
}

pub(super) fn index(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("indexes begin at 1".to_owned()),
        Ok(index) => Ok(index),
        Err(_) => Err("an index must be a whole number from 1".to_owned()),
    }
}

pub(super) fn from(text: &str) -> Result<From, String> {
    if text == "oldest" {
        return Ok(From::Oldest);
    }
    index(text)
        .map(From::Index)
        .map_err(|error| format!("{error}, or 'oldest'"))
}

pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a count must be a whole number from 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let refused = || "a size is written as 65536, 512KiB, 64MiB or 1GiB".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: usize = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "K" | "k" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(refused()),
    };
    let number: usize = digits.parse().map_err(|_| refused())?;
    let size = number.checked_mul(factor).ok_or_else(refused)?;
    if size == 0 || size > 1 << 30 {
        return Err("a size must be between 1 byte and 1GiB".to_owned());
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_in_seconds_or_a_duration_and_at_least_one_second() {
        assert_eq!(seconds("30").unwrap().get(), 30);
        assert_eq!(seconds("5m").unwrap().get(), 300);
        for bad in ["0", "-1", "0s", "500ms", "1500ms", "", "x", "99999999999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_unit_of_a_size_is_optional() {
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for bad in ["", "0", "-1", "1TiB", "2GiB", "MiB", "18446744073709551616"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
