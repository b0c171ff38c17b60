//! Renders JSON Lines: one object per line, with the same fields for both APIs.
//!
//! An event of the v2 API is printed as the server sent it, because its bytes were checked when they were
//! read. `shape` renders every other record of a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::control::{Content, ControlRecord};
use super::shape::Shape;
use crate::error::Error;
use etcdwatch_engine::escape;
use etcdwatch_engine::model::{Index, Record, Tree};

/// Appends a record.
pub fn record(record: &Record<'_>, is_terminal: bool, out: &mut Vec<u8>) {
    stamped(record, None, is_terminal, out);
}

/// Appends a record, with the time at which it was received as its last field.
pub fn stamped(
    record: &Record<'_>,
    received_at: Option<&str>,
    is_terminal: bool,
    out: &mut Vec<u8>,
) {
    if let Record::Event(event) = record
        && let Some(raw) = event.raw()
    {
        let Some((time, fields)) = received_at.zip(raw.strip_suffix(b"}")) else {
            return push_line(raw, is_terminal, out);
        };
        push(fields, is_terminal, out);
        out.extend_from_slice(b",\"receivedAt\":\"");
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(b"\"}\n");
        return;
    }
    let shape = Shape::of(record, received_at);
    // Writing to memory does not fail.
    if is_terminal {
        let mut json = Vec::new();
        let _ = serde_json::to_writer(&mut json, &shape);
        push_line(&json, is_terminal, out);
    } else {
        let _ = serde_json::to_writer(&mut *out, &shape);
        out.push(b'\n');
    }
}

/// The reply to a read over v3, in the format of the v2 API.
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
        numbers(tree, &mut fields);
    }
    fields.into()
}

/// Adds a field for any bytes: a string if they are UTF-8, otherwise base64 with `Base64` added to the name.
pub fn text(name: &str, bytes: &[u8], fields: &mut Map<String, Value>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => fields.insert(name.to_owned(), text.into()),
        Err(_) => fields.insert(format!("{name}Base64"), STANDARD.encode(bytes).into()),
    };
}

/// Adds the numbers of a node. A number that is 0 is unknown and left out.
fn numbers(tree: &Tree, fields: &mut Map<String, Value>) {
    fields.insert("modifiedIndex".to_owned(), tree.modified.0.into());
    if tree.created > Index::ZERO {
        fields.insert("createdIndex".to_owned(), tree.created.0.into());
    }
    if tree.version > 0 {
        fields.insert("version".to_owned(), tree.version.into());
    }
    if tree.lease != 0 {
        fields.insert("lease".to_owned(), tree.lease.into());
    }
}

/// Appends a line of JSON that is known to be valid.
pub fn push_line(json: &[u8], is_terminal: bool, out: &mut Vec<u8>) {
    push(json, is_terminal, out);
    out.push(b'\n');
}

fn push(json: &[u8], is_terminal: bool, out: &mut Vec<u8>) {
    if is_terminal {
        let mut escaped = String::new();
        escape::json_for_terminal(&String::from_utf8_lossy(json), &mut escaped);
        out.extend_from_slice(escaped.as_bytes());
    } else {
        out.extend_from_slice(json);
    }
}

/// Replaces the line breaks in valid JSON, which can only be between its tokens.
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

/// A control record, with the time at which it was received as its last field.
#[must_use]
pub fn control(record: &ControlRecord<'_>, received_at: Option<&str>) -> Value {
    let (action, index) = (record.action(), record.index().0);
    let mut value = match record.content {
        Content::Gap(gap) => json!({
            "action": action,
            "lost": {"from": gap.from.0, "to": gap.to.map(|to| to.0)},
            "certain": gap.certain,
            "cause": gap.cause.name(),
            "index": index,
        }),
        Content::Reset(_) | Content::Synced(_) => json!({"action": action, "index": index}),
        Content::Status(status, url) => json!({
            "action": action,
            "state": status.state.name(),
            "endpoint": url,
            "index": index,
        }),
    };
    if let Some(fields) = value.as_object_mut() {
        if let Some(cause) = record.cause() {
            fields.insert("cause".to_owned(), cause.into());
        }
        if let Some(time) = received_at {
            fields.insert("receivedAt".to_owned(), time.into());
        }
    }
    value
}

/// The object for an error. The hint follows the message after a semicolon.
#[must_use]
pub fn error(error: &Error) -> Value {
    let mut message = error.to_string();
    if let Some(hint) = error.hint() {
        message = format!("{message}; {hint}");
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

/// The object for a notice.
#[must_use]
pub fn notice(kind: &str, message: &str) -> Value {
    json!({"notice": {"kind": kind, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdwatch_engine::model::{Cause, Gap, Index};
    use etcdwatch_engine::v2;

    #[test]
    fn an_event_is_printed_byte_for_byte() {
        let line = r#"{"action":"set","node":{"key":"/a","value":"\u003cv\u003e","modifiedIndex":7,"createdIndex":7}}"#;
        let batch = v2::parse_events(format!("{line}\n").into_bytes()).unwrap();
        let mut out = Vec::new();
        record(&Record::Event(batch.event(0).unwrap()), false, &mut out);
        assert_eq!(out, format!("{line}\n").as_bytes());
    }

    #[test]
    fn a_gap_after_a_replaced_store_has_no_end() {
        let lost = Gap {
            from: Index(10),
            to: None,
            certain: false,
            cause: Cause::ClusterChanged,
            index: Index(4),
        };
        let record = ControlRecord {
            scope: "/a",
            content: Content::Gap(&lost),
        };
        assert_eq!(
            control(&record, None).to_string(),
            r#"{"action":"gap","lost":{"from":10,"to":null},"certain":false,"cause":"clusterChanged","index":4}"#
        );
    }

    #[test]
    fn an_error_about_lost_events_contains_their_range() {
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
