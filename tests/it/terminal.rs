//! Output on a terminal.

mod colors;
mod control_characters;
mod spinner;

use std::time::Duration;

use crate::support::tool::Terminal;
use crate::support::wait;

/// The time limit for an immediate exit.
const SOON: Duration = Duration::from_secs(2);

/// Waits until the first record and the spinner are on the screen.
#[track_caller]
fn wait_for_record_and_spinner(terminal: &Terminal) {
    let are_there = |screen: &str| screen.contains("watching") && rows(screen).len() > 1;
    terminal.wait_for_screen(are_there, wait::LONG);
}

/// The rows that are not empty, without the terminal's echo of Ctrl-C.
fn rows(screen: &str) -> Vec<String> {
    screen
        .lines()
        .map(|row| row.replace("^C", "").trim_end().to_owned())
        .filter(|row| !row.is_empty())
        .collect()
}

fn contains(terminal: &Terminal, part: &[u8]) -> bool {
    terminal.raw().windows(part.len()).any(|have| have == part)
}

/// Returns whether the output sets a color: `ESC [ … m`.
fn is_colored(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic());
        // Zero resets the color.
        end.is_some_and(|end| rest[end..].starts_with('m') && !["", "0"].contains(&&rest[..end]))
    })
}
