//! The condition of `--until`, and whether it holds.
//!
//! In scope: parsing a condition, and testing it on the state, which the updates of the watch keep current.
//! Out of scope: what is printed (`sink::until`).

use std::str::FromStr;

use regex::bytes::Regex;

use etcdwatch_engine::model::{Change, Index, Scope, StateNode};
use etcdwatch_engine::watch::HeldEvents;
use etcdwatch_engine::watch::mirror::Mirror;

/// A condition on one key.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The key exists, or is a directory.
    Exists,
    /// The key does not exist.
    Absent,
    /// The key has this value.
    Is(Vec<u8>),
    /// The key has another value than this one.
    IsNot(Vec<u8>),
    /// The key has a value that matches this.
    Matches(Regex),
}

impl FromStr for Condition {
    type Err = String;

    /// Parses `exists`, `absent`, `value=V`, `value!=V` or `value~REGEX`. The error for a regex marks the
    /// place.
    fn from_str(typed: &str) -> Result<Self, String> {
        let value = |rest: &str| rest.as_bytes().to_vec();
        if let Some(rest) = typed.strip_prefix("value!=") {
            Ok(Self::IsNot(value(rest)))
        } else if let Some(rest) = typed.strip_prefix("value=") {
            Ok(Self::Is(value(rest)))
        } else if let Some(rest) = typed.strip_prefix("value~") {
            Regex::new(rest)
                .map(Self::Matches)
                .map_err(|error| error.to_string())
        } else {
            match typed {
                "exists" => Ok(Self::Exists),
                "absent" => Ok(Self::Absent),
                _ => Err(
                    "a condition is exists, absent, value=V, value!=V or value~REGEX".to_owned(),
                ),
            }
        }
    }
}

impl Condition {
    /// Whether the condition is about the value of a key.
    #[must_use]
    pub fn is_of_value(&self) -> bool {
        !matches!(self, Self::Exists | Self::Absent)
    }

    fn holds(&self, mirror: &Mirror, part: &Scope) -> bool {
        match self {
            Self::Exists => mirror.first_of(part).is_some(),
            Self::Absent => mirror.first_of(part).is_none(),
            // The value of the key itself. Keys below it do not count.
            Self::Is(_) | Self::IsNot(_) | Self::Matches(_) => mirror
                .get(part.key.as_str().as_bytes())
                .and_then(|node| node.value.as_deref())
                .is_some_and(|value| self.suits(value)),
        }
    }

    fn suits(&self, value: &[u8]) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsNot(other) => value != other,
            Self::Matches(regex) => regex.is_match(value),
            Self::Exists | Self::Absent => false,
        }
    }
}

/// A condition on each of the watched keys, and their state.
#[derive(Debug)]
pub struct PendingCondition {
    condition: Condition,
    scope: Scope,
    /// The last known state; `None` before it was read.
    mirror: Option<Mirror>,
}

impl PendingCondition {
    /// Waits for `condition` on every key of `scope`.
    #[must_use]
    pub fn new(condition: Condition, scope: Scope) -> Self {
        Self {
            condition,
            scope,
            mirror: None,
        }
    }

    /// Replaces the state by the one read at `index`.
    pub fn begin(&mut self, nodes: Vec<StateNode>, index: Index) {
        self.mirror = Some(Mirror::new(self.scope.clone(), nodes, index));
    }

    /// Applies the differences between two states.
    pub fn change(&mut self, changes: &[Change]) {
        if let Some(mirror) = &mut self.mirror {
            for change in changes {
                mirror.change(change);
            }
        }
    }

    /// Applies events, all of one index.
    pub fn apply(&mut self, held: &HeldEvents) {
        if let Some(mirror) = &mut self.mirror {
            mirror.apply(held);
        }
    }

    /// Whether the condition holds for every key.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| {
            let mut parts = self.scope.parts().iter();
            parts.all(|part| self.condition.holds(mirror, part))
        })
    }

    /// A clause for each key that does not meet the condition, which says how the key is.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let Some(mirror) = &self.mirror else {
            return vec!["the state could not be read".to_owned()];
        };
        let parts = self.scope.parts().iter();
        let parts = parts.filter(|part| !self.condition.holds(mirror, part));
        let describe = |part: &Scope| {
            let key = &part.key;
            match mirror.get(key.as_str().as_bytes()).map(|node| &node.value) {
                Some(Some(value)) => {
                    format!("{key} has the value '{}'", String::from_utf8_lossy(value))
                }
                Some(None) => format!("{key} is a directory"),
                None if mirror.first_of(part).is_some() => {
                    format!("there are keys below {key}")
                }
                None => format!("{key} does not exist"),
            }
        };
        parts.map(describe).collect()
    }

    /// The records that show that the condition holds: the first node of each key that exists.
    #[must_use]
    pub fn evidence(&self) -> Vec<&StateNode> {
        let parts = self.scope.parts().iter();
        let first = |part| {
            self.mirror
                .as_ref()
                .and_then(|mirror| mirror.first_of(part))
        };
        parts.filter_map(first).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::model::Key;

    fn scope(key: &str, recursive: bool) -> Scope {
        Scope::new(Key::parse(key).unwrap(), recursive)
    }

    fn node(key: &str, value: Option<&str>) -> StateNode {
        StateNode {
            key: key.as_bytes().to_vec(),
            value: value.map(|value| value.as_bytes().to_vec()),
            dir: value.is_none(),
            ..StateNode::default()
        }
    }

    fn holds(condition: &str, scope: &Scope, nodes: &[StateNode]) -> bool {
        let condition = Condition::from_str(condition).unwrap();
        let mut wait = PendingCondition::new(condition, scope.clone());
        assert!(!wait.holds(), "nothing is known yet");
        wait.begin(nodes.to_vec(), Index(7));
        wait.holds()
    }

    #[test]
    fn conditions_on_a_value_need_a_key_with_a_value() {
        let there = [node("/a", Some("v1"))];
        let empty = [node("/a", Some(""))];
        for (condition, at_v1, at_empty, at_nothing) in [
            ("exists", true, true, false),
            ("absent", false, false, true),
            ("value=v1", true, false, false),
            ("value=", false, true, false),
            ("value!=v1", false, true, false),
            ("value!=", true, false, false),
            ("value~^v[0-9]$", true, false, false),
            ("value~", true, true, false),
            ("value=value=", false, false, false),
        ] {
            let scope = scope("/a", false);
            let found = [&there[..], &empty, &[]].map(|nodes| holds(condition, &scope, nodes));
            assert_eq!(found, [at_v1, at_empty, at_nothing], "{condition}");
        }
    }

    #[test]
    fn a_directory_exists_and_has_no_value() {
        let directory = [node("/a", None)];
        assert!(holds("exists", &scope("/a", false), &directory));
        assert!(!holds("value!=x", &scope("/a", false), &directory));
    }

    #[test]
    fn a_condition_on_several_keys_must_hold_for_each() {
        let parts = [scope("/a/x", false), scope("/a/y", false)];
        let several = Scope::several(&parts).unwrap();
        let (x, y) = (node("/a/x", Some("1")), node("/a/y", Some("2")));
        assert!(!holds("exists", &several, std::slice::from_ref(&x)));
        assert!(!holds("absent", &several, std::slice::from_ref(&x)));
        assert!(holds("exists", &several, &[x.clone(), y.clone()]));
        assert!(!holds("value=1", &several, &[x, y]));
    }

    #[test]
    fn a_longer_key_name_does_not_count() {
        let longer = [node("/ab", Some("v")), node("/a-b/c", Some("v"))];
        let key = Scope::new(Key::literal("/a").unwrap(), true);
        assert!(holds("absent", &key, &longer));
        assert!(holds(
            "exists",
            &key,
            &[node("/a-", Some("")), node("/a/b", Some("v"))]
        ));
    }

    #[test]
    fn the_value_of_a_key_below_does_not_count() {
        let below = [node("/a/b", Some("v"))];
        assert!(!holds("value=v", &scope("/a", true), &below));
    }

    #[test]
    fn each_key_that_does_not_meet_the_condition_is_described() {
        let parts = [
            scope("/a/x", false),
            scope("/a/y", false),
            scope("/a/z", false),
        ];
        let several = Scope::several(&parts).unwrap();
        let mut wait = PendingCondition::new(Condition::from_str("value=1").unwrap(), several);
        assert_eq!(wait.missing(), ["the state could not be read"]);
        let nodes = vec![node("/a/x", Some("1")), node("/a/y", Some("2"))];
        wait.begin(nodes, Index(7));
        assert_eq!(
            wait.missing(),
            ["/a/y has the value '2'", "/a/z does not exist"]
        );
    }

    #[test]
    fn an_invalid_condition_is_an_error_that_shows_where() {
        assert!(
            Condition::from_str("present")
                .unwrap_err()
                .contains("exists")
        );
        let error = Condition::from_str("value~a(b").unwrap_err();
        assert!(error.contains("a(b") && error.contains('^'), "{error}");
    }
}
