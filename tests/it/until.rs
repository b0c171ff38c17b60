//! `watch --until`, `--idle-timeout` and the filters, with both APIs.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::etcd::{Etcd, Version};
use crate::support::follow;
use crate::support::proxy::{Cut, Proxy};
use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program, Running, assert_ends};
use crate::support::v3;
use crate::support::wait;

/// Both APIs.
const APIS: [&str; 2] = ["v2", "v3"];

#[track_caller]
fn set(subtree: &Subtree, api: &str, key: &str, value: &str) {
    let output = subtree.tool(&["--api", api, "set", key, value]);
    assert_eq!(output.code, 0, "{output:?}");
}

#[track_caller]
fn rm(subtree: &Subtree, api: &str, key: &str) {
    let output = subtree.tool(&["--api", api, "rm", "-r", key]);
    assert_eq!(output.code, 0, "{output:?}");
}

fn until(subtree: &Subtree, api: &str, key: &str, condition: &str) -> Program {
    subtree.program(&[
        "--api",
        api,
        "--timeout",
        "20s",
        "watch",
        key,
        "--until",
        condition,
    ])
}

/// A live watch whose condition does not hold yet.
#[track_caller]
fn waiting(subtree: &Subtree, api: &str, key: &str, condition: &str) -> Running {
    let status = ["--status", "--stream"];
    let program = subtree.program(
        &[
            &[
                "--api", api, "-o", "json", "watch", key, "--until", condition,
            ][..],
            &status,
        ]
        .concat(),
    );
    let running = program.start();
    running.wait_for_lines(1, wait::LONG);
    running
}

#[test]
fn until_exits_at_once_if_the_condition_already_holds() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let key = subtree.key(api);
        set(subtree, api, &key, "two\nlines");
        for condition in ["exists", "value~^two", "value!=x", "value=two\nlines"] {
            let output = until(subtree, api, &key, condition).run();
            assert_eq!(output.fields()[1..], ["get", &key, "two\\nlines"]);
        }
        let output = until(subtree, api, &subtree.key("none"), "absent").run();
        assert_eq!(output.fields()[1..], ["synced", &subtree.key("none")]);
    }
}

#[test]
fn until_prints_the_event_that_meets_the_condition() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let key = subtree.key(api);
        for (condition, change) in [
            ("exists", Some("1")),
            ("value=2", Some("2")),
            ("value!=2", Some("3")),
            ("absent", None),
        ] {
            let running = waiting(subtree, api, &key, condition);
            // This key is not in scope.
            set(subtree, api, &subtree.key("beside"), "2");
            match change {
                Some(value) => set(subtree, api, &key, value),
                None => rm(subtree, api, &key),
            }
            let output = running.wait(wait::LONG);
            assert_eq!(output.code, 0, "{condition}: {output:?}");
            let last = output.json().pop().unwrap();
            let action = if change.is_some() { "set" } else { "delete" };
            assert_eq!(
                (&last["action"], &last["node"]["key"]),
                (&action.into(), &key.clone().into())
            );
        }
    }
}

#[test]
fn until_exists_holds_for_a_directory_created_by_a_key_below_it() {
    for subtree in shared::each() {
        let running = waiting(&subtree, "v2", &subtree.key("dir"), "exists");
        set(&subtree, "v2", &subtree.key("dir/below/k"), "v");
        assert_eq!(running.wait(wait::LONG).code, 0);
        // With several keys, an event that only shows that a directory exists is not printed before
        // the condition holds.
        let (dir, other) = (subtree.key("dir2"), subtree.key("other"));
        let watch = [
            "--api", "v2", "watch", "--stream", &dir, &other, "--until", "exists", "-v",
        ];
        let running = subtree.program(&watch).start();
        running.wait_for_stderr("< 200", wait::LONG);
        set(&subtree, "v2", &subtree.key("dir2/below/k"), "v");
        set(&subtree, "v2", &other, "w");
        let output = running.wait(wait::LONG);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(!output.stdout.contains("below"), "{output:?}");
        let running = waiting(&subtree, "v2", &subtree.key("dir"), "absent");
        rm(&subtree, "v2", subtree.root());
        assert_eq!(running.wait(wait::LONG).code, 0);
    }
}

#[test]
fn until_requires_every_key_to_meet_the_condition() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let (one, two) = (
            subtree.key(&format!("{api}/one")),
            subtree.key(&format!("{api}-two")),
        );
        let running = subtree
            .program(&[
                "--api",
                api,
                "--timeout",
                "20s",
                "watch",
                &one,
                &two,
                "--until",
                "exists",
            ])
            .start();
        set(subtree, api, &one, "1");
        rm(subtree, api, &one);
        set(subtree, api, &two, "2");
        set(subtree, api, &one, "3");
        let output = running.wait(wait::LONG);
        assert_eq!(output.code, 0, "{output:?}");
        let again = subtree.tool(&["--api", api, "watch", &two, &one, "--until", "exists"]);
        assert_eq!(
            (again.code, again.stdout.lines().count()),
            (0, 2),
            "{again:?}"
        );
    }
}

#[test]
fn until_exits_124_if_the_condition_is_not_met_in_time() {
    let subtree = shared::any();
    let key = subtree.key("k");
    for api in APIS {
        for option in ["--timeout", "--idle-timeout"] {
            let arguments = [
                "--api", api, "watch", &key, "--until", "exists", option, "300ms",
            ];
            let output = subtree.tool(&arguments);
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (124, ""),
                "{output:?}"
            );
            assert!(output.stderr.contains("300ms"), "{output:?}");
        }
    }
}

#[test]
fn invalid_conditions_and_filters_are_rejected_with_the_position() {
    let refused = |arguments: &[&str], part: &str| {
        let output = Program::tool(&[&["watch", "/k"], arguments].concat()).run();
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains(part), "no {part:?} in {output:?}");
    };
    refused(&["--until", "there"], "value~REGEX");
    refused(&["--until", "value~a(b"], "    a(b\n     ^");
    refused(
        &["--until", "exists", "--count", "1", "--stream"],
        "cannot be used with",
    );
    refused(
        &["--until", "exists", "--on-gap", "continue"],
        "--on-gap continue",
    );
    refused(&["--until", "value=x", "--prefix"], "exists or absent");
    refused(&["--match", "a[b"], "    a[b\n     ^");
    refused(&["--only", "deletion"], "compareAndDelete");
    refused(&["--idle-timeout", "5"], "5s");
}

#[test]
fn until_misses_no_write_at_any_interleaving() {
    let subtrees = shared::each();
    let subtree = &subtrees[1];
    for api in APIS {
        thread::scope(|scope| {
            for client in 0..4 {
                scope.spawn(move || {
                    for round in 0..10 {
                        let key = subtree.key(&format!("{api}{client}x{round}"));
                        let barrier = Barrier::new(2);
                        let delay = Duration::from_millis(round);
                        thread::scope(|both| {
                            both.spawn(|| {
                                barrier.wait();
                                thread::sleep(delay);
                                set(subtree, api, &key, "v");
                            });
                            barrier.wait();
                            let output = until(subtree, api, &key, "value=v").run();
                            assert_eq!(output.code, 0, "{output:?}");
                        });
                    }
                });
            }
        });
    }
}

#[test]
fn until_uses_the_state_after_a_gap() {
    for version in Version::ALL {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        for options in [&[][..], &["--on-gap", "diff"]] {
            v3::put(&url, "/app/k", b"0");
            let proxy = Proxy::to(&url);
            let wait = ["--api", "v3", "-r", "/app/k", "--until", "absent"];
            let running = follow::live(&proxy.url(), &[&wait[..], options].concat());
            proxy.refuse(true);
            proxy.cut_all(Cut::Reset);
            v3::delete(&url, "/app/k");
            let last = v3::put(&url, "/other", b"1");
            v3::compact(&url, last);
            proxy.refuse(false);
            let output = running.wait(wait::LONG);
            assert_eq!(output.code, 0, "{output:?}");
            let records = output.json();
            assert!(
                records.iter().any(|record| record["action"] == "gap"),
                "{output:?}"
            );
            assert_eq!(records.last().unwrap()["action"], "synced");
        }
    }
}

fn keys(output: &Output) -> Vec<String> {
    assert_eq!(output.code, 0, "{output:?}");
    let brief = |record: &Value| {
        let (action, key) = (&record["action"], &record["node"]["key"]);
        let name = key
            .as_str()
            .map_or("", |key| key.rsplit('/').next().unwrap());
        format!("{} {name}", action.as_str().unwrap())
    };
    output.json().iter().map(brief).collect()
}

#[test]
fn filters_apply_to_printed_and_counted_events_and_the_checkpoint_advances() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let part = subtree.key(api);
        let key = |name: &str| format!("{part}/{name}");
        let first = subtree.tool(&["--api", api, "-o", "json", "set", &key("a.conf"), "1"]);
        let from = first.json()[0]["node"]["modifiedIndex"].to_string();
        set(subtree, api, &key("a.conf"), "1");
        set(subtree, api, &key("b"), "2");
        set(subtree, api, &key("a.conf"), "3");
        rm(subtree, api, &key("b"));
        set(subtree, api, &key("c.conf"), "4");
        let replay = |options: &[&str]| {
            let replay = [
                "--api",
                api,
                "-o",
                "json",
                "replay",
                "-r",
                &part,
                "--from-index",
                &from,
            ];
            keys(&subtree.tool(&[&replay[..], options].concat()))
        };
        assert_eq!(replay(&["--only", "delete,expire"]), ["delete b"]);
        assert_eq!(
            replay(&["--match", "*.conf", "--changed"]),
            ["set a.conf", "set a.conf", "set c.conf"]
        );
        assert_eq!(
            replay(&["--match", &format!("{part}/b")]),
            ["set b", "delete b"]
        );
        assert_eq!(
            replay(&["--match", "*.conf", "--changed", "--count", "2"]),
            ["set a.conf", "set a.conf"]
        );
        // The checkpoint advances past events that were not printed.
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint").display().to_string();
        let options = ["--checkpoint", &file, "--match", "c*"];
        assert_eq!(replay(&options), ["set c.conf"]);
        assert_eq!(replay(&["--checkpoint", &file]), Vec::<String>::new());
    }
}

#[test]
fn events_of_several_keys_share_one_order_and_one_checkpoint() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let part = subtree.key(api);
        let key = |name: &str| format!("{part}/{name}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("checkpoint").display().to_string();
        let watch = |keys: &[&str], options: &[&str]| {
            let watch = ["--api", api, "-o", "json", "watch", "--stream"];
            subtree.program(&[&watch[..], keys, options].concat())
        };
        let (x, y, z) = (key("d/x"), key("y"), key("d/xx"));
        set(subtree, api, &x, "0");
        let options = ["--snapshot", "--checkpoint", &file, "--count", "3"];
        let running = watch(&[&y, &x], &options).start();
        running.wait_for_lines(2, wait::LONG);
        for (key, value) in [(&y, "1"), (&z, "2"), (&x, "3"), (&y, "4")] {
            set(subtree, api, key, value);
        }
        let output = running.wait(wait::LONG);
        assert_eq!(
            keys(&output),
            ["get x", "synced ", "set y", "set x", "set y"]
        );
        set(subtree, api, &z, "5");
        set(subtree, api, &x, "6");
        let output = watch(&[&x, &y], &["--checkpoint", &file, "--count", "1"]).run();
        assert_eq!(keys(&output), ["set x"]);
        let output = watch(&[&x], &["--checkpoint", &file]).run();
        assert_ends(&output, 2, &[&y]);
    }
}

#[test]
fn get_of_several_keys_prints_each_and_reports_missing_ones() {
    for (subtree, api) in shared::each()
        .iter()
        .flat_map(|subtree| APIS.map(|api| (subtree, api)))
    {
        let (one, two, none) = (
            subtree.key(&format!("{api}1")),
            subtree.key(&format!("{api}2")),
            subtree.key("none"),
        );
        set(subtree, api, &one, "1");
        set(subtree, api, &two, "a\tb");
        let output = subtree.tool(&["--api", api, "get", &two, &none, &one]);
        let expected = format!("{two}\ta\\tb\n{one}\t1\n");
        assert_eq!((output.code, output.stdout), (1, expected));
        assert!(output.stderr.contains(&none), "{}", output.stderr);
        let other = subtree.key("nor that");
        let output = subtree.tool(&["--api", api, "-q", "-o", "json", "get", &none, &one, &other]);
        assert_eq!((output.code, output.json().len()), (1, 1));
        let errors: Vec<Value> = output
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let errors: Vec<_> = errors
            .iter()
            .map(|line| {
                (
                    line["error"]["kind"].as_str(),
                    line["error"]["cause"].as_str(),
                )
            })
            .collect();
        let expected = [
            (Some("keyNotFound"), Some(&*none)),
            (Some("keyNotFound"), Some(&*other)),
        ];
        assert_eq!(errors, expected);
        let output = subtree.tool(&["--api", api, "-o", "json", "get", &one, &two]);
        assert_eq!(output.json().len(), 2);
    }
}

#[test]
fn idle_timeout_counts_from_the_last_event() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let running = subtree
        .program(&["watch", "--stream", &key, "--idle-timeout", "1s"])
        .start();
    for value in ["1", "2", "3"] {
        thread::sleep(Duration::from_millis(600));
        subtree.put(&key, value);
    }
    let output = running.wait(wait::LONG);
    assert_eq!(
        (output.code, output.stdout.lines().count()),
        (124, 3),
        "{output:?}"
    );
    assert!(output.stderr.contains("no event for 1s"), "{output:?}");
}
