//! What a watch or a replay is to do, as plain values.

use std::path::PathBuf;
use std::time::Duration;

use super::watched::Watched;
use crate::exec::CommandOptions;
use crate::filter::Filter;
use crate::render::template::Template;
use crate::wait::Condition;
use etcdwatch_engine::watch::{OnGap, Start, Until};

/// What a watch or a replay is to do.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct WatchSettings {
    /// The keys, or all below them.
    pub watched: Watched,
    /// Where it begins.
    pub start: Start,
    /// Where it ends.
    pub until: Until,
    /// Whether many events are expected.
    pub stream: bool,
    /// After how many events it ends.
    pub count: Option<u64>,
    /// What it waits for.
    pub condition: Option<Condition>,
    /// The command that is run instead of printing.
    pub command: Option<CommandOptions>,
    /// How records look.
    pub look: Appearance,
    /// Which records are passed on.
    pub filter: Filter,
    /// What is done when events were lost.
    pub on_gap: OnGap,
    /// Whether the present state comes first.
    pub snapshot: bool,
    /// Whether the keys that a removed directory takes with it are printed.
    pub expand: bool,
    /// Whether the state of the watch is printed when it changes.
    pub status: bool,
    /// The file that says where the next run goes on.
    pub checkpoint: Option<PathBuf>,
    /// How many bytes of events may wait for a slow reader of the output.
    pub buffer: usize,
    /// After how long without confirmation the watch is stale.
    pub stale_after: Duration,
    /// After how long without an event the run ends.
    pub idle_timeout: Option<Duration>,
}

/// How records look.
#[derive(Clone, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub struct Appearance {
    /// The previous value is shown.
    pub previous: bool,
    /// What became of a value is shown line by line.
    pub diff: bool,
    /// When a record was received is shown.
    pub timestamps: bool,
    /// Times are in UTC.
    pub utc: bool,
    /// The template that records are printed by.
    pub template: Option<Template>,
}
