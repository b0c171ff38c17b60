//! How a program ended, and what it wrote.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde_json::Value;

/// How a program ended, and everything that it wrote.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code, or the negated number of the signal that ended it.
    pub code: i32,
    /// Everything on stdout, as bytes.
    pub stdout_bytes: Vec<u8>,
    /// Everything on stdout, as text.
    pub stdout: String,
    /// Everything on stderr, as text.
    pub stderr: String,
}

impl Output {
    /// The lines of stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        parse_lines(&whole_lines(&self.stdout))
    }

    /// The records of a run that exited with 0.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        parse_lines(&self.stdout.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    /// The fields of the only line of a run that exited with 0 and wrote nothing to stderr.
    #[track_caller]
    pub fn fields(&self) -> Vec<String> {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        let line = self.stdout.strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "{self:?}");
        line.split('\t').map(str::to_owned).collect()
    }
}

/// Asserts the exit code, and that stderr contains each of these parts.
#[track_caller]
pub fn assert_ends(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.code, code, "{output:?}");
    for part in parts {
        assert!(output.stderr.contains(part), "no '{part}' in {output:?}");
    }
}

/// Asserts the exit code, an empty stdout, and that stderr contains each of these parts.
#[track_caller]
pub fn assert_fails(output: &Output, code: i32, parts: &[&str]) {
    assert_ends(output, code, parts);
    assert_eq!(output.stdout, "", "{output:?}");
}

/// Parses each line as JSON. Panics with the line that is not JSON.
#[track_caller]
pub fn parse_lines(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
        })
        .collect()
}

/// The lines of a text that end with a newline.
pub(super) fn whole_lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect()
}

/// A command line and what it wrote, for the message of a panic.
pub(super) fn transcript(label: &str, stdout: &str, stderr: &str) -> String {
    format!(
        "$ {label}\n--- stdout\n{}\n--- stderr\n{}",
        ends(stdout),
        ends(stderr)
    )
}

/// The first 2,000 and the last 4,000 characters of a text that is longer than both.
fn ends(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= 6_000 {
        return text.to_owned();
    }
    let head: String = characters[..2_000].iter().collect();
    let tail: String = characters[characters.len() - 4_000..].iter().collect();
    format!("{head}\n[…]\n{tail}")
}

/// The exit code, or the negated number of the signal that ended the program.
pub(super) fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().expect("an exit code or a signal"))
}
