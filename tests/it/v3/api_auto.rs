//! Which API is used by default, and what is reported if the other API is off or has the key.

use serde_json::Value;

use super::{pair, put, with_v3};
use crate::support::etcd::{Etcd, Version};
use crate::support::scripted::{Response, Scripted};
use crate::support::shared;
use crate::support::tool::{Program, assert_ends, assert_fails, tool};
use crate::support::v3::{self, encode};
use crate::support::{v2, wait};

#[test]
fn api_auto_uses_v2_if_it_is_enabled_and_has_the_key_and_otherwise_v3() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let replay = |key: &str| {
            tool(&[
                "--endpoints",
                &url,
                "replay",
                "-r",
                key,
                "--from-index",
                "1",
            ])
        };
        v2::put(&url, "/both", "two");
        v3::put(&url, "/both", b"three");
        let output = replay("/both");
        assert!(
            output.stdout.ends_with("\t/both\ttwo\n") && output.stderr.is_empty(),
            "{output:?}"
        );
        v3::put(&url, "/three", b"v");
        let output = replay("/three");
        assert!(output.stdout.ends_with("\tset\t/three\tv\n"), "{output:?}");
        assert!(
            output.stderr.contains("v2 has nothing at /three"),
            "{output:?}"
        );
        let off = Etcd::builder(version).v2(false).start();
        v3::put(&off.url(), "/k", b"v");
        let output = tool(&[
            "--endpoints",
            &off.url(),
            "-v",
            "replay",
            "/k",
            "--from-index",
            "1",
        ]);
        assert_eq!(output.stdout, "2\tset\t/k\tv\n");
        assert!(output.stderr.contains("* using the v3 API"), "{output:?}");
        let output = Program::tool(&["--endpoints", &off.url(), "watch", "/k"])
            .env("ETCDCTL_API", "2")
            .run();
        assert_eq!(output.code, 4, "{output:?}");
    }
}

#[test]
fn a_server_without_the_v2_api_is_used_over_v3() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version).v2(false).start();
        let run = |arguments: &[&str]| {
            let url = etcd.url();
            let all = [&["--endpoints", &url], arguments].concat();
            Program::tool(&all).run()
        };
        let set = run(&["set", "/k", "v"]);
        assert_eq!(
            (set.stdout.as_str(), set.stderr.as_str()),
            ("2\tset\t/k\tv\n", "")
        );
        assert_eq!(run(&["get", "/k"]).stdout, "v\n");
        assert_eq!(run(&["rm", "/k"]).stdout, "3\tdelete\t/k\t\n");
        let v2 = run(&["--api", "v2", "get", "/k"]);
        assert_ends(&v2, 4, &["v2 API off"]);
        let directory = run(&["set", "--dir", "/d"]);
        assert_ends(&directory, 2, &["no directories"]);
    }
}

#[test]
fn api_auto_finds_a_v3_only_key_with_a_notice() {
    let subtree = shared::any();
    let key = subtree.key("k");
    put(&subtree, &key, b"v");
    let output = subtree.tool(&["get", &key]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "v\n"));
    assert!(output.stderr.contains("uses v3"), "{output:?}");
    assert_fails(
        &subtree.tool(&["--api", "v2", "get", &key]),
        1,
        &["key not found"],
    );
}

#[test]
fn api_auto_does_not_create_a_v3_only_key_over_v2() {
    for subtree in shared::each() {
        let (two, three) = (subtree.key("two"), subtree.key("three"));
        put(&subtree, &three, b"v");
        let output = subtree.tool(&["set", "--create", &three, "w"]);
        assert_fails(&output, 1, &["key already exists", "uses v3"]);
        let update = subtree.tool(&["set", "--update", &three, "w"]);
        assert_ends(&update, 0, &["uses v3"]);
        assert_eq!(pair(&subtree, &three)["value"], encode("w"));
        let output = subtree.tool(&["set", "--create", &two, "w"]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""));
        assert_eq!(pair(&subtree, &two), Value::Null);
    }
}

#[test]
fn api_auto_reports_a_failed_v3_condition_if_v2_lacks_the_key() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        put(&subtree, &key, b"v");
        for command in [
            &["set", "--prev-value", "x", &key, "w"][..],
            &["rm", "--prev-value", "x", &key],
        ] {
            let output = subtree.tool(command);
            assert_fails(&output, 1, &["compare failed: [x != v]", "uses v3"]);
        }
        assert_fails(
            &subtree.tool(&["rm", &subtree.key("none")]),
            1,
            &["key not found"],
        );
        assert_eq!(pair(&subtree, &key)["value"], encode("v"));
    }
}

#[test]
fn api_auto_exits_7_if_a_v3_write_has_an_unknown_outcome() {
    let server = Scripted::serve(|request| {
        if request.path.starts_with("/v3/") {
            return Response::default().reset();
        }
        let body = r#"{"errorCode":100,"message":"Key not found","cause":"/k","index":7}"#;
        Response::etcd(404, 7, body)
    });
    for command in [&["rm", "/k"][..], &["set", "--update", "/k", "v"]] {
        let output = Program::tool(&[&["--endpoints", &server.url()], command].concat()).run();
        assert_ends(&output, 7, &[&server.url()]);
    }
    // A read changes nothing, so that the answer of v2 is used.
    let output = Program::tool(&["--endpoints", &server.url(), "get", "/k"]).run();
    assert_fails(&output, 1, &["key not found"]);
}

/// Many ranges without keys do not mean that v3 has any.
#[test]
fn api_auto_watches_many_missing_keys_with_the_v2_api() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let keys: Vec<String> = (0..60).map(|number| format!("/k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let url = etcd.url();
        let watch = [
            "--endpoints",
            &url,
            "watch",
            "--stream",
            "-r",
            "--status",
            "--count",
            "1",
        ];
        let running = Program::tool(&[&watch[..], &keys].concat()).start();
        running.wait_for_lines(1, wait::LONG);
        v2::put(&url, "/k7/x", "v");
        let output = running.wait(wait::LONG);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stdout.contains("/k7/x"), "{output:?}");
    }
}

#[test]
fn a_missing_key_that_the_other_api_has_is_mentioned_in_the_hint() {
    for subtree in shared::each() {
        let (two, three) = (subtree.key("two"), subtree.key("three"));
        subtree.put(&two, "v");
        put(&subtree, &three, b"v");
        for command in ["get", "rm"] {
            let output = subtree.tool(&["--api", "v2", command, &three]);
            assert_fails(&output, 1, &["key not found"]);
            assert!(output.stderr.contains("hint: use --api v3"), "{output:?}");
            let output = with_v3(&subtree, &[command, &two]);
            assert_fails(&output, 1, &["key not found"]);
            assert!(output.stderr.contains("hint: use --api v2"), "{output:?}");
            let output = subtree.tool(&["--api", "v2", command, &subtree.key("none")]);
            assert!(!output.stderr.contains("hint:"), "{output:?}");
        }
    }
}

#[test]
fn a_disabled_gateway_exits_4_and_is_named() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version)
            .arg("--enable-grpc-gateway=false")
            .start();
        let url = etcd.url();
        let output = Program::tool(&["--endpoints", &url, "--api", "v3", "get", "/k"]).run();
        assert_ends(&output, 4, &["JSON gateway off"]);
    }
}

#[test]
fn a_disabled_gateway_is_reported() {
    let etcd = Etcd::builder(Version::V3_5)
        .v2(false)
        .arg("--enable-grpc-gateway=false")
        .start();
    for arguments in [
        &["watch", "/k"][..],
        &["--api", "v3", "watch", "/k"],
        &["get", "/k"],
    ] {
        let output = tool(&[&["--endpoints", &etcd.url()], arguments].concat());
        assert_ends(&output, 4, &["JSON gateway off", "--enable-grpc-gateway"]);
    }
}
