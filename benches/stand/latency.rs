//! The time from just before a set is sent to its printed line, for etcdwatch and `curl -sN` on the
//! same events, on loopback and over a connection with a round trip of 20 ms.
//!
//! The writer is always next to the server.

use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{self, Client};
use crate::support::proxy::Proxy;
use crate::support::v2::{self, Writer};
use crate::{Outcome, ms, percentile};

const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The pause after which everything that was written is printed on either connection.
const REST: Duration = Duration::from_millis(200);

/// How sets are written.
struct Manner {
    name: &'static str,
    /// The number of rounds. In each, others write `before` times, and after a pause come `sets`
    /// sets as fast as they are acknowledged, with `between` other writes before each.
    times: usize,
    before: usize,
    pause: Duration,
    sets: usize,
    between: usize,
}

/// Prints a line for each connection and manner: both names, p50 and p99 of the tool and of `curl`,
/// and the median round trip of a read.
pub fn latency(tool: &str, url: &str, times: usize) -> Outcome<()> {
    let burst = Manner {
        name: "back-to-back",
        times: times.div_ceil(3),
        before: 0,
        pause: Duration::ZERO,
        // A server drops a stream that is 100 events behind.
        sets: 50,
        between: 0,
    };
    let manners = [
        Manner {
            name: "isolated",
            times,
            before: 3,
            pause: REST,
            sets: 1,
            between: 0,
        },
        Manner {
            name: "interleaved",
            between: 1,
            ..burst
        },
        burst,
    ];
    let proxy = Proxy::to(url);
    proxy.delay(ROUND_TRIP);
    for (link, seen) in [("loopback", url), ("20ms", &proxy.url())] {
        let pair = [Client::tool(tool, seen)?, Client::curl(seen)?];
        clients::register(&[&pair[0], &pair[1]], url)?;
        let trip = round_trip(seen);
        for manner in &manners {
            let [mut tool, mut curl] = measure(manner, &pair, url)?;
            println!(
                "{link} {} {:.3} {:.3} {:.3} {:.3} {:.3}",
                manner.name,
                ms(percentile(&mut tool, 50)),
                ms(percentile(&mut tool, 99)),
                ms(percentile(&mut curl, 50)),
                ms(percentile(&mut curl, 99)),
                ms(trip)
            );
        }
    }
    Ok(())
}

/// What each of the pair took for each set.
fn measure(manner: &Manner, pair: &[Client; 2], url: &str) -> Outcome<[Vec<Duration>; 2]> {
    let mut took = [Vec::new(), Vec::new()];
    let mut writer = Writer::connect(url);
    for _ in 0..manner.times {
        elsewhere(&mut writer, manner.before);
        thread::sleep(manner.pause);
        let mut sent = Vec::new();
        for number in 0..manner.sets {
            elsewhere(&mut writer, manner.between);
            sent.push(Instant::now());
            writer.put("/app/key", &number.to_string());
        }
        for (client, took) in pair.iter().zip(&mut took) {
            for (number, sent) in sent.iter().enumerate() {
                let line = client.line_of(&number.to_string())?;
                took.push(line.at.duration_since(*sent));
            }
        }
        thread::sleep(REST);
    }
    Ok(took)
}

fn elsewhere(writer: &mut Writer, count: usize) {
    for number in 0..count {
        writer.put("/other", &number.to_string());
    }
}

/// The median of a read's, on a connection that is kept.
fn round_trip(url: &str) -> Duration {
    let mut reader = Writer::connect(url);
    let mut trips: Vec<Duration> = (0..50)
        .map(|_| {
            let from = Instant::now();
            reader.request("GET", &v2::key_path("/app/begin"), &[]);
            from.elapsed()
        })
        .collect();
    percentile(&mut trips, 50)
}
