//! Asks for a password on the terminal without echo.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::Error;
use crate::run::signal;
use etcdwatch_engine::escape;

/// The control characters that a terminal in canonical mode would handle.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ERASE: [u8; 2] = [0x08, 0x7f];
const ERASE_ALL: u8 = 0x15;
const QUIT: u8 = 0x1c;

/// The result of the prompt.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    /// The line that was typed.
    Given(Vec<u8>),
    /// Ctrl-C or Ctrl-\ was typed.
    Interrupted,
    /// The terminal was closed, or Ctrl-D was typed first.
    Ended,
}

/// A terminal without echo. Its mode is restored on drop.
struct SilentTerminal {
    terminal: File,
    before: Termios,
}

impl SilentTerminal {
    fn open() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        // Without ISIG, Ctrl-C is a byte. As a signal it would end the process with echo still off.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }

    /// Does `work`, and restores the terminal even if a signal ends the process.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let (terminal, before) = (self.terminal.try_clone()?, self.before.clone());
        let last = move || drop(Self { terminal, before });
        signal::guard(last, || work(&mut self.terminal))?
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        // There is no remedy if this fails.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
        let _ = self.terminal.write_all(b"\n");
    }
}

/// Asks for the password of `user`.
///
/// # Errors
/// If there is no terminal, or nothing was typed.
pub fn password(user: &str) -> Result<String, Error> {
    let refused = |why: &str| {
        Error::Usage(format!(
            "no password for user '{user}': {why}; use --password-file or ETCDCTL_PASSWORD"
        ))
    };
    let Ok(mut hidden) = SilentTerminal::open() else {
        return Err(refused("there is no terminal for a prompt"));
    };
    let question = format!("Password for {}: ", escape::message(user));
    let answer = hidden.guarded(|terminal| {
        terminal.write_all(question.as_bytes())?;
        read_line(terminal)
    });
    drop(hidden);
    match answer {
        Ok(Typed::Given(line)) if line.is_empty() => Err(refused("nothing was typed")),
        Ok(Typed::Given(line)) => {
            String::from_utf8(line).map_err(|_| refused("the input is not UTF-8"))
        }
        Ok(Typed::Interrupted) => {
            signal::interrupt();
            Err(refused("nothing was typed"))
        }
        Ok(Typed::Ended) => Err(refused("nothing was typed")),
        Err(error) => Err(refused(&error.to_string())),
    }
}

/// Reads a line, and handles erase characters as a terminal in canonical mode does.
fn read_line(terminal: &mut impl Read) -> io::Result<Typed> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match terminal.read(&mut byte) {
            Ok(0) => return Ok(Typed::Ended),
            Ok(_) => {}
            // A signal, for example because the terminal was resized.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            b'\n' | b'\r' => return Ok(Typed::Given(line)),
            INTERRUPT | QUIT => return Ok(Typed::Interrupted),
            END if line.is_empty() => return Ok(Typed::Ended),
            END => return Ok(Typed::Given(line)),
            ERASE_ALL => line.clear(),
            byte if ERASE.contains(&byte) => {
                // In UTF-8, all bytes of a character but the first begin with the bits 10.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            // Other control characters are not part of a password.
            control if control.is_ascii_control() => {}
            byte => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Typed {
        read_line(&mut &*bytes).unwrap()
    }

    #[test]
    fn editing_keys_change_the_line() {
        let given = |text: &str| Typed::Given(text.as_bytes().to_vec());
        assert_eq!(typed(b"hunter2\n"), given("hunter2"));
        assert_eq!(typed("hunterü\x7f2\r".as_bytes()), given("hunter2"));
        assert_eq!(typed(b"\x7f\x08nonsense\x15hunter2\n"), given("hunter2"));
        assert_eq!(typed(b"hunter2\x04"), given("hunter2"));
        assert_eq!(typed(b"hun\x1ater2\n"), given("hunter2"));
    }

    #[test]
    fn an_interrupted_or_ended_line_gives_no_password() {
        assert_eq!(typed(b"hun\x03"), Typed::Interrupted);
        assert_eq!(typed(b"hun\x1c"), Typed::Interrupted);
        assert_eq!(typed(b"hun"), Typed::Ended);
        assert_eq!(typed(b"\x04"), Typed::Ended);
    }
}
