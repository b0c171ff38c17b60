//! v2 replies: what is accepted can be printed again, and does not imitate a record of the tool.

use etcdwatch::render::json;
use etcdwatch_engine::model::Record;
use etcdwatch_engine::v2::{self, fault};
use serde_json::Value;

/// The actions that only etcdwatch uses.
const OWN: [&str; 5] = ["gap", "reset", "synced", "status", "drift"];

pub fn run(data: &[u8]) {
    let _ = v2::check_state(data);
    if let Some(fault) = fault::parse(data) {
        let _ = (fault::oldest_kept(&fault), fault::name(fault.code));
    }
    let _ = fault::parse_message(data);
    if let Ok(state) = v2::parse_state(data) {
        let nodes = state.node.clone().flatten(false);
        assert!(nodes.len() <= state.node.flatten(true).len().max(1));
    }
    let Ok(batch) = v2::parse_events(data.to_vec()) else {
        return;
    };
    for event in batch.iter() {
        let name = String::from_utf8_lossy(event.action_name()).into_owned();
        assert!(!OWN.contains(&name.as_str()), "{name}");
        for is_terminal in [false, true] {
            let mut line = Vec::new();
            json::record(&Record::Event(event), is_terminal, &mut line);
            assert_eq!(line.pop(), Some(b'\n'));
            assert!(
                !line.contains(&b'\n') && !line.contains(&b'\r'),
                "one record is one line"
            );
            let value: Value = match serde_json::from_slice(&line) {
                Ok(value) => value,
                // It is one for JSON, and none for everybody.
                Err(error) if error.to_string().starts_with("number out of range") => continue,
                Err(error) => panic!("what is printed is JSON: {error}"),
            };
            assert!(value.get("origin").is_none(), "{value}");
            assert_eq!(value["action"], *name);
            line.push(b'\n');
            let again = v2::parse_events(line).expect("what is printed can be read");
            let again = again.event(0).expect("an event");
            assert_eq!(again.node().key(), event.node().key());
            assert_eq!(again.node().value(), event.node().value());
            assert_eq!(again.index(), event.index());
        }
    }
}
