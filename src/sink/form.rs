//! How a record looks: as text, as JSON or by a template, with or without the time.

use std::time::{Instant, SystemTime};

use serde_json::Value;

use crate::cli;
use crate::render::clock::Clock;
use crate::render::template::{Field, Template};
use crate::render::{difference, json, text};
use crate::settings::{OutputFormat, Settings};
use etcdwatch_engine::model::Record;

/// How records look.
#[derive(Clone, Debug)]
pub struct Form {
    is_json: bool,
    is_terminal: bool,
    style: text::Style,
    /// What became of a value is shown line by line.
    diff: bool,
    /// When it came is shown, too.
    clock: Option<Clock>,
    template: Option<(Template, Clock)>,
    /// The line that is being made.
    line: String,
}

impl Form {
    /// What was asked for.
    #[must_use]
    pub fn new(typed: &cli::Reading, settings: &Settings) -> Self {
        Self {
            is_json: settings.output == OutputFormat::Json,
            is_terminal: settings.stdout_is_terminal,
            style: text::Style {
                aligned: settings.stdout_is_terminal,
                colored: settings.color,
                values: if typed.prev || typed.diff {
                    text::Values::Both
                } else {
                    text::Values::Now
                },
            },
            diff: typed.diff,
            clock: typed.timestamps.then(|| Clock::new(typed.utc)),
            template: typed
                .format
                .clone()
                .map(|template| (template, Clock::new(typed.utc))),
            line: String::new(),
        }
    }

    /// Whether it shows the value before.
    #[must_use]
    pub fn shows_previous(&self) -> bool {
        let in_template = |(template, _): &(Template, Clock)| template.shows_previous();
        let is_shown = self.is_json || self.style.values == text::Values::Both;
        is_shown || self.template.as_ref().is_some_and(in_template)
    }

    /// Appends a record that was received at that time.
    pub fn record(&mut self, record: &Record<'_>, received: Instant, out: &mut Vec<u8>) {
        if let Some((template, clock)) = &self.template {
            let field = |field| match field {
                Field::Index => record.index().to_string().into_bytes(),
                Field::Action => record.action_name().to_vec(),
                Field::Key => record.key().to_vec(),
                Field::Value => record.value().unwrap_or_default().to_vec(),
                Field::Previous => record.previous().unwrap_or_default().to_vec(),
                Field::Time => clock.render(time_of(received)).into_bytes(),
            };
            template.render(field, self.is_terminal, out);
            return;
        }
        if self.is_json {
            let start = out.len();
            json::record(record, self.is_terminal, out);
            self.stamp_json(start, received, out);
            return;
        }
        let difference = self
            .diff
            .then(|| difference::render(record.previous(), record.value()))
            .flatten();
        let mut style = self.style;
        if difference.is_some() {
            // The lines below tell them.
            style.values = text::Values::Neither;
        }
        self.line.clear();
        text::record(record, style, &mut self.line);
        self.push_line(&self.line, received, out);
        out.extend(difference.into_iter().flat_map(String::into_bytes));
    }

    /// Whether an event is shown as etcd sent it, in a line.
    #[must_use]
    pub fn is_as_sent(&self) -> bool {
        self.is_json && !self.is_terminal && self.clock.is_none() && self.template.is_none()
    }

    /// Appends a record of our own: `record`, or in text what `line` makes.
    pub fn own(
        &self,
        record: &Value,
        line: impl Fn(text::Style) -> String,
        received: Instant,
        out: &mut Vec<u8>,
    ) {
        if let Some((template, clock)) = &self.template {
            let line = line(text::Style::default());
            let mut fields = line.trim_end_matches('\n').splitn(4, '\t');
            let [index, action, key, value] = std::array::from_fn(|_| fields.next().unwrap_or(""));
            let field = |field| match field {
                Field::Index => index.as_bytes().to_vec(),
                Field::Action => action.as_bytes().to_vec(),
                Field::Key => key.as_bytes().to_vec(),
                Field::Value => value.replace('\t', " ").into_bytes(),
                Field::Previous => Vec::new(),
                Field::Time => clock.render(time_of(received)).into_bytes(),
            };
            template.render(field, self.is_terminal, out);
        } else if self.is_json {
            let start = out.len();
            json::push_line(record.to_string().as_bytes(), self.is_terminal, out);
            self.stamp_json(start, received, out);
        } else {
            self.push_line(&line(self.style), received, out);
        }
    }

    /// Appends a line of text, after the time.
    fn push_line(&self, line: &str, received: Instant, out: &mut Vec<u8>) {
        if let Some(clock) = &self.clock {
            out.extend_from_slice(clock.render(time_of(received)).as_bytes());
            out.extend_from_slice(if self.style.aligned { b"  " } else { b"\t" });
        }
        out.extend_from_slice(line.as_bytes());
    }

    /// Adds the time to the object that begins at `start` and ends with its line.
    fn stamp_json(&self, start: usize, received: Instant, out: &mut Vec<u8>) {
        if let Some(clock) = &self.clock
            && out.get(start..).is_some_and(|line| line.ends_with(b"}\n"))
        {
            out.truncate(out.len() - 2);
            let time = clock.render(time_of(received));
            out.extend_from_slice(format!(",\"receivedAt\":\"{time}\"}}\n").as_bytes());
        }
    }
}

/// When that was, by the clock on the wall.
fn time_of(moment: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}
