//! Runs programs, mostly the tool under test: to their end, in the background, or on a terminal.
//!
//! A command that runs to its end is run by `assert_cmd`. The code here is for what `assert_cmd`
//! does not do: watches that go on while a test writes, waits for their next line, signals them,
//! or leaves their output unread.
//!
//! In scope: a clean environment, the three streams, signals, deadlines, peak memory. Out of
//! scope: what the output means (`oracle`).

mod output;
mod process;
mod running;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, open};
pub use rustix::process::Signal;

pub use self::output::{Output, assert_ends, assert_fails, parse_lines};
use self::output::{code, transcript};
pub use self::running::Running;
pub use self::terminal::Terminal;
use super::wait;

/// The variables of this process that a program inherits: enough to find other programs and to
/// write coverage. Variables that change what the tool does (`ETCDCTL_*`, `HTTP_PROXY`,
/// `NO_COLOR`, …) are not among them.
const KEPT: [&str; 4] = ["PATH", "TMPDIR", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"];

/// Runs the tool with these arguments to its end.
#[track_caller]
pub fn tool(arguments: &[&str]) -> Output {
    Program::tool(arguments).run()
}

/// Runs the tool with these arguments and this stdin to its end.
#[track_caller]
pub fn tool_with_stdin(arguments: &[&str], stdin: &[u8]) -> Output {
    Program::tool(arguments).stdin(stdin).run()
}

/// A program that is not started yet, with its arguments and its environment.
pub struct Program {
    path: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    unread: bool,
}

impl Program {
    /// The tool under test.
    pub fn tool<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        Self::new(env!("CARGO_BIN_EXE_etcdwatch"), arguments)
    }

    /// A shell script in which `"$0" "$@"` is the tool under test with these arguments.
    pub fn shell<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Self {
        let mut words: Vec<&OsStr> = vec!["-c".as_ref(), script.as_ref()];
        words.push(env!("CARGO_BIN_EXE_etcdwatch").as_ref());
        words.extend(arguments.iter().map(AsRef::as_ref));
        Self::new("sh", &words)
    }

    /// Any program, such as etcdctl.
    pub fn new<A: AsRef<OsStr>>(path: impl Into<OsString>, arguments: &[A]) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.iter().map(|one| one.as_ref().into()).collect(),
            environment: Vec::new(),
            stdin: None,
            unread: false,
        }
    }

    /// Replaces the program and its arguments, and keeps the environment.
    pub fn replace<A: AsRef<OsStr>>(mut self, path: &str, arguments: &[A]) -> Self {
        self.path = path.into();
        self.arguments = arguments.iter().map(|one| one.as_ref().into()).collect();
        self
    }

    /// Sets a variable in its environment, which is empty otherwise.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes these bytes to its stdin and closes it. By default its stdin is empty.
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_owned());
        self
    }

    /// Leaves its stdout unread until [`Running::read_stdout`], as a slow reader does, or one that
    /// goes away.
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Runs it to its end. A program that takes longer than [`wait::LONG`] is killed, and the
    /// panic shows what it wrote until then.
    #[track_caller]
    pub fn run(self) -> Output {
        self.run_within(wait::LONG)
    }

    /// Runs it to its end, which must come within `limit`.
    #[track_caller]
    pub fn run_within(self, limit: Duration) -> Output {
        assert!(
            !self.unread,
            "stdout is read where a program is run to its end"
        );
        let label = self.label();
        let mut command = assert_cmd::Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.full_environment())
            .timeout(limit);
        if let Some(bytes) = self.stdin {
            command.write_stdin(bytes);
        }
        let begin = Instant::now();
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        let took = begin.elapsed();
        let code = code(output.status);
        let output = Output {
            code,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stdout_bytes: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        // assert_cmd kills a program whose time is up, and does not say that it did.
        assert!(
            code != -Signal::KILL.as_raw() || took < limit,
            "it has not ended after {limit:?}\n{}",
            transcript(&label, &output.stdout, &output.stderr)
        );
        output
    }

    /// Starts it in the background.
    #[track_caller]
    pub fn start(self) -> Running {
        let label = self.label();
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.full_environment())
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        if let Some(bytes) = self.stdin {
            let mut stdin = child.stdin.take().expect("stdin is a pipe");
            thread::spawn(move || {
                // A program may end without reading all of its stdin.
                let _ = stdin.write_all(&bytes);
            });
        }
        let running = Running::new(child, label);
        if !self.unread {
            running.read_stdout();
        }
        running
    }

    /// Starts it on a terminal of this size, which is its stdin, stdout and stderr.
    #[track_caller]
    pub fn on_terminal(self, rows: u16, columns: u16) -> Terminal {
        let label = self.label();
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns))
            .expect("the terminal's size");
        let command = PtyCommand::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .env("TERM", "xterm-256color")
            .envs(self.full_environment());
        let child = command
            .spawn(pts)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        Terminal::new(child, label, pty, rows, columns)
    }

    fn full_environment(&self) -> Vec<(OsString, OsString)> {
        KEPT.iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
            .chain(self.environment.iter().cloned())
            .collect()
    }

    fn label(&self) -> String {
        let mut words = vec![self.path.to_string_lossy()];
        words.extend(self.arguments.iter().map(|one| one.to_string_lossy()));
        words.join(" ")
    }
}
