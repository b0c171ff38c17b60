//! The tests, and the soak.
//!
//! In scope: short runs of every scenario in the suite, and longer ones with a table of results in
//! the soak (`tests/soak.sh`). `ETCDWATCH_SEED` repeats a run, and the seed of each run is printed.
//! The output of a failed soak run is kept in files beside the test binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::api::Api;
use super::counts::Counts;
use super::faults::Fault;
use super::follower_behind::FollowerBehind;
use super::testbed::{Effort, Outcome, Scenario, Testbed};
use super::watchers::Kind;
use crate::support::etcd::Version;

/// One fault, or a few of them, for a single test.
const SHORT: Effort = Effort {
    span: Duration::from_millis(300),
    has_time: false,
    baselines: false,
};

/// Several faults in a row.
const LONG: Effort = Effort {
    span: Duration::from_secs(2),
    ..SHORT
};

/// A soak run has time for long faults, and runs the baselines too.
const SOAK: Effort = Effort {
    span: Duration::from_secs(6),
    has_time: true,
    baselines: true,
};

/// A run of the soak that repeats each scenario with many seeds.
const PER_SEED: Effort = Effort {
    span: Duration::from_secs(1),
    ..SOAK
};

/// The seed from the environment or a random one. It is printed, so that a failure can be repeated.
fn seed() -> u64 {
    let given = setting("ETCDWATCH_SEED");
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("ETCDWATCH_SEED={seed}");
    seed
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Asserts that a run had no difference, and that it had events and faults to test.
#[track_caller]
fn assert_survives(testbed: &mut Testbed, scenario: &Scenario, effort: Effort, seed: u64) {
    let outcome = testbed.run(scenario, effort, seed);
    let (_, counts) = outcome.counts[0];
    let [records, said, happened] = &outcome.evidence;
    let name = scenario.name();
    if let Some(difference) = outcome.difference {
        let kept = keep(&name, seed, [records, said, happened]);
        panic!("{name}, ETCDWATCH_SEED={seed}: {difference}\nsee {kept}");
    }
    assert!(
        counts.events >= 19 && counts.faults > 0,
        "{name}: {counts:?}"
    );
}

#[track_caller]
fn assert_survives_all(version: Version, size: usize) {
    let scenario = Scenario::Faults(Fault::on(size));
    assert_survives(&mut Testbed::new(version, size), &scenario, LONG, seed());
}

#[test]
fn v2_watch_of_one_3_4_server_loses_nothing_silently_through_all_faults() {
    assert_survives_all(Version::V3_4, 1);
}

#[test]
fn v2_watch_of_one_3_5_server_loses_nothing_silently_through_all_faults() {
    assert_survives_all(Version::V3_5, 1);
}

#[test]
fn v2_watch_of_three_3_4_members_loses_nothing_silently_through_all_faults() {
    assert_survives_all(Version::V3_4, 3);
}

#[test]
fn v2_watch_of_three_3_5_members_loses_nothing_silently_through_all_faults() {
    assert_survives_all(Version::V3_5, 3);
}

#[track_caller]
fn assert_survives_all_with_v3(version: Version, size: usize, has_progress: bool) {
    let scenario = Scenario::Faults(Fault::on(size));
    let mut testbed = Testbed::with_v3(version, size, has_progress);
    assert_survives(&mut testbed, &scenario, LONG, seed());
}

#[test]
fn v3_watch_of_one_3_4_server_loses_nothing_silently_through_all_faults() {
    assert_survives_all_with_v3(Version::V3_4, 1, true);
}

#[test]
fn v3_watch_of_one_3_5_server_loses_nothing_silently_through_all_faults() {
    assert_survives_all_with_v3(Version::V3_5, 1, false);
}

#[test]
fn v3_watch_of_three_3_4_members_loses_nothing_silently_through_all_faults() {
    assert_survives_all_with_v3(Version::V3_4, 3, false);
}

#[test]
fn v3_watch_of_three_3_5_members_loses_nothing_silently_through_all_faults() {
    assert_survives_all_with_v3(Version::V3_5, 3, true);
}

#[test]
fn v3_watch_loses_nothing_silently_through_each_fault() {
    let mut seeds = Rng::with_seed(seed());
    let mut testbed = Testbed::with_v3(Version::V3_4, 1, false);
    for fault in Fault::ANYWHERE {
        let scenario = Scenario::Faults(vec![fault]);
        assert_survives(&mut testbed, &scenario, SHORT, seeds.u64(..));
    }
}

#[test]
fn v3_watch_declares_a_replaced_store_before_its_events() {
    let mut testbed = Testbed::with_v3(Version::V3_5, 1, false);
    assert_survives(&mut testbed, &Scenario::StoreReplaced, SHORT, seed());
}

#[test]
fn v2_watch_loses_nothing_silently_through_each_fault() {
    let mut seeds = Rng::with_seed(seed());
    let mut testbed = Testbed::new(Version::V3_5, 1);
    for fault in Fault::ANYWHERE {
        let scenario = Scenario::Faults(vec![fault]);
        assert_survives(&mut testbed, &scenario, SHORT, seeds.u64(..));
    }
}

#[test]
fn v2_watch_loses_nothing_silently_through_each_cluster_fault() {
    let mut seeds = Rng::with_seed(seed());
    let mut testbed = Testbed::new(Version::V3_5, 3);
    for fault in Fault::OF_A_CLUSTER {
        let scenario = Scenario::Faults(vec![fault]);
        assert_survives(&mut testbed, &scenario, SHORT, seeds.u64(..));
    }
}

#[test]
fn v2_watch_declares_a_replaced_store_before_its_events() {
    let mut testbed = Testbed::new(Version::V3_4, 1);
    assert_survives(&mut testbed, &Scenario::StoreReplaced, SHORT, seed());
}

#[test]
fn v2_watch_loses_nothing_silently_on_a_follower_restored_from_a_snapshot() {
    let mut testbed = Testbed::with_snapshots(Version::V3_5, Api::V2);
    let behind = FollowerBehind {
        refreshes: true,
        reads: true,
        pause_tool: true,
    };
    assert_survives(
        &mut testbed,
        &Scenario::FollowerBehind(behind),
        SHORT,
        seed(),
    );
}

// --- the soak

/// Servers of the soak.
#[derive(Clone, Copy, Debug)]
struct Setup {
    api: Api,
    version: Version,
    size: usize,
    has_snapshots: bool,
    /// The percentage of the soak's time that these servers get.
    share: u32,
}

const fn setup(api: Api, version: Version, size: usize, share: u32) -> Setup {
    Setup {
        api,
        version,
        size,
        has_snapshots: false,
        share,
    }
}

const fn with_snapshots(api: Api, version: Version, share: u32) -> Setup {
    Setup {
        api,
        version,
        size: 3,
        has_snapshots: true,
        share,
    }
}

/// Clusters of three get most of the time, because production clusters have three or more members.
const SETUPS: [Setup; 12] = [
    setup(Api::V2, Version::V3_5, 3, 17),
    setup(Api::V2, Version::V3_4, 3, 15),
    with_snapshots(Api::V2, Version::V3_5, 5),
    with_snapshots(Api::V2, Version::V3_4, 5),
    setup(Api::V2, Version::V3_5, 1, 4),
    setup(Api::V2, Version::V3_4, 1, 4),
    setup(Api::V3, Version::V3_5, 3, 17),
    setup(Api::V3, Version::V3_4, 3, 15),
    with_snapshots(Api::V3, Version::V3_5, 5),
    with_snapshots(Api::V3, Version::V3_4, 5),
    setup(Api::V3, Version::V3_5, 1, 4),
    setup(Api::V3, Version::V3_4, 1, 4),
];

impl Setup {
    fn open(self) -> Testbed {
        if self.has_snapshots {
            Testbed::with_snapshots(self.version, self.api)
        } else if self.api == Api::V3 {
            // Progress notifications are frequent on one version and rare on the other.
            Testbed::with_v3(self.version, self.size, self.version == Version::V3_5)
        } else {
            Testbed::new(self.version, self.size)
        }
    }

    /// The scenarios for these servers. With `only`, just those whose name is in that list.
    fn scenarios(self, only: Option<&str>) -> Vec<Scenario> {
        let behind = FollowerBehind::all()
            .into_iter()
            .map(Scenario::FollowerBehind);
        let mut scenarios: Vec<Scenario> = behind.filter(|_| self.has_snapshots).collect();
        if !self.has_snapshots {
            let faults = Fault::on(self.size);
            scenarios.extend(faults.iter().map(|fault| Scenario::Faults(vec![*fault])));
            scenarios.push(Scenario::StoreReplaced);
            scenarios.push(Scenario::Faults(faults));
            scenarios.push(Scenario::Faults(Vec::new()));
        }
        let is_wanted = |name: &str| only.is_none_or(|only| only.split(';').any(|one| one == name));
        scenarios.retain(|scenario| is_wanted(&scenario.name()));
        scenarios
    }
}

/// The results of a soak.
struct Soak {
    begin: Instant,
    effort: Effort,
    /// The counts by scenario and program, separately for runs with and without baselines.
    table: BTreeMap<(String, Kind, bool), Counts>,
    /// The counts of the tool on three members.
    on_three: Counts,
    /// The runs without a difference and all runs, by scenario.
    survived: BTreeMap<String, (usize, usize)>,
    failures: Vec<String>,
}

impl Soak {
    fn new(effort: Effort) -> Self {
        Self {
            begin: Instant::now(),
            effort: Effort {
                baselines: setting("ETCDWATCH_SOAK_ALONE").is_none(),
                ..effort
            },
            table: BTreeMap::new(),
            on_three: Counts::default(),
            survived: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Runs one scenario and records the outcome, including a panic.
    fn run(&mut self, setup: Setup, testbed: &mut Testbed, scenario: &Scenario, seed: u64) {
        let name = scenario.name();
        let begin = self.begin.elapsed().as_secs();
        // The baselines watch the first run of each scenario only, for half the time, because less
        // is written while they watch.
        let mut effort = self.effort;
        effort.baselines &= !self.survived.contains_key(&name);
        if effort.baselines {
            effort.span /= 2;
        }
        let run = AssertUnwindSafe(|| testbed.run(scenario, effort, seed));
        let outcome = catch_unwind(run);
        let place = format!(
            "{name} with {:?} on {} of {:?}, seed {seed}",
            setup.api, setup.size, setup.version
        );
        let count = self.survived.entry(name.clone()).or_default();
        count.1 += 1;
        let mut did = "unfinished".to_owned();
        let is_over = outcome.is_ok();
        let difference = match outcome {
            Ok(outcome) => {
                let (_, counts) = outcome.counts[0];
                did = format!("{} events, {} faults", counts.events, counts.faults);
                count.0 += usize::from(outcome.difference.is_none());
                self.note(setup, &name, seed, outcome)
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                Some(format!("panicked: {text:?}"))
            }
        };
        let printed = difference.as_deref().unwrap_or("well");
        println!("{begin:>5} s: {place}, {did}: {printed}");
        self.failures
            .extend(difference.map(|difference| format!("{place}: {difference}")));
        // A run that did not finish leaves its servers in an unknown state.
        if !is_over || setup.has_snapshots {
            *testbed = setup.open();
        }
    }

    fn note(&mut self, setup: Setup, name: &str, seed: u64, outcome: Outcome) -> Option<String> {
        let is_beside = outcome.counts.len() > 1;
        for (kind, counts) in outcome.counts {
            let row = (name.to_owned(), kind, is_beside);
            let row = self.table.entry(row).or_default();
            *row = row.and(counts);
            if kind == Kind::Tool && setup.size == 3 {
                self.on_three = self.on_three.and(counts);
            }
        }
        let difference = outcome.difference?;
        let evidence = outcome.evidence.each_ref().map(String::as_str);
        Some(format!("{difference}\nsee {}", keep(name, seed, evidence)))
    }

    /// Prints the tables.
    fn show(&self) {
        let names: Vec<&String> = self.survived.keys().collect();
        let mut text = format!("\n{}", Counts::COLUMNS);
        for name in &names {
            writeln!(text, "| {name} | {} |", self.all_runs(name)).unwrap();
        }
        writeln!(text, "| **all** | {} |", self.all_runs("")).unwrap();
        writeln!(text, "| of that on three nodes | {} |", self.on_three).unwrap();
        if self.effort.baselines {
            self.show_baselines(&mut text, &names);
        }
        writeln!(text).unwrap();
        for (name, (well, all)) in &self.survived {
            writeln!(text, "{name}: {well}/{all}").unwrap();
        }
        println!("{text}");
    }

    /// The sum of the runs of that scenario, or of all runs if the name is empty.
    fn row(&self, name: &str, kind: Kind, is_beside: bool) -> Counts {
        let rows = self.table.iter().filter(|((one, of, beside), _)| {
            (one == name || name.is_empty()) && *of == kind && *beside == is_beside
        });
        rows.fold(Counts::default(), |sum, (_, one)| sum.and(*one))
    }

    fn all_runs(&self, name: &str) -> Counts {
        self.row(name, Kind::Tool, true)
            .and(self.row(name, Kind::Tool, false))
    }

    fn show_baselines(&self, text: &mut String, names: &[&String]) {
        let columns = ["lost", "duplicated", "out of order"];
        let all = [Kind::Tool].into_iter().chain(Kind::BASELINES);
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
            let Counts { runs, events, .. } = self.row(name, Kind::Tool, true);
            let shorts = shorts.join(" | ");
            writeln!(text, "| {shown} | {runs} | {events} | {shorts} |").unwrap();
        }
    }

    fn end(&self) {
        self.show();
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n\n"));
    }
}

/// Writes the evidence of a failed run to files, and returns their path.
fn keep(name: &str, seed: u64, evidence: [&str; 3]) -> String {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    fs::create_dir_all(&place).expect("a directory");
    let path = place.join(format!("{}-{seed}", name.replace([',', ' '], "-")));
    for (ending, text) in ["records", "stderr", "truth"].iter().zip(evidence) {
        fs::write(path.with_extension(ending), text).expect("a file");
    }
    format!("{}.*", path.display())
}

/// `tests/soak.sh` runs this for a number of seconds, or with a number of seeds for each scenario.
#[test]
#[ignore = "runs for as long as tests/soak.sh asks"]
fn soak() {
    let mut seeds = Rng::with_seed(seed());
    let only = setting("ETCDWATCH_SOAK_ONLY");
    let api = setting("ETCDWATCH_SOAK_API").map(|api| match api.as_str() {
        "v2" => Api::V2,
        "v3" => Api::V3,
        other => panic!("ETCDWATCH_SOAK_API={other}"),
    });
    let is_asked = |setup: &Setup| api.is_none_or(|api| api == setup.api);
    let setups: Vec<Setup> = SETUPS.into_iter().filter(is_asked).collect();
    if let Some(each) = setting("ETCDWATCH_SOAK_EACH") {
        let each = each.parse().expect("a number of seeds");
        let mut soak = Soak::new(PER_SEED);
        run_per_seed(&mut soak, &setups, each, only.as_deref(), &mut seeds);
        return soak.end();
    }
    let mut soak = Soak::new(SOAK);
    let seconds =
        setting("ETCDWATCH_SOAK_SECONDS").map_or(60, |text| text.parse().expect("seconds"));
    let span = Duration::from_secs(seconds);
    // A long soak uses each of the servers several times.
    let lap = span.min(Duration::from_mins(10));
    let all: u32 = setups.iter().map(|setup| setup.share).sum();
    while soak.begin.elapsed() < span {
        let lap_begin = Instant::now();
        let mut shares = 0;
        for setup in setups.iter().copied() {
            shares += setup.share;
            let mut scenarios = setup.scenarios(only.as_deref());
            seeds.shuffle(&mut scenarios);
            if scenarios.is_empty() {
                continue;
            }
            let mut testbed = setup.open();
            for scenario in scenarios.iter().cycle() {
                let is_over = lap_begin.elapsed() >= lap * shares / all;
                if is_over || soak.begin.elapsed() >= span {
                    break;
                }
                soak.run(setup, &mut testbed, scenario, seeds.u64(..));
            }
        }
    }
    soak.end();
}

/// Runs each scenario with `each` seeds, spread over the servers that support it.
fn run_per_seed(
    soak: &mut Soak,
    setups: &[Setup],
    each: usize,
    only: Option<&str>,
    seeds: &mut Rng,
) {
    for (number, setup) in setups.iter().copied().enumerate() {
        let scenarios = setup.scenarios(only);
        if scenarios.is_empty() {
            continue;
        }
        let mut testbed = setup.open();
        for scenario in scenarios {
            let places: Vec<usize> = setups
                .iter()
                .enumerate()
                .filter(|(_, setup)| setup.scenarios(None).contains(&scenario))
                .map(|(place, _)| place)
                .collect();
            let turn = places.iter().position(|place| *place == number);
            let turn = turn.expect("it is run here");
            let count = (each + places.len() - 1 - turn) / places.len();
            for _ in 0..count {
                soak.run(setup, &mut testbed, &scenario, seeds.u64(..));
            }
        }
    }
}
