//! The arguments of `watch` and `replay`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::values::{From, action, count, duration, from, index, size};
use crate::filter::Pattern;
use crate::render::template::Template;
use crate::wait::Condition;
use etcdwatch_engine::model::Action;

/// Arguments of `watch`.
#[derive(Args, Clone, Debug)]
pub struct Watch {
    /// Watch these keys; they need not exist
    ///
    /// Several keys are one watch, with one order. etcdwatch watches the directory above them all
    /// and leaves out the other keys.
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// Watch everything below the keys as well
    #[arg(short, long)]
    pub recursive: bool,
    /// Watch every key that begins with KEY (v3 only)
    #[arg(long, conflicts_with = "recursive")]
    pub prefix: bool,
    /// Print every event until stopped
    #[arg(long)]
    pub stream: bool,
    /// Start with the first event at or after index N, from history if the server has it
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "rev", value_parser = index)]
    pub from_index: Option<u64>,
    /// Start after index M, as --from-index M+1 does
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", conflicts_with = "from_index")]
    pub after_index: Option<u64>,
    /// Exit with 0 after N events (with --stream)
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", requires = "stream", value_parser = count)]
    pub count: Option<u64>,
    /// Print the present state first, with no gap between it and the events
    #[arg(long, conflicts_with_all = ["from_index", "after_index"])]
    pub snapshot: bool,
    /// Wait until KEY meets a condition: exists, absent, value=V, value!=V or value~REGEX
    ///
    /// etcdwatch prints the record that meets the condition and exits with 0, at once if the
    /// condition already holds. If there are several keys, each must meet it. Use --timeout to
    /// limit the wait. Not with --count, --from-index, --after-index, --checkpoint or a command.
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "CONDITION", value_parser = str::parse::<Condition>,
        conflicts_with_all = ["count", "from_index", "after_index", "checkpoint"]
    )]
    pub until: Option<Condition>,
    /// Options for the form of a record.
    #[command(flatten)]
    pub reading: AppearanceArgs,
    /// Options that `watch` and `replay` share.
    #[command(flatten)]
    pub watching: WatchingArgs,
    /// Run this command for each event instead of printing it (with --stream)
    ///
    /// etcdwatch runs the command directly, never through a shell. The event is on the command's
    /// standard input as JSON, and in its environment as ETCD_WATCH_ACTION, ETCD_WATCH_KEY,
    /// ETCD_WATCH_VALUE and ETCD_WATCH_MODIFIED_INDEX. Not with --until, --prev, --timestamps,
    /// --diff or --format.
    #[arg(
        last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments,
        requires = "stream", conflicts_with_all = ["until", "format", "diff", "timestamps", "prev"]
    )]
    pub command: Vec<OsString>,
    /// Choose what to do with events that arrive while the command runs
    #[arg(
        long,
        value_enum,
        value_name = "MODE",
        default_value = "each",
        requires = "command"
    )]
    pub exec_mode: ExecMode,
    /// Choose what to do when the command fails
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value = "stop",
        requires = "command"
    )]
    pub on_exec_failure: OnExecFailure,
    /// Run the command only after no event has arrived for this time
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, requires = "command")]
    pub debounce: Option<Duration>,
    /// Wait this long for the command to end before killing it
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, default_value = "10s", requires = "command")]
    pub grace: Duration,
}

/// Arguments of `replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// Replay these keys; several keys are one replay, with one order
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// Start at index N, or at the oldest event that the server has
    #[arg(long, value_hint = ValueHint::Other, value_name = "N|oldest", alias = "rev", value_parser = from, required_unless_present = "after_index")]
    pub from_index: Option<From>,
    /// Start after index M, as --from-index M+1 does
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", conflicts_with = "from_index")]
    pub after_index: Option<u64>,
    /// Replay everything below the keys as well
    #[arg(short, long)]
    pub recursive: bool,
    /// Replay every key that begins with KEY (v3 only)
    #[arg(long, conflicts_with = "recursive")]
    pub prefix: bool,
    /// Stop at index M; the default is the server's index at the start
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", value_parser = index)]
    pub to_index: Option<u64>,
    /// Continue as a stream, with no gap between history and new events
    #[arg(long, conflicts_with = "to_index")]
    pub follow: bool,
    /// Exit with 0 after N events
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", value_parser = count)]
    pub count: Option<u64>,
    /// Options for the form of a record.
    #[command(flatten)]
    pub reading: AppearanceArgs,
    /// Options that `watch` and `replay` share.
    #[command(flatten)]
    pub watching: WatchingArgs,
}

/// Options for the form of a record.
#[derive(Args, Clone, Debug)]
pub struct AppearanceArgs {
    /// Print the previous value as well
    #[arg(long)]
    pub prev: bool,
    /// Print the time at which each record was received
    ///
    /// In the format of RFC 3339 with milliseconds, in local time. With -o json, the field is
    /// receivedAt.
    #[arg(long)]
    pub timestamps: bool,
    /// Print times in UTC
    #[arg(long)]
    pub utc: bool,
    /// Print a line-by-line diff of a value that is JSON or has several lines
    #[arg(long)]
    pub diff: bool,
    /// Format records with a template: {index} {action} {key} {value} {prev} {time}
    ///
    /// '{{' and '}}' print braces. \t, \n, \r, \0 and \\ mean what they mean in printf. Fields
    /// are escaped, unless the template has a \0 and standard output is not a terminal.
    #[arg(long, value_hint = ValueHint::Other, value_name = "TEMPLATE", value_parser = str::parse::<Template>, conflicts_with_all = ["prev", "diff", "timestamps"])]
    pub format: Option<Template>,
}

/// Options that `watch` and `replay` share.
#[derive(Args, Clone, Debug)]
pub struct WatchingArgs {
    /// Choose what to do when events are lost (default: resync with --stream or --until,
    /// otherwise fail)
    ///
    /// 'diff' keeps all watched keys and values in memory.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_gap: Option<OnGapArg>,
    /// Print a delete for every key below a removed directory
    ///
    /// These records precede the delete of the directory. etcdwatch keeps all watched keys and
    /// values in memory for this.
    #[arg(long)]
    pub expand: bool,
    /// Resume where the last run stopped, and save the position of this run
    ///
    /// If the file does not exist, etcdwatch creates it. If it exists, --from-index, --after-index
    /// and --snapshot are ignored. A checkpoint belongs to one cluster, key, -r and API. FILE.lock
    /// keeps a second run from using it.
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Print records of the watch's own state: live, stale, reconnecting
    #[arg(long)]
    pub status: bool,
    /// Buffer up to this many bytes of events for a slow reader of the output
    ///
    /// Beyond this limit, etcdwatch leaves events in etcd's history until the reader catches up.
    /// If history no longer has them by then, it declares a gap.
    #[arg(long, value_hint = ValueHint::Other, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub buffer: usize,
    /// Report the watch as stale after this time without confirmation by a majority
    ///
    /// Another notice reports when the watch is live again.
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub stale_after: Duration,
    /// Exit with 124 after this time without an event
    ///
    /// Only printed events count.
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Print only events with these actions
    ///
    /// Separated by commas. The records of a state have the action 'get'. etcdwatch's own records,
    /// such as gaps, are always printed.
    #[arg(long, value_name = "ACTION[,ACTION…]", value_delimiter = ',', value_parser = action())]
    pub only: Vec<Action>,
    /// Print only events on keys that match; may be repeated
    ///
    /// '*' and '?' match within a segment, '**' matches across segments. A pattern without a
    /// leading '/' may match from any segment on.
    #[arg(long = "match", value_hint = ValueHint::Other, value_name = "GLOB", value_parser = str::parse::<Pattern>)]
    pub patterns: Vec<Pattern>,
    /// Print only events that change the value
    #[arg(long)]
    pub changed: bool,
}

/// Values of `--exec-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecMode {
    /// Run the command for every event in turn
    Each,
    /// Run the command for the newest event once it has ended
    Latest,
    /// Stop the command, with everything it started, and run it for the newest event
    Restart,
}

/// Values of `--on-exec-failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnExecFailure {
    /// Exit with 123
    Stop,
    /// Continue with the next event
    Continue,
    /// Run the command again after 1s, 2s, 4s and so on, up to a minute
    Retry,
}

/// Values of `--on-gap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnGapArg {
    /// Declare the gap and print the state again
    Resync,
    /// Declare the gap and print what changed
    Diff,
    /// Declare the gap and continue
    Continue,
    /// Exit with 5
    Fail,
}
