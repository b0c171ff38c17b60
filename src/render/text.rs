//! Renders text: one record per line, with TAB-separated fields.
//!
//! `index action key value`, with `--prev` a fifth field. On a terminal the same fields are
//! aligned and coloured.

use std::fmt::Write as _;

use colored::{Color, Colorize as _};
use unicode_width::UnicodeWidthStr as _;

use super::control::ControlRecord;
use etcdwatch_engine::escape;
use etcdwatch_engine::model::{Action, Index, Record};

/// The widths of columns on a terminal, in cells. Longer fields shift the rest of the line.
const INDEX_WIDTH: usize = 7;
const ACTION_WIDTH: usize = 7;
const KEY_WIDTH: usize = 24;

/// The options for a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether fields are aligned in columns.
    pub aligned: bool,
    /// Whether fields have colours, unless they are off for the process.
    pub colored: bool,
    /// The values that are shown.
    pub values: Values,
}

/// The values of a record that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// The present value.
    #[default]
    Now,
    /// The present value, and the previous one as a fifth field.
    Both,
    /// No value, because a diff follows.
    Neither,
}

/// Appends a record.
pub fn record(record: &Record<'_>, style: Style, out: &mut String) {
    let value = record.value().filter(|_| style.values != Values::Neither);
    let previous = (style.values == Values::Both).then(|| record.previous().unwrap_or_default());
    if !style.aligned && !style.colored {
        let _ = write!(out, "{}\t", record.index());
        escape::text(record.action_name(), out);
        out.push('\t');
        key(record, out);
        for field in [Some(value.unwrap_or_default()), previous]
            .into_iter()
            .flatten()
        {
            out.push('\t');
            escape::text(field, out);
        }
        out.push('\n');
        return;
    }
    let escaped = |bytes: &[u8]| {
        let mut text = String::new();
        escape::text(bytes, &mut text);
        text
    };
    let mut name = String::new();
    key(record, &mut name);
    let fields = Columns {
        index: record.index(),
        action: &escaped(record.action_name()),
        color: color_of(record.action()),
        key: &name,
        value: &escaped(value.unwrap_or_default()),
        previous: previous.map(escaped),
    };
    fields.render(style, out);
}

/// Appends the key of a record, with a `/` if it is a directory.
fn key(record: &Record<'_>, out: &mut String) {
    let key = record.key();
    escape::text(key, out);
    if record.is_dir() && !key.ends_with(b"/") {
        out.push('/');
    }
}

/// Appends the time, which precedes the record.
pub fn time(time: Option<&str>, style: Style, out: &mut String) {
    if let Some(time) = time {
        out.push_str(time);
        out.push_str(if style.aligned { "  " } else { "\t" });
    }
}

/// Appends a control record.
pub fn control(record: &ControlRecord<'_>, style: Style, out: &mut String) {
    let details = record.details();
    let escaped = |field: &str| {
        let mut text = String::new();
        escape::text(field.as_bytes(), &mut text);
        text
    };
    let (index, action) = (record.index(), record.action());
    let mut subject = escaped(record.subject());
    if style.aligned && !details.is_empty() {
        subject = pad(&subject, KEY_WIDTH);
    }
    let details = details.iter().map(|field| escaped(field));
    let fields: Vec<String> = [subject].into_iter().chain(details).collect();
    let line = if style.aligned {
        let action = pad(action, ACTION_WIDTH);
        format!("{index:>INDEX_WIDTH$}  {action}  {}", fields.join("  "))
    } else {
        format!("{index}\t{action}\t{}", fields.join("\t"))
    };
    if style.colored {
        let _ = writeln!(out, "{}", line.yellow().bold());
    } else {
        let _ = writeln!(out, "{line}");
    }
}

/// The escaped fields of a record for a terminal.
struct Columns<'f> {
    index: Index,
    action: &'f str,
    color: Color,
    key: &'f str,
    value: &'f str,
    previous: Option<String>,
}

impl Columns<'_> {
    fn render(&self, style: Style, out: &mut String) {
        let Self {
            index,
            action,
            key,
            value,
            previous,
            ..
        } = self;
        if !style.aligned {
            let (number, action) = (index.to_string(), action.color(self.color));
            let _ = write!(
                out,
                "{}\t{action}\t{}\t{value}",
                number.dimmed(),
                key.bold()
            );
            if let Some(previous) = previous {
                let _ = write!(out, "\t{previous}");
            }
            out.push('\n');
            return;
        }
        let action = pad(action, ACTION_WIDTH).color(self.color);
        let number = index.to_string();
        let _ = write!(out, "{:>INDEX_WIDTH$}  {action}  ", number.dimmed());
        if value.is_empty() && previous.is_none() {
            let _ = write!(out, "{}", key.bold());
        } else {
            let _ = write!(out, "{}  {value}", pad(key, KEY_WIDTH).bold());
        }
        if let Some(previous) = previous.as_ref().filter(|text| !text.is_empty()) {
            let _ = write!(out, "  {}", format!("(was {previous})").dimmed());
        }
        out.push('\n');
    }
}

fn color_of(action: Action) -> Color {
    match action {
        Action::Delete | Action::Expire | Action::CompareAndDelete => Color::Red,
        Action::Create => Color::Green,
        Action::Get => Color::Blue,
        _ => Color::Cyan,
    }
}

/// Pads to a width in cells of a terminal; `format!` counts characters.
fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::super::control::Content;
    use super::*;
    use etcdwatch_engine::model::{Cause, Gap};
    use etcdwatch_engine::v2;

    fn line(json: &str, style: Style) -> String {
        let batch = v2::parse_events(format!("{json}\n").into_bytes()).unwrap();
        let mut out = String::new();
        record(&Record::Event(batch.event(0).unwrap()), style, &mut out);
        out
    }

    #[test]
    fn a_record_with_any_bytes_is_one_line() {
        let json = r#"{"action":"set","node":{"key":"/a\tb","value":"x\ny\u001b","modifiedIndex":7,"createdIndex":7}}"#;
        assert_eq!(line(json, Style::default()), "7\tset\t/a\\tb\tx\\ny\\x1b\n");
    }

    #[test]
    fn a_directory_ends_in_a_slash_and_has_an_empty_value() {
        let json = r#"{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":9,"createdIndex":3}}"#;
        assert_eq!(line(json, Style::default()), "9\tdelete\t/d/\t\n");
    }

    #[test]
    fn the_previous_value_is_a_fifth_field() {
        let style = Style {
            values: Values::Both,
            ..Style::default()
        };
        let json = r#"{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/a","value":"u","modifiedIndex":5,"createdIndex":5}}"#;
        assert_eq!(line(json, style), "7\tset\t/a\tv\tu\n");
        let json = r#"{"action":"create","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":7}}"#;
        assert_eq!(line(json, style), "7\tcreate\t/a\tv\t\n");
    }

    #[test]
    fn a_gap_is_one_line() {
        let lost = Gap {
            from: Index(10),
            to: Some(Index(1108)),
            certain: false,
            cause: Cause::HistoryCleared,
            index: Index(1108),
        };
        let line = |style| {
            let mut out = String::new();
            let content = Content::Gap(&lost);
            let scope = "/app";
            control(&ControlRecord { scope, content }, style, &mut out);
            out
        };
        let out = line(Style::default());
        assert_eq!(out, "1108\tgap\t/app\t10-1108\tpossible\thistoryCleared\n");
        let aligned = Style {
            aligned: true,
            ..Style::default()
        };
        let expected =
            "   1108  gap      /app                      10-1108  possible  historyCleared\n";
        assert_eq!(line(aligned), expected);
    }

    #[test]
    fn columns_are_aligned_by_terminal_cells() {
        assert_eq!(pad("漢", 4), "漢  ");
    }
}
