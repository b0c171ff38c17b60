//! Keys as they are typed, and which events a watch on one of them sees.

use std::fmt;

/// A key: one of v2, absolute and with no empty segments, or one of v3, which is any text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    text: String,
    names: Names,
}

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Names {
    /// v2: a key or a directory in a tree.
    Path,
    /// v3: a key, and what has it and a `/` before it.
    Literal,
    /// v3: all keys that begin so.
    Prefix,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// `.` and `..`: etcd would take them as a path and answer for another key.
    #[error("a key has no '.' or '..' segments: etcd would resolve them to another key")]
    DotSegment,
    /// Nothing at all.
    #[error("a key is not empty; in v2 the root is '/', and in v3 --prefix '' is all keys")]
    Empty,
}

impl Key {
    /// Reads a key of v2 as typed: a missing leading `/` is added, `//` and a trailing `/` are
    /// folded. The root is `/`.
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
        Ok(Self {
            text: key,
            names: Names::Path,
        })
    }

    /// A key of v3, as it is.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn literal(typed: &str) -> Result<Self, KeyError> {
        if typed.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self {
            text: typed.to_owned(),
            names: Names::Literal,
        })
    }

    /// All keys of v3 that begin so; all there are where it is empty.
    #[must_use]
    pub fn prefix(typed: &str) -> Self {
        Self {
            text: typed.to_owned(),
            names: Names::Prefix,
        }
    }

    /// The key; one of v2 has its leading `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is one of v2, in a tree of directories.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.names == Names::Path
    }

    /// Whether it stands for all that begins with it.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.names == Names::Prefix
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
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
    /// Whether it can have one key only.
    #[must_use]
    pub fn is_one_key(&self) -> bool {
        !self.recursive && !self.key.is_prefix()
    }

    /// Whether `key` is one that a state of this scope shows: the key itself, or one below it.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        let own = self.key.as_str().as_bytes();
        match self.key.names {
            Names::Prefix => key.starts_with(own),
            Names::Path => key == own || (self.recursive && below(own, key).is_some()),
            Names::Literal => key == own || (self.recursive && begins_below(own, key)),
        }
    }

    /// Whether an event on `key` belongs to this watch; `removes_directory` says that the
    /// event deleted or expired a directory, which takes all below it along.
    ///
    /// In v2 history and live delivery differ in what they send (etcd-facts.md, fact 7): history
    /// gives hidden keys to a watcher above them, and the delete of `/foo` to a watcher of
    /// `/foobar`. This one rule is applied to both, so that they agree. In v3 nothing is hidden,
    /// and there are no directories.
    #[must_use]
    pub fn covers(&self, key: &[u8], removes_directory: bool) -> bool {
        if self.key.names != Names::Path {
            return self.holds(key);
        }
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

/// Whether a key of v3 lies below another: it begins with it and a `/`.
fn begins_below(ancestor: &[u8], key: &[u8]) -> bool {
    key.strip_prefix(ancestor)
        .is_some_and(|rest| ancestor.ends_with(b"/") || rest.starts_with(b"/"))
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
    fn a_key_of_v3_is_what_it_is_and_hides_nothing() {
        let watch = Scope {
            key: Key::literal("/app").unwrap(),
            recursive: true,
        };
        for (key, is_covered) in [
            ("/app", true),
            ("/app/", true),
            ("/app/_x//y", true),
            ("/apple", false),
            ("/app-x", false),
            ("/", false),
        ] {
            assert_eq!(watch.covers(key.as_bytes(), false), is_covered, "{key}");
        }
        let root = Scope {
            key: Key::literal("/").unwrap(),
            recursive: true,
        };
        assert!(root.covers(b"/x", false) && !root.covers(b"x", false));
        assert_eq!(Key::literal(""), Err(KeyError::Empty));
    }

    #[test]
    fn a_prefix_is_whatever_begins_so() {
        let watch = |prefix| Scope {
            key: Key::prefix(prefix),
            recursive: false,
        };
        assert!(watch("/app").covers(b"/apple", false));
        assert!(!watch("/app").covers(b"/ap", false));
        assert!(watch("").covers(b"\xff", false));
    }

    #[test]
    fn the_removal_of_a_directory_with_a_shorter_name_is_not() {
        assert!(!scope("/foobar", true).covers(b"/foo", true));
    }
}
