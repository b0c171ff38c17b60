//! Escaped text: a record is one line without control characters, and different texts stay
//! different.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdwatch::render::json;
use etcdwatch::render::text::{self, Style, Values};
use etcdwatch_engine::escape;
use etcdwatch_engine::model::{Key, Record, Scope};
use etcdwatch_engine::v3::{Assembler, WatchItem};

use super::bytes::Bytes;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let one = bytes.text();
    let other = bytes.text();
    let (first, second) = (escaped(one), escaped(other));
    assert_quiet(&first);
    assert_eq!(first == second, one == other, "{first} {second}");
    let message = escape::message(&String::from_utf8_lossy(one));
    message.lines().for_each(assert_quiet);
    let quoted = serde_json::Value::from(String::from_utf8_lossy(one)).to_string();
    let mut shown = String::new();
    escape::json_for_terminal(&quoted, &mut shown);
    assert_quiet(&shown);
    let again: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(again.to_string(), quoted);
    record(one, other);
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    escape::text(bytes, &mut out);
    out
}

/// Checks that a line has no character that could control a terminal.
fn assert_quiet(line: &str) {
    let steers = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    assert!(!line.contains(steers), "{line:?}");
}

/// A record with this key and this value, in every form.
fn record(key: &[u8], value: &[u8]) {
    if key.is_empty() {
        return;
    }
    let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
    let mut assembler = Assembler::new(Scope::new(Key::prefix(""), false));
    let pair =
        format!(r#"{{"key":"{key}","value":"{value}","create_revision":"2","mod_revision":"2"}}"#);
    let event = format!(r#"{{"kv":{pair},"prev_kv":{pair}}}"#);
    let item = assembler.event(event.as_bytes()).expect("an event");
    assert!(item.is_none());
    let over = br#"{"result":{"header":{"revision":"2"}}}"#;
    for item in assembler.message(over).expect("a message") {
        let WatchItem::Events(portion) = item else {
            continue;
        };
        let event = portion.batch.event(0).expect("the event");
        for (aligned, values) in [
            (false, Values::Now),
            (false, Values::Both),
            (true, Values::Both),
        ] {
            let style = Style {
                aligned,
                colored: false,
                values,
            };
            let mut line = String::new();
            text::record(&Record::Event(event), style, &mut line);
            let line = line.strip_suffix('\n').expect("a line");
            // Its fields are separated by tabs.
            line.split('\t').for_each(assert_quiet);
        }
        let mut line = Vec::new();
        json::record(&Record::Event(event), true, &mut line);
        let line = String::from_utf8(line).expect("UTF-8");
        assert_quiet(line.strip_suffix('\n').expect("a line"));
    }
}
