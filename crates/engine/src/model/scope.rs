//! Which keys a watch looks at, and which events it sees.

use super::key::{Key, KeyError, below};
use super::{Api, StateNode};

/// What a watch looks at: a key, or a key and all below it, or several of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The key that etcd is asked for; that of several keys lies above them all.
    pub key: Key,
    /// Whether etcd is asked for all below it too.
    pub recursive: bool,
    /// What of that is wanted, in order, none of which holds another; all of it where empty.
    several: Vec<Scope>,
}

impl Scope {
    /// A key, or a key and all below it.
    #[must_use]
    pub fn new(key: Key, recursive: bool) -> Self {
        Self {
            key,
            recursive,
            several: Vec::new(),
        }
    }

    /// Several of one API as one: a key that lies above them all is watched, and what is not wanted
    /// is left out. One that another one holds is had by that.
    ///
    /// # Errors
    /// Where there are none; where one of v2 can't be seen from above.
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

    /// Likewise with all below it, where it is one of v2: a directory on the way to a key comes to be
    /// with that, and nothing tells of it alone.
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

    /// Each key that is wanted, with or without all below it, in order; none holds another.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        if self.several.is_empty() {
            std::slice::from_ref(self)
        } else {
            &self.several
        }
    }

    /// Whether etcd is asked for more than what is wanted.
    #[must_use]
    pub fn is_several(&self) -> bool {
        !self.several.is_empty()
    }

    /// The keys as they are named in records.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.parts().iter().map(|part| part.key.as_str()).collect();
        names.join(" ")
    }

    /// The API that it is of.
    #[must_use]
    pub fn api(&self) -> Api {
        if self.key.is_path() { Api::V2 } else { Api::V3 }
    }

    /// Whether it can have one key only.
    #[must_use]
    pub fn is_one_key(&self) -> bool {
        !self.recursive && !self.key.is_prefix()
    }

    /// Whether `key` is one that a state of this scope shows: the key itself, or one below it.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        if self.is_several() {
            return self.several.iter().any(|scope| scope.holds(key));
        }
        self.key.names(key) || (self.recursive && self.key.is_above(key))
    }

    /// Of a state that was asked for, what is wanted, in the order of the keys.
    #[must_use]
    pub fn select(&self, mut nodes: Vec<StateNode>) -> Vec<StateNode> {
        if self.is_several() {
            nodes.retain(|node| self.holds(&node.key));
            nodes.sort_by(|one, other| one.key.cmp(&other.key));
        }
        nodes
    }

    /// Whether all that `other` holds is held by this one too.
    fn contains(&self, other: &Self) -> bool {
        let reaches = self.recursive || self.key.is_prefix();
        let wider = other.recursive || other.key.is_prefix();
        self.covers(other.key.as_str().as_bytes(), false) && (reaches || !wider)
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

/// Whether a segment begins with `_`: such keys are hidden from watchers above them.
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
    fn a_key_of_v3_is_what_it_is_and_hides_nothing() {
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
    fn a_prefix_is_whatever_begins_so() {
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
    fn of_several_keys_the_directory_above_them_is_watched_and_they_are_seen() {
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
    fn a_key_that_another_one_holds_is_no_second_one() {
        let both = [scope("/a/x", false), scope("/a", true)];
        assert_eq!(Scope::several(&both), Ok(scope("/a", true)));
        let twice = [scope("/a", false), scope("/a", false)];
        assert_eq!(Scope::several(&twice), Ok(scope("/a", false)));
        assert_eq!(several(&["/a/b", "/a/bc"], true).parts().len(), 2);
    }

    #[test]
    fn hidden_keys_are_not_seen_from_above_and_are_refused_among_several() {
        for keys in [["/a/_h", "/a/x"], ["/a", "/a/_h/x"]] {
            let scopes = keys.map(|key| scope(key, true));
            assert_eq!(Scope::several(&scopes), Err(KeyError::Hidden), "{keys:?}");
        }
        let inside = ["/_h/x", "/_h/y"].map(|key| scope(key, false));
        assert!(Scope::several(&inside).is_ok());
    }

    #[test]
    fn of_several_keys_of_v3_what_begins_as_all_of_them_is_watched() {
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
    fn the_removal_of_a_directory_with_a_shorter_name_is_not() {
        assert!(!scope("/foobar", true).covers(b"/foo", true));
    }
}
