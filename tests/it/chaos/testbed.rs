//! Servers on which things go wrong, and the course of a run.
//!
//! In scope: how a fault is brought about and mended, and the end of a run: that the tool's
//! consumer comes to know what the servers have. Out of scope: which faults, and when
//! (`faults`), and the courses that are more than faults and writes (`behind`, `store_replaced`).

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

/// Longer than it takes to come to know everything.
const LIMIT: Duration = Duration::from_secs(30);

/// Longer than members on a busy machine go on to elect leaders.
const ELECTION: Duration = Duration::from_mins(3);

/// What a run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// These faults, one after the other, while others write. None: what is lost for want of
    /// speed alone.
    Faults(Vec<Fault>),
    /// A member catches up by a snapshot.
    FollowerBehind(FollowerBehind),
    /// The store is made anew.
    StoreReplaced,
}

impl Scenario {
    /// As the table has it.
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
    /// For how long faults follow each other; there is one at least.
    pub span: Duration,
    /// Whether some of them last long.
    pub has_time: bool,
    /// Whether others watch too. Then less is written: what they lose is not to be for want of
    /// speed.
    pub baselines: bool,
}

/// What came of a run.
pub struct Outcome {
    /// Of each who watched.
    pub counts: Vec<(Kind, Counts)>,
    /// What is wrong with what the tool told.
    pub difference: Option<String>,
    /// What it told, what it said about that, and what was so: for whoever looks into it.
    pub evidence: [String; 3],
}

/// Servers.
pub struct Testbed {
    /// One or three.
    pub cluster: Cluster,
    /// By which API is written and watched.
    pub api: Api,
    runs: usize,
}

impl Testbed {
    /// As they mostly are, with v2.
    pub fn new(version: Version, size: usize) -> Self {
        Self::of(Etcd::builder(version).cluster(size), Api::V2)
    }

    /// With v3. Where a watch `has_progress`, the servers say often that nothing happened.
    pub fn with_v3(version: Version, size: usize, has_progress: bool) -> Self {
        let interval = if has_progress { "100ms" } else { "10m" };
        let progress = format!("--experimental-watch-progress-notify-interval={interval}");
        let builder = Etcd::builder(version).arg(progress);
        Self::of(builder.cluster(size), Api::V3)
    }

    /// Three of which one that was away for a while gets a snapshot.
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

    /// Where the members' clients connect.
    pub fn urls(&self) -> Vec<String> {
        self.cluster.nodes.iter().map(Etcd::url).collect()
    }

    /// Runs `scenario`, all of whose choices are drawn from `seed`.
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

    /// Has history compacted every few hundred milliseconds, often to the very present: also what
    /// nobody was told yet.
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
        // One address before several servers is what that fault is about.
        let addresses = if *faults == [Fault::Spread] { 1 } else { size };
        let members: Vec<usize> = (0..addresses).collect();
        let run = Run::start(self, top, &members, effort, random);
        let mut dice = random.fork();
        let mut compactions = random.fork();
        // Where nothing is compacted, nothing may be lost.
        let is_compacted = self.api == Api::V3 && random.bool();
        let task = Task {
            api: self.api,
            urls: self.urls(),
            top,
            mark: "",
            is_gentle: effort.baselines,
        };
        let mut scenario = || {
            // Not before something is going on that can go wrong.
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
        // An outage has something compacted in any case.
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

/// Watchers before servers.
pub struct Run<'a> {
    /// The servers.
    pub testbed: &'a Testbed,
    /// What is watched.
    pub top: &'a str,
    /// The tool first.
    pub watchers: Vec<Watcher>,
}

impl<'a> Run<'a> {
    /// Starts who watches. The addresses of these members are given to each, in that order.
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

    /// The tool.
    pub fn tool(&self) -> &Watcher {
        &self.watchers[0]
    }

    /// The networks of all watchers, each with the number of the member behind it.
    pub fn proxies(&self) -> impl Iterator<Item = (usize, &Proxy)> {
        let watchers = self.watchers.iter();
        watchers.flat_map(|watcher| watcher.proxies.iter().enumerate())
    }

    /// Lets something last for so many milliseconds, through which the tool must not end.
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

    /// Makes something go wrong for a while, and mends it.
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
            // Less than what is written makes.
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

    /// Refuses the networks before those members while something happens.
    pub fn refuse(&self, is_refused: impl Fn(usize) -> bool, during: impl FnOnce()) {
        let refused = || self.proxies().filter(|(member, _)| is_refused(*member));
        refused().for_each(|(_, proxy)| proxy.refuse(true));
        refused().for_each(|(_, proxy)| proxy.cut_all(Cut::Reset));
        during();
        refused().for_each(|(_, proxy)| proxy.refuse(false));
    }

    /// Two of three are away, for longer than it takes to notice.
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
        // Long enough for the others to elect one.
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

    /// Members that differ in what they know answer behind one address, in turn.
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
        // It catches up now, and is asked meanwhile.
        self.hold(injection.rest);
        for (member, proxy) in self.proxies() {
            proxy.lead_to(&urls[member]);
        }
    }

    /// Waits until the tool's consumer knows what the servers have, and counts. `logs` are of
    /// one store after the other; the last one is what is there now.
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

    /// Writes once more, and waits until the consumer of the tool's records knows what the
    /// servers have.
    fn converge(&self) -> Convergence {
        self.proxies().for_each(|(_, proxy)| proxy.resume());
        let (url, api) = (&self.testbed.urls()[0], self.testbed.api);
        let mut log = Log::default();
        let key = format!("{}/mark", self.top);
        let mut attempt = 0usize;
        // On a busy machine three members may elect leaders for a while. That is not what is judged
        // here: as the writers do, this one goes to another member where one does not answer.
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
                // What nobody answered may be done this late.
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

/// The end of a run.
struct Convergence {
    /// The last write.
    log: Log,
    /// Its value.
    mark: String,
    /// What the servers have in scope.
    nodes: Vec<Value>,
    /// How the consumer's state differs from that, for ever.
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

/// The first position that goes back, other than where a gap says that they begin anew.
fn find_step_back(records: &[Value]) -> Option<String> {
    let mut last = 0;
    records.iter().find_map(|record| {
        let position = follow::index(record);
        let begins_anew = record["action"] == "gap" && record["lost"]["to"].is_null();
        let is_back = position < last && !begins_anew;
        let printed = is_back.then(|| format!("from {last} back to {record}"));
        last = position;
        printed
    })
}
