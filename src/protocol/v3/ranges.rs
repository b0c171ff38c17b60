//! Reads of keys, as data.
//!
//! Each range is a request of its own, and those after the first are read at its revision, so that
//! all of them are of one moment. A transaction would be one request; but an etcd from 3.5.0 to 3.5.4
//! ends in a panic where the client of a transaction that only reads goes away (upstream #14110;
//! etcd-facts.md, fact 24): a Ctrl-C would end the server.

use serde_json::Value;

use super::Reply;
use super::request::{Span, post, set};
use crate::model::{Index, Scope};
use crate::protocol::Request;

/// Ranges of keys that are read as they are at one moment, agreed upon by a majority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The fields of each request.
    fields: Vec<Value>,
    /// The next range is read only where those before have nothing.
    ends_at_first_found: bool,
}

impl Ranges {
    fn of<'s>(spans: impl IntoIterator<Item = &'s Span>) -> Self {
        Self {
            fields: spans.into_iter().map(Span::fields).collect(),
            ends_at_first_found: false,
        }
    }

    /// The same with another field in each request.
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for fields in &mut self.fields {
            set(fields, name, value.clone());
        }
        self
    }

    /// The request for the range of that `number`, where `so_far` is what those before it brought.
    /// None where nothing is left to ask for.
    #[must_use]
    pub fn request(&self, number: usize, so_far: Option<&Reply>) -> Option<Request> {
        if self.ends_at_first_found && so_far.is_some_and(|reply| !reply.pairs.is_empty()) {
            return None;
        }
        let mut fields = self.fields.get(number)?.clone();
        if let Some(reply) = so_far {
            set(&mut fields, "revision", reply.revision.to_string());
        }
        Some(post("kv/range", &fields, false))
    }
}

/// Reads one key, or where there is none, what lies below it; without values there where only
/// `names` are wanted.
#[must_use]
pub fn read_one(key: &[u8], names: bool) -> Ranges {
    let mut ranges = Ranges::of(&[Span::of(key), Span::below(key)]);
    ranges.ends_at_first_found = true;
    if names && let Some(below) = ranges.fields.last_mut() {
        set(below, "keys_only", true);
    }
    ranges
}

/// Reads all of `spans`.
#[must_use]
pub fn list(spans: &[Span]) -> Ranges {
    Ranges::of(spans)
}

/// The store's revision.
#[must_use]
pub fn revision(scope: &Scope) -> Ranges {
    let key = nameable(scope.key.as_str().as_bytes());
    Ranges::of(&[Span::of(key)]).with("count_only", true)
}

/// The state of what is watched.
#[must_use]
pub fn state(scope: &Scope) -> Ranges {
    Ranges::of(&spans(scope))
}

/// One key of what is watched, without its value, if there is any: one of each part of the scope.
#[must_use]
pub fn any(scope: &Scope) -> Ranges {
    state(scope).with("keys_only", true).with("limit", "1")
}

/// Of what is watched, the key that was written last after a revision, without its value: one of
/// each part of the scope.
#[must_use]
pub fn since(scope: &Scope, after: Index) -> Ranges {
    any(scope)
        .with("min_mod_revision", after.next().to_string())
        .with("sort_target", "MOD")
        .with("sort_order", "DESCEND")
}

/// A key as it is, or as it was at a revision. A revision that was compacted is refused.
#[must_use]
pub fn read_at(key: &[u8], at: Option<Index>) -> Ranges {
    let ranges = Ranges::of(&[Span::of(nameable(key))]);
    match at {
        Some(at) => ranges.with("revision", at.to_string()),
        None => ranges,
    }
}

/// The keys of a scope.
fn spans(scope: &Scope) -> Vec<Span> {
    let of_part = |part: &Scope| {
        let key = part.key.as_str().as_bytes();
        match (part.key.is_prefix(), part.recursive) {
            (true, _) => vec![Span::beginning_with(key)],
            // It is one of those below itself.
            (false, true) if key.ends_with(b"/") => vec![Span::below(key)],
            (false, true) => vec![Span::of(key), Span::below(key)],
            (false, false) => vec![Span::of(key)],
        }
    };
    scope.parts().iter().flat_map(of_part).collect()
}

/// A key that can be asked for: the empty one can't.
fn nameable(key: &[u8]) -> &[u8] {
    if key.is_empty() { b"\0" } else { key }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Key;
    use crate::protocol::Body;
    use crate::protocol::v3::Pair;

    fn asked(ranges: &Ranges, number: usize, so_far: Option<&Reply>) -> Option<Value> {
        let request = ranges.request(number, so_far)?;
        assert_eq!(request.target, "/v3/kv/range", "no read is a transaction");
        assert!(!request.writes);
        match request.body {
            Some(Body::Json(text)) => Some(serde_json::from_slice(&text).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn at(revision: u64, pairs: usize) -> Reply {
        Reply {
            revision: Index(revision),
            pairs: vec![Pair::default(); pairs],
            ..Reply::default()
        }
    }

    #[test]
    fn what_lies_below_a_key_is_read_at_its_revision_where_the_key_is_not_there() {
        let ranges = read_one(b"/a", true);
        assert_eq!(asked(&ranges, 0, None), Some(json!({"key": "L2E="})));
        let below = json!({
            "key": "L2Ev", "range_end": "L2Ew", "keys_only": true, "revision": "7",
        });
        assert_eq!(asked(&ranges, 1, Some(&at(7, 0))), Some(below));
        assert_eq!(asked(&ranges, 2, Some(&at(7, 0))), None);
        assert_eq!(asked(&ranges, 1, Some(&at(7, 1))), None);
    }

    #[test]
    fn every_part_of_a_scope_is_read_at_the_revision_of_the_first() {
        let scope = Scope::new(Key::literal("/a").unwrap(), true);
        for ranges in [state(&scope), any(&scope), since(&scope, Index(4))] {
            let first = asked(&ranges, 0, None).unwrap();
            assert_eq!(
                (&first["key"], &first["revision"]),
                (&json!("L2E="), &Value::Null)
            );
            // What was found does not end it.
            let second = asked(&ranges, 1, Some(&at(9, 1))).unwrap();
            assert_eq!(
                (&second["key"], &second["revision"]),
                (&json!("L2Ev"), &json!("9"))
            );
            assert_eq!(second["min_mod_revision"], first["min_mod_revision"]);
            assert_eq!(asked(&ranges, 2, Some(&at(9, 2))), None);
        }
    }
}
