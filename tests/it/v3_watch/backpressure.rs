//! Backpressure: stdout is read slowly or not at all.

use std::time::Duration;

use super::brief;
use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::Proxy;
use crate::support::tool::Program;
use crate::support::v2::{self, Writer};
use crate::support::{follow, v3, wait};

/// With a full buffer the tool reads from the stream only as fast as its own stdout is read.
#[test]
fn a_slow_stdout_reader_loses_nothing_over_v3() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let arguments = [
        "--endpoints",
        &url,
        "--api",
        "v3",
        "watch",
        "--stream",
        "-r",
        "/app",
        "--buffer",
        "64KiB",
        "--count",
        "3000",
        "--from-index",
        "1",
    ];
    let running = Program::tool(&arguments).unread().start();
    let mut writer = Writer::connect(&url);
    let value = "v".repeat(1000);
    for number in 0..3000 {
        v3::put_with(&mut writer, &format!("/app/{number}"), &value);
    }
    running.read_stdout();
    let output = running.wait(Duration::from_secs(30));
    assert_eq!(output.stdout.lines().count(), 3000);
    let mut lines = output.stdout.lines();
    assert!(lines.all(|line| line.contains("\tset\t")), "no gap");
}

/// The buffer is full, and the connection to a killed server breaks meanwhile.
#[test]
fn a_lost_server_is_reported_while_stdout_is_blocked() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let mut writer = Writer::connect(&url);
    let value = "v".repeat(2000);
    for number in 0..3000 {
        v3::put_with(&mut writer, &format!("/app/{}", number % 50), &value);
    }
    let proxy = Proxy::to(&url);
    let arguments = [
        "--endpoints",
        &proxy.url(),
        "--api",
        "v3",
        "--timeout",
        "60s",
        "replay",
        "-r",
        "/app",
        "--from-index",
        "1",
        "--buffer",
        "100KiB",
    ];
    let running = Program::tool(&arguments).unread().start();
    wait::until(wait::LONG, "the past to come", || {
        proxy.bytes_down() > 1_000_000
    });
    etcd.kill();
    running.read_stdout();
    running.wait_for_stderr("trying again", wait::LONG);
}

/// A watcher that fell behind because of backpressure is synced later, and a delete that is
/// compacted meanwhile is skipped (upstream #19179).
#[test]
fn events_compacted_while_stdout_is_blocked_are_declared() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let options = ["--endpoints", &url, "--api", "v3", "-o", "json", "-v"];
        let watch = [
            "watch", "--stream", "-r", "/app", "--buffer", "1MiB", "--on-gap", "continue",
        ];
        let arguments = [&options[..], &watch].concat();
        let running = Program::tool(&arguments).unread().start();
        running.wait_for_stderr("< 200", wait::LONG);
        v3::put(&url, "/app/victim", b"here");
        let mut writer = Writer::connect(&url);
        let value = "v".repeat(200_000);
        wait::until(wait::LONG, "the watch to be put off", || {
            v3::put_with(&mut writer, "/app/flood", &value);
            let metrics = v2::request("GET", &url, "/metrics", &[]).text();
            let mut lines = metrics.lines();
            lines.any(|line| line == "etcd_debugging_mvcc_slow_watcher_total 1")
        });
        let gone = v3::delete(&url, "/app/victim");
        v3::compact(&url, gone);
        v3::put(&url, "/app/last", b"here");
        running.read_stdout();
        let printed = follow::wait_for_value(&running, "/app/last", "here");
        let is_printed = printed.iter().any(|record| {
            let is_delete = record["action"] == "delete" && follow::index(record) == gone;
            let lost = &record["lost"];
            let is_lost = lost["from"].as_u64() <= Some(gone) && lost["to"].as_u64() >= Some(gone);
            is_delete || record["action"] == "gap" && is_lost
        });
        assert!(
            is_printed,
            "{gone} is neither printed nor declared: {:?}",
            brief(&printed[printed.len() - 3..])
        );
    }
}
