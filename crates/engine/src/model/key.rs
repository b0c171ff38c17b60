//! Keys as they are typed.

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
    /// One of several in v2, which a watch above them does not see.
    #[error(
        "of several keys none has a segment that begins with '_': etcd hides it from a watch above"
    )]
    Hidden,
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

    /// The directory of v2 that all others are in.
    #[must_use]
    pub fn root() -> Self {
        Self {
            text: "/".to_owned(),
            names: Names::Path,
        }
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

    /// The longest one that lies above all of `keys`, or is one of them; none where there are none.
    #[must_use]
    pub(super) fn above<'k>(keys: impl IntoIterator<Item = &'k Self>) -> Option<Self> {
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        let mut shared = first.text.as_str();
        for key in keys {
            let letters = shared.char_indices().zip(key.text.chars());
            let end = letters
                .take_while(|((_, one), other)| one == other)
                .last()
                .map_or(0, |((place, letter), _)| place + letter.len_utf8());
            let begins = shared.get(..end).unwrap_or_default();
            let is_segment = |text: &str| {
                matches!(text.get(end..), Some(""))
                    || text.get(end..).is_some_and(|rest| rest.starts_with('/'))
            };
            shared = if !first.is_path() || (is_segment(shared) && is_segment(&key.text)) {
                begins
            } else {
                begins.rsplit_once('/').map_or("", |(above, _)| above)
            };
        }
        Some(match first.names {
            Names::Path if shared.is_empty() => Self::root(),
            Names::Path => Self {
                text: shared.to_owned(),
                names: Names::Path,
            },
            _ => Self::prefix(shared),
        })
    }

    /// Whether `key` is what it stands for.
    pub(super) fn names(&self, key: &[u8]) -> bool {
        let own = self.text.as_bytes();
        match self.names {
            Names::Prefix => key.starts_with(own),
            Names::Path | Names::Literal => key == own,
        }
    }

    /// Whether `key` lies below it.
    pub(super) fn is_above(&self, key: &[u8]) -> bool {
        let own = self.text.as_bytes();
        match self.names {
            Names::Prefix => key.starts_with(own),
            Names::Path => below(own, key).is_some(),
            Names::Literal => begins_below(own, key),
        }
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

/// Whether a key of v3 lies below another: it begins with it and a `/`.
fn begins_below(ancestor: &[u8], key: &[u8]) -> bool {
    key.strip_prefix(ancestor)
        .is_some_and(|rest| ancestor.ends_with(b"/") || rest.starts_with(b"/"))
}

/// What of `key` lies below `ancestor`, without the separating `/`.
pub(super) fn below<'k>(ancestor: &[u8], key: &'k [u8]) -> Option<&'k [u8]> {
    if ancestor == b"/" {
        return key.strip_prefix(b"/").filter(|rest| !rest.is_empty());
    }
    key.strip_prefix(ancestor)?.strip_prefix(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
