//! A full history of 1,000 events over a connection with a round trip of 20 ms: etcdwatch, and one
//! event per round trip.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::proxy::Proxy;
use crate::support::v2;
use crate::{Outcome, ms, percentile};

const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What etcd keeps.
const HISTORY: u16 = 1_000;

/// The number of events that `curl` reads one by one. Its time is scaled up to the whole history.
const ASKED: u16 = 100;

/// Prints the median times of the tool and of `curl` for as many events, and the most connections
/// that the tool opened in a run.
pub fn replay(tool: &str, url: &str, times: usize) -> Outcome<()> {
    let history = v2::burst(url, HISTORY.into(), |number| {
        (format!("/app/key{}", number % 100), number.to_string())
    });
    let first = history.first().ok_or("nothing was written")?.index;
    let proxy = Proxy::to(url);
    proxy.delay(ROUND_TRIP);
    let url = proxy.url();
    let replay = ["replay", "-r", "/app", "--from-index", "oldest"];
    // One wait after the other on one connection.
    let until = first + u64::from(ASKED) - 1;
    let waits = format!("{url}/v2/keys/app?wait=true&recursive=true&waitIndex=[{first}-{until}]");
    let mut ours = Vec::new();
    let mut one_by_one = Vec::new();
    let mut most = 0;
    for _ in 0..times {
        let before = proxy.connections();
        let tool = timed(Command::new(tool).args(["--endpoints", &url]).args(replay));
        ours.push(counted(tool, HISTORY)?);
        most = most.max(proxy.connections() - before);
        let curl = timed(Command::new("curl").args(["-s", &waits]));
        one_by_one.push(counted(curl, ASKED)?);
    }
    println!(
        "{:.1} {:.1} {most}",
        ms(percentile(&mut ours, 50)),
        ms(percentile(&mut one_by_one, 50)) * f64::from(HISTORY) / f64::from(ASKED)
    );
    Ok(())
}

fn timed(command: &mut Command) -> std::io::Result<(Duration, Output)> {
    let from = Instant::now();
    let output = command.output()?;
    Ok((from.elapsed(), output))
}

/// The time of a run that printed so many lines.
fn counted(run: std::io::Result<(Duration, Output)>, wanted: u16) -> Outcome<Duration> {
    let (took, output) = run?;
    let lines = memchr::memchr_iter(b'\n', &output.stdout).count();
    if lines == usize::from(wanted) {
        return Ok(took);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{lines} instead of {wanted} events: {said}").into())
}
