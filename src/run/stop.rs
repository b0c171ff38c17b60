//! Why a run ends before its command is done.

use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::exit::Exit;

/// Why a run ends before its work does.
#[derive(Debug)]
pub enum Stop {
    /// With this exit code and no message: after a signal, or when the reader of standard output is
    /// gone.
    Quiet(Exit),
    /// With an error.
    Error(Error),
    /// With several errors, the last of which decides the exit code.
    Errors(Vec<Error>),
}

impl Stop {
    /// An error of a write to standard output. If its reader is gone, the run ends quietly.
    #[must_use]
    pub fn from_output(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Quiet(Exit::Done),
            _ => Self::Error(Error::Output(error)),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
