//! v3 replies: events are in order and in scope, and can be printed as JSON without losing a byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdwatch::render::json;
use etcdwatch_engine::decode::{Messages, Part};
use etcdwatch_engine::model::{Batch, Index, Key, Record, Scope};
use etcdwatch_engine::v3::{self, Assembler, WatchItem};
use serde_json::Value;

use super::bytes::Bytes;

const LIMIT: usize = 1 << 16;

pub fn run(data: &[u8]) {
    let _ = (
        v3::parse_lease(data),
        v3::parse_token(data),
        v3::fault::parse(data),
    );
    if let Ok(reply) = v3::parse_reply(data) {
        check(&reply.written(b"k", b"v", None));
        check(&reply.deleted());
    }
    let mut bytes = Bytes(data);
    let scope = match bytes.byte() % 3 {
        0 => Scope::new(Key::prefix(""), false),
        1 => Scope::new(Key::literal("/a").expect("a key"), true),
        _ => Scope::new(Key::literal("/a").expect("a key"), false),
    };
    let mut messages = Messages::new(LIMIT);
    let mut assembler = Assembler::new(scope.clone());
    let mut rest = bytes.0;
    while let Ok(Some(part)) = messages.next(&mut rest) {
        let items = match part {
            Part::Element(text) => assembler
                .event(text)
                .map(|portion| portion.map(WatchItem::Events).into_iter().collect()),
            Part::Message(text) => assembler.message(text),
        };
        let Ok(items): Result<Vec<WatchItem>, _> = items else {
            return;
        };
        for item in items {
            if let WatchItem::Events(portion) = item {
                let batch = &portion.batch;
                let indexes: Vec<Index> = batch.iter().map(|event| event.index()).collect();
                assert!(indexes.is_sorted(), "{indexes:?}");
                assert!(
                    batch
                        .iter()
                        .all(|event| scope.covers(event.node().key(), false))
                );
                check(batch);
            }
        }
    }
}

/// Each event is one line of JSON, in which its bytes are found again.
fn check(batch: &Batch) {
    for event in batch.iter() {
        let mut line = Vec::new();
        json::record(&Record::Event(event), false, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        assert!(!line.contains(&b'\n'), "one record is one line");
        let value: Value = serde_json::from_slice(&line).expect("what is printed is JSON");
        let node = &value["node"];
        assert_eq!(bytes(node, "key").as_deref(), Some(event.node().key()));
        assert_eq!(bytes(node, "value").as_deref(), event.node().value());
        assert_eq!(node["modifiedIndex"].as_u64(), Some(event.index().0));
    }
}

fn bytes(node: &Value, name: &str) -> Option<Vec<u8>> {
    match node.get(name) {
        Some(text) => Some(text.as_str()?.as_bytes().to_vec()),
        None => STANDARD
            .decode(node.get(format!("{name}Base64"))?.as_str()?)
            .ok(),
    }
}
