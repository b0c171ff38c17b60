//! The environment of the process and its terminals.

use std::ffi::OsString;
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;

use crate::cli;
use crate::config::prompt;
use crate::error::Error;

/// Every environment variable that etcdwatch reads.
pub const VARIABLES: [&str; 18] = [
    "ETCDCTL_ENDPOINTS",
    "ETCDCTL_ENDPOINT",
    "ETCDCTL_PEERS",
    "ETCDCTL_API",
    "ETCDCTL_DIAL_TIMEOUT",
    "ETCDCTL_COMMAND_TIMEOUT",
    "ETCDCTL_USER",
    "ETCDCTL_USERNAME",
    "ETCDCTL_PASSWORD",
    "ETCDCTL_CACERT",
    "ETCDCTL_CERT",
    "ETCDCTL_KEY",
    "ETCDCTL_CA_FILE",
    "ETCDCTL_CERT_FILE",
    "ETCDCTL_KEY_FILE",
    "ETCDCTL_INSECURE_SKIP_TLS_VERIFY",
    "NO_COLOR",
    "TERM",
];

/// The environment variables and the standard streams, which tests replace.
#[derive(Clone, Copy)]
pub struct Surroundings<'e> {
    /// Looks up a variable.
    pub variable: &'e dyn Fn(&str) -> Option<OsString>,
    /// Asks for the password of this user.
    pub ask: &'e dyn Fn(&str) -> Result<String, Error>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a pipe, whose reader may write to the same terminal.
    pub stdout_is_pipe: bool,
}

fn is_pipe(stream: &impl AsFd) -> bool {
    let copy = stream.as_fd().try_clone_to_owned();
    let metadata = copy.and_then(|copy| File::from(copy).metadata());
    metadata.is_ok_and(|metadata| metadata.file_type().is_fifo())
}

impl Surroundings<'_> {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Surroundings {
            variable: &|name| std::env::var_os(name),
            ask: &prompt::password,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_is_pipe: is_pipe(&std::io::stdout()),
        }
    }

    /// The value of a variable; `None` if it is not set, or empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        // The man page lists VARIABLES, and `check` refuses the ones that are not UTF-8.
        debug_assert!(VARIABLES.contains(&name), "{name} is not in VARIABLES");
        (self.variable)(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.is_empty())
    }

    /// The name and the value of the first of these variables that is set and not empty.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// Refuses a variable that is not UTF-8, because ignoring it could reach another cluster.
    pub(super) fn check(&self) -> Result<(), Error> {
        for name in VARIABLES {
            if (self.variable)(name).is_some_and(|value| value.into_string().is_err()) {
                return Err(Error::Usage(format!("{name} is not UTF-8")));
            }
        }
        Ok(())
    }

    /// Whether to use colours on a stream.
    #[must_use]
    pub fn color(&self, when: cli::Color, is_terminal: bool) -> bool {
        match when {
            cli::Color::Always => true,
            cli::Color::Never => false,
            cli::Color::Auto => {
                is_terminal
                    && self.get("NO_COLOR").is_none()
                    && self.get("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}
