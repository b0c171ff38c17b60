//! `replay`.

use crate::cli;
use crate::error::Error;
use crate::run::api::Watched;
use crate::run::inbox::Stop;
use crate::settings::Settings;
use crate::sink::{self, Show};
use etcdwatch_engine::model::Index;
use etcdwatch_engine::watch::{Start, Until};

/// Prints the events of history up to the present, and with `--follow` what comes after.
///
/// # Errors
/// Where it can't go on, or events were lost.
pub fn run(typed: &cli::Replay, settings: &Settings) -> Result<(), Stop> {
    let start = match (typed.from_index, typed.after_index) {
        (Some(cli::From::Index(index)), _) => Start::At(Index(index)),
        (None, Some(after)) => Start::At(Index(after).next()),
        _ => Start::Oldest,
    };
    if let (Start::At(from), Some(to)) = (start, typed.to_index)
        && to < from.0
    {
        return Err(
            Error::Usage(format!("--to-index {to} lies before --from-index {from}")).into(),
        );
    }
    sink::run(
        Show {
            watched: Watched {
                keys: typed.keys.clone(),
                recursive: typed.recursive,
                prefix: typed.prefix,
            },
            start,
            until: Until::Present {
                to: typed.to_index.map(Index),
                follow: typed.follow,
            },
            stream: typed.follow,
            on_gap: typed.watching.on_gap.unwrap_or(cli::OnGap::Fail).into(),
            count: typed.count,
            condition: None,
            reading: typed.reading.clone(),
            exec: None,
            snapshot: false,
            watching: typed.watching.clone(),
        },
        settings,
    )
}
