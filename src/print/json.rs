//! JSON Lines: one object a line, the same shape for every API.
//!
//! An event's own bytes are passed through where it has them: they were checked when they were
//! read, and are what the contract asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::escape;
use crate::error::Error;
use crate::model::{Change, Event, Gap, Index, Node, Record, StateNode, Tree};
use crate::watch::Status;

/// Appends a record.
pub fn record(record: &Record<'_>, is_terminal: bool, out: &mut Vec<u8>) {
    let made = match record {
        Record::Event(event) => match event.raw() {
            Some(raw) => return push_line(raw, is_terminal, out),
            None => rendered(event),
        },
        Record::State(index, node) => state(*index, node),
        Record::Change(index, of) => change(*index, of),
        Record::Below(index, node) => below(*index, node),
    };
    push_line(made.to_string().as_bytes(), is_terminal, out);
}

/// An event of an API whose own JSON has another shape.
fn rendered(event: &Event<'_>) -> Value {
    let node = |node: &Node<'_>| {
        let mut fields = Map::new();
        text("key", node.key(), &mut fields);
        if let Some(value) = node.value() {
            text("value", value, &mut fields);
        }
        let (modified, created) = (node.modified(), node.created());
        numbers(modified, created, node.version(), node.lease(), &mut fields);
        fields
    };
    let action = String::from_utf8_lossy(event.action_name());
    let mut record = json!({"action": action, "node": node(&event.node())});
    if let (Some(previous), Some(record)) = (event.previous(), record.as_object_mut()) {
        record.insert("prevNode".to_owned(), node(&previous).into());
    }
    record
}

/// The reply to a read, of an API whose own JSON has another shape.
#[must_use]
pub fn tree(tree: &Tree) -> Value {
    json!({"action": "get", "node": branch(tree)})
}

fn branch(tree: &Tree) -> Value {
    let mut fields = Map::new();
    text("key", &tree.key, &mut fields);
    if let Some(value) = &tree.value {
        text("value", value, &mut fields);
    }
    if tree.dir {
        fields.insert("dir".to_owned(), true.into());
    }
    if !tree.nodes.is_empty() {
        let nodes: Vec<Value> = tree.nodes.iter().map(branch).collect();
        fields.insert("nodes".to_owned(), nodes.into());
    }
    if tree.modified > Index::ZERO {
        numbers(
            tree.modified,
            tree.created,
            tree.version,
            tree.lease,
            &mut fields,
        );
    }
    fields.into()
}

/// Any bytes: as they are where they are UTF-8, else as base64 under a name that says so.
pub fn text(name: &str, bytes: &[u8], fields: &mut Map<String, Value>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => fields.insert(name.to_owned(), text.into()),
        Err(_) => fields.insert(format!("{name}Base64"), STANDARD.encode(bytes).into()),
    };
}

/// What is 0 is not known, or is not there, and is left out.
fn numbers(
    modified: Index,
    created: Index,
    version: u64,
    lease: i64,
    fields: &mut Map<String, Value>,
) {
    fields.insert("modifiedIndex".to_owned(), modified.0.into());
    if created > Index::ZERO {
        fields.insert("createdIndex".to_owned(), created.0.into());
    }
    if version > 0 {
        fields.insert("version".to_owned(), version.into());
    }
    if lease != 0 {
        fields.insert("lease".to_owned(), lease.into());
    }
}

/// Appends a line of JSON that is known to be valid.
pub fn push_line(json: &[u8], is_terminal: bool, out: &mut Vec<u8>) {
    if is_terminal {
        let mut escaped = String::new();
        escape::json_for_terminal(&String::from_utf8_lossy(json), &mut escaped);
        out.extend_from_slice(escaped.as_bytes());
    } else {
        out.extend_from_slice(json);
    }
    out.push(b'\n');
}

/// A valid JSON text without line breaks: they can only stand between its tokens.
#[must_use]
pub fn one_line(json: &[u8]) -> Vec<u8> {
    json.trim_ascii()
        .iter()
        .map(|byte| match byte {
            b'\n' | b'\r' | b'\t' => b' ',
            other => *other,
        })
        .collect()
}

/// A declared gap as a record.
#[must_use]
pub fn gap(gap: &Gap) -> Value {
    json!({
        "action": "gap",
        "lost": {"from": gap.from.0, "to": gap.to.map(|to| to.0)},
        "certain": gap.certain,
        "cause": gap.cause.name(),
        "index": gap.index.0,
    })
}

/// A record of our own that has an action and a position, and nothing else.
#[must_use]
pub fn own(action: &str, index: Index) -> Value {
    json!({"action": action, "index": index.0})
}

/// A key of a state that was read.
fn state(index: Index, node: &StateNode) -> Value {
    json!({"action": "get", "origin": "snapshot", "index": index.0, "node": fields_of(node)})
}

/// What became of a key between two states.
fn change(index: Index, change: &Change) -> Value {
    let (action, node, previous) = match change {
        Change::Set { node, previous } => ("set", fields_of(node), previous.as_ref()),
        Change::Delete { previous } => ("delete", removed(index, previous), Some(previous)),
    };
    let mut record = json!({
        "action": action, "origin": "resync", "index": index.0, "node": node,
    });
    if let (Some(previous), Some(record)) = (previous, record.as_object_mut()) {
        record.insert("prevNode".to_owned(), fields_of(previous));
    }
    record
}

/// A key that goes with the directory above it.
fn below(index: Index, node: &StateNode) -> Value {
    json!({
        "action": "delete",
        "origin": "expand",
        "index": index.0,
        "node": removed(index, node),
        "prevNode": fields_of(node),
    })
}

/// A key as it is once it is gone.
fn removed(index: Index, node: &StateNode) -> Value {
    fields_of(&StateNode {
        key: node.key.clone(),
        dir: node.dir,
        modified: index,
        created: node.created,
        ..StateNode::default()
    })
}

/// A key of a state.
fn fields_of(node: &StateNode) -> Value {
    let mut fields = Map::new();
    text("key", &node.key, &mut fields);
    if let Some(value) = &node.value {
        text("value", value, &mut fields);
    }
    if node.dir {
        fields.insert("dir".to_owned(), true.into());
    }
    if let Some(expiration) = &node.expiration {
        fields.insert("expiration".to_owned(), expiration.as_str().into());
    }
    if let Some(ttl) = node.ttl {
        fields.insert("ttl".to_owned(), ttl.into());
    }
    // Those of the root are 0, and are told.
    fields.insert("modifiedIndex".to_owned(), node.modified.0.into());
    fields.insert("createdIndex".to_owned(), node.created.0.into());
    if node.version > 0 {
        fields.insert("version".to_owned(), node.version.into());
    }
    if node.lease != 0 {
        fields.insert("lease".to_owned(), node.lease.into());
    }
    fields.into()
}

/// How the watch is.
#[must_use]
pub fn status(status: &Status, endpoint: &str, cause: &str) -> Value {
    let mut record = json!({
        "action": "status",
        "state": status.state.name(),
        "endpoint": endpoint,
        "index": status.index.0,
    });
    if let Some(record) = record.as_object_mut().filter(|_| !cause.is_empty()) {
        record.insert("cause".to_owned(), cause.into());
    }
    record
}

/// An error as one object.
#[must_use]
pub fn error(error: &Error) -> Value {
    let mut message = error.to_string();
    if let Some(hint) = error.hint() {
        message = format!("{message} ({hint})");
    }
    let mut body = json!({
        "kind": error.kind(),
        "message": message,
        "exit": error.exit().code(),
    });
    if let (Some(fault), Some(body)) = (error.fault(), body.as_object_mut()) {
        body.insert("errorCode".to_owned(), fault.code.into());
        body.insert("cause".to_owned(), fault.cause.clone().into());
        body.insert("index".to_owned(), fault.index.0.into());
    }
    if let (Error::Lost { gap, oldest }, Some(body)) = (error, body.as_object_mut()) {
        body.insert(
            "lost".to_owned(),
            json!({"from": gap.from.0, "to": gap.to.map(|to| to.0)}),
        );
        body.insert("cause".to_owned(), gap.cause.name().into());
        body.insert("oldest".to_owned(), oldest.map(|oldest| oldest.0).into());
    }
    json!({ "error": body })
}

/// A notice as one object.
#[must_use]
pub fn notice(kind: &str, message: &str) -> Value {
    json!({"notice": {"kind": kind, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Index};
    use crate::protocol::v2;

    #[test]
    fn an_event_is_passed_through_to_the_byte() {
        let line = r#"{"action":"set","node":{"key":"/a","value":"\u003cv\u003e","modifiedIndex":7,"createdIndex":7}}"#;
        let batch = v2::parse_events(format!("{line}\n").into_bytes()).unwrap();
        let mut out = Vec::new();
        record(&Record::Event(batch.event(0).unwrap()), false, &mut out);
        assert_eq!(out, format!("{line}\n").as_bytes());
    }

    #[test]
    fn positions_that_begin_anew_have_no_end() {
        let lost = Gap {
            from: Index(10),
            to: None,
            certain: false,
            cause: Cause::ClusterChanged,
            index: Index(4),
        };
        assert_eq!(
            gap(&lost).to_string(),
            r#"{"action":"gap","lost":{"from":10,"to":null},"certain":false,"cause":"clusterChanged","index":4}"#
        );
    }

    #[test]
    fn lost_events_are_named_in_the_error() {
        let lost = Error::Lost {
            gap: Gap {
                from: Index(1),
                to: Some(Index(108)),
                certain: false,
                cause: Cause::HistoryCleared,
                index: Index(108),
            },
            oldest: Some(Index(109)),
        };
        let value = error(&lost);
        assert_eq!(value["error"]["exit"], 5);
        assert_eq!(value["error"]["lost"]["to"], 108);
        assert_eq!(value["error"]["oldest"], 109);
    }
}
