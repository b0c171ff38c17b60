//! How values are read: durations, indexes, counts, sizes.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use etcdwatch_engine::model::Action;

/// `--from-index` of a replay.
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
        .try_map(|name| Action::parse(name.as_bytes()).ok_or("it is no action that is known"))
}

/// Clocks overflow beyond it.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// A duration, from the command line or the environment.
///
/// # Errors
/// Where it is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| match text.parse::<u64>() {
        Ok(_) => format!("a duration has a unit: {text}s for seconds"),
        Err(_) => "a duration is written 250ms, 30s, 5m or 1h30m".to_owned(),
    })?;
    if duration.is_zero() {
        return Err("a duration is longer than 0".to_owned());
    }
    if duration > LONGEST {
        return Err("a duration is 100 years at most".to_owned());
    }
    Ok(duration)
}

pub(super) fn seconds(text: &str) -> Result<std::num::NonZeroU64, String> {
    let refused = || {
        "a time to live is at least one second: 30, 90s, 5m (0 would delete the key at once)"
            .to_owned()
    };
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let duration = humantime::parse_duration(text).map_err(|_| refused())?;
        if duration.subsec_nanos() != 0 {
            return Err("etcd counts whole seconds".to_owned());
        }
        duration.as_secs()
    };
    // etcd adds it to the time of day in nanoseconds, which overflows in 292 years.
    if seconds > 9_000_000_000 {
        return Err("a time to live is less than 285 years".to_owned());
    }
    std::num::NonZeroU64::new(seconds).ok_or_else(refused)
}

pub(super) fn index(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("indexes begin at 1".to_owned()),
        Ok(index) => Ok(index),
        Err(_) => Err("an index is a whole number from 1".to_owned()),
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
        Ok(0) | Err(_) => Err("a count is a whole number from 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let refused = || "a size is written 65536, 512KiB, 64MiB or 1GiB".to_owned();
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
        return Err("a size is between 1 byte and 1GiB".to_owned());
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_seconds_or_a_duration_and_never_less_than_one() {
        assert_eq!(seconds("30").unwrap().get(), 30);
        assert_eq!(seconds("5m").unwrap().get(), 300);
        for bad in ["0", "-1", "0s", "500ms", "1500ms", "", "x", "99999999999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_not() {
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for bad in ["", "0", "-1", "1TiB", "2GiB", "MiB", "18446744073709551616"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
