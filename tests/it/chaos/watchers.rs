//! Who watches: the tool, and beside it what one would take without it.
//!
//! In scope: starting each so that it is certainly registered, through networks of its own that
//! fail alike, and reading its output as records. Out of scope: judging them (`counts`). A rival
//! that ends or falls silent is not started again: whoever uses one would have to notice first.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Api};
use crate::support::follow;
use crate::support::proxy::Proxy;
use crate::support::tool::{Program, Running, Signal};
use crate::support::v3;
use crate::support::wait;

/// How long a rival may be silent at the end before it is taken for mute.
const SILENCE: Duration = Duration::from_millis(700);

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The tool.
    Tool,
    /// `curl -sN …?wait=true&recursive=true&stream=true`, at the first address.
    Curl,
    /// `etcdctl watch --recursive --forever`, of the v2 API; `etcdctl watch --prefix`, of v3.
    Etcdctl,
}

impl Kind {
    /// All who would be asked instead of the tool.
    pub const BASELINES: [Self; 2] = [Self::Curl, Self::Etcdctl];

    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tool => "etcdwatch",
            Self::Curl => "curl",
            Self::Etcdctl => "etcdctl",
        }
    }
}

/// One who watches, and the network before each server for it alone.
pub struct Watcher {
    /// Who.
    pub kind: Kind,
    /// Its process.
    pub running: Running,
    /// In the order of the members.
    pub proxies: Vec<Proxy>,
}

impl Watcher {
    /// Watches all below `top`, and is registered on return. The addresses of `members` are
    /// given to it, in that order.
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
                    // Else it would ask the members for their own addresses, past the network.
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
        // A head comes once a wait is registered (fact 1).
        wait::until(wait::LONG, "a wait to be registered", || {
            proxies.iter().any(|proxy| proxy.bytes_down() > 0)
        });
        Self {
            kind,
            running,
            proxies,
        }
    }

    /// SIGSTOP, where it has not ended.
    pub fn pause(&self) {
        self.running.try_signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.running.try_signal(Signal::CONT);
    }

    /// Ends it, and reads what it told. A rival first gets the time to tell what it knows, up
    /// to the value `mark`.
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
            // What stands between the events, etcd's errors and a last line that was cut are
            // no records.
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

/// The events of a line of etcd's own, as the tool would give them.
fn read_events(line: &str) -> Vec<Value> {
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    // The gateway's, and that of etcdctl.
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
    // The gateway has a name for it, and etcdctl a number.
    let is_delete = event["type"] == "DELETE" || event["type"] == 1;
    if is_delete && let Some(node) = node.as_object_mut() {
        node.remove("value");
    }
    json!({"action": if is_delete { "delete" } else { "set" }, "node": node})
}

/// An event of etcd's own, as the tool would give it.
fn read_event(line: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(line).ok()?;
    let action = event["action"].as_str()?;
    let ends = matches!(action, "delete" | "expire" | "compareAndDelete");
    let node = event["node"].as_object_mut()?;
    // etcdctl gives what is gone an empty value, and a directory.
    if ends || node.get("dir").is_some_and(|dir| *dir == true) {
        node.remove("value");
    }
    Some(event)
}
