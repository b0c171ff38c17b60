//! The spinner and the bar on standard error.
//!
//! Drawn only where standard error is a terminal, and only after a moment: what is over at
//! once needs neither. While a record is written they are taken off the screen, so that both
//! can share one terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::Index;

/// What is over sooner shows nothing.
const MOMENT: Duration = Duration::from_millis(300);
/// How often it turns.
pub const TICK: Duration = Duration::from_millis(100);

/// What is shown while a run waits.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    enabled: bool,
    what: String,
    started: Instant,
    events: u64,
    index: Option<Index>,
    /// A replay's first and last index.
    range: Option<(Index, Index)>,
}

impl Progress {
    /// Nothing is shown where `enabled` is false. `what` says what is waited for.
    #[must_use]
    pub fn new(enabled: bool, what: String, now: Instant) -> Self {
        Self {
            bar: None,
            enabled,
            what,
            started: now,
            events: 0,
            index: None,
            range: None,
        }
    }

    /// When [`Progress::tick`] is due.
    #[must_use]
    pub fn next_tick(&self, now: Instant) -> Option<Instant> {
        self.enabled
            .then(|| (now + TICK).max(self.started + MOMENT))
    }

    /// Draws, if it is time for that.
    pub fn tick(&mut self, now: Instant) {
        if !self.enabled || now < self.started + MOMENT {
            return;
        }
        let message = self.render(now);
        let range = self.range;
        let position = self.index;
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(range.is_some()));
            bar
        });
        if let Some((from, to)) = range {
            bar.set_length(to.since(from));
            bar.set_position(position.unwrap_or(from).since(from));
        }
        bar.set_message(message);
        bar.tick();
    }

    /// Records were printed.
    pub fn count(&mut self, events: u64) {
        self.events += events;
    }

    /// Everything up to here is known.
    pub fn reach(&mut self, index: Index) {
        self.index = Some(index);
    }

    /// A replay runs from here to there: a bar, from the next tick on.
    pub fn set_range(&mut self, range: Option<(Index, Index)>) {
        if self.range.is_some() != range.is_some() {
            self.clear();
        }
        self.range = range;
    }

    /// Takes it off the screen while `write` runs.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes it off the screen.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn render(&self, now: Instant) -> String {
        use std::fmt::Write as _;
        let seconds = now.duration_since(self.started).as_secs();
        let elapsed = humantime::format_duration(Duration::from_secs(seconds));
        let mut line = format!("{} for {elapsed}", self.what);
        if let Some(index) = self.index {
            let plural = if self.events == 1 { "" } else { "s" };
            let _ = write!(line, ", {} event{plural}, at index {index}", self.events);
        }
        line
    }
}

fn style(has_range: bool) -> ProgressStyle {
    let template = if has_range {
        "{bar:30} {percent:>3}% {wide_msg}"
    } else {
        "{spinner} {wide_msg}"
    };
    // A template that does not parse would be a mistake of ours; the default shows as much.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_long_how_many_and_where() {
        let start = Instant::now();
        let mut progress = Progress::new(true, "watching /a".to_owned(), start);
        progress.count(1);
        progress.reach(Index(7));
        assert_eq!(
            progress.render(start + Duration::from_secs(62)),
            "watching /a for 1m 2s, 1 event, at index 7"
        );
    }

    #[test]
    fn what_is_over_at_once_shows_nothing() {
        let start = Instant::now();
        let mut progress = Progress::new(true, String::new(), start);
        progress.tick(start + MOMENT / 2);
        assert!(progress.bar.is_none());
    }

    #[test]
    fn every_template_parses() {
        for template in ["{bar:30} {percent:>3}% {wide_msg}", "{spinner} {wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
