//! Runs a command for one record after another.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::cursor::Cursor;
use super::selector::records;
use crate::error::Error;
use crate::exec::CommandOptions;
use crate::exec::child::{CommandInput, RunningCommand, find};
use crate::exec::queue::{ExitKind, JobEnd, Mode, Next, Queue};
use crate::exit::Exit;
use crate::render::json;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use etcdwatch_engine::model::Record;
use etcdwatch_engine::watch::{ReceivedBatch, Update};

/// The interval at which etcdwatch checks whether the child processes of a command have ended.
const POLL: Duration = Duration::from_millis(20);

/// The record for which a command runs. It counts against `--buffer` until then.
#[derive(Clone, Debug)]
pub enum Work {
    /// The event at this place of a batch.
    Event(Arc<ReceivedBatch>, usize),
    /// The record at this place of an update.
    Record(Arc<Update>, usize),
    /// A control record.
    Control(CommandInput),
}

impl Work {
    /// The input of the command; `None` if the record does not exist.
    fn into_input(self) -> Option<CommandInput> {
        match self {
            Self::Event(received, place) => {
                let event = received.batch().event(place)?;
                Some(input_of(&Record::Event(event)))
            }
            Self::Record(update, place) => records(&update).nth(place).as_ref().map(input_of),
            Self::Control(input) => Some(input),
        }
    }
}

/// A record for which the command is to run.
#[derive(Clone, Debug)]
struct CommandJob {
    work: Work,
    /// The cursor once the command has ended.
    after: Cursor,
}

/// Runs a command for one job after another.
#[derive(Debug)]
pub struct Runner {
    options: CommandOptions,
    queue: Queue<CommandJob>,
    running: Option<RunningCommand>,
    /// The action and the key of the record, for messages.
    about: String,
    has_ended: bool,
    /// The time at which etcdwatch kills the command, after it has sent SIGTERM.
    kill_at: Option<Instant>,
}

impl Runner {
    /// A runner with no jobs.
    ///
    /// # Errors
    /// If the command does not exist or is not executable.
    pub fn new(options: CommandOptions) -> Result<Self, Error> {
        let program = options.command.first().cloned().unwrap_or_default();
        find(&program).map_err(|source| unrunnable(&program, source))?;
        Ok(Self {
            queue: Queue::new(options.mode, options.on_failure, options.debounce),
            options,
            running: None,
            about: String::new(),
            has_ended: false,
            kill_at: None,
        })
    }

    /// Queues a job. `after` is the cursor once it is done. A control record never replaces
    /// another job.
    pub fn push(&mut self, work: Work, after: Cursor) {
        let is_control = matches!(work, Work::Control(_));
        let job = CommandJob { work, after };
        if is_control {
            self.queue.push_minor(job, Instant::now());
        } else {
            self.queue.push(job, Instant::now());
        }
    }

    /// Moves the cursor of the last job to `after`, because no command runs for the records in between.
    /// Returns whether there is no job.
    pub fn mark(&mut self, after: &Cursor) -> bool {
        match self.queue.last_mut() {
            Some(job) => {
                job.after = after.clone();
                false
            }
            None => true,
        }
    }

    /// Whether no command runs and the queue is empty.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Starts, stops or reaps commands, whichever is due. Returns the cursor after the jobs that are done,
    /// and when the next step is due.
    ///
    /// # Errors
    /// If a command failed and `--on-exec-failure stop` is in force.
    pub fn step(&mut self, inbox: &Inbox) -> Result<(Option<Cursor>, Option<Instant>), Stop> {
        let mut reached = None;
        self.has_ended |= self.running.as_ref().is_some_and(RunningCommand::has_ended);
        loop {
            let now = Instant::now();
            if let (Some(running), Some(at)) = (&self.running, self.kill_at) {
                let is_over = self.has_ended && !running.has_processes();
                if at <= now || is_over {
                    running.signal(Signal::KILL);
                    self.kill_at = None;
                } else {
                    return Ok((reached, Some(at.min(now + POLL))));
                }
            }
            if self.has_ended
                && self.options.mode == Mode::Restart
                && let Some(running) = self
                    .running
                    .as_ref()
                    .filter(|command| command.has_processes())
            {
                // Processes that it left behind would run beside the next command.
                running.signal(Signal::TERM);
                self.kill_at = Some(now + self.options.grace);
                continue;
            }
            if self.has_ended
                && let Some(running) = self.running.take()
            {
                self.has_ended = false;
                let status = running.finish().map_err(|source| Error::Input {
                    what: "the exit status of the command".to_owned(),
                    source,
                })?;
                if let Some(at) = self.take_end(status, inbox)? {
                    reached = Some(at);
                }
                continue;
            }
            match self.queue.next(now) {
                Next::Start(job) => self.start(job.work, inbox)?,
                Next::Stop => {
                    if let Some(running) = &self.running {
                        running.signal(Signal::TERM);
                    }
                    self.kill_at = Some(now + self.options.grace);
                }
                Next::Wait(due) => return Ok((reached, due)),
            }
        }
    }

    fn start(&mut self, work: Work, inbox: &Inbox) -> Result<(), Stop> {
        let Some(input) = work.into_input() else {
            // The record does not exist.
            self.queue.ended(ExitKind::Success, Instant::now());
            return Ok(());
        };
        for (name, why) in &input.left_out {
            let message = format!("{name} is left out of the command's environment: {why}");
            inbox.screen.notice("environment", &message);
        }
        self.about.clone_from(&input.about);
        let waker = inbox.waker();
        let ended = move || {
            let _ = waker.wake();
        };
        let program = self.options.command.first().cloned().unwrap_or_default();
        let running = RunningCommand::start(&self.options.command, input, ended);
        self.running = Some(running.map_err(|source| unrunnable(&program, source))?);
        Ok(())
    }

    fn take_end(&mut self, status: ExitStatus, inbox: &Inbox) -> Result<Option<Cursor>, Stop> {
        let exit = if status.success() {
            ExitKind::Success
        } else {
            ExitKind::Failure
        };
        let what = format!("for {} {}", self.about, describe(status));
        match self.queue.ended(exit, Instant::now()) {
            JobEnd::Done(job) => return Ok(Some(job.after)),
            JobEnd::Failed => return Err(Error::CommandFailed(what).into()),
            JobEnd::Retry(pause) => {
                let again = match pause {
                    Duration::ZERO => "running it for a newer event instead".to_owned(),
                    pause => format!("running it again in {}", humantime::format_duration(pause)),
                };
                let message = format!("the command {what}; {again}");
                inbox.screen.notice("commandFailed", &message);
            }
            JobEnd::Skipped => {
                inbox
                    .screen
                    .notice("commandFailed", &format!("the command {what}"));
            }
            JobEnd::Superseded => {}
        }
        Ok(None)
    }

    /// Ends the command at the end of the run, with the signal that ends the run. Returns the cursor after
    /// its job if the command was successful nevertheless.
    pub fn end(&mut self, stop: &Result<(), Stop>, inbox: &Inbox) -> Option<Cursor> {
        let signal = match stop {
            Err(Stop::Quiet(Exit::Interrupted)) => Signal::INT,
            Err(Stop::Quiet(Exit::HungUp)) => Signal::HUP,
            _ => Signal::TERM,
        };
        let running = self.running.take()?;
        let waits = || {
            let message = "waiting for the command to end; a second signal kills it";
            inbox.screen.notice("waiting", message);
        };
        let status = running.end(signal, self.options.grace, waits).ok()?;
        match self.queue.ended(ExitKind::Success, Instant::now()) {
            JobEnd::Done(job) if status.success() => Some(job.after),
            _ => None,
        }
    }
}

/// The input of a command for a record of a key.
fn input_of(record: &Record<'_>) -> CommandInput {
    let mut line = Vec::new();
    json::record(record, false, &mut line);
    CommandInput::of(record, line)
}

/// The end of a command, as a verb phrase.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn unrunnable(program: &std::ffi::OsStr, source: io::Error) -> Error {
    let source = match source.kind() {
        io::ErrorKind::NotFound => io::Error::new(source.kind(), "command not found"),
        io::ErrorKind::PermissionDenied => {
            io::Error::new(source.kind(), "it is not an executable file")
        }
        _ => source,
    };
    Error::Unrunnable {
        program: program.to_string_lossy().into_owned(),
        source,
    }
}
