//! Faults at random while others write: nothing is lost silently, nothing comes twice, all in
//! order, and the consumer ends with the server's state.
//!
//! `ETCDWATCH_SEED` repeats a run; `ETCDWATCH_SOAK_SECONDS` makes one of many, for
//! `tests/soak.sh`, with a table of what came of each fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::follow::{self, State};
use crate::support::oracle::{self, Gaps};
use crate::support::proxy::{Cut, Proxy};
use crate::support::tool::{Running, Signal, parse_lines};
use crate::support::v2::{self, Truth, Writer};
use crate::support::wait;

const LIMIT: Duration = Duration::from_secs(30);

/// How long a run of the suite goes on.
const SHORT: Duration = Duration::from_secs(2);

/// How long one fault alone, or many in turn, are tried in the soak before the next run.
const RUN: Duration = Duration::from_secs(6);

/// So many faults in each run at least, however long they take.
const FEWEST: usize = 1;

/// How many write in scope.
const LANES: usize = 3;

/// Each waits as long between two writes: a short fault must not outlast history.
const PACE: Duration = Duration::from_millis(3);

/// How long a writer waits for an answer, before it tries another member.
const PATIENCE: Duration = Duration::from_secs(1);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Reset,
    Close,
    CutAfter,
    HalfOpen,
    Trickle,
    Refuse,
    Kill,
    Terminate,
    PauseServer,
    PauseTool,
    /// Refused while more is written elsewhere than history holds.
    Outage,
}

impl Fault {
    const ALL: [Self; 11] = [
        Self::Reset,
        Self::Close,
        Self::CutAfter,
        Self::HalfOpen,
        Self::Trickle,
        Self::Refuse,
        Self::Kill,
        Self::Terminate,
        Self::PauseServer,
        Self::PauseTool,
        Self::Outage,
    ];
}

/// Servers, each with a network before it.
struct Arena {
    nodes: Vec<Etcd>,
    proxies: Vec<Proxy>,
    runs: usize,
}

impl Arena {
    fn new(version: Version, size: usize) -> Self {
        let nodes = match size {
            1 => vec![Etcd::start(version)],
            _ => Cluster::start(version, size).nodes,
        };
        let proxies = nodes.iter().map(|node| Proxy::to(&node.url())).collect();
        Self {
            nodes,
            proxies,
            runs: 0,
        }
    }

    fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Etcd::url).collect()
    }

    fn endpoints(&self) -> String {
        let urls: Vec<String> = self.proxies.iter().map(Proxy::url).collect();
        urls.join(",")
    }

    /// Lets one of `faults` after the other happen for `span`, while others write, and holds
    /// what the tool told against what was written.
    fn run(&mut self, faults: &[Fault], span: Duration, seed: u64) -> (Score, Option<String>) {
        self.runs += 1;
        let top = format!("/run{}", self.runs);
        let running = follow::live(&self.endpoints(), &["-r", &top]);
        let mut random = Rng::with_seed(seed);
        let mut happened = Vec::new();
        let mut log = thread::scope(|scope| {
            let (stops, lanes): (Vec<_>, Vec<_>) = (0..=LANES)
                .map(|lane| {
                    let (stop, stopped) = channel();
                    let scribe = Scribe::new(self.urls(), &top, lane, random.fork());
                    (stop, scope.spawn(move || scribe.write_until(&stopped)))
                })
                .unzip();
            // Not before something is going on that can go wrong.
            running.wait_for_lines(20, LIMIT);
            let end = Instant::now() + span;
            while Instant::now() < end || happened.len() < FEWEST {
                let fault = faults[random.usize(..faults.len())];
                happened.push(fault);
                self.fail(fault, &running, &mut random);
                hold(&running, random.u64(20..200));
            }
            drop(stops);
            let logs = lanes.into_iter().map(|lane| lane.join().unwrap());
            logs.fold(Log::default(), Log::and)
        });
        let (mark, nodes, differs) = self.converge(&running, &top);
        log = log.and(mark);
        running.signal(Signal::TERM);
        let output = running.wait(LIMIT);
        let lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
        let records = follow::without_status(parse_lines(&lines));
        let truth = log.settle(&nodes, &records);
        let score = Score::of(&truth, &records, happened.len());
        follow::assert_positions_never_go_back(&records);
        let difference = oracle::compare(&truth, &records, Gaps::Declared)
            .err()
            .or(differs);
        let told = difference.map(|difference| format!("after {happened:?}: {difference}"));
        (score, told)
    }

    /// Makes something go wrong for a while, and mends it.
    fn fail(&self, fault: Fault, running: &Running, random: &mut Rng) {
        let node = random.usize(..self.nodes.len());
        // Where the network fails, it fails before one member or before all.
        let all = random.bool();
        let proxies = || {
            let chosen = self.proxies.iter().enumerate();
            chosen
                .filter(move |(at, _)| all || *at == node)
                .map(|(_, proxy)| proxy)
        };
        let moment = random.u64(20..400);
        match fault {
            Fault::Reset => proxies().for_each(|proxy| proxy.cut_all(Cut::Reset)),
            Fault::Close => proxies().for_each(|proxy| proxy.cut_all(Cut::Close)),
            Fault::CutAfter => {
                let how = if random.bool() {
                    Cut::Reset
                } else {
                    Cut::Close
                };
                let bytes = random.u64(1..5_000);
                proxies().for_each(|proxy| proxy.cut_after(bytes, how));
                hold(running, moment);
            }
            Fault::HalfOpen => {
                proxies().for_each(Proxy::half_open);
                hold(running, moment);
                proxies().for_each(Proxy::resume);
            }
            Fault::Trickle => {
                proxies().for_each(Proxy::one_byte_at_a_time);
                hold(running, moment);
                proxies().for_each(Proxy::resume);
            }
            Fault::Refuse | Fault::Outage => {
                // An outage is one only where no member is left.
                let is_outage = fault == Fault::Outage;
                let refused = || self.proxies.iter().filter(|_| is_outage).chain(proxies());
                refused().for_each(|proxy| proxy.refuse(true));
                refused().for_each(|proxy| proxy.cut_all(Cut::Reset));
                if is_outage {
                    v2::burst(&self.nodes[node].url(), 1_100, |number| {
                        ("/burst".to_owned(), number.to_string())
                    });
                } else {
                    hold(running, moment);
                }
                refused().for_each(|proxy| proxy.refuse(false));
            }
            Fault::Kill => {
                self.nodes[node].kill();
                hold(running, moment);
                self.nodes[node].restart();
            }
            Fault::Terminate => {
                self.nodes[node].terminate();
                hold(running, moment);
                self.nodes[node].restart();
            }
            Fault::PauseServer => {
                self.nodes[node].pause();
                hold(running, moment * 2);
                self.nodes[node].resume();
            }
            Fault::PauseTool => {
                running.signal(Signal::STOP);
                hold(running, moment);
                running.signal(Signal::CONT);
            }
        }
    }

    /// Writes once more, and waits until the consumer of the records knows what the server
    /// has; what was written, what the server has, and how the two differ for ever.
    fn converge(&self, running: &Running, top: &str) -> (Log, Vec<Value>, Option<String>) {
        self.proxies.iter().for_each(Proxy::resume);
        let url = &self.nodes[0].url();
        let mut log = Log::default();
        let key = format!("{top}/mark");
        let mut attempt = 0;
        let mark = wait::until_some(LIMIT, "a last write", || {
            attempt += 1;
            let value = format!("mark {attempt}");
            let form = [("value", value.as_str())];
            let reply = v2::try_request("PUT", url, &v2::key_path(&key), &form, LIMIT);
            let is_done = log.note(Wish::set(&key, &value), reply);
            is_done.then_some(value)
        });
        follow::wait_for_value(running, &key, &mark);
        let deadline = Instant::now() + LIMIT;
        loop {
            // What nobody answered may be done this late.
            let nodes = follow::server_nodes(url, top);
            let server = follow::server(url, top);
            let told = follow::apply(State::new(), top, &running.json());
            if told == server && nodes.len() == server.len() {
                return (log, nodes, None);
            }
            if Instant::now() > deadline {
                let differs: Vec<_> = server
                    .iter()
                    .filter(|(key, value)| told.get(*key) != Some(*value))
                    .chain(told.iter().filter(|(key, _)| !server.contains_key(*key)))
                    .take(5)
                    .collect();
                let difference = format!("the states differ for ever, such as in {differs:?}");
                return (log, nodes, Some(difference));
            }
            hold(running, 50);
        }
    }
}

/// Lets something last for so many milliseconds, through which the tool must not end.
fn hold(running: &Running, milliseconds: u64) {
    let span = Duration::from_millis(milliseconds);
    wait::never(span, "the tool has ended", || running.has_ended());
}

/// A write that somebody wants.
#[derive(Clone, Debug)]
struct Wish {
    action: &'static str,
    key: String,
    value: Option<String>,
}

impl Wish {
    fn set(key: &str, value: &str) -> Self {
        Self {
            action: "set",
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }
    }

    fn is(&self, truth: &Truth) -> bool {
        (self.action, &self.key, &self.value) == (&truth.action, &truth.key, &truth.value)
    }
}

/// What was written, and what may have been.
#[derive(Default)]
struct Log {
    acknowledged: Vec<Truth>,
    /// Sent and not answered.
    open: Vec<Wish>,
}

impl Log {
    fn and(mut self, other: Self) -> Self {
        self.acknowledged.extend(other.acknowledged);
        self.open.extend(other.open);
        self
    }

    /// Notes what became of a wish; whether it is certainly done.
    fn note(&mut self, wish: Wish, reply: std::io::Result<v2::Reply>) -> bool {
        match reply {
            Ok(reply) if reply.status < 300 => {
                self.acknowledged.push(reply.truth());
                return true;
            }
            // It is not there.
            Ok(reply) if reply.status == 404 => {}
            // Nothing was sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            _ => self.open.push(wish),
        }
        false
    }

    /// All that happened, in order: of what was not answered, what the server has or the tool
    /// has told.
    fn settle(self, nodes: &[Value], records: &[Value]) -> Vec<Truth> {
        let mut truth: BTreeMap<u64, Truth> = self
            .acknowledged
            .into_iter()
            .map(|one| (one.index, one))
            .collect();
        let seen = nodes.iter().filter_map(|node| {
            Some(Truth {
                index: node["modifiedIndex"].as_u64()?,
                action: "set".to_owned(),
                key: node["key"].as_str()?.to_owned(),
                value: Some(node["value"].as_str()?.to_owned()),
            })
        });
        for one in seen.chain(oracle::events(records)) {
            if self.open.iter().any(|wish| wish.is(&one)) {
                truth.entry(one.index).or_insert(one);
            }
        }
        truth.into_values().collect()
    }
}

/// Somebody who writes; the last one out of scope.
struct Scribe {
    urls: Vec<String>,
    directory: String,
    random: Rng,
    log: Log,
    /// Its own keys that are there.
    there: Vec<String>,
    is_in_scope: bool,
}

impl Scribe {
    fn new(urls: Vec<String>, top: &str, lane: usize, random: Rng) -> Self {
        let is_in_scope = lane < LANES;
        let directory = if is_in_scope {
            format!("{top}/lane{lane}")
        } else {
            "/elsewhere".to_owned()
        };
        Self {
            urls,
            directory,
            random,
            log: Log::default(),
            there: Vec::new(),
            is_in_scope,
        }
    }

    fn write_until(mut self, stopped: &Receiver<()>) -> Log {
        let mut writer: Option<Writer> = None;
        let mut member = self.random.usize(..self.urls.len());
        let mut number = 0;
        while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
            number += 1;
            let Some(open) = &mut writer else {
                writer = Writer::try_connect(&self.urls[member], PATIENCE).ok();
                member = (member + 1) % self.urls.len();
                continue;
            };
            let wish = self.wish(number);
            let path = v2::key_path(&wish.key);
            let reply = match &wish.value {
                Some(value) => open.try_request("PUT", &path, &[("value", value)]),
                None => open.try_request("DELETE", &path, &[]),
            };
            if reply.as_ref().map_or(true, |reply| reply.status >= 500) {
                writer = None;
            }
            let (key, is_set) = (wish.key.clone(), wish.value.is_some());
            if self.log.note(wish, reply) && is_set && !key.ends_with("hot") {
                self.there.push(key);
            }
        }
        if !self.is_in_scope {
            return Log::default();
        }
        self.log
    }

    /// A new key, one that is written again and again, or the end of one of its keys.
    fn wish(&mut self, number: usize) -> Wish {
        let value = format!("{number}");
        match self.random.u8(..10) {
            0..2 if !self.there.is_empty() => Wish {
                action: "delete",
                key: self
                    .there
                    .swap_remove(self.random.usize(..self.there.len())),
                value: None,
            },
            2..4 => Wish::set(&format!("{}/hot", self.directory), &value),
            _ => Wish::set(&format!("{}/k{number}", self.directory), &value),
        }
    }
}

/// What came of runs.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    runs: usize,
    faults: usize,
    events: usize,
    lost: usize,
    duplicated: usize,
    disordered: usize,
    gaps: usize,
    missed: usize,
    false_certain: usize,
}

impl Score {
    fn of(truth: &[Truth], records: &[Value], faults: usize) -> Self {
        let mut score = Self {
            runs: 1,
            faults,
            events: truth.len(),
            ..Self::default()
        };
        let told: BTreeSet<u64> = oracle::events(records)
            .iter()
            .map(|event| event.index)
            .collect();
        let mut declared: Vec<(u64, u64)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut due = truth.iter().peekable();
        let mut pass = |upto: u64, declared: &[(u64, u64)], score: &mut Self| {
            let mut is_missed = false;
            while let Some(one) = due.next_if(|one| one.index < upto) {
                let is_known = told.contains(&one.index)
                    || declared.iter().any(|(a, b)| (*a..=*b).contains(&one.index));
                score.lost += usize::from(!is_known);
                is_missed |= !is_known;
            }
            score.missed += usize::from(is_missed);
        };
        for record in records {
            if record["action"] == "gap" {
                score.gaps += 1;
                let from = record["lost"]["from"].as_u64().unwrap();
                let to = record["lost"]["to"].as_u64().unwrap_or(u64::MAX);
                let is_empty = !truth.iter().any(|one| (from..=to).contains(&one.index));
                score.false_certain += usize::from(record["certain"] == true && is_empty);
                declared.push((from, to));
            } else if let Some(event) = oracle::events(std::slice::from_ref(record)).first() {
                let is_last = seen.last().is_none_or(|last| *last < event.index);
                if !seen.insert(event.index) {
                    score.duplicated += 1;
                } else if !is_last {
                    score.disordered += 1;
                }
                pass(event.index, &declared, &mut score);
            }
        }
        pass(u64::MAX, &declared, &mut score);
        score
    }

    fn and(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            faults: self.faults + other.faults,
            events: self.events + other.events,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            disordered: self.disordered + other.disordered,
            gaps: self.gaps + other.gaps,
            missed: self.missed + other.missed,
            false_certain: self.false_certain + other.false_certain,
        }
    }

    const COLUMNS: &'static str = "| fault | runs | faults | events | lost | duplicated | \
         out of order | gaps declared | gaps missed | false certain |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(
            formatter,
            "{} | {} | {} | {} | {} | {} | {} | {} | {}",
            self.runs,
            self.faults,
            self.events,
            self.lost,
            self.duplicated,
            self.disordered,
            self.gaps,
            self.missed,
            self.false_certain
        )
    }
}

/// The seed that is given, or a new one; it is shown where a test fails.
fn seed() -> u64 {
    let given = std::env::var("ETCDWATCH_SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("ETCDWATCH_SEED={seed}");
    seed
}

/// Faults of all kinds on one arena; and that anything was put to the test.
#[track_caller]
fn assert_survives(version: Version, size: usize) {
    let seed = seed();
    let mut arena = Arena::new(version, size);
    let (score, difference) = arena.run(&Fault::ALL, SHORT, seed);
    assert_eq!(difference, None, "ETCDWATCH_SEED={seed} {score:?}");
    assert!(score.events >= 19 && score.faults > 0, "{score:?}");
    assert_eq!(score.false_certain, 0, "{score:?}");
}

#[test]
fn one_node_of_3_4_loses_nothing_silently_through_faults_of_every_kind() {
    assert_survives(Version::V3_4, 1);
}

#[test]
fn one_node_of_3_5_loses_nothing_silently_through_faults_of_every_kind() {
    assert_survives(Version::V3_5, 1);
}

#[test]
fn three_nodes_of_3_4_lose_nothing_silently_through_faults_of_every_kind() {
    assert_survives(Version::V3_4, 3);
}

#[test]
fn three_nodes_of_3_5_lose_nothing_silently_through_faults_of_every_kind() {
    assert_survives(Version::V3_5, 3);
}

/// In the suite each fault is tried for a moment on one node; in the soak, for the seconds
/// asked for, on all arenas in turn, alone and with others.
#[test]
fn each_fault_alone_loses_nothing_silently() {
    let seconds = std::env::var("ETCDWATCH_SOAK_SECONDS").ok();
    let soak = seconds.map(|seconds| Duration::from_secs(seconds.parse().expect("seconds")));
    let begin = Instant::now();
    let mut seeds = Rng::with_seed(seed());
    let mut table: BTreeMap<String, Score> = BTreeMap::new();
    let mut failures = Vec::new();
    let arenas = Version::ALL.map(|version| [(version, 1), (version, 3)]);
    for (version, size) in arenas.into_iter().flatten().cycle() {
        let mut arena = Arena::new(version, size);
        let alone = Fault::ALL.map(|fault| (format!("{fault:?}"), vec![fault]));
        let mixed = soak.map(|_| ("all in turn".to_owned(), Fault::ALL.to_vec()));
        for (name, faults) in alone.into_iter().chain(mixed) {
            let span = soak.map_or(Duration::from_millis(300), |_| RUN);
            let seed = seeds.u64(..);
            let (score, difference) = arena.run(&faults, span, seed);
            let row = table.entry(name.clone()).or_default();
            *row = row.and(score);
            failures.extend(difference.map(|difference| {
                format!("{name} on {size} of {version:?}, seed {seed}: {difference}")
            }));
            if soak.is_some_and(|soak| begin.elapsed() >= soak) {
                break;
            }
        }
        if soak.is_none_or(|soak| begin.elapsed() >= soak) {
            break;
        }
    }
    let mut text = Score::COLUMNS.to_owned();
    let sum = table
        .values()
        .fold(Score::default(), |sum, one| sum.and(*one));
    for (name, score) in &table {
        writeln!(text, "| {name} | {score} |").unwrap();
    }
    writeln!(text, "| **all** | {sum} |").unwrap();
    println!("{text}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(sum.false_certain, 0);
    assert!(sum.events > 200 && sum.faults > 10, "{sum:?}");
}

#[test]
fn the_table_counts_what_is_wrong() {
    let write = |index: u64| Truth {
        index,
        action: "set".to_owned(),
        key: "/k".to_owned(),
        value: Some(index.to_string()),
    };
    let event = |index: u64| {
        json!({
            "action": "set",
            "node": {"key": "/k", "value": index.to_string(), "modifiedIndex": index},
        })
    };
    let gap = json!({
        "action": "gap", "lost": {"from": 7, "to": 8}, "certain": true, "index": 8,
    });
    let truth = [1, 2, 3, 4, 6, 7, 9, 10].map(write);
    // 3 is lost, 2 comes twice, 4 too late, and the gap before 9 is declared.
    let records = [
        event(1),
        event(2),
        event(2),
        event(6),
        event(4),
        gap.clone(),
        event(9),
        event(10),
    ];
    let score = Score::of(&truth, &records, 1);
    let counted = (score.lost, score.duplicated, score.disordered);
    assert_eq!(counted, (1, 1, 1), "{score:?}");
    assert_eq!((score.gaps, score.missed, score.false_certain), (1, 1, 0));
    // A gap that comes after what is later covers nothing.
    let score = Score::of(&truth[5..], &[event(9), gap, event(10)], 1);
    assert_eq!((score.lost, score.missed), (1, 1), "{score:?}");
    let empty = json!({
        "action": "gap", "lost": {"from": 5, "to": 5}, "certain": true, "index": 5,
    });
    assert_eq!(Score::of(&truth, &[empty], 1).false_certain, 1);
}
