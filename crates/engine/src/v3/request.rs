//! Requests of the v3 API as data, except reads of keys (`ranges`).
//!
//! Writes are transactions, so that a write and its condition are one request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ROOT;
use crate::model::{Index, Scope};
use crate::protocol::{Body, Method, Precondition, Request};

/// The keys from `start` up to `end`, which is excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: Vec<u8>,
    /// `None` if the span is one key.
    end: Option<Vec<u8>>,
}

impl KeyRange {
    /// One key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self {
            start: key.to_owned(),
            end: None,
        }
    }

    /// All keys that begin with `key` and a `/`.
    #[must_use]
    pub fn below(key: &[u8]) -> Self {
        let mut prefix = key.to_owned();
        if !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        Self::beginning_with(&prefix)
    }

    /// All keys that begin with `prefix`; every key if it is empty.
    #[must_use]
    pub fn beginning_with(prefix: &[u8]) -> Self {
        let mut end = prefix.to_owned();
        // The end is the next prefix of this length or a shorter one. If there is none it is a zero
        // byte, which etcd takes as the end of all keys.
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

    /// The smallest span that contains all of `spans`; `None` if there are none.
    pub(super) fn covering(spans: &[Self]) -> Option<Self> {
        let start = spans.iter().map(|span| &span.start).min()?.clone();
        let ends = spans.iter().map(Self::end);
        // A zero byte means the end of all keys.
        let end = ends.max_by_key(|end| (*end == [0], end.clone()))?;
        Some(Self {
            start,
            end: Some(end),
        })
    }

    fn end(&self) -> Vec<u8> {
        match &self.end {
            Some(end) => end.clone(),
            None => [&self.start[..], &[0]].concat(),
        }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        let end = self.end();
        key >= &self.start[..] && (end == [0] || key < &end[..])
    }

    /// Its JSON fields.
    pub(super) fn fields(&self) -> Value {
        let mut fields = json!({"key": encode(&self.start)});
        if let Some(end) = &self.end {
            set(&mut fields, "range_end", encode(end));
        }
        fields
    }
}

/// What a transaction compares for a precondition on `key`.
fn compares(key: &[u8], condition: &Precondition) -> Vec<Value> {
    let key = encode(key);
    let mut compares = Vec::new();
    // A key that is not there was created at 0, and has no value to compare.
    let exists = condition
        .exists
        .or(condition.value.is_some().then_some(true));
    if let Some(exists) = exists {
        compares.push(json!({
            "key": key,
            "target": "CREATE",
            "result": if exists { "GREATER" } else { "EQUAL" },
            "create_revision": "0",
        }));
    }
    if let Some(value) = &condition.value {
        compares.push(json!({
            "key": key, "target": "VALUE", "result": "EQUAL", "value": encode(value),
        }));
    }
    if let Some(index) = condition.index {
        compares.push(json!({
            "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": index.to_string(),
        }));
    }
    compares
}

/// Requests a token for a user.
#[must_use]
pub fn authenticate(user: &str, password: &str) -> Request {
    let who = json!({"name": user, "password": password});
    post("auth/authenticate", &who, false)
}

/// Writes a key. If the condition does not hold, reads the key instead.
#[must_use]
pub fn write(key: &[u8], value: &[u8], lease: Option<i64>, condition: &Precondition) -> Request {
    let mut put = json!({"key": encode(key), "value": encode(value), "prev_kv": true});
    if let Some(lease) = lease {
        set(&mut put, "lease", lease.to_string());
    }
    transaction(
        &compares(key, condition),
        &[json!({"request_put": put})],
        &[json!({"request_range": KeyRange::of(key).fields()})],
    )
}

/// Removes all of `spans`. If the condition on `key` does not hold, reads the key instead.
#[must_use]
pub fn delete(key: &[u8], spans: &[KeyRange], condition: &Precondition) -> Request {
    let deletes: Vec<Value> = spans
        .iter()
        .map(|span| {
            let mut fields = span.fields();
            set(&mut fields, "prev_kv", true);
            json!({"request_delete_range": fields})
        })
        .collect();
    transaction(
        &compares(key, condition),
        &deletes,
        &[json!({"request_range": KeyRange::of(key).fields()})],
    )
}

/// Requests a lease of this many seconds. An unused lease expires by itself.
#[must_use]
pub fn grant_lease(seconds: std::num::NonZeroU64) -> Request {
    post("lease/grant", &json!({"TTL": seconds.to_string()}), false)
}

/// Revokes a lease.
#[must_use]
pub fn revoke_lease(lease: i64) -> Request {
    post("lease/revoke", &json!({"ID": lease.to_string()}), false)
}

fn transaction(compare: &[Value], success: &[Value], failure: &[Value]) -> Request {
    let body = json!({"compare": compare, "success": success, "failure": failure});
    post("kv/txn", &body, true)
}

/// The options of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a field of etcd's request, or a range"
)]
pub struct WatchOptions {
    /// The first revision; `None` is from now on.
    pub from: Option<Index>,
    /// Watch the whole store rather than the scope.
    pub whole_store: bool,
    /// Send the previous values. The server reads each of them.
    pub previous: bool,
    /// Send large messages in fragments.
    pub in_fragments: bool,
}

/// Watches a scope, or a span that contains it.
#[must_use]
pub fn watch(scope: &Scope, watch: WatchOptions) -> Request {
    let span = if watch.whole_store {
        KeyRange::beginning_with(b"")
    } else {
        watched(scope)
    };
    let mut fields = span.fields();
    if let Some(from) = watch.from {
        // 0 would mean from now on.
        set(&mut fields, "start_revision", from.0.max(1).to_string());
    }
    set(&mut fields, "progress_notify", true);
    if watch.previous {
        set(&mut fields, "prev_kv", true);
    }
    if watch.in_fragments {
        set(&mut fields, "fragment", true);
    }
    Request {
        needs_leader: true,
        ..post("watch", &json!({"create_request": fields}), false)
    }
}

/// The span of one watch that covers a scope. A key and the keys below it need one span that includes
/// the names in between, such as `/app-x`, because two watches would split transactions.
fn watched(scope: &Scope) -> KeyRange {
    let key = scope.key.as_str().as_bytes();
    match (scope.key.is_prefix(), scope.recursive) {
        (true, _) => KeyRange::beginning_with(key),
        (false, true) => KeyRange {
            start: key.to_owned(),
            end: KeyRange::below(key).end,
        },
        (false, false) => KeyRange::of(key),
    }
}

pub(super) fn set(fields: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

pub(super) fn post(path: &str, body: &Value, writes: bool) -> Request {
    Request {
        method: Method::Post,
        target: format!("{ROOT}{path}"),
        body: Some(Body::Json(body.to_string().into_bytes())),
        writes,
        needs_leader: false,
    }
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Key;

    fn body(request: &Request) -> Value {
        match &request.body {
            Some(Body::Json(text)) => serde_json::from_slice(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn bounds(span: &KeyRange) -> (&[u8], Option<&[u8]>) {
        (&span.start, span.end.as_deref())
    }

    #[test]
    fn below_a_key_is_what_has_a_slash_after_it() {
        assert_eq!(
            bounds(&KeyRange::below(b"/app")),
            (&b"/app/"[..], Some(&b"/app0"[..]))
        );
        assert_eq!(bounds(&KeyRange::below(b"/")), (&b"/"[..], Some(&b"0"[..])));
        assert_eq!(
            bounds(&KeyRange::below(b"app")),
            (&b"app/"[..], Some(&b"app0"[..]))
        );
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let ends = |prefix: &[u8]| KeyRange::beginning_with(prefix).end.unwrap();
        assert_eq!(ends(b"ab"), b"ac");
        assert_eq!(ends(b"a\xff\xff"), b"b");
        assert_eq!(ends(b"\xff"), b"\0");
        assert_eq!(
            bounds(&KeyRange::beginning_with(b"")),
            (&b"\0"[..], Some(&b"\0"[..]))
        );
    }

    #[test]
    fn an_empty_value_is_a_condition_that_a_key_which_is_not_there_does_not_meet() {
        let condition = Precondition {
            value: Some(Vec::new()),
            index: Some(Index(7)),
            ..Precondition::default()
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

    /// Whatever becomes of its condition, etcd must not take it for one that only reads: see `ranges`.
    #[test]
    fn every_transaction_has_a_write() {
        let key = b"/k";
        let condition = Precondition::default();
        for request in [
            write(key, b"v", None, &condition),
            delete(key, &[KeyRange::of(key)], &condition),
        ] {
            let body = body(&request);
            let first = &body["success"][0];
            assert!(
                first["request_range"].is_null() && first.is_object(),
                "{body}"
            );
        }
    }

    #[test]
    fn a_key_and_all_below_it_are_watched_as_one_span() {
        let scope = |key, recursive| Scope::new(key, recursive);
        let literal = Key::literal("/app").unwrap();
        let spans = [
            (scope(literal.clone(), false), (&b"/app"[..], None)),
            (scope(literal, true), (b"/app", Some(&b"/app0"[..]))),
            (scope(Key::prefix("/app"), false), (b"/app", Some(b"/apq"))),
        ];
        for (scope, expected) in spans {
            assert_eq!(bounds(&watched(&scope)), expected, "{scope:?}");
        }
    }

    #[test]
    fn a_watch_names_where_it_begins_and_asks_for_a_leader() {
        let scope = Scope::new(Key::literal("/a").unwrap(), false);
        let asked = WatchOptions {
            from: Some(Index(0)),
            whole_store: false,
            previous: true,
            in_fragments: true,
        };
        let request = watch(&scope, asked);
        assert!(request.needs_leader && !request.writes);
        assert_eq!(request.target, "/v3/watch");
        assert_eq!(
            body(&request),
            json!({"create_request": {
                "key": "L2E=", "start_revision": "1", "fragment": true,
                "progress_notify": true, "prev_kv": true,
            }})
        );
        let asked = WatchOptions {
            from: Some(Index(7)),
            whole_store: true,
            previous: false,
            in_fragments: false,
        };
        assert_eq!(
            body(&watch(&scope, asked)),
            json!({"create_request": {
                "key": "AA==", "range_end": "AA==", "start_revision": "7",
                "progress_notify": true,
            }})
        );
    }

    #[test]
    fn a_removal_of_all_below_a_key_leaves_longer_names_alone() {
        let spans = [KeyRange::of(b"/a"), KeyRange::below(b"/a")];
        let body = body(&delete(b"/a", &spans, &Precondition::default()));
        assert_eq!(
            body["success"],
            json!([
                {"request_delete_range": {"key": "L2E=", "prev_kv": true}},
                {"request_delete_range": {"key": "L2Ev", "range_end": "L2Ew", "prev_kv": true}},
            ])
        );
    }
}
