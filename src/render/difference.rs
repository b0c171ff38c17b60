//! `--diff`: a line-by-line diff of a value that has several lines or is JSON.

use std::time::Duration;

use colored::{Color, Colorize as _};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use etcdwatch_engine::escape;

/// The time limit for the shortest diff, after which any diff is printed. It takes quadratic time, and the
/// watch waits for it.
const TIME_LIMIT: Duration = Duration::from_millis(100);
/// The number of equal lines that are printed around a difference.
const CONTEXT: usize = 3;

/// Renders the diff of a value, indented; `None` if both values are single lines, equal, or not UTF-8.
#[must_use]
pub fn render(before: Option<&[u8]>, after: Option<&[u8]>) -> Option<String> {
    let before = std::str::from_utf8(before.unwrap_or_default()).ok()?;
    let after = std::str::from_utf8(after.unwrap_or_default()).ok()?;
    let both = [before, after];
    let is_open = |text: &&str| text.is_empty() || !text.ends_with('\n');
    let is_structured = |text: &&str| text.trim_end().contains('\n') || pretty(text).is_some();
    if !both.iter().any(is_structured) {
        return None;
    }
    // If each value is JSON or empty, they are compared field by field.
    let trees = both.map(|text| {
        if text.is_empty() {
            Some(String::new())
        } else {
            pretty(text)
        }
    });
    let [before, after] = match trees {
        [Some(before), Some(after)] => [before, after],
        // If neither value ends in a line break, that is no difference.
        _ if both.iter().all(is_open) => both.map(|text| match text {
            "" => String::new(),
            text => format!("{text}\n"),
        }),
        _ => both.map(str::to_owned),
    };
    let diff = TextDiff::configure()
        .timeout(TIME_LIMIT)
        .diff_lines(&before, &after);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        line(&hunk.header().to_string(), Some(Color::Cyan), &mut out);
        for change in hunk.iter_changes() {
            let (sign, color) = match change.tag() {
                ChangeTag::Delete => ('-', Some(Color::Red)),
                ChangeTag::Insert => ('+', Some(Color::Green)),
                ChangeTag::Equal => (' ', None),
            };
            let text = change.value();
            let shown = text.strip_suffix('\n').unwrap_or(text);
            line(&format!("{sign}{shown}"), color, &mut out);
            if change.missing_newline() && !text.is_empty() {
                line("(no newline at the end)", None, &mut out);
            }
        }
    }
    (!out.is_empty()).then_some(out)
}

/// JSON with one field per line, sorted by name; `None` unless it is an object or an array.
fn pretty(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let has_parts = value.is_object() || value.is_array();
    value.sort_all_objects();
    has_parts.then(|| format!("{value:#}\n"))
}

fn line(text: &str, color: Option<Color>, out: &mut String) {
    let mut escaped = String::new();
    escape::text(text.as_bytes(), &mut escaped);
    out.push_str("    ");
    match color {
        Some(color) => out.push_str(&escaped.color(color).to_string()),
        None => out.push_str(&escaped),
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(before: &str, after: &str) -> Option<String> {
        colored::control::set_override(false);
        render(Some(before.as_bytes()), Some(after.as_bytes()))
    }

    #[test]
    fn changed_lines_are_shown_with_context() {
        let shown = plain("a\nb\nc\n", "a\nx\nc\n").unwrap();
        assert_eq!(
            shown,
            "    @@ -1,3 +1,3 @@\n     a\n    -b\n    +x\n     c\n"
        );
    }

    #[test]
    fn json_is_compared_field_by_field() {
        let shown = plain(r#"{"a":1,"b":[2]}"#, r#"{"a":1,"b":[3]}"#).unwrap();
        assert!(shown.contains("    -    2\n    +    3\n"), "{shown}");
        assert!(shown.contains("       \"a\": 1,\n"), "{shown}");
    }

    #[test]
    fn single_lines_and_binary_values_have_no_diff() {
        assert_eq!(plain("a", "b"), None);
        assert_eq!(plain("1", "2"), None);
        assert_eq!(render(Some(b"\xff\n1"), Some(b"a\nb")), None);
        assert_eq!(plain("a\nb", "a\nb"), None);
        let (one, other) = (r#"{"a":1,"b":2}"#, r#"{ "b": 2, "a": 1 }"#);
        assert_eq!(plain(one, other), None, "the same fields");
    }

    #[test]
    fn a_new_or_removed_value_is_compared_with_an_empty_one() {
        assert!(plain("", "a\nb\n").unwrap().contains("    +b\n"));
        assert!(
            render(Some(b"{\"a\":1}"), None)
                .unwrap()
                .contains("    -  \"a\": 1\n")
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert!(
            plain("a\n\u{1b}[2J\n", "a\n\n")
                .unwrap()
                .contains("-\\x1b[2J\n")
        );
    }
}
