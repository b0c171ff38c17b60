//! A store that takes the place of the one that was watched, with the same cluster id and so
//! many writes that neither the index nor history tells: the key of the last event does.

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::Running;
use crate::support::{follow, oracle, v2};

const KEY: &str = "/app/k";

/// More writes than history holds, in two parts that each fit.
const PART: usize = 700;

/// A stream whose last event is older than history, behind a network that is down now.
struct Scene {
    etcd: Etcd,
    proxy: Proxy,
    running: Running,
    truth: Vec<v2::Truth>,
    /// Everything up to here is known.
    position: u64,
    _place: tempfile::TempDir,
}

fn scene(version: Version) -> Scene {
    let etcd = Etcd::start(version);
    let proxy = Proxy::to(&etcd.url());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("checkpoint");
    let path = file.display().to_string();
    let running = follow::live(&proxy.url(), &["-r", "/app", "--checkpoint", &path]);
    let truth = vec![v2::put(&etcd.url(), KEY, "old")];
    follow::wait_for_value(&running, KEY, "old");
    let mut position = 0;
    for _ in 0..2 {
        v2::elsewhere(&etcd.url(), PART);
        position = v2::index(&etcd.url());
        follow::wait_for_position(&file, position);
    }
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    Scene {
        etcd,
        proxy,
        running,
        truth,
        position,
        _place: place,
    }
}

#[test]
fn a_store_that_lacks_the_key_of_the_last_event_or_made_it_anew_is_declared() {
    for (version, is_set) in [(Version::V3_4, false), (Version::V3_5, true)] {
        let scene = scene(version);
        let url = scene.etcd.url();
        scene.etcd.wipe_and_restart();
        let count = scene.position + 10 - v2::index(&url);
        v2::elsewhere(&url, usize::try_from(count).unwrap());
        if is_set {
            v2::put(&url, KEY, "new");
        }
        scene.proxy.refuse(false);
        let records = follow::wait_for(&scene.running, "the state", |record| {
            record["action"] == "synced"
        });
        let gap = &records[1];
        assert_eq!(gap["action"], "gap", "set: {is_set}: {records:?}");
        assert_eq!(gap["cause"], "indexRewound", "set: {is_set}");
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"), "set: {is_set}");
    }
}

/// As after a restored backup; and as after a SIGKILL to a lone etcd that had told of a write
/// which was not in its log yet (fact 22).
#[test]
fn a_store_that_goes_on_from_before_the_last_event_is_declared() {
    for (version, is_past) in [(Version::V3_4, true), (Version::V3_5, false)] {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        v2::put(&url, KEY, "kept");
        let backup = etcd.back_up();
        let running = follow::live(&url, &["-r", "/app"]);
        let forgotten = v2::put(&url, KEY, "forgotten");
        follow::wait_for_value(&running, KEY, "forgotten");
        etcd.restore(&backup);
        v2::elsewhere(&url, if is_past { 10 } else { 1 });
        assert_eq!(v2::index(&url) > forgotten.index, is_past);
        let records =
            follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        let gap = &records[1];
        assert_eq!(gap["cause"], "indexRewound", "past: {is_past}: {records:?}");
        let lost = serde_json::json!({"from": forgotten.index + 1, "to": null});
        assert_eq!(gap["lost"], lost, "past: {is_past}");
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"), "past: {is_past}");
    }
}

#[test]
fn what_came_next_at_the_key_of_the_last_event_is_told_without_a_gap() {
    for (version, is_set) in [(Version::V3_4, true), (Version::V3_5, false)] {
        let mut scene = scene(version);
        let url = scene.etcd.url();
        // History has all three for a watch of that key: the first by the name alone.
        v2::put(&url, "/ap/x", "v");
        v2::delete(&url, "/ap", "recursive=true");
        if is_set {
            scene.truth.push(v2::put(&url, KEY, "next"));
        }
        scene.truth.push(v2::delete(&url, "/app", "recursive=true"));
        scene.proxy.refuse(false);
        scene.truth.push(v2::put(&url, "/app/end", "here"));
        let records = follow::wait_for_value(&scene.running, "/app/end", "here");
        oracle::assert_every_event_once(&scene.truth, &records);
    }
}
