//! The settings of a run, as plain values that [`crate::config`] resolves.

mod choices;
mod warning;
mod watch;
mod watched;

use std::time::Duration;

use etcdwatch_client::config::Config;
use etcdwatch_client::endpoint::Endpoint;

pub use self::choices::{ApiChoice, OutputFormat};
pub use self::warning::Warning;
pub use self::watch::{Appearance, WatchSettings};
pub use self::watched::WatchedKeys;

/// The settings that every command has.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a separate option")]
pub struct Settings {
    /// The configuration of connections.
    pub client: Config,
    /// The API to use.
    pub api: ApiChoice,
    /// The format of records, notices and errors.
    pub output: OutputFormat,
    /// Whether to use colours on standard output.
    pub color: bool,
    /// Whether to suppress notices and the spinner.
    pub quiet: bool,
    /// Whether to print requests.
    pub verbose: bool,
    /// Whether to print the decisions of a watch.
    pub trace: bool,
    /// The limit of the whole command; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a pipe, whose reader may write to the same terminal.
    pub stdout_is_pipe: bool,
    /// The warnings to print before the run starts.
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// The URL of an endpoint by its place in the list; empty if there is none.
    #[must_use]
    pub fn url(&self, endpoint: usize) -> &str {
        let endpoint = self.client.endpoints.get(endpoint);
        endpoint.map_or("", Endpoint::url)
    }
}
