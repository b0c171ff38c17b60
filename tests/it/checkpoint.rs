//! `--checkpoint`: a stopped or killed watch resumes where it was.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::Proxy;
use crate::support::tool::{Output, Program, Running, Signal, parse_lines};
use crate::support::v2::{self, Truth};
use crate::support::{follow, oracle, shared, v3, wait};

const LIMIT: Duration = Duration::from_secs(30);

/// A checkpoint that does not exist yet, in its own directory.
struct CheckpointFile {
    directory: TempDir,
}

impl CheckpointFile {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("checkpoint")
    }

    fn text(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// The index in the checkpoint, if the file exists.
    fn index(&self) -> Option<u64> {
        let file = fs::read(self.path()).ok()?;
        // The file is replaced atomically, so that a part of it is never seen.
        let checkpoint: Value = serde_json::from_slice(&file).unwrap();
        Some(checkpoint["index"].as_u64().unwrap())
    }

    fn wait_for_index(&self, index: u64) {
        wait::until(LIMIT, "the checkpoint to move on", || {
            self.index().is_some_and(|at| at >= index)
        });
    }
}

/// Starts a stream on everything below `/app` with that checkpoint.
fn watch_with(url: &str, file: &CheckpointFile, arguments: &[&str]) -> Running {
    follow::live(
        url,
        &[&["-r", "/app", "--checkpoint", &file.text()], arguments].concat(),
    )
}

/// Runs a stream with that checkpoint to its end.
#[track_caller]
fn run(url: &str, file: &CheckpointFile, arguments: &[&str]) -> Output {
    let checkpoint = file.text();
    let arguments = [&["-r", "/app", "--checkpoint", &checkpoint], arguments].concat();
    follow::stream(url, &arguments).run()
}

fn records_of(output: &Output) -> Vec<Value> {
    // A killed run may have printed a partial line.
    let whole = output.stdout.split_inclusive('\n');
    let lines: Vec<String> = whole
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect();
    follow::without_status(parse_lines(&lines))
}

fn app(number: usize) -> (String, String) {
    (format!("/app/k{number}"), number.to_string())
}

/// A consumer that ignores every index that it has seen before.
#[derive(Default)]
struct Consumer {
    kept: Vec<Value>,
    seen: BTreeSet<u64>,
    repeated: usize,
}

impl Consumer {
    fn take(&mut self, records: Vec<Value>) {
        for record in records {
            if self.seen.insert(follow::index(&record)) {
                self.kept.push(record);
            } else {
                self.repeated += 1;
            }
        }
    }
}

#[test]
fn a_watch_killed_at_any_moment_loses_no_event() {
    for (version, seed) in [(Version::V3_4, 3), (Version::V3_5, 5)] {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let file = CheckpointFile::new();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut consumer = Consumer::default();
        let mut truth = Vec::new();
        let checkpoint = file.text();
        let arguments = ["-r", "/app", "--checkpoint", &checkpoint];
        let mut running = follow::live(&url, &arguments);
        // The first kill must not come before the checkpoint exists, or the next run would start
        // anew.
        wait::until(LIMIT, "a checkpoint", || file.index().is_some());
        for round in 0..4 {
            let before = running.lines().len();
            // The tool is killed during the burst, after some of its events.
            let count = random.usize(40..150);
            let after = before + random.usize(1..count / 2);
            truth.extend(std::thread::scope(|scope| {
                let writer =
                    scope.spawn(|| v2::burst(&url, count, |number| app(round * 1000 + number)));
                running.wait_for_lines(after, LIMIT);
                running.signal(Signal::KILL);
                writer.join().unwrap()
            }));
            let killed = running.wait(LIMIT);
            assert_eq!(killed.code, -9);
            consumer.take(records_of(&killed));
            running = follow::stream(&url, &arguments).start();
        }
        let last = v2::put(&url, "/app/end", "end");
        truth.push(last);
        consumer.take(follow::wait_for_value(&running, "/app/end", "end"));
        oracle::assert_every_event_once(&truth, &consumer.kept);
    }
}

#[test]
fn records_that_were_never_read_are_printed_by_the_next_run() {
    for (timeout, code) in [(None, 143), (Some("5s"), 124)] {
        let etcd = Etcd::start(Version::V3_5);
        let proxy = Proxy::to(&etcd.url());
        let file = CheckpointFile::new();
        let checkpoint = file.text();
        let arguments = ["-r", "/app", "--checkpoint", &checkpoint];
        let limited = timeout.map_or(Vec::new(), |timeout| vec!["--timeout", timeout]);
        let arguments_of_first = [&arguments[..], &limited].concat();
        let running = follow::stream(&proxy.url(), &arguments_of_first)
            .unread()
            .start();
        wait::until(LIMIT, "a checkpoint", || file.index().is_some());
        // More than a pipe holds, and less than history holds.
        let value = "x".repeat(1000);
        let truth = v2::burst(&etcd.url(), 600, |number| (app(number).0, value.clone()));
        wait::until(LIMIT, "all to be received", || {
            proxy.bytes_down() > 600 * 1000
        });
        if timeout.is_none() {
            running.signal(Signal::TERM);
        }
        wait::until(LIMIT, "the end of the run", || running.has_ended());
        running.read_stdout();
        let first = running.wait(LIMIT);
        assert_eq!(first.code, code, "{}", first.stderr);
        let mut consumer = Consumer::default();
        consumer.take(records_of(&first));
        assert!(consumer.kept.len() < truth.len(), "some was not read");
        let rest = follow::stream(&etcd.url(), &arguments).start();
        let last = v2::put(&etcd.url(), "/app/end", "end");
        consumer.take(follow::wait_for_value(&rest, "/app/end", "end"));
        let truth = [truth, vec![last]].concat();
        oracle::assert_every_event_once(&truth, &consumer.kept);
    }
}

#[test]
fn a_watch_killed_at_its_start_loses_no_event() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let file = CheckpointFile::new();
    let mut truth = vec![v2::put(&url, "/app/k", "first")];
    let from = truth[0].index.to_string();
    let checkpoint = file.text();
    let arguments = [
        "-r",
        "/app",
        "--checkpoint",
        &checkpoint,
        "--from-index",
        &from,
    ];
    let mut random = fastrand::Rng::with_seed(1);
    let mut consumer = Consumer::default();
    for round in 0..15 {
        let running = follow::stream(&url, &arguments).start();
        truth.extend(v2::burst(&url, 5, |number| app(round * 10 + number)));
        // A random moment between its start and its first records.
        let steps = random.u32(0..40);
        let mut step = 0;
        wait::until(LIMIT, "a moment", || {
            step += 1;
            step > steps || running.lines().len() > 2
        });
        running.signal(Signal::KILL);
        consumer.take(records_of(&running.wait(LIMIT)));
    }
    let running = follow::stream(&url, &arguments).start();
    truth.push(v2::put(&url, "/app/end", "end"));
    consumer.take(follow::wait_for_value(&running, "/app/end", "end"));
    oracle::assert_every_event_once(&truth, &consumer.kept);
}

#[test]
fn a_clean_stop_repeats_no_event() {
    for (stop, code) in [
        (None, 0),
        (Some(Signal::TERM), 143),
        (Some(Signal::INT), 130),
    ] {
        let etcd = Etcd::start(Version::V3_5);
        let url = etcd.url();
        let file = CheckpointFile::new();
        let mut consumer = Consumer::default();
        let running = match stop {
            None => watch_with(&url, &file, &["--count", "7"]),
            Some(_) => watch_with(&url, &file, &[]),
        };
        let mut truth = v2::burst(&url, 10, app);
        if let Some(signal) = stop {
            follow::wait_for(&running, "all ten", |record| {
                record["node"]["modifiedIndex"] == truth[9].index
            });
            running.signal(signal);
        }
        let first = running.wait(LIMIT);
        assert_eq!(first.code, code, "{}", first.stderr);
        consumer.take(records_of(&first));
        truth.extend(v2::burst(&url, 5, app));
        let left = (truth.len() - consumer.kept.len()).to_string();
        let second = run(&url, &file, &["--count", &left]);
        consumer.take(records_of(&second));
        oracle::assert_every_event_once(&truth, &consumer.kept);
        assert_eq!(consumer.repeated, 0, "{stop:?}");
    }
}

#[test]
fn an_existing_checkpoint_overrides_from_index_and_snapshot() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let truth = v2::burst(&url, 4, app);
    let first = truth[0].index.to_string();
    for option in [&["--from-index", &first][..], &["--snapshot"]] {
        let file = CheckpointFile::new();
        // Without a checkpoint these options apply.
        let arguments = [option, &["--from-index", &first]].concat();
        let begin: &[&str] = if option.len() == 2 {
            option
        } else {
            &arguments[1..]
        };
        let output = run(&url, &file, &[begin, &["--count", "2"]].concat());
        assert_eq!(oracle::events(&records_of(&output)), truth[..2]);
        let output = run(&url, &file, &[option, &["--count", "2"]].concat());
        let records = records_of(&output);
        assert_eq!(records.len(), 2, "{records:?}");
        oracle::assert_every_event_once(&truth[2..], &records);
    }
}

#[test]
fn a_printed_snapshot_is_not_printed_again() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    v2::burst(&url, 3, app);
    let file = CheckpointFile::new();
    let running = watch_with(&url, &file, &["--snapshot"]);
    let printed = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
    file.wait_for_index(printed[0]["index"].as_u64().unwrap());
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    let truth = v2::put(&url, "/app/k0", "later");
    let output = run(&url, &file, &["--snapshot", "--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
    assert_eq!(records_of(&output).len(), 1);
}

#[test]
fn a_mismatched_checkpoint_is_rejected_and_left_unchanged() {
    let subtree = shared::any();
    let file = CheckpointFile::new();
    let (one, other) = (subtree.key("one"), subtree.key("other"));
    let checkpoint = file.text();
    let watch = |key: &str, more: &[&str]| {
        let base = ["watch", "--stream", key, "--checkpoint", &checkpoint];
        subtree.tool(&[&base, more].concat())
    };
    subtree.put(&one, "v");
    let from = subtree.read(&one, "").json()["node"]["modifiedIndex"].to_string();
    let first = watch(&one, &["--from-index", &from, "--count", "1"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let kept = fs::read(file.path()).unwrap();
    for (key, more, why) in [
        (&other, &[][..], "belongs to the key"),
        (&one, &["-r"], "-r"),
    ] {
        let output = watch(key, more);
        assert_eq!(output.code, 2, "{}", output.stderr);
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert_eq!(fs::read(file.path()).unwrap(), kept);
    }
    for notes in ["my notes\n", "", "{}", "[1,2]", "{\"index\":7}"] {
        fs::write(file.path(), notes).unwrap();
        let output = watch(&one, &[]);
        assert_eq!(output.code, 2, "{notes:?}: {}", output.stderr);
        assert!(output.stderr.contains("checkpoint"), "{}", output.stderr);
        assert_eq!(fs::read_to_string(file.path()).unwrap(), notes);
    }
}

#[test]
fn a_second_run_with_the_same_checkpoint_is_rejected() {
    let etcd = Etcd::start(Version::V3_5);
    let file = CheckpointFile::new();
    let running = watch_with(&etcd.url(), &file, &[]);
    let second = run(&etcd.url(), &file, &[]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("another run"), "{}", second.stderr);
    // A killed run leaves no lock behind.
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    drop(watch_with(&etcd.url(), &file, &[]));
}

#[test]
fn the_checkpoint_is_readable_only_by_its_owner() {
    let etcd = Etcd::start(Version::V3_5);
    let file = CheckpointFile::new();
    let running = watch_with(&etcd.url(), &file, &[]);
    wait::until(LIMIT, "a checkpoint", || file.index().is_some());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file.path()), 0o600);
    v2::put(&etcd.url(), "/app/k", "v");
    let index = v2::index(&etcd.url());
    file.wait_for_index(index);
    assert_eq!(mode(&file.path()), 0o600);
    drop(running);
}

#[test]
fn an_unwritable_checkpoint_is_an_error() {
    let etcd = Etcd::start(Version::V3_5);
    let output = follow::stream(
        &etcd.url(),
        &["-r", "/app", "--checkpoint", "/proc/nowhere/checkpoint"],
    )
    .run();
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("/proc/nowhere"), "{}", output.stderr);
}

#[test]
fn the_checkpoint_advances_without_events() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let file = CheckpointFile::new();
    let running = watch_with(&url, &file, &[]);
    let mut index = 0;
    for _ in 0..3 {
        v2::write_elsewhere(&url, 400);
        index = v2::index(&url);
        file.wait_for_index(index);
    }
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    // The watch is 1,200 writes after its last event but few after its checkpoint, so that there is
    // no gap.
    assert!(index > 1000);
    let truth = v2::put(&url, "/app/k", "v");
    let output = run(&url, &file, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn a_pause_longer_than_history_is_declared_as_a_gap() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let file = CheckpointFile::new();
    let running = watch_with(&url, &file, &["--count", "1"]);
    let printed = v2::put(&url, "/app/k", "printed");
    assert_eq!(running.wait(LIMIT).code, 0);
    v2::put(&url, "/app/k", "lost");
    v2::write_elsewhere(&url, 1100);
    let index = v2::index(&url);
    let running = watch_with(&url, &file, &[]);
    let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
    assert_eq!(records[0]["action"], "gap");
    assert_eq!(
        records[0]["lost"],
        json!({"from": printed.index + 1, "to": index})
    );
    assert_eq!(records[0]["certain"], true);
    let state = follow::apply(follow::State::new(), "/app", &records);
    assert_eq!(state, follow::server(&url, "/app"));
}

#[test]
fn resuming_against_another_cluster_is_an_error() {
    let (one, other) = (Etcd::start(Version::V3_5), Etcd::start(Version::V3_5));
    let file = CheckpointFile::new();
    let running = watch_with(&one.url(), &file, &["--count", "1"]);
    v2::put(&one.url(), "/app/k", "v");
    assert_eq!(running.wait(LIMIT).code, 0);
    let before = fs::read(file.path()).unwrap();
    let output = run(&other.url(), &file, &[]);
    assert_eq!(output.code, 6, "{}", output.stderr);
    assert!(output.stderr.contains("cluster"), "{}", output.stderr);
    assert_eq!(fs::read(file.path()).unwrap(), before);
    // If the right cluster is among the endpoints, it is used.
    let truth = v2::put(&one.url(), "/app/k", "w");
    let both = format!("{},{}", other.url(), one.url());
    let output = run(&both, &file, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn a_store_replaced_between_runs_is_declared_as_a_gap() {
    for is_above in [false, true] {
        let etcd = Etcd::start(Version::V3_4);
        let url = etcd.url();
        let file = CheckpointFile::new();
        let running = watch_with(&url, &file, &["--count", "20"]);
        let printed: Vec<Truth> = v2::burst(&url, 20, app);
        assert_eq!(running.wait(LIMIT).code, 0);
        etcd.wipe_and_restart();
        v2::put(&url, "/app/rebuilt", "v");
        if is_above {
            v2::write_elsewhere(&url, 100);
        }
        let running = watch_with(&url, &file, &[]);
        let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        assert_eq!(records[0]["action"], "gap", "{records:?}");
        assert_eq!(records[0]["cause"], "indexRewound");
        assert_eq!(
            records[0]["lost"],
            json!({"from": printed[19].index + 1, "to": null})
        );
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"));
        file.wait_for_index(0);
        let index = v2::index(&url);
        wait::until(LIMIT, "the checkpoint of the new store", || {
            file.index() == Some(index)
        });
    }
}

/// The store is restored from a backup and then written to, so that the same keys have other values
/// at the same indexes.
#[test]
fn a_restored_store_is_detected_by_the_value_of_the_last_event() {
    for (version, api) in Version::ALL
        .into_iter()
        .flat_map(|one| [(one, "v2"), (one, "v3")])
    {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let put = |value: &str| match api {
            "v2" => v2::put(&url, "/app/k", value).index,
            _ => v3::put(&url, "/app/k", value.as_bytes()),
        };
        put("before");
        let backup = etcd.back_up();
        let file = CheckpointFile::new();
        let running = watch_with(&url, &file, &["--api", api, "--count", "3"]);
        let printed = [put("old 1"), put("old 2"), put("old 3")];
        assert_eq!(running.wait(LIMIT).code, 0);
        etcd.restore(&backup);
        assert_eq!(
            [put("new 1"), put("new 2"), put("new 3")],
            printed,
            "{version:?}"
        );
        let running = watch_with(&url, &file, &["--api", api]);
        let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        assert_eq!(
            records[0]["action"], "gap",
            "{version:?} {api}: {records:?}"
        );
        assert_eq!(records[0]["cause"], "indexRewound");
        assert_eq!(
            records[0]["lost"],
            json!({"from": printed[2] + 1, "to": null})
        );
    }
}

/// A checkpoint of a version that did not write the value's hash.
#[test]
fn a_checkpoint_without_a_value_hash_is_resumed() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let file = CheckpointFile::new();
    let running = watch_with(&url, &file, &["--count", "1"]);
    v2::put(&url, "/app/k", "v");
    assert_eq!(running.wait(LIMIT).code, 0);
    let mut checkpoint: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    let hash = checkpoint["last"]
        .as_object_mut()
        .unwrap()
        .remove("valueHash");
    assert!(hash.is_some_and(|hash| hash.is_string()));
    fs::write(file.path(), checkpoint.to_string()).unwrap();
    let truth = v2::put(&url, "/app/k", "w");
    let output = run(&url, &file, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn replay_resumes_from_its_checkpoint() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let file = CheckpointFile::new();
    let checkpoint = file.text();
    let replay = |url: &str| {
        Program::tool(&[
            "--endpoints",
            url,
            "-o",
            "json",
            "replay",
            "-r",
            "/app",
            "--from-index",
            "1",
            "--checkpoint",
            &checkpoint,
        ])
        .run()
    };
    let first = v2::burst(&url, 5, app);
    oracle::assert_every_event_once(&first, &records_of(&replay(&url)));
    let second = v2::burst(&url, 5, app);
    oracle::assert_every_event_once(&second, &records_of(&replay(&url)));
    assert_eq!(replay(&url).stdout, "");
}
