//! `replay` against real etcd servers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::etcd::{Etcd, Version};
use crate::support::oracle;
use crate::support::proxy::Proxy;
use crate::support::shared;
use crate::support::tool::{Output, Running, tool};
use crate::support::v2::{self, Truth};

const LIMIT: Duration = Duration::from_secs(30);

fn replay(url: &str, arguments: &[&str]) -> Output {
    tool(&[&["--endpoints", url, "-o", "json", "replay"], arguments].concat())
}

fn app(number: usize) -> (String, String) {
    (format!("/app/k{number}"), number.to_string())
}

#[test]
fn replay_prints_history_and_exits() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let truth = v2::burst(&etcd.url(), 300, app);
        for from in ["1", "oldest"] {
            let output = replay(&etcd.url(), &["-r", "/app", "--from-index", from]);
            oracle::assert_every_event_once(&truth, &output.records());
        }
        let after = truth[99].index.to_string();
        let output = replay(&etcd.url(), &["-r", "/app", "--after-index", &after]);
        oracle::assert_every_event_once(&truth[100..], &output.records());
    }
}

#[test]
fn replay_prints_only_events_in_scope() {
    let etcd = Etcd::start(Version::V3_5);
    let all = v2::burst(&etcd.url(), 600, |number| match number % 3 {
        0 => app(number),
        _ => (format!("/other/{number}"), String::new()),
    });
    let (truth, _): (Vec<Truth>, _) = all.into_iter().partition(|one| one.key.starts_with("/app"));
    let output = replay(&etcd.url(), &["-r", "/app", "--from-index", "1"]);
    oracle::assert_every_event_once(&truth, &output.records());
}

#[test]
fn replay_of_a_key_without_events_exits() {
    for subtree in shared::each() {
        subtree.put(&subtree.key("other"), "v");
        let quiet = subtree.key("quiet");
        for from in ["1", "oldest"] {
            let output = subtree.tool(&["replay", &quiet, "--from-index", from]);
            // Other tests may have cleared the beginning of a shared server's history.
            if from == "oldest" || output.code == 0 {
                assert_eq!(
                    (output.code, output.stdout.as_str()),
                    (0, ""),
                    "{}",
                    output.stderr
                );
            } else {
                assert_eq!(output.code, 5, "{}", output.stderr);
            }
        }
    }
}

#[test]
fn replay_ends_at_to_index() {
    let etcd = Etcd::start(Version::V3_4);
    let truth = v2::burst(&etcd.url(), 50, app);
    let to = truth[29].index.to_string();
    let output = replay(
        &etcd.url(),
        &["-r", "/app", "--from-index", "1", "--to-index", &to],
    );
    oracle::assert_every_event_once(&truth[..30], &output.records());
    let wrong = replay(
        &etcd.url(),
        &["/app", "--from-index", "9", "--to-index", "3"],
    );
    assert_eq!(wrong.code, 2);
}

#[test]
fn replay_omits_events_written_after_its_start() {
    let etcd = Etcd::start(Version::V3_5);
    let truth = v2::burst(&etcd.url(), 400, app);
    let proxy = Proxy::to(&etcd.url());
    proxy.delay(Duration::from_millis(20));
    let arguments = ["--endpoints", &proxy.url(), "-o", "json", "-v"];
    let replay = ["replay", "-r", "/app", "--from-index", "1"];
    let running = Running::start(&[&arguments[..], &replay].concat());
    running.wait_for_lines(1, LIMIT);
    v2::burst(&etcd.url(), 20, |number| {
        (format!("/app/late{number}"), String::new())
    });
    let output = running.wait(LIMIT);
    oracle::assert_every_event_once(&truth, &output.records());
}

#[test]
fn replay_from_a_cleared_index_exits_5_with_the_range_and_the_oldest_index() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let truth = v2::burst(&etcd.url(), 1100, app);
        let last = truth[1099].index;
        let oldest = last - 999;
        let from = truth[0].index;
        let arguments = ["-r", "/app", "--from-index", &from.to_string()];
        let failed = tool(&[&["--endpoints", &etcd.url(), "replay"], &arguments[..]].concat());
        assert_eq!(failed.code, 5);
        assert!(failed.stdout.is_empty());
        let range = format!("events from {from} to {} are lost", oldest - 1);
        assert!(failed.stderr.contains(&range), "{}", failed.stderr);
        assert!(
            failed.stderr.contains(&format!("--from-index {oldest}")),
            "{}",
            failed.stderr
        );

        let output = replay(
            &etcd.url(),
            &[&arguments[..], &["--on-gap", "continue"]].concat(),
        );
        let records = output.records();
        assert_eq!(records[0]["action"], "gap");
        assert_eq!(records[0]["lost"]["from"], from);
        assert_eq!(records[0]["lost"]["to"], oldest - 1);
        let kept: Vec<Truth> = truth
            .into_iter()
            .filter(|one| one.index >= oldest)
            .collect();
        assert_eq!(oracle::events(&records), kept);
    }
}

#[test]
fn replay_from_oldest_finds_its_start_while_history_advances() {
    let etcd = Etcd::start(Version::V3_4);
    v2::burst(&etcd.url(), 1000, app);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut truth = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                truth.extend(v2::burst(&etcd.url(), 64, app));
            }
            truth
        });
        // While history advances, events may be cleared before they are read. That is declared, but
        // the oldest index is always found.
        for _ in 0..5 {
            let arguments = [
                "-r",
                "/app",
                "--from-index",
                "oldest",
                "--on-gap",
                "continue",
            ];
            let output = replay(&etcd.url(), &arguments);
            let records = output.records();
            assert_ne!(
                records[0]["action"], "gap",
                "nothing was promised before the oldest"
            );
            let positions: Vec<u64> = records
                .iter()
                .map(|record| {
                    record["index"]
                        .as_u64()
                        .or(record["node"]["modifiedIndex"].as_u64())
                })
                .map(Option::unwrap)
                .collect();
            assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
        }
        stop.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
}

#[test]
fn replay_follow_continues_live_without_a_gap() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let mut truth = v2::burst(&etcd.url(), 200, app);
        let url = etcd.url();
        let arguments = ["--endpoints", &url, "-o", "json", "replay", "-r", "/app"];
        let follow = ["--from-index", "1", "--follow", "--count", "400"];
        let running = Running::start(&[&arguments[..], &follow].concat());
        truth.extend(v2::burst(&etcd.url(), 200, app));
        let output = running.wait(LIMIT);
        oracle::assert_every_event_once(&truth, &output.records());
    }
}

#[test]
fn replay_from_a_future_index_exits_0_with_a_notice() {
    let subtree = shared::any();
    let output = subtree.tool(&["replay", "-r", subtree.root(), "--from-index", "99999999"]);
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
    assert!(output.stderr.contains("is ahead"), "{}", output.stderr);
    let quiet = subtree.tool(&["-q", "replay", subtree.root(), "--from-index", "99999999"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn replay_reuses_connections() {
    let etcd = Etcd::start(Version::V3_5);
    let truth = v2::burst(&etcd.url(), 900, app);
    let proxy = Proxy::to(&etcd.url());
    let output = replay(&proxy.url(), &["-r", "/app", "--from-index", "1"]);
    oracle::assert_every_event_once(&truth, &output.records());
    assert!(
        proxy.connections() <= 16,
        "{} connections",
        proxy.connections()
    );
}
