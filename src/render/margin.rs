//! Standard error as a terminal that is a little narrower than it is.
//!
//! indicatif fills a line up to its end, and the `^C` that a terminal echoes would then break
//! it: a broken line can't be taken off again.

use std::io::{self, Write as _};

use indicatif::TermLike;

/// Room for `^C`, and for the cursor.
const ROOM: u16 = 3;

/// Standard error, less a margin on the right.
#[derive(Debug)]
pub struct Margin;

impl Margin {
    fn steer(count: usize, direction: char) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        write!(io::stderr(), "\x1b[{count}{direction}")
    }
}

impl TermLike for Margin {
    fn width(&self) -> u16 {
        rustix::termios::tcgetwinsize(io::stderr())
            .map_or(80, |size| size.ws_col)
            .saturating_sub(ROOM)
    }

    fn height(&self) -> u16 {
        rustix::termios::tcgetwinsize(io::stderr()).map_or(24, |size| size.ws_row)
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        Self::steer(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        Self::steer(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        Self::steer(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        Self::steer(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{text}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        io::stderr().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
