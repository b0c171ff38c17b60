//! The keys of a watch, and the rule that decides which events belong to it.

use super::key::{Key, KeyError, below};
use super::{Api, StateNode};

/// The keys of a watch: a key, a key and all keys below it, or several of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The key that is requested from etcd. For several keys it is a key above them all.
    pub key: Key,
    /// Whether the keys below it are requested too.
    pub recursive: bool,
    /// The wanted parts of the request, in order, none of which contains another. Empty if all of it is
    /// wanted.
    several: Vec<Scope>,
}

impl Scope {
    /// A key, or if `recursive` is set, a key and all keys below it.
    #[must_use]
    pub fn new(key: Key, recursive: bool) -> Self {
        Self {
            key,
            recursive,
            several: Vec::new(),
        }
    }

    /// Joins several scopes of one API: a key above them all is watched, and events out of scope are left
    /// out. A scope that another one contains is dropped.
    ///
    /// # Errors
    /// If `scopes` is empty, or a key of v2 is hidden from a watch above it.
    pub fn several(scopes: &[Self]) -> Result<Self, KeyError> {
        let mut kept: Vec<Self> = Vec::new();
        for scope in scopes {
            if kept.iter().any(|other| other.contains(scope)) {
                continue;
            }
            kept.retain(|other| !scope.contains(other));
            kept.push(scope.clone());
        }
        kept.sort_by(|one, other| one.key.cmp(&other.key));
        if let [one] = kept.as_slice() {
            return Ok(one.clone());
        }
        let key = Key::above(kept.iter().map(|scope| &scope.key)).ok_or(KeyError::Empty)?;
        let own = key.as_str().as_bytes();
        let is_unseen = |scope: &Self| {
            let rest = below(own, scope.key.as_str().as_bytes());
            key.is_path() && rest.is_some_and(is_hidden)
        };
        if kept.iter().any(is_unseen) {
            return Err(KeyError::Hidden);
        }
        Ok(Self {
            recursive: key.is_path(),
            key,
            several: kept,
        })
    }

    /// This scope with all keys below it, if it is one of v2. etcd creates the directories above a key
    /// together with the key, and sends no events for them.
    #[must_use]
    pub fn with_directories(mut self) -> Self {
        if self.key.is_path() {
            self.recursive = true;
            for part in &mut self.several {
                part.recursive = true;
            }
        }
        self
    }

    /// The wanted keys, each with or without the keys below it, in order. None contains another.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        if self.several.is_empty() {
            std::slice::from_ref(self)
        } else {
            &self.several
        }
    }

    /// Whether the request to etcd covers more than the wanted keys.
    #[must_use]
    pub fn is_several(&self) -> bool {
        !self.several.is_empty()
    }

    /// The keys as records name them.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.parts().iter().map(|part| part.key.as_str()).collect();
        names.join(" ")
    }

    /// The API of the keys.
    #[must_use]
    pub fn api(&self) -> Api {
        if self.key.is_path() { Api::V2 } else { Api::V3 }
    }

    /// Whether the scope is a single key.
    #[must_use]
    pub fn is_one_key(&self) -> bool {
        !self.recursive && !self.key.is_prefix()
    }

    /// Whether a state of this scope includes `key`: the watched key, or a key below it.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        if self.is_several() {
            return self.several.iter().any(|scope| scope.holds(key));
        }
        self.key.names(key) || (self.recursive && self.key.is_above(key))
    }

    /// The wanted part of a requested state, sorted by key.
    #[must_use]
    pub fn select(&self, mut nodes: Vec<StateNode>) -> Vec<StateNode> {
        if self.is_several() {
            nodes.retain(|node| self.holds(&node.key));
            nodes.sort_by(|one, other| one.key.cmp(&other.key));
        }
        nodes
    }

    /// Whether this scope includes everything in `other`.
    fn contains(&self, other: &Self) -> bool {
        let reaches = self.recursive || self.key.is_prefix();
        let wider = other.recursive || other.key.is_prefix();
        self.covers(other.key.as_str().as_bytes(), false) && (reaches || !wider)
    }

    /// Whether an event on `key` belongs to this watch. `removes_directory` means that the event deleted
    /// or expired a directory, and all keys below it.
    ///
    /// With the v2 API, history and live delivery differ (etcd-facts.md, fact 7): history sends hidden
    /// keys to a watcher above them, and the delete of `/foo` to a watcher of `/foobar`. This rule
    /// applies to both, so that they agree. With the v3 API no key is hidden, and there are no
    /// directories.
    #[must_use]
    pub fn covers(&self, key: &[u8], removes_directory: bool) -> bool {
        if self.is_several() {
            let mut several = self.several.iter();
            return several.any(|scope| scope.covers(key, removes_directory));
        }
        if !self.key.is_path() {
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

/// Whether a segment begins with `_`. etcd hides such keys from watchers above them.
fn is_hidden(below: &[u8]) -> bool {
    let begins_segment = |at: usize| at == 0 || below.get(at - 1) == Some(&b'/');
    memchr::memchr_iter(b'_', below).any(begins_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(key: &str, recursive: bool) -> Scope {
        Scope::new(Key::parse(key).unwrap(), recursive)
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
    fn a_key_of_v3_is_literal_and_never_hidden() {
        let watch = Scope::new(Key::literal("/app").unwrap(), true);
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
        let root = Scope::new(Key::literal("/").unwrap(), true);
        assert!(root.covers(b"/x", false) && !root.covers(b"x", false));
        assert_eq!(Key::literal(""), Err(KeyError::Empty));
    }

    #[test]
    fn a_prefix_covers_every_key_that_begins_with_it() {
        let watch = |prefix| Scope::new(Key::prefix(prefix), false);
        assert!(watch("/app").covers(b"/apple", false));
        assert!(!watch("/app").covers(b"/ap", false));
        assert!(watch("").covers(b"\xff", false));
    }

    fn several(keys: &[&str], recursive: bool) -> Scope {
        let scopes: Vec<Scope> = keys.iter().map(|key| scope(key, recursive)).collect();
        Scope::several(&scopes).unwrap()
    }

    #[test]
    fn several_keys_are_watched_through_the_directory_above_them() {
        for (keys, above) in [
            (&["/a/x", "/a/y"][..], "/a"),
            (&["/a/x", "/ab"], "/"),
            (&["/a", "/a/b"], "/a"),
            (&["/a/b/c", "/a/b/d/e", "/a/b/c/f"], "/a/b"),
            (&["/ä/x", "/ã/x"], "/"),
        ] {
            let watch = several(keys, false);
            assert_eq!(watch.key.as_str(), above, "{keys:?}");
            assert!(watch.recursive && watch.is_several());
            for key in keys {
                assert!(watch.covers(key.as_bytes(), false) && watch.holds(key.as_bytes()));
            }
            assert!(!watch.covers(b"/a/other", false) && !watch.holds(b"/a/other"));
            assert!(watch.covers(b"/", true));
        }
    }

    #[test]
    fn a_scope_that_another_one_contains_is_dropped() {
        let both = [scope("/a/x", false), scope("/a", true)];
        assert_eq!(Scope::several(&both), Ok(scope("/a", true)));
        let twice = [scope("/a", false), scope("/a", false)];
        assert_eq!(Scope::several(&twice), Ok(scope("/a", false)));
        assert_eq!(several(&["/a/b", "/a/bc"], true).parts().len(), 2);
    }

    #[test]
    fn a_hidden_key_is_refused_among_several() {
        for keys in [["/a/_h", "/a/x"], ["/a", "/a/_h/x"]] {
            let scopes = keys.map(|key| scope(key, true));
            assert_eq!(Scope::several(&scopes), Err(KeyError::Hidden), "{keys:?}");
        }
        let inside = ["/_h/x", "/_h/y"].map(|key| scope(key, false));
        assert!(Scope::several(&inside).is_ok());
    }

    #[test]
    fn several_keys_of_v3_are_watched_through_their_common_prefix() {
        let of = |keys: &[&str]| {
            let literal = |key: &&str| Scope::new(Key::literal(key).unwrap(), true);
            Scope::several(&keys.iter().map(literal).collect::<Vec<_>>()).unwrap()
        };
        let watch = of(&["/app", "/apple", "/app/x"]);
        assert!(watch.key.is_prefix() && !watch.is_one_key());
        assert_eq!((watch.key.as_str(), watch.parts().len()), ("/app", 2));
        assert!(watch.covers(b"/app/y", false) && watch.covers(b"/apple", false));
        assert!(!watch.covers(b"/apply", false));
        assert_eq!(of(&["a", "b"]).key.as_str(), "");
    }

    #[test]
    fn the_removal_of_a_directory_with_a_shorter_name_is_not_seen() {
        assert!(!scope("/foobar", true).covers(b"/foo", true));
    }
}
