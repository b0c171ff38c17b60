//! Resuming: within a transaction, from a checkpoint, and at a store that was replaced.

use serde_json::{Value, json};

use super::{brief, live, records};
use crate::support::etcd::{Etcd, Version};
use crate::support::tool::{Signal, assert_ends, tool};
use crate::support::{follow, shared, v3, wait};

#[test]
fn a_stream_resumes_within_a_transaction() {
    let subtree = shared::any();
    let (url, top) = (subtree.url(), subtree.key("t"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("checkpoint");
    let keys: Vec<String> = (0..4).map(|number| format!("{top}/{number}")).collect();
    let before = v3::put(&url, &keys[0], b"before");
    let index = v3::transaction(&url, keys.iter().map(|key| (key.as_str(), Some("v"))));
    let (from, path) = (before.to_string(), file.to_str().unwrap());
    let watch = |count: &str| {
        let options = ["--from-index", &from, "--checkpoint", path];
        let watch = ["watch", "--stream", "-r", &top, "--count", count];
        records(&url, &[&watch[..], &options].concat())
    };
    let last = v3::put(&url, &keys[0], b"after");
    let mut printed = Vec::new();
    for count in ["2", "1", "3"] {
        printed.extend(brief(&watch(count)));
    }
    let mut expected = vec![format!("{before} set {}", keys[0])];
    expected.extend(keys.iter().map(|key| format!("{index} set {key}")));
    expected.push(format!("{last} set {}", keys[0]));
    assert_eq!(printed, expected);
}

#[test]
fn a_killed_v3_watch_resumes_from_its_checkpoint() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint");
        let path = file.to_str().unwrap();
        let first = live(&url, &["-r", "/app", "--checkpoint", path]);
        v3::put(&url, "/app/a", b"1");
        let gone = v3::delete(&url, "/app/a");
        follow::wait_for_checkpoint(&file, gone);
        first.signal(Signal::KILL);
        first.wait(wait::LONG);
        let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(saved["api"], "v3");
        let missed = v3::put(&url, "/app/b", b"1");
        let refused = tool(&[
            "--endpoints",
            &url,
            "--api",
            "v2",
            "watch",
            "--stream",
            "-r",
            "/app",
            "--checkpoint",
            path,
        ]);
        assert_ends(&refused, 2, &["v3"]);
        // By default the API of the checkpoint is used.
        let second = follow::live(&url, &["-r", "/app", "--checkpoint", path]);
        let printed = follow::wait_for_value(&second, "/app/b", "1");
        assert_eq!(brief(&printed), [format!("{missed} set /app/b")]);
    }
}

#[test]
fn a_replaced_v3_store_is_detected_by_the_last_event() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        v3::put(&url, "/app/a", b"old");
        let running = live(&url, &["-r", "/app", "--snapshot"]);
        let index = v3::put(&url, "/app/b", b"old");
        follow::wait_for_value(&running, "/app/b", "old");
        etcd.wipe_and_restart();
        for _ in 0..=index {
            v3::put(&url, "/app/c", b"new");
        }
        let printed = follow::wait_for(&running, "the state", |record| {
            record["node"]["key"] == "/app/c"
        });
        let gap = printed
            .iter()
            .find(|record| record["action"] == "gap")
            .unwrap();
        assert_eq!(
            (&gap["cause"], &gap["lost"]["to"]),
            (&json!("indexRewound"), &Value::Null)
        );
    }
}
