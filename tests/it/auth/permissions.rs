//! Users who may read only a part of the store, with both APIs.

use serde_json::{Value, json};

use super::{PASSWORD, Root, USER, USER_AND_PASSWORD, as_user, as_v3_user, server};
use crate::support::etcd::Version;
use crate::support::follow;
use crate::support::tool::{Output, Program, assert_ends, tool};
use crate::support::{v2, v3};

/// A replay over v3 as the user who may read `/app` only.
fn replay_of_a_part(url: &str, options: &[&str]) -> Output {
    let who = ["--endpoints", url, "--user", USER_AND_PASSWORD];
    let replay = ["--api", "v3", "replay", "-r", "/app"];
    tool(&[&who[..], &replay, options].concat())
}

#[test]
fn a_v3_user_reads_and_watches_only_the_permitted_subtree() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let _root = Root::of_v3(&etcd);
        let url = etcd.url();
        let by = |command: &[&str]| tool(&as_user(&url, &[&["--api", "v3"], command].concat()));
        assert_ends(&by(&["set", "/app/k", "v"]), 0, &[]);
        assert_eq!(by(&["get", "/app/k"]).stdout, "v\n");
        assert_eq!(by(&["get", "-r", "/app"]).stdout, "/app/k\tv\n");
        assert_eq!(
            by(&["watch", "/app/k", "--from-index", "1"]).stdout,
            "2\tset\t/app/k\tv\n"
        );
        let replay = by(&["replay", "-r", "/app", "--from-index", "1"]);
        assert_ends(&replay, 0, &[]);
        assert_eq!(replay.stdout, "2\tset\t/app/k\tv\n");
        let until = [
            "watch",
            "--stream",
            "/app/k",
            "--until",
            "value=v",
            "--timeout",
            "9s",
        ];
        assert_ends(&by(&until), 0, &[]);
        for command in [
            &["get", "/other"][..],
            &["set", "/other", "v"],
            &["watch", "/other"],
            &["watch", "--stream", "-r", "/"],
            &["replay", "-r", "/", "--from-index", "1"],
        ] {
            assert_ends(&by(command), 4, &["permission denied", "--user"]);
        }
        let nobody = [
            "--api",
            "v3",
            "--endpoints",
            &url,
            "watch",
            "--stream",
            "/app/k",
        ];
        assert_ends(&tool(&nobody), 4, &["--user"]);
        let wrong = as_v3_user(&url, "app:wrong", &["get", "/app/k"]);
        assert_ends(&tool(&wrong), 4, &["invalid user ID or password"]);
    }
}

#[test]
fn a_v2_user_reads_and_watches_only_the_permitted_subtree() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let url = etcd.url();
        let put = |path: &str, body: Value| {
            let body = body.to_string();
            let address = format!("{url}/v2/auth/{path}");
            let curl = [
                "-sSf",
                "-u",
                "root:root",
                "-X",
                "PUT",
                "-d",
                &body,
                &address,
            ];
            let output = Program::new("curl", &curl).run();
            assert_eq!(output.code, 0, "{output:?}");
        };
        let all = json!({"kv": {"read": ["/app*"], "write": ["/app*"]}});
        put("users/root", json!({"user": "root", "password": "root"}));
        put("roles/app", json!({"role": "app", "permissions": all}));
        put(
            "users/app",
            json!({"user": USER, "password": PASSWORD, "roles": ["app"]}),
        );
        put("enable", Value::Null);
        let revoked = json!({"kv": {"read": ["/*"], "write": ["/*"]}});
        put("roles/guest", json!({"role": "guest", "revoke": revoked}));
        let by = |command: &[&str]| tool(&as_user(&url, &[&["--api", "v2"], command].concat()));
        assert_ends(&by(&["set", "/app/k", "v"]), 0, &[]);
        assert_eq!(by(&["get", "/app/k"]).stdout, "v\n");
        let replay = by(&["replay", "-r", "/app", "--from-index", "oldest"]);
        assert_ends(&replay, 0, &[]);
        assert!(replay.stdout.ends_with("set\t/app/k\tv\n"), "{replay:?}");
        let running = follow::live(
            &url,
            &["--api", "v2", "--user", "app:hunter2:x", "-r", "/app"],
        );
        by(&["set", "/app/k", "live"]);
        follow::wait_for_value(&running, "/app/k", "live");
        for command in [
            &["get", "/other"][..],
            &["set", "/other", "v"],
            &["watch", "/other"],
        ] {
            assert_ends(&by(command), 4, &["Insufficient credentials"]);
        }
    }
}

/// The keys below a key are read only if the key itself does not exist.
#[test]
fn get_of_an_existing_v3_key_needs_no_permission_below_it() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let url = etcd.url();
        v3::put(&url, "/one/k", b"v");
        let span = json!({"permType": "READ", "key": v3::encode("/one/k")});
        for (path, body) in [
            ("user/add", json!({"name": "one", "password": "x"})),
            ("role/add", json!({"name": "one"})),
            ("role/grant", json!({"name": "one", "perm": span})),
            ("user/grant", json!({"user": "one", "role": "one"})),
        ] {
            v2::v3(&url, &format!("/v3/auth/{path}"), &body);
        }
        let _root = Root::of_v3(&etcd);
        let by_one = ["-q", "--endpoints", &url, "--user", "one:x", "--api", "v3"];
        let get = |key: &[&str]| tool(&[&by_one[..], &["get"], key].concat());
        let output = get(&["/one/k"]);
        assert_eq!((output.code, &*output.stdout), (0, "v\n"), "{output:?}");
        assert_ends(&get(&["-r", "/one/k"]), 4, &["permission"]);
    }
}

#[test]
fn replay_reports_an_unproven_end_without_read_permission_on_the_whole_store() {
    for version in Version::ALL {
        let etcd = server(version).start();
        let root = Root::of_v3(&etcd);
        root.put("/app/k", "v");
        for number in 0..3 {
            root.put("/elsewhere", &number.to_string());
        }
        let url = etcd.url();
        let directory = tempfile::tempdir().unwrap();
        let checkpoint = directory.path().join("checkpoint");
        let checkpoint = ["--checkpoint", checkpoint.to_str().unwrap()];
        let run = |more: &[&str]| {
            let from = ["--from-index", "2"];
            replay_of_a_part(&url, &[&from, &checkpoint, more].concat())
        };
        let output = run(&[]);
        assert_ends(
            &output,
            5,
            &["no read permission on the whole keyspace", "unproven"],
        );
        assert_eq!(
            output.stdout,
            "2\tset\t/app/k\tv\n5\tgap\t/app\t3-5\tpossible\tunproven\n"
        );
        // The checkpoint stays at what is proven, so that the next run asks again.
        let output = run(&["--on-gap", "continue", "-o", "json"]);
        assert_ends(&output, 0, &["no read permission on the whole keyspace"]);
        let gap: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(
            gap,
            json!({
                "action": "gap", "lost": {"from": 3, "to": 5}, "certain": false,
                "cause": "unproven", "index": 5,
            })
        );
        // A state that was read is proof too, and the checkpoint records it.
        let another = directory.path().join("another");
        let another = ["--checkpoint", another.to_str().unwrap()];
        let from = ["--from-index", "3", "--on-gap", "resync"];
        let output = replay_of_a_part(&url, &[&from, &another[..]].concat());
        assert_ends(&output, 0, &["no read permission on the whole keyspace"]);
        let gap = "5\tgap\t/app\t3-5\tpossible\tunproven\n";
        let state = "5\treset\t/app\n5\tget\t/app/k\tv\n5\tsynced\t/app\n";
        assert_eq!(output.stdout, format!("{gap}{state}"));
        let output = replay_of_a_part(&url, &[&from, &another[..]].concat());
        assert_ends(&output, 0, &[]);
        assert_eq!(output.stdout, "");
        // An event at the end proves that nothing is missing.
        root.put("/app/k", "w");
        let output = run(&[]);
        assert_ends(&output, 0, &[]);
        assert_eq!(output.stdout, "6\tset\t/app/k\tw\n");
    }
}

/// A server reads the whole history before it sends the first event, and is silent meanwhile.
#[test]
fn replay_without_full_permission_waits_for_all_of_a_long_history() {
    for version in Version::ALL {
        let etcd = server(version).arg("--max-txn-ops=1000").start();
        let keys: Vec<String> = (0..1000).map(|key| format!("/app/{key:03}")).collect();
        let mut writer = v2::Writer::connect(&etcd.url());
        for _ in 0..20 {
            let operations = keys.iter().map(|key| (key.as_str(), Some("v")));
            v3::transaction_with(&mut writer, operations);
        }
        v3::put(&etcd.url(), "/elsewhere", b"v");
        Root::of_v3(&etcd);
        let output = replay_of_a_part(&etcd.url(), &["--from-index", "1"]);
        assert_ends(&output, 5, &["unproven"]);
        let gap = "22\tgap\t/app\t22-22\tpossible\tunproven";
        assert_eq!(output.stdout.lines().last(), Some(gap));
        assert_eq!(output.stdout.lines().count(), 20_001);
    }
}
