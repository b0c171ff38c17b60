//! Which records are shown: `--only`, `--match` and `--changed`.
//!
//! In scope: the patterns as they are typed, and whether a record passes. Out of scope: what counts
//! and how far the watch has come (`show`): a record that does not pass has happened all the same.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use globset::{ErrorKind, GlobBuilder, GlobMatcher};

use crate::model::{Action, Record};

/// A pattern for keys.
///
/// `*` and `?` stay within a segment, `**` does not, as in ripgrep; one without a `/` is about the
/// last segment.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: GlobMatcher,
    is_of_segment: bool,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(typed)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| {
                let place = place_of(error.kind(), typed);
                format!("{}\n    {typed}\n    {}^", error.kind(), " ".repeat(place))
            })?;
        Ok(Self {
            matcher: glob.compile_matcher(),
            is_of_segment: !typed.contains('/'),
        })
    }

    /// Whether it is about `key`.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        let text = match key.iter().rposition(|byte| *byte == b'/') {
            Some(slash) if self.is_of_segment => key.get(slash + 1..).unwrap_or_default(),
            _ => key,
        };
        self.matcher.is_match(Path::new(OsStr::from_bytes(text)))
    }
}

/// How many characters stand before what is wrong.
fn place_of(kind: &ErrorKind, typed: &str) -> usize {
    let byte = match kind {
        ErrorKind::UnclosedClass => typed.rfind('['),
        ErrorKind::InvalidRange(from, to) => typed.find(&format!("{from}-{to}")),
        ErrorKind::UnclosedAlternates | ErrorKind::NestedAlternates => typed.rfind('{'),
        ErrorKind::UnopenedAlternates => typed.find('}'),
        ErrorKind::DanglingEscape => typed.rfind('\\'),
        _ => None,
    };
    typed
        .get(..byte.unwrap_or_default())
        .map_or(0, |before| before.chars().count())
}

/// What is wanted of all records.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these actions; all where empty.
    pub only: Vec<Action>,
    /// Only keys that one of these is about; all where empty.
    pub patterns: Vec<Pattern>,
    /// Only where the value is another than the one before.
    pub changed: bool,
}

impl Filter {
    /// Whether `record` is shown.
    #[must_use]
    pub fn passes(&self, record: &Record<'_>) -> bool {
        let is_wanted = self.only.is_empty() || self.only.contains(&record.action());
        let mut patterns = self.patterns.iter();
        let is_named = patterns.len() == 0 || patterns.any(|one| one.matches(record.key()));
        // Where the value before is not known, it may be another.
        let is_same = record.previous().is_some() && record.previous() == record.value();
        is_wanted && is_named && !(self.changed && is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Index, StateNode};
    use crate::protocol::v2;

    fn matches(pattern: &str, key: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(key.as_bytes())
    }

    #[test]
    fn a_star_stays_in_its_segment_and_two_do_not() {
        assert!(matches("/app/*", "/app/x"));
        assert!(!matches("/app/*", "/app/x/y"));
        assert!(matches("/app/**", "/app/x/y"));
        assert!(matches("/app/**/port", "/app/a/b/port"));
        assert!(matches("/app/{a,b}/[0-9]", "/app/b/7"));
        assert!(!matches("/app", "/app/x"));
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_the_last_segment() {
        assert!(matches("*.conf", "/app/d/x.conf"));
        assert!(matches("port", "/app/port"));
        assert!(!matches("app", "/app/port"));
        assert!(matches("app*", "app-x"), "a key of v3 need not have any");
    }

    #[test]
    fn a_key_that_is_not_utf_8_is_matched_by_its_bytes() {
        let pattern = Pattern::parse("/a/*").unwrap();
        assert!(pattern.matches(b"/a/\xff\xfe"));
    }

    #[test]
    fn what_is_no_pattern_is_told_with_its_place() {
        for (pattern, caret) in [
            ("/é/[a", "    /é/[a\n       ^"),
            ("a{b,c", "    a{b,c\n     ^"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.ends_with(caret), "{error}");
        }
    }

    fn passes(filter: &Filter, json: &str) -> bool {
        let batch = v2::parse_events(format!("{json}\n").into_bytes()).unwrap();
        filter.passes(&Record::Event(batch.event(0).unwrap()))
    }

    #[test]
    fn a_value_that_is_written_again_is_no_change_and_one_that_goes_is() {
        let changed = Filter {
            changed: true,
            ..Filter::default()
        };
        let again = r#"{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/a","value":"v","modifiedIndex":5,"createdIndex":5}}"#;
        assert!(!passes(&changed, again));
        assert!(passes(&Filter::default(), again));
        let new =
            r#"{"action":"set","node":{"key":"/a","value":"","modifiedIndex":7,"createdIndex":7}}"#;
        assert!(passes(&changed, new));
        let gone = r#"{"action":"delete","node":{"key":"/a","modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/a","value":"v","modifiedIndex":5,"createdIndex":5}}"#;
        assert!(passes(&changed, gone));
    }

    #[test]
    fn only_the_named_actions_pass_and_a_state_is_a_get() {
        let only = Filter {
            only: vec![Action::Delete],
            ..Filter::default()
        };
        let gone = r#"{"action":"delete","node":{"key":"/a","modifiedIndex":7,"createdIndex":5}}"#;
        assert!(passes(&only, gone));
        let node = StateNode::default();
        let record = Record::State(Index(7), &node);
        assert!(!only.passes(&record));
        assert!(
            Filter {
                only: vec![Action::Get],
                ..only
            }
            .passes(&record)
        );
    }
}
