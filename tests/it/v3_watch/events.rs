//! Events of keys, subtrees and prefixes, live and from history, and the state before them.

use serde_json::json;

use super::{brief, live, records, with_v3};
use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::Proxy;
use crate::support::{follow, shared, v2, v3, wait};

#[test]
fn a_v3_event_has_the_v2_fields_plus_version_and_lease() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("k"));
        let running = live(&url, &[&key]);
        let lease = v2::v3(&url, "/v3/lease/grant", &json!({"TTL": "600"}));
        let lease: i64 = lease["ID"].as_str().unwrap().parse().unwrap();
        let set = v3::put(&url, &key, b"v");
        let body =
            json!({"key": v3::encode(&key), "value": v3::encode("w"), "lease": lease.to_string()});
        let again = v3::revision(&v2::v3(&url, "/v3/kv/put", &body));
        let gone = v3::delete(&url, &key);
        let printed = follow::wait_for(&running, "the delete", |record| {
            record["action"] == "delete"
        });
        let first = json!({"key": key, "value": "v", "modifiedIndex": set, "createdIndex": set, "version": 1});
        let second = json!({"key": key, "value": "w", "modifiedIndex": again, "createdIndex": set, "version": 2, "lease": lease});
        assert_eq!(
            printed,
            [
                json!({"action": "set", "node": first}),
                json!({"action": "set", "node": second, "prevNode": first}),
                json!({"action": "delete", "node": {"key": key, "modifiedIndex": gone}, "prevNode": second}),
            ]
        );
    }
}

#[test]
fn recursive_watches_the_subtree_and_prefix_every_key_with_that_prefix() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("app"));
        let names = ["", "/", "/x", "-x", "/_h/y", "le"];
        let keys: Vec<String> = names.iter().map(|name| format!("{top}{name}")).collect();
        let first = v3::transaction(&url, keys.iter().map(|key| (key.as_str(), Some("v"))));
        let from = ["--from-index", &first.to_string()];
        let seen = |arguments: &[&str]| -> Vec<String> {
            let printed = records(&url, &[&["replay", &top], arguments, &from].concat());
            let keys = printed
                .iter()
                .map(|record| record["node"]["key"].as_str().unwrap());
            keys.map(|key| key.strip_prefix(&top).unwrap().to_owned())
                .collect()
        };
        assert_eq!(seen(&[]), [""]);
        assert_eq!(seen(&["-r"]), ["", "/", "/x", "/_h/y"]);
        assert_eq!(seen(&["--prefix"]), names);
    }
}

#[test]
fn hundreds_of_keys_are_read_and_watched_in_one_run() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let keys: Vec<String> = (0..200).map(|number| format!("/k{number:03}")).collect();
        let first = v3::put(&url, "/k000/below", b"v");
        let last = v3::put(&url, "/k199", b"v");
        v3::put(&url, "/elsewhere", b"v");
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let snapshot = [
            "watch",
            "--stream",
            "-r",
            "--snapshot",
            "--stale-after",
            "1s",
        ];
        let watch = [&snapshot[..], &["--status"], &keys].concat();
        let proxy = Proxy::to(&url);
        let running = with_v3(&proxy.url(), &watch).start();
        let state = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        let expected = [
            format!("{} get /k000/below", last + 1),
            format!("{} get /k199", last + 1),
            format!("{} synced", last + 1),
        ];
        assert_eq!(brief(&state), expected);
        wait::until(wait::LONG, "a look at what was written", || {
            let requests = proxy.requests();
            // Reading the state took as many requests: two for each key.
            let reads = requests.iter().filter(|line| line.contains("/kv/range"));
            reads.count() >= 2 * 2 * 200
        });
        // Such a transaction would crash an etcd before 3.5.7 if the tool is killed meanwhile (fact
        // 24).
        let reads_by_transaction = |line: &String| line.contains("/kv/txn");
        assert!(!proxy.requests().iter().any(reads_by_transaction));
        v3::put(&url, "/k150", b"new");
        follow::wait_for_value(&running, "/k150", "new");
        v3::delete(&url, "/k150");
        let replay = ["replay", "-r", "--from-index", "1"];
        let printed = records(&url, &[&replay[..], &keys].concat());
        let expected = [
            format!("{first} set /k000/below"),
            format!("{last} set /k199"),
            format!("{} set /k150", last + 2),
            format!("{} delete /k150", last + 3),
        ];
        assert_eq!(brief(&printed), expected);
    }
}

#[test]
fn keys_and_values_that_are_not_utf8_are_printed_exactly() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("bytes"));
        let key = [top.as_bytes(), b"\xff\n"].concat();
        let body = json!({"key": v3::encode(&key), "value": v3::encode(b"\x00\xfe")});
        let index = v3::revision(&v2::v3(&url, "/v3/kv/put", &body)).to_string();
        let printed = records(&url, &["replay", "--prefix", &top, "--from-index", &index]);
        assert_eq!(printed[0]["node"]["keyBase64"], v3::encode(&key));
        assert_eq!(printed[0]["node"]["valueBase64"], v3::encode(b"\x00\xfe"));
        let output = subtree.tool(&[
            "--api",
            "v3",
            "replay",
            "--prefix",
            &top,
            "--from-index",
            &index,
        ]);
        assert_eq!(
            output.stdout,
            format!("{index}\tset\t{top}\\xff\\n\t\\x00\\xfe\n")
        );
    }
}

#[test]
fn watch_prints_one_event_from_history_or_live() {
    for subtree in shared::each() {
        let (url, key) = (subtree.url(), subtree.key("k"));
        let first = v3::put(&url, &key, b"1");
        v3::put(&url, &key, b"2");
        let printed = records(&url, &["watch", &key, "--from-index", &first.to_string()]);
        assert_eq!(brief(&printed), [format!("{first} set {key}")]);
        let program = with_v3(&url, &["-v", "watch", &key]);
        let running = program.start();
        running.wait_for_stderr("< 200", wait::LONG);
        wait::until(wait::LONG, "the event", || {
            // The watch may not be registered when the first event is written.
            v3::put(&url, &key, b"3");
            running.has_ended()
        });
        let output = running.wait(wait::LONG);
        assert_eq!((output.code, output.json().len()), (0, 1), "{output:?}");
    }
}

#[test]
fn snapshot_over_v3_prints_the_state_and_then_events() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("s"));
        for name in ["b", "a/x", "a"] {
            v3::put(&url, &format!("{top}/{name}"), b"v");
        }
        let running = live(&url, &["-r", &top, "--snapshot"]);
        follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        let index = v3::put(&url, &format!("{top}/new"), b"v");
        let printed = follow::wait_for_value(&running, &format!("{top}/new"), "v");
        let keys: Vec<&str> = printed
            .iter()
            .filter_map(|record| record["node"]["key"].as_str())
            .collect();
        let expected = ["a", "a/x", "b", "new"].map(|name| format!("{top}/{name}"));
        assert_eq!(keys, expected);
        assert_eq!(printed[0]["origin"], "snapshot");
        assert_eq!(follow::index(printed.last().unwrap()), index);
    }
}
