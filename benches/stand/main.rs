//! What `benches/compare.sh` measures with where a shell is too coarse.
//!
//! | command | what it is for |
//! |---|---|
//! | `stand serve EVENTS` | [`source`]: a server that tells of so many events at once; prints its URL |
//! | `stand until COUNT NEEDLE COMMAND…` | [`until`]: a command that never ends, until it has written enough |
//! | `stand latency TOOL URL TIMES` | [`latency`]: from a set to the printed line |
//! | `stand replay TOOL URL TIMES` | [`replay`]: a full history over a link that delays |
//! | `stand scale TOOL URL KEYS EVENTS` | [`scale`]: CPU time of an event, by how many keys are watched |
//! | `stand catch-up TOOL URL TIMES` | [`catch_up`]: after a cut, by what was written meanwhile |
//!
//! `TOOL` is a release build of etcdwatch, `URL` an etcd with v2 that nobody else writes to. Each
//! prints bare numbers, which the script puts into its table; times are in milliseconds, unless they
//! are said to be in others. A measurement that did not see the events that it is about fails.

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

/// What went wrong, for the one who reads the script's last words.
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

/// The smallest value that at least so many per cent of them don't exceed.
fn percentile(values: &mut [Duration], per_cent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * per_cent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// Milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
