//! The JSON of a record of one key, serialized without building a value first.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use etcdwatch_engine::model::{Change, Event, Index, Node, Record, StateNode};

/// A record of one key. The order of the fields is part of the contract.
#[derive(Serialize)]
pub(super) struct Shape<'r> {
    action: Cow<'r, str>,
    /// The source of a record that is not an event of etcd.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    node: NodeFields<'r>,
    #[serde(rename = "prevNode", skip_serializing_if = "Option::is_none")]
    previous: Option<NodeFields<'r>>,
    #[serde(rename = "receivedAt", skip_serializing_if = "Option::is_none")]
    received_at: Option<&'r str>,
}

/// The fields of a key. Bytes are strings if they are UTF-8, and otherwise base64 in a field of another name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeFields<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<Base64<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<Base64<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
    modified_index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<i64>,
}

/// Bytes that are not UTF-8.
struct Base64<'r>(&'r [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

impl<'r> Shape<'r> {
    /// The shape of a record, with the time at which it was received, if that is shown.
    pub(super) fn of(record: &Record<'r>, received_at: Option<&'r str>) -> Self {
        let (origin, node, previous) = match *record {
            Record::Event(event) => return Self::of_event(&event, received_at),
            Record::State(_, node) => ("snapshot", NodeFields::of_state(node), None),
            Record::Change(_, Change::Set { node, previous }) => {
                ("resync", NodeFields::of_state(node), previous.as_ref())
            }
            Record::Change(index, Change::Delete { previous }) => (
                "resync",
                NodeFields::removed(index, previous),
                Some(previous),
            ),
            Record::Below(index, node) => ("expand", NodeFields::removed(index, node), Some(node)),
        };
        Self {
            action: String::from_utf8_lossy(record.action_name()),
            origin: Some(origin),
            index: Some(record.index().0),
            node,
            previous: previous.map(NodeFields::of_state),
            received_at,
        }
    }

    fn of_event(event: &Event<'r>, received_at: Option<&'r str>) -> Self {
        Self {
            action: String::from_utf8_lossy(event.action_name()),
            origin: None,
            index: None,
            node: NodeFields::of_event(&event.node()),
            previous: event.previous().as_ref().map(NodeFields::of_event),
            received_at,
        }
    }
}

impl<'r> NodeFields<'r> {
    fn new(key: &'r [u8], value: Option<&'r [u8]>, modified: Index) -> Self {
        let (key, key_base64) = either(key);
        let (value, value_base64) = value.map_or((None, None), either);
        Self {
            key,
            key_base64,
            value,
            value_base64,
            dir: None,
            expiration: None,
            ttl: None,
            modified_index: modified.0,
            created_index: None,
            version: None,
            lease: None,
        }
    }

    /// A key of an event. A number that is 0 is unknown and left out.
    fn of_event(node: &Node<'r>) -> Self {
        let created = node.created().0;
        Self {
            created_index: (created > 0).then_some(created),
            version: (node.version() > 0).then_some(node.version()),
            lease: (node.lease() != 0).then_some(node.lease()),
            ..Self::new(node.key(), node.value(), node.modified())
        }
    }

    /// A key of a state. The indexes of the root are 0 and are not left out.
    fn of_state(node: &'r StateNode) -> Self {
        Self {
            dir: node.dir.then_some(true),
            expiration: node.expiration.as_deref(),
            ttl: node.ttl,
            created_index: Some(node.created.0),
            version: (node.version > 0).then_some(node.version),
            lease: (node.lease != 0).then_some(node.lease),
            ..Self::new(&node.key, node.value.as_deref(), node.modified)
        }
    }

    /// A key of a state after its removal.
    fn removed(index: Index, node: &'r StateNode) -> Self {
        Self {
            dir: node.dir.then_some(true),
            created_index: Some(node.created.0),
            ..Self::new(&node.key, None, index)
        }
    }
}

/// A string if the bytes are UTF-8, otherwise base64.
fn either(bytes: &[u8]) -> (Option<&str>, Option<Base64<'_>>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(Base64(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use etcdwatch_engine::model::{Action, Batch, EventSpans, NodeSpans, Span};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    /// Texts with all that is escaped in them, and bytes that are no text.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[ -~]{0,40}".prop_map(String::into_bytes),
            "\\PC{0,10}[\"\\\\/\u{0}-\u{1f}\u{7f}-\u{a0}\u{2028}é漢🦀]{0,20}"
                .prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..40),
        ]
    }

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..100u64]
    }

    prop_compose! {
        fn node()(
            key in bytes(),
            value in proptest::option::of(bytes()),
            dir in any::<bool>(),
            expiration in proptest::option::of("[0-9TZ\"]{0,9}"),
            ttl in proptest::option::of(any::<i64>()),
            (modified, created, version) in (number(), number(), number()),
            lease in prop_oneof![Just(0), any::<i64>()],
        ) -> StateNode {
            StateNode {
                key,
                value,
                dir,
                expiration,
                ttl,
                modified: Index(modified),
                created: Index(created),
                version,
                lease,
            }
        }
    }

    /// The record, built field by field.
    fn built(
        action: &str,
        origin: Option<(&str, u64)>,
        node: Value,
        previous: Option<Value>,
    ) -> Value {
        let mut record = Map::new();
        record.insert("action".to_owned(), action.into());
        if let Some((origin, index)) = origin {
            record.insert("origin".to_owned(), origin.into());
            record.insert("index".to_owned(), index.into());
        }
        record.insert("node".to_owned(), node);
        if let Some(previous) = previous {
            record.insert("prevNode".to_owned(), previous);
        }
        record.into()
    }

    fn of_state(node: &StateNode) -> Value {
        let mut fields = Map::new();
        json::text("key", &node.key, &mut fields);
        if let Some(value) = &node.value {
            json::text("value", value, &mut fields);
        }
        let known = [
            ("dir", node.dir.then(|| json!(true))),
            (
                "expiration",
                node.expiration.as_ref().map(|text| json!(text)),
            ),
            ("ttl", node.ttl.map(|ttl| json!(ttl))),
            ("modifiedIndex", Some(json!(node.modified.0))),
            ("createdIndex", Some(json!(node.created.0))),
            ("version", (node.version > 0).then(|| json!(node.version))),
            ("lease", (node.lease != 0).then(|| json!(node.lease))),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        }
        fields.into()
    }

    /// The node of an event, which has fewer fields than that of a state.
    fn of_event(node: &StateNode) -> Value {
        let mut fields = of_state(&StateNode {
            dir: false,
            expiration: None,
            ttl: None,
            ..node.clone()
        });
        if node.created == Index::ZERO {
            let _ = fields.as_object_mut().unwrap().shift_remove("createdIndex");
        }
        fields
    }

    fn removed(index: Index, node: &StateNode) -> Value {
        of_state(&StateNode {
            key: node.key.clone(),
            dir: node.dir,
            modified: index,
            created: node.created,
            ..StateNode::default()
        })
    }

    fn batch(action: Action, node: &StateNode, previous: Option<&StateNode>) -> Batch {
        let mut arena = Vec::new();
        let mut span = |bytes: &[u8]| {
            let start = u32::try_from(arena.len()).unwrap();
            arena.extend_from_slice(bytes);
            let end = u32::try_from(arena.len()).unwrap();
            Span { start, end }
        };
        let mut spans = |node: &StateNode| NodeSpans {
            key: span(&node.key),
            value: node.value.as_deref().map(&mut span),
            dir: false,
            modified: node.modified,
            created: node.created,
            version: node.version,
            lease: node.lease,
        };
        let event = EventSpans {
            action,
            raw: None,
            node: spans(node),
            previous: previous.map(spans),
        };
        Batch::new(arena, vec![event])
    }

    fn written(record: &Record<'_>, is_terminal: bool) -> String {
        let mut out = b"before\n".to_vec();
        json::record(record, is_terminal, &mut out);
        let out = String::from_utf8(out).unwrap();
        out.strip_prefix("before\n").unwrap().to_owned()
    }

    proptest! {
        #[test]
        fn an_event_of_any_bytes_is_written_as_serde_json_writes_it(
            node in node(),
            previous in proptest::option::of(node()),
            place in 0..Action::KNOWN.len(),
        ) {
            let (action, name) = Action::KNOWN[place];
            let batch = batch(action, &node, previous.as_ref());
            let record = Record::Event(batch.event(0).unwrap());
            let built = built(name, None, of_event(&node), previous.as_ref().map(of_event));
            prop_assert_eq!(written(&record, false), format!("{built}\n"));
            let mut escaped = Vec::new();
            json::push_line(built.to_string().as_bytes(), true, &mut escaped);
            prop_assert_eq!(written(&record, true).into_bytes(), escaped);
        }

        #[test]
        fn records_of_a_state_are_written_as_serde_json_writes_them(
            node in node(),
            previous in proptest::option::of(node()),
            index in number(),
        ) {
            let at = Index(index);
            let was = Some(of_state(&node));
            let set = Change::Set { node: node.clone(), previous: previous.clone() };
            let delete = Change::Delete { previous: node.clone() };
            let pairs = [
                (
                    Record::State(at, &node),
                    built("get", Some(("snapshot", index)), of_state(&node), None),
                ),
                (
                    Record::Change(at, &set),
                    built(
                        "set",
                        Some(("resync", index)),
                        of_state(&node),
                        previous.as_ref().map(of_state),
                    ),
                ),
                (
                    Record::Change(at, &delete),
                    built("delete", Some(("resync", index)), removed(at, &node), was.clone()),
                ),
                (
                    Record::Below(at, &node),
                    built("delete", Some(("expand", index)), removed(at, &node), was),
                ),
            ];
            for (record, built) in pairs {
                prop_assert_eq!(written(&record, false), format!("{built}\n"));
            }
        }
    }
}
