//! Resolves the options of `watch` and `replay`.

use crate::cli;
use crate::error::Error;
use crate::exec::CommandOptions;
use crate::exec::queue::{Mode, OnFailure};
use crate::filter::Filter;
use crate::settings::{Appearance, WatchSettings, WatchedKeys};
use crate::wait::Condition;
use etcdwatch_engine::model::Index;
use etcdwatch_engine::watch::{OnGap, PlannedEnd, Start};

/// Resolves the options of `watch`.
///
/// # Errors
/// If two options cannot be used together.
pub fn watch(typed: &cli::Watch) -> Result<WatchSettings, Error> {
    let from = typed
        .from_index
        .map(Index)
        .or(typed.after_index.map(|after| Index(after).next()));
    let is_conditional = typed.until.is_some();
    if is_conditional && typed.watching.on_gap == Some(cli::OnGapArg::Continue) {
        let why = "--until cannot be used with --on-gap continue, because a lost event may meet the condition";
        return Err(Error::Usage(why.to_owned()));
    }
    let of_value = typed.until.as_ref().is_some_and(Condition::is_of_value);
    if of_value && typed.prefix {
        let why =
            "--until with --prefix must be exists or absent, because there is no single value";
        return Err(Error::Usage(why.to_owned()));
    }
    let goes_on = typed.stream || is_conditional;
    let shared = &typed.watching;
    let on_gap = shared.on_gap.map(OnGap::from);
    Ok(WatchSettings {
        start: from.map_or(Start::Now, Start::At),
        planned_end: PlannedEnd::Forever,
        stream: typed.stream,
        count: if goes_on { typed.count } else { Some(1) },
        condition: typed.until.clone(),
        command: command(typed),
        snapshot: typed.snapshot,
        on_gap: on_gap.unwrap_or(if goes_on { OnGap::Resync } else { OnGap::Fail }),
        ..shared_settings(
            WatchedKeys {
                keys: typed.keys.clone(),
                recursive: typed.recursive,
                prefix: typed.prefix,
            },
            &typed.reading,
            shared,
        )
    })
}

/// Resolves the options of `replay`.
///
/// # Errors
/// If the replay would end before it starts.
pub fn replay(typed: &cli::Replay) -> Result<WatchSettings, Error> {
    let start = match (typed.from_index, typed.after_index) {
        (Some(cli::From::Index(index)), _) => Start::At(Index(index)),
        (None, Some(after)) => Start::At(Index(after).next()),
        _ => Start::Oldest,
    };
    if let (Start::At(from), Some(to)) = (start, typed.to_index)
        && to < from.0
    {
        let why = format!("--to-index {to} is before --from-index {from}");
        return Err(Error::Usage(why));
    }
    Ok(WatchSettings {
        start,
        planned_end: PlannedEnd::Present {
            to: typed.to_index.map(Index),
            follow: typed.follow,
        },
        stream: typed.follow,
        count: typed.count,
        ..shared_settings(
            WatchedKeys {
                keys: typed.keys.clone(),
                recursive: typed.recursive,
                prefix: typed.prefix,
            },
            &typed.reading,
            &typed.watching,
        )
    })
}

/// The settings that both commands have. The default of `--on-gap` is `fail`.
fn shared_settings(
    watched: WatchedKeys,
    reading: &cli::AppearanceArgs,
    watching: &cli::WatchingArgs,
) -> WatchSettings {
    WatchSettings {
        watched,
        start: Start::Now,
        planned_end: PlannedEnd::Forever,
        stream: false,
        count: None,
        condition: None,
        command: None,
        look: Appearance {
            previous: reading.prev,
            diff: reading.diff,
            timestamps: reading.timestamps,
            utc: reading.utc,
            template: reading.format.clone(),
        },
        filter: Filter {
            only: watching.only.clone(),
            patterns: watching.patterns.clone(),
            changed: watching.changed,
        },
        on_gap: watching.on_gap.map_or(OnGap::Fail, OnGap::from),
        snapshot: false,
        expand: watching.expand,
        status: watching.status,
        checkpoint: watching.checkpoint.clone(),
        buffer: watching.buffer,
        stale_after: watching.stale_after,
        idle_timeout: watching.idle_timeout,
    }
}

/// The command to run for each event, if one was given.
fn command(typed: &cli::Watch) -> Option<CommandOptions> {
    (!typed.command.is_empty()).then(|| CommandOptions {
        command: typed.command.clone(),
        mode: typed.exec_mode.into(),
        on_failure: typed.on_exec_failure.into(),
        debounce: typed.debounce.unwrap_or_default(),
        grace: typed.grace,
    })
}

impl From<cli::ExecMode> for Mode {
    fn from(typed: cli::ExecMode) -> Self {
        match typed {
            cli::ExecMode::Each => Self::Each,
            cli::ExecMode::Latest => Self::Latest,
            cli::ExecMode::Restart => Self::Restart,
        }
    }
}

impl From<cli::OnExecFailure> for OnFailure {
    fn from(typed: cli::OnExecFailure) -> Self {
        match typed {
            cli::OnExecFailure::Stop => Self::Stop,
            cli::OnExecFailure::Continue => Self::Continue,
            cli::OnExecFailure::Retry => Self::Retry,
        }
    }
}

impl From<cli::OnGapArg> for OnGap {
    fn from(typed: cli::OnGapArg) -> Self {
        match typed {
            cli::OnGapArg::Resync => Self::Resync,
            cli::OnGapArg::Diff => Self::Diff,
            cli::OnGapArg::Continue => Self::Continue,
            cli::OnGapArg::Fail => Self::Fail,
        }
    }
}
