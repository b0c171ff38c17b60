//! The settings of a watch or a replay.

use std::path::PathBuf;
use std::time::Duration;

use super::watched::WatchedKeys;
use crate::exec::CommandOptions;
use crate::filter::Filter;
use crate::render::template::Template;
use crate::wait::Condition;
use etcdwatch_engine::watch::{OnGap, PlannedEnd, Start};

/// The settings of a watch or a replay.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct WatchSettings {
    /// The keys to watch.
    pub watched: WatchedKeys,
    /// The first index.
    pub start: Start,
    /// The last index.
    pub planned_end: PlannedEnd,
    /// Whether more than one event is expected, so that a v2 stream is worth opening.
    pub stream: bool,
    /// The number of events after which the run ends.
    pub count: Option<u64>,
    /// The condition of `--until`.
    pub condition: Option<Condition>,
    /// The command to run for each record instead of printing it.
    pub command: Option<CommandOptions>,
    /// The appearance of records.
    pub look: Appearance,
    /// The filter for records.
    pub filter: Filter,
    /// The reaction to a gap.
    pub on_gap: OnGap,
    /// Whether to print the present state first.
    pub snapshot: bool,
    /// Whether to print a delete for each key below a removed directory.
    pub expand: bool,
    /// Whether to print status records.
    pub status: bool,
    /// The checkpoint file.
    pub checkpoint: Option<PathBuf>,
    /// The buffer for a slow reader of the output, in bytes.
    pub buffer: usize,
    /// The time without confirmation after which the watch is stale.
    pub stale_after: Duration,
    /// The time without an event after which the run ends.
    pub idle_timeout: Option<Duration>,
}

/// The options for the appearance of records.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Appearance {
    /// Whether to print the previous value.
    pub previous: bool,
    /// Whether to print a line-by-line diff of values.
    pub diff: bool,
    /// Whether to print the time at which a record was received.
    pub timestamps: bool,
    /// Whether times are in UTC.
    pub utc: bool,
    /// The template of `--format`.
    pub template: Option<Template>,
}
