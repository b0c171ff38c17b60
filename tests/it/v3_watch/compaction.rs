//! Compaction: which events are declared lost, and what is printed after the gap.

use serde_json::{Value, json};

use super::{brief, live, records, run, with_v3};
use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::{Cut, Proxy};
use crate::support::{follow, v3};

/// A store with events at the revisions 2 to 6, compacted up to 4, so that the delete at 4 is gone.
fn compacted(version: Version) -> Etcd {
    let etcd = Etcd::start(version);
    let url = etcd.url();
    v3::put(&url, "/app/a", b"1");
    v3::put(&url, "/app/b", b"1");
    v3::delete(&url, "/app/a");
    v3::put(&url, "/app/a", b"2");
    v3::put(&url, "/app/a", b"3");
    v3::compact(&url, 4);
    etcd
}

#[test]
fn compacted_events_are_a_gap_with_exact_bounds() {
    for version in Version::ALL {
        let etcd = compacted(version);
        let url = etcd.url();
        let output = run(&url, &["replay", "-r", "/app", "--from-index", "3"]);
        assert_eq!((output.code, output.stdout.as_str()), (5, ""), "{output:?}");
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["lost"], json!({"from": 3, "to": 4}));
        assert_eq!(
            (&error["error"]["cause"], &error["error"]["oldest"]),
            (&json!("compacted"), &json!(5))
        );
        let rest = ["5 set /app/a", "6 set /app/a"];
        for from in ["5", "oldest"] {
            let printed = records(&url, &["replay", "-r", "/app", "--from-index", from]);
            assert_eq!(brief(&printed), rest);
        }
        let stream = |on_gap: &str, count: &str| {
            let options = ["--from-index", "2", "--on-gap", on_gap, "--count", count];
            let watch = ["watch", "--stream", "-r", "/app"];
            brief(&records(&url, &[&watch[..], &options].concat()))
        };
        assert_eq!(stream("continue", "2"), ["4 gap 2-4", rest[0], rest[1]]);
        let output = with_v3(
            &url,
            &[
                "--timeout",
                "1s",
                "watch",
                "--stream",
                "-r",
                "/app",
                "--from-index",
                "2",
            ],
        )
        .run();
        assert_eq!(output.code, 124);
        let printed = output.json();
        assert_eq!(
            brief(&printed),
            [
                "6 gap 2-6",
                "6 reset",
                "6 get /app/a",
                "6 get /app/b",
                "6 synced"
            ]
        );
        assert_eq!(
            (&printed[0]["certain"], &printed[0]["cause"]),
            (&json!(true), &json!("compacted"))
        );
    }
}

/// A watch from the next revision silently skips a delete that was compacted (etcd-facts.md).
#[test]
fn a_delete_compacted_during_an_outage_is_declared() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let proxy = Proxy::to(&url);
        let running = live(&proxy.url(), &["-r", "/app", "--on-gap", "continue"]);
        let set = v3::put(&url, "/app/a", b"1");
        follow::wait_for_value(&running, "/app/a", "1");
        proxy.refuse(true);
        proxy.cut_all(Cut::Reset);
        let gone = v3::delete(&url, "/app/a");
        v3::compact(&url, gone);
        let last = v3::put(&url, "/app/a", b"2");
        proxy.refuse(false);
        let printed = follow::wait_for_value(&running, "/app/a", "2");
        assert_eq!(
            brief(&printed),
            [
                format!("{set} set /app/a"),
                format!("{gone} gap {gone}-{gone}"),
                format!("{last} set /app/a"),
            ]
        );
    }
}

/// A run without events has still seen how far history was compacted.
#[test]
fn a_compaction_between_two_runs_is_declared_even_if_the_first_printed_nothing() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let first = v3::put(&url, "/app/k", b"1");
        v3::compact(&url, first);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint");
        let file = file.to_str().unwrap();
        let replay = [
            "replay",
            "-r",
            "/app",
            "--from-index",
            "oldest",
            "--checkpoint",
            file,
        ];
        let output = run(&url, &replay);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{output:?}");
        v3::put(&url, "/app/k", b"2");
        let compacted = v3::put(&url, "/app/k", b"3");
        v3::compact(&url, compacted);
        let output = run(&url, &replay);
        assert_eq!(output.code, 5, "{output:?}");
        let lost = json!({"from": first + 1, "to": compacted});
        let error: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["error"]["lost"], lost);
    }
}

#[test]
fn on_gap_diff_prints_the_differences_over_v3() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let proxy = Proxy::to(&url);
    for name in ["kept", "changed", "gone"] {
        v3::put(&url, &format!("/app/{name}"), b"1");
    }
    let running = live(&proxy.url(), &["-r", "/app", "--on-gap", "diff"]);
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    v3::put(&url, "/app/changed", b"2");
    v3::delete(&url, "/app/gone");
    let last = v3::put(&url, "/app/new", b"1");
    v3::compact(&url, last);
    proxy.refuse(false);
    let printed = follow::wait_for(&running, "the differences", |record| {
        record["action"] == "synced"
    });
    let expected = [
        "gap 5-7",
        "delete /app/gone",
        "set /app/changed",
        "set /app/new",
        "synced",
    ];
    assert_eq!(
        brief(&printed),
        expected.map(|record| format!("{last} {record}"))
    );
    assert_eq!(printed[0]["certain"], true);
    assert_eq!(printed[2]["prevNode"]["value"], "1");
}

#[test]
fn a_single_unchanged_key_has_no_gap_after_a_compaction() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let proxy = Proxy::to(&url);
        v3::put(&url, "/k", b"1");
        let running = live(&proxy.url(), &["/k", "--on-gap", "fail"]);
        for round in 0..2 {
            proxy.refuse(true);
            proxy.cut_all(Cut::Reset);
            let other = v3::put(&url, "/other", b"v");
            v3::compact(&url, other);
            let value = format!("again {round}");
            v3::put(&url, "/k", value.as_bytes());
            proxy.refuse(false);
            let printed = follow::wait_for_value(&running, "/k", &value);
            assert_eq!(printed.len(), round + 1, "{printed:?}");
        }
    }
}

#[test]
fn a_key_written_again_within_a_gap_makes_it_certain() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let from = v3::put(&url, "/app/k", b"v");
        let directory = tempfile::tempdir().unwrap();
        let checkpoint = directory.path().join("checkpoint");
        let from = from.to_string();
        let options = [
            "-r",
            "/app",
            "--from-index",
            &from,
            "--checkpoint",
            checkpoint.to_str().unwrap(),
        ];
        let first = [&["watch", "--stream", "--count", "1"], &options[..]].concat();
        assert_eq!(
            brief(&records(&url, &first)),
            [format!("{from} set /app/k")]
        );
        // Setting the same value again is an event too.
        let lost = v3::put(&url, "/app/k", b"v");
        let compacted = v3::put(&url, "/other", b"v");
        v3::compact(&url, compacted);
        let running = live(&url, &options);
        let printed =
            follow::wait_for(&running, "the state", |record| record["action"] == "synced");
        assert_eq!(printed[0]["action"], "gap");
        assert_eq!(printed[0]["lost"], json!({"from": lost, "to": compacted}));
        assert_eq!(printed[0]["certain"], true);
    }
}
