//! Reads of keys, as data.
//!
//! Each range is a request of its own. A transaction could read all of them in one request, but etcd
//! from 3.5.0 to 3.5.6 panics if the client of a read-only transaction disconnects (upstream #14110 and
//! #14891; etcd-facts.md, fact 24), so a Ctrl-C could end the server.

use serde_json::Value;

use super::request::{KeyRange, post, set};
use super::{KvReply, Pair};
use crate::model::{Index, Scope};
use crate::protocol::Request;

/// Ranges of keys to read with a majority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    spans: Vec<KeyRange>,
    /// The JSON fields of the request for each span.
    fields: Vec<Value>,
    moment: Moment,
    /// A range is read only if the ranges before have no keys.
    ends_at_first_found: bool,
}

/// The revision at which ranges are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// All ranges at the revision of the first reply.
    OfTheFirst,
    /// Each range at its own revision.
    Each,
}

impl Ranges {
    fn of(spans: Vec<KeyRange>, moment: Moment) -> Self {
        Self {
            fields: spans.iter().map(KeyRange::fields).collect(),
            spans,
            moment,
            ends_at_first_found: false,
        }
    }

    /// The same ranges with another field in each request.
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for fields in &mut self.fields {
            set(fields, name, value.clone());
        }
        self
    }

    /// The number of ranges.
    #[must_use]
    pub fn count(&self) -> usize {
        self.fields.len()
    }

    /// Whether all ranges are read at the revision of the first reply.
    #[must_use]
    pub fn are_of_one_moment(&self) -> bool {
        self.moment == Moment::OfTheFirst
    }

    /// The request for range `number`, given the replies so far. `None` if no request is left.
    #[must_use]
    pub fn request(&self, number: usize, so_far: Option<&KvReply>) -> Option<Request> {
        if self.ends_at_first_found && so_far.is_some_and(|reply| !reply.pairs.is_empty()) {
            return None;
        }
        let mut fields = self.fields.get(number)?.clone();
        if let Some(reply) = so_far.filter(|_| self.are_of_one_moment()) {
            set(&mut fields, "revision", reply.revision.to_string());
        }
        Some(post("kv/range", &fields, false))
    }

    /// The request for one range that covers all of these, and more.
    #[must_use]
    pub fn covering(&self) -> Option<Request> {
        let span = KeyRange::covering(&self.spans)?;
        Some(post("kv/range", &span.fields(), false))
    }

    /// The pairs of these ranges among `pairs`, which are those of [`Ranges::covering`].
    #[must_use]
    pub fn pick(&self, pairs: &[Pair]) -> Vec<Pair> {
        let mut picked = Vec::new();
        for span in &self.spans {
            if self.ends_at_first_found && !picked.is_empty() {
                break;
            }
            let inside = pairs.iter().filter(|pair| span.contains(&pair.key));
            picked.extend(inside.cloned());
        }
        picked
    }
}

/// Reads one key or, if it does not exist, the keys below it; those without values if `names` is set.
#[must_use]
pub fn read_one(key: &[u8], names: bool) -> Ranges {
    let spans = vec![KeyRange::of(key), KeyRange::below(key)];
    let mut ranges = Ranges::of(spans, Moment::OfTheFirst);
    ranges.ends_at_first_found = true;
    if names && let Some(below) = ranges.fields.last_mut() {
        set(below, "keys_only", true);
    }
    ranges
}

/// Reads all of `spans`.
#[must_use]
pub fn list(spans: Vec<KeyRange>) -> Ranges {
    Ranges::of(spans, Moment::OfTheFirst)
}

/// The store's revision.
#[must_use]
pub fn revision(scope: &Scope) -> Ranges {
    let key = nameable(scope.key.as_str().as_bytes());
    list(vec![KeyRange::of(key)]).with("count_only", true)
}

/// The state of a scope.
#[must_use]
pub fn state(scope: &Scope) -> Ranges {
    list(spans(scope))
}

/// One key of each part of the scope, if there is any, without its value.
fn one_of_each(scope: &Scope) -> Ranges {
    Ranges::of(spans(scope), Moment::Each)
        .with("keys_only", true)
        .with("limit", "1")
}

/// One key of the scope, if there is any, without its value.
#[must_use]
pub fn any(scope: &Scope) -> Ranges {
    Ranges {
        ends_at_first_found: true,
        ..one_of_each(scope)
    }
}

/// The key of the scope that was written last after a revision, without its value; one for each part of
/// the scope.
#[must_use]
pub fn since(scope: &Scope, after: Index) -> Ranges {
    one_of_each(scope)
        .with("min_mod_revision", after.next().to_string())
        .with("sort_target", "MOD")
        .with("sort_order", "DESCEND")
}

/// A key at present, or at a revision. etcd refuses a revision that is compacted.
#[must_use]
pub fn read_at(key: &[u8], at: Option<Index>) -> Ranges {
    let ranges = list(vec![KeyRange::of(nameable(key))]);
    match at {
        Some(at) => ranges.with("revision", at.to_string()),
        None => ranges,
    }
}

/// The spans of a scope.
fn spans(scope: &Scope) -> Vec<KeyRange> {
    let of_part = |part: &Scope| {
        let key = part.key.as_str().as_bytes();
        match (part.key.is_prefix(), part.recursive) {
            (true, _) => vec![KeyRange::beginning_with(key)],
            // The span below the key includes the key.
            (false, true) if key.ends_with(b"/") => vec![KeyRange::below(key)],
            (false, true) => vec![KeyRange::of(key), KeyRange::below(key)],
            (false, false) => vec![KeyRange::of(key)],
        }
    };
    scope.parts().iter().flat_map(of_part).collect()
}

/// A key as a request can have it, which is not empty.
fn nameable(key: &[u8]) -> &[u8] {
    if key.is_empty() { b"\0" } else { key }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Key;
    use crate::protocol::Body;
    use crate::v3::Pair;

    fn asked(ranges: &Ranges, number: usize, so_far: Option<&KvReply>) -> Option<Value> {
        let request = ranges.request(number, so_far)?;
        assert_eq!(request.target, "/v3/kv/range", "no read is a transaction");
        assert!(!request.writes);
        match request.body {
            Some(Body::Json(text)) => Some(serde_json::from_slice(&text).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn at(revision: u64, pairs: usize) -> KvReply {
        KvReply {
            revision: Index(revision),
            pairs: vec![Pair::default(); pairs],
            ..KvReply::default()
        }
    }

    #[test]
    fn keys_below_a_missing_key_are_read_at_the_same_revision() {
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
    fn the_state_of_every_part_of_a_scope_is_that_of_the_first_revision() {
        let scope = Scope::new(Key::literal("/a").unwrap(), true);
        let ranges = state(&scope);
        assert_eq!(asked(&ranges, 0, None), Some(json!({"key": "L2E="})));
        // What was found does not end it.
        let below = json!({"key": "L2Ev", "range_end": "L2Ew", "revision": "9"});
        assert_eq!(asked(&ranges, 1, Some(&at(9, 1))), Some(below));
        assert_eq!(asked(&ranges, 2, Some(&at(9, 2))), None);
    }

    /// A look needs no history, which may be compacted meanwhile.
    #[test]
    fn the_last_write_is_read_at_the_present_revision() {
        let scope = Scope::new(Key::literal("/a").unwrap(), true);
        let ranges = since(&scope, Index(4));
        for (number, so_far) in [(0, None), (1, Some(at(9, 1)))] {
            let asked = asked(&ranges, number, so_far.as_ref()).unwrap();
            assert_eq!(
                (&asked["revision"], &asked["min_mod_revision"]),
                (&Value::Null, &json!("5"))
            );
        }
        let ranges = any(&scope);
        assert!(ranges.request(1, Some(&at(9, 0))).is_some());
        assert_eq!(ranges.request(1, Some(&at(9, 1))), None);
    }

    #[test]
    fn the_range_that_covers_others_is_read_for_what_they_have() {
        let spans = vec![
            KeyRange::below(b"/k"),
            KeyRange::of(b"/a"),
            KeyRange::beginning_with(b"/x"),
        ];
        let ranges = list(spans);
        let request = ranges.covering().unwrap();
        let Some(Body::Json(text)) = request.body else {
            panic!("{request:?}");
        };
        let fields: Value = serde_json::from_slice(&text).unwrap();
        // From "/a" to "/y".
        assert_eq!(fields, json!({"key": "L2E=", "range_end": "L3k="}));
        let pair = |key: &[u8]| Pair {
            key: key.to_vec(),
            ..Pair::default()
        };
        let keys: [&[u8]; 6] = [b"/a", b"/a\0", b"/k", b"/k/1", b"/k0", b"/xyz"];
        let picked = ranges.pick(&keys.map(pair));
        let picked: Vec<&[u8]> = picked.iter().map(|pair| &*pair.key).collect();
        assert_eq!(picked, [&b"/k/1"[..], b"/a", b"/xyz"]);
        let all = list(vec![KeyRange::of(b"/a"), KeyRange::beginning_with(b"")]);
        assert_eq!(all.pick(&keys.map(pair)).len(), 1 + keys.len());
    }
}
