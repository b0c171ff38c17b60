//! `watch`.

use super::request::parse_key;
use crate::cli;
use crate::inbox::Stop;
use crate::model::{Index, Scope};
use crate::settings::Settings;
use crate::show::{self, Show};
use crate::watch::{OnGap, Start, Until};

/// Prints one event, or with `--stream` every event until stopped.
///
/// # Errors
/// Where it can't go on.
pub fn run(typed: &cli::Watch, settings: &Settings) -> Result<(), Stop> {
    let from = typed
        .from_index
        .map(Index)
        .or(typed.after_index.map(|after| Index(after).next()));
    let on_gap = match (typed.on_gap, typed.stream) {
        (Some(cli::OnGap::Continue), _) | (None, true) => OnGap::Continue,
        _ => OnGap::Fail,
    };
    show::run(
        Show {
            scope: Scope {
                key: parse_key(&typed.key)?,
                recursive: typed.recursive,
            },
            start: from.map_or(Start::Now, Start::At),
            until: Until::Forever,
            stream: typed.stream,
            on_gap,
            count: if typed.stream { typed.count } else { Some(1) },
            previous: typed.prev,
        },
        settings,
    )
}
