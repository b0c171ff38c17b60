//! The scenario in which a follower catches up from a snapshot. It skips events while its clients
//! stay connected (facts 5 and 16).
//!
//! In scope: how far the follower is behind, because of which raft entries, and what its history
//! held before. Out of scope: the consequences, which are checked at the end of every run
//! (`testbed`).

use std::thread;

use fastrand::Rng;

use super::api::Api;
use super::testbed::{Effort, Outcome, Run, Testbed};
use super::watchers::Watcher;
use super::writers::{Attempt, Log};
use crate::support::v2::{self, Writer};
use crate::support::wait;

/// The number of raft entries that the follower misses: more than the about 5,000 that the leader
/// keeps.
const MISSED: usize = 7_000;

/// The number of TTL refreshes that fill its history before.
const REFRESHES: usize = 1_100;

/// The leader sends this many messages to a paused follower, each with one entry if the entries are
/// written one by one, before it waits for answers. The follower has them as soon as it is resumed.
const ON_THE_WAY: usize = 600;

/// The number of concurrent writers.
const CLIENTS: usize = 32;

/// The variants of the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowerBehind {
    /// Whether TTLs were refreshed before. The fields of those events show through (fact 16).
    pub refreshes: bool,
    /// Whether most of the missed entries are quorum reads, which hardly move the index.
    pub reads: bool,
    /// Whether the watchers are paused meanwhile, so that they do not see the member's silence.
    pub pause_tool: bool,
}

/// What one raft entry does.
enum Entry {
    /// Sets a key in scope.
    Set,
    /// Sets a key out of scope.
    Elsewhere,
    /// Refreshes a TTL.
    Refresh,
    /// Reads with quorum.
    Read,
}

impl FollowerBehind {
    /// Every variant.
    pub fn all() -> Vec<Self> {
        let is = |number: u8, place: u8| number >> place & 1 == 1;
        let one = |number| Self {
            refreshes: is(number, 0),
            reads: is(number, 1),
            pause_tool: is(number, 2),
        };
        (0..8).map(one).collect()
    }

    /// The name in the tables of docs/fault-testing.md.
    pub fn name(self) -> String {
        let parts = [
            (self.refreshes, ", refreshes"),
            (self.reads, ", reads"),
            (self.pause_tool, ", tool paused"),
        ];
        let parts = parts.iter().filter(|(is_so, _)| *is_so);
        let parts: String = parts.map(|(_, name)| *name).collect();
        format!("FollowerBehind{parts}")
    }

    /// Makes a watched follower fall behind and catch up.
    pub fn run(self, testbed: &Testbed, effort: Effort, top: &str, random: &mut Rng) -> Outcome {
        let cluster = &testbed.cluster;
        let size = cluster.nodes.len();
        let leader = cluster.leader();
        let behind = (leader + 1 + random.usize(..size - 1)) % size;
        let follower = &cluster.nodes[behind];
        let url = cluster.nodes[leader].url();
        let others = (0..size).filter(|member| *member != behind);
        let is_alone = random.bool();
        // The follower is the first endpoint, and in half of the runs the only one.
        let members: Vec<usize> = [behind]
            .into_iter()
            .chain(others.filter(|_| !is_alone))
            .collect();
        if self.refreshes {
            flood(
                testbed.api,
                &url,
                top,
                "refresh",
                CLIENTS,
                REFRESHES,
                |_| Entry::Refresh,
            );
        }
        let run = Run::start(testbed, top, &members, effort, random);
        let mut log = flood(testbed.api, &url, top, "before", CLIENTS, 100, |_| {
            Entry::Set
        });
        run.tool().running.wait_for_lines(100, wait::LONG);
        follower.pause();
        if self.pause_tool {
            run.watchers.iter().for_each(Watcher::pause);
        }
        let entry = |number| match (number % 20, self.reads) {
            (0, _) | (10, false) => Entry::Set,
            (1, _) | (_, false) => Entry::Elsewhere,
            _ => Entry::Read,
        };
        flood(testbed.api, &url, top, "nothing", 1, ON_THE_WAY, |_| {
            Entry::Read
        });
        log = log.and(flood(
            testbed.api,
            &url,
            top,
            "away",
            CLIENTS,
            MISSED,
            entry,
        ));
        follower.resume();
        if self.pause_tool {
            run.watchers.iter().for_each(Watcher::resume);
        }
        // Some keys are written while it catches up, and some afterwards.
        log = log.and(trickle(&url, top, "return", 30, &run));
        // The v2 index shows what was applied, whichever API is written to.
        let index = v2::index(&url);
        wait::until(wait::LONG, "the member to catch up", || {
            let path = "/v2/keys/";
            let reply = v2::try_request("GET", &follower.url(), path, &[], wait::LONG);
            reply.is_ok_and(|reply| reply.status == 200 && reply.etcd_index() >= index)
        });
        // Without a snapshot the run would test nothing. A leader that has sent a snapshot keeps
        // its log for half a minute, so that another run needs other servers.
        wait::until(wait::LONG, "the word that it took a snapshot", || {
            has_taken_snapshot(&follower.log_text())
        });
        log = log.and(trickle(&url, top, "after", 20, &run));
        let happened = format!("{self:?}, member {behind} of {members:?} behind {leader}");
        run.judge(vec![log], 1, &happened)
    }
}

/// Makes `count` raft entries as fast as the server takes them, with so many writers, and returns
/// the writes in scope.
fn flood(
    api: Api,
    url: &str,
    top: &str,
    name: &str,
    clients: usize,
    count: usize,
    entry: impl Fn(usize) -> Entry + Sync,
) -> Log {
    let entry = &entry;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn(move || {
                    let mut writer = Writer::connect(url);
                    let mut log = Log::default();
                    let ttl = format!("/refreshed/{client}");
                    for number in (client..count).step_by(clients) {
                        match entry(number) {
                            Entry::Set => {
                                let key = format!("{top}/{name}{number}");
                                set(
                                    api,
                                    &mut writer,
                                    &mut log,
                                    &key,
                                    &format!("{name} {number}"),
                                );
                            }
                            Entry::Elsewhere => {
                                writer.put(&format!("/elsewhere/{client}"), &number.to_string());
                            }
                            Entry::Refresh if number == client => {
                                let form = [("value", "v"), ("ttl", "500")];
                                writer.request("PUT", &v2::key_path(&ttl), &form).truth();
                            }
                            Entry::Refresh => {
                                let form =
                                    [("refresh", "true"), ("ttl", "500"), ("prevExist", "true")];
                                writer.request("PUT", &v2::key_path(&ttl), &form).truth();
                            }
                            Entry::Read => {
                                writer.request("GET", "/v2/keys/?quorum=true", &[]);
                            }
                        }
                    }
                    log
                })
            })
            .collect();
        let logs = threads
            .into_iter()
            .map(|client| client.join().expect("a client"));
        logs.fold(Log::default(), Log::and)
    })
}

/// Sets and deletes keys one after the other, with pauses.
fn trickle(url: &str, top: &str, name: &str, count: usize, run: &Run) -> Log {
    let api = run.testbed.api;
    let mut writer = Writer::connect(url);
    let mut log = Log::default();
    for number in 0..count {
        let key = format!("{top}/{name}{number}");
        set(
            api,
            &mut writer,
            &mut log,
            &key,
            &format!("{name} {number}"),
        );
        if number % 3 == 0 {
            let reply = api.write(&mut writer, &[(&key, None)]);
            log.note_all(api, vec![Attempt::delete(&key)], reply);
        }
        run.hold(5);
    }
    log
}

fn set(api: Api, writer: &mut Writer, log: &mut Log, key: &str, value: &str) {
    let reply = api.write(writer, &[(key, Some(value))]);
    log.note_all(api, vec![Attempt::set(key, value)], reply);
}

/// Returns whether the log says that the member applied a snapshot. 3.4 logs plain text, and 3.5
/// logs JSON.
fn has_taken_snapshot(log: &str) -> bool {
    let printed = ["finished applying incoming snapshot", "applied snapshot"];
    printed.iter().any(|printed| log.contains(printed))
}
