//! `watch`.

use crate::apis::Watched;
use crate::cli;
use crate::inbox::Stop;
use crate::model::Index;
use crate::settings::Settings;
use crate::show::{self, Show};
use crate::watch::{Start, Until};

/// Prints one event, or with `--stream` every event until stopped.
///
/// # Errors
/// Where it can't go on.
pub fn run(typed: &cli::Watch, settings: &Settings) -> Result<(), Stop> {
    let from = typed
        .from_index
        .map(Index)
        .or(typed.after_index.map(|after| Index(after).next()));
    let default = if typed.stream {
        cli::OnGap::Resync
    } else {
        cli::OnGap::Fail
    };
    show::run(
        Show {
            watched: Watched {
                key: typed.key.clone(),
                recursive: typed.recursive,
                prefix: typed.prefix,
            },
            start: from.map_or(Start::Now, Start::At),
            until: Until::Forever,
            stream: typed.stream,
            on_gap: typed.watching.on_gap.unwrap_or(default).into(),
            count: if typed.stream { typed.count } else { Some(1) },
            previous: typed.prev,
            snapshot: typed.snapshot,
            expand: typed.watching.expand,
            status: typed.watching.status,
            checkpoint: typed.watching.checkpoint.clone(),
            buffer: typed.watching.buffer,
            stale_after: typed.watching.stale_after,
        },
        settings,
    )
}
