//! Renders records as text, as JSON or with a template.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use super::clock::Clock;
use super::control::ControlRecord;
use super::template::{Field, Template};
use super::{difference, json, text};
use crate::settings::{Appearance, OutputFormat, Settings};
use etcdwatch_engine::model::{Batch, Record};

/// Turns records into bytes of output.
#[derive(Clone, Debug)]
pub struct Renderer {
    format: Format,
    is_terminal: bool,
    /// The clock for the time of a record, if the format may show it.
    clock: Option<Clock>,
    /// The last rendered time, which the records of one batch share.
    time: Option<(Instant, String)>,
    /// A buffer for one line.
    line: String,
}

#[derive(Clone, Debug)]
enum Format {
    Json,
    Text {
        style: text::Style,
        /// Whether to print a diff of values.
        diff: bool,
    },
    Template(Template),
}

impl Renderer {
    /// A renderer for the settings and `look`.
    #[must_use]
    pub fn new(look: &Appearance, settings: &Settings) -> Self {
        let format = match (&look.template, settings.output) {
            (Some(template), _) => Format::Template(template.clone()),
            (None, OutputFormat::Json) => Format::Json,
            (None, OutputFormat::Text) => Format::Text {
                style: text::Style {
                    aligned: settings.stdout_is_terminal,
                    colored: settings.color,
                    values: if look.previous || look.diff {
                        text::Values::Both
                    } else {
                        text::Values::Now
                    },
                },
                diff: look.diff,
            },
        };
        Self {
            format,
            is_terminal: settings.stdout_is_terminal,
            clock: (look.timestamps || look.template.is_some()).then(|| Clock::new(look.utc)),
            time: None,
            line: String::new(),
        }
    }

    /// Whether it shows the previous value.
    #[must_use]
    pub fn shows_previous(&self) -> bool {
        match &self.format {
            Format::Json => true,
            Format::Text { style, .. } => style.values == text::Values::Both,
            Format::Template(template) => template.shows_previous(),
        }
    }

    /// Whether an event is printed as the line that etcd sent.
    #[must_use]
    pub fn is_as_sent(&self) -> bool {
        matches!(self.format, Format::Json) && !self.is_terminal && self.clock.is_none()
    }

    /// Appends a record that was received at this time.
    pub fn record(&mut self, record: &Record<'_>, received: Instant, out: &mut Vec<u8>) {
        self.note_time(received);
        let time = self.time.as_ref().map(|(_, time)| time.as_str());
        match &self.format {
            Format::Json => json::stamped(record, time, self.is_terminal, out),
            Format::Text { style, diff } => {
                let difference = diff
                    .then(|| difference::render(record.previous(), record.value()))
                    .flatten();
                let mut style = *style;
                if difference.is_some() {
                    // The diff below has the values.
                    style.values = text::Values::Neither;
                }
                self.line.clear();
                text::time(time, style, &mut self.line);
                text::record(record, style, &mut self.line);
                out.extend_from_slice(self.line.as_bytes());
                out.extend(difference.into_iter().flat_map(String::into_bytes));
            }
            Format::Template(template) => {
                let field = |field| match field {
                    Field::Index => record.index().to_string().into_bytes().into(),
                    Field::Action => record.action_name().into(),
                    Field::Key => record.key().into(),
                    Field::Value => record.value().unwrap_or_default().into(),
                    Field::Previous => record.previous().unwrap_or_default().into(),
                    Field::Time => time.unwrap_or_default().as_bytes().into(),
                };
                template.render(field, self.is_terminal, out);
            }
        }
    }

    /// Appends a control record.
    pub fn control(&mut self, record: &ControlRecord<'_>, received: Instant, out: &mut Vec<u8>) {
        self.note_time(received);
        let time = self.time.as_ref().map(|(_, time)| time.as_str());
        match &self.format {
            Format::Json => {
                let record = json::control(record, time).to_string();
                json::push_line(record.as_bytes(), self.is_terminal, out);
            }
            Format::Text { style, .. } => {
                self.line.clear();
                text::time(time, *style, &mut self.line);
                text::control(record, *style, &mut self.line);
                out.extend_from_slice(self.line.as_bytes());
            }
            Format::Template(template) => {
                let field = |field| match field {
                    Field::Index => record.index().to_string().into_bytes().into(),
                    Field::Action => record.action().as_bytes().into(),
                    Field::Key => record.subject().as_bytes().into(),
                    Field::Value => record.details().join(" ").into_bytes().into(),
                    Field::Previous => Cow::default(),
                    Field::Time => time.unwrap_or_default().as_bytes().into(),
                };
                template.render(field, self.is_terminal, out);
            }
        }
    }

    /// Renders the events of a batch that was just received.
    #[must_use]
    pub fn batch(&self, batch: &Batch) -> Vec<u8> {
        let mut renderer = self.clone();
        let mut out = Vec::new();
        let now = Instant::now();
        for event in batch.iter() {
            renderer.record(&Record::Event(event), now, &mut out);
        }
        out
    }

    /// Renders the time of a record, if the format may show it.
    fn note_time(&mut self, received: Instant) {
        if let Some(clock) = &self.clock
            && self.time.as_ref().is_none_or(|(at, _)| *at != received)
        {
            self.time = Some((received, clock.render(time_of(received))));
        }
    }
}

/// Converts a moment to the time of day.
fn time_of(moment: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::super::control::Content;
    use super::*;
    use etcdwatch_engine::model::{Cause, Gap, Index};
    use etcdwatch_engine::v2;

    fn renderer(format: Format, has_time: bool) -> Renderer {
        Renderer {
            format,
            is_terminal: false,
            clock: has_time.then(|| Clock::new(true)),
            time: None,
            line: String::new(),
        }
    }

    fn gap(format: Format, has_time: bool) -> String {
        let gap = Gap {
            from: Index(3),
            to: Some(Index(7)),
            certain: false,
            cause: Cause::HistoryCleared,
            index: Index(7),
        };
        let record = ControlRecord {
            scope: "/a\tb",
            content: Content::Gap(&gap),
        };
        let mut out = Vec::new();
        renderer(format, has_time).control(&record, Instant::now(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn template(typed: &str) -> Format {
        Format::Template(typed.parse().unwrap())
    }

    #[test]
    fn a_template_escapes_the_fields_of_a_gap_once_unless_it_has_a_nul() {
        assert_eq!(
            gap(template("{index} {action} {key}: {value}{prev}"), true),
            "7 gap /a\\tb: 3-7 possible historyCleared\n"
        );
        assert_eq!(gap(template("{key}\\0"), true), "/a\tb\0");
    }

    #[test]
    fn the_time_is_first_in_text_and_last_in_json() {
        let text = Format::Text {
            style: text::Style::default(),
            diff: false,
        };
        let line = gap(text.clone(), true);
        let (time, rest) = line.split_once('\t').unwrap();
        assert!(time.ends_with('Z'), "{line}");
        assert_eq!(rest, gap(text, false));
        let json = gap(Format::Json, true);
        assert!(json.contains(r#","index":7,"receivedAt":""#), "{json}");
        assert!(json.ends_with("Z\"}\n"), "{json}");
    }

    #[test]
    fn a_time_is_appended_to_the_event_that_the_server_sent() {
        let event = r#"{"action":"set","node":{"key":"/a","value":"\u003cv\u003e","modifiedIndex":7,"createdIndex":7}}"#;
        let batch = v2::parse_events(format!("{event}\n").into_bytes()).unwrap();
        let line = String::from_utf8(renderer(Format::Json, true).batch(&batch)).unwrap();
        let fields = event.strip_suffix('}').unwrap();
        let time = line.strip_prefix(fields).unwrap();
        assert!(time.starts_with(r#","receivedAt":""#), "{line}");
        assert!(time.ends_with("Z\"}\n"), "{line}");
    }
}
