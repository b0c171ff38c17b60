//! The time that etcdwatch takes for events written while its connections were cut.

use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{self, Client};
use crate::support::proxy::{Cut, Proxy};
use crate::support::v2;
use crate::{Outcome, ms, percentile};

/// Longer than the backlog takes to be written, so that every run has tried to reconnect equally
/// often.
const OUTAGE: Duration = Duration::from_secs(1);

/// Prints a line for each backlog: its length, and the median times to the last event's line, from
/// the network's return and from the first event's line.
pub fn catch_up(tool: &str, url: &str, times: usize) -> Outcome<()> {
    let proxy = Proxy::to(url);
    let tool = Client::tool(tool, &proxy.url())?;
    clients::register(&[&tool], url)?;
    for backlog in [10, 100, 500, 1_000] {
        let mut whole = Vec::new();
        let mut reading = Vec::new();
        for _ in 0..times {
            let cut = Instant::now();
            proxy.refuse(true);
            proxy.cut_all(Cut::Reset);
            let written = v2::burst(url, backlog, |number| {
                (format!("/app/key{}", number % 100), number.to_string())
            });
            thread::sleep(OUTAGE.saturating_sub(cut.elapsed()));
            let from = Instant::now();
            proxy.refuse(false);
            let lines = written
                .iter()
                .map(|truth| tool.line_of(truth.value.as_deref().unwrap_or_default()))
                .collect::<Outcome<Vec<_>>>()?;
            let (first, last) = lines.first().zip(lines.last()).ok_or("no backlog")?;
            whole.push(last.at.duration_since(from));
            reading.push(last.at.duration_since(first.at));
        }
        println!(
            "{backlog} {:.1} {:.1}",
            ms(percentile(&mut whole, 50)),
            ms(percentile(&mut reading, 50))
        );
    }
    Ok(())
}
