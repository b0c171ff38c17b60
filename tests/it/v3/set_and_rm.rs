//! `set` and `rm`: events, bytes, conditions, leases, and literal keys.

use serde_json::{Value, json};

use super::{number, pair, put, record, with_v3};
use crate::support::etcd::{Etcd, Version};
use crate::support::shared;
use crate::support::tool::{Program, assert_fails};
use crate::support::v2;
use crate::support::v3::encode;

#[test]
fn set_prints_the_event_of_the_write() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let created = put(&subtree, &key, b"u");
        let event = record(&with_v3(&subtree, &["set", &key, "v", "-o", "json"]));
        let there = pair(&subtree, &key);
        let modified = number(&there["mod_revision"]);
        assert!(modified > created);
        assert_eq!(there["value"], encode("v"));
        assert_eq!(
            event,
            json!({
                "action": "set",
                "node": {"key": key, "value": "v", "modifiedIndex": modified, "createdIndex": created, "version": 2},
                "prevNode": {"key": key, "value": "u", "modifiedIndex": created, "createdIndex": created, "version": 1},
            })
        );
    }
}

#[test]
fn set_and_get_keep_arbitrary_bytes() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let bytes = b"\xff\x00\n\"\\";
        let set = subtree
            .program(&["--api", "v3", "set", &key, "-"])
            .stdin(bytes)
            .run();
        assert_eq!(set.code, 0, "{set:?}");
        assert_eq!(pair(&subtree, &key)["value"], encode(bytes));
        let got = record(&with_v3(&subtree, &["get", &key, "-o", "json"]));
        assert_eq!(got["node"]["valueBase64"], encode(bytes));
        assert_eq!(got["node"]["value"], Value::Null);
    }
}

#[test]
fn conditions_work_and_fail_as_with_the_v2_api() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        assert_fails(
            &with_v3(&subtree, &["set", "--update", &key, "v"]),
            1,
            &["key not found"],
        );
        assert_fails(
            &with_v3(&subtree, &["set", "--prev-value", "", &key, "v"]),
            1,
            &["key not found"],
        );
        assert_eq!(with_v3(&subtree, &["set", "--create", &key, ""]).code, 0);
        assert_fails(
            &with_v3(&subtree, &["set", "--create", &key, "v"]),
            1,
            &["already exists"],
        );
        assert_fails(
            &with_v3(&subtree, &["set", "--prev-value", "x", &key, "v"]),
            1,
            &["compare failed: [x != ]"],
        );
        assert_eq!(
            with_v3(&subtree, &["set", "--prev-value", "", &key, "v"]).code,
            0
        );
        let index = number(&pair(&subtree, &key)["mod_revision"]).to_string();
        assert_fails(
            &with_v3(&subtree, &["rm", "--prev-index", "1", &key]),
            1,
            &[&index],
        );
        assert_eq!(pair(&subtree, &key)["value"], encode("v"));
        let removed = with_v3(&subtree, &["rm", "--prev-index", &index, &key]);
        assert_eq!(removed.code, 0, "{removed:?}");
        assert_eq!(pair(&subtree, &key), Value::Null);
        assert_fails(&with_v3(&subtree, &["rm", &key]), 1, &["key not found"]);
    }
}

#[test]
fn set_ttl_attaches_a_lease() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let event = record(&with_v3(
            &subtree,
            &["set", "--ttl", "60", &key, "v", "-o", "json"],
        ));
        let lease = event["node"]["lease"].as_i64().unwrap().to_string();
        assert_eq!(pair(&subtree, &key)["lease"], lease.as_str());
        let body = json!({"ID": lease});
        let left = v2::v3(&subtree.url(), "/v3/lease/timetolive", &body);
        assert_eq!(left["grantedTTL"], "60");
        v2::v3(&subtree.url(), "/v3/lease/revoke", &body);
        assert_eq!(pair(&subtree, &key), Value::Null);
    }
}

#[test]
fn a_lease_is_revoked_if_the_condition_fails() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let server = ["--endpoints", &url, "--api", "v3"];
        let write = ["set", "--update", "--ttl", "60", "/k", "v"];
        let output = Program::tool(&[&server[..], &write[..]].concat()).run();
        assert_fails(&output, 1, &["key not found"]);
        let leases = v2::v3(&etcd.url(), "/v3/lease/leases", &json!({}));
        assert_eq!(leases["leases"], Value::Null);
    }
}

#[test]
fn rm_recursive_removes_the_subtree_and_no_sibling_prefix() {
    for subtree in shared::each() {
        for name in ["d", "d/x", "d/y", "d-e", "dd"] {
            put(&subtree, &subtree.key(name), b"v");
        }
        let key = subtree.key("d");
        let output = with_v3(&subtree, &["rm", "-r", &key]);
        let removed: Vec<&str> = output
            .stdout
            .lines()
            .map(|line| line.split('\t').nth(2).unwrap())
            .collect();
        assert_eq!(
            removed,
            [key.clone(), format!("{key}/x"), format!("{key}/y")]
        );
        assert_eq!(pair(&subtree, &subtree.key("d-e"))["value"], encode("v"));
        assert_eq!(
            with_v3(&subtree, &["rm", "--prefix", &key])
                .stdout
                .lines()
                .count(),
            2
        );
    }
}

#[test]
fn v3_keys_are_used_literally() {
    let subtree = shared::any();
    let key = format!("no{}//slash/", subtree.root());
    assert_eq!(with_v3(&subtree, &["set", &key, "v"]).code, 0);
    assert_eq!(pair(&subtree, &key)["value"], encode("v"));
    assert_eq!(with_v3(&subtree, &["get", &key]).stdout, "v\n");
}

#[test]
fn an_empty_v3_key_is_rejected_with_a_hint() {
    let subtree = shared::any();
    for command in [
        &["get", ""][..],
        &["set", "", "v"],
        &["rm", ""],
        &["watch", ""],
    ] {
        let output = with_v3(&subtree, command);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains("--prefix ''"), "{output:?}");
    }
}
