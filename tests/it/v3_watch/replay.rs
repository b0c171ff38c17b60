//! `replay`: where it ends.

use serde_json::json;

use super::records;
use crate::support::etcd::{Etcd, Version};
use crate::support::v2::Writer;
use crate::support::v3;

#[test]
fn replay_over_v3_ends_at_the_last_event() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let replay = |key: &str| records(&url, &["replay", "-r", key, "--from-index", "1"]);
        assert!(replay("/app").is_empty(), "an empty store");
        // A server sends 1,000 events at once, so that nothing shows that these were all.
        let mut writer = Writer::connect(&url);
        for number in 0..1000 {
            v3::put_with(&mut writer, "/app/k", &number.to_string());
        }
        assert_eq!(replay("/app").len(), 1000);
        assert!(replay("/nothing").is_empty(), "nothing in scope");
        v3::put_with(&mut writer, "/other", "v");
        assert_eq!(replay("/app").len(), 1000);
        let part = [
            "replay",
            "-r",
            "/app",
            "--from-index",
            "500",
            "--to-index",
            "600",
        ];
        assert_eq!(records(&url, &part).len(), 101);
    }
}

/// 3.4 reads each previous value separately, and is silent for seconds meanwhile.
#[test]
fn replay_over_v3_waits_for_a_slow_server() {
    let etcd = Etcd::builder(Version::V3_4)
        .arg("--max-txn-ops=1000")
        .start();
    let mut writer = Writer::connect(&etcd.url());
    for number in 0..40 {
        let keys: Vec<String> = (0..1000).map(|key| format!("/app/{key:03}")).collect();
        let value = number.to_string();
        let operations = keys.iter().map(|key| (key.as_str(), Some(value.as_str())));
        v3::transaction_with(&mut writer, operations);
    }
    let printed = records(&etcd.url(), &["replay", "-r", "/app", "--from-index", "1"]);
    assert_eq!(printed.len(), 40_000);
    let last = &printed[39_999];
    assert_eq!(
        (&last["node"]["value"], &last["prevNode"]["value"]),
        (&json!("39"), &json!("38"))
    );
}
