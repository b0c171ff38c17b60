//! The JSON of v2 replies, and its parsing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{Action, Batch, EventSpans, Index, NodeSpans, Span, StateNode, Tree};
use crate::protocol::Malformed;

use super::line::EventReader;

/// The actions of records that only etcdwatch makes (RECORDS in the man page).
const RESERVED_ACTIONS: [&str; 5] = ["gap", "reset", "synced", "status", "drift"];

/// A line with more brackets is parsed as a whole, because it may nest deeper than JSON parsers accept.
const MANY_BRACKETS: usize = 64;

/// The assumed length of an event in bytes, from which the number of events in a block is estimated.
const TYPICAL_EVENT: usize = 200;

/// Parses a block of lines, one event a line, into a batch over the same block.
///
/// # Errors
/// If a line is not an event, or imitates a record of etcdwatch.
pub fn parse_events(block: Vec<u8>) -> Result<Batch, Malformed> {
    parse_events_into(Vec::new(), block)
}

/// As [`parse_events`], with a buffer `events` whose content is overwritten.
///
/// # Errors
/// Those of [`parse_events`].
pub fn parse_events_into(mut events: Vec<EventSpans>, block: Vec<u8>) -> Result<Batch, Malformed> {
    let mut decoded = Decoded::new(&block);
    events.clear();
    events.reserve(block.len() / TYPICAL_EVENT + 1);
    let mut reader = EventReader::new(&block);
    let mut is_as_written = true;
    while !reader.is_at_end() {
        if let Some(event) = reader.event(&mut |escaped| decoded.unescape(escaped)) {
            events.push(event);
            continue;
        }
        is_as_written = false;
        let line = text(reader.line())?.trim_matches([' ', '\t', '\r']);
        if !line.is_empty() {
            events.push(decoded.event(line)?);
        }
    }
    let extra = decoded.extra;
    let mut bytes = block;
    if is_as_written {
        bytes.extend(extra);
        return Ok(Batch::of_lines(bytes, events));
    }
    blank_breaks(&mut bytes);
    bytes.extend(extra);
    Ok(Batch::new(bytes, events))
}

/// Checks that the fields which are passed on unread are valid for every JSON parser: no half of a
/// surrogate pair, and no deep nesting.
fn check_rest(line: &str) -> Result<(), Malformed> {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[');
    let is_suspect = line.contains("\\ud")
        || line.contains("\\uD")
        || line.bytes().filter(opens).count() > MANY_BRACKETS;
    if is_suspect {
        serde_json::from_str::<serde_json::Value>(line)
            .map_err(|error| Malformed::Shape(error.to_string()))?;
    }
    Ok(())
}

/// Parses the reply to a read: a key, or a directory with its children.
///
/// # Errors
/// If it is not such a reply.
pub fn parse_state(body: &[u8]) -> Result<StateReply, Malformed> {
    let read: Result<WireEvent<'_, ReplyNode>, Malformed> = event(text(body)?);
    match read {
        Ok(wire) => Ok(StateReply { node: wire.node.0 }),
        Err(Malformed::Shape(what)) if what.starts_with("recursion limit") => {
            let what = "directories lie more than 60 deep: read a part of it, or all of it with \
                        -o json";
            Err(Malformed::Shape(what.to_owned()))
        }
        Err(other) => Err(other),
    }
}

/// Checks that a text is the reply to a read, however deep its directories are.
///
/// # Errors
/// If it is not.
pub fn check_state(body: &[u8]) -> Result<(), Malformed> {
    /// serde skips unknown fields without recursion.
    #[derive(serde::Deserialize)]
    struct Anything {}
    event::<Anything>(text(body)?).map(drop)
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes)
        .map_err(|error| Malformed::shape(bytes, format_args!("it is not UTF-8: {error}")))
}

fn event<'a, N: Deserialize<'a>>(text: &'a str) -> Result<WireEvent<'a, N>, Malformed> {
    let wire: Object<WireEvent<'a, N>> =
        serde_json::from_str(text).map_err(|error| Malformed::shape(text.as_bytes(), error))?;
    let wire = wire.0;
    match wire.imitates() {
        Some(imitated) => Err(Malformed::Imitation(imitated.to_owned())),
        None => Ok(wire),
    }
}

/// Replaces TAB and CR by blanks. In JSON they stand only between tokens, and a record must be one
/// line.
fn blank_breaks(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'\t', b'\r', rest)
        && let Some((found, after)) = rest.split_at_mut(at).1.split_first_mut()
    {
        *found = b' ';
        rest = after;
    }
}

/// The reply to a read.
#[derive(Clone, Debug)]
pub struct StateReply {
    /// The key or directory.
    pub node: ReplyNode,
}

/// A key, or a directory with its children.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ReplyNode {
    /// The key. etcd leaves it out for the root.
    #[serde(default = "root")]
    pub key: String,
    /// The value; none if it is a directory.
    pub value: Option<String>,
    /// Whether it is a directory.
    #[serde(default)]
    pub dir: bool,
    /// The children; with a recursive read, the descendants.
    #[serde(default, deserialize_with = "children")]
    pub nodes: Vec<ReplyNode>,
    /// The index of its last change; 0 for the root.
    #[serde(default, rename = "modifiedIndex")]
    pub modified: u64,
    /// The index of its creation; 0 for the root.
    #[serde(default, rename = "createdIndex")]
    pub created: u64,
    /// The time to live in seconds.
    pub ttl: Option<i64>,
    /// The time of expiry.
    pub expiration: Option<String>,
}

impl From<ReplyNode> for Tree {
    fn from(node: ReplyNode) -> Self {
        Self {
            key: node.key.into_bytes(),
            value: node.value.map(String::into_bytes),
            dir: node.dir,
            nodes: node.nodes.into_iter().map(Self::from).collect(),
            modified: Index(node.modified),
            created: Index(node.created),
            ..Self::default()
        }
    }
}

impl ReplyNode {
    /// This node and, if `recursive` is set, all descendants, sorted by key.
    #[must_use]
    pub fn flatten(self, recursive: bool) -> Vec<StateNode> {
        let mut all = Vec::new();
        let mut left = vec![self];
        while let Some(node) = left.pop() {
            if recursive {
                left.extend(node.nodes);
            }
            all.push(StateNode {
                key: node.key.into_bytes(),
                value: node.value.map(String::into_bytes),
                dir: node.dir,
                expiration: node.expiration,
                ttl: node.ttl,
                modified: Index(node.modified),
                created: Index(node.created),
                ..StateNode::default()
            });
        }
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    }
}

fn root() -> String {
    "/".to_owned()
}

/// The children of a directory. Each must have the fields that etcd always sends, so that a few bytes
/// of a reply can't become a node of hundreds of bytes.
fn children<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ReplyNode>, D::Error> {
    struct Children;
    impl<'de> Visitor<'de> for Children {
        type Value = Vec<ReplyNode>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of nodes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut nodes = Vec::new();
            while let Some(node) = list.next_element::<ReplyNode>()? {
                if node.key == "/" || node.modified == 0 {
                    return Err(A::Error::custom("a node without key or index"));
                }
                nodes.push(node);
            }
            Ok(nodes)
        }
    }
    deserializer.deserialize_seq(Children)
}

/// An event, or the reply to a read.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
struct WireEvent<'a, N> {
    #[serde(borrow)]
    action: Text<'a>,
    node: Object<N>,
    #[serde(rename = "prevNode")]
    previous: Option<Object<N>>,
    // Fields that only records of etcdwatch have. Other unknown fields are passed on with the bytes of
    // the event.
    #[serde(default, deserialize_with = "present")]
    origin: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    index: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    lost: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    state: Option<IgnoredAny>,
    #[serde(default, rename = "receivedAt", deserialize_with = "present")]
    received: Option<IgnoredAny>,
}

/// A JSON object. serde accepts a list of the fields too, but an event is shown as it was received and
/// must be what it was parsed as.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// Whether a field is present, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

impl<N> WireEvent<'_, N> {
    /// The name of a field that only etcdwatch writes, if there is one.
    fn imitates(&self) -> Option<&str> {
        RESERVED_ACTIONS
            .into_iter()
            .find(|name| *name == self.action.0)
            .or_else(|| self.origin.is_some().then_some("origin"))
            .or_else(|| self.index.is_some().then_some("index"))
            .or_else(|| self.lost.is_some().then_some("lost"))
            .or_else(|| self.state.is_some().then_some("state"))
            .or_else(|| self.received.is_some().then_some("receivedAt"))
    }
}

#[derive(serde::Deserialize)]
struct WireNode<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(default)]
    dir: bool,
    #[serde(rename = "modifiedIndex")]
    modified: u64,
    #[serde(rename = "createdIndex", default)]
    created: u64,
}

/// A JSON string, borrowed from the line unless it has escapes. serde always copies a `Cow` in an
/// `Option`.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

/// Turns texts into spans of a block. Decoded texts are appended to the block.
struct Decoded<'b> {
    block: &'b [u8],
    extra: Vec<u8>,
}

impl<'b> Decoded<'b> {
    fn new(block: &'b [u8]) -> Self {
        Self {
            block,
            extra: Vec::new(),
        }
    }

    /// Parses a line in any form of JSON.
    fn event(&mut self, line: &'b str) -> Result<EventSpans, Malformed> {
        let wire: WireEvent<'_, WireNode<'_>> = event(line)?;
        check_rest(line)?;
        Ok(EventSpans {
            action: match Action::parse(wire.action.0.as_bytes()) {
                Some(action) => action,
                None => Action::Other(self.span(&wire.action)?),
            },
            raw: Some(self.span(&Text(Cow::Borrowed(line)))?),
            node: self.node(&wire.node.0)?,
            previous: wire
                .previous
                .as_ref()
                .map(|node| self.node(&node.0))
                .transpose()?,
        })
    }

    /// Decodes the string between two quotes; `None` if it is not valid.
    fn unescape(&mut self, escaped: Span) -> Option<Span> {
        let (start, end) = (escaped.start as usize, escaped.end as usize);
        let quoted = self.block.get(start.checked_sub(1)?..end + 1)?;
        let text = serde_json::from_slice(quoted).ok()?;
        self.span(&Text(Cow::Owned(text))).ok()
    }

    fn node(&mut self, node: &WireNode<'_>) -> Result<NodeSpans, Malformed> {
        Ok(NodeSpans {
            key: self.span(&node.key)?,
            value: node
                .value
                .as_ref()
                .map(|value| self.span(value))
                .transpose()?,
            dir: node.dir,
            modified: Index(node.modified),
            created: Index(node.created),
            version: 0,
            lease: 0,
        })
    }

    fn span(&mut self, text: &Text<'_>) -> Result<Span, Malformed> {
        let start = match &text.0 {
            // A borrowed text is a part of the block, so its position is a difference of addresses.
            Cow::Borrowed(part) => part.as_ptr() as usize - self.block.as_ptr() as usize,
            Cow::Owned(text) => {
                let start = self.block.len() + self.extra.len();
                self.extra.extend_from_slice(text.as_bytes());
                start
            }
        };
        let too_large = |_| Malformed::Shape("a reply of more than 4 GiB".to_owned());
        Ok(Span {
            start: u32::try_from(start).map_err(too_large)?,
            end: u32::try_from(start + text.0.len()).map_err(too_large)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(line: &str) -> Batch {
        let batch = parse_events(format!("{line}\n").into_bytes()).unwrap();
        assert_eq!(batch.len(), 1);
        batch
    }

    #[test]
    fn the_fields_of_an_event_are_spans_of_its_line() {
        let line = r#"{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/a","value":"u","modifiedIndex":5,"createdIndex":5}}"#;
        let batch = one(line);
        let event = batch.event(0).unwrap();
        assert_eq!(event.action(), Action::Set);
        assert_eq!(event.index(), Index(7));
        assert_eq!(event.node().key(), b"/a");
        assert_eq!(event.node().value(), Some(&b"v"[..]));
        assert_eq!(event.previous().unwrap().value(), Some(&b"u"[..]));
        assert_eq!(event.raw(), Some(line.as_bytes()));
    }

    #[test]
    fn the_lines_of_a_block_are_passed_on_together() {
        let line = |index: u64| {
            format!(
                r#"{{"action":"set","node":{{"key":"/a","value":"\"","modifiedIndex":{index},"createdIndex":1}}}}"#
            )
        };
        let [one, two, three] = [1, 2, 3].map(|index| line(index) + "\n");
        let batch = parse_events([&*one, &two, &three].concat().into_bytes()).unwrap();
        assert_eq!(
            batch.lines(0..3),
            Some([&*one, &two, &three].concat().as_bytes())
        );
        assert_eq!(batch.lines(1..2), Some(two.as_bytes()));
        assert_eq!(batch.lines(1..1), None);
        assert_eq!(batch.lines(1..4), None);
        for other in [" ", "\n", "\r"] {
            let batch = parse_events([&*one, other, &two].concat().into_bytes()).unwrap();
            assert_eq!((batch.len(), batch.lines(0..2)), (2, None));
        }
        let batch = parse_events([&*one, two.trim_end()].concat().into_bytes()).unwrap();
        assert_eq!(batch.lines(0..1), Some(one.as_bytes()));
        assert_eq!(batch.lines(0..2), None, "the last is no whole line");
    }

    #[test]
    fn fields_passed_on_unread_are_valid_for_every_json_parser() {
        let event = |rest: &str| {
            let node = r#"{"key":"/a","modifiedIndex":7}"#;
            parse_events(format!("{{\"action\":\"set\",\"node\":{node},{rest}}}").into_bytes())
        };
        assert!(event(r#""more":"\ud83d\ude00""#).is_ok());
        assert!(event(r#""more":"\ud83d""#).is_err());
        assert!(event(r#""more":"\uDE00""#).is_err());
        let nested = |depth| format!("\"more\":{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(event(&nested(100)).is_ok());
        assert!(event(&nested(10_000)).is_err());
        let batch = event("\r\t\"more\":\r1").unwrap();
        assert!(!batch.event(0).unwrap().raw().unwrap().contains(&b'\r'));
        for ours in ["origin", "index", "lost", "state"] {
            assert!(event(&format!("\"{ours}\":null")).is_err(), "{ours}");
        }
    }

    #[test]
    fn escaped_texts_are_decoded_and_the_raw_line_is_unchanged() {
        let line = r#"{"action":"set","node":{"key":"/\u00e9\n","value":"a\"b\u003c","modifiedIndex":7,"createdIndex":7}}"#;
        let batch = one(line);
        let event = batch.event(0).unwrap();
        assert_eq!(event.node().key(), "/é\n".as_bytes());
        assert_eq!(event.node().value(), Some(&b"a\"b<"[..]));
        assert_eq!(event.raw(), Some(line.as_bytes()));
    }

    #[test]
    fn all_eight_actions_are_known_and_another_is_passed_on() {
        for name in [
            "get",
            "set",
            "create",
            "update",
            "delete",
            "expire",
            "compareAndSwap",
            "compareAndDelete",
            "transmogrify",
        ] {
            let batch = one(&format!(
                r#"{{"action":"{name}","node":{{"key":"/a","modifiedIndex":1,"createdIndex":1}}}}"#
            ));
            let event = batch.event(0).unwrap();
            assert_eq!(event.action_name(), name.as_bytes());
            assert_eq!(
                matches!(event.action(), Action::Other(_)),
                name == "transmogrify"
            );
        }
    }

    #[test]
    fn the_removal_of_a_directory_is_recognised() {
        let batch = one(
            r#"{"action":"expire","node":{"key":"/d","dir":true,"modifiedIndex":9,"createdIndex":3},"prevNode":{"key":"/d","dir":true,"modifiedIndex":3,"createdIndex":3}}"#,
        );
        assert!(batch.event(0).unwrap().removes_directory());
    }

    #[test]
    fn an_event_that_imitates_a_record_is_refused() {
        for (line, what) in [
            (
                r#"{"action":"gap","node":{"key":"/a","modifiedIndex":1,"createdIndex":1}}"#,
                "gap",
            ),
            (
                r#"{"action":"get","origin":"snapshot","node":{"key":"/a","modifiedIndex":1,"createdIndex":1}}"#,
                "origin",
            ),
            (
                r#"{"action":"set","index":99,"node":{"key":"/a","modifiedIndex":1,"createdIndex":1}}"#,
                "index",
            ),
        ] {
            assert_eq!(
                parse_events(format!("{line}\n").into_bytes()).unwrap_err(),
                Malformed::Imitation(what.to_owned())
            );
        }
    }

    #[test]
    fn a_line_that_is_not_an_event_is_refused() {
        for line in [
            "null",
            "[]",
            "<html>",
            r#"{"action":"set"}"#,
            r#"{"action":"set","node":{"key":"/a","modifiedIndex":-1,"createdIndex":1}}"#,
            r#"{"action":"set","node":{"key":"/a","modifiedIndex":99999999999999999999,"createdIndex":1}}"#,
            r#"{"action":"set","action":"set","node":{"key":"/a","modifiedIndex":1,"createdIndex":1}}"#,
            r#"{"action":"set","node":{"key":"/a","modifiedIndex":1,"createdIndex":1}"#,
            "{\"action\":\"set\",\"node\":{\"key\":\"/\u{0}\",\"modifiedIndex\":1,\"createdIndex\":1}}",
        ] {
            assert!(
                matches!(
                    parse_events(format!("{line}\n").into_bytes()),
                    Err(Malformed::Shape(_))
                ),
                "{line}"
            );
        }
        assert!(parse_events(b"\xff\n".to_vec()).is_err());
    }

    #[test]
    fn empty_lines_are_no_events() {
        assert!(parse_events(b"\n\r\n".to_vec()).unwrap().is_empty());
    }

    /// Events as etcd writes them, and others that are nearly so.
    fn like_events() -> impl Strategy<Value = String> {
        let string = prop_oneof![
            4 => "[a-z0-9/ é漢~]{0,20}",
            // So that keys are the same, or one begins as another.
            3 => "/a?b?",
            1 => Just(r#"{\"a\":\"\u00e9\\\ud83d\ude00\"}"#.to_owned()),
            1 => prop_oneof![Just("\\ud83d"), Just("\\"), Just("\u{7f}"), Just("\u{1}"), Just("\\x")]
                .prop_map(str::to_owned),
        ];
        let number = prop_oneof![
            6 => any::<u64>().prop_map(|number| number.to_string()),
            3 => (0..20_u64).prop_map(|number| number.to_string()),
            1 => prop_oneof![Just("0"), Just("01"), Just("-1"), Just("1.0"), Just("1e3"), Just("18446744073709551616")]
                .prop_map(str::to_owned),
        ];
        let field = prop_oneof![
            6 => string.clone().prop_map(|text| format!("\"value\":\"{text}\"")),
            1 => Just(r#""dir":true"#.to_owned()),
            1 => string.clone().prop_map(|text| format!("\"expiration\":\"{text}\"")),
            1 => number.clone().prop_map(|number| format!("\"ttl\":{number}")),
            1 => prop_oneof![Just(r#""dir":false"#), Just(r#""value":null"#), Just(r#""x":[{}]"#), Just(" ")]
                .prop_map(str::to_owned),
        ];
        let node = (string, proptest::collection::vec(field, 0..3), number.clone(), number).prop_map(
            |(key, fields, modified, created)| {
                let fields = fields.iter().fold(String::new(), |all, field| all + "," + field);
                format!("{{\"key\":\"{key}\"{fields},\"modifiedIndex\":{modified},\"createdIndex\":{created}}}")
            },
        );
        let action = prop_oneof![
            6 => prop_oneof![Just("set"), Just("delete"), Just("compareAndSwap")],
            1 => prop_oneof![Just("gap"), Just("s\\u0065t"), Just("other"), Just("")],
        ];
        let rest =
            prop_oneof![6 => Just(""), 1 => Just(",\"index\":7"), 1 => Just(" "), 1 => Just("}")];
        (action, node.clone(), proptest::option::of(node), rest).prop_map(
            |(action, node, previous, rest)| {
                let previous =
                    previous.map_or(String::new(), |node| format!(",\"prevNode\":{node}"));
                format!("{{\"action\":\"{action}\",\"node\":{node}{previous}{rest}}}")
            },
        )
    }

    proptest! {
        /// Both see the same in it, or neither sees an event.
        #[test]
        fn the_fast_parser_agrees_with_the_general_one(lines in proptest::collection::vec(like_events(), 1..4)) {
            let block = lines.join("\n").into_bytes();
            let batch = parse_events(block.clone());
            let spaced: Vec<String> = lines.iter().map(|line| format!(" {line}")).collect();
            let expected = parse_events(spaced.join("\n").into_bytes());
            let render = |batch: &Batch| format!("{:?}", batch.iter().map(|event| {
                let node = |node: crate::model::Node<'_>| (node.key().to_vec(), node.value().map(<[u8]>::to_vec), node.is_dir(), node.modified(), node.created());
                (event.action_name().to_vec(), event.raw().map(<[u8]>::to_vec), node(event.node()), event.previous().map(node))
            }).collect::<Vec<_>>());
            prop_assert_eq!(batch.as_ref().map(render).ok(), expected.as_ref().map(render).ok());
            prop_assert_eq!(
                batch.err().map(|error| matches!(error, Malformed::Imitation(_))),
                expected.err().map(|error| matches!(error, Malformed::Imitation(_)))
            );
        }
    }

    #[test]
    fn the_root_is_read_though_etcd_leaves_out_its_key() {
        let state = parse_state(
            br#"{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","dir":true,"modifiedIndex":4,"createdIndex":4}]}}"#,
        )
        .unwrap();
        assert_eq!(state.node.key, "/");
        assert_eq!(state.node.nodes[0].key, "/a");
        assert!(state.node.nodes[0].dir);
    }

    #[test]
    fn a_raw_event_is_one_line_and_an_object() {
        let line = "{\"action\":\"set\",\t\r\"node\":{\"key\":\"/a\",\r\"modifiedIndex\":7}}";
        let batch = one(line);
        let raw = batch.event(0).unwrap().raw().unwrap().to_vec();
        assert_eq!(raw, line.replace(['\t', '\r'], " ").into_bytes());
        for line in [
            r#"["set",["/a","v",false,7,7],null]"#,
            r#"{"action":"set","node":["/a","v",false,7,7]}"#,
        ] {
            assert!(parse_events(line.as_bytes().to_vec()).is_err(), "{line}");
            assert!(check_state(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_reserved_field_is_refused_even_if_null() {
        for field in ["origin", "index", "lost", "state", "receivedAt"] {
            let line = format!(
                r#"{{"action":"set","{field}":null,"node":{{"key":"/a","modifiedIndex":7}}}}"#
            );
            let imitation = Malformed::Imitation(field.to_owned());
            let events = parse_events(line.clone().into_bytes());
            assert_eq!(events.err(), Some(imitation.clone()));
            assert_eq!(check_state(line.as_bytes()), Err(imitation.clone()));
            assert_eq!(parse_state(line.as_bytes()).err(), Some(imitation));
        }
    }

    #[test]
    fn children_of_a_directory_need_a_key_and_an_index() {
        for child in ["{}", r#"{"key":"/a/b"}"#, r#"{"modifiedIndex":7}"#] {
            let body = format!(r#"{{"action":"get","node":{{"dir":true,"nodes":[{child}]}}}}"#);
            assert!(parse_state(body.as_bytes()).is_err(), "{child}");
        }
    }
}
