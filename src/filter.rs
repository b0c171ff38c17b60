//! Selects records: `--only`, `--match` and `--changed`.
//!
//! In scope: the patterns as they are typed, and whether a record passes. Out of scope: the count of events
//! and the cursor (`sink`), which moves past records that do not pass.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::str::FromStr;

use globset::{ErrorKind, GlobBuilder, GlobMatcher};
use regex::Regex;

use etcdwatch_engine::model::{Action, Record};

/// A pattern for keys.
///
/// `*` and `?` match within a segment, `**` matches across segments, as in ripgrep. A pattern that does not
/// begin with `/` may match from any segment on.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// For keys that are UTF-8: matches characters.
    letters: Regex,
    /// For keys that are not UTF-8: matches bytes.
    bytes: GlobMatcher,
}

impl FromStr for Pattern {
    type Err = String;

    /// Parses a pattern. The error marks the place with a caret.
    fn from_str(typed: &str) -> Result<Self, String> {
        if typed.is_empty() {
            return Err("the pattern is empty".to_owned());
        }
        let anywhere = format!("**/{typed}");
        let is_whole = typed.starts_with('/') || typed.starts_with("**");
        let glob = GlobBuilder::new(if is_whole { typed } else { &anywhere })
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| {
                let place = place_of(error.kind(), typed);
                format!("{}\n    {typed}\n    {}^", error.kind(), " ".repeat(place))
            })?;
        Ok(Self {
            letters: by_letters(glob.regex()).map_err(|error| error.to_string())?,
            bytes: glob.compile_matcher(),
        })
    }
}

impl Pattern {
    /// Whether it matches `key`.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        match std::str::from_utf8(key) {
            Ok(text) => self.letters.is_match(text),
            Err(_) => self.bytes.is_match(Path::new(OsStr::from_bytes(key))),
        }
    }

    /// Whether it matches `key`, or a key above it.
    #[must_use]
    pub fn matches_above(&self, key: &[u8]) -> bool {
        let mut ends = memchr::memchr_iter(b'/', key).chain([key.len()]);
        ends.any(|end| {
            let above = key.get(..end).unwrap_or_default();
            !above.is_empty() && self.matches(above)
        })
    }
}

/// Turns globset's regular expression, which matches bytes, into one that matches characters: there a `?`
/// matches one of the two bytes of an `é`.
fn by_letters(regex: &str) -> Result<Regex, regex::Error> {
    let mut out = String::new();
    let mut rest = regex.strip_prefix("(?-u)").unwrap_or(regex);
    while let Some(place) = rest.find('\\') {
        let (before, escapes) = rest.split_at(place);
        out.push_str(before);
        rest = escapes;
        let mut bytes = Vec::new();
        // globset escapes each byte of a character that is not ASCII.
        while let Some(byte) = rest
            .strip_prefix("\\x")
            .and_then(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok())
        {
            bytes.push(byte);
            rest = rest.get(4..).unwrap_or_default();
        }
        if bytes.is_empty() {
            // The backslash escapes an ASCII character.
            let (escape, after) = rest.split_at_checked(2).unwrap_or((rest, ""));
            out.push_str(escape);
            rest = after;
        }
        out.push_str(&regex::escape(&String::from_utf8_lossy(&bytes)));
    }
    out.push_str(rest);
    Regex::new(&out)
}

/// The place of the error in the pattern, in characters.
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

/// Decides which records are passed on.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those with one of these actions; all where this is empty.
    pub only: Vec<Action>,
    /// Only those whose key one of these matches; all where this is empty.
    pub patterns: Vec<Pattern>,
    /// Only those whose value differs from the one before.
    pub changed: bool,
}

impl Filter {
    /// Whether every record passes.
    #[must_use]
    pub fn passes_all(&self) -> bool {
        self.only.is_empty() && self.patterns.is_empty() && !self.changed
    }

    /// Whether `record` passes.
    #[must_use]
    pub fn passes(&self, record: &Record<'_>) -> bool {
        let is_wanted = || self.only.is_empty() || self.only.contains(&record.action());
        let mut patterns = self.patterns.iter();
        let mut is_named = || patterns.len() == 0 || patterns.any(|one| one.matches(record.key()));
        // A previous value that is not known may differ.
        let is_same = || record.previous().is_some() && record.previous() == record.value();
        is_wanted() && is_named() && !(self.changed && is_same())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::model::{Index, StateNode};
    use etcdwatch_engine::v2;

    fn matches(pattern: &str, key: &str) -> bool {
        Pattern::from_str(pattern).unwrap().matches(key.as_bytes())
    }

    #[test]
    fn one_star_matches_within_a_segment_and_two_match_across_segments() {
        assert!(matches("/app/*", "/app/x"));
        assert!(!matches("/app/*", "/app/x/y"));
        assert!(matches("/app/**", "/app/x/y"));
        assert!(matches("/app/**/port", "/app/a/b/port"));
        assert!(matches("/app/{a,b}/[0-9]", "/app/b/7"));
        assert!(!matches("/app", "/app/x"));
    }

    #[test]
    fn a_pattern_without_a_leading_slash_can_match_at_any_segment() {
        assert!(matches("*.conf", "/app/d/x.conf"));
        assert!(matches("port", "/app/port"));
        assert!(!matches("app", "/app/port"));
        assert!(matches("db/*", "/app/db/port"));
        assert!(!matches("b/*", "/app/db/port"));
        assert!(matches("app*", "app-x"), "a key of v3 need not have any");
        assert!(matches("app/x", "app/x"));
    }

    #[test]
    fn keys_below_a_match_match_too() {
        let locks = Pattern::from_str("/app/locks").unwrap();
        assert!(locks.matches_above(b"/app/locks/a/b") && locks.matches_above(b"/app/locks"));
        assert!(!locks.matches_above(b"/app/locksmith") && !locks.matches(b"/app/locks/a"));
    }

    #[test]
    fn wildcards_match_characters_and_not_bytes() {
        for pattern in [
            "/a/?",
            "/a/[é]",
            "/a/[à-ü]",
            "/a/é",
            "/a/{é,x}",
            "/a/[!x]",
            "/?/é",
        ] {
            assert!(matches(pattern, "/a/é"), "{pattern}");
        }
        for pattern in ["/a/??", "/a/[ab]", "/a/[!é]", "/a/e"] {
            assert!(!matches(pattern, "/a/é"), "{pattern}");
        }
        assert!(matches("/a/\\\\x41", "/a/\\x41"), "a backslash and an x");
        assert!(matches("/a/\\*.[.]", "/a/*.."), "what is escaped");
    }

    #[test]
    fn a_key_that_is_not_utf_8_is_matched_by_its_bytes() {
        let pattern = Pattern::from_str("/a/*").unwrap();
        assert!(pattern.matches(b"/a/\xff\xfe"));
    }

    #[test]
    fn an_invalid_pattern_is_an_error_with_its_position() {
        for (pattern, caret) in [
            ("/é/[a", "    /é/[a\n       ^"),
            ("a{b,c", "    a{b,c\n     ^"),
        ] {
            let error = Pattern::from_str(pattern).unwrap_err();
            assert!(error.ends_with(caret), "{error}");
        }
    }

    fn passes(filter: &Filter, json: &str) -> bool {
        let batch = v2::parse_events(format!("{json}\n").into_bytes()).unwrap();
        filter.passes(&Record::Event(batch.event(0).unwrap()))
    }

    #[test]
    fn a_rewritten_value_is_not_a_change_and_a_removed_one_is() {
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
    fn only_the_named_actions_pass_and_a_state_counts_as_get() {
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
