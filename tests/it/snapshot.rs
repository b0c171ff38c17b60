//! `--snapshot`: the present state first, and then every event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::follow::{self, State};
use crate::support::oracle;
use crate::support::shared;
use crate::support::tool::Running;
use crate::support::v2::{self, Truth, Writer};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn snapshot_prints_the_state_first_in_key_order() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("top"));
        let key = |name: &str| format!("{top}/{name}");
        let mut written = Vec::new();
        for name in ["b", "a/z", "a-b", "a/é", "ключ"] {
            written.push(v2::put(&url, &key(name), &format!("value of {name}")));
        }
        subtree.mkdir(&key("empty"));
        let index = v2::index(&url);
        let running = follow::live(&url, &["-r", &top, "--snapshot"]);
        let truth = v2::put(&url, &key("later"), "v");
        let records = follow::wait_for_value(&running, &key("later"), "v");
        let keys: Vec<String> = records[..8]
            .iter()
            .map(|record| record["node"]["key"].as_str().unwrap().to_owned())
            .collect();
        let mut expected = [""; 8].map(|_| top.clone());
        for (place, name) in ["a", "a-b", "a/z", "a/é", "b", "empty", "ключ"]
            .iter()
            .enumerate()
        {
            expected[place + 1] = key(name);
        }
        assert_eq!(keys, expected);
        for record in &records[..8] {
            assert_eq!(record["action"], "get", "{record}");
            assert_eq!(record["origin"], "snapshot", "{record}");
            assert!(record["index"].as_u64().unwrap() >= index, "{record}");
            assert_eq!(record["index"], records[0]["index"]);
        }
        for place in [0, 1, 6] {
            assert_eq!(records[place]["node"]["dir"], true, "{}", records[place]);
        }
        // The node is as etcd sends it, with both indexes.
        assert_eq!(
            records[5]["node"],
            json!({
                "key": key("b"),
                "value": "value of b",
                "modifiedIndex": written[0].index,
                "createdIndex": written[0].index,
            })
        );
        let synced = json!({"action": "synced", "index": records[0]["index"]});
        assert_eq!(records[8], synced);
        assert_eq!(oracle::events(&records), [truth]);
        assert_eq!(
            follow::apply(State::new(), &top, &records),
            follow::server(&url, &top)
        );
        follow::assert_indexes_never_decrease(&records);
    }
}

#[test]
fn snapshot_without_recursive_prints_only_the_key() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("dir/k"));
        v2::put(&url, &key, "1");
        v2::put(&url, &subtree.key("dir/beside"), "1");
        let running = follow::live(&url, &[&key, "--snapshot"]);
        let truth = v2::put(&url, &key, "2");
        let records = follow::wait_for_value(&running, &key, "2");
        assert_eq!(records.len(), 3, "{records:?}");
        assert_eq!(records[0]["node"]["key"], key);
        assert_eq!(records[0]["node"]["value"], "1");
        assert_eq!(records[1]["action"], "synced");
        assert_eq!(oracle::events(&records), [truth]);
        // Without -r, the contents of a directory are not printed.
        let directory = subtree.key("dir");
        let running = follow::live(&url, &[&directory, "--snapshot"]);
        let records = follow::wait_for(&running, "synced", |one| one["action"] == "synced");
        assert_eq!(records.len(), 2, "{records:?}");
        assert_eq!(records[0]["node"]["key"], directory);
        assert_eq!(records[0]["node"]["dir"], true);
    }
}

#[test]
fn snapshot_of_a_missing_key_prints_only_synced() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("missing"));
        for arguments in [&["--snapshot"][..], &["--snapshot", "-r"]] {
            let running = follow::live(&url, &[&[key.as_str()], arguments].concat());
            let records = follow::wait_for(&running, "synced", |one| one["action"] == "synced");
            assert_eq!(records.len(), 1, "{records:?}");
            // The creation of the key is printed.
            let truth = v2::put(&url, &key, "now");
            let records = follow::wait_for_value(&running, &key, "now");
            assert_eq!(oracle::events(&records), [truth]);
            v2::delete(&url, &key, "");
        }
    }
}

#[test]
fn a_snapshot_is_lines_in_text_output() {
    let subtree = shared::any();
    let (url, top) = (subtree.url(), subtree.key("top"));
    v2::put(&url, &format!("{top}/dir/k"), "a\tb");
    let running = Running::start(&[
        "--endpoints",
        &url,
        "watch",
        "--stream",
        "-r",
        &top,
        "--snapshot",
        "--count",
        "1",
        "-v",
    ]);
    running.wait_for_stderr("?wait=true", LIMIT);
    running.wait_for_lines(4, LIMIT);
    let set = v2::put(&url, &format!("{top}/dir/k"), "c").index;
    let output = running.wait(LIMIT);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let index = lines[0].split('\t').next().unwrap();
    assert_eq!(
        lines,
        [
            format!("{index}\tget\t{top}/\t"),
            format!("{index}\tget\t{top}/dir/\t"),
            format!("{index}\tget\t{top}/dir/k\ta\\tb"),
            format!("{index}\tsynced\t{top}"),
            format!("{set}\tset\t{top}/dir/k\tc"),
        ]
    );
    assert!(index.parse::<u64>().unwrap() < set);
}

/// Writes at full speed until `enough`: sets a few keys repeatedly, and sets and deletes new ones.
fn write_until(url: &str, client: usize, enough: &AtomicBool) -> Vec<Truth> {
    let mut writer = Writer::connect(url);
    let mut truth = Vec::new();
    for number in 0.. {
        if enough.load(Ordering::SeqCst) {
            break;
        }
        let fresh = format!("/app/new/{client}-{number}");
        truth.push(writer.put(&format!("/app/k{client}"), &number.to_string()));
        truth.push(writer.put(&fresh, "v"));
        if number % 2 == 0 {
            let path = v2::key_path(&fresh);
            truth.push(writer.request("DELETE", &path, &[]).truth());
        }
    }
    truth
}

#[test]
fn no_event_is_lost_or_repeated_between_snapshot_and_stream() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        v2::burst(&url, 100, |number| {
            (format!("/app/old/{number}"), "v".to_owned())
        });
        for _ in 0..3 {
            let enough = AtomicBool::new(false);
            let (running, mut truth) = thread::scope(|scope| {
                let clients: Vec<_> = (0..4)
                    .map(|client| {
                        scope.spawn({
                            let (url, enough) = (&url, &enough);
                            move || write_until(url, client, enough)
                        })
                    })
                    .collect();
                let running = follow::live(&url, &["-r", "/app", "--snapshot"]);
                follow::wait_for(&running, "events after the state", |record| {
                    record["node"]["modifiedIndex"].is_u64() && record.get("origin").is_none()
                });
                enough.store(true, Ordering::SeqCst);
                let clients = clients.into_iter();
                let truth: Vec<Truth> = clients.flat_map(|client| client.join().unwrap()).collect();
                (running, truth)
            });
            truth.push(v2::put(&url, "/app/end", &v2::index(&url).to_string()));
            truth.sort_by_key(|one| one.index);
            let end = truth.last().unwrap().value.clone().unwrap();
            let records = follow::wait_for_value(&running, "/app/end", &end);
            let synced = records
                .iter()
                .find(|record| record["action"] == "synced")
                .and_then(|record| record["index"].as_u64())
                .unwrap();
            truth.retain(|one| one.index > synced);
            oracle::assert_every_event_once(&truth, &records);
            let states: Vec<&Value> = records
                .iter()
                .filter(|record| record["origin"] == "snapshot")
                .map(|record| &record["index"])
                .collect();
            assert!(states.len() > 100 && states.iter().all(|index| **index == synced));
            assert_eq!(
                follow::apply(State::new(), "/app", &records),
                follow::server(&url, "/app")
            );
            follow::assert_indexes_never_decrease(&records);
        }
    }
}
