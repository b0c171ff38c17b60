//! What can be typed: clap types, nothing resolved.
//!
//! The environment is not read here but in `settings`, where one place decides what wins.

#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments on options are the help text, and help is no Markdown"
)]
#![allow(
    clippy::struct_excessive_bools,
    reason = "a flag on the command line is a bool"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::filter::Pattern;
use crate::model::Action;
use crate::print::template::Template;
use crate::wait::Condition;

/// As cargo and ripgrep colour their help.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Watch etcd and lose nothing
///
/// Reads, writes and watches the keys of an etcd cluster. A watch delivers every event once
/// and in order, or declares the gap: through dropped connections, restarted servers, bursts
/// and slow readers.
#[derive(Debug, Parser)]
#[command(name = "etcdwatch", version, styles = STYLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that stand before or after the subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The cluster's endpoints, tried in order
    ///
    /// URLs or HOST:PORT, separated by commas. Without a port it is 2379. The default is
    /// http://127.0.0.1:2379. [env: ETCDCTL_ENDPOINTS, else ETCDCTL_ENDPOINT, else
    /// ETCDCTL_PEERS]
    #[arg(long, global = true, value_hint = ValueHint::Url, value_name = "URL[,URL…]", value_delimiter = ',')]
    pub endpoints: Vec<String>,

    /// The API to use
    ///
    /// 'auto' is v2 where the server has it on, else v3; and v3 where v2 does not have the key
    /// and v3 does. '2' and '3' are accepted too.
    /// [env: ETCDCTL_API]
    #[arg(long, global = true, value_enum, value_name = "VERSION")]
    pub api: Option<Api>,

    /// How records are printed
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Output,

    /// When to use colours
    ///
    /// 'auto' colours on a terminal, unless NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: Color,

    /// No notices and no spinner on standard error; errors stay
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Show each request as a curl command, and each connection, on standard error
    ///
    /// The commands reproduce the requests; credentials are replaced.
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// How long a connection may take: DNS, TCP and TLS, per endpoint
    ///
    /// The default is 2s. [env: ETCDCTL_DIAL_TIMEOUT]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Option<Duration>,

    /// How long the whole command may take; past it, exit 124
    ///
    /// The default is 5s for get, set, rm, and check without --wait and --watch, and none for
    /// the others. A write that was sent by then and is not answered ends with exit 7.
    /// [env: ETCDCTL_COMMAND_TIMEOUT, where there is a default]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// The user to authenticate as
    ///
    /// A password on the command line can be seen by other users of the machine; the
    /// environment can't. [env: ETCDCTL_USER, or ETCDCTL_USERNAME and ETCDCTL_PASSWORD]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "NAME:PASSWORD")]
    pub user: Option<String>,

    /// A file with the password (not in this version)
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Certificates of the authorities to trust (not in this version)
    #[arg(long, global = true, value_name = "FILE")]
    pub cacert: Option<PathBuf>,

    /// The client's certificate (not in this version)
    #[arg(long, global = true, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// The key of the client's certificate (not in this version)
    #[arg(id = "client-key", long = "key", global = true, value_name = "FILE")]
    pub client_key: Option<PathBuf>,

    /// Don't check the server's certificate (not in this version)
    #[arg(long, global = true)]
    pub insecure_skip_tls_verify: bool,

    /// An HTTP proxy
    ///
    /// Its URL begins with http://; others are refused. HTTP_PROXY and its kin are
    /// ignored: etcd's traffic carries credentials and is usually local.
    #[arg(long, global = true, value_hint = ValueHint::Url, value_name = "URL")]
    pub proxy: Option<String>,

    /// The largest event or reply that is taken
    ///
    /// In bytes, or with KiB, MiB or GiB. One beyond it ends the run with exit 6.
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub max_event: usize,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a key's value, or what is in a directory
    ///
    /// Of a directory, its children are printed, one a line; directories end in '/'.
    Get(Get),
    /// Write a value, or make a directory
    ///
    /// A write is tried on another endpoint only while nothing of it has been sent. One that
    /// was sent and not answered ends with exit 7: read the key before writing again.
    Set(Set),
    /// Remove a key or a directory
    ///
    /// A removal is tried on another endpoint only while nothing of it has been sent. One that
    /// was sent and not answered ends with exit 7.
    Rm(Rm),
    /// Wait for an event, or stream every event
    ///
    /// Without --stream: one event, then exit 0. With it: every event once and in order, until
    /// stopped, through dropped connections and restarted servers; where the server can no
    /// longer tell what happened, a gap is declared.
    Watch(Watch),
    /// Print the events of history, up to now
    ///
    /// From index N to the server's index at the start, then exit 0. etcd keeps the last 1,000
    /// indexes of the whole store.
    #[command(
        override_usage = "etcdwatch replay [OPTIONS] <--from-index <N|oldest>|--after-index <M>> <KEY>"
    )]
    Replay(Replay),
    /// Compare a subtree with a file, and print what differs
    ///
    /// A line a key: '+' is only in etcd, '-' only in the file, and '~' differs, with both
    /// values. Exit 0 where nothing does, 1 where something does.
    Check(Check),
    /// Tell whether a watch can be trusted, and what is wrong
    ///
    /// Asks each endpoint what it is and how it is, watches for a moment, and prints a table and
    /// what is wrong, with what to do. Exit 0 where all is well, 1 where it is not.
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// What is typed after `get`.
#[derive(Args, Clone, Debug)]
pub struct Get {
    /// The keys; in v2 a missing leading '/' is added
    ///
    /// Of several, each is printed as key TAB value; with -o json one object a line.
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// Print all below a directory, as key TAB value
    #[arg(short, long)]
    pub recursive: bool,
    /// Sort by key
    #[arg(long)]
    pub sort: bool,
    /// Read what a majority agrees on, not only what this member knows; v3 always does
    #[arg(long)]
    pub quorum: bool,
    /// Print all that begins with KEY, as key TAB value (v3)
    #[arg(long)]
    pub prefix: bool,
}

/// What is typed after `set`.
#[derive(Args, Clone, Debug)]
pub struct Set {
    /// The key; in v2 a missing leading '/' is added
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// The value; '-' reads it from standard input, bytes as they are
    #[arg(allow_hyphen_values = true, required_unless_present = "dir", value_hint = ValueHint::Other)]
    pub value: Option<OsString>,
    /// How long the key lives: whole seconds, or a duration such as 90s or 5m
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION|SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub ttl: Option<std::num::NonZeroU64>,
    /// Make a directory (v2)
    #[arg(long, conflicts_with_all = ["value", "prev_value"])]
    pub dir: bool,
    /// Only if the key is absent
    #[arg(long, conflicts_with_all = ["update", "prev_value", "prev_index", "in_order"])]
    pub create: bool,
    /// Only if the key is present
    #[arg(long, conflicts_with = "in_order")]
    pub update: bool,
    /// Write under KEY, to a new name that etcd chooses, each later than the one before (v2)
    #[arg(long, conflicts_with_all = ["prev_value", "prev_index"])]
    pub in_order: bool,
    /// Only if the value is V; may be empty
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "V",
        alias = "swap-with-value",
        allow_hyphen_values = true
    )]
    pub prev_value: Option<OsString>,
    /// Only if the last change was at index N
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "swap-with-index", value_parser = index)]
    pub prev_index: Option<u64>,
}

/// What is typed after `rm`.
#[derive(Args, Clone, Debug)]
pub struct Rm {
    /// The key; in v2 a missing leading '/' is added
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// Remove a directory with all below it
    #[arg(short, long)]
    pub recursive: bool,
    /// Remove an empty directory (v2)
    #[arg(long)]
    pub dir: bool,
    /// Remove all that begins with KEY (v3)
    #[arg(long, conflicts_with_all = ["prev_value", "prev_index", "dir"])]
    pub prefix: bool,
    /// Only if the value is V; may be empty
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "V",
        alias = "with-value",
        allow_hyphen_values = true
    )]
    pub prev_value: Option<OsString>,
    /// Only if the last change was at index N
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "with-index", value_parser = index)]
    pub prev_index: Option<u64>,
}

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
        value_hint = ValueHint::Other, value_name = "CONDITION", value_parser = Condition::parse,
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
    #[arg(long, value_hint = ValueHint::Other, value_name = "TEMPLATE", value_parser = Template::parse, conflicts_with_all = ["prev", "diff", "timestamps"])]
    pub format: Option<Template>,
}

/// Options of all watches.
#[derive(Args, Clone, Debug)]
pub struct Watching {
    /// What is done when events were lost; by default 'resync' for watch --stream, else 'fail'
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
    #[arg(long = "match", value_hint = ValueHint::Other, value_name = "GLOB", value_parser = Pattern::parse)]
    pub patterns: Vec<Pattern>,
    /// Print only where the value is another than the one before
    #[arg(long)]
    pub changed: bool,
}

/// What is typed after `check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The file: nested JSON or YAML, flat JSON, or what 'get -r -o json' printed; '-' is
    /// standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The key that the names in the file lie below
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// Leave out keys that match; may be repeated
    ///
    /// And all below them. '*' and '?' stay within a segment, '**' does not. One that does not
    /// begin with a '/' may begin at any segment.
    #[arg(long, value_hint = ValueHint::Other, value_name = "GLOB", value_parser = Pattern::parse)]
    pub ignore: Vec<Pattern>,
    /// More keys may be in etcd than in the file
    #[arg(long)]
    pub subset: bool,
    /// Wait until nothing differs; past --timeout, exit 124
    #[arg(long, conflicts_with = "watch")]
    pub wait: bool,
    /// Go on, and print whatever comes to differ, and '=' what does so no longer
    #[arg(long)]
    pub watch: bool,
}

/// What is typed after `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// Count the writes to this key and all below it; without it, to all keys
    #[arg(value_hint = ValueHint::Other)]
    pub key: Option<String>,
    /// For how long writes are counted
    #[arg(id = "for", long = "for", value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub sample: Duration,
}

/// What is typed after `completions`.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `--api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// What the server has
    Auto,
    /// /v2/keys
    #[value(alias = "2")]
    V2,
    /// The JSON gateway
    #[value(alias = "3")]
    V3,
}

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// TAB-separated: index, action, key, value
    Text,
    /// One JSON object a line
    Json,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Colours on a terminal, unless NO_COLOR is set
    Auto,
    /// Colours always
    Always,
    /// No colours
    Never,
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

/// `--from-index` of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest event that the server has.
    Oldest,
    /// An index.
    Index(u64),
}

fn action() -> impl TypedValueParser<Value = Action> {
    let names = Action::KNOWN.map(|(_, name)| name);
    PossibleValuesParser::new(names)
        .try_map(|name| Action::parse(&name).ok_or("it is no action that is known"))
}

/// Clocks overflow beyond it.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| match text.parse::<u64>() {
        Ok(_) => format!("a duration has a unit: {text}s for seconds"),
        Err(_) => "a duration is written 250ms, 30s, 5m or 1h30m".to_owned(),
    })?;
    if duration.is_zero() {
        return Err("a duration is longer than 0".to_owned());
    }
    if duration > LONGEST {
        return Err("a duration is 100 years at most".to_owned());
    }
    Ok(duration)
}

/// Reads a duration from the environment, as it is read from the command line.
///
/// # Errors
/// Where it is none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text)
}

fn seconds(text: &str) -> Result<std::num::NonZeroU64, String> {
    let refused = || {
        "a time to live is at least one second: 30, 90s, 5m (0 would delete the key at once)"
            .to_owned()
    };
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let duration = humantime::parse_duration(text).map_err(|_| refused())?;
        if duration.subsec_nanos() != 0 {
            return Err("etcd counts whole seconds".to_owned());
        }
        duration.as_secs()
    };
    // etcd adds it to the time of day in nanoseconds, which overflows in 292 years.
    if seconds > 9_000_000_000 {
        return Err("a time to live is less than 285 years".to_owned());
    }
    std::num::NonZeroU64::new(seconds).ok_or_else(refused)
}

fn index(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("indexes begin at 1".to_owned()),
        Ok(index) => Ok(index),
        Err(_) => Err("an index is a whole number from 1".to_owned()),
    }
}

fn from(text: &str) -> Result<From, String> {
    if text == "oldest" {
        return Ok(From::Oldest);
    }
    index(text)
        .map(From::Index)
        .map_err(|error| format!("{error}, or 'oldest'"))
}

fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a count is a whole number from 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let refused = || "a size is written 65536, 512KiB, 64MiB or 1GiB".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: usize = match text.get(digits.len()..).unwrap_or_default() {
        "" | "B" => 1,
        "K" | "k" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(refused()),
    };
    let number: usize = digits.parse().map_err(|_| refused())?;
    let size = number.checked_mul(factor).ok_or_else(refused)?;
    if size == 0 || size > 1 << 30 {
        return Err("a size is between 1 byte and 1GiB".to_owned());
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_to_live_is_seconds_or_a_duration_and_never_less_than_one() {
        assert_eq!(seconds("30").unwrap().get(), 30);
        assert_eq!(seconds("5m").unwrap().get(), 300);
        for bad in ["0", "-1", "0s", "500ms", "1500ms", "", "x", "99999999999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_not() {
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for bad in ["", "0", "-1", "1TiB", "2GiB", "MiB", "18446744073709551616"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
