//! The run in which a member catches up by a snapshot, and so skips events while its clients
//! stay connected (facts 5 and 16).
//!
//! In scope: how far behind, by what, and what its history held before. Out of scope: what
//! follows from it; the end of every run tells (`testbed`).

use std::thread;

use fastrand::Rng;

use super::api::Api;
use super::testbed::{Effort, Outcome, Run, Testbed};
use super::watchers::Watcher;
use super::writers::{Attempt, Log};
use crate::support::v2::{self, Writer};
use crate::support::wait;

/// How many raft entries the member misses: more than the leader keeps for it (about 5,000).
const MISSED: usize = 7_000;

/// How many refreshes fill its history before, where there are any.
const REFRESHES: usize = 1_100;

/// So many messages, with an entry each where one writes after the other, go to a member that
/// is stopped before the leader waits for its answers. It has them as soon as it goes on.
const ON_THE_WAY: usize = 600;

/// How many write at a time.
const CLIENTS: usize = 32;

/// What is special about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowerBehind {
    /// TTLs were refreshed before: the fields of those events shine through (fact 16).
    pub refreshes: bool,
    /// Most entries are reads with quorum: the index hardly moves.
    pub reads: bool,
    /// The watchers are stopped meanwhile, and do not see the member's silence.
    pub pause_tool: bool,
}

/// What is done with one raft entry.
enum Entry {
    /// Something that is watched is set.
    Set,
    /// Something else is set.
    Elsewhere,
    /// A TTL is refreshed.
    Refresh,
    /// Something is read with quorum.
    Read,
}

impl FollowerBehind {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        let is = |number: u8, place: u8| number >> place & 1 == 1;
        let one = |number| Self {
            refreshes: is(number, 0),
            reads: is(number, 1),
            pause_tool: is(number, 2),
        };
        (0..8).map(one).collect()
    }

    /// As the table has it.
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

    /// Lets a follower that is watched fall behind and come back.
    pub fn run(self, testbed: &Testbed, effort: Effort, top: &str, random: &mut Rng) -> Outcome {
        let cluster = &testbed.cluster;
        let size = cluster.nodes.len();
        let leader = cluster.leader();
        let behind = (leader + 1 + random.usize(..size - 1)) % size;
        let follower = &cluster.nodes[behind];
        let url = cluster.nodes[leader].url();
        let others = (0..size).filter(|member| *member != behind);
        let is_alone = random.bool();
        // It is asked first; at times there is nobody else to ask.
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
        // Some is written while it catches up, and some afterwards.
        log = log.and(trickle(&url, top, "return", 30, &run));
        // By v2 whatever is written: it has an index where it was applied.
        let index = v2::index(&url);
        wait::until(wait::LONG, "the member to catch up", || {
            let path = "/v2/keys/";
            let reply = v2::try_request("GET", &follower.url(), path, &[], wait::LONG);
            reply.is_ok_and(|reply| reply.status == 200 && reply.etcd_index() >= index)
        });
        // Else this has tested nothing. A leader that has sent one keeps what is written for
        // half a minute, so that another run needs other servers.
        wait::until(wait::LONG, "the word that it took a snapshot", || {
            has_taken_snapshot(&follower.log_text())
        });
        log = log.and(trickle(&url, top, "after", 20, &run));
        let happened = format!("{self:?}, member {behind} of {members:?} behind {leader}");
        run.judge(vec![log], 1, &happened)
    }
}

/// Makes `count` raft entries as fast as the server takes them, so many at a time; what of it
/// is watched.
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
            .map(|client| client.join().expect("a lane"));
        logs.fold(Log::default(), Log::and)
    })
}

/// Sets and deletes as people do, one after the other.
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

/// Whether it has taken a snapshot of another member, as its log tells: 3.4 in words, 3.5 in
/// JSON.
fn has_taken_snapshot(log: &str) -> bool {
    let printed = ["finished applying incoming snapshot", "applied snapshot"];
    printed.iter().any(|printed| log.contains(printed))
}
