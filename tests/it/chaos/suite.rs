//! The tests, and the soak.
//!
//! In scope: a moment of everything in the suite, and all of it for as long as is wanted in the
//! soak (`tests/soak.sh`), with a table. `ETCDWATCH_SEED` repeats a run; which seed it was is
//! printed. What a failed run of the soak told is kept in files beside the test's binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::arena::{Arena, Course, Effort, Outcome};
use super::behind::Behind;
use super::faults::Fault;
use super::rivals::Kind;
use super::score::Score;
use super::speech::Speech;
use crate::support::etcd::Version;

/// One fault, or a few, on the way to the next test.
const MOMENT: Effort = Effort {
    span: Duration::from_millis(300),
    has_time: false,
    rivals: false,
};

/// Several faults after each other.
const WHILE: Effort = Effort {
    span: Duration::from_secs(2),
    ..MOMENT
};

/// In the soak there is time, and others watch too.
const SOAK: Effort = Effort {
    span: Duration::from_secs(6),
    has_time: true,
    rivals: true,
};

/// Where each is tried with many seeds.
const EACH: Effort = Effort {
    span: Duration::from_secs(1),
    ..SOAK
};

/// The seed that is given, or a new one; it is shown where a test fails.
fn seed() -> u64 {
    let given = setting("ETCDWATCH_SEED");
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("ETCDWATCH_SEED={seed}");
    seed
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Nothing is wrong after a run; and something was put to the test.
#[track_caller]
fn assert_survives(arena: &mut Arena, course: &Course, effort: Effort, seed: u64) {
    let outcome = arena.run(course, effort, seed);
    let (_, score) = outcome.scores[0];
    let [records, said, happened] = &outcome.evidence;
    let name = course.name();
    if let Some(difference) = outcome.difference {
        let kept = keep(&name, seed, [records, said, happened]);
        panic!("{name}, ETCDWATCH_SEED={seed}: {difference}\nsee {kept}");
    }
    assert!(score.events >= 19 && score.faults > 0, "{name}: {score:?}");
}

#[track_caller]
fn assert_survives_all(version: Version, size: usize) {
    let course = Course::Faults(Fault::on(size));
    assert_survives(&mut Arena::new(version, size), &course, WHILE, seed());
}

#[test]
fn one_node_of_3_4_loses_nothing_silently_through_faults_of_every_kind() {
    assert_survives_all(Version::V3_4, 1);
}

#[test]
fn one_node_of_3_5_loses_nothing_silently_through_faults_of_every_kind() {
    assert_survives_all(Version::V3_5, 1);
}

#[test]
fn three_nodes_of_3_4_lose_nothing_silently_through_faults_of_every_kind() {
    assert_survives_all(Version::V3_4, 3);
}

#[test]
fn three_nodes_of_3_5_lose_nothing_silently_through_faults_of_every_kind() {
    assert_survives_all(Version::V3_5, 3);
}

#[track_caller]
fn assert_survives_all_by_v3(version: Version, size: usize, has_progress: bool) {
    let course = Course::Faults(Fault::on(size));
    let mut arena = Arena::by_v3(version, size, has_progress);
    assert_survives(&mut arena, &course, WHILE, seed());
}

#[test]
fn one_node_of_3_4_loses_nothing_silently_by_v3() {
    assert_survives_all_by_v3(Version::V3_4, 1, true);
}

#[test]
fn one_node_of_3_5_loses_nothing_silently_by_v3() {
    assert_survives_all_by_v3(Version::V3_5, 1, false);
}

#[test]
fn three_nodes_of_3_4_lose_nothing_silently_by_v3() {
    assert_survives_all_by_v3(Version::V3_4, 3, false);
}

#[test]
fn three_nodes_of_3_5_lose_nothing_silently_by_v3() {
    assert_survives_all_by_v3(Version::V3_5, 3, true);
}

#[test]
fn each_fault_alone_loses_nothing_silently_by_v3() {
    let mut seeds = Rng::with_seed(seed());
    let mut arena = Arena::by_v3(Version::V3_4, 1, false);
    for fault in Fault::ANYWHERE {
        let course = Course::Faults(vec![fault]);
        assert_survives(&mut arena, &course, MOMENT, seeds.u64(..));
    }
}

#[test]
fn a_store_that_is_made_anew_is_declared_by_v3_before_anything_of_it() {
    let mut arena = Arena::by_v3(Version::V3_5, 1, false);
    assert_survives(&mut arena, &Course::Rebuilt, MOMENT, seed());
}

#[test]
fn each_fault_alone_loses_nothing_silently() {
    let mut seeds = Rng::with_seed(seed());
    let mut arena = Arena::new(Version::V3_5, 1);
    for fault in Fault::ANYWHERE {
        let course = Course::Faults(vec![fault]);
        assert_survives(&mut arena, &course, MOMENT, seeds.u64(..));
    }
}

#[test]
fn each_fault_of_a_cluster_alone_loses_nothing_silently() {
    let mut seeds = Rng::with_seed(seed());
    let mut arena = Arena::new(Version::V3_5, 3);
    for fault in Fault::OF_A_CLUSTER {
        let course = Course::Faults(vec![fault]);
        assert_survives(&mut arena, &course, MOMENT, seeds.u64(..));
    }
}

#[test]
fn a_store_that_is_made_anew_is_declared_before_anything_of_it() {
    let mut arena = Arena::new(Version::V3_4, 1);
    assert_survives(&mut arena, &Course::Rebuilt, MOMENT, seed());
}

#[test]
fn a_member_that_caught_up_by_a_snapshot_loses_nothing_silently() {
    let mut arena = Arena::with_snapshots(Version::V3_5, Speech::V2);
    let behind = Behind {
        refreshes: true,
        reads: true,
        pause_tool: true,
    };
    assert_survives(&mut arena, &Course::Behind(behind), MOMENT, seed());
}

// --- the soak

/// Servers of the soak.
#[derive(Clone, Copy, Debug)]
struct Ground {
    speech: Speech,
    version: Version,
    size: usize,
    has_snapshots: bool,
    /// Of a hundred parts of the time.
    share: u32,
}

const fn ground(speech: Speech, version: Version, size: usize, share: u32) -> Ground {
    Ground {
        speech,
        version,
        size,
        has_snapshots: false,
        share,
    }
}

const fn with_snapshots(speech: Speech, version: Version, share: u32) -> Ground {
    Ground {
        speech,
        version,
        size: 3,
        has_snapshots: true,
        share,
    }
}

/// Mostly three: that is what is run where it matters.
const GROUNDS: [Ground; 12] = [
    ground(Speech::V2, Version::V3_5, 3, 17),
    ground(Speech::V2, Version::V3_4, 3, 15),
    with_snapshots(Speech::V2, Version::V3_5, 5),
    with_snapshots(Speech::V2, Version::V3_4, 5),
    ground(Speech::V2, Version::V3_5, 1, 4),
    ground(Speech::V2, Version::V3_4, 1, 4),
    ground(Speech::V3, Version::V3_5, 3, 17),
    ground(Speech::V3, Version::V3_4, 3, 15),
    with_snapshots(Speech::V3, Version::V3_5, 5),
    with_snapshots(Speech::V3, Version::V3_4, 5),
    ground(Speech::V3, Version::V3_5, 1, 4),
    ground(Speech::V3, Version::V3_4, 1, 4),
];

impl Ground {
    fn open(self) -> Arena {
        if self.has_snapshots {
            Arena::with_snapshots(self.version, self.speech)
        } else if self.speech == Speech::V3 {
            // One way on each version.
            Arena::by_v3(self.version, self.size, self.version == Version::V3_5)
        } else {
            Arena::new(self.version, self.size)
        }
    }

    /// What is run here; only what has one of the names, where they are given.
    fn courses(self, only: Option<&str>) -> Vec<Course> {
        let behind = Behind::all().into_iter().map(Course::Behind);
        let mut courses: Vec<Course> = behind.filter(|_| self.has_snapshots).collect();
        if !self.has_snapshots {
            let faults = Fault::on(self.size);
            courses.extend(faults.iter().map(|fault| Course::Faults(vec![*fault])));
            courses.push(Course::Rebuilt);
            courses.push(Course::Faults(faults));
            courses.push(Course::Faults(Vec::new()));
        }
        let is_wanted = |name: &str| only.is_none_or(|only| only.split(';').any(|one| one == name));
        courses.retain(|course| is_wanted(&course.name()));
        courses
    }
}

/// All runs of a soak.
struct Soak {
    begin: Instant,
    effort: Effort,
    /// Of each who watched, with others beside or alone.
    table: BTreeMap<(String, Kind, bool), Score>,
    /// Of the tool, on three nodes.
    on_three: Score,
    /// Of each: those in which all was well, and all.
    survived: BTreeMap<String, (usize, usize)>,
    failures: Vec<String>,
}

impl Soak {
    fn new(effort: Effort) -> Self {
        Self {
            begin: Instant::now(),
            effort: Effort {
                rivals: setting("ETCDWATCH_SOAK_ALONE").is_none(),
                ..effort
            },
            table: BTreeMap::new(),
            on_three: Score::default(),
            survived: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// One run, whatever comes of it.
    fn run(&mut self, ground: Ground, arena: &mut Arena, course: &Course, seed: u64) {
        let name = course.name();
        let begin = self.begin.elapsed().as_secs();
        // Others watch the first of each, and not for long, since less is written then.
        let mut effort = self.effort;
        effort.rivals &= !self.survived.contains_key(&name);
        if effort.rivals {
            effort.span /= 2;
        }
        let run = AssertUnwindSafe(|| arena.run(course, effort, seed));
        let outcome = catch_unwind(run);
        let place = format!(
            "{name} by {:?} on {} of {:?}, seed {seed}",
            ground.speech, ground.size, ground.version
        );
        let count = self.survived.entry(name.clone()).or_default();
        count.1 += 1;
        let mut did = "unfinished".to_owned();
        let is_over = outcome.is_ok();
        let difference = match outcome {
            Ok(outcome) => {
                let (_, score) = outcome.scores[0];
                did = format!("{} events, {} faults", score.events, score.faults);
                count.0 += usize::from(outcome.difference.is_none());
                self.note(ground, &name, seed, outcome)
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Some(format!("panicked: {text:?}"))
            }
        };
        let told = difference.as_deref().unwrap_or("well");
        println!("{begin:>5} s: {place}, {did}: {told}");
        self.failures
            .extend(difference.map(|difference| format!("{place}: {difference}")));
        // One that came to no end leaves servers in a state that nobody knows.
        if !is_over || ground.has_snapshots {
            *arena = ground.open();
        }
    }

    fn note(&mut self, ground: Ground, name: &str, seed: u64, outcome: Outcome) -> Option<String> {
        let is_beside = outcome.scores.len() > 1;
        for (kind, score) in outcome.scores {
            let row = (name.to_owned(), kind, is_beside);
            let row = self.table.entry(row).or_default();
            *row = row.and(score);
            if kind == Kind::Tool && ground.size == 3 {
                self.on_three = self.on_three.and(score);
            }
        }
        let difference = outcome.difference?;
        let evidence = outcome.evidence.each_ref().map(String::as_str);
        Some(format!("{difference}\nsee {}", keep(name, seed, evidence)))
    }

    /// Prints the tables.
    fn show(&self) {
        let names: Vec<&String> = self.survived.keys().collect();
        let mut text = format!("\n{}", Score::COLUMNS);
        for name in &names {
            writeln!(text, "| {name} | {} |", self.all_runs(name)).unwrap();
        }
        writeln!(text, "| **all** | {} |", self.all_runs("")).unwrap();
        writeln!(text, "| of that on three nodes | {} |", self.on_three).unwrap();
        if self.effort.rivals {
            self.show_rivals(&mut text, &names);
        }
        writeln!(text).unwrap();
        for (name, (well, all)) in &self.survived {
            writeln!(text, "{name}: {well}/{all}").unwrap();
        }
        println!("{text}");
    }

    /// The sum of the runs with that name; of all where there is none.
    fn row(&self, name: &str, kind: Kind, is_beside: bool) -> Score {
        let rows = self.table.iter().filter(|((one, of, beside), _)| {
            (one == name || name.is_empty()) && *of == kind && *beside == is_beside
        });
        rows.fold(Score::default(), |sum, (_, one)| sum.and(*one))
    }

    fn all_runs(&self, name: &str) -> Score {
        self.row(name, Kind::Tool, true)
            .and(self.row(name, Kind::Tool, false))
    }

    fn show_rivals(&self, text: &mut String, names: &[&String]) {
        let columns = ["lost", "duplicated", "out of order"];
        let all = [Kind::Tool].into_iter().chain(Kind::RIVALS);
        let heads = all.clone().flat_map(|kind| {
            let columns = columns.iter();
            columns.map(move |column| format!(" {}: {column} |", kind.name()))
        });
        let heads: String = heads.collect();
        let lines = "--:|".repeat(heads.matches('|').count());
        writeln!(
            text,
            "\n| fault | runs | events |{heads}\n|---|--:|--:|{lines}"
        )
        .unwrap();
        for name in names.iter().map(|name| name.as_str()).chain([""]) {
            let shown = if name.is_empty() { "**all**" } else { name };
            let shorts = all
                .clone()
                .map(|kind| self.row(name, kind, true).in_short());
            let shorts: Vec<String> = shorts.collect();
            let Score { runs, events, .. } = self.row(name, Kind::Tool, true);
            let shorts = shorts.join(" | ");
            writeln!(text, "| {shown} | {runs} | {events} | {shorts} |").unwrap();
        }
    }

    fn end(&self) {
        self.show();
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n\n"));
    }
}

/// Keeps what a run told; where.
fn keep(name: &str, seed: u64, evidence: [&str; 3]) -> String {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    fs::create_dir_all(&place).expect("a directory");
    let path = place.join(format!("{}-{seed}", name.replace([',', ' '], "-")));
    for (ending, text) in ["records", "stderr", "truth"].iter().zip(evidence) {
        fs::write(path.with_extension(ending), text).expect("a file");
    }
    format!("{}.*", path.display())
}

/// `tests/soak.sh` runs it, for so many seconds; or each course with so many seeds.
#[test]
#[ignore = "takes as long as it is told to: tests/soak.sh"]
fn soak() {
    let mut seeds = Rng::with_seed(seed());
    let only = setting("ETCDWATCH_SOAK_ONLY");
    let speech = setting("ETCDWATCH_SOAK_API").map(|api| match api.as_str() {
        "v2" => Speech::V2,
        "v3" => Speech::V3,
        other => panic!("ETCDWATCH_SOAK_API={other}"),
    });
    let is_asked = |ground: &Ground| speech.is_none_or(|speech| speech == ground.speech);
    let grounds: Vec<Ground> = GROUNDS.into_iter().filter(is_asked).collect();
    if let Some(each) = setting("ETCDWATCH_SOAK_EACH") {
        let each = each.parse().expect("a number of seeds");
        let mut soak = Soak::new(EACH);
        run_each(&mut soak, &grounds, each, only.as_deref(), &mut seeds);
        return soak.end();
    }
    let mut soak = Soak::new(SOAK);
    let seconds =
        setting("ETCDWATCH_SOAK_SECONDS").map_or(60, |text| text.parse().expect("seconds"));
    let span = Duration::from_secs(seconds);
    // A long soak comes back to each of the servers.
    let lap = span.min(Duration::from_mins(10));
    let all: u32 = grounds.iter().map(|ground| ground.share).sum();
    while soak.begin.elapsed() < span {
        let lap_begin = Instant::now();
        let mut shares = 0;
        for ground in grounds.iter().copied() {
            shares += ground.share;
            let mut courses = ground.courses(only.as_deref());
            seeds.shuffle(&mut courses);
            if courses.is_empty() {
                continue;
            }
            let mut arena = ground.open();
            for course in courses.iter().cycle() {
                let is_over = lap_begin.elapsed() >= lap * shares / all;
                if is_over || soak.begin.elapsed() >= span {
                    break;
                }
                soak.run(ground, &mut arena, course, seeds.u64(..));
            }
        }
    }
    soak.end();
}

/// Each course with so many seeds, spread over the servers on which it can be run.
fn run_each(soak: &mut Soak, grounds: &[Ground], each: usize, only: Option<&str>, seeds: &mut Rng) {
    for (number, ground) in grounds.iter().copied().enumerate() {
        let courses = ground.courses(only);
        if courses.is_empty() {
            continue;
        }
        let mut arena = ground.open();
        for course in courses {
            let places: Vec<usize> = grounds
                .iter()
                .enumerate()
                .filter(|(_, ground)| ground.courses(None).contains(&course))
                .map(|(place, _)| place)
                .collect();
            let turn = places.iter().position(|place| *place == number);
            let turn = turn.expect("it is run here");
            let count = (each + places.len() - 1 - turn) / places.len();
            for _ in 0..count {
                soak.run(ground, &mut arena, &course, seeds.u64(..));
            }
        }
    }
}
