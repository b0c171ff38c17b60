//! Keys as users type them.

use std::fmt;

/// A key of v2, which is absolute and has no empty segments, or a key of v3, which is any text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    text: String,
    kind: KeyKind,
}

/// How the text of a key is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum KeyKind {
    /// A key or a directory in the tree of v2.
    Path,
    /// A key of v3. The keys below it begin with it and a `/`.
    Literal,
    /// All keys of v3 with this prefix.
    Prefix,
}

/// Why a text is not a valid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key has a `.` or `..` segment, which etcd would resolve to another key.
    #[error("a key has no '.' or '..' segments: etcd would resolve them to another key")]
    DotSegment,
    /// The key is empty.
    #[error("a key is not empty; in v2 the root is '/', and in v3 --prefix '' is all keys")]
    Empty,
    /// One of several keys is hidden from a watch above them (v2).
    #[error(
        "of several keys none has a segment that begins with '_': etcd hides it from a watch above"
    )]
    Hidden,
}

impl Key {
    /// A key of v2. A missing leading `/` is added, and empty segments are removed. The root is `/`.
    ///
    /// # Errors
    /// If it is empty or has a `.` or `..` segment.
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
            kind: KeyKind::Path,
        })
    }

    /// The root directory of v2.
    #[must_use]
    pub fn root() -> Self {
        Self {
            text: "/".to_owned(),
            kind: KeyKind::Path,
        }
    }

    /// A key of v3, taken literally.
    ///
    /// # Errors
    /// If it is empty.
    pub fn literal(typed: &str) -> Result<Self, KeyError> {
        if typed.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self {
            text: typed.to_owned(),
            kind: KeyKind::Literal,
        })
    }

    /// All keys of v3 with this prefix; all keys if it is empty.
    #[must_use]
    pub fn prefix(typed: &str) -> Self {
        Self {
            text: typed.to_owned(),
            kind: KeyKind::Prefix,
        }
    }

    /// The text of the key. A key of v2 has a leading `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is a key of v2, in a tree of directories.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.kind == KeyKind::Path
    }

    /// The longest key that is above all of `keys`, or equal to one of them. `None` if there are no keys.
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
        Some(match first.kind {
            KeyKind::Path if shared.is_empty() => Self::root(),
            KeyKind::Path => Self {
                text: shared.to_owned(),
                kind: KeyKind::Path,
            },
            _ => Self::prefix(shared),
        })
    }

    /// Whether this key names `key`: both are equal, or `key` has this prefix.
    pub(super) fn names(&self, key: &[u8]) -> bool {
        let own = self.text.as_bytes();
        match self.kind {
            KeyKind::Prefix => key.starts_with(own),
            KeyKind::Path | KeyKind::Literal => key == own,
        }
    }

    /// Whether `key` lies below this key.
    pub(super) fn is_above(&self, key: &[u8]) -> bool {
        let own = self.text.as_bytes();
        match self.kind {
            KeyKind::Prefix => key.starts_with(own),
            KeyKind::Path => below(own, key).is_some(),
            KeyKind::Literal => begins_below(own, key),
        }
    }

    /// Whether this is a prefix.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.kind == KeyKind::Prefix
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Whether `key` of v3 lies below `ancestor`: it begins with `ancestor` and a `/`.
fn begins_below(ancestor: &[u8], key: &[u8]) -> bool {
    key.strip_prefix(ancestor)
        .is_some_and(|rest| ancestor.ends_with(b"/") || rest.starts_with(b"/"))
}

/// The part of `key` below `ancestor`, without the separating `/`; `None` if it is not below.
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
    fn a_leading_slash_is_added_and_empty_segments_are_removed() {
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
    fn dot_segments_and_empty_keys_are_refused() {
        assert_eq!(Key::parse("/a/../b"), Err(KeyError::DotSegment));
        assert_eq!(Key::parse("./a"), Err(KeyError::DotSegment));
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert!(Key::parse("/a/...").is_ok());
    }
}
