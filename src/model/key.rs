//! Keys as etcd v2 names them, and which events a watch on one of them sees.

use std::fmt;

/// A v2 key: absolute, with no empty segments. The root is `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// `.` and `..`: etcd would take them as a path and answer for another key.
    #[error("a key has no '.' or '..' segments: etcd would resolve them to another key")]
    DotSegment,
    /// Nothing at all.
    #[error("a key is not empty; the root is '/'")]
    Empty,
}

impl Key {
    /// Reads a key as typed: a missing leading `/` is added, `//` and a trailing `/` are
    /// folded.
    ///
    /// # Errors
    /// Where it is empty or has a `.` or `..` segment.
    pub fn parse(typed: &str) -> Result<Self, KeyError> {
        if typed.is_empty() {
            return Err(KeyError::Empty);
        }
        let mut key = String::with_capacity(typed.len() + 1);
        for segment in typed.split('/').filter(|segment| !segment.is_empty()) {
            if matches!(segment, "." | "..") {
                return Err(KeyError::DotSegment);
            }
            key.push('/');
            key.push_str(segment);
        }
        if key.is_empty() {
            key.push('/');
        }
        Ok(Self(key))
    }

    /// The key, with its leading `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a watch looks at: one key, or a key and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The key watched.
    pub key: Key,
    /// Whether all below it is watched too.
    pub recursive: bool,
}

impl Scope {
    /// Whether `key` is one that a state of this scope shows: the key itself, or one below it.
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        let own = self.key.as_str();
        key == own || (self.recursive && below(own.as_bytes(), key.as_bytes()).is_some())
    }

    /// Whether an event on `key` belongs to this watch; `removes_directory` says that the
    /// event deleted or expired a directory, which takes all below it along.
    ///
    /// History and live delivery differ in what they send (etcd-facts.md, fact 7): history
    /// gives hidden keys to a watcher above them, and the delete of `/foo` to a watcher of
    /// `/foobar`. This one rule is applied to both, so that they agree.
    #[must_use]
    pub fn covers(&self, key: &[u8], removes_directory: bool) -> bool {
        let own = self.key.as_str().as_bytes();
        if key == own {
            return true;
        }
        if let Some(below) = below(own, key) {
            return self.recursive && !is_hidden(below);
        }
        removes_directory && below(key, own).is_some()
    }
}

/// What of `key` lies below `ancestor`, without the separating `/`.
fn below<'k>(ancestor: &[u8], key: &'k [u8]) -> Option<&'k [u8]> {
    if ancestor == b"/" {
        return key.strip_prefix(b"/").filter(|rest| !rest.is_empty());
    }
    key.strip_prefix(ancestor)?.strip_prefix(b"/")
}

/// Whether a segment begins with `_`: such keys are hidden from watchers above them.
fn is_hidden(below: &[u8]) -> bool {
    below
        .split(|byte| *byte == b'/')
        .any(|segment| segment.starts_with(b"_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(key: &str, recursive: bool) -> Scope {
        Scope {
            key: Key::parse(key).unwrap(),
            recursive,
        }
    }

    #[test]
    fn slashes_are_added_and_folded() {
        for (typed, key) in [
            ("a", "/a"),
            ("/a//b/", "/a/b"),
            ("/", "/"),
            ("//", "/"),
            ("/ü %?#\n", "/ü %?#\n"),
        ] {
            assert_eq!(Key::parse(typed).unwrap().as_str(), key, "{typed:?}");
        }
    }

    #[test]
    fn dot_segments_and_nothing_are_refused() {
        assert_eq!(Key::parse("/a/../b"), Err(KeyError::DotSegment));
        assert_eq!(Key::parse("./a"), Err(KeyError::DotSegment));
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert!(Key::parse("/a/...").is_ok());
    }

    #[test]
    fn a_watch_on_a_key_sees_that_key_alone() {
        let watch = scope("/a", false);
        assert!(watch.covers(b"/a", false));
        assert!(!watch.covers(b"/a/b", false));
        assert!(!watch.covers(b"/ab", false));
        assert!(!watch.covers(b"/", false));
    }

    #[test]
    fn a_recursive_watch_sees_what_is_below_but_not_a_longer_name() {
        let watch = scope("/a", true);
        assert!(watch.covers(b"/a", false));
        assert!(watch.covers(b"/a/b/c", false));
        assert!(!watch.covers(b"/ab", false));
        assert!(scope("/", true).covers(b"/x", false));
    }

    #[test]
    fn hidden_keys_are_seen_only_from_inside() {
        assert!(!scope("/a", true).covers(b"/a/_h/x", false));
        assert!(!scope("/", true).covers(b"/_h", false));
        assert!(scope("/a/_h", true).covers(b"/a/_h/x", false));
        assert!(scope("/a/_h", false).covers(b"/a/_h", false));
    }

    #[test]
    fn the_removal_of_a_directory_above_is_seen_below_it() {
        assert!(scope("/a/b/c", false).covers(b"/a", true));
        assert!(scope("/a/b/c", false).covers(b"/a/b", true));
        assert!(!scope("/a/b/c", false).covers(b"/a", false));
    }

    #[test]
    fn the_removal_of_a_directory_with_a_shorter_name_is_not() {
        assert!(!scope("/foobar", true).covers(b"/foo", true));
    }
}
