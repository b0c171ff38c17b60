//! Tests of the writer over v2.

use crate::support::etcd::{Etcd, Version};
use crate::support::v2::{self, Writer};

#[test]
fn a_burst_returns_every_change_that_history_has() {
    let etcd = Etcd::start(Version::V3_5);
    let written = v2::burst(&etcd.url(), 500, |number| {
        (format!("/burst/{number}"), format!("v{number}"))
    });
    assert_eq!(written.len(), 500);
    let mut writer = Writer::connect(&etcd.url());
    for truth in &written {
        let wait = format!(
            "/v2/keys/burst?wait=true&recursive=true&waitIndex={}",
            truth.index
        );
        let event = writer.request("GET", &wait, &[]).truth();
        assert_eq!(event, *truth);
    }
    let last = writer.put("/burst/0", "again");
    assert_eq!(last.index, written.last().unwrap().index + 1);
}

#[test]
fn a_writer_accepts_any_key_and_value() {
    let etcd = Etcd::start(Version::V3_4);
    let key = "/a b/ü%2F?#&+\n";
    let written = v2::put(&etcd.url(), key, "x=y&z %\u{1b}ß");
    assert_eq!(written.key, key);
    assert_eq!(written.value.as_deref(), Some("x=y&z %\u{1b}ß"));
    let in_order = v2::post(&etcd.url(), "/queue", "1");
    assert_eq!(in_order.action, "create");
    assert!(in_order.key.starts_with("/queue/"), "{}", in_order.key);
    let deleted = v2::delete(&etcd.url(), "/queue", "recursive=true");
    assert_eq!((deleted.action.as_str(), deleted.value), ("delete", None));
}
