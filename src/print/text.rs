//! Text: one record a line, TAB-separated.
//!
//! `index action key value`, with `--prev` a fifth field. On a terminal the same fields are
//! aligned and coloured.

use std::fmt::Write as _;

use colored::{Color, Colorize as _};
use unicode_width::UnicodeWidthStr as _;

use super::escape;
use crate::model::{Action, Event, Gap, Node};

/// Columns on a terminal: wide enough for most, so that lines rarely shift.
const INDEX_WIDTH: usize = 7;
const ACTION_WIDTH: usize = 7;
const KEY_WIDTH: usize = 24;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// In columns, for a person.
    pub aligned: bool,
    /// With colours; whether they are shown is switched in one place.
    pub colored: bool,
    /// With the previous value as a fifth field.
    pub previous: bool,
}

/// Appends an event.
pub fn event(event: &Event<'_>, style: Style, out: &mut String) {
    let mut action = String::new();
    escape::text(event.action_name(), &mut action);
    let mut key = String::new();
    node_key(&event.node(), &mut key);
    let mut value = String::new();
    escape::text(event.node().value().unwrap_or_default(), &mut value);
    let previous = style.previous.then(|| {
        let mut text = String::new();
        let node = event.previous();
        escape::text(
            node.and_then(|node| node.value()).unwrap_or_default(),
            &mut text,
        );
        text
    });
    if !style.aligned {
        if style.colored {
            let index = event.index().to_string();
            let action = action.color(color_of(event.action()));
            let _ = write!(out, "{}\t{action}\t{}\t{value}", index.dimmed(), key.bold());
        } else {
            let _ = write!(out, "{}\t{action}\t{key}\t{value}", event.index());
        }
        if let Some(previous) = previous {
            let _ = write!(out, "\t{previous}");
        }
        out.push('\n');
        return;
    }
    let _ = write!(
        out,
        "{:>INDEX_WIDTH$}  {}  ",
        event.index().to_string().dimmed(),
        pad(&action, ACTION_WIDTH).color(color_of(event.action())),
    );
    let has_more = !value.is_empty() || previous.is_some();
    if has_more {
        let _ = write!(out, "{}  {value}", pad(&key, KEY_WIDTH).bold());
    } else {
        let _ = write!(out, "{}", key.bold());
    }
    if let Some(previous) = previous.filter(|text| !text.is_empty()) {
        let _ = write!(out, "  {}", format!("(was {previous})").dimmed());
    }
    out.push('\n');
}

/// Appends a declared gap.
pub fn gap(gap: &Gap, scope: &str, style: Style, out: &mut String) {
    let mut key = String::new();
    escape::text(scope.as_bytes(), &mut key);
    let to = gap.to.map_or_else(String::new, |to| to.to_string());
    let certain = if gap.certain { "certain" } else { "possible" };
    let line = format!(
        "{}\tgap\t{key}\t{}-{to}\t{certain}\t{}",
        gap.index,
        gap.from,
        gap.cause.name()
    );
    if style.aligned {
        let line = line.replace('\t', "  ");
        let _ = writeln!(out, "{}", line.yellow().bold());
    } else {
        out.push_str(&line);
        out.push('\n');
    }
}

/// Appends a key; that of a directory ends in `/`.
fn node_key(node: &Node<'_>, out: &mut String) {
    escape::text(node.key(), out);
    if node.is_dir() && !out.ends_with('/') {
        out.push('/');
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
    use super::*;
    use crate::model::{Cause, Index};
    use crate::protocol::v2;

    fn line(json: &str, style: Style) -> String {
        let batch = v2::parse_events(format!("{json}\n").into_bytes()).unwrap();
        let mut out = String::new();
        event(&batch.event(0).unwrap(), style, &mut out);
        out
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
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
            previous: true,
            ..Style::default()
        };
        let json = r#"{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/a","value":"u","modifiedIndex":5,"createdIndex":5}}"#;
        assert_eq!(line(json, style), "7\tset\t/a\tv\tu\n");
        let json = r#"{"action":"create","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":7}}"#;
        assert_eq!(line(json, style), "7\tcreate\t/a\tv\t\n");
    }

    #[test]
    fn a_gap_is_a_line_too() {
        let mut out = String::new();
        let lost = Gap {
            from: Index(10),
            to: Some(Index(1108)),
            certain: false,
            cause: Cause::HistoryCleared,
            index: Index(1108),
        };
        gap(&lost, "/app", Style::default(), &mut out);
        assert_eq!(out, "1108\tgap\t/app\t10-1108\tpossible\thistoryCleared\n");
    }

    #[test]
    fn columns_count_cells_and_not_characters() {
        assert_eq!(pad("漢", 4), "漢  ");
    }
}
