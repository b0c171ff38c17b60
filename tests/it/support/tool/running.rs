//! Programs in the background: a test waits for their lines, signals them, and measures them.

use std::io::{ErrorKind, Read};
use std::process::{Child, ChildStdout};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::output::{Output, code, parse_lines, transcript, whole_lines};
use super::process::Process;
use super::{Program, Signal};
use crate::support::wait;

/// A program in the background, with everything that it has written so far. Dropping it kills
/// the program.
pub struct Running {
    process: Process,
    stdout: Collected,
    stderr: Collected,
    unread: Mutex<Option<ChildStdout>>,
}

impl Running {
    /// A child whose stdout is a pipe that is not yet read, and whose stderr is a pipe.
    pub(super) fn new(mut child: Child, label: String) -> Self {
        let stderr = Collected::from(child.stderr.take().expect("stderr is a pipe"));
        Self {
            stdout: Collected::default(),
            unread: Mutex::new(child.stdout.take()),
            stderr,
            process: Process::new(child, label),
        }
    }

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

/// A size in a `/proc/PID/status`, in KiB.
fn size_in(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
