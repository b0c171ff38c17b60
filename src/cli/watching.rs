//! What is typed for a watch or a replay.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::values::{From, action, count, duration, from, index, size};
use crate::filter::Pattern;
use crate::render::template::Template;
use crate::wait::Condition;
use etcdwatch_engine::model::Action;

/// What is typed after `watch`.
#[derive(Args, Clone, Debug)]
pub struct Watch {
    /// The keys; they need not exist
    ///
    /// Several are watched as one, in one order: all of what lies above them is asked for, and
    /// what is not wanted left out.
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// Watch all below them too
    #[arg(short, long)]
    pub recursive: bool,
    /// Watch all that begins with KEY (v3)
    #[arg(long, conflicts_with = "recursive")]
    pub prefix: bool,
    /// Every event, until stopped
    #[arg(long)]
    pub stream: bool,
    /// Begin with the first event at or after index N, from history if it is there
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "rev", value_parser = index)]
    pub from_index: Option<u64>,
    /// The same as --from-index M+1
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", conflicts_with = "from_index")]
    pub after_index: Option<u64>,
    /// Stop after N events (with --stream)
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", requires = "stream", value_parser = count)]
    pub count: Option<u64>,
    /// Print the present state first, with no gap between it and the events
    #[arg(long, conflicts_with_all = ["from_index", "after_index"])]
    pub snapshot: bool,
    /// Wait until KEY is so: exists, absent, value=V, value!=V or value~REGEX
    ///
    /// The record that makes it so is printed, and the run ends with 0; at once where it is so
    /// already. Of several keys each has to be so. See --timeout. Not with --count,
    /// --from-index, --checkpoint or a command.
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "CONDITION", value_parser = str::parse::<Condition>,
        conflicts_with_all = ["count", "from_index", "after_index", "checkpoint"]
    )]
    pub until: Option<Condition>,
    /// How records look.
    #[command(flatten)]
    pub reading: Reading,
    /// Options of all watches.
    #[command(flatten)]
    pub watching: Watching,
    /// A command that is run for each event, instead of printing it (with --stream)
    ///
    /// It is run directly, never through a shell, with the event as JSON on its standard input
    /// and ETCD_WATCH_ACTION, ETCD_WATCH_KEY, ETCD_WATCH_VALUE and ETCD_WATCH_MODIFIED_INDEX in
    /// its environment. Not with --until, nor with what says how records look.
    #[arg(
        last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments,
        requires = "stream", conflicts_with_all = ["until", "format", "diff", "timestamps", "prev"]
    )]
    pub command: Vec<OsString>,
    /// What is done with events that come while the command runs
    ///
    /// 'each' runs it for every event in turn. 'latest' runs it for the newest once it has
    /// ended. 'restart' ends it, and all that it has started, and runs it for the newest.
    #[arg(
        long,
        value_enum,
        value_name = "MODE",
        default_value = "each",
        requires = "command"
    )]
    pub exec_mode: ExecMode,
    /// What is done where the command fails
    ///
    /// 'stop' ends the run with exit 123. 'continue' goes on with the next event. 'retry' runs
    /// it again, after 1 s, 2 s and so on up to a minute.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value = "stop",
        requires = "command"
    )]
    pub on_exec_failure: OnExecFailure,
    /// Run the command only once nothing new has come for so long
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, requires = "command")]
    pub debounce: Option<Duration>,
    /// How long the command may take to end when it is told to; then it is killed
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, default_value = "10s", requires = "command")]
    pub grace: Duration,
}

/// What is typed after `replay`.
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// The keys; several are replayed as one, in one order
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// The first index, or 'oldest' for the oldest event that the server has
    #[arg(long, value_hint = ValueHint::Other, value_name = "N|oldest", alias = "rev", value_parser = from, required_unless_present = "after_index")]
    pub from_index: Option<From>,
    /// The same as --from-index M+1
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", conflicts_with = "from_index")]
    pub after_index: Option<u64>,
    /// Replay all below them too
    #[arg(short, long)]
    pub recursive: bool,
    /// Replay all that begins with KEY (v3)
    #[arg(long, conflicts_with = "recursive")]
    pub prefix: bool,
    /// The last index; without it, the server's at the start
    #[arg(long, value_hint = ValueHint::Other, value_name = "M", value_parser = index)]
    pub to_index: Option<u64>,
    /// Go on as a stream, with no gap between
    #[arg(long, conflicts_with = "to_index")]
    pub follow: bool,
    /// Stop after N events
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", value_parser = count)]
    pub count: Option<u64>,
    /// How records look.
    #[command(flatten)]
    pub reading: Reading,
    /// Options of all watches.
    #[command(flatten)]
    pub watching: Watching,
}

/// How records look.
#[derive(Args, Clone, Debug)]
pub struct Reading {
    /// Show the previous value
    #[arg(long)]
    pub prev: bool,
    /// Show when each record was received
    ///
    /// As RFC 3339 with milliseconds, in local time; with -o json as receivedAt.
    #[arg(long)]
    pub timestamps: bool,
    /// Show times in UTC
    #[arg(long)]
    pub utc: bool,
    /// Show what became of a value of several lines, or of JSON, line by line
    #[arg(long)]
    pub diff: bool,
    /// Print records by a template: {index} {action} {key} {value} {prev} {time}
    ///
    /// '{{' and '}}' are braces; \t, \n, \r, \0 and \\ stand for what they do in printf. Fields
    /// are escaped, unless the template has a \0 and standard output is no terminal.
    #[arg(long, value_hint = ValueHint::Other, value_name = "TEMPLATE", value_parser = str::parse::<Template>, conflicts_with_all = ["prev", "diff", "timestamps"])]
    pub format: Option<Template>,
}

/// Options of all watches.
#[derive(Args, Clone, Debug)]
pub struct Watching {
    /// What is done when events were lost; by default 'resync' with --stream or --until, else 'fail'
    ///
    /// 'resync' declares the gap and prints the state anew. 'diff' prints what changed, for
    /// which it keeps all keys and values in memory. 'continue' declares the gap and goes on.
    /// 'fail' ends with exit 5.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_gap: Option<OnGap>,
    /// Print every key that a removed directory takes with it
    ///
    /// One delete each, before that of the directory. All keys and values are kept in memory
    /// for it.
    #[arg(long)]
    pub expand: bool,
    /// Resume where the last run stopped, and note there how far this one came
    ///
    /// The file is made where it doesn't exist; where it does, --from-index, --after-index and
    /// --snapshot don't count. It is of one cluster, key, -r and API. FILE.lock keeps a second
    /// run away.
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Add records of the watch's own state: live, stale, reconnecting
    #[arg(long)]
    pub status: bool,
    /// How many bytes of events may wait for a slow reader of the output
    ///
    /// Past it they are left to etcd's history, and what that no longer has is declared.
    #[arg(long, value_hint = ValueHint::Other, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub buffer: usize,
    /// After how long without confirmation a notice says that the watch is stale
    ///
    /// Another notice says when it is live again.
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub stale_after: Duration,
    /// End with exit 124 after so long without an event
    ///
    /// Only what is printed counts.
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub idle_timeout: Option<Duration>,
    /// Print only these actions
    ///
    /// Separated by commas. What is told of a state is 'get'. Gaps and what else is etcdwatch's
    /// own is printed all the same.
    #[arg(long, value_name = "ACTION[,ACTION…]", value_delimiter = ',', value_parser = action())]
    pub only: Vec<Action>,
    /// Print only keys that match; may be repeated
    ///
    /// '*' and '?' stay within a segment, '**' does not. One that does not begin with a '/' may
    /// begin at any segment.
    #[arg(long = "match", value_hint = ValueHint::Other, value_name = "GLOB", value_parser = str::parse::<Pattern>)]
    pub patterns: Vec<Pattern>,
    /// Print only where the value is another than the one before
    #[arg(long)]
    pub changed: bool,
}

/// `--exec-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecMode {
    /// Run it for every event in turn
    Each,
    /// Run it for the newest once it has ended
    Latest,
    /// End it and run it for the newest
    Restart,
}

/// `--on-exec-failure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnExecFailure {
    /// End with exit 123
    Stop,
    /// Go on with the next event
    Continue,
    /// Run it again, later and later
    Retry,
}

/// `--on-gap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnGap {
    /// Declare the gap and print the state anew
    Resync,
    /// Declare the gap and print the differences
    Diff,
    /// Declare the gap and go on
    Continue,
    /// End with exit 5
    Fail,
}
