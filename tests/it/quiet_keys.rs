//! A quiet key in a store that others write to at full speed.
//!
//! In the suite one connection writes, so that a busy machine slows the writer down as much as the
//! watch. `ETCDWATCH_QUIET_WRITES=100000` sets another number of writes, over several connections,
//! to a server that waits for its disk.

use std::thread;
use std::time::Duration;

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::Running;
use crate::support::{follow, oracle, v2, wait};

const LIMIT: Duration = Duration::from_secs(30);

/// The number of indexes that history holds.
const HISTORY: usize = 1000;

fn write_elsewhere_slowly(url: &str, count: usize) {
    let mut writer = v2::Writer::connect(url);
    for number in 0..count {
        writer.put("/other", &number.to_string());
    }
}

/// Waits until the watch has been quiet for so long that it also waits for any write to the store.
fn wait_for_store_watch(running: &Running) {
    running.wait_for_stderr("/v2/keys/?wait=true&recursive=true", LIMIT);
}

#[test]
fn a_quiet_key_in_a_busy_store_has_no_gap() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let running = follow::live(&etcd.url(), &["/app/k"]);
        wait_for_store_watch(&running);
        write_elsewhere_slowly(&etcd.url(), 6 * HISTORY);
        let truth = v2::put(&etcd.url(), "/app/k", "v");
        let records = follow::wait_for_value(&running, "/app/k", "v");
        oracle::assert_every_event_once(&[truth], &records);
    }
}

#[test]
fn a_quiet_key_in_a_busy_store_has_no_gap_through_disconnects() {
    let given = std::env::var("ETCDWATCH_QUIET_WRITES").ok();
    let given = given.map(|writes| writes.parse().expect("a number"));
    let writes = given.unwrap_or(12 * HISTORY);
    let etcd = Etcd::start(match given {
        Some(_) => Version::V3_4,
        None => Version::V3_5,
    });
    let url = etcd.url();
    let proxy = Proxy::to(&url);
    let running = follow::live(&proxy.url(), &["/app/k"]);
    wait_for_store_watch(&running);
    // A disconnect takes a moment, but less than a thousand writes. The writes before and after it
    // continue.
    let mut truths = thread::scope(|scope| {
        scope.spawn(|| match given {
            Some(_) => v2::write_elsewhere(&url, writes),
            None => write_elsewhere_slowly(&url, writes),
        });
        let cuts = (3 * HISTORY..writes).step_by(3 * HISTORY);
        let write_and_cut = |index: usize| {
            wait::until(LIMIT, "some writes", || v2::index(&url) > index as u64);
            let is_middle = index == 6 * HISTORY;
            let truth = is_middle.then(|| v2::put(&url, "/app/k", "while others write"));
            proxy.cut_all(Cut::Reset);
            truth
        };
        cuts.filter_map(write_and_cut).collect::<Vec<_>>()
    });
    truths.push(v2::put(&url, "/app/k", "v"));
    let records = follow::wait_for_value(&running, "/app/k", "v");
    oracle::assert_every_event_once(&truths, &records);
}

#[test]
fn a_new_watch_keeps_up_with_a_busy_store() {
    let etcd = Etcd::start(Version::V3_5);
    let running = follow::live(&etcd.url(), &["/app/k"]);
    write_elsewhere_slowly(&etcd.url(), 3 * HISTORY);
    let truth = v2::put(&etcd.url(), "/app/k", "v");
    let records = follow::wait_for_value(&running, "/app/k", "v");
    oracle::assert_every_event_once(&[truth], &records);
}
