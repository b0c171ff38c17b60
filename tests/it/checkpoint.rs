//! A watch that was stopped, or killed, goes on where it was: `--checkpoint`.

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

/// A file that isn't there yet, in a directory of its own.
struct Place {
    directory: TempDir,
}

impl Place {
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

    /// The position in the file; none where there is no file yet.
    fn index(&self) -> Option<u64> {
        let file = fs::read(self.path()).ok()?;
        // It is replaced as a whole: half of it is never seen.
        let checkpoint: Value = serde_json::from_slice(&file).unwrap();
        Some(checkpoint["index"].as_u64().unwrap())
    }

    fn wait_for_index(&self, index: u64) {
        wait::until(LIMIT, "the checkpoint to move on", || {
            self.index().is_some_and(|at| at >= index)
        });
    }
}

/// Starts a stream on all below `/app` with that checkpoint.
fn resumed(url: &str, place: &Place, arguments: &[&str]) -> Running {
    follow::live(
        url,
        &[&["-r", "/app", "--checkpoint", &place.text()], arguments].concat(),
    )
}

/// Runs a stream with that checkpoint to its end.
#[track_caller]
fn run(url: &str, place: &Place, arguments: &[&str]) -> Output {
    let checkpoint = place.text();
    let arguments = [&["-r", "/app", "--checkpoint", &checkpoint], arguments].concat();
    follow::stream(url, &arguments).run()
}

fn records_of(output: &Output) -> Vec<Value> {
    // A killed run may have left half a line.
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

/// What a consumer keeps that drops every position that it has seen.
#[derive(Default)]
struct Consumer {
    kept: Vec<Value>,
    seen: BTreeSet<u64>,
    repeated: usize,
}

impl Consumer {
    fn take(&mut self, records: Vec<Value>) {
        for record in records {
            if self.seen.insert(follow::position(&record)) {
                self.kept.push(record);
            } else {
                self.repeated += 1;
            }
        }
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_loses_nothing() {
    for (version, seed) in [(Version::V3_4, 3), (Version::V3_5, 5)] {
        let etcd = Etcd::start(version);
        let url = etcd.url();
        let place = Place::new();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut consumer = Consumer::default();
        let mut truth = Vec::new();
        let checkpoint = place.text();
        let arguments = ["-r", "/app", "--checkpoint", &checkpoint];
        let mut running = follow::live(&url, &arguments);
        // Registered, it has said so in the file too, or the first kill would begin anew.
        wait::until(LIMIT, "a checkpoint", || place.index().is_some());
        for round in 0..4 {
            let before = running.lines().len();
            // Killed while the burst goes on, after some of its events.
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
fn what_nobody_had_read_when_a_run_ended_is_told_by_the_next() {
    for (timeout, code) in [(None, 143), (Some("5s"), 124)] {
        let etcd = Etcd::start(Version::V3_5);
        let proxy = Proxy::to(&etcd.url());
        let place = Place::new();
        let checkpoint = place.text();
        let arguments = ["-r", "/app", "--checkpoint", &checkpoint];
        let limited = timeout.map_or(Vec::new(), |timeout| vec!["--timeout", timeout]);
        let arguments_of_first = [&arguments[..], &limited].concat();
        let running = follow::stream(&proxy.url(), &arguments_of_first)
            .unread()
            .start();
        wait::until(LIMIT, "a checkpoint", || place.index().is_some());
        // Several times what a pipe takes, and less than history holds.
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
fn a_run_that_is_killed_as_it_begins_loses_nothing() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let place = Place::new();
    let mut truth = vec![v2::put(&url, "/app/k", "first")];
    let from = truth[0].index.to_string();
    let checkpoint = place.text();
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
        // Somewhere between its start and its first records.
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
fn after_a_clean_stop_nothing_is_repeated() {
    for (stop, code) in [
        (None, 0),
        (Some(Signal::TERM), 143),
        (Some(Signal::INT), 130),
    ] {
        let etcd = Etcd::start(Version::V3_5);
        let url = etcd.url();
        let place = Place::new();
        let mut consumer = Consumer::default();
        let running = match stop {
            None => resumed(&url, &place, &["--count", "7"]),
            Some(_) => resumed(&url, &place, &[]),
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
        let second = run(&url, &place, &["--count", &left]);
        consumer.take(records_of(&second));
        oracle::assert_every_event_once(&truth, &consumer.kept);
        assert_eq!(consumer.repeated, 0, "{stop:?}");
    }
}

#[test]
fn where_the_file_exists_it_wins_over_where_to_begin() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let truth = v2::burst(&url, 4, app);
    let first = truth[0].index.to_string();
    for option in [&["--from-index", &first][..], &["--snapshot"]] {
        let place = Place::new();
        // Where it doesn't, they count.
        let arguments = [option, &["--from-index", &first]].concat();
        let begin: &[&str] = if option.len() == 2 {
            option
        } else {
            &arguments[1..]
        };
        let output = run(&url, &place, &[begin, &["--count", "2"]].concat());
        assert_eq!(oracle::events(&records_of(&output)), truth[..2]);
        let output = run(&url, &place, &[option, &["--count", "2"]].concat());
        let records = records_of(&output);
        assert_eq!(records.len(), 2, "{records:?}");
        oracle::assert_every_event_once(&truth[2..], &records);
    }
}

#[test]
fn a_state_that_was_told_is_not_told_again() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    v2::burst(&url, 3, app);
    let place = Place::new();
    let running = resumed(&url, &place, &["--snapshot"]);
    let told = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
    place.wait_for_index(told[0]["index"].as_u64().unwrap());
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    let truth = v2::put(&url, "/app/k0", "later");
    let output = run(&url, &place, &["--snapshot", "--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
    assert_eq!(records_of(&output).len(), 1);
}

#[test]
fn what_the_file_does_not_fit_is_refused_and_leaves_it_as_it_is() {
    let ground = shared::any();
    let place = Place::new();
    let (one, other) = (ground.key("one"), ground.key("other"));
    let checkpoint = place.text();
    let watch = |key: &str, more: &[&str]| {
        let base = ["watch", "--stream", key, "--checkpoint", &checkpoint];
        ground.tool(&[&base, more].concat())
    };
    ground.put(&one, "v");
    let from = ground.read(&one, "").json()["node"]["modifiedIndex"].to_string();
    let first = watch(&one, &["--from-index", &from, "--count", "1"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let kept = fs::read(place.path()).unwrap();
    for (key, more, why) in [
        (&other, &[][..], "belongs to the key"),
        (&one, &["-r"], "-r"),
    ] {
        let output = watch(key, more);
        assert_eq!(output.code, 2, "{}", output.stderr);
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert_eq!(fs::read(place.path()).unwrap(), kept);
    }
    for notes in ["my notes\n", "", "{}", "[1,2]", "{\"index\":7}"] {
        fs::write(place.path(), notes).unwrap();
        let output = watch(&one, &[]);
        assert_eq!(output.code, 2, "{notes:?}: {}", output.stderr);
        assert!(output.stderr.contains("checkpoint"), "{}", output.stderr);
        assert_eq!(fs::read_to_string(place.path()).unwrap(), notes);
    }
}

#[test]
fn a_second_run_with_the_same_file_is_refused() {
    let etcd = Etcd::start(Version::V3_5);
    let place = Place::new();
    let running = resumed(&etcd.url(), &place, &[]);
    let second = run(&etcd.url(), &place, &[]);
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("another run"), "{}", second.stderr);
    // A run that was killed keeps nobody out.
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    drop(resumed(&etcd.url(), &place, &[]));
}

#[test]
fn the_file_is_its_owners_alone() {
    let etcd = Etcd::start(Version::V3_5);
    let place = Place::new();
    let running = resumed(&etcd.url(), &place, &[]);
    wait::until(LIMIT, "a checkpoint", || place.index().is_some());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path()), 0o600);
    v2::put(&etcd.url(), "/app/k", "v");
    let index = v2::index(&etcd.url());
    place.wait_for_index(index);
    assert_eq!(mode(&place.path()), 0o600);
    drop(running);
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
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
fn the_position_moves_on_in_silence() {
    let etcd = Etcd::start(Version::V3_4);
    let url = etcd.url();
    let place = Place::new();
    let running = resumed(&url, &place, &[]);
    let mut index = 0;
    for _ in 0..3 {
        v2::elsewhere(&url, 400);
        index = v2::index(&url);
        place.wait_for_index(index);
    }
    running.signal(Signal::KILL);
    running.wait(LIMIT);
    // 1,200 writes after its last event, but few after its position: no gap.
    assert!(index > 1000);
    let truth = v2::put(&url, "/app/k", "v");
    let output = run(&url, &place, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn an_absence_longer_than_history_is_declared() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let place = Place::new();
    let running = resumed(&url, &place, &["--count", "1"]);
    let told = v2::put(&url, "/app/k", "told");
    assert_eq!(running.wait(LIMIT).code, 0);
    v2::put(&url, "/app/k", "lost");
    v2::elsewhere(&url, 1100);
    let index = v2::index(&url);
    let running = resumed(&url, &place, &[]);
    let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
    assert_eq!(records[0]["action"], "gap");
    assert_eq!(
        records[0]["lost"],
        json!({"from": told.index + 1, "to": index})
    );
    assert_eq!(records[0]["certain"], true);
    let state = follow::apply(follow::State::new(), "/app", &records);
    assert_eq!(state, follow::server(&url, "/app"));
}

#[test]
fn another_cluster_is_never_gone_on_with() {
    let (one, other) = (Etcd::start(Version::V3_5), Etcd::start(Version::V3_5));
    let place = Place::new();
    let running = resumed(&one.url(), &place, &["--count", "1"]);
    v2::put(&one.url(), "/app/k", "v");
    assert_eq!(running.wait(LIMIT).code, 0);
    let before = fs::read(place.path()).unwrap();
    let output = run(&other.url(), &place, &[]);
    assert_eq!(output.code, 6, "{}", output.stderr);
    assert!(output.stderr.contains("cluster"), "{}", output.stderr);
    assert_eq!(fs::read(place.path()).unwrap(), before);
    // Where the right one is among the endpoints, it is taken.
    let truth = v2::put(&one.url(), "/app/k", "w");
    let both = format!("{},{}", other.url(), one.url());
    let output = run(&both, &place, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn a_store_that_was_rebuilt_meanwhile_is_declared() {
    for is_above in [false, true] {
        let etcd = Etcd::start(Version::V3_4);
        let url = etcd.url();
        let place = Place::new();
        let running = resumed(&url, &place, &["--count", "20"]);
        let told: Vec<Truth> = v2::burst(&url, 20, app);
        assert_eq!(running.wait(LIMIT).code, 0);
        etcd.wipe_and_restart();
        v2::put(&url, "/app/rebuilt", "v");
        if is_above {
            v2::elsewhere(&url, 100);
        }
        let running = resumed(&url, &place, &[]);
        let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        assert_eq!(records[0]["action"], "gap", "{records:?}");
        assert_eq!(records[0]["cause"], "indexRewound");
        assert_eq!(
            records[0]["lost"],
            json!({"from": told[19].index + 1, "to": null})
        );
        let state = follow::apply(follow::State::new(), "/app", &records);
        assert_eq!(state, follow::server(&url, "/app"));
        place.wait_for_index(0);
        let index = v2::index(&url);
        wait::until(LIMIT, "the checkpoint of the new store", || {
            place.index() == Some(index)
        });
    }
}

/// From a backup, and then written to so that the same keys have other values at the same indexes.
#[test]
fn a_store_that_was_restored_and_written_anew_is_known_by_the_value_of_the_last_event() {
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
        let place = Place::new();
        let running = resumed(&url, &place, &["--api", api, "--count", "3"]);
        let told = [put("old 1"), put("old 2"), put("old 3")];
        assert_eq!(running.wait(LIMIT).code, 0);
        etcd.restore(&backup);
        assert_eq!(
            [put("new 1"), put("new 2"), put("new 3")],
            told,
            "{version:?}"
        );
        let running = resumed(&url, &place, &["--api", api]);
        let records = follow::wait_for(&running, "the state", |one| one["action"] == "synced");
        assert_eq!(
            records[0]["action"], "gap",
            "{version:?} {api}: {records:?}"
        );
        assert_eq!(records[0]["cause"], "indexRewound");
        assert_eq!(records[0]["lost"], json!({"from": told[2] + 1, "to": null}));
    }
}

/// A checkpoint of a version that did not write the value's hash.
#[test]
fn a_checkpoint_without_a_hash_of_the_value_is_gone_on_with() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let place = Place::new();
    let running = resumed(&url, &place, &["--count", "1"]);
    v2::put(&url, "/app/k", "v");
    assert_eq!(running.wait(LIMIT).code, 0);
    let mut checkpoint: Value = serde_json::from_slice(&fs::read(place.path()).unwrap()).unwrap();
    let hash = checkpoint["last"]
        .as_object_mut()
        .unwrap()
        .remove("valueHash");
    assert!(hash.is_some_and(|hash| hash.is_string()));
    fs::write(place.path(), checkpoint.to_string()).unwrap();
    let truth = v2::put(&url, "/app/k", "w");
    let output = run(&url, &place, &["--count", "1"]);
    oracle::assert_every_event_once(&[truth], &records_of(&output));
}

#[test]
fn a_replay_leaves_off_and_goes_on_too() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let place = Place::new();
    let checkpoint = place.text();
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
