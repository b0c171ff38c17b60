//! The reasons to end a run before its command is done.

use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::exit::Exit;

/// The reason to end a run before its command is done.
#[derive(Debug)]
pub enum Stop {
    /// The run ends with this exit code and no message: after a signal, or when the reader of standard
    /// output is gone.
    Quiet(Exit),
    /// The run ends with an error.
    Error(Error),
    /// The run ends with several errors, the last of which decides the exit code.
    Errors(Vec<Error>),
}

impl Stop {
    /// Converts an error of a write to standard output. If its reader is gone, the run ends quietly.
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
