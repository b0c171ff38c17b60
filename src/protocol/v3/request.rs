//! v3 requests as data.
//!
//! Reads and writes of keys are transactions, so that a condition and what hangs on it, or a key
//! and all below it, are one request, answered at one revision.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ROOT;
use crate::model::Index;
use crate::protocol::{Body, Method, Request};

/// Keys from `start` up to and without `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    start: Vec<u8>,
    /// None where it is one key.
    end: Option<Vec<u8>>,
}

impl Span {
    /// One key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self {
            start: key.to_owned(),
            end: None,
        }
    }

    /// All below `key`: what begins with it and a `/`.
    #[must_use]
    pub fn below(key: &[u8]) -> Self {
        let mut prefix = key.to_owned();
        if !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        Self::beginning_with(&prefix)
    }

    /// All that begins with `prefix`; all there is where that is empty.
    #[must_use]
    pub fn beginning_with(prefix: &[u8]) -> Self {
        let mut end = prefix.to_owned();
        // The next prefix that is as long or shorter; a zero where there is none, which stands
        // for the end of all keys.
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                break;
            }
        }
        if end.is_empty() {
            end.push(0);
        }
        Self {
            start: match prefix {
                [] => vec![0],
                prefix => prefix.to_owned(),
            },
            end: Some(end),
        }
    }

    /// Its fields in a request.
    fn fields(&self) -> Value {
        let mut fields = json!({"key": encode(&self.start)});
        if let (Some(end), Some(fields)) = (&self.end, fields.as_object_mut()) {
            fields.insert("range_end".to_owned(), encode(end).into());
        }
        fields
    }
}

/// A condition on a write or a removal of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether the key must be there (`true`) or must not (`false`).
    pub exists: Option<bool>,
    /// The value it must have; may be empty.
    pub value: Option<Vec<u8>>,
    /// The revision it must have been changed at last.
    pub index: Option<Index>,
}

impl Condition {
    fn compares(&self, key: &[u8]) -> Vec<Value> {
        let key = encode(key);
        let mut compares = Vec::new();
        // A key that is not there was created at 0, and has no value to compare.
        let exists = self.exists.or(self.value.is_some().then_some(true));
        if let Some(exists) = exists {
            compares.push(json!({
                "key": key,
                "target": "CREATE",
                "result": if exists { "GREATER" } else { "EQUAL" },
                "create_revision": "0",
            }));
        }
        if let Some(value) = &self.value {
            compares.push(json!({
                "key": key, "target": "VALUE", "result": "EQUAL", "value": encode(value),
            }));
        }
        if let Some(index) = self.index {
            compares.push(json!({
                "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": index.to_string(),
            }));
        }
        compares
    }
}

/// Reads one key, or where there is none, what lies below it; without values where only
/// `keys` are wanted.
#[must_use]
pub fn read_one(key: &[u8], keys: bool) -> Request {
    let is_there = Condition {
        exists: Some(true),
        ..Condition::default()
    };
    let below = range(&Span::below(key), keys);
    transaction(
        &is_there.compares(key),
        &[range(&Span::of(key), false)],
        &[below],
        false,
    )
}

/// Reads all of `spans`, at one revision.
#[must_use]
pub fn list(spans: &[Span]) -> Request {
    let ranges: Vec<Value> = spans.iter().map(|span| range(span, false)).collect();
    transaction(&[], &ranges, &[], false)
}

/// Writes a key; where the condition does not hold, reads it instead.
#[must_use]
pub fn write(key: &[u8], value: &[u8], lease: Option<i64>, condition: &Condition) -> Request {
    let mut put = json!({"key": encode(key), "value": encode(value), "prev_kv": true});
    if let (Some(lease), Some(put)) = (lease, put.as_object_mut()) {
        put.insert("lease".to_owned(), lease.to_string().into());
    }
    transaction(
        &condition.compares(key),
        &[json!({"request_put": put})],
        &[range(&Span::of(key), false)],
        true,
    )
}

/// Removes all of `spans`; where the condition on `key` does not hold, reads it instead.
#[must_use]
pub fn delete(key: &[u8], spans: &[Span], condition: &Condition) -> Request {
    let deletes: Vec<Value> = spans
        .iter()
        .map(|span| {
            let mut fields = span.fields();
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("prev_kv".to_owned(), true.into());
            }
            json!({"request_delete_range": fields})
        })
        .collect();
    transaction(
        &condition.compares(key),
        &deletes,
        &[range(&Span::of(key), false)],
        true,
    )
}

/// Asks for a lease of so many seconds. One that is never used ends by itself.
#[must_use]
pub fn grant_lease(seconds: std::num::NonZeroU64) -> Request {
    post("lease/grant", &json!({"TTL": seconds.to_string()}), false)
}

/// Ends a lease.
#[must_use]
pub fn revoke_lease(lease: i64) -> Request {
    post("lease/revoke", &json!({"ID": lease.to_string()}), false)
}

fn range(span: &Span, keys: bool) -> Value {
    let mut fields = span.fields();
    if let Some(fields) = fields.as_object_mut().filter(|_| keys) {
        fields.insert("keys_only".to_owned(), true.into());
    }
    json!({"request_range": fields})
}

fn transaction(compare: &[Value], success: &[Value], failure: &[Value], writes: bool) -> Request {
    let body = json!({"compare": compare, "success": success, "failure": failure});
    post("kv/txn", &body, writes)
}

fn post(path: &str, body: &Value, writes: bool) -> Request {
    Request {
        method: Method::Post,
        target: format!("{ROOT}{path}"),
        body: Some(Body::Json(body.to_string().into_bytes())),
        writes,
    }
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Request) -> Value {
        match &request.body {
            Some(Body::Json(text)) => serde_json::from_slice(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn bounds(span: &Span) -> (&[u8], Option<&[u8]>) {
        (&span.start, span.end.as_deref())
    }

    #[test]
    fn below_a_key_is_what_has_a_slash_after_it() {
        assert_eq!(
            bounds(&Span::below(b"/app")),
            (&b"/app/"[..], Some(&b"/app0"[..]))
        );
        assert_eq!(bounds(&Span::below(b"/")), (&b"/"[..], Some(&b"0"[..])));
        assert_eq!(
            bounds(&Span::below(b"app")),
            (&b"app/"[..], Some(&b"app0"[..]))
        );
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let ends = |prefix: &[u8]| Span::beginning_with(prefix).end.unwrap();
        assert_eq!(ends(b"ab"), b"ac");
        assert_eq!(ends(b"a\xff\xff"), b"b");
        assert_eq!(ends(b"\xff"), b"\0");
        assert_eq!(
            bounds(&Span::beginning_with(b"")),
            (&b"\0"[..], Some(&b"\0"[..]))
        );
    }

    #[test]
    fn a_key_and_what_is_below_it_are_read_in_one_request() {
        let request = read_one(b"/a", true);
        assert!(!request.writes);
        assert_eq!(request.target, "/v3/kv/txn");
        let expected = json!({
            "compare": [{"key": "L2E=", "target": "CREATE", "result": "GREATER", "create_revision": "0"}],
            "success": [{"request_range": {"key": "L2E="}}],
            "failure": [{"request_range": {"key": "L2Ev", "range_end": "L2Ew", "keys_only": true}}],
        });
        assert_eq!(body(&request), expected);
    }

    #[test]
    fn an_empty_value_is_a_condition_that_a_key_which_is_not_there_does_not_meet() {
        let condition = Condition {
            value: Some(Vec::new()),
            index: Some(Index(7)),
            ..Condition::default()
        };
        let request = write(b"/a", b"\xff", Some(-5), &condition);
        assert!(request.writes);
        let body = body(&request);
        assert_eq!(
            body["compare"],
            json!([
                {"key": "L2E=", "target": "CREATE", "result": "GREATER", "create_revision": "0"},
                {"key": "L2E=", "target": "VALUE", "result": "EQUAL", "value": ""},
                {"key": "L2E=", "target": "MOD", "result": "EQUAL", "mod_revision": "7"},
            ])
        );
        let put = &body["success"][0]["request_put"];
        assert_eq!(
            put,
            &json!({"key": "L2E=", "value": "/w==", "prev_kv": true, "lease": "-5"})
        );
    }

    #[test]
    fn a_removal_of_all_below_a_key_leaves_longer_names_alone() {
        let spans = [Span::of(b"/a"), Span::below(b"/a")];
        let body = body(&delete(b"/a", &spans, &Condition::default()));
        assert_eq!(
            body["success"],
            json!([
                {"request_delete_range": {"key": "L2E=", "prev_kv": true}},
                {"request_delete_range": {"key": "L2Ev", "range_end": "L2Ew", "prev_kv": true}},
            ])
        );
    }
}
