//! When a session has to be woken though nothing comes in, and why.

use std::time::Instant;

/// Why a session wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A request may be sent again after a failure.
    Backoff,
    /// The backoff of one kind of request is over.
    Pace,
    /// Whether the reader of the output has caught up is to be checked again.
    Reader,
    /// Freshness is to be confirmed, or the watch is to be declared stale.
    Freshness,
    /// The probe may be sent again.
    Probe,
    /// The long poll on the whole store may be sent again.
    Alarm,
    /// A wait is to be half-closed, or given up after that.
    HalfClose,
    /// A question is to be asked a second time.
    SecondQuestion,
    /// A question has been registered long enough to speak for history.
    HistoryAnswers,
    /// The position of a quiet watch is to be renewed.
    Renewal,
    /// A stream has not delivered what is known to have happened.
    StreamCatchUp,
    /// A watch is not registered yet.
    Registration,
    /// A server has not said how far it compacted its history.
    Compaction,
    /// The stream is to be compared with the store's revision.
    Backlog,
    /// The end of a replay is to be proven.
    ReplayEnd,
    /// Something changed that the next step depends on.
    Now,
}

/// The earliest timer of those that are set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers {
    next: Option<(Instant, Timer)>,
}

impl Timers {
    /// Sets a timer.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        if self.next.is_none_or(|(next, _)| at < next) {
            self.next = Some((at, timer));
        }
    }

    /// The earliest timer, and when it is due.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, Timer)> {
        self.next
    }

    /// Clears all timers: a session sets anew what still counts.
    pub fn clear(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_timer_is_the_next_one() {
        let now = crate::testing::now();
        let mut timers = Timers::default();
        timers.set(Timer::Probe, now + Duration::from_secs(2));
        timers.set(Timer::Renewal, now + Duration::from_secs(1));
        timers.set(Timer::Backlog, now + Duration::from_secs(3));
        assert_eq!(timers.next().map(|(_, timer)| timer), Some(Timer::Renewal));
        timers.clear();
        assert!(timers.next().is_none());
    }
}
