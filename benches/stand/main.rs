//! Measurements for `benches/compare.sh` that a shell is too coarse for.
//!
//! | command | what it is for |
//! |---|---|
//! | `stand serve EVENTS` | [`source`]: a server that sends so many events at once; prints its URL |
//! | `stand until COUNT NEEDLE COMMAND…` | [`until`]: runs an endless command until it has written enough |
//! | `stand latency TOOL URL TIMES` | [`latency`]: from a set to the printed line |
//! | `stand replay TOOL URL TIMES` | [`replay`]: a full history over a slow connection |
//! | `stand scale TOOL URL KEYS EVENTS` | [`scale`]: CPU time per event, by the number of keys |
//! | `stand catch-up TOOL URL TIMES` | [`catch_up`]: after a disconnect, by the number of events |
//!
//! `TOOL` is a release build of etcdwatch, and `URL` an etcd with the v2 API and no other writers.
//! Each prints plain numbers for the script's table. Times are in milliseconds unless another unit
//! is named. A measurement fails if it misses its events.

mod catch_up;
mod clients;
mod cost;
mod latency;
mod replay;
mod scale;
mod source;
mod support;
mod until;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

/// A result whose error is printed for the reader of the script's output.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand {}: {error}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Outcome<()> {
    match arguments {
        ["serve", events] => {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            println!("http://{}", listener.local_addr()?);
            source::serve(&listener, events.parse()?);
            Ok(())
        }
        ["until", count, needle, command @ ..] => until::until(count.parse()?, needle, command),
        ["latency", tool, url, times] => latency::latency(tool, url, times.parse()?),
        ["replay", tool, url, times] => replay::replay(tool, url, times.parse()?),
        ["scale", tool, url, keys, events] => {
            scale::scale(tool, url, keys.parse()?, events.parse()?)
        }
        ["catch-up", tool, url, times] => catch_up::catch_up(tool, url, times.parse()?),
        _ => Err("no such measurement; see benches/stand/main.rs".into()),
    }
}

/// The smallest value that is not exceeded by this percentage of the values.
fn percentile(values: &mut [Duration], per_cent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * per_cent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// Milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
