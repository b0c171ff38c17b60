//! Asks for a password on the terminal, without showing it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::Error;
use crate::run::signal;
use etcdwatch_engine::escape;

/// What is typed beside letters, as terminals send it.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ERASE: [u8; 2] = [0x08, 0x7f];
const ERASE_ALL: u8 = 0x15;
const QUIT: u8 = 0x1c;

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Given(Vec<u8>),
    Interrupted,
    /// Nobody is there any more.
    Ended,
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    fn open() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        // Ctrl-C comes as a byte: one that ended the process would leave the terminal mute.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }

    /// Does `work`, and leaves the terminal as it was also where a signal ends the process.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let (terminal, before) = (self.terminal.try_clone()?, self.before.clone());
        let last = move || drop(Self { terminal, before });
        signal::guard(last, || work(&mut self.terminal))?
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing more can be done where that fails.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
        let _ = self.terminal.write_all(b"\n");
    }
}

/// Asks for the password of `user`.
///
/// # Errors
/// Where there is no terminal, or nothing was typed.
pub fn password(user: &str) -> Result<String, Error> {
    let refused = |why: &str| {
        Error::Usage(format!(
            "no password for user '{user}': {why}; use --password-file or ETCDCTL_PASSWORD"
        ))
    };
    let Ok(mut hidden) = Hidden::open() else {
        return Err(refused("there is no terminal to ask on"));
    };
    let question = format!("Password for {}: ", escape::message(user));
    let answer = hidden.guarded(|terminal| {
        terminal.write_all(question.as_bytes())?;
        read_line(terminal)
    });
    drop(hidden);
    match answer {
        Ok(Answer::Given(line)) if line.is_empty() => Err(refused("none was typed")),
        Ok(Answer::Given(line)) => String::from_utf8(line).map_err(|_| refused("it is not UTF-8")),
        Ok(Answer::Interrupted) => {
            signal::interrupt();
            Err(refused("none was typed"))
        }
        Ok(Answer::Ended) => Err(refused("none was typed")),
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// Reads what is typed up to the end of the line, as a terminal would edit it.
fn read_line(terminal: &mut impl Read) -> io::Result<Answer> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match terminal.read(&mut byte) {
            Ok(0) => return Ok(Answer::Ended),
            Ok(_) => {}
            // The terminal was resized.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            b'\n' | b'\r' => return Ok(Answer::Given(line)),
            INTERRUPT | QUIT => return Ok(Answer::Interrupted),
            END if line.is_empty() => return Ok(Answer::Ended),
            END => return Ok(Answer::Given(line)),
            ERASE_ALL => line.clear(),
            byte if ERASE.contains(&byte) => {
                // A letter may be several bytes: all but the first begin with the bits 10.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            // None of a password: what would stop a process, or move a cursor.
            control if control.is_ascii_control() => {}
            byte => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Answer {
        read_line(&mut &*bytes).unwrap()
    }

    #[test]
    fn a_line_is_edited_as_on_a_terminal() {
        let given = |text: &str| Answer::Given(text.as_bytes().to_vec());
        assert_eq!(typed(b"hunter2\n"), given("hunter2"));
        assert_eq!(typed("hunterü\x7f2\r".as_bytes()), given("hunter2"));
        assert_eq!(typed(b"\x7f\x08nonsense\x15hunter2\n"), given("hunter2"));
        assert_eq!(typed(b"hunter2\x04"), given("hunter2"));
        assert_eq!(typed(b"hun\x1ater2\n"), given("hunter2"));
    }

    #[test]
    fn whoever_goes_away_gives_none() {
        assert_eq!(typed(b"hun\x03"), Answer::Interrupted);
        assert_eq!(typed(b"hun\x1c"), Answer::Interrupted);
        assert_eq!(typed(b"hun"), Answer::Ended);
        assert_eq!(typed(b"\x04"), Answer::Ended);
    }
}
