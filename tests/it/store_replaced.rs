//! A store that replaces the watched one, with the same cluster id and so many writes that neither
//! the index nor history reveals it. The fingerprint of the last event does.

use std::time::Duration;

use serde_json::Value;

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::{Running, Signal};
use crate::support::{follow, oracle, v2, wait};

const KEY: &str = "/app/k";

/// More writes than history holds, in two parts that each fit.
const PART: usize = 700;

/// A stream whose last event is older than history, behind a network that is now down.
struct Fixture {
    etcd: Etcd,
    proxy: Proxy,
    running: Running,
    truth: Vec<v2::Truth>,
    /// The cursor of the stream.
    position: u64,
    _place: tempfile::TempDir,
}

fn fixture(version: Version) -> Fixture {
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
        v2::write_elsewhere(&etcd.url(), PART);
        position = v2::index(&etcd.url());
        follow::wait_for_checkpoint(&file, position);
    }
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    Fixture {
        etcd,
        proxy,
        running,
        truth,
        position,
        _place: place,
    }
}

#[test]
fn a_replaced_store_is_declared_if_the_last_key_is_missing_or_recreated() {
    for (version, is_set) in [(Version::V3_4, false), (Version::V3_5, true)] {
        let fixture = fixture(version);
        let url = fixture.etcd.url();
        fixture.etcd.wipe_and_restart();
        let count = fixture.position + 10 - v2::index(&url);
        v2::write_elsewhere(&url, usize::try_from(count).unwrap());
        if is_set {
            v2::put(&url, KEY, "new");
        }
        fixture.proxy.refuse(false);
        let records = follow::wait_for(&fixture.running, "the state", |record| {
            record["action"] == "synced"
        });
        let gap = &records[1];
        assert_eq!(gap["action"], "gap", "set: {is_set}: {records:?}");
        assert_eq!(gap["cause"], "indexRewound", "set: {is_set}");
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"), "set: {is_set}");
    }
}

/// Only the state was printed, and no event. Half of the runs resume from a checkpoint, and the
/// others are disconnected.
#[test]
fn a_store_replaced_after_the_snapshot_is_declared() {
    for (version, is_resumed) in [
        (Version::V3_4, true),
        (Version::V3_5, false),
        (Version::V3_4, false),
        (Version::V3_5, true),
    ] {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let proxy = Proxy::to(&url);
        v2::put(&url, KEY, "old");
        v2::put(&url, "/app/gone", "x");
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("checkpoint");
        let path = file.display().to_string();
        let arguments = ["-r", "/app", "--snapshot", "--checkpoint", &path];
        let running = follow::live(&proxy.url(), &arguments);
        let printed =
            follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        let position = v2::index(&url);
        follow::wait_for_checkpoint(&file, position);
        let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(saved["last"]["key"], "/app/gone", "{saved}");
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        etcd.wipe_and_restart();
        v2::put(&url, KEY, "new");
        v2::write_elsewhere(&url, 30);
        let (running, before) = if is_resumed {
            running.signal(Signal::KILL);
            running.wait(wait::LONG);
            proxy.refuse(false);
            (follow::stream(&proxy.url(), &arguments).start(), 0)
        } else {
            proxy.refuse(false);
            (running, printed.len())
        };
        let records = wait::until_some(wait::LONG, "the state of the new store", || {
            let records = follow::without_status(running.json());
            assert!(!running.has_ended(), "{}", running.stderr());
            let new = records.get(before..).unwrap_or_default().to_vec();
            let is_there = new.iter().any(|record| record["action"] == "synced");
            is_there.then_some(new)
        });
        let gap = &records[0];
        assert_eq!(gap["action"], "gap", "resumed: {is_resumed}: {records:?}");
        assert_eq!(gap["cause"], "indexRewound", "resumed: {is_resumed}");
        let known = follow::apply(follow::State::new(), "/app", &printed);
        let state = follow::apply(known, "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"));
    }
}

/// The store was not replaced, but the compared key was set, its TTL was refreshed, or it was
/// deleted.
#[test]
fn a_store_that_continues_after_the_snapshot_is_not_declared() {
    for version in Version::ALL {
        for change in ["nothing", "set", "refresh", "delete"] {
            let etcd = Etcd::start(version);
            let url = etcd.url();
            let proxy = Proxy::to(&url);
            let path = format!("/v2/keys{KEY}");
            let lives = [("value", "old"), ("ttl", "600")];
            assert_eq!(v2::request("PUT", &url, &path, &lives).status, 201);
            let running = follow::live(&proxy.url(), &["-r", "/app", "--snapshot"]);
            proxy.refuse(true);
            proxy.cut_all(Cut::Reset);
            match change {
                "set" => drop(v2::put(&url, KEY, "next")),
                "refresh" => {
                    let refresh = [("ttl", "700"), ("refresh", "true"), ("prevExist", "true")];
                    assert_eq!(v2::request("PUT", &url, &path, &refresh).status, 200);
                }
                "delete" => drop(v2::delete(&url, KEY, "")),
                _ => {}
            }
            v2::put(&url, "/app/last", "v");
            proxy.refuse(false);
            let records = follow::wait_for_value(&running, "/app/last", "v");
            let gaps = records.iter().filter(|record| record["action"] == "gap");
            assert_eq!(gaps.count(), 0, "{change}: {records:?}");
        }
    }
}

/// This happens after a backup is restored, and after SIGKILL to a single etcd that had sent an
/// event before it was in its log (fact 22).
#[test]
fn a_store_rolled_back_before_the_last_event_is_declared() {
    for (version, is_past) in [(Version::V3_4, true), (Version::V3_5, false)] {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        v2::put(&url, KEY, "kept");
        let backup = etcd.back_up();
        let running = follow::live(&url, &["-r", "/app"]);
        let forgotten = v2::put(&url, KEY, "forgotten");
        follow::wait_for_value(&running, KEY, "forgotten");
        etcd.restore(&backup);
        v2::write_elsewhere(&url, if is_past { 10 } else { 1 });
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
fn later_changes_to_the_last_key_cause_no_gap() {
    for (version, is_set) in [(Version::V3_4, true), (Version::V3_5, false)] {
        let mut fixture = fixture(version);
        let url = fixture.etcd.url();
        // History returns all three for a watch of that key, the first one only because of its
        // name.
        v2::put(&url, "/ap/x", "v");
        v2::delete(&url, "/ap", "recursive=true");
        if is_set {
            fixture.truth.push(v2::put(&url, KEY, "next"));
        }
        fixture
            .truth
            .push(v2::delete(&url, "/app", "recursive=true"));
        fixture.proxy.refuse(false);
        fixture.truth.push(v2::put(&url, "/app/end", "here"));
        let records = follow::wait_for_value(&fixture.running, "/app/end", "here");
        oracle::assert_every_event_once(&fixture.truth, &records);
    }
}

#[test]
fn a_replaced_store_with_the_last_key_at_the_same_index_is_detected_by_its_value() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let proxy = Proxy::to(&etcd.url());
        let running = follow::live(&proxy.url(), &["-r", "/app"]);
        let old = v2::put(&etcd.url(), KEY, "old");
        follow::wait_for_value(&running, KEY, "old");
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        etcd.wipe_and_restart();
        let new = v2::put(&etcd.url(), KEY, "new");
        assert_eq!(new.index, old.index, "the stores differ in the value alone");
        v2::write_elsewhere(&etcd.url(), 10);
        proxy.refuse(false);
        let records =
            follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        assert_eq!(records[1]["cause"], "indexRewound", "{records:?}");
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&etcd.url(), "/app"));
    }
}

/// No printed event can be compared. An event that was received and waits for the unknown range
/// before it belongs to the old store.
#[test]
fn events_held_back_from_a_replaced_store_are_not_printed() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let proxy = Proxy::to(&etcd.url());
        let running = follow::live(&proxy.url(), &["-r", "/app"]);
        // From now on an answer takes long enough to be cut off.
        proxy.delay(Duration::from_secs(2));
        // The tool must not learn of other writes before it receives the event.
        running.signal(Signal::STOP);
        v2::write_elsewhere(&etcd.url(), 4);
        let (received, before) = (proxy.bytes_down(), v2::index(&etcd.url()));
        let question = format!("waitIndex={}", before - 3);
        let asked = || {
            let requests = proxy.requests();
            let questions = requests.iter().filter(|line| line.contains(&question));
            questions.count()
        };
        let asked_before = asked();
        v2::put(&etcd.url(), KEY, "old");
        running.signal(Signal::CONT);
        wait::until(wait::LONG, "a question after the event", || {
            proxy.bytes_down() > received && asked() > asked_before
        });
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        proxy.resume();
        etcd.wipe_and_restart();
        v2::write_elsewhere(&etcd.url(), 20);
        let new = v2::put(&etcd.url(), KEY, "new");
        proxy.refuse(false);
        let records = follow::wait_for_value(&running, KEY, "new");
        oracle::assert_every_event_once(&[new], &records);
    }
}
