//! `watch` and `watch --stream` against real etcd servers, through restarts and broken networks.

use std::time::Duration;

use serde_json::Value;

use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::oracle;
use crate::support::proxy::{Cut, Proxy};
use crate::support::shared;
use crate::support::tool::{Running, assert_ends, parse_lines, tool};
use crate::support::v2::{self, Truth};

const LIMIT: Duration = Duration::from_secs(30);

/// Starts a watch with the v2 API and `--verbose`, and waits until a server has registered it. With
/// `--api auto` the first answer could be that of another request.
fn registered(url: &str, arguments: &[&str]) -> Running {
    let options = ["--endpoints", url, "--api", "v2", "-v", "-o", "json"];
    let running = Running::start(&[&options, arguments].concat());
    running.wait_for_stderr("< 200", LIMIT);
    running
}

/// A registered stream on everything below `/app` that ends after `count` events.
fn stream(url: &str, count: usize) -> Running {
    let count = count.to_string();
    registered(url, &["watch", "--stream", "-r", "/app", "--count", &count])
}

/// The same stream with another `--on-gap`.
fn stream_on(url: &str, count: usize, on_gap: &str) -> Running {
    let count = count.to_string();
    let arguments = [
        "watch", "--stream", "-r", "/app", "--count", &count, "--on-gap", on_gap,
    ];
    registered(url, &arguments)
}

fn records(running: Running) -> Vec<Value> {
    running.wait(LIMIT).records()
}

fn app(number: usize) -> (String, String) {
    (format!("/app/k{number}"), number.to_string())
}

#[test]
fn watch_prints_one_event_and_exits() {
    for subtree in shared::each() {
        for (key, arguments) in [
            ("key", &[][..]),
            ("dir/below", &["-r"][..]),
            ("not/there/yet", &[]),
        ] {
            let watched = match arguments {
                ["-r"] => subtree.key("dir"),
                _ => subtree.key(key),
            };
            let arguments = [&["watch", &watched], arguments].concat();
            let running = registered(&subtree.url(), &arguments);
            let first = v2::put(&subtree.url(), &subtree.key(key), "one");
            v2::put(&subtree.url(), &subtree.key(key), "two");
            assert_eq!(oracle::events(&records(running)), [first]);
        }
    }
}

#[test]
fn watch_on_the_root_prints_every_key() {
    let etcd = Etcd::start(Version::V3_4);
    let running = registered(&etcd.url(), &["watch", "-r", "/"]);
    let truth = v2::put(&etcd.url(), "/any/where", "v");
    assert_eq!(oracle::events(&records(running)), [truth]);
}

#[test]
fn watch_from_an_index_starts_in_history() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let first = v2::put(&subtree.url(), &key, "one");
        let second = v2::put(&subtree.url(), &key, "two");
        for (option, index) in [
            ("--from-index", first.index + 1),
            ("--rev", second.index),
            ("--after-index", first.index),
        ] {
            let output = subtree.tool(&["watch", &key, option, &index.to_string(), "-o", "json"]);
            assert_eq!(output.code, 0, "{option}: {}", output.stderr);
            let lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
            assert_eq!(
                oracle::events(&parse_lines(&lines)),
                std::slice::from_ref(&second)
            );
        }
    }
}

#[test]
fn watch_from_a_future_index_prints_a_notice_and_waits() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    v2::put(&url, "/app/k", "0");
    for mode in [&[][..], &["--stream", "--count", "1"]] {
        let ahead = v2::index(&url) + 3;
        let from = ahead.to_string();
        let arguments = [&["watch", "-r", "/app", "--from-index", &from], mode].concat();
        let running = registered(&url, &arguments);
        running.wait_for_stderr("ahead", LIMIT);
        let truth = v2::burst(&url, 3, app);
        assert_eq!(truth[2].index, ahead);
        assert_eq!(oracle::events(&records(running)), [truth[2].clone()]);
    }
}

#[test]
fn a_stream_prints_every_action() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let running = stream(&url, 8);
        let path = "/v2/keys/app/k";
        let mut truth = vec![v2::put(&url, "/app/k", "1")];
        let mut change = |method, query: &str, form: &[(&str, &str)]| {
            let reply = v2::request(method, &url, &format!("{path}{query}"), form);
            truth.push(reply.truth());
        };
        change("PUT", "?prevExist=true", &[("value", "2")]);
        change("PUT", "?prevValue=2", &[("value", "3")]);
        change("DELETE", "?prevValue=3", &[]);
        change("PUT", "?prevExist=false", &[("value", "4")]);
        change("DELETE", "", &[]);
        change("PUT", "", &[("value", "5"), ("ttl", "1")]);
        let records = records(running);
        let expiry = truth[6].index + 1;
        truth.push(Truth {
            index: expiry,
            action: "expire".to_owned(),
            key: "/app/k".to_owned(),
            value: None,
        });
        oracle::assert_every_event_once(&truth, &records);
        let actions: Vec<&str> = truth.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "set",
                "update",
                "compareAndSwap",
                "compareAndDelete",
                "create",
                "delete",
                "set",
                "expire"
            ]
        );
    }
}

#[test]
fn a_delete_of_the_watched_key_is_printed_once() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let running = registered(&subtree.url(), &["watch", "--stream", &key, "--count", "3"]);
    let truth = [
        v2::put(&subtree.url(), &key, "v"),
        v2::delete(&subtree.url(), &key, ""),
        v2::put(&subtree.url(), &key, "w"),
    ];
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn hidden_keys_siblings_and_ttl_refreshes_are_not_printed() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let first = v2::put(&url, "/app/k", "1");
    let from = first.index.to_string();
    let live = stream(&url, 2);
    v2::put(&url, "/app/_hidden/k", "1");
    v2::put(&url, "/ap/k", "1");
    v2::delete(&url, "/ap", "recursive=true");
    let refresh = [("refresh", "true"), ("ttl", "100"), ("prevExist", "true")];
    let reply = v2::request("PUT", &url, "/v2/keys/app/k", &refresh);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let last = [v2::put(&url, "/app/k", "2"), v2::put(&url, "/app/k", "3")];
    oracle::assert_every_event_once(&last, &records(live));
    let history = registered(
        &url,
        &[
            "watch",
            "--stream",
            "-r",
            "/app",
            "--from-index",
            &from,
            "--count",
            "3",
        ],
    );
    let truth = [&[first][..], &last].concat();
    oracle::assert_every_event_once(&truth, &records(history));
}

#[test]
fn removing_a_parent_directory_is_one_event() {
    let subtree = shared::any();
    let below = subtree.key("d/k");
    v2::put(&subtree.url(), &below, "v");
    let running = registered(&subtree.url(), &["watch", &below]);
    let truth = v2::delete(&subtree.url(), &subtree.key("d"), "recursive=true");
    let records = records(running);
    assert_eq!(oracle::events(&records), [truth]);
    assert_eq!(records[0]["node"]["dir"], true);
}

#[test]
fn a_thousand_writes_are_a_thousand_records() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let running = stream(&etcd.url(), 1000);
        let truth = v2::burst(&etcd.url(), 1000, app);
        oracle::assert_every_event_once(&truth, &records(running));
    }
}

#[test]
fn a_thousand_writes_among_as_many_others_are_a_thousand_records() {
    let etcd = Etcd::start(Version::V3_5);
    let running = stream(&etcd.url(), 1000);
    let mut truth = v2::burst(&etcd.url(), 2000, |number| match number % 2 {
        0 => app(number),
        _ => ("/other".to_owned(), String::new()),
    });
    truth.retain(|one| one.key != "/other");
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn a_stream_loses_nothing_when_the_server_is_killed_and_restarted() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let running = stream(&etcd.url(), 1000);
        let mut truth = v2::burst(&etcd.url(), 500, app);
        etcd.kill();
        etcd.restart();
        truth.extend(v2::burst(&etcd.url(), 500, app));
        oracle::assert_every_event_once(&truth, &records(running));
    }
}

#[test]
fn a_stream_loses_nothing_when_the_server_is_terminated_and_restarted() {
    let etcd = Etcd::start(Version::V3_4);
    let running = stream(&etcd.url(), 20);
    let mut truth = v2::burst(&etcd.url(), 10, app);
    etcd.terminate();
    etcd.restart();
    truth.extend(v2::burst(&etcd.url(), 10, app));
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn watch_waits_for_its_event_through_a_restart() {
    let etcd = Etcd::start(Version::V3_5);
    let running = registered(&etcd.url(), &["watch", "-r", "/app"]);
    etcd.kill();
    etcd.restart();
    let truth = v2::put(&etcd.url(), "/app/k", "v");
    assert_eq!(oracle::events(&records(running)), [truth]);
}

#[test]
fn a_stream_dropped_as_a_slow_watcher_loses_nothing() {
    let etcd = Etcd::start(Version::V3_4);
    let proxy = Proxy::to(&etcd.url());
    let running = stream(&proxy.url(), 600);
    // Slow enough to fill the server's buffers (fact 4), and then fast.
    proxy.bandwidth(200_000);
    let value = "x".repeat(20_000);
    let truth = v2::burst(&etcd.url(), 600, |number| {
        (format!("/app/k{number}"), value.clone())
    });
    proxy.resume();
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn a_stream_from_history_continues_live() {
    let etcd = Etcd::start(Version::V3_4);
    let mut truth = v2::burst(&etcd.url(), 50, app);
    let from = truth[0].index.to_string();
    let arguments = [
        "watch",
        "--stream",
        "-r",
        "/app",
        "--from-index",
        &from,
        "--count",
        "100",
    ];
    let running = registered(&etcd.url(), &arguments);
    running.wait_for_lines(50, LIMIT);
    truth.extend(v2::burst(&etcd.url(), 50, app));
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn repeated_disconnects_lose_nothing() {
    for how in [Cut::Reset, Cut::Close] {
        let etcd = Etcd::start(Version::V3_5);
        let proxy = Proxy::to(&etcd.url());
        let running = stream(&proxy.url(), 500);
        let mut truth = Vec::new();
        for _ in 0..10 {
            truth.extend(v2::burst(&etcd.url(), 50, app));
            proxy.cut_all(how);
        }
        oracle::assert_every_event_once(&truth, &records(running));
    }
}

#[test]
fn events_that_arrive_byte_by_byte_are_complete() {
    let etcd = Etcd::start(Version::V3_4);
    let proxy = Proxy::to(&etcd.url());
    proxy.one_byte_at_a_time();
    let running = stream(&proxy.url(), 5);
    let truth = v2::burst(&etcd.url(), 5, |number| {
        (format!("/app/ключ{number}"), "値 é".to_owned())
    });
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn a_stream_fails_over_when_a_member_is_killed() {
    let cluster = Cluster::start(Version::V3_5, 3);
    let running = stream(&cluster.endpoints(), 60);
    let url = cluster.nodes[1].url();
    let mut truth = v2::burst(&url, 30, app);
    cluster.nodes[0].kill();
    // The writes wait for a new leader if the old one was killed.
    for number in 30..60 {
        let (key, value) = app(number);
        truth.push(crate::support::wait::until_some(LIMIT, "a write", || {
            let path = v2::key_path(&key);
            let form = [("value", value.as_str())];
            let reply = v2::try_request("PUT", &url, &path, &form, LIMIT).ok()?;
            (reply.status < 300).then(|| reply.truth())
        }));
    }
    oracle::assert_nothing_lost_silently(&truth, &parse_lines(&running.wait_for_lines(60, LIMIT)));
    oracle::assert_every_event_once(&truth, &records(running));
}

#[test]
fn an_endpoint_of_another_cluster_is_skipped_with_a_notice() {
    let ours = Etcd::start(Version::V3_4);
    let other = Etcd::start(Version::V3_5);
    let endpoints = format!("{},{}", ours.url(), other.url());
    let running = stream(&endpoints, 2);
    let first = v2::put(&ours.url(), "/app/k", "1");
    running.wait_for_lines(1, LIMIT);
    ours.kill();
    running.wait_for_stderr("belongs to another cluster", LIMIT);
    v2::put(&other.url(), "/app/k", "not ours");
    ours.restart();
    let second = v2::put(&ours.url(), "/app/k", "2");
    oracle::assert_every_event_once(&[first, second], &records(running));
}

#[test]
fn cleared_history_exits_5_or_is_declared_with_its_exact_range() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let lost = v2::put(&url, "/app/lost", "v").index;
        v2::write_elsewhere(&url, 1000);
        let kept = v2::put(&url, "/app/kept", "v");
        // The last 1,000 indexes are served (fact 10).
        let oldest = kept.index - 999;
        let from = lost.to_string();

        let watch = [
            "--endpoints",
            &url,
            "-o",
            "json",
            "watch",
            "-r",
            "/app",
            "--from-index",
            &from,
        ];
        let failed = tool(&watch);
        assert_eq!(failed.code, 5, "{}", failed.stderr);
        let error: Value = serde_json::from_str(&failed.stderr).unwrap();
        assert_eq!(error["error"]["lost"]["from"], lost);
        assert_eq!(error["error"]["lost"]["to"], oldest - 1);
        assert_eq!(error["error"]["oldest"], oldest);

        let going_on = [&watch[..], &["--on-gap", "continue"]].concat();
        let running = Running::start(&going_on);
        let records = records(running);
        assert_eq!(records[0]["action"], "gap");
        assert_eq!(records[0]["cause"], "historyCleared");
        assert_eq!(records[0]["lost"]["from"], lost);
        assert_eq!(records[0]["lost"]["to"], oldest - 1);
        assert_eq!(records[0]["certain"], false);
        assert_eq!(oracle::events(&records), [kept]);
    }
}

#[test]
fn an_outage_longer_than_history_is_declared_before_later_events() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    let running = stream_on(&proxy.url(), 40, "continue");
    let mut truth = v2::burst(&etcd.url(), 20, app);
    running.wait_for_lines(20, LIMIT);
    proxy.refuse(true);
    proxy.cut_all(Cut::Reset);
    truth.extend(v2::burst(&etcd.url(), 500, |number| {
        (format!("/app/lost{number}"), String::new())
    }));
    v2::write_elsewhere(&etcd.url(), 1000);
    proxy.refuse(false);
    truth.extend(v2::burst(&etcd.url(), 20, app));
    let records = records(running);
    assert!(records.iter().any(|record| record["action"] == "gap"));
    oracle::assert_nothing_lost_silently(&truth, &records);
}

#[test]
fn a_store_replaced_at_the_same_endpoint_is_declared() {
    for on_gap in ["continue", "resync"] {
        let etcd = Etcd::start(Version::V3_4);
        let running = stream_on(&etcd.url(), 2, on_gap);
        v2::put(&etcd.url(), "/app/k", "1");
        running.wait_for_lines(1, LIMIT);
        etcd.wipe_and_restart();
        running.wait_for_lines(2, LIMIT);
        v2::put(&etcd.url(), "/app/k", "2");
        let records = records(running);
        let gap = &records[1];
        assert_eq!(gap["action"], "gap");
        assert!(
            ["clusterChanged", "indexRewound"].contains(&gap["cause"].as_str().unwrap()),
            "{gap}"
        );
        assert_eq!(gap["lost"]["to"], Value::Null);
        assert_eq!(records.last().unwrap()["node"]["value"], "2");
        if on_gap == "resync" {
            let actions: Vec<_> = records[2..4].iter().map(|one| &one["action"]).collect();
            assert_eq!(actions, ["reset", "synced"]);
        }
    }
}

#[test]
fn watch_exits_124_at_its_timeout() {
    let subtree = shared::any();
    let output = subtree.tool(&["watch", &subtree.key("never"), "--timeout", "300ms"]);
    assert_ends(&output, 124, &["timed out after 300ms"]);
}

#[test]
fn prev_adds_the_previous_value_as_a_fifth_field() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let first = subtree.put(&key, "old").to_string();
    let second = subtree.put(&key, "new");
    let arguments = [
        "watch",
        "--stream",
        &key,
        "--from-index",
        &first,
        "--count",
        "2",
        "--prev",
    ];
    let output = subtree.tool(&arguments);
    assert_eq!(
        output.stdout,
        format!("{first}\tset\t{key}\told\t\n{second}\tset\t{key}\tnew\told\n")
    );
}
