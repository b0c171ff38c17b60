//! Tests of real etcd servers: restarts, faults, and clusters.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::panic_message;
use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::{v2, wait};

#[test]
fn each_etcd_version_starts_writes_and_keeps_its_data_through_a_restart() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let answer = v2::request("GET", &etcd.url(), "/version", &[]).text();
        assert!(answer.contains(version.number()), "{answer}");
        let written = v2::put(&etcd.url(), "/a", "1");
        assert_eq!(
            (written.action.as_str(), written.key.as_str()),
            ("set", "/a")
        );
        assert_eq!(written.value.as_deref(), Some("1"));
        let (pid, port) = (etcd.pid(), etcd.port());

        etcd.restart();

        assert_ne!(etcd.pid(), pid);
        assert_eq!(etcd.port(), port);
        let read = v2::request("GET", &etcd.url(), "/v2/keys/a", &[]).json();
        assert_eq!(read["node"]["modifiedIndex"], written.index);
    }
}

#[test]
fn a_wiped_server_starts_empty() {
    let etcd = Etcd::start(Version::V3_5);
    for number in 0..20 {
        v2::put(&etcd.url(), "/a", &number.to_string());
    }
    let before = v2::index(&etcd.url());
    etcd.wipe_and_restart();
    assert!(v2::index(&etcd.url()) < before);
    assert_eq!(
        v2::request("GET", &etcd.url(), "/v2/keys/a", &[]).status,
        404
    );
}

#[test]
fn a_paused_server_is_silent_until_resumed() {
    let etcd = Etcd::start(Version::V3_5);
    let ask = || {
        let patience = Duration::from_millis(200);
        v2::try_request("GET", &etcd.url(), "/v2/keys/", &[], patience)
    };
    etcd.pause();
    assert!(ask().is_err());
    etcd.resume();
    wait::until(wait::LONG, "an answer", || ask().is_ok());
}

#[test]
fn a_terminated_or_killed_server_is_gone() {
    let etcd = Etcd::start(Version::V3_5);
    etcd.terminate();
    assert_eq!(etcd.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", etcd.port())).is_err());
    etcd.restart();
    etcd.kill();
    assert_eq!(etcd.pid(), None);
    assert!(TcpStream::connect(("127.0.0.1", etcd.port())).is_err());
}

#[test]
fn a_server_without_v2_serves_v3() {
    for version in Version::ALL {
        let etcd = Etcd::builder(version).v2(false).start();
        assert_eq!(
            v2::request("GET", &etcd.url(), "/v2/keys/", &[]).status,
            404
        );
        v2::v3(
            &etcd.url(),
            "/v3/kv/put",
            &json!({"key": "YQ==", "value": "MQ=="}),
        );
        let read = v2::v3(&etcd.url(), "/v3/kv/range", &json!({"key": "YQ=="}));
        assert_eq!(read["kvs"][0]["value"], "MQ==");
    }
}

#[test]
fn an_etcd_that_fails_to_start_panics_with_its_log() {
    let start = || Etcd::builder(Version::V3_5).arg("--no-such-flag").start();
    let message = panic_message(start);
    assert!(message.contains("no-such-flag"), "{message}");
}

#[test]
fn a_cluster_elects_a_new_leader_after_the_old_one_is_killed() {
    for version in Version::ALL {
        let cluster = Cluster::start(version, 3);
        assert_eq!(cluster.endpoints().split(',').count(), 3);
        let first = cluster.leader();
        let written = v2::put(&cluster.nodes[(first + 1) % 3].url(), "/a", "1");

        cluster.nodes[first].kill();

        let second = cluster.leader();
        assert_ne!(first, second);
        let after = v2::index(&cluster.nodes[second].url());
        assert!(after >= written.index);
        cluster.nodes[first].restart();
        assert!(v2::index(&cluster.nodes[first].url()) >= after);
    }
}

#[test]
fn a_killed_member_catches_up_after_a_restart() {
    let cluster = Etcd::builder(Version::V3_5).cluster(3);
    let lagging = (cluster.leader() + 1) % 3;
    let other = &cluster.nodes[(lagging + 1) % 3];
    cluster.nodes[lagging].kill();
    let written = v2::burst(&other.url(), 300, |number| {
        (format!("/a/{number}"), "v".to_owned())
    });
    cluster.nodes[lagging].restart();
    let caught_up = v2::index(&cluster.nodes[lagging].url());
    assert!(caught_up >= written.last().unwrap().index);
}
