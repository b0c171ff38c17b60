//! The programs that watch: the tool, and the baselines that a user would take without it.
//!
//! In scope: starting each so that it is certainly registered, each through proxies of its own that
//! fail in the same way, and reading its output as records. Out of scope: counting what is wrong
//! (`counts`). A baseline that ends or falls silent is not restarted, because its user would have
//! to notice first.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Api};
use crate::support::follow;
use crate::support::proxy::Proxy;
use crate::support::tool::{Program, Running, Signal};
use crate::support::v3;
use crate::support::wait;

/// How long a baseline may be silent at the end of a run before it counts as stalled.
const SILENCE: Duration = Duration::from_millis(700);

/// A program that watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// etcdwatch.
    Tool,
    /// `curl -sN …?wait=true&recursive=true&stream=true`, or `/v3/watch`, at the first address.
    Curl,
    /// `etcdctl watch --recursive --forever` with the v2 API, or `etcdctl watch --prefix` over v3.
    Etcdctl,
}

impl Kind {
    /// The programs that a user would take instead of the tool.
    pub const BASELINES: [Self; 2] = [Self::Curl, Self::Etcdctl];

    /// The name in the tables of docs/fault-testing.md.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tool => "etcdwatch",
            Self::Curl => "curl",
            Self::Etcdctl => "etcdctl",
        }
    }
}

/// A running program, and its own proxy before each server.
pub struct Watcher {
    /// Which program it is.
    pub kind: Kind,
    /// Its process.
    pub running: Running,
    /// In the order of the members.
    pub proxies: Vec<Proxy>,
}

impl Watcher {
    /// Starts a watch on everything below `top`, and returns once it is registered. The program
    /// gets the addresses of `members`, in that order.
    pub fn start(
        kind: Kind,
        api: Api,
        urls: &[String],
        members: &[usize],
        top: &str,
        options: &[&str],
    ) -> Self {
        let proxies: Vec<Proxy> = urls.iter().map(|url| Proxy::to(url)).collect();
        let addresses: Vec<String> = members.iter().map(|at| proxies[*at].url()).collect();
        let endpoints = addresses.join(",");
        let running = match kind {
            Kind::Tool => {
                let options = [&api.options(), &["-r", top][..], options].concat();
                follow::live(&endpoints, &options)
            }
            Kind::Curl if api == Api::V3 => {
                let (from, to) = (format!("{top}/"), format!("{top}0"));
                let body = json!({"create_request": {
                    "key": v3::encode(from), "range_end": v3::encode(to),
                }});
                let url = format!("{}/v3/watch", addresses[0]);
                Program::new("curl", &["-sN", "-d", &body.to_string(), &url]).start()
            }
            Kind::Etcdctl if api == Api::V3 => {
                let prefix = format!("{top}/");
                let options = ["--endpoints", &endpoints, "-w", "json"];
                let watch = ["watch", "--prefix", &prefix];
                Program::new("etcdctl", &[&options[..], &watch].concat())
                    .env("ETCDCTL_API", "3")
                    .start()
            }
            Kind::Curl => {
                let query = "wait=true&recursive=true&stream=true";
                let url = format!("{}/v2/keys{top}?{query}", addresses[0]);
                Program::new("curl", &["-sN", &url]).start()
            }
            Kind::Etcdctl => Program::new(
                "etcdctl",
                &[
                    // Otherwise it would use the members' own addresses and bypass the proxies.
                    "--no-sync",
                    "--endpoints",
                    &endpoints,
                    "-o",
                    "json",
                    "watch",
                    "--recursive",
                    "--forever",
                    top,
                ],
            )
            .env("ETCDCTL_API", "2")
            .start(),
        };
        // etcd sends the head once a wait is registered (fact 1).
        wait::until(wait::LONG, "a wait to be registered", || {
            proxies.iter().any(|proxy| proxy.bytes_down() > 0)
        });
        Self {
            kind,
            running,
            proxies,
        }
    }

    /// Sends SIGSTOP, unless it has ended.
    pub fn pause(&self) {
        self.running.try_signal(Signal::STOP);
    }

    /// Sends SIGCONT, unless it has ended.
    pub fn resume(&self) {
        self.running.try_signal(Signal::CONT);
    }

    /// Ends the program, and returns its records and its stderr. A baseline first gets time to
    /// print everything up to the value `mark`.
    pub fn finish(self, mark: &str) -> (Vec<Value>, String) {
        if self.kind != Kind::Tool {
            self.wait_for_silence(mark);
        }
        self.running.try_signal(Signal::TERM);
        let output = self.running.wait(wait::LONG);
        let lines = output.stdout.lines();
        let records = match self.kind {
            Kind::Tool => {
                let records = lines.map(|line| serde_json::from_str(line).expect("a record"));
                follow::without_status(records.collect())
            }
            // Separators between events, errors of etcd and a truncated last line are not records.
            Kind::Curl | Kind::Etcdctl => lines.flat_map(read_events).collect(),
        };
        (records, output.stderr)
    }

    fn wait_for_silence(&self, mark: &str) {
        let mut seen = 0;
        let mut since = Instant::now();
        wait::until(wait::LONG, "a rival to be silent", || {
            let lines = self.running.lines();
            if lines.len() != seen {
                seen = lines.len();
                since = Instant::now();
            }
            lines.iter().rev().take(5).any(|line| line.contains(mark))
                || self.running.has_ended()
                || since.elapsed() > SILENCE
        });
    }
}

/// The events of a line of etcd's own, in the form of the tool's records.
fn read_events(line: &str) -> Vec<Value> {
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    // The gateway's field, and etcdctl's.
    let lists = [&message["result"]["events"], &message["Events"]];
    let of_v3 = lists.into_iter().filter_map(Value::as_array).flatten();
    let of_v3: Vec<Value> = of_v3.map(read_event_of_v3).collect();
    if of_v3.is_empty() {
        return read_event(line).into_iter().collect();
    }
    of_v3
}

fn read_event_of_v3(event: &Value) -> Value {
    let mut node = api::node(&event["kv"]);
    // The gateway names the type, and etcdctl numbers it.
    let is_delete = event["type"] == "DELETE" || event["type"] == 1;
    if is_delete && let Some(node) = node.as_object_mut() {
        node.remove("value");
    }
    json!({"action": if is_delete { "delete" } else { "set" }, "node": node})
}

/// An event of the v2 API, in the form of the tool's records.
fn read_event(line: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(line).ok()?;
    let action = event["action"].as_str()?;
    let ends = matches!(action, "delete" | "expire" | "compareAndDelete");
    let node = event["node"].as_object_mut()?;
    // etcdctl prints an empty value for deleted keys and directories.
    if ends || node.get("dir").is_some_and(|dir| *dir == true) {
        node.remove("value");
    }
    Some(event)
}
