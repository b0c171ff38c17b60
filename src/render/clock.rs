//! Renders the time at which a record was received.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Renders times in the format of RFC 3339 with milliseconds.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The time zone; `None` for UTC.
    zone: Option<TimeZone>,
}

impl Clock {
    /// A clock in UTC, or in the time zone of this machine (`TZ`, otherwise `/etc/localtime`).
    #[must_use]
    pub fn new(utc: bool) -> Self {
        Self {
            zone: (!utc).then(TimeZone::system),
        }
    }

    /// Renders a time.
    #[must_use]
    pub fn render(&self, at: SystemTime) -> String {
        let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
        match &self.zone {
            None => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            Some(zone) => {
                let zoned = at.to_zoned(zone.clone());
                zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_has_milliseconds_and_a_zone() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_007);
        assert_eq!(Clock::new(true).render(at), "2023-11-14T22:13:20.007Z");
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        let clock = Clock { zone: Some(zone) };
        assert_eq!(clock.render(at), "2023-11-14T17:13:20.007-05:00");
    }
}
