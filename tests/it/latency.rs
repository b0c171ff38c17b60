//! How much later than a bare `curl` the tool tells of an event that comes alone: a measurement,
//! which `benches/compare.sh` runs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::etcd::{Etcd, Version};
use crate::support::proxy::Proxy;
use crate::support::{v2, wait};

const ROUND_TRIP: Duration = Duration::from_millis(20);
const EVENTS: usize = 40;

/// A client that prints a line for each event, and when each came.
struct Client {
    child: Child,
    lines: Receiver<Instant>,
}

impl Client {
    fn start(command: &mut Command) -> Self {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for _ in stdout.lines() {
                if sender.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Instant {
        self.lines.recv_timeout(wait::LONG).expect("an event")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "a measurement: benches/compare.sh"]
fn added_latency_of_an_isolated_event() {
    let etcd = Etcd::start(Version::V3_5);
    let proxy = Proxy::to(&etcd.url());
    proxy.delay(ROUND_TRIP);
    let tool = Client::start(Command::new(env!("CARGO_BIN_EXE_etcdwatch")).args([
        "--endpoints",
        &proxy.url(),
        "watch",
        "--stream",
        "-r",
        "/app",
    ]));
    let stream = format!(
        "{}/v2/keys/app?wait=true&recursive=true&stream=true",
        proxy.url()
    );
    let curl = Client::start(Command::new("curl").args(["-sN", &stream]));
    // Both are registered when both have told of one.
    for number in 0.. {
        v2::put(&etcd.url(), "/app/begin", &number.to_string());
        let patience = Duration::from_millis(500);
        if curl.lines.recv_timeout(patience).is_ok() && tool.lines.recv_timeout(patience).is_ok() {
            break;
        }
    }
    while tool.lines.recv_timeout(Duration::from_secs(1)).is_ok() {}
    for (pause, when) in [
        (Duration::from_millis(200), "some time after"),
        (Duration::ZERO, "at once after"),
    ] {
        let mut added: Vec<f64> = (0..EVENTS)
            .map(|number| {
                // What others write lies between the last event and this one.
                v2::elsewhere(&etcd.url(), 3);
                thread::sleep(pause);
                v2::put(&etcd.url(), "/app/k", &number.to_string());
                let (by_curl, by_tool) = (curl.next(), tool.next());
                // Those before it are long told.
                thread::sleep(10 * ROUND_TRIP);
                let later = by_tool.saturating_duration_since(by_curl).as_secs_f64();
                let sooner = by_curl.saturating_duration_since(by_tool).as_secs_f64();
                (later - sooner) / ROUND_TRIP.as_secs_f64()
            })
            .collect();
        added.sort_by(f64::total_cmp);
        println!(
            "an event {when} writes elsewhere, over a link of {ROUND_TRIP:?}, median of {EVENTS}: \
             {:.2} round trips after curl; at most {:.2}",
            added[EVENTS / 2],
            added[EVENTS - 1]
        );
    }
}
