//! The spinner and the bar on standard error.
//!
//! They are drawn only if standard error is a terminal, and only after a moment. They are erased while a record
//! is written, because both may share a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike as _};
use unicode_width::UnicodeWidthChar as _;

use super::margin::Margin;
use etcdwatch_engine::escape;
use etcdwatch_engine::model::Index;

/// A run that ends sooner shows nothing.
const DELAY: Duration = Duration::from_millis(300);
/// The time between two frames.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: &str = "{spinner} {msg}";
const BAR: &str = "{bar:30} {percent:>3}% {msg}";
/// The columns of the spinner and the bar beside the message.
const BESIDE_SPINNER: usize = 2;
const BESIDE_BAR: usize = 30 + 6;

/// The spinner or the bar of a run.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    enabled: bool,
    doing: &'static str,
    key: String,
    started: Instant,
    /// When it was last drawn.
    last: Option<Instant>,
    events: u64,
    index: Option<Index>,
    /// A replay's first and last index.
    range: Option<(Index, Index)>,
}

impl Progress {
    /// A display that shows `doing` and `key`, or nothing unless `enabled`.
    #[must_use]
    pub fn new(enabled: bool, doing: &'static str, key: &str, now: Instant) -> Self {
        Self {
            bar: None,
            enabled,
            doing,
            key: escape::message(key).replace('\n', "\\n"),
            started: now,
            last: None,
            events: 0,
            index: None,
            range: None,
        }
    }

    /// Shows nothing from now on.
    pub fn hide(&mut self) {
        self.clear();
        self.enabled = false;
    }

    /// When it is next drawn; `None` for never.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let due = self.last.map_or(self.started + DELAY, |last| last + TICK);
        self.enabled.then_some(due)
    }

    /// Draws a frame if it is due.
    pub fn tick(&mut self, now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        self.last = Some(now);
        let message = self.render(now);
        let range = self.range;
        let position = self.index;
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::term_like(Box::new(Margin));
            let bar = ProgressBar::with_draw_target(None, target);
            bar.set_style(style(range.is_some()));
            bar
        });
        if let Some((from, to)) = range {
            bar.set_length(to.since(from));
            bar.set_position(position.unwrap_or(from).since(from));
        }
        let beside = if range.is_some() {
            BESIDE_BAR
        } else {
            BESIDE_SPINNER
        };
        bar.set_message(cut(
            &message,
            usize::from(Margin.width()).saturating_sub(beside),
        ));
        bar.tick();
    }

    /// Counts printed events.
    pub fn count(&mut self, events: u64) {
        self.events += events;
    }

    /// Shows that the cursor is at `index`.
    pub fn reach(&mut self, index: Index) {
        self.index = Some(index);
    }

    /// Shows a bar for the range of a replay from the next frame on, or a spinner if it is `None`.
    pub fn set_range(&mut self, range: Option<(Index, Index)>) {
        if self.range.is_some() != range.is_some() {
            self.clear();
        }
        self.range = range;
    }

    /// Erases it while `write` runs.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Erases it.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn render(&self, now: Instant) -> String {
        use std::fmt::Write as _;
        let seconds = now.duration_since(self.started).as_secs();
        let elapsed = humantime::format_duration(Duration::from_secs(seconds));
        // The key comes last: where the line is cut, the numbers stay.
        let mut line = format!("{} for {elapsed}", self.doing);
        if let Some(index) = self.index {
            let plural = if self.events == 1 { "" } else { "s" };
            let _ = write!(line, ", {} event{plural}, at index {index}", self.events);
        }
        if !self.key.is_empty() {
            let _ = write!(line, ": {}", self.key);
        }
        line
    }
}

/// Cuts a text to a width in terminal cells.
fn cut(text: &str, cells: usize) -> String {
    let mut left = cells;
    text.chars()
        .take_while(|letter| {
            let width = letter.width().unwrap_or(0);
            let fits = width <= left;
            left = left.saturating_sub(width);
            fits
        })
        .collect()
}

fn style(has_range: bool) -> ProgressStyle {
    let template = if has_range { BAR } else { SPINNER };
    // A template that does not parse would be a mistake of ours; the default shows as much.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spinner_shows_the_time_the_events_and_the_index() {
        let start = Instant::now();
        let mut progress = Progress::new(true, "watching", "/a", start);
        progress.count(1);
        progress.reach(Index(7));
        assert_eq!(
            progress.render(start + Duration::from_secs(62)),
            "watching for 1m 2s, 1 event, at index 7: /a"
        );
    }

    #[test]
    fn a_short_run_shows_no_spinner() {
        let start = Instant::now();
        let mut progress = Progress::new(true, "watching", "/a", start);
        progress.tick(start + DELAY / 2);
        assert!(progress.bar.is_none());
    }

    #[test]
    fn a_message_is_cut_to_terminal_cells() {
        assert_eq!(cut("漢字x", 5), "漢字x");
        assert_eq!(cut("漢字x", 3), "漢");
    }

    #[test]
    fn every_template_parses() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
