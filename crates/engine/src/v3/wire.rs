//! The JSON of v3 replies, and its parsing.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Visitor};

use super::cluster_name;
use crate::model::{Action, Batch, EventSpans, Index, NodeSpans, Span, StateNode, Tree};
use crate::protocol::Malformed;

/// Parses the reply to a transaction or a range.
///
/// # Errors
/// If it is not such a reply.
pub fn parse_reply(body: &[u8]) -> Result<KvReply, Malformed> {
    let wire: WireReply = shape(body)?;
    let mut reply = KvReply {
        revision: Index(wire.header.revision),
        cluster: cluster_name(wire.header.cluster_id),
        pairs: wire.pairs,
        succeeded: wire.succeeded,
        ..KvReply::default()
    };
    for response in wire.responses {
        reply.pairs.extend(response.range.unwrap_or_default().pairs);
        reply.previous = response.put.unwrap_or_default().previous.or(reply.previous);
        reply
            .removed
            .extend(response.delete.unwrap_or_default().previous);
    }
    Ok(reply)
}

/// Parses the reply to a request for a lease, and returns its ID.
///
/// # Errors
/// If it is not such a reply.
pub fn parse_lease(body: &[u8]) -> Result<i64, Malformed> {
    #[derive(serde::Deserialize)]
    struct Lease {
        #[serde(rename = "ID", deserialize_with = "number")]
        id: i64,
    }
    shape::<Lease>(body).map(|lease| lease.id)
}

/// Parses the reply to [`super::authenticate`], and returns the token.
///
/// # Errors
/// If it is not such a reply.
pub fn parse_token(body: &[u8]) -> Result<String, Malformed> {
    #[derive(serde::Deserialize)]
    struct Authenticated {
        token: String,
    }
    let Authenticated { token } = shape(body)?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        // It must fit into a header.
        return Err(Malformed::Shape("a token that can't be sent".to_owned()));
    }
    Ok(token)
}

pub(super) fn shape<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed::shape(body, error))
}

/// The reply to a transaction or a range.
#[derive(Clone, Debug, Default)]
pub struct KvReply {
    /// The ID of the cluster.
    pub cluster: String,
    /// The store's revision; after a write, that of the write.
    pub revision: Index,
    /// Whether the condition held.
    pub succeeded: bool,
    /// The pairs that were read, in the order of the requests and then of the keys.
    pub pairs: Vec<Pair>,
    /// The previous pair of the key that was written.
    pub previous: Option<Pair>,
    /// The pairs that were removed.
    pub removed: Vec<Pair>,
}

impl KvReply {
    /// The event of the write of `value` to `key`.
    #[must_use]
    pub fn written(&self, key: &[u8], value: &[u8], lease: Option<i64>) -> Batch {
        let previous = self.previous.as_ref();
        let now = Pair {
            key: key.to_owned(),
            value: value.to_owned(),
            created: previous.map_or(self.revision.0, |previous| previous.created),
            modified: self.revision.0,
            version: previous
                .map_or(0, |previous| previous.version)
                .saturating_add(1),
            lease: lease.unwrap_or_default(),
        };
        let mut events = Events::default();
        events.push(Action::Set, &now, previous);
        events.into_batch()
    }

    /// The events of the removal, one for each key.
    #[must_use]
    pub fn deleted(&self) -> Batch {
        let mut events = Events::default();
        for previous in &self.removed {
            let gone = Pair {
                key: previous.key.clone(),
                created: previous.created,
                modified: self.revision.0,
                ..Pair::default()
            };
            events.push(Action::Delete, &gone, Some(previous));
        }
        events.into_batch()
    }
}

/// A key with its value at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Pair {
    /// The key, any bytes.
    #[serde(deserialize_with = "bytes")]
    pub key: Vec<u8>,
    /// The value, any bytes.
    #[serde(default, deserialize_with = "bytes")]
    pub value: Vec<u8>,
    /// The revision of its creation.
    #[serde(default, rename = "create_revision", deserialize_with = "number")]
    pub created: u64,
    /// The revision of its last change. It is required, so that a few bytes of a reply can't become a
    /// pair of many.
    #[serde(rename = "mod_revision", deserialize_with = "number")]
    pub modified: u64,
    /// The number of writes since its creation.
    #[serde(default, deserialize_with = "number")]
    pub version: u64,
    /// The ID of its lease; 0 is none.
    #[serde(default, deserialize_with = "number")]
    pub lease: i64,
}

impl From<Pair> for StateNode {
    fn from(pair: Pair) -> Self {
        Self {
            key: pair.key,
            value: Some(pair.value),
            modified: Index(pair.modified),
            created: Index(pair.created),
            version: pair.version,
            lease: pair.lease,
            ..Self::default()
        }
    }
}

impl From<Pair> for Tree {
    fn from(pair: Pair) -> Self {
        Self {
            key: pair.key,
            value: Some(pair.value),
            modified: Index(pair.modified),
            created: Index(pair.created),
            version: pair.version,
            lease: pair.lease,
            ..Self::default()
        }
    }
}

#[derive(serde::Deserialize)]
struct WireReply {
    header: Header,
    /// The pairs of a reply to a range.
    #[serde(default, rename = "kvs")]
    pairs: Vec<Pair>,
    #[serde(default)]
    succeeded: bool,
    #[serde(default)]
    responses: Vec<Response>,
}

#[derive(serde::Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "number")]
    cluster_id: u64,
    #[serde(deserialize_with = "number")]
    revision: u64,
}

#[derive(serde::Deserialize)]
struct Response {
    #[serde(rename = "response_range")]
    range: Option<Ranged>,
    #[serde(rename = "response_put")]
    put: Option<PutReply>,
    #[serde(rename = "response_delete_range")]
    delete: Option<Removed>,
}

#[derive(Default, serde::Deserialize)]
struct Ranged {
    #[serde(default, rename = "kvs")]
    pairs: Vec<Pair>,
}

#[derive(Default, serde::Deserialize)]
struct PutReply {
    #[serde(rename = "prev_kv")]
    previous: Option<Pair>,
}

#[derive(Default, serde::Deserialize)]
struct Removed {
    #[serde(default, rename = "prev_kvs")]
    previous: Vec<Pair>,
}

/// A 64-bit integer, which the gateway writes as a string.
pub(super) fn number<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr<Err: fmt::Display>,
{
    deserializer.deserialize_str(Parsed(|text: &str| text.parse::<N>()))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Parsed(|text: &str| STANDARD.decode(text)))
}

/// Parses a string in place; most need no copy.
struct Parsed<F>(F);

impl<F, T, E> Visitor<'_> for Parsed<F>
where
    F: FnOnce(&str) -> Result<T, E>,
    E: fmt::Display,
{
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<O: serde::de::Error>(self, text: &str) -> Result<T, O> {
        self.0(text).map_err(O::custom)
    }
}

/// An event of a watch, not decoded yet.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct EncodedEvent<'a> {
    #[serde(rename = "type", default, borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub kv: EncodedPair<'a>,
    #[serde(borrow)]
    pub prev_kv: Option<EncodedPair<'a>>,
}

/// A key with its value, not decoded yet.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) struct EncodedPair<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub key: Cow<'a, [u8]>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub value: Cow<'a, [u8]>,
    #[serde(default, rename = "create_revision", deserialize_with = "number")]
    pub created: u64,
    #[serde(rename = "mod_revision", deserialize_with = "number")]
    pub modified: u64,
    #[serde(default, deserialize_with = "number")]
    pub version: u64,
    #[serde(default, deserialize_with = "number")]
    pub lease: i64,
}

/// The bytes of a JSON string. serde does not check that bytes are text, and a value that nobody reads
/// must be valid too.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, [u8]>, D::Error> {
    #[derive(serde::Deserialize)]
    struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(match BorrowedText::deserialize(deserializer)?.0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// The events of a batch that is being assembled.
#[derive(Debug, Default)]
pub(super) struct Events {
    arena: Vec<u8>,
    events: Vec<EventSpans>,
}

impl Events {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Their size in bytes.
    pub fn weight(&self) -> usize {
        self.arena.len() + self.events.len() * size_of::<EventSpans>()
    }

    /// Decodes an event and appends it if its key `is_wanted`.
    ///
    /// # Errors
    /// If a key or a value is not base64.
    pub fn decode(
        &mut self,
        action: Action,
        now: &EncodedPair<'_>,
        previous: Option<&EncodedPair<'_>>,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Malformed> {
        let start = self.arena.len();
        let key = self.decode_span(&now.key)?;
        if !is_wanted(self.arena.get(start..).unwrap_or_default()) {
            self.arena.truncate(start);
            return Ok(());
        }
        let node = self.decode_node(now, key, !action.removes())?;
        let previous = previous
            .map(|pair| {
                let key = self.decode_span(&pair.key)?;
                self.decode_node(pair, key, true)
            })
            .transpose()?;
        self.events.push(EventSpans {
            action,
            raw: None,
            node,
            previous,
        });
        Ok(())
    }

    fn decode_node(
        &mut self,
        pair: &EncodedPair<'_>,
        key: Span,
        has_value: bool,
    ) -> Result<NodeSpans, Malformed> {
        Ok(NodeSpans {
            key,
            value: has_value
                .then(|| self.decode_span(&pair.value))
                .transpose()?,
            dir: false,
            modified: Index(pair.modified),
            created: Index(pair.created),
            version: pair.version,
            lease: pair.lease,
        })
    }

    fn decode_span(&mut self, text: &[u8]) -> Result<Span, Malformed> {
        let start = self.arena.len();
        STANDARD
            .decode_vec(text, &mut self.arena)
            .map_err(|error| Malformed::Shape(error.to_string()))?;
        Ok(self.span_from(start))
    }

    fn push(&mut self, action: Action, now: &Pair, previous: Option<&Pair>) {
        let node = self.node(now, !action.removes());
        let previous = previous.map(|pair| self.node(pair, true));
        self.events.push(EventSpans {
            action,
            raw: None,
            node,
            previous,
        });
    }

    fn node(&mut self, pair: &Pair, has_value: bool) -> NodeSpans {
        NodeSpans {
            key: self.span(&pair.key),
            value: has_value.then(|| self.span(&pair.value)),
            dir: false,
            modified: Index(pair.modified),
            created: Index(pair.created),
            version: pair.version,
            lease: pair.lease,
        }
    }

    fn span(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.span_from(start)
    }

    /// The span of what was appended to the arena since it had the length `start`.
    fn span_from(&self, start: usize) -> Span {
        // The limit on a reply is below 4 GiB.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            start: offset(start),
            end: offset(self.arena.len()),
        }
    }

    pub fn into_batch(self) -> Batch {
        Batch::new(self.arena, self.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn zero_fields_may_be_missing_and_numbers_are_strings() {
        let reply = parse_reply(
            br#"{"header":{"cluster_id":"9","member_id":"1","revision":"3","raft_term":"2"},"succeeded":true,"responses":[{"response_range":{"header":{"revision":"3"}}},{"response_range":{"header":{"revision":"3"},"kvs":[{"key":"L2EvYg==","create_revision":"2","mod_revision":"3","version":"2","value":"/w=="},{"key":"eA==","create_revision":"1","mod_revision":"1","version":"1"}],"count":"2"}}]}"#,
        )
        .unwrap();
        assert_eq!(reply.revision, Index(3));
        assert_eq!(reply.pairs[0].key, b"/a/b");
        assert_eq!(reply.pairs[0].value, b"\xff");
        assert_eq!((reply.pairs[0].created, reply.pairs[0].version), (2, 2));
        assert_eq!(reply.pairs[1].value, b"");
    }

    #[test]
    fn a_write_is_an_event_as_a_watcher_would_see_it() {
        let reply = parse_reply(
            br#"{"header":{"revision":"9"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"9"},"prev_kv":{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"dQ=="}}}]}"#,
        )
        .unwrap();
        let batch = reply.written(b"a", b"v", Some(7));
        let event = batch.event(0).unwrap();
        assert_eq!(event.index(), Index(9));
        assert_eq!(event.node().created(), Index(2));
        assert_eq!(event.node().version(), 3);
        assert_eq!(event.node().lease(), 7);
        assert_eq!(event.previous().unwrap().value(), Some(&b"u"[..]));
    }

    #[test]
    fn each_key_that_was_removed_is_an_event() {
        let reply = parse_reply(
            br#"{"header":{"revision":"9"},"succeeded":true,"responses":[{"response_delete_range":{"deleted":"1","prev_kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"dQ=="}]}},{"response_delete_range":{}}]}"#,
        )
        .unwrap();
        let batch = reply.deleted();
        assert_eq!(batch.len(), 1);
        let event = batch.event(0).unwrap();
        assert_eq!(event.action(), Action::Delete);
        assert_eq!(event.node().value(), None);
        assert_eq!(event.previous().unwrap().value(), Some(&b"u"[..]));
    }

    #[test]
    fn a_body_that_is_not_a_reply_is_refused() {
        for body in [
            "null",
            "{}",
            r#"{"header":{}}"#,
            r#"{"header":{"revision":"x"}}"#,
            r#"{"header":{"revision":"99999999999999999999"}}"#,
            r#"{"header":{"revision":"1"},"responses":[{"response_range":{"kvs":[{"key":"!"}]}}]}"#,
        ] {
            assert!(parse_reply(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(parse_lease(br#"{"header":{},"ID":"-5","TTL":"5"}"#), Ok(-5));
        assert!(parse_lease(br#"{"TTL":"5"}"#).is_err());
        assert_eq!(parse_token(br#"{"token":"a.7"}"#).as_deref(), Ok("a.7"));
        for body in [
            r#"{"token":""}"#,
            r#"{"token":"a\r\nb"}"#,
            r#"{"token":"é"}"#,
            "{}",
        ] {
            assert!(parse_token(body.as_bytes()).is_err(), "{body}");
        }
    }

    /// A value as a gateway might write it, where a string is due.
    fn written() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "-?[0-9]{1,21}".prop_map(|text| format!("\"{text}\"")),
            2 => "[A-Za-z0-9+/]{0,9}={0,3}".prop_map(|text| format!("\"{text}\"")),
            2 => "(\\\\u003[0-9d]|\\\\/|[0-9A]){0,6}".prop_map(|text| format!("\"{text}\"")),
            2 => ".{0,9}".prop_map(|text| Value::from(text).to_string()),
            1 => "-?[0-9]{1,20}|null|true|\\[\\]|\\{\\}|\"\\\\ud800\"|\"7|",
        ]
    }

    proptest! {
        #[test]
        fn a_string_is_read_as_serde_would_read_it_and_then_we(text in written()) {
            let whole = serde_json::from_str::<String>(&text);
            let mut json = serde_json::Deserializer::from_str(&text);
            let read = number::<_, i64>(&mut json);
            prop_assert_eq!(read.ok(), whole.as_ref().ok().and_then(|text| text.parse().ok()));
            let mut json = serde_json::Deserializer::from_str(&text);
            let read = number::<_, u64>(&mut json);
            prop_assert_eq!(read.ok(), whole.as_ref().ok().and_then(|text| text.parse().ok()));
            let mut json = serde_json::Deserializer::from_str(&text);
            let read = bytes(&mut json);
            if let Err(why) = &whole {
                prop_assert_eq!(read.as_ref().unwrap_err().to_string(), why.to_string());
            }
            prop_assert_eq!(read.ok(), whole.ok().and_then(|text| STANDARD.decode(text).ok()));
        }
    }
}
