//! The exit codes. The EXIT STATUS sections of the man pages are generated from this table.

/// The reason why the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command did what it was asked to do.
    Done,
    /// etcd answered, and the answer is negative.
    No,
    /// The command line is invalid.
    Usage,
    /// No endpoint could be reached.
    Unreachable,
    /// The server refused the request.
    Refused,
    /// Events were lost, with `--on-gap fail`.
    Lost,
    /// The reply is not one that etcd sends.
    NotEtcd,
    /// A write was sent, and its outcome is unknown.
    Unknown,
    /// Standard output or the checkpoint could not be written.
    Output,
    /// The command that was run for an event failed.
    CommandFailed,
    /// `--timeout` or `--idle-timeout` ran out.
    TimedOut,
    /// The command to run for an event is not executable.
    CommandUnrunnable,
    /// The command to run for an event was not found.
    CommandNotFound,
    /// SIGHUP ended the process.
    HungUp,
    /// SIGINT ended the process.
    Interrupted,
    /// SIGTERM ended the process.
    Terminated,
}

impl Exit {
    /// Every reason, in the order of the codes.
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

    /// The meaning of the code, as the man pages state it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Success. Also if the reader of standard output closed the pipe.",
            Self::No => {
                "The answer is negative: the key was not found, a condition did not hold, the key \
                 already exists, check found a difference, or doctor found a problem."
            }
            Self::Usage => {
                "Usage error: an option or an argument is invalid. The message says why."
            }
            Self::Unreachable => "No endpoint could be reached.",
            Self::Refused => {
                "The server refused the request: authentication, permission, not a file, not a \
                 directory, no quorum, the API is off, or any other etcd error."
            }
            Self::Lost => {
                "Events were lost, or may have been, with --on-gap fail. The message gives the range."
            }
            Self::NotEtcd => {
                "The reply is not one that etcd sends: malformed, too large, or a redirect. Also if \
                 no endpoint belongs to the right cluster."
            }
            Self::Unknown => {
                "A write was sent, but its outcome is unknown, because the answer is missing or not \
                 etcd's. Read the key before you write again."
            }
            Self::Output => {
                "Standard output or the checkpoint could not be written, for example because the \
                 disk is full."
            }
            Self::CommandFailed => {
                "The command that was run for an event failed, with --on-exec-failure stop."
            }
            Self::TimedOut => "--timeout or --idle-timeout ran out.",
            Self::CommandUnrunnable => "The command to run for an event is not executable.",
            Self::CommandNotFound => "The command to run for an event was not found.",
            Self::HungUp => "SIGHUP ended the run. The records received before it were written.",
            Self::Interrupted => {
                "Ctrl-C (SIGINT) ended the run. The records received before it were written."
            }
            Self::Terminated => {
                "SIGTERM ended the run. The records received before it were written."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_codes_are_unique_and_in_ascending_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    }
}
