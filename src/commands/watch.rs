//! `watch`.

use crate::cli;
use crate::error::Error;
use crate::run::api::Watched;
use crate::run::inbox::Stop;
use crate::settings::Settings;
use crate::sink::runner::Plan;
use crate::sink::{self, Show};
use crate::wait::Condition;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::watch::{Start, Until};

/// Prints one event, or with `--stream` every event until stopped.
///
/// # Errors
/// Where it can't go on.
pub fn run(typed: &cli::Watch, settings: &Settings) -> Result<(), Stop> {
    let from = typed
        .from_index
        .map(Index)
        .or(typed.after_index.map(|after| Index(after).next()));
    let is_conditional = typed.until.is_some();
    if is_conditional && typed.watching.on_gap == Some(cli::OnGap::Continue) {
        let why = "--until: with --on-gap continue it could not be known whether it is so";
        return Err(Error::Usage(why.to_owned()).into());
    }
    let of_value = typed.until.as_ref().is_some_and(Condition::is_of_value);
    if of_value && typed.prefix {
        let why = "--until: with --prefix there is no one value: it is exists or absent";
        return Err(Error::Usage(why.to_owned()).into());
    }
    let default = if typed.stream || is_conditional {
        cli::OnGap::Resync
    } else {
        cli::OnGap::Fail
    };
    sink::run(
        Show {
            watched: Watched {
                keys: typed.keys.clone(),
                recursive: typed.recursive,
                prefix: typed.prefix,
            },
            start: from.map_or(Start::Now, Start::At),
            until: Until::Forever,
            stream: typed.stream,
            on_gap: typed.watching.on_gap.unwrap_or(default).into(),
            count: if typed.stream || is_conditional {
                typed.count
            } else {
                Some(1)
            },
            condition: typed.until.clone(),
            reading: typed.reading.clone(),
            exec: exec(typed),
            snapshot: typed.snapshot,
            watching: typed.watching.clone(),
        },
        settings,
    )
}

/// The command that is run for each event, if there is one.
fn exec(typed: &cli::Watch) -> Option<Plan> {
    (!typed.command.is_empty()).then(|| Plan {
        command: typed.command.clone(),
        mode: typed.exec_mode.into(),
        on_failure: typed.on_exec_failure.into(),
        debounce: typed.debounce.unwrap_or_default(),
        grace: typed.grace,
    })
}
