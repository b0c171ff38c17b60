//! Gaps and what follows them, and what is not a gap: removed directories and quiet keys in busy
//! stores.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::etcd::{Etcd, Version};
use crate::support::follow::{self, State};
use crate::support::oracle;
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::Running;
use crate::support::v2;
use crate::support::{shared, wait};

const LIMIT: Duration = Duration::from_secs(30);

/// The number of indexes that history holds.
const HISTORY: usize = 1000;

/// A server, a proxy before it that can fail, and a stream on everything below `/app`.
struct Fixture {
    etcd: Etcd,
    proxy: Proxy,
    running: Running,
    /// The server's state in scope when the stream began.
    before: State,
}

/// Sets `/app/kept`, `/app/changed` and `/app/gone` before the stream starts.
fn fixture(version: Version, arguments: &[&str]) -> Fixture {
    let etcd = Etcd::start(version);
    for name in ["kept", "changed", "gone"] {
        v2::put(&etcd.url(), &format!("/app/{name}"), "1");
    }
    let before = follow::server(&etcd.url(), "/app");
    let proxy = Proxy::to(&etcd.url());
    let running = follow::live(&proxy.url(), &[&["-r", "/app"], arguments].concat());
    Fixture {
        etcd,
        proxy,
        running,
        before,
    }
}

impl Fixture {
    fn url(&self) -> String {
        self.etcd.url()
    }

    /// Runs `during` and then more writes elsewhere than history holds, while the network is down.
    fn outage(&self, during: impl Fn(&str)) {
        self.proxy.refuse(true);
        self.proxy.cut_all(Cut::Reset);
        during(&self.url());
        v2::write_elsewhere(&self.url(), HISTORY + 100);
        self.proxy.refuse(false);
    }

    /// Changes, creates and deletes a key during an outage, and waits for the end of the gap.
    /// Returns the index of the last event before the outage, and that of the store after it.
    fn outage_with_changes(&self) -> (u64, u64) {
        let printed = v2::put(&self.url(), "/app/changed", "2").index;
        follow::wait_for_value(&self.running, "/app/changed", "2");
        self.outage(|url| {
            v2::put(url, "/app/changed", "3");
            v2::put(url, "/app/sub/new", "1");
            v2::delete(url, "/app/gone", "");
        });
        self.until_synced();
        (printed, v2::index(&self.url()))
    }

    /// The records up to the end of the gap.
    #[track_caller]
    fn until_synced(&self) -> Vec<Value> {
        follow::wait_for(&self.running, "the end of the gap", |record| {
            record["action"] == "synced"
        })
    }

    /// Writes once more, waits for that event, and returns all records.
    #[track_caller]
    fn until_marked(&self) -> Vec<Value> {
        v2::put(&self.url(), "/app/mark", "here");
        follow::wait_for_value(&self.running, "/app/mark", "here")
    }
}

/// Waits until the tool asks for events from `index` on, and so knows everything before.
fn wait_until_asked(proxy: &Proxy, index: u64) {
    let asked = format!("waitIndex={index}");
    wait::until(LIMIT, &asked, || {
        let requests = proxy.requests();
        requests.iter().any(|request| request.ends_with(&asked))
    });
}

/// The records from the only gap on.
#[track_caller]
fn from_gap(records: &[Value]) -> &[Value] {
    let gaps: Vec<usize> = (0..records.len())
        .filter(|at| records[*at]["action"] == "gap")
        .collect();
    assert_eq!(gaps.len(), 1, "{records:?}");
    &records[gaps[0]..]
}

fn actions(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect()
}

#[test]
fn a_gap_is_followed_by_a_resync() {
    for version in Version::ALL {
        let fixture = fixture(version, &[]);
        let (printed, index) = fixture.outage_with_changes();
        let records = fixture.until_marked();
        let gap = from_gap(&records);
        assert_eq!(
            gap[0],
            json!({
                "action": "gap",
                "lost": {"from": printed + 1, "to": index},
                "certain": true,
                "cause": "historyCleared",
                "index": index,
            })
        );
        assert_eq!(gap[1], json!({"action": "reset", "index": index}));
        let keys: Vec<&str> = gap
            .iter()
            .filter(|record| record["origin"] == "snapshot")
            .map(|record| record["node"]["key"].as_str().unwrap())
            .collect();
        assert_eq!(
            keys,
            [
                "/app",
                "/app/changed",
                "/app/kept",
                "/app/sub",
                "/app/sub/new"
            ]
        );
        assert_eq!(gap[7], json!({"action": "synced", "index": index}));
        assert_eq!(actions(&gap[8..]), ["set"]);
        follow::assert_indexes_never_decrease(&records);
        let after = follow::apply(fixture.before.clone(), "/app", &records);
        assert_eq!(after, follow::server(&fixture.url(), "/app"));
    }
}

#[test]
fn a_gap_without_changes_in_scope_is_not_certain() {
    for on_gap in ["resync", "diff"] {
        let fixture = fixture(Version::V3_5, &["--on-gap", on_gap]);
        fixture.outage(|_| ());
        let records = fixture.until_synced();
        assert_eq!(from_gap(&records)[0]["certain"], false);
    }
}

#[test]
fn on_gap_diff_prints_the_differences_after_a_gap() {
    for version in Version::ALL {
        let fixture = fixture(version, &["--on-gap", "diff"]);
        let (_, index) = fixture.outage_with_changes();
        let records = fixture.until_marked();
        let gap = from_gap(&records);
        assert_eq!(
            actions(gap),
            ["gap", "delete", "set", "set", "set", "synced", "set"]
        );
        assert_eq!(gap[0]["certain"], true);
        assert_eq!(gap[0]["lost"]["to"], index);
        for change in &gap[1..5] {
            assert_eq!(change["origin"], "resync", "{change}");
            assert_eq!(change["index"], index, "{change}");
        }
        let keys: Vec<&Value> = gap[1..5].iter().map(|one| &one["node"]["key"]).collect();
        assert_eq!(
            keys,
            ["/app/gone", "/app/changed", "/app/sub", "/app/sub/new"]
        );
        assert_eq!(gap[1]["prevNode"]["value"], "1");
        assert_eq!(gap[2]["prevNode"]["value"], "2");
        assert_eq!(gap[2]["node"]["value"], "3");
        assert!(gap[4].get("prevNode").is_none(), "{}", gap[4]);
        let after = follow::apply(fixture.before.clone(), "/app", &records);
        assert_eq!(after, follow::server(&fixture.url(), "/app"));
        follow::assert_indexes_never_decrease(&records);
    }
}

#[test]
fn a_refreshed_ttl_is_not_a_change() {
    for on_gap in ["resync", "diff"] {
        let etcd = Etcd::start(Version::V3_4);
        let form = [("value", "v"), ("ttl", "500")];
        v2::request("PUT", &etcd.url(), "/v2/keys/app/k", &form).truth();
        let proxy = Proxy::to(&etcd.url());
        let running = follow::live(&proxy.url(), &["-r", "/app", "--on-gap", on_gap]);
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        let refresh = [("refresh", "true"), ("ttl", "900"), ("prevExist", "true")];
        v2::request("PUT", &etcd.url(), "/v2/keys/app/k", &refresh).truth();
        v2::write_elsewhere(&etcd.url(), HISTORY + 100);
        proxy.refuse(false);
        let records = follow::wait_for(&running, "the end of the gap", |record| {
            record["action"] == "synced"
        });
        assert_eq!(records[0]["certain"], false, "{on_gap}: {records:?}");
        if on_gap == "diff" {
            assert_eq!(actions(&records), ["gap", "synced"]);
        }
    }
}

#[test]
fn on_gap_continue_declares_the_smallest_gap() {
    for version in Version::ALL {
        let fixture = fixture(version, &["--on-gap", "continue"]);
        let printed = v2::put(&fixture.url(), "/app/k", "printed");
        follow::wait_for_value(&fixture.running, "/app/k", "printed");
        fixture.outage(|url| {
            v2::put(url, "/app/k", "lost");
            v2::write_elsewhere(url, 200);
        });
        let index = v2::index(&fixture.url());
        // The rest of history must have been read before the next write clears more of it.
        wait_until_asked(&fixture.proxy, index + 1);
        let records = fixture.until_marked();
        let gap = from_gap(&records);
        // The last 1,000 indexes are served (fact 10).
        assert_eq!(
            gap[0]["lost"],
            json!({"from": printed.index + 1, "to": index - 1000})
        );
        assert_eq!(gap[0]["index"], index - 1000);
        assert_eq!(gap[0]["certain"], false);
        assert_eq!(actions(&gap[1..]), ["set"]);
        follow::assert_indexes_never_decrease(&records);
    }
}

#[test]
fn on_gap_fail_exits_5_with_the_lost_range() {
    let fixture = fixture(Version::V3_5, &["--on-gap", "fail"]);
    let printed = v2::put(&fixture.url(), "/app/k", "printed").index;
    follow::wait_for_value(&fixture.running, "/app/k", "printed");
    fixture.outage(|_| ());
    let oldest = v2::index(&fixture.url()) - 999;
    let output = fixture.running.wait(LIMIT);
    assert_eq!(output.code, 5, "{}", output.stderr);
    let error = output
        .stderr
        .lines()
        .find(|line| line.starts_with(r#"{"error""#))
        .unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(
        error["error"]["lost"],
        json!({"from": printed + 1, "to": oldest - 1})
    );
    assert!(!output.stdout.contains("\"gap\""), "{}", output.stdout);
}

#[test]
fn a_gap_and_its_resync_are_lines_in_text_output() {
    let etcd = Etcd::start(Version::V3_5);
    let first = v2::put(&etcd.url(), "/app/k", "v").index;
    v2::write_elsewhere(&etcd.url(), HISTORY + 100);
    let index = v2::index(&etcd.url());
    let from = first.to_string();
    let running = Running::start(&[
        "--endpoints",
        &etcd.url(),
        "watch",
        "--stream",
        "-r",
        "/app",
        "--from-index",
        &from,
    ]);
    let lines = running.wait_for_lines(5, LIMIT);
    assert_eq!(
        lines,
        [
            format!("{index}\tgap\t/app\t{first}-{index}\tcertain\thistoryCleared"),
            format!("{index}\treset\t/app"),
            format!("{index}\tget\t/app/\t"),
            format!("{index}\tget\t/app/k\tv"),
            format!("{index}\tsynced\t/app"),
        ]
    );
}

#[test]
fn expand_prints_a_delete_for_each_key_of_a_removed_directory() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("top"));
        let key = |name: &str| format!("{top}/{name}");
        v2::put(&url, &key("dir/a"), "1");
        v2::put(&url, &key("dir/sub/b"), "2");
        v2::put(&url, &key("dirt"), "stays");
        let before = follow::server(&url, &top);
        let running = follow::live(&url, &["-r", &top, "--expand"]);
        v2::put(&url, &key("dir/c"), "3");
        let removed = v2::delete(&url, &key("dir"), "recursive=true").index;
        v2::put(&url, &key("end"), "v");
        let records = follow::wait_for_value(&running, &key("end"), "v");
        assert_eq!(
            actions(&records),
            [
                "set", "delete", "delete", "delete", "delete", "delete", "set"
            ]
        );
        let mut keys: Vec<String> = Vec::new();
        for record in &records[1..5] {
            assert_eq!(record["origin"], "expand", "{record}");
            assert_eq!(record["index"], removed, "{record}");
            keys.push(record["node"]["key"].as_str().unwrap().to_owned());
        }
        // A key comes before its parent directory.
        let place = |name: &str| keys.iter().position(|one| *one == key(name)).unwrap();
        assert!(place("dir/sub/b") < place("dir/sub"), "{keys:?}");
        assert_eq!(records[1 + place("dir/a")]["prevNode"]["value"], "1");
        assert_eq!(records[1 + place("dir/c")]["prevNode"]["value"], "3");
        assert!(records[5].get("origin").is_none(), "{}", records[5]);
        assert_eq!(records[5]["node"]["dir"], true);
        let after = follow::apply(before, &top, &records);
        assert_eq!(after, follow::server(&url, &top));
    }
}

#[test]
fn expand_prints_a_delete_for_each_key_of_an_expired_directory() {
    for subtree in shared::each() {
        let (url, top) = (subtree.url(), subtree.key("top"));
        let running = follow::live(&url, &["-r", &top, "--expand"]);
        let directory = format!("{top}/dir");
        let form = [("dir", "true"), ("ttl", "1")];
        v2::request("PUT", &url, &v2::key_path(&directory), &form).truth();
        v2::put(&url, &format!("{directory}/k"), "v");
        let records = follow::wait_for(&running, "the expiry", |record| {
            record["action"] == "expire"
        });
        let last = &records[records.len() - 2..];
        assert_eq!(last[0]["action"], "delete");
        assert_eq!(last[0]["origin"], "expand");
        assert_eq!(last[0]["node"]["key"], format!("{directory}/k"));
        assert_eq!(last[1]["node"]["key"], directory);
    }
}

/// How a store is replaced while the network is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replacement {
    /// The store is wiped. A static configuration has the same cluster id again (fact 19).
    SameId,
    /// Another cluster is at the same address.
    OtherId,
}

#[test]
fn a_replaced_store_is_declared_as_a_gap_and_resynced() {
    for (on_gap, version, replacement, is_above) in [
        ("resync", Version::V3_4, Replacement::SameId, true),
        ("diff", Version::V3_5, Replacement::SameId, false),
        ("diff", Version::V3_4, Replacement::OtherId, true),
        ("resync", Version::V3_5, Replacement::OtherId, false),
    ] {
        let what = format!("{on_gap} {replacement:?} above={is_above}");
        let mut fixture = fixture(version, &["--on-gap", on_gap]);
        for number in 0..30 {
            v2::put(&fixture.url(), "/app/changed", &number.to_string());
        }
        follow::wait_for_value(&fixture.running, "/app/changed", "29");
        let printed = v2::index(&fixture.url());
        fixture.proxy.refuse(true);
        fixture.proxy.cut_all(Cut::Reset);
        match replacement {
            Replacement::SameId => fixture.etcd.wipe_and_restart(),
            Replacement::OtherId => {
                fixture.etcd = Etcd::start(version);
                fixture.proxy.lead_to(&fixture.url());
            }
        }
        v2::put(&fixture.url(), "/app/kept", "1");
        v2::put(&fixture.url(), "/app/rebuilt", "1");
        if is_above {
            v2::write_elsewhere(&fixture.url(), 100);
            assert!(v2::index(&fixture.url()) > printed);
        }
        fixture.proxy.refuse(false);
        fixture.until_synced();
        let records = fixture.until_marked();
        let gap = from_gap(&records);
        let cause = match replacement {
            Replacement::SameId => "indexRewound",
            Replacement::OtherId => "clusterChanged",
        };
        assert_eq!(gap[0]["cause"], cause, "{what}");
        assert_eq!(
            gap[0]["lost"],
            json!({"from": printed + 1, "to": null}),
            "{what}"
        );
        if on_gap == "resync" {
            assert_eq!(gap[1]["action"], "reset", "{what}");
        }
        let after = follow::apply(fixture.before.clone(), "/app", &records);
        assert_eq!(after, follow::server(&fixture.url(), "/app"), "{what}");
        follow::assert_indexes_never_decrease(&records);
    }
}

/// Waits until the watch has been quiet for so long that it also waits for any write to the store.
fn wait_for_store_watch(running: &Running) {
    running.wait_for_stderr("/v2/keys/?wait=true&recursive=true", LIMIT);
}

#[test]
fn a_quiet_key_has_no_gap_through_repeated_disconnects() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("checkpoint");
    let path = file.display().to_string();
    let running = follow::live(&proxy.url(), &["/app/k", "--checkpoint", &path]);
    for _ in 0..2 {
        proxy.cut_all(Cut::Reset);
        // A disconnect may cost a few hundred writes, followed by a pause.
        v2::write_elsewhere(&etcd.url(), 600);
        let index = v2::index(&etcd.url());
        // The checkpoint shows up to which index it is proven that nothing happened.
        follow::wait_for_checkpoint(&file, index);
    }
    let truth = v2::put(&etcd.url(), "/app/k", "v");
    let records = follow::wait_for_value(&running, "/app/k", "v");
    oracle::assert_every_event_once(&[truth], &records);
}

#[test]
fn a_rarely_written_key_in_a_busy_store_has_no_gap() {
    let etcd = Etcd::start(Version::V3_4);
    let running = follow::live(&etcd.url(), &["/app/k"]);
    wait_for_store_watch(&running);
    let mut truth = Vec::new();
    for round in 0..5 {
        // Fewer writes each time than history holds, and many more in total.
        v2::write_elsewhere(&etcd.url(), 900);
        let value = format!("round {round}");
        truth.push(v2::put(&etcd.url(), "/app/k", &value));
        follow::wait_for_value(&running, "/app/k", &value);
    }
    let records = follow::wait_for_value(&running, "/app/k", "round 4");
    oracle::assert_every_event_once(&truth, &records);
}
