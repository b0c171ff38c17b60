//! Runs programs, mostly the tool under test: to their end, in the background, or on a terminal.
//!
//! A command that runs to its end is run by `assert_cmd`. The code here is for what `assert_cmd`
//! does not do: watches that go on while a test writes, waits for their next line, signals them,
//! or leaves their output unread.
//!
//! In scope: a clean environment, the three streams, signals, deadlines, peak memory. Out of
//! scope: what the output means (`oracle`).

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty, open};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;

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
        let stderr = Collected::from(child.stderr.take().expect("stderr is a pipe"));
        let running = Running {
            stdout: Collected::default(),
            unread: Mutex::new(child.stdout.take()),
            stderr,
            process: Process::new(child, label),
        };
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
        let pty = Arc::new(pty);
        let shown = Arc::new(Mutex::new(Shown {
            raw: Vec::new(),
            parser: vt100::Parser::new(rows, columns, 0),
            ended: false,
        }));
        thread::spawn({
            let (pty, shown) = (Arc::clone(&pty), Arc::clone(&shown));
            move || collect_screen(&pty, &shown)
        });
        Terminal {
            pty,
            shown,
            process: Process::new(child, label),
        }
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

/// A program in the background, with everything that it has written so far. Dropping it kills
/// the program.
pub struct Running {
    process: Process,
    stdout: Collected,
    stderr: Collected,
    unread: Mutex<Option<ChildStdout>>,
}

impl Running {
    /// Starts the tool with these arguments.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Self {
        Program::tool(arguments).start()
    }

    /// Begins to read a stdout that was left unread.
    pub fn read_stdout(&self) {
        let stdout = self.unread.lock().unwrap().take().expect("it is unread");
        self.stdout.fill_from(stdout);
    }

    /// Closes a stdout that was left unread, as a reader does that goes away.
    pub fn close_stdout(&self) {
        drop(self.take_stdout());
    }

    /// Returns a stdout that was left unread.
    pub fn take_stdout(&self) -> ChildStdout {
        let stdout = self.unread.lock().unwrap().take().expect("it is unread");
        self.stdout.0.lock().unwrap().ended = true;
        stdout
    }

    /// The whole lines on stdout so far.
    pub fn lines(&self) -> Vec<String> {
        whole_lines(&self.stdout.text())
    }

    /// The whole lines on stdout so far, each parsed as JSON. Panics if one of them is not JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        parse_lines(&self.lines())
    }

    /// Everything on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until stdout has at least `count` whole lines, and returns all of them. Panics if
    /// the limit passes or stdout ends first.
    #[track_caller]
    pub fn wait_for_lines(&self, count: usize, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.stdout.ended();
            if self.stdout.count_lines() >= count {
                return self.lines();
            }
            assert!(
                !ended && Instant::now() < deadline,
                "{} of {count} lines after {limit:?}{}\n{}",
                self.stdout.count_lines(),
                if ended { ", and no more to come" } else { "" },
                self.transcript()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until stderr contains `part`.
    #[track_caller]
    pub fn wait_for_stderr(&self, part: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.stderr.ended();
            if self.stderr.text().contains(part) {
                return;
            }
            assert!(
                !ended && Instant::now() < deadline,
                "no {part:?} on stderr\n{}",
                self.transcript()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends a signal to a program that may have ended already. Then nothing happens.
    pub fn try_signal(&self, signal: Signal) {
        self.process.try_signal(signal);
    }

    /// Returns whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.process.try_wait().is_some()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its peak memory so far (the kernel's `VmHWM`), in KiB. It must be running.
    pub fn peak_memory_kib(&self) -> u64 {
        let size = self.status("VmHWM:");
        size.strip_suffix(" kB")
            .and_then(|size| size.parse().ok())
            .unwrap_or_else(|| panic!("no size: {size}"))
    }

    /// Returns whether it has a handler for this signal. It must be running.
    pub fn catches(&self, signal: Signal) -> bool {
        let mask = u64::from_str_radix(&self.status("SigCgt:"), 16).expect("a mask");
        mask >> (signal.as_raw() - 1) & 1 == 1
    }

    /// A field of its `/proc/PID/status`. It must be running.
    fn status(&self, name: &str) -> String {
        let path = format!("/proc/{}/status", self.process.pid());
        let status = std::fs::read_to_string(path).expect("the process's state");
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("no {name}; it has ended?\n{status}"))
            .trim()
            .to_owned()
    }

    /// Waits for its end. After the limit it is killed, and the panic shows what it wrote.
    #[track_caller]
    pub fn wait(self, limit: Duration) -> Output {
        let Some(status) = self.process.wait(limit) else {
            panic!("it has not ended after {limit:?}\n{}", self.transcript());
        };
        // What it wrote before its end may still be in the pipes. A stdout that was left unread
        // is dropped.
        if self.unread.lock().unwrap().take().is_none() {
            wait::until(wait::LONG, "the end of stdout", || self.stdout.ended());
        }
        wait::until(wait::LONG, "the end of stderr", || self.stderr.ended());
        let stdout_bytes = self.stdout.bytes();
        Output {
            code: code(status),
            stdout: String::from_utf8_lossy(&stdout_bytes).into_owned(),
            stdout_bytes,
            stderr: self.stderr.text(),
        }
    }

    /// Waits for its end and samples its memory meanwhile. Returns its output and the highest
    /// `VmHWM` that was seen, in KiB, which is 0 if it ended before the first sample.
    #[track_caller]
    pub fn wait_and_measure_memory(self, limit: Duration) -> (Output, u64) {
        let path = format!("/proc/{}/status", self.process.pid());
        let deadline = Instant::now() + limit;
        let own = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let own_name = own.lines().next().unwrap_or_default().to_owned() + "\n";
        let mut peak = 0;
        while self.process.try_wait().is_none() && Instant::now() < deadline {
            let status = std::fs::read_to_string(&path).unwrap_or_default();
            // Between fork and exec it has the memory of this process. After its end it has none.
            if !status.starts_with(&own_name) {
                peak = size_in(&status, "VmHWM:").unwrap_or(0).max(peak);
            }
            thread::sleep(Duration::from_millis(2));
        }
        (
            self.wait(deadline.saturating_duration_since(Instant::now())),
            peak,
        )
    }

    /// The command line and the output so far, for the message of a panic.
    fn transcript(&self) -> String {
        transcript(
            &self.process.label,
            &self.stdout.text(),
            &self.stderr.text(),
        )
    }
}

/// A program on a terminal: the bytes that it sends, and the screen that a person sees. Dropping
/// it kills the program.
pub struct Terminal {
    process: Process,
    pty: Arc<Pty>,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    raw: Vec<u8>,
    parser: vt100::Parser,
    ended: bool,
}

impl Terminal {
    /// Starts the tool with these arguments on a terminal of this size.
    #[track_caller]
    pub fn start(arguments: &[&str], rows: u16, columns: u16) -> Self {
        Program::tool(arguments).on_terminal(rows, columns)
    }

    /// The text on the screen, one line for each row, without colours.
    pub fn screen(&self) -> String {
        self.shown.lock().unwrap().parser.screen().contents()
    }

    /// Every byte that it has sent to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.shown.lock().unwrap().raw.clone()
    }

    /// Types these bytes. `\x03` is Ctrl-C.
    pub fn send(&self, bytes: &[u8]) {
        (&*self.pty).write_all(bytes).expect("the terminal");
    }

    /// Changes the terminal's size, as dragging the window's corner does.
    pub fn resize(&self, rows: u16, columns: u16) {
        let mut shown = self.shown.lock().unwrap();
        shown.parser.screen_mut().set_size(rows, columns);
        self.pty
            .resize(Size::new(rows, columns))
            .expect("the terminal's size");
    }

    /// Waits until the screen satisfies `condition`. Panics with the screen if the limit passes or
    /// the program ends first.
    #[track_caller]
    pub fn wait_for_screen(&self, condition: impl Fn(&str) -> bool, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.shown.lock().unwrap().ended;
            let screen = self.screen();
            if condition(&screen) {
                return;
            }
            assert!(
                !ended && Instant::now() < deadline,
                "$ {}\n{}, and the screen shows\n{screen}",
                self.process.label,
                if ended {
                    "it has ended".to_owned()
                } else {
                    format!("{limit:?} have passed")
                }
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end and the end of its output, and returns its exit code. After the limit it
    /// is killed, and the panic shows the screen.
    #[track_caller]
    pub fn wait(&self, limit: Duration) -> i32 {
        let Some(status) = self.process.wait(limit) else {
            panic!(
                "$ {}\nhas not ended after {limit:?}; the screen shows\n{}",
                self.process.label,
                self.screen()
            );
        };
        wait::until(wait::LONG, "the end of the terminal's output", || {
            self.shown.lock().unwrap().ended
        });
        code(status)
    }
}

/// A child that is killed when it is dropped.
struct Process {
    child: Mutex<Child>,
    label: String,
}

impl Process {
    fn new(child: Child, label: String) -> Self {
        Self {
            child: Mutex::new(child),
            label,
        }
    }

    fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    fn signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap();
        // The id of a process that was waited for may belong to another process by now.
        let ended = child.try_wait().expect("the child's state");
        assert!(ended.is_none(), "$ {}\nhas ended: {ended:?}", self.label);
        kill_process(Pid::from_child(&child), signal).expect("a signal to the child");
    }

    fn try_signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap();
        if child.try_wait().expect("the child's state").is_none() {
            kill_process(Pid::from_child(&child), signal).expect("a signal to the child");
        }
    }

    fn try_wait(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap();
        child.try_wait().expect("the child's state")
    }

    fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = match self.child.get_mut() {
            Ok(child) => child,
            Err(poisoned) => poisoned.into_inner(),
        };
        // Neither does anything to a child that has ended and was waited for.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What came through a pipe so far. A thread collects it.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Collection>>);

#[derive(Default)]
struct Collection {
    bytes: Vec<u8>,
    newlines: usize,
    ended: bool,
}

impl Collected {
    fn from(source: impl Read + Send + 'static) -> Self {
        let collected = Self::default();
        collected.fill_from(source);
        collected
    }

    fn fill_from(&self, mut source: impl Read + Send + 'static) {
        let collected = self.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(size) => {
                        let read = &buffer[..size];
                        let newlines = memchr::memchr_iter(b'\n', read).count();
                        let mut collection = collected.0.lock().unwrap();
                        collection.bytes.extend_from_slice(read);
                        collection.newlines += newlines;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            collected.0.lock().unwrap().ended = true;
        });
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().bytes).into_owned()
    }

    fn count_lines(&self) -> usize {
        self.0.lock().unwrap().newlines
    }

    fn ended(&self) -> bool {
        self.0.lock().unwrap().ended
    }
}

/// Updates the screen until no process holds the terminal any more.
fn collect_screen(mut pty: &Pty, shown: &Mutex<Shown>) {
    let mut buffer = vec![0; 1 << 12];
    loop {
        match pty.read(&mut buffer) {
            Ok(size) if size > 0 => {
                let mut shown = shown.lock().unwrap();
                shown.raw.extend_from_slice(&buffer[..size]);
                shown.parser.process(&buffer[..size]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Linux reports EIO once no process holds the terminal.
            _ => break,
        }
    }
    shown.lock().unwrap().ended = true;
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

/// A size in a `/proc/PID/status`, in KiB.
fn size_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The lines of a text that end with a newline.
fn whole_lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(str::to_owned)
        .collect()
}

/// A command line and what it wrote, for the message of a panic.
fn transcript(label: &str, stdout: &str, stderr: &str) -> String {
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

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().expect("an exit code or a signal"))
}
