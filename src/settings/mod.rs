//! What holds for a run, as plain values. [`crate::config`] resolves them.

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
pub use self::watched::Watched;

/// What holds for every command.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and no two make a state"
)]
pub struct Settings {
    /// What connections are made with.
    pub client: Config,
    /// Which API is used.
    pub api: ApiChoice,
    /// How records are printed.
    pub output: OutputFormat,
    /// Whether colours are used.
    pub color: bool,
    /// No notices and no spinner.
    pub quiet: bool,
    /// Whether requests are printed.
    pub verbose: bool,
    /// Whether the decisions of a watch are printed.
    pub trace: bool,
    /// How long the whole command may take.
    pub timeout: Option<Duration>,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a pipe: whoever reads it may write to the same terminal.
    pub stdout_is_pipe: bool,
    /// What a person is told before anything is done.
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// The URL of the endpoint at this place; empty where there is none.
    #[must_use]
    pub fn url(&self, endpoint: usize) -> &str {
        let endpoint = self.client.endpoints.get(endpoint);
        endpoint.map_or("", Endpoint::url)
    }
}
