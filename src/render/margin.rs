//! Standard error as a terminal that is a few columns narrower than it is.
//!
//! indicatif fills a line to its end. The `^C` that a terminal echoes would wrap it, and a wrapped line cannot
//! be erased.

use std::io::{self, Write as _};

use indicatif::TermLike;

/// The columns for `^C` and the cursor.
const MARGIN: u16 = 3;

/// Standard error without the margin on the right.
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
            .saturating_sub(MARGIN)
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
