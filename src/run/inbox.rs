//! The event loop's queue, in which all signals, log lines and wake-ups of a run arrive.
//!
//! In scope: the channel of these messages, the deadline, and the screen, which is standard output and
//! standard error with the spinner on it. Out of scope: the handling of updates and results, which wait in
//! the queue of the watch or in a [`Task`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::exec::child::kill_current;
use crate::exit::Exit;
use crate::render::progress::Progress;
use crate::run::screen::{Screen, reader_is_gone};
use crate::run::signal;
use crate::run::stop::Stop;
use crate::settings::Settings;
use etcdwatch_client::transport::http::Log;

/// The interval at which etcdwatch checks that standard output still has a reader. A failed write would
/// show it as well, but a watch may have nothing to write.
const READER_POLL: Duration = Duration::from_millis(500);

/// A message to the event loop.
enum Message {
    /// There may be updates or results.
    Wake,
    Log(String),
    Signal(Exit),
}

/// Wakes the loop from another thread, so that it looks for updates and results.
#[derive(Clone, Debug)]
pub struct Waker(Sender<Message>);

impl Waker {
    /// Wakes the loop. Returns false once the loop has ended.
    #[must_use]
    pub fn wake(&self) -> bool {
        self.0.send(Message::Wake).is_ok()
    }
}

/// Work on a thread of its own, which wakes the loop when it is done.
#[derive(Debug)]
pub struct Task<T>(Receiver<T>);

impl<T> Task<T> {
    /// The result, once the work is done. Returns it only once.
    #[must_use]
    pub fn result(&self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// The receiving end of the queue, and the state of the loop.
pub struct Inbox {
    messages: Receiver<Message>,
    /// A message that was received but not handled yet.
    next: Option<Message>,
    sender: Sender<Message>,
    deadline: Option<(Instant, Duration)>,
    /// The time of the last record, and the value of `--idle-timeout`.
    idle: Option<(Instant, Duration)>,
    /// Whether work is in progress, so that the run is not idle.
    is_busy: bool,
    /// Whether the run ends when the reader of standard output is gone.
    heeds_reader: bool,
    /// The time of the next check that the reader of the output is still there.
    reader_due: Instant,
    /// Standard output, and standard error with the spinner on it.
    pub screen: Screen,
}

impl Inbox {
    /// Starts to listen for signals and starts the clock of `--timeout`. The spinner shows `doing`
    /// (such as `watching`) and `key`.
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
            screen: Screen::new(
                settings,
                Progress::new(enabled, doing, key, now),
                stopping,
                deadline,
            ),
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
        self.screen.write_on_a_thread();
    }

    /// Ends the run if nothing is [heard](Self::heard) for `timeout`.
    pub fn end_when_idle(&mut self, timeout: Option<Duration>) {
        self.idle = timeout.map(|timeout| (Instant::now(), timeout));
    }

    /// Sets whether work is in progress. Meanwhile the run is not idle.
    pub fn hold_idle(&mut self, is_busy: bool) {
        if self.is_busy != is_busy {
            self.is_busy = is_busy;
            self.heard();
        }
    }

    /// Restarts the clock of `--idle-timeout`, because a record was shown.
    pub fn heard(&mut self) {
        if let Some((since, _)) = &mut self.idle {
            *since = Instant::now();
        }
    }

    /// A waker for [`Inbox::wait`].
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
    /// If a signal or the deadline comes first.
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

    /// Returns whether the next call of [`Inbox::wait`] returns at once, and writes the log lines that have arrived.
    pub fn peek(&mut self) -> bool {
        while self.next.is_none() {
            match self.messages.try_recv() {
                Ok(Message::Log(line)) => self.screen.say(&line),
                Ok(message) => self.next = Some(message),
                Err(_) => return false,
            }
        }
        true
    }

    /// Writes the log lines that have arrived, for a run that no longer waits.
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

    /// Waits until there may be updates or results, or until `until`.
    ///
    /// # Errors
    /// If a signal arrives, the deadline passes, or the reader of the output is gone.
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
