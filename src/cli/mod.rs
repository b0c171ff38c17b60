//! The command line as clap types: what the user typed, nothing resolved.
//!
//! In scope: options, their value types and the help texts. Out of scope: the environment and the
//! defaults that depend on it. [`crate::config`] resolves both, so that one place decides which wins.

#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments on options are help texts, and help texts are not Markdown"
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
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::filter::Pattern;

pub use deferred::Deferred;
pub use values::{From, duration};
pub use watching::{
    AppearanceArgs, ExecMode, OnExecFailure, OnGapArg, Replay, Watch, WatchingArgs,
};

use values::{index, seconds, size};

/// The colours that cargo uses in its help.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Watch etcd and lose nothing
///
/// Read, write and watch the keys of an etcd cluster. A watch prints every event once and in
/// order, or it declares a gap. This holds through dropped connections, server restarts, bursts
/// of writes and slow readers.
#[derive(Debug, Parser)]
#[command(name = "etcdwatch", version, styles = STYLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Options that every command accepts.
    #[command(flatten)]
    pub global: Global,
    /// The subcommand with its own options.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command accepts, before or after the subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Connect to these endpoints, trying them in order
    ///
    /// URLs or HOST:PORT, separated by commas. The default port is 2379. The default endpoint is
    /// http://127.0.0.1:2379. [env: ETCDCTL_ENDPOINTS, ETCDCTL_ENDPOINT or ETCDCTL_PEERS]
    #[arg(long, global = true, value_hint = ValueHint::Url, value_name = "URL[,URL…]", value_delimiter = ',')]
    pub endpoints: Vec<String>,

    /// Use this version of etcd's API
    ///
    /// With 'auto', etcdwatch uses v2 if the server has it on, and v3 otherwise. If v2 does not
    /// have the key but v3 does, etcdwatch uses v3. '2' and '3' are accepted as well.
    /// [env: ETCDCTL_API]
    #[arg(long, global = true, value_enum, value_name = "VERSION")]
    pub api: Option<ApiArg>,

    /// Print records in this format
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Output,

    /// Choose when to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: Color,

    /// Suppress the notices and the spinner on standard error, but not errors
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Print each request as a curl command, and each connection change, on standard error
    ///
    /// The commands reproduce the requests. Credentials are replaced. With -vv, also print the
    /// decisions of a watch: what it asks, why it wakes, and which phase it is in.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Limit the time to connect to an endpoint, with DNS, TCP and TLS
    ///
    /// The default is 2s. [env: ETCDCTL_DIAL_TIMEOUT]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Option<Duration>,

    /// Limit the time of the whole command, and exit with 124 when it runs out
    ///
    /// The default is 5s for get, set and rm, and for check without --wait or --watch. The other
    /// commands have no limit by default. If a write was sent but not answered when the time runs
    /// out, the exit code is 7. [env: ETCDCTL_COMMAND_TIMEOUT, for get, set and rm]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// Authenticate as this user
    ///
    /// If the password is missing, etcdwatch takes it from --password-file or ETCDCTL_PASSWORD,
    /// or asks for it on the terminal. Other users of the machine can see a password on the
    /// command line. [env: ETCDCTL_USER, or ETCDCTL_USERNAME and ETCDCTL_PASSWORD]
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "NAME[:PASSWORD]")]
    pub user: Option<String>,

    /// Read the user's password from this file, which only its owner may read
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Trust the certificate authorities in this file instead of the system's
    ///
    /// The files of --cacert, --cert and --key are PEM. With any of these options, an endpoint
    /// without a scheme uses https://. A file that is replaced is read again.
    /// [env: ETCDCTL_CACERT or ETCDCTL_CA_FILE]
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub cacert: Option<PathBuf>,

    /// Present the client certificate in this file to the server
    ///
    /// Intermediate certificates follow the client certificate in the file.
    /// [env: ETCDCTL_CERT or ETCDCTL_CERT_FILE]
    #[arg(long, global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// Read the private key of the client certificate from this file
    ///
    /// The default is the file of --cert. [env: ETCDCTL_KEY or ETCDCTL_KEY_FILE]
    #[arg(id = "client-key", long = "key", global = true, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub client_key: Option<PathBuf>,

    /// Skip the verification of the server's certificate
    ///
    /// Allows man-in-the-middle attacks. A warning is printed on every run.
    /// [env: ETCDCTL_INSECURE_SKIP_TLS_VERIFY]
    #[arg(long, global = true)]
    pub insecure_skip_tls_verify: bool,

    /// Connect through this HTTP proxy
    ///
    /// The URL must begin with http://. etcdwatch ignores HTTP_PROXY and similar variables,
    /// because etcd's traffic carries credentials and is usually local.
    #[arg(long, global = true, value_hint = ValueHint::Url, value_name = "URL")]
    pub proxy: Option<String>,

    /// Limit the size of an event or a reply
    ///
    /// In bytes, or with the suffix KiB, MiB or GiB. A larger event or reply ends the run with
    /// exit code 6. The state that a watch reads, and the events of one transaction, may be 16
    /// times as large, but at most 1GiB.
    #[arg(long, global = true, value_hint = ValueHint::Other, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub max_event: usize,
}

/// The subcommands. Each holds its own options.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the value of a key, or list a directory
    ///
    /// For a directory, etcdwatch prints its children, one per line. The keys of directories end
    /// in '/'.
    Get(Deferred<Get>),
    /// Write a value, or create a directory
    ///
    /// etcdwatch tries another endpoint only as long as nothing of the write was sent. If the
    /// write was sent but not answered, the exit code is 7. Then read the key before you write
    /// again.
    Set(Deferred<Set>),
    /// Remove a key or a directory
    ///
    /// etcdwatch tries another endpoint only as long as nothing of the removal was sent. If the
    /// removal was sent but not answered, the exit code is 7.
    Rm(Deferred<Rm>),
    /// Wait for one event, or stream every event
    ///
    /// Without --stream, etcdwatch prints one event and exits with 0. With --stream, it prints
    /// every event once and in order until it is stopped, through dropped connections and server
    /// restarts. If events may be lost, because the server no longer has them, etcdwatch declares
    /// a gap.
    Watch(Deferred<Watch>),
    /// Print the events in the server's history
    ///
    /// etcdwatch prints the events from index N to the server's index at the start, then exits
    /// with 0. The exit code is 5 if events were lost, or if etcdwatch cannot prove that none
    /// were, for example without read permission on the whole keyspace. With the v2 API, etcd
    /// keeps the last 1,000 indexes of the whole store. Over v3, it keeps what was not compacted.
    #[command(
        override_usage = "etcdwatch replay [OPTIONS] <--from-index <N|oldest>|--after-index <M>> <KEY>..."
    )]
    Replay(Deferred<Replay>),
    /// Compare a subtree with a file and print the differences
    ///
    /// Each line shows one key: '+' if it is only in etcd, '-' if it is only in the file, and '~'
    /// with both values if they differ. The exit code is 0 if there are no differences, and 1
    /// otherwise.
    Check(Deferred<Check>),
    /// Check whether a cluster is fit to be watched
    ///
    /// etcdwatch asks each endpoint for its version and health and watches for a moment. Then it
    /// prints a table of the endpoints, and the problems it found with their remedies. The exit
    /// code is 0 if there are no problems, and 1 otherwise.
    Doctor(Deferred<Doctor>),
    /// Print a completion script for a shell
    Completions(Deferred<Completions>),
}

/// Arguments of `get`.
#[derive(Args, Clone, Debug)]
pub struct Get {
    /// Read these keys
    ///
    /// With the v2 API, etcdwatch adds a missing leading '/'. If there are several keys, each is
    /// printed as key TAB value, or with -o json as one object per line.
    #[arg(required = true, value_name = "KEY", value_hint = ValueHint::Other)]
    pub keys: Vec<String>,
    /// Print everything below a directory, as key TAB value
    #[arg(short, long)]
    pub recursive: bool,
    /// Sort by key
    #[arg(long)]
    pub sort: bool,
    /// Read what a majority of the members agrees on, as v3 always does
    #[arg(long)]
    pub quorum: bool,
    /// Print every key that begins with KEY, as key TAB value (v3 only)
    #[arg(long)]
    pub prefix: bool,
}

/// Arguments of `set`.
#[derive(Args, Clone, Debug)]
pub struct Set {
    /// Write this key; with the v2 API, a missing leading '/' is added
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// Write this value; '-' reads it unchanged from standard input
    #[arg(allow_hyphen_values = true, required_unless_present = "dir", value_hint = ValueHint::Other)]
    pub value: Option<OsString>,
    /// Expire the key after this time: whole seconds, or a duration such as 90s or 5m
    #[arg(long, value_hint = ValueHint::Other, value_name = "DURATION|SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub ttl: Option<std::num::NonZeroU64>,
    /// Create a directory (v2 only)
    #[arg(long, conflicts_with_all = ["value", "prev_value"])]
    pub dir: bool,
    /// Write only if the key does not exist
    #[arg(long, conflicts_with_all = ["update", "prev_value", "prev_index", "in_order"])]
    pub create: bool,
    /// Write only if the key exists
    #[arg(long, conflicts_with = "in_order")]
    pub update: bool,
    /// Write to a new key below KEY; etcd chooses its name, in ascending order (v2 only)
    #[arg(long, conflicts_with_all = ["prev_value", "prev_index"])]
    pub in_order: bool,
    /// Write only if the present value is V, which may be empty
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "V",
        alias = "swap-with-value",
        allow_hyphen_values = true
    )]
    pub prev_value: Option<OsString>,
    /// Write only if the key was last changed at index N
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "swap-with-index", value_parser = index)]
    pub prev_index: Option<u64>,
}

/// Arguments of `rm`.
#[derive(Args, Clone, Debug)]
pub struct Rm {
    /// Remove this key; with the v2 API, a missing leading '/' is added
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// Remove a directory and everything below it
    #[arg(short, long)]
    pub recursive: bool,
    /// Remove an empty directory (v2 only)
    #[arg(long)]
    pub dir: bool,
    /// Remove every key that begins with KEY (v3 only)
    #[arg(long, conflicts_with_all = ["prev_value", "prev_index", "dir"])]
    pub prefix: bool,
    /// Remove only if the present value is V, which may be empty
    #[arg(
        long,
        value_hint = ValueHint::Other, value_name = "V",
        alias = "with-value",
        allow_hyphen_values = true
    )]
    pub prev_value: Option<OsString>,
    /// Remove only if the key was last changed at index N
    #[arg(long, value_hint = ValueHint::Other, value_name = "N", alias = "with-index", value_parser = index)]
    pub prev_index: Option<u64>,
}

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// Read the desired state from this file; '-' is standard input
    ///
    /// The file is nested JSON or YAML, flat JSON, or the output of 'get -r -o json'.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Compare this key and everything below it; the names in the file are relative to it
    #[arg(value_hint = ValueHint::Other)]
    pub key: String,
    /// Ignore keys that match, and everything below them; may be repeated
    ///
    /// '*' and '?' match within a segment, '**' matches across segments. A pattern without a
    /// leading '/' may match from any segment on.
    #[arg(long, value_hint = ValueHint::Other, value_name = "GLOB", value_parser = str::parse::<Pattern>)]
    pub ignore: Vec<Pattern>,
    /// Allow keys in etcd that are not in the file
    #[arg(long)]
    pub subset: bool,
    /// Wait until there are no differences; after --timeout, exit with 124
    #[arg(long, conflicts_with = "watch")]
    pub wait: bool,
    /// Keep watching: print each new difference, and '=' for a key that no longer differs
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// Count the writes to this key and everything below it; the default is all keys
    #[arg(value_hint = ValueHint::Other)]
    pub key: Option<String>,
    /// Count writes for this time
    #[arg(id = "for", long = "for", value_hint = ValueHint::Other, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub sample: Duration,
}

/// Arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// Print the script for this shell
    pub shell: clap_complete::Shell,
}

/// Values of `--api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ApiArg {
    /// The API that the server has
    Auto,
    /// The v2 API, /v2/keys
    #[value(alias = "2")]
    V2,
    /// The v3 API, through the JSON gateway
    #[value(alias = "3")]
    V3,
}

/// Values of `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// TAB-separated fields: index, action, key, value
    Text,
    /// One JSON object per line
    Json,
}

/// Values of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Use colours on a terminal, unless NO_COLOR is set or TERM is 'dumb'
    Auto,
    /// Use colours always
    Always,
    /// Use no colours
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_clap_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
