//! The exit codes: one table, from which the man pages' EXIT STATUS is made.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The answer is no.
    No,
    /// Bad usage.
    Usage,
    /// Nobody there.
    Unreachable,
    /// The server refused.
    Refused,
    /// Events were lost.
    Lost,
    /// Not etcd's reply.
    NotEtcd,
    /// A write whose outcome is unknown.
    Unknown,
    /// Output could not be written.
    Output,
    /// A command that was run failed.
    CommandFailed,
    /// `--timeout` ran out.
    TimedOut,
    /// A command can't be run.
    CommandUnrunnable,
    /// There is no such command.
    CommandNotFound,
    /// SIGHUP.
    HungUp,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// Every way to end, in the order of the codes.
    pub const ALL: [Self; 16] = [
        Self::Done,
        Self::No,
        Self::Usage,
        Self::Unreachable,
        Self::Refused,
        Self::Lost,
        Self::NotEtcd,
        Self::Unknown,
        Self::Output,
        Self::CommandFailed,
        Self::TimedOut,
        Self::CommandUnrunnable,
        Self::CommandNotFound,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The code that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
            Self::Lost => 5,
            Self::NotEtcd => 6,
            Self::Unknown => 7,
            Self::Output => 74,
            Self::CommandFailed => 123,
            Self::TimedOut => 124,
            Self::CommandUnrunnable => 126,
            Self::CommandNotFound => 127,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code means, as the man page says it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done; also when the reader of standard output went away.",
            Self::No => {
                "The answer is no: key not found, compare failed, key already exists, or check or \
                 doctor found something."
            }
            Self::Usage => "Usage: an option or argument that can't be used, and why.",
            Self::Unreachable => "No endpoint could be reached.",
            Self::Refused => {
                "The server refused: authentication, permission, not a file, not a directory, no \
                 quorum, the API off, any other etcd error."
            }
            Self::Lost => {
                "Events were lost and --on-gap fail was in force: the lost range is in the message."
            }
            Self::NotEtcd => {
                "The reply was not etcd's: malformed, too large, a redirect; or no endpoint is of \
                 the right cluster."
            }
            Self::Unknown => {
                "A write was sent and its outcome is unknown: no answer came, or one that is not \
                 etcd's. Read the key before writing again."
            }
            Self::Output => {
                "Standard output or the checkpoint could not be written, for example to a full disk."
            }
            Self::CommandFailed => {
                "A command that was run for an event failed, and --on-exec-failure stop was in force."
            }
            Self::TimedOut => "--timeout or --idle-timeout ran out.",
            Self::CommandUnrunnable => "The command can't be run.",
            Self::CommandNotFound => "There is no such command.",
            Self::HungUp => "Ended by SIGHUP, after the records already received were written.",
            Self::Interrupted => {
                "Ended by Ctrl-C, after the records already received were written."
            }
            Self::Terminated => {
                "Ended by SIGTERM, after the records already received were written."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn every_code_is_there_once_and_in_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    }
}
