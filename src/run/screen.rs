//! Standard output for records, and standard error for everything else.
//!
//! In scope: writing so that a blocked reader does not delay signals and the deadline. Out of scope: the
//! content (`render`) and the time (`sink`) of a write.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::io::{ReadWriteFlags, pwritev2};

use super::stop::Stop;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::json;
use crate::render::progress::Progress;
use crate::settings::{OutputFormat, Settings, Warning};
use etcdwatch_engine::escape;

/// The interval at which signals and the deadline are checked while standard output is blocked.
const BLOCKED_POLL: Duration = Duration::from_millis(50);
/// The time for which writing may continue after a signal.
const STOPPED_GRACE: Duration = Duration::from_secs(1);

/// Whether writes to `output` never block: it is a file, or a device that is not a terminal.
fn never_blocks(output: &(impl AsFd + IsTerminal)) -> bool {
    let copy = output.as_fd().try_clone_to_owned();
    let kind = copy.and_then(|copy| Ok(File::from(copy).metadata()?.file_type()));
    kind.is_ok_and(|kind| kind.is_file() || kind.is_char_device() && !output.is_terminal())
}

/// Whether standard output has no reader any more, as after `| head -1`.
pub(super) fn reader_is_gone() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    matches!(
        poll(&mut polled, Some(&rustix::event::Timespec::default())),
        Ok(1..)
    ) && polled.iter().any(|fd| fd.revents().intersects(gone))
}

/// A thread that writes to standard output, so that a blocked reader does not block the run.
#[derive(Debug)]
struct Writer {
    batches: mpsc::SyncSender<Vec<u8>>,
    written: Receiver<(Vec<u8>, io::Result<()>)>,
}

impl Writer {
    fn start() -> Self {
        let (batches, orders) = mpsc::sync_channel::<Vec<u8>>(1);
        let (done, written) = mpsc::channel();
        thread::spawn(move || {
            for batch in orders {
                let result = write_out(&batch);
                if done.send((batch, result)).is_err() {
                    return;
                }
            }
        });
        Self { batches, written }
    }
}

/// Writes as much as standard output takes without blocking, and returns how much. An event that is
/// written here does not wake the writer thread: measured (benches/README.md), without this its latency
/// through a pipe is 7 to 21 % higher. An error shows when the writer thread writes the rest.
#[cfg(target_os = "linux")]
fn write_at_once(records: &[u8]) -> usize {
    let all = [io::IoSlice::new(records)];
    // The offset -1 means the current position.
    pwritev2(io::stdout(), &all, u64::MAX, ReadWriteFlags::NOWAIT).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn write_at_once(_: &[u8]) -> usize {
    0
}

fn write_out(records: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.flush()?;
    let mut left = records;
    while !left.is_empty() {
        match rustix::io::write(&stdout, left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Another process has made the pipe non-blocking.
            Err(Errno::AGAIN) => {
                let mut polled = [PollFd::new(&stdout, PollFlags::OUT)];
                let _ = poll(&mut polled, None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Standard output for records, and standard error for everything else.
#[derive(Debug)]
pub struct Screen {
    /// The spinner or bar.
    pub progress: Progress,
    writer: Option<Writer>,
    /// The exit code of the signal that arrived; 0 before that.
    stopping: Arc<AtomicU8>,
    /// The time at which the writing code first saw that signal.
    stopped_at: Cell<Option<Instant>>,
    deadline: Option<(Instant, Duration)>,
    is_json: bool,
    quiet: bool,
    stderr_is_terminal: bool,
}

impl Screen {
    /// Writes as the settings say. `stopping` is the exit code of the signal that arrived; 0 before that.
    pub(super) fn new(
        settings: &Settings,
        progress: Progress,
        stopping: Arc<AtomicU8>,
        deadline: Option<(Instant, Duration)>,
    ) -> Self {
        Self {
            progress,
            writer: None,
            stopping,
            stopped_at: Cell::default(),
            deadline,
            is_json: settings.output == OutputFormat::Json,
            quiet: settings.quiet,
            stderr_is_terminal: settings.stderr_is_terminal,
        }
    }

    /// Writes records on a thread of their own from now on, so that a blocked reader delays neither signals
    /// nor the deadline. A file has no reader, and needs no thread.
    pub(super) fn write_on_a_thread(&mut self) {
        self.writer = (!never_blocks(&io::stdout())).then(Writer::start);
    }

    /// Writes and flushes records, and empties the buffer.
    ///
    /// # Errors
    /// If they can't be written. The run ends quietly if the reader is gone, and with the signal or the
    /// deadline if the reader blocks until then.
    pub fn print(&self, records: &mut Vec<u8>) -> Result<(), Stop> {
        self.progress.suspend(|| {
            if let Some(writer) = &self.writer {
                self.heed_signal()?;
                let written = write_at_once(records);
                if written == records.len() {
                    records.clear();
                    return Ok(());
                }
                records.drain(..written);
                return self.write_beside(writer, records);
            }
            let written = write_out(records);
            records.clear();
            written.map_err(Stop::from_output)
        })
    }

    /// Writes and flushes records as [`Screen::print`] does, and leaves the buffer as it is.
    ///
    /// # Errors
    /// Those of [`Screen::print`].
    pub fn pass_on(&self, records: &[u8]) -> Result<(), Stop> {
        self.progress.suspend(|| {
            let Some(writer) = &self.writer else {
                return write_out(records).map_err(Stop::from_output);
            };
            self.heed_signal()?;
            match records.get(write_at_once(records)..) {
                None | Some([]) => Ok(()),
                Some(left) => self.write_beside(writer, &mut left.to_vec()),
            }
        })
    }

    fn write_beside(&self, writer: &Writer, records: &mut Vec<u8>) -> Result<(), Stop> {
        if writer.batches.send(std::mem::take(records)).is_err() {
            return Err(Stop::Quiet(Exit::Done));
        }
        loop {
            match writer.written.recv_timeout(BLOCKED_POLL) {
                Ok((mut buffer, written)) => {
                    buffer.clear();
                    *records = buffer;
                    return written.map_err(Stop::from_output);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Quiet(Exit::Done)),
                Err(RecvTimeoutError::Timeout) => {
                    self.heed_signal()?;
                    // Until the deadline, the reader may still take the records.
                    if let Some((deadline, timeout)) = self.deadline
                        && deadline <= Instant::now()
                    {
                        return Err(Error::TimedOut(timeout).into());
                    }
                }
            }
        }
    }

    /// Ends writing some time after a signal, because a slow reader could prolong it for as long as
    /// there are records.
    fn heed_signal(&self) -> Result<(), Stop> {
        let code = self.stopping.load(Ordering::Relaxed);
        let mut exits = Exit::ALL.into_iter();
        let Some(exit) = exits.find(|exit| exit.code() == code && code != 0) else {
            return Ok(());
        };
        let now = Instant::now();
        let since = self.stopped_at.get().unwrap_or(now);
        self.stopped_at.set(Some(since));
        if now.duration_since(since) >= STOPPED_GRACE {
            return Err(Stop::Quiet(exit));
        }
        Ok(())
    }

    /// Suppresses notices from now on.
    pub fn hush(&mut self) {
        self.quiet = true;
    }

    /// Prints a notice, unless `--quiet` is set.
    pub fn notice(&self, kind: &str, message: &str) {
        if !self.quiet {
            self.report(kind, message);
        }
    }

    /// Prints a warning about the settings. Warnings of danger ignore `--quiet`.
    pub(super) fn warn(&self, warning: &Warning) {
        if warning.always || !self.quiet {
            self.report(warning.kind, &warning.text);
        }
    }

    /// Prints a notice or warning, as JSON with `-o json`.
    fn report(&self, kind: &str, message: &str) {
        if self.is_json {
            let notice = json::notice(kind, message).to_string();
            let mut line = String::new();
            if self.stderr_is_terminal {
                escape::json_for_terminal(&notice, &mut line);
            } else {
                line = notice;
            }
            self.write(&line);
        } else {
            self.say(&format!("etcdwatch: {message}"));
        }
    }

    /// Writes a line to standard error, and escapes all characters that could control a terminal.
    pub fn say(&self, line: &str) {
        self.write(&escape::message(line));
    }

    fn write(&self, line: &str) {
        // An error here must not end the run.
        self.progress.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Removes the spinner.
    pub fn clear(&mut self) {
        self.progress.clear();
    }
}
