//! The states of a watch: live, stale and reconnecting.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::{Program, Running};
use crate::support::v2::{self, Truth, Writer};
use crate::support::{follow, oracle, wait};

const LIMIT: Duration = Duration::from_secs(30);

/// A watch here becomes stale after this time without confirmation.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// How much later a test may see that on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

fn live(endpoints: &str) -> Running {
    follow::live(endpoints, &["-r", "/app", "--stale-after", "1s"])
}

/// The states in the status records, in order.
fn states(running: &Running) -> Vec<String> {
    let records = running.json();
    let states = records.iter().filter(|one| one["action"] == "status");
    states
        .map(|one| one["state"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for this state, ignoring the first `after` states.
#[track_caller]
fn wait_for_state(running: &Running, after: usize, state: &str, limit: Duration) {
    wait::until(limit, state, || {
        states(running)[after..].iter().any(|one| one == state)
    });
}

#[test]
fn every_write_after_live_is_printed() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        for round in 0..10 {
            let running = follow::live(&etcd.url(), &["-r", "/app"]);
            let value = round.to_string();
            let truth = v2::put(&etcd.url(), "/app/k", &value);
            let records = follow::wait_for_value(&running, "/app/k", &value);
            assert_eq!(oracle::events(&records), [truth]);
        }
    }
}

#[test]
fn a_status_record_has_the_state_the_endpoint_and_the_index() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    v2::put(&etcd.url(), "/app/k", "v");
    let running = follow::live(&proxy.url(), &["-r", "/app"]);
    let first = running.json()[0].clone();
    assert_eq!(first["action"], "status");
    assert_eq!(first["state"], "live");
    assert_eq!(first["endpoint"], proxy.url());
    assert_eq!(first["index"], v2::index(&etcd.url()));
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    wait_for_state(&running, 1, "reconnecting", LIMIT);
    let record = running.json()[1].clone();
    assert_eq!(record["state"], "reconnecting", "{record}");
    assert_eq!(record["endpoint"], proxy.url());
    assert!(!record["cause"].as_str().unwrap().is_empty(), "{record}");
    let truth = v2::put(&etcd.url(), "/app/k", "meanwhile");
    proxy.refuse(false);
    wait_for_state(&running, 1, "live", LIMIT);
    let records = follow::wait_for_value(&running, "/app/k", "meanwhile");
    oracle::assert_every_event_once(&[truth], &records);
    assert_eq!(states(&running), ["live", "reconnecting", "live"]);
}

#[test]
fn without_the_status_option_a_state_change_is_only_a_notice() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let arguments = ["--endpoints", &url, "--api", "v2", "-o", "json", "-v"];
    let watch = ["watch", "--stream", "-r", "/app", "--stale-after", "1s"];
    let running = Running::start(&[&arguments[..], &watch].concat());
    running.wait_for_stderr("< 200", LIMIT);
    v2::put(&url, "/app/k", "v");
    running.wait_for_lines(1, LIMIT);
    etcd.pause();
    let begin = Instant::now();
    // There is a notice instead.
    running.wait_for_stderr(r#"{"notice":{"kind":"stale""#, STALE_AFTER + SLACK);
    assert!(begin.elapsed() < STALE_AFTER + SLACK);
    etcd.resume();
    running.wait_for_stderr(r#"{"notice":{"kind":"live""#, LIMIT);
    assert_eq!(running.lines().len(), 1, "{:?}", running.lines());
}

/// Breaks what `running` watches and asserts that it becomes stale in time. Then repairs it and
/// asserts that the watch is live again, with everything that was written meanwhile.
#[track_caller]
fn assert_stale_and_back(running: &Running, url: &str, fail: impl Fn(), mend: impl Fn() -> Truth) {
    let first = v2::put(url, "/app/k", "before");
    follow::wait_for_value(running, "/app/k", "before");
    let seen = states(running).len();
    assert!(!states(running).contains(&"stale".to_owned()));
    fail();
    wait_for_state(running, seen, "stale", STALE_AFTER + SLACK);
    running.wait_for_stderr(r#""kind":"stale""#, LIMIT);
    let truth = mend();
    wait_for_state(running, seen, "live", LIMIT);
    running.wait_for_stderr(r#""kind":"live""#, LIMIT);
    let value = truth.value.clone().unwrap();
    let records = follow::wait_for_value(running, &truth.key, &value);
    oracle::assert_every_event_once(&[first, truth], &records);
    let after: Vec<String> = states(running)[seen..].to_vec();
    let stale = after.iter().position(|one| one == "stale").unwrap();
    let live = after.iter().rposition(|one| one == "live").unwrap();
    assert!(stale < live, "{after:?}");
}

#[test]
fn a_watch_becomes_stale_if_the_server_hangs() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let running = live(&etcd.url());
        assert_stale_and_back(
            &running,
            &etcd.url(),
            || etcd.pause(),
            || {
                etcd.resume();
                v2::put(&etcd.url(), "/app/k", "after")
            },
        );
    }
}

#[test]
fn a_watch_becomes_stale_on_a_half_open_connection() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    let running = live(&proxy.url());
    assert_stale_and_back(
        &running,
        &etcd.url(),
        || proxy.half_open(),
        || {
            let truth = v2::put(&etcd.url(), "/app/k", "unseen");
            proxy.resume();
            truth
        },
    );
}

#[test]
fn a_watch_becomes_stale_if_the_server_is_gone() {
    let etcd = Etcd::start(Version::V3_4);
    let running = live(&etcd.url());
    assert_stale_and_back(
        &running,
        &etcd.url(),
        || etcd.kill(),
        || {
            etcd.restart();
            v2::put(&etcd.url(), "/app/k", "after")
        },
    );
}

#[test]
fn a_watch_becomes_stale_if_quorum_is_lost() {
    let cluster = Cluster::start(Version::V3_5, 3);
    // Only the remaining member is an endpoint. It answers but cannot confirm anything.
    let url = cluster.nodes[0].url();
    let running = live(&url);
    assert_stale_and_back(
        &running,
        &url,
        || {
            cluster.nodes[1].kill();
            cluster.nodes[2].kill();
        },
        || {
            cluster.nodes[1].restart();
            wait::until_some(LIMIT, "a write", || {
                let path = v2::key_path("/app/k");
                let form = [("value", "after")];
                let reply = v2::try_request("PUT", &url, &path, &form, LIMIT).ok()?;
                (reply.status < 300).then(|| reply.truth())
            })
        },
    );
}

/// The tool asks for the index only, however large the directory is.
#[test]
fn a_watch_with_the_v2_api_asks_for_the_index_without_the_keys() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let mut writer = Writer::connect(&etcd.url());
        for number in 0..300 {
            writer.put(&format!("/app/{number}"), &"v".repeat(100));
        }
        let proxy = Proxy::to(&etcd.url());
        let endpoint = proxy.url();
        let watch = [
            "--endpoints",
            &endpoint,
            "--max-event",
            "16KiB",
            "--api",
            "v2",
            "watch",
            "--stream",
        ];
        let options = ["-r", "/app", "--stale-after", "1s", "--count", "1"];
        let running = Program::tool(&[&watch[..], &options].concat()).start();
        wait::until(LIMIT, "the index to be asked for twice", || {
            let requests = proxy.requests();
            requests
                .iter()
                .filter(|line| line.contains("quorum=true"))
                .count()
                > 1
        });
        assert!(
            proxy.bytes_down() < 16 * 1024,
            "{} bytes",
            proxy.bytes_down()
        );
        v2::put(&etcd.url(), "/app/new", "v");
        let output = running.wait(LIMIT);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stdout.contains("/app/new"), "{output:?}");
    }
}

#[test]
fn a_healthy_idle_watch_is_never_stale() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    let running = live(&proxy.url());
    let reads = || {
        let requests = proxy.requests();
        requests
            .iter()
            .filter(|one| one.contains("quorum=true"))
            .count()
    };
    let before = reads();
    wait::never(4 * STALE_AFTER, "it says that it is stale", || {
        states(&running) != ["live"] || running.stderr().contains("stale\"")
    });
    // It has made quorum reads meanwhile, but not many more than necessary.
    let asked = reads() - before;
    assert!((3..=16).contains(&asked), "{asked} reads");
    let truth = v2::put(&etcd.url(), "/app/k", "v");
    let records = follow::wait_for_value(&running, "/app/k", "v");
    oracle::assert_every_event_once(&[truth], &records);
}

/// A live watch whose stdout is not read yet.
fn unread(url: &str, more: &[&str]) -> Running {
    let arguments = [
        &["--endpoints", url, "--api", "v2", "-o", "json", "-v"][..],
        &["watch", "--stream"],
        more,
    ]
    .concat();
    let running = Program::tool(&arguments).unread().start();
    running.wait_for_stderr("&stream=true", LIMIT);
    running.wait_for_stderr("< 200", LIMIT);
    running
}

#[test]
fn a_burst_is_buffered_while_stdout_is_unread() {
    // Each write waits for the disk and for the write before. On a busy machine a watch cannot
    // follow a server that takes 25,000 writes a second and whose history holds 1,000.
    let etcd = Etcd::start(Version::V3_4);
    let running = unread(&etcd.url(), &["-r", "/app"]);
    let mut writer = v2::Writer::connect(&etcd.url());
    let put = |number: u32| writer.put(&format!("/app/k{}", number % 500), &number.to_string());
    let truth: Vec<v2::Truth> = (0..20_000).map(put).collect();
    let peak = running.peak_memory_kib();
    assert!(peak < (64 + 64) << 10, "{peak} KiB");
    running.read_stdout();
    let lines = running.wait_for_lines(truth.len(), LIMIT);
    let records: Vec<Value> = crate::support::tool::parse_lines(&lines);
    oracle::assert_every_event_once(&truth, &records);
    let peak = running.peak_memory_kib();
    assert!(peak < (64 + 64) << 10, "{peak} KiB");
}

#[test]
fn a_full_buffer_loses_nothing_silently_and_bounds_memory() {
    let etcd = Etcd::start(Version::V3_4);
    let running = unread(&etcd.url(), &["-r", "/app", "--buffer", "1MiB"]);
    let value = "x".repeat(20_000);
    // Several times the buffer, and more than history holds.
    let mut truth = v2::burst(&etcd.url(), 1_600, |number| {
        (
            format!("/app/k{}", number % 20),
            format!("{number} {value}"),
        )
    });
    running.read_stdout();
    truth.push(v2::put(&etcd.url(), "/app/end", "end"));
    let mut records = Vec::new();
    wait::until(LIMIT, "the end", || {
        let lines = running.lines();
        // The last write is an event, or a part of a state that was printed completely.
        let is_printed = lines.iter().any(|line| line.contains("/app/end"));
        let is_over = is_printed
            && lines
                .last()
                .is_some_and(|last| last.contains("/app/end") || last.contains("synced"));
        if is_over {
            records = running.json();
        }
        is_over
    });
    oracle::assert_nothing_lost_silently(&truth, &records);
    follow::assert_indexes_never_decrease(&records);
    let state = follow::apply(follow::State::new(), "/app", &records);
    assert_eq!(state, follow::server(&etcd.url(), "/app"));
    let peak = running.peak_memory_kib();
    assert!(peak < 64 << 10, "{peak} KiB");
}

#[test]
fn a_watch_continues_if_its_parent_directory_becomes_a_key() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    v2::put(&url, "/app/sub/k", "before");
    let running = follow::live(&url, &["/app/sub/k", "--stale-after", "1s"]);
    v2::delete(&url, "/app/sub", "recursive=true");
    v2::put(&url, "/app/sub", "a file");
    // The freshness check reads the key, which cannot exist below another key.
    running.wait_for_stderr("Not a directory", LIMIT);
    v2::delete(&url, "/app/sub", "");
    v2::put(&url, "/app/sub/k", "after");
    follow::wait_for_value(&running, "/app/sub/k", "after");
}
