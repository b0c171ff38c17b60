//! Silence is never treated as proof: replays whose events arrive late, out of order, or not at
//! all.
//!
//! The suite writes a few events. `ETCDWATCH_SILENCE_EVENTS=271` and `ETCDWATCH_SILENCE_SEEDS=20`
//! set the number of events, and of runs of each test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::etcd::{Etcd, Version};
use crate::support::follow;
use crate::support::oracle;
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::{Output, Program};
use crate::support::v2::{self, Truth, Writer};
use crate::support::{v3, wait};

/// A number from the environment.
fn setting(name: &str, by_default: u64) -> u64 {
    let setting = std::env::var(name).ok();
    setting.map_or(by_default, |number| number.parse().expect("a number"))
}

fn seeds() -> u64 {
    setting("ETCDWATCH_SILENCE_SEEDS", 1)
}

/// Writes so many events below `/app`, with a write elsewhere before each.
fn write(url: &str, events: u64) -> Vec<Truth> {
    let put = |number: u64| {
        v2::put(url, "/other", &number.to_string());
        v2::put(url, &format!("/app/{}", number % 7), &number.to_string())
    };
    (0..events).map(put).collect()
}

fn replay(url: &str, options: &[&str]) -> Output {
    let replay = ["--endpoints", url, "-o", "json", "replay", "-r", "/app"];
    Program::tool(&[&replay[..], options].concat()).run_within(Duration::from_mins(10))
}

/// Asserts that a replay through a proxy that `hindered` has set up prints every event once, and
/// exits.
fn assert_replay_is_whole(version: Version, hindered: impl Fn(&Proxy)) {
    let etcd = Etcd::start(version);
    let truth = write(&etcd.url(), setting("ETCDWATCH_SILENCE_EVENTS", 30));
    let proxy = Proxy::to(&etcd.url());
    hindered(&proxy);
    let output = replay(&proxy.url(), &["--from-index", "1"]);
    assert_eq!(output.code, 0, "{output:?}");
    oracle::assert_every_event_once(&truth, &output.json());
}

/// An answer that takes three seconds does not mean that history is empty.
#[test]
fn replay_waits_for_late_answers_if_half_close_breaks_connections() {
    for _ in 0..seeds() {
        assert_replay_is_whole(Version::V3_4, |proxy| {
            proxy.cut_half_closed();
            proxy.delay_bodies(Duration::from_secs(3));
        });
    }
}

/// A proxy may not forward the half-close of a wait.
#[test]
fn replay_ends_if_half_close_is_ignored() {
    assert_replay_is_whole(Version::V3_5, Proxy::ignore_half_closed);
}

/// Over HTTP/1.0, where a reply ends with its connection, a closed connection does not mean that a
/// wait has ended.
#[test]
fn replay_does_not_treat_a_closed_connection_as_an_answer() {
    assert_replay_is_whole(Version::V3_5, |proxy| {
        proxy.speak_http_1_0();
        proxy.delay_bodies(Duration::from_secs(1));
    });
}

/// The last index of the store is a TTL refresh, which is not an event, so that nothing proves the
/// end of history.
#[test]
fn replay_reports_an_unproven_end_if_no_event_proves_it() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let truth = v2::put(&url, "/app/k", "v");
    let leased = [("value", "v"), ("ttl", "500")];
    v2::request("PUT", &url, "/v2/keys/other", &leased).truth();
    let refresh = [("refresh", "true"), ("ttl", "900"), ("prevExist", "true")];
    let last = v2::request("PUT", &url, "/v2/keys/other", &refresh)
        .truth()
        .index;
    let proxy = Proxy::to(&url);
    proxy.cut_half_closed();
    let output = replay(&proxy.url(), &["--from-index", "1"]);
    assert_eq!(output.code, 5, "{output:?}");
    let records = output.json();
    oracle::assert_nothing_lost_silently(std::slice::from_ref(&truth), &records);
    let gap = records.last().unwrap();
    assert_eq!(gap["cause"], "unproven");
    assert_eq!(
        gap["lost"],
        serde_json::json!({"from": last, "to": last}),
        "no wider than it must be"
    );
    assert!(output.stderr.contains(r#""kind":"unproven""#), "{output:?}");
    // A replay that follows has no end to prove. The next write is the next event.
    let endpoint = proxy.url();
    let follow = [
        "--endpoints",
        &endpoint,
        "-o",
        "json",
        "replay",
        "-r",
        "/app",
    ];
    let running =
        Program::tool(&[&follow[..], &["--from-index", "1", "--follow"]].concat()).start();
    wait::until(wait::LONG * 2, "it to go on", || {
        proxy
            .requests()
            .iter()
            .any(|line| line.contains("stream=true"))
    });
    let next = v2::put(&url, "/app/k", "next");
    let records = follow::wait_for_value(&running, "/app/k", "next");
    oracle::assert_every_event_once(&[truth, next], &records);
    // Without the proxy the end is proven.
    let output = replay(&url, &["--from-index", "1"]);
    assert_eq!(output.code, 0, "{output:?}");
}

/// Resets that happen to hit half-closed connections do not mean that a proxy closes them.
#[test]
fn replay_loses_no_event_to_connections_reset_at_random_bytes() {
    for seed in 0..seeds() {
        let etcd = Etcd::start(Version::V3_4);
        let truth = write(&etcd.url(), 400);
        let proxy = Proxy::to(&etcd.url());
        let is_over = AtomicBool::new(false);
        let output = thread::scope(|scope| {
            scope.spawn(|| {
                // A failure of the first request would be an error, not a fault to survive.
                wait::until(wait::LONG, "the replay to begin", || {
                    proxy.bytes_down() > 1000 || is_over.load(Ordering::SeqCst)
                });
                let mut luck = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed + 1);
                while !is_over.load(Ordering::SeqCst) {
                    luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    proxy.cut_after(200 + (luck >> 33) % 20_000, Cut::Reset);
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let output = replay(&proxy.url(), &["--from-index", "1"]);
            is_over.store(true, Ordering::SeqCst);
            output
        });
        assert!(matches!(output.code, 0 | 5), "{output:?}");
        oracle::assert_nothing_lost_silently(&truth, &output.json());
    }
}

/// The server also serves another unsynced watcher and large messages. Neither their delay nor
/// their order proves the end of history.
#[test]
fn v3_replay_is_complete_while_another_watch_is_served() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let mut writer = Writer::connect(&url);
        let fill = |writer: &mut Writer, prefix: &str, count: usize, size: usize| {
            let value = "v".repeat(size);
            for number in 0..count {
                v3::put_with(writer, &format!("/{prefix}/{}", number % 100), &value);
            }
        };
        fill(&mut writer, "app", 3000, 10_000);
        fill(&mut writer, "later", 200, 100_000);
        let body = format!(
            r#"{{"create_request":{{"key":"{}","range_end":"{}","start_revision":"1"}}}}"#,
            v3::encode("/"),
            v3::encode("0")
        );
        for _ in 0..setting("ETCDWATCH_SILENCE_SEEDS", 2) {
            let watch = format!("{url}/v3/watch");
            let other =
                Program::new("curl", &["-sN", "-o", "/dev/null", "-d", &body, &watch]).start();
            let output = replay(&url, &["--from-index", "1", "--api", "v3"]);
            drop(other);
            assert_eq!(output.code, 0, "{}", output.stderr);
            assert_eq!(output.stdout.lines().count(), 3000, "{version:?}");
        }
    }
}
