//! The event loop's queue: everything that happens in a run arrives here.
//!
//! In scope: the channel that log lines, signals and calls to look for work come by, the deadline, and the
//! screen, which is standard output and standard error with the spinner on it. Out of scope:
//! what a command does with what comes, which waits elsewhere: in a watch's queue, or a [`Task`].

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::io::{ReadWriteFlags, pwritev2};

use crate::error::Error;
use crate::exec::child::kill_current;
use crate::exit::Exit;
use crate::render::json;
use crate::render::progress::Progress;
use crate::run::signal;
use crate::settings::{OutputFormat, Settings, Warning};
use etcdwatch_client::transport::http::Log;
use etcdwatch_engine::escape;

/// How often etcdwatch checks that standard output still has a reader. Received events need not cause a
/// write, which would show it.
const READER_POLL: Duration = Duration::from_millis(500);

/// How often signals and the deadline are checked while standard output is blocked.
const BLOCKED_POLL: Duration = Duration::from_millis(50);
/// How long writing may continue after a signal.
const STOPPED_GRACE: Duration = Duration::from_secs(1);

/// What arrives.
enum Message {
    /// There may be work.
    Wake,
    Log(String),
    Signal(Exit),
}

/// Wakes the loop from another thread, so that it looks for work.
#[derive(Clone, Debug)]
pub struct Waker(Sender<Message>);

impl Waker {
    /// Wakes it. Returns false once nobody waits any more.
    #[must_use]
    pub fn wake(&self) -> bool {
        self.0.send(Message::Wake).is_ok()
    }
}

/// Work on a thread of its own, which wakes the loop when it is done.
#[derive(Debug)]
pub struct Task<T>(Receiver<T>);

impl<T> Task<T> {
    /// What came of it, the first time that this is called after it is done.
    #[must_use]
    pub fn result(&self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// Why a run ends before its work does.
#[derive(Debug)]
pub enum Stop {
    /// With this exit code and no message: after a signal, or when the reader of standard output is
    /// gone.
    Quiet(Exit),
    /// With an error.
    Error(Error),
    /// With several errors, the last of which decides the exit code.
    Errors(Vec<Error>),
}

impl Stop {
    /// An error of a write to standard output. If its reader is gone, the run ends quietly.
    #[must_use]
    pub fn from_output(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Quiet(Exit::Done),
            _ => Self::Error(Error::Output(error)),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The receiving end.
pub struct Inbox {
    messages: Receiver<Message>,
    /// What was looked at and not taken yet.
    next: Option<Message>,
    sender: Sender<Message>,
    deadline: Option<(Instant, Duration)>,
    /// When something last happened, and how long nothing may happen.
    idle: Option<(Instant, Duration)>,
    /// Work is in progress, so the run is not idle.
    is_busy: bool,
    /// The run ends when the reader of standard output is gone. A watch that waits does not write,
    /// which would show it.
    heeds_reader: bool,
    /// When etcdwatch next checks that the reader of its output is still there.
    reader_due: Instant,
    /// Standard output, and standard error with the spinner on it.
    pub screen: Screen,
}

impl Inbox {
    /// Begins to listen for signals, and the clock of `--timeout` begins to run. On the spinner
    /// stands what is done (`watching`), and to which key.
    ///
    /// # Errors
    /// If the signal handlers can't be installed.
    pub fn new(settings: &Settings, doing: &'static str, key: &str) -> Result<Self, Error> {
        let now = Instant::now();
        // The reader of a pipe may write to the same terminal, over the spinner.
        let is_alone = settings.stderr_is_terminal && !settings.stdout_is_pipe;
        let enabled = is_alone && !settings.quiet;
        let deadline = settings.timeout.map(|timeout| (now + timeout, timeout));
        let (sender, messages) = mpsc::channel();
        let signals = sender.clone();
        let stopping = Arc::new(AtomicU8::new(0));
        let stop = Arc::clone(&stopping);
        let first = move |exit: Exit| {
            stop.store(exit.code(), Ordering::Relaxed);
            // If the loop has ended, the run is ending anyway.
            let _ = signals.send(Message::Signal(exit));
        };
        signal::listen(first, kill_current).map_err(|source| Error::Input {
            what: "signals".to_owned(),
            source,
        })?;
        let inbox = Self {
            messages,
            next: None,
            sender,
            deadline,
            idle: None,
            is_busy: false,
            heeds_reader: false,
            reader_due: now + READER_POLL,
            screen: Screen {
                progress: Progress::new(enabled, doing, key, now),
                writer: None,
                stopping,
                stopped_at: Cell::default(),
                deadline,
                is_json: settings.output == OutputFormat::Json,
                quiet: settings.quiet,
                stderr_is_terminal: settings.stderr_is_terminal,
            },
        };
        for warning in &settings.warnings {
            inbox.screen.warn(warning);
        }
        Ok(inbox)
    }

    /// Prepares for a long run: it ends when the reader of standard output is gone, and a reader that
    /// blocks does not delay signals and the deadline.
    pub fn heed_reader(&mut self) {
        self.heeds_reader = true;
        // A file is never blocked.
        self.screen.writer = (!is_file(&io::stdout())).then(Writer::start);
    }

    /// Ends the run if nothing is [heard](Self::heard) for `timeout`.
    pub fn end_when_idle(&mut self, timeout: Option<Duration>) {
        self.idle = timeout.map(|timeout| (Instant::now(), timeout));
    }

    /// While `is_busy`, the run is not idle.
    pub fn hold_idle(&mut self, is_busy: bool) {
        if self.is_busy != is_busy {
            self.is_busy = is_busy;
            self.heard();
        }
    }

    /// Notes that something has happened and was shown.
    pub fn heard(&mut self) {
        if let Some((since, _)) = &mut self.idle {
            *since = Instant::now();
        }
    }

    /// What wakes [`Inbox::wait`].
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(self.sender.clone())
    }

    /// Runs `work` on a thread of its own.
    pub fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        let (done, result) = mpsc::channel();
        let waker = self.waker();
        thread::spawn(move || done.send(work()).is_ok() && waker.wake());
        Task(result)
    }

    /// Takes the lines of `--verbose`; `None` without that option.
    #[must_use]
    pub fn log(&self, settings: &Settings) -> Option<Log> {
        if !settings.verbose {
            return None;
        }
        let sender = std::sync::Mutex::new(self.sender.clone());
        Some(Arc::new(move |line| {
            if let Ok(sender) = sender.lock() {
                let _ = sender.send(Message::Log(line));
            }
        }))
    }

    /// Runs `work` on a thread, and waits for its result.
    ///
    /// # Errors
    /// Where a signal or the deadline comes first.
    pub fn wait_for<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stop> {
        let task = self.start(work);
        loop {
            self.wait(None)?;
            if let Some(result) = task.result() {
                self.write_log();
                return Ok(result);
            }
        }
    }

    /// Whether something has arrived for which the next call of [`Inbox::wait`] returns. Log lines are
    /// written.
    pub fn has_next(&mut self) -> bool {
        while self.next.is_none() {
            match self.messages.try_recv() {
                Ok(Message::Log(line)) => self.screen.say(&line),
                Ok(message) => self.next = Some(message),
                Err(_) => return false,
            }
        }
        true
    }

    /// Writes the log lines that have arrived, where the run does not wait any more.
    pub fn write_log(&mut self) {
        while !matches!(self.next, Some(Message::Signal(_)))
            && let Ok(message) = self.messages.try_recv()
        {
            match message {
                Message::Log(line) => self.screen.say(&line),
                message => self.next = Some(message),
            }
        }
    }

    /// Waits until there may be work, or until that time.
    ///
    /// # Errors
    /// Where a signal comes first, the deadline passes, or the reader of the output has gone.
    pub fn wait(&mut self, until: Option<Instant>) -> Result<(), Stop> {
        loop {
            let now = Instant::now();
            if let Some((deadline, timeout)) = self.deadline
                && deadline <= now
            {
                return Err(Error::TimedOut(timeout).into());
            }
            if self.reader_due <= now {
                self.reader_due = now + READER_POLL;
                if self.heeds_reader && reader_is_gone() {
                    return Err(Stop::Quiet(Exit::Done));
                }
            }
            self.screen.progress.tick(now);
            let tick = self.screen.progress.due();
            let deadline = self.deadline.map(|(deadline, _)| deadline);
            let idle = self.idle.filter(|_| !self.is_busy);
            let idle = idle.map(|(since, timeout)| since + timeout);
            let wake = [tick, until, deadline, idle]
                .into_iter()
                .flatten()
                .fold(self.reader_due, Instant::min);
            let message = match self.next.take() {
                Some(message) => Ok(message),
                None => self
                    .messages
                    .recv_timeout(wake.saturating_duration_since(now)),
            };
            match message {
                Ok(Message::Wake) => return Ok(()),
                Ok(Message::Log(line)) => self.screen.say(&line),
                Ok(Message::Signal(exit)) => return Err(Stop::Quiet(exit)),
                Err(RecvTimeoutError::Timeout) => {
                    // The queue is empty.
                    if let Some((since, timeout)) = self.idle
                        && !self.is_busy
                        && since + timeout <= Instant::now()
                    {
                        return Err(Error::Idle(timeout).into());
                    }
                    if until.is_some_and(|until| until <= Instant::now()) {
                        return Ok(());
                    }
                }
                // The inbox holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Quiet(Exit::Done)),
            }
        }
    }
}

/// Whether writes to `output` never block: it is a file, or a device that is not a terminal.
fn is_file(output: &(impl AsFd + IsTerminal)) -> bool {
    let copy = output.as_fd().try_clone_to_owned();
    let kind = copy.and_then(|copy| Ok(File::from(copy).metadata()?.file_type()));
    kind.is_ok_and(|kind| kind.is_file() || kind.is_char_device() && !output.is_terminal())
}

/// Whether standard output has no reader any more, as after `| head -1`.
fn reader_is_gone() -> bool {
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
    /// The exit code of the signal that came, 0 before that.
    stopping: Arc<AtomicU8>,
    /// When the writing code first saw that signal.
    stopped_at: Cell<Option<Instant>>,
    deadline: Option<(Instant, Duration)>,
    is_json: bool,
    quiet: bool,
    stderr_is_terminal: bool,
}

impl Screen {
    /// Writes and flushes records, and empties the buffer.
    ///
    /// # Errors
    /// If they can't be written; quietly if the reader is gone. If the reader blocks: the signal, or
    /// the deadline.
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

    /// As [`Screen::print`], and leaves the buffer as it is.
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
                    // Without a deadline in the past, the write may still succeed.
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
            self.tell(kind, message);
        }
    }

    /// Prints a warning about the settings. Warnings of danger ignore `--quiet`.
    fn warn(&self, warning: &Warning) {
        if warning.always || !self.quiet {
            self.tell(warning.kind, &warning.text);
        }
    }

    fn tell(&self, kind: &str, message: &str) {
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

    /// Writes a line to standard error, and escapes all that could control a terminal.
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
