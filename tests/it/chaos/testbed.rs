//! Servers on which faults are injected, and how a run proceeds.
//!
//! In scope: how a fault begins and ends, and the end of a run, at which a consumer of the tool's
//! records must have the state of the servers. Out of scope: which faults are injected, and when
//! (`faults`), and the scenarios that are more than faults and writes (`follower_behind`,
//! `store_replaced`).

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use super::api::{self, Api};
use super::counts::{self, Counts};
use super::faults::{Fault, Injection};
use super::follower_behind::FollowerBehind;
use super::store_replaced;
use super::watchers::{Kind, Watcher};
use super::writers::{self, Attempt, History, Log, Task};
use crate::support::etcd::{Cluster, Etcd, Version};
use crate::support::follow::{self, State};
use crate::support::oracle;
use crate::support::proxy::{Cut, Proxy};
use crate::support::v2::{self, Writer};
use crate::support::wait;

/// Longer than the tool takes to catch up after the last fault.
const LIMIT: Duration = Duration::from_secs(30);

/// Longer than members on a busy machine keep electing leaders.
const ELECTION: Duration = Duration::from_mins(3);

/// What happens in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// These faults, one after the other, while others write. Without faults a run shows what is
    /// lost because a watcher is too slow.
    Faults(Vec<Fault>),
    /// A follower catches up from a snapshot.
    FollowerBehind(FollowerBehind),
    /// The store is replaced.
    StoreReplaced,
}

impl Scenario {
    /// The name in the tables of docs/fault-testing.md.
    pub fn name(&self) -> String {
        match self {
            Self::Faults(faults) => match faults[..] {
                [] => "no fault".to_owned(),
                [fault] => format!("{fault:?}"),
                _ => "all in turn".to_owned(),
            },
            Self::FollowerBehind(behind) => behind.name(),
            Self::StoreReplaced => "RebuiltData".to_owned(),
        }
    }
}

/// How much is done in a run.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// For how long faults are injected. There is always at least one.
    pub span: Duration,
    /// Whether some faults last long.
    pub has_time: bool,
    /// Whether the baselines watch too. Then less is written, so that they lose nothing only
    /// because they are slow.
    pub baselines: bool,
}

/// The result of a run.
pub struct Outcome {
    /// The counts of each program that watched.
    pub counts: Vec<(Kind, Counts)>,
    /// What is wrong with the tool's records.
    pub difference: Option<String>,
    /// The tool's records, its stderr, and what really happened, for whoever investigates a
    /// failure.
    pub evidence: [String; 3],
}

/// The servers of a run.
pub struct Testbed {
    /// One member or three.
    pub cluster: Cluster,
    /// The API that is written to and watched.
    pub api: Api,
    runs: usize,
}

impl Testbed {
    /// Servers with default options, for the v2 API.
    pub fn new(version: Version, size: usize) -> Self {
        Self::of(Etcd::builder(version).cluster(size), Api::V2)
    }

    /// Servers for the v3 API. With `has_progress` they send progress notifications every 100 ms,
    /// and otherwise every 10 minutes.
    pub fn with_v3(version: Version, size: usize, has_progress: bool) -> Self {
        let interval = if has_progress { "100ms" } else { "10m" };
        let progress = format!("--experimental-watch-progress-notify-interval={interval}");
        let builder = Etcd::builder(version).arg(progress);
        Self::of(builder.cluster(size), Api::V3)
    }

    /// Three members, of which one that was away for a while catches up from a snapshot.
    pub fn with_snapshots(version: Version, api: Api) -> Self {
        let cluster = Etcd::builder(version).snapshot_count(100).cluster(3);
        Self::of(cluster, api)
    }

    fn of(cluster: Cluster, api: Api) -> Self {
        Self {
            api,
            cluster,
            runs: 0,
        }
    }

    /// The client URLs of the members.
    pub fn urls(&self) -> Vec<String> {
        self.cluster.nodes.iter().map(Etcd::url).collect()
    }

    /// Runs a scenario. All its choices are drawn from `seed`.
    pub fn run(&mut self, scenario: &Scenario, effort: Effort, seed: u64) -> Outcome {
        self.runs += 1;
        let top = format!("/run{}", self.runs);
        let mut random = Rng::with_seed(seed);
        match scenario {
            Scenario::Faults(faults) => self.inject_all(faults, effort, &top, &mut random),
            Scenario::FollowerBehind(behind) => behind.run(self, effort, &top, &mut random),
            Scenario::StoreReplaced => store_replaced::run(self, effort, &top, &mut random),
        }
    }

    /// Compacts history every few hundred milliseconds while the scenario runs, often up to the
    /// present revision and so including events that no watcher has seen.
    fn while_compacting<T>(&self, random: &mut Rng, scenario: impl FnOnce() -> T) -> T {
        let urls = self.urls();
        thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            scope.spawn(move || {
                loop {
                    let pause = Duration::from_millis(random.u64(100..500));
                    if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                    let behind = if random.bool() { 0 } else { random.u64(..60) };
                    api::compact(&urls[random.usize(..urls.len())], behind, random.bool());
                }
            });
            let result = scenario();
            drop(stop);
            result
        })
    }

    fn inject_all(&self, faults: &[Fault], effort: Effort, top: &str, random: &mut Rng) -> Outcome {
        let size = self.cluster.nodes.len();
        // The fault `Spread` needs one address with several members behind it.
        let addresses = if *faults == [Fault::Spread] { 1 } else { size };
        let members: Vec<usize> = (0..addresses).collect();
        let run = Run::start(self, top, &members, effort, random);
        let mut dice = random.fork();
        let mut compactions = random.fork();
        // Without a compaction no event may be lost.
        let is_compacted = self.api == Api::V3 && random.bool();
        let task = Task {
            api: self.api,
            urls: self.urls(),
            top,
            mark: "",
            is_gentle: effort.baselines,
        };
        let mut scenario = || {
            // Events must flow before the first fault.
            run.tool().running.wait_for_lines(20, LIMIT);
            let end = Instant::now() + effort.span;
            let mut happened = Vec::new();
            if faults.is_empty() {
                run.hold(u64::try_from(effort.span.as_millis()).expect("a moment"));
                return happened;
            }
            while Instant::now() < end || happened.is_empty() {
                let injection = Injection::draw(faults, size, effort.has_time, &mut dice);
                happened.push(injection);
                run.inject(&injection);
                run.hold(injection.rest);
            }
            happened
        };
        let (happened, log) = writers::while_writing(&task, random, || {
            if is_compacted {
                self.while_compacting(&mut compactions, &mut scenario)
            } else {
                scenario()
            }
        });
        // An outage always includes a compaction.
        let may_lose = is_compacted || faults.contains(&Fault::Outage);
        let printed = format!("compacted: {is_compacted}, {happened:#?}");
        let mut outcome = run.judge(vec![log], happened.len(), &printed);
        let (_, counts) = outcome.counts[0];
        if self.api == Api::V3 && !may_lose && counts.gaps > 0 {
            let why = || "a gap where nothing was compacted".to_owned();
            outcome.difference.get_or_insert_with(why);
        }
        outcome
    }
}

/// The watchers of a run, and the servers that they watch.
pub struct Run<'a> {
    /// The servers.
    pub testbed: &'a Testbed,
    /// The directory that is watched.
    pub top: &'a str,
    /// The tool is the first.
    pub watchers: Vec<Watcher>,
}

impl<'a> Run<'a> {
    /// Starts the watchers. Each gets the addresses of these members, in that order.
    pub fn start(
        testbed: &'a Testbed,
        top: &'a str,
        members: &[usize],
        effort: Effort,
        random: &mut Rng,
    ) -> Self {
        let urls = testbed.urls();
        let options: &[&str] = if random.u8(..4) == 0 {
            &["--on-gap", "diff"]
        } else {
            &[]
        };
        let baselines = Kind::BASELINES.iter().filter(|_| effort.baselines);
        let kinds = [Kind::Tool].into_iter().chain(baselines.copied());
        let watchers = kinds
            .map(|kind| Watcher::start(kind, testbed.api, &urls, members, top, options))
            .collect();
        Self {
            testbed,
            top,
            watchers,
        }
    }

    /// The tool's watcher.
    pub fn tool(&self) -> &Watcher {
        &self.watchers[0]
    }

    /// The proxies of all watchers, each with the number of the member behind it.
    pub fn proxies(&self) -> impl Iterator<Item = (usize, &Proxy)> {
        let watchers = self.watchers.iter();
        watchers.flat_map(|watcher| watcher.proxies.iter().enumerate())
    }

    /// Waits for so many milliseconds. Panics if the tool ends meanwhile.
    pub fn hold(&self, milliseconds: u64) {
        let span = Duration::from_millis(milliseconds);
        let running = &self.tool().running;
        let deadline = Instant::now() + span;
        while Instant::now() < deadline {
            assert!(
                !running.has_ended(),
                "the tool has ended: {}",
                running.stderr()
            );
            thread::sleep(Duration::from_millis(10).min(span));
        }
    }

    /// Injects a fault, and ends it.
    fn inject(&self, injection: &Injection) {
        let node = &self.testbed.cluster.nodes[injection.node];
        let each = |act: &dyn Fn(&Proxy)| {
            self.proxies()
                .filter(|(member, _)| injection.all || *member == injection.node)
                .for_each(|(_, proxy)| act(proxy));
        };
        let for_a_while = |act: &dyn Fn(&Proxy)| {
            each(act);
            self.hold(injection.moment);
            each(&Proxy::resume);
        };
        match injection.fault {
            Fault::Reset => each(&|proxy| proxy.cut_all(Cut::Reset)),
            Fault::Close => each(&|proxy| proxy.cut_all(Cut::Close)),
            Fault::CutAfter => {
                each(&|proxy| proxy.cut_after(injection.bytes, injection.cut));
                self.hold(injection.moment);
            }
            Fault::HalfOpen => for_a_while(&Proxy::half_open),
            Fault::Trickle => for_a_while(&Proxy::one_byte_at_a_time),
            Fault::EmptyEnd => for_a_while(&|proxy| {
                proxy.answer_empty(true);
                proxy.end_waits();
            }),
            Fault::Delay => {
                for_a_while(&|proxy| proxy.delay(Duration::from_millis(injection.bytes / 10)));
            }
            // Less than the writers produce.
            Fault::Bandwidth => for_a_while(&|proxy| proxy.bandwidth(5_000 + injection.bytes * 10)),
            Fault::Refuse => self.refuse(
                |member| injection.all || member == injection.node,
                || {
                    self.hold(injection.moment);
                },
            ),
            Fault::Outage => self.refuse(
                |_| true,
                || match self.testbed.api {
                    Api::V2 => {
                        v2::burst(&node.url(), 1_100, |number| {
                            ("/burst".to_owned(), number.to_string())
                        });
                    }
                    Api::V3 => {
                        self.hold(injection.moment);
                        api::compact(&node.url(), 0, false);
                    }
                },
            ),
            Fault::Kill => {
                node.kill();
                self.hold(injection.moment);
                node.restart();
            }
            Fault::Terminate => {
                node.terminate();
                self.hold(injection.moment);
                node.restart();
            }
            Fault::PauseServer => {
                node.pause();
                self.hold(injection.moment * 2);
                node.resume();
            }
            Fault::PauseTool => {
                self.watchers.iter().for_each(Watcher::pause);
                self.hold(injection.moment);
                self.watchers.iter().for_each(Watcher::resume);
            }
            Fault::LossOfQuorum => self.lose_quorum(injection),
            Fault::LeaderChange => self.change_leader(injection),
            Fault::Spread => self.spread(injection),
        }
    }

    /// Refuses connections to these members while `during` runs.
    pub fn refuse(&self, is_refused: impl Fn(usize) -> bool, during: impl FnOnce()) {
        let refused = || self.proxies().filter(|(member, _)| is_refused(*member));
        refused().for_each(|(_, proxy)| proxy.refuse(true));
        refused().for_each(|(_, proxy)| proxy.cut_all(Cut::Reset));
        during();
        refused().for_each(|(_, proxy)| proxy.refuse(false));
    }

    /// Stops two of three members, for longer than the third takes to notice.
    fn lose_quorum(&self, injection: &Injection) {
        let nodes = &self.testbed.cluster.nodes;
        let away = [
            &nodes[injection.node],
            &nodes[(injection.node + 1) % nodes.len()],
        ];
        let is_killed = injection.way == 0;
        for node in away {
            if is_killed {
                node.kill();
            } else {
                node.pause();
            }
        }
        self.hold(300 + injection.moment);
        for node in away {
            if is_killed {
                node.restart();
            } else {
                node.resume();
            }
        }
    }

    fn change_leader(&self, injection: &Injection) {
        let cluster = &self.testbed.cluster;
        let size = cluster.nodes.len();
        let leader = cluster.leader();
        let node = &cluster.nodes[leader];
        // Long enough for the other members to elect a leader.
        let term = 700 + injection.moment;
        match injection.way {
            0 => {
                cluster.hand_over(leader, (leader + 1 + injection.node % (size - 1)) % size);
                self.hold(injection.moment);
            }
            1 => {
                node.pause();
                self.hold(term);
                node.resume();
            }
            _ => {
                node.kill();
                self.hold(term);
                node.restart();
            }
        }
    }

    /// Puts members that differ in what they know behind one address, in turn.
    fn spread(&self, injection: &Injection) {
        let urls = self.testbed.urls();
        let lagging = &self.testbed.cluster.nodes[injection.node];
        for (_, proxy) in self.proxies() {
            proxy.spread_over(&urls);
            proxy.cut_all(injection.cut);
        }
        self.hold(injection.rest);
        lagging.pause();
        self.hold(injection.moment);
        lagging.resume();
        // The lagging member serves requests while it catches up.
        self.hold(injection.rest);
        for (member, proxy) in self.proxies() {
            proxy.lead_to(&urls[member]);
        }
    }

    /// Waits until a consumer of the tool's records has the servers' state, and counts. There is
    /// one log for each store that was there, and the last store is the present one.
    pub fn judge(self, mut logs: Vec<Log>, faults: usize, happened: &str) -> Outcome {
        let end = self.converge();
        let last = logs.pop().unwrap_or_default();
        logs.push(last.and(end.log));
        let mut printed: Vec<(Kind, Vec<Value>)> = Vec::new();
        let mut said = String::new();
        for watcher in self.watchers {
            let kind = watcher.kind;
            let (records, stderr) = watcher.finish(&end.mark);
            if kind == Kind::Tool {
                said = stderr;
            }
            printed.push((kind, records));
        }
        let stores = logs.len();
        let logs = logs.into_iter().enumerate();
        let histories: Vec<History> = logs
            .map(|(store, log)| {
                let events = printed
                    .iter()
                    .flat_map(|(_, records)| oracle::events(records));
                let is_there = store + 1 == stores;
                log.settle(if is_there { &end.nodes } else { &[] }, events)
            })
            .collect();
        let records = &printed[0].1;
        let counts = Counts::of(&histories, records, faults);
        let difference = counts::compare(&histories, records)
            .err()
            .or_else(|| find_step_back(records))
            .or(end.differs)
            .or_else(|| (!counts.is_clean()).then(|| format!("{counts:?}")));
        Outcome {
            counts: printed
                .iter()
                .map(|(kind, records)| (*kind, Counts::of(&histories, records, faults)))
                .collect(),
            difference,
            evidence: [join(records), said, format!("{happened}\n{histories:#?}")],
        }
    }

    /// Writes once more, and waits until a consumer of the tool's records has the servers' state.
    fn converge(&self) -> Convergence {
        self.proxies().for_each(|(_, proxy)| proxy.resume());
        let (url, api) = (&self.testbed.urls()[0], self.testbed.api);
        let mut log = Log::default();
        let key = format!("{}/mark", self.top);
        let mut attempt = 0usize;
        // On a busy machine three members may keep electing leaders for a while, which is not under
        // test here. Like the writers, this moves on to another member if one does not answer.
        let members = self.testbed.urls();
        let mark = wait::until_some(ELECTION, "a last write", || {
            attempt += 1;
            let value = format!("mark {attempt}");
            let member = &members[attempt % members.len()];
            let patience = Duration::from_secs(attempt.min(10) as u64);
            let mut writer = Writer::try_connect(member, patience).ok()?;
            let reply = api.write(&mut writer, &[(&key, Some(&value))]);
            let is_done = log.note_all(api, vec![Attempt::set(&key, &value)], reply);
            is_done.then_some(value)
        });
        let running = &self.tool().running;
        let deadline = Instant::now() + LIMIT;
        let quoted = format!("\"{mark}\"");
        loop {
            let lines = running.lines();
            let is_printed = lines.iter().rev().any(|line| line.contains(&quoted));
            let is_late = Instant::now() > deadline;
            if is_printed || is_late || running.has_ended() {
                // A write without an answer may happen as late as this.
                let nodes = api.nodes(url, self.top);
                let server = api::state_of(&nodes);
                let printed = api.state_after(self.top, &running.json());
                let differs = (printed != server).then(|| name_difference(&server, &printed));
                if differs.is_none() || is_late || running.has_ended() {
                    return Convergence {
                        log,
                        mark,
                        nodes,
                        differs,
                    };
                }
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

fn join(records: &[Value]) -> String {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    lines.join("\n")
}

/// The state at the end of a run.
struct Convergence {
    /// The last write.
    log: Log,
    /// The value of the last write.
    mark: String,
    /// What the servers have in scope.
    nodes: Vec<Value>,
    /// How the consumer's state still differs after the time limit.
    differs: Option<String>,
}

fn name_difference(server: &State, printed: &State) -> String {
    let differs: Vec<_> = server
        .iter()
        .filter(|(key, value)| printed.get(*key) != Some(*value))
        .chain(printed.iter().filter(|(key, _)| !server.contains_key(*key)))
        .take(5)
        .collect();
    format!("the states differ for ever, such as in {differs:?}")
}

/// The first index that is lower than the one before, except after a gap without an end.
fn find_step_back(records: &[Value]) -> Option<String> {
    let mut last = 0;
    records.iter().find_map(|record| {
        let position = follow::index(record);
        let is_replacing_store = record["action"] == "gap" && record["lost"]["to"].is_null();
        let is_back = position < last && !is_replacing_store;
        let printed = is_back.then(|| format!("from {last} back to {record}"));
        last = position;
        printed
    })
}
