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

mod deferred;
mod values;
mod watching;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::filter::Pattern;

pub use deferred::Deferred;
pub use values::{From, duration};
pub use watching::{ExecMode, OnExecFailure, OnGap, Reading, Replay, Watch, Watching};

use values::{index, seconds, size};

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
    /// Without a password it is taken from --password-file or ETCDCTL_PASSWORD, or asked for on
    /// the terminal. One on the command line can be seen by other users of the machine.
    /// [env: ETCDCTL_USER, or ETCDCTL_USERNAME and ETCDCTL_PASSWORD]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "NAME[:PASSWORD]")]
    pub user: Option<String>,

    /// A file with the user's password, which only its owner may read
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Certificates of the authorities to trust, instead of the system's
    ///
    /// In PEM, as are the next two. With any of them, an endpoint without a scheme is https://.
    /// Files that are replaced are read again. [env: ETCDCTL_CACERT, or ETCDCTL_CA_FILE]
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub cacert: Option<PathBuf>,

    /// The client's certificate, and those that lead to its authority
    ///
    /// [env: ETCDCTL_CERT, or ETCDCTL_CERT_FILE]
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// The key of the client's certificate; without it, it is in the certificate's file
    ///
    /// [env: ETCDCTL_KEY, or ETCDCTL_KEY_FILE]
    #[arg(id = "client-key", long = "key", global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub client_key: Option<PathBuf>,

    /// Don't check the server's certificate
    ///
    /// Whoever is in between can read and change everything; it is told every time.
    /// [env: ETCDCTL_INSECURE_SKIP_TLS_VERIFY]
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
    /// In bytes, or with KiB, MiB or GiB. One beyond it ends the run with exit 6. The state that a
    /// watch reads, and what one transaction did, may be 16 times as large, 1GiB at most.
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub max_event: usize,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a key's value, or what is in a directory
    ///
    /// Of a directory, its children are printed, one a line; directories end in '/'.
    Get(Deferred<Get>),
    /// Write a value, or make a directory
    ///
    /// A write is tried on another endpoint only while nothing of it has been sent. One that
    /// was sent and not answered ends with exit 7: read the key before writing again.
    Set(Deferred<Set>),
    /// Remove a key or a directory
    ///
    /// A removal is tried on another endpoint only while nothing of it has been sent. One that
    /// was sent and not answered ends with exit 7.
    Rm(Deferred<Rm>),
    /// Wait for an event, or stream every event
    ///
    /// Without --stream: one event, then exit 0. With it: every event once and in order, until
    /// stopped, through dropped connections and restarted servers; where the server can no
    /// longer tell what happened, a gap is declared.
    Watch(Deferred<Watch>),
    /// Print the events of history, up to now
    ///
    /// From index N to the server's index at the start, then exit 0. Exit 5 where events are lost, or
    /// where it can't be proven that none is, as for a user who may read a part of the store only. With
    /// the v2 API etcd keeps the last 1,000 indexes of the whole store, over v3 whatever was not compacted.
    #[command(
        override_usage = "etcdwatch replay [OPTIONS] <--from-index <N|oldest>|--after-index <M>> <KEY>..."
    )]
    Replay(Deferred<Replay>),
    /// Compare a subtree with a file, and print what differs
    ///
    /// A line a key: '+' is only in etcd, '-' only in the file, and '~' differs, with both
    /// values. Exit 0 where nothing does, 1 where something does.
    Check(Deferred<Check>),
    /// Tell whether a watch can be trusted, and what is wrong
    ///
    /// Asks each endpoint what it is and how it is, watches for a moment, and prints a table and
    /// what is wrong, with what to do. Exit 0 where all is well, 1 where it is not.
    Doctor(Deferred<Doctor>),
    /// Print a completion script for a shell
    Completions(Deferred<Completions>),
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
    #[arg(long, value_hint = ValueHint::Other, value_name = "GLOB", value_parser = str::parse::<Pattern>)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
