//! Decides for which job a command runs next.
//!
//! In scope: the modes, the pause for events that arrive close together, and retries after a failure. Out
//! of scope: processes, and the content of a job of type `J`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The treatment of events that arrive while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The command runs for each event, one at a time.
    Each,
    /// Once the command has ended, it runs for the newest event.
    Latest,
    /// etcdwatch ends the command, and runs it for the newest event.
    Restart,
}

/// The treatment of a command that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The run ends.
    Stop,
    /// The command runs for the next job.
    Continue,
    /// The command runs for the job again, each time after twice the pause. In the modes that skip jobs, it
    /// runs for a newer job instead.
    Retry,
}

/// The pause before the first retry. Each later pause is twice as long.
const RETRY: Duration = Duration::from_secs(1);
/// The longest pause before a retry.
const RETRY_AT_MOST: Duration = Duration::from_mins(1);

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// The command ended with exit code 0.
    Success,
    /// The command ended with another exit code, or by a signal.
    Failure,
}

/// The next step of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<J> {
    /// Run the command for this job.
    Start(J),
    /// End the command that runs, because a newer job waits.
    Stop,
    /// Wait until a job arrives, or until this time.
    Wait(Option<Instant>),
}

/// The outcome of a job whose command has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd<J> {
    /// The command succeeded.
    Done(J),
    /// etcdwatch ended the command because of a newer job.
    Superseded,
    /// The command failed, and the next job starts nevertheless.
    Skipped,
    /// The command failed, and runs again after this time. Zero means that a newer job starts at once
    /// instead.
    Retry(Duration),
    /// The command failed, which ends the run.
    Failed,
}

/// The jobs that run or wait.
#[derive(Debug)]
pub struct Queue<J> {
    mode: Mode,
    on_failure: OnFailure,
    /// The time without a new job after which a command starts.
    debounce: Duration,
    waiting: VecDeque<J>,
    /// The job that runs, and whether its command was asked to end.
    running: Option<(J, bool)>,
    /// The time at which the last job arrived.
    pushed: Option<Instant>,
    /// The number of failures of the first job.
    failures: u32,
    /// The time of the next retry of the first job.
    not_before: Option<Instant>,
}

impl<J: Clone> Queue<J> {
    /// An empty queue.
    #[must_use]
    pub fn new(mode: Mode, on_failure: OnFailure, debounce: Duration) -> Self {
        Self {
            mode,
            on_failure,
            debounce,
            waiting: VecDeque::new(),
            running: None,
            pushed: None,
            failures: 0,
            not_before: None,
        }
    }

    /// Queues a job. The modes that skip jobs drop the jobs that wait.
    pub fn push(&mut self, job: J, now: Instant) {
        if self.mode != Mode::Each {
            self.waiting.clear();
            self.failures = 0;
            self.not_before = None;
        }
        self.waiting.push_back(job);
        self.pushed = Some(now);
    }

    /// Queues a minor job. The modes that skip jobs drop it if another job runs or waits.
    pub fn push_minor(&mut self, job: J, now: Instant) {
        if self.mode == Mode::Each || self.is_empty() {
            self.push(job, now);
        }
    }

    /// The newest job that is not done.
    pub fn last_mut(&mut self) -> Option<&mut J> {
        let running = self.running.as_mut().map(|(job, _)| job);
        self.waiting.back_mut().or(running)
    }

    /// Whether no job runs or waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    /// Returns the next step. A job that is returned to be started counts as running.
    pub fn next(&mut self, now: Instant) -> Next<J> {
        if self.waiting.is_empty() {
            return Next::Wait(None);
        }
        let quiet = self.pushed.map(|pushed| pushed + self.debounce);
        let due = quiet.max(self.not_before).filter(|due| *due > now);
        if due.is_some() {
            return Next::Wait(due);
        }
        match &mut self.running {
            Some((_, is_stopping)) if self.mode == Mode::Restart && !*is_stopping => {
                *is_stopping = true;
                Next::Stop
            }
            Some(_) => Next::Wait(None),
            None => match self.waiting.pop_front() {
                Some(job) => {
                    self.running = Some((job.clone(), false));
                    Next::Start(job)
                }
                None => Next::Wait(None),
            },
        }
    }

    /// Notes that the command has ended, and returns the outcome of its job.
    pub fn ended(&mut self, exit: ExitKind, now: Instant) -> JobEnd<J> {
        let Some((job, is_stopping)) = self.running.take() else {
            return JobEnd::Superseded;
        };
        if exit == ExitKind::Success {
            self.failures = 0;
            self.not_before = None;
            return JobEnd::Done(job);
        }
        if is_stopping {
            return JobEnd::Superseded;
        }
        match self.on_failure {
            OnFailure::Stop => JobEnd::Failed,
            OnFailure::Continue => JobEnd::Skipped,
            OnFailure::Retry => {
                let mut pause = Duration::ZERO;
                if self.mode == Mode::Each || self.waiting.is_empty() {
                    self.waiting.push_front(job);
                    pause = RETRY_AT_MOST.min(RETRY.saturating_mul(1 << self.failures.min(6)));
                    self.not_before = Some(now + pause);
                    self.failures += 1;
                }
                JobEnd::Retry(pause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(mode: Mode, on_failure: OnFailure) -> (Queue<u32>, Instant) {
        (Queue::new(mode, on_failure, Duration::ZERO), Instant::now())
    }

    #[test]
    fn each_mode_runs_jobs_one_at_a_time_in_order() {
        let (mut queue, now) = queue(Mode::Each, OnFailure::Stop);
        for job in 1..=3 {
            queue.push(job, now);
        }
        for job in 1..=3 {
            assert_eq!(queue.next(now), Next::Start(job));
            assert_eq!(queue.next(now), Next::Wait(None), "one at a time");
            assert_eq!(queue.ended(ExitKind::Success, now), JobEnd::Done(job));
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn latest_mode_runs_the_newest_waiting_job() {
        let (mut queue, now) = queue(Mode::Latest, OnFailure::Stop);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Wait(None));
        assert_eq!(queue.ended(ExitKind::Success, now), JobEnd::Done(1));
        assert_eq!(queue.next(now), Next::Start(3));
    }

    #[test]
    fn restart_mode_ends_the_command_once_and_does_not_count_a_failure() {
        let (mut queue, now) = queue(Mode::Restart, OnFailure::Stop);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        assert_eq!(queue.next(now), Next::Stop);
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Wait(None));
        assert_eq!(queue.ended(ExitKind::Failure, now), JobEnd::Superseded);
        assert_eq!(queue.next(now), Next::Start(3));
        assert_eq!(queue.ended(ExitKind::Failure, now), JobEnd::Failed);
    }

    #[test]
    fn a_minor_job_replaces_no_other_job() {
        for mode in [Mode::Latest, Mode::Restart] {
            let (mut queue, now) = queue(mode, OnFailure::Stop);
            queue.push_minor(1, now);
            assert_eq!(queue.next(now), Next::Start(1));
            queue.push_minor(2, now);
            assert_eq!(queue.next(now), Next::Wait(None));
            assert_eq!(queue.ended(ExitKind::Success, now), JobEnd::Done(1));
            queue.push(3, now);
            queue.push_minor(4, now);
            assert_eq!(queue.next(now), Next::Start(3));
            assert_eq!(queue.ended(ExitKind::Success, now), JobEnd::Done(3));
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn a_job_starts_after_the_debounce_time() {
        let now = Instant::now();
        let mut queue = Queue::new(Mode::Latest, OnFailure::Stop, SECOND);
        queue.push(1, now);
        queue.push(2, now + SECOND / 2);
        let due = now + SECOND / 2 + SECOND;
        assert_eq!(queue.next(now + SECOND), Next::Wait(Some(due)));
        assert_eq!(queue.next(due), Next::Start(2));
    }

    #[test]
    fn a_failed_job_is_retried_with_backoff_before_the_next_job() {
        let (mut queue, mut now) = queue(Mode::Each, OnFailure::Retry);
        queue.push(1, now);
        queue.push(2, now);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(queue.next(now), Next::Start(1));
            assert_eq!(
                queue.ended(ExitKind::Failure, now),
                JobEnd::Retry(pause * SECOND)
            );
            let due = now + pause * SECOND;
            assert_eq!(queue.next(now), Next::Wait(Some(due)));
            now = due;
        }
        assert_eq!(queue.next(now), Next::Start(1));
        assert_eq!(queue.ended(ExitKind::Success, now), JobEnd::Done(1));
        assert_eq!(queue.next(now), Next::Start(2));
    }

    #[test]
    fn a_newer_job_replaces_a_failed_one() {
        let (mut queue, now) = queue(Mode::Latest, OnFailure::Retry);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        assert_eq!(
            queue.ended(ExitKind::Failure, now),
            JobEnd::Retry(Duration::ZERO)
        );
        assert_eq!(queue.next(now), Next::Start(2));
        assert_eq!(queue.ended(ExitKind::Failure, now), JobEnd::Retry(SECOND));
        assert_eq!(queue.next(now), Next::Wait(Some(now + SECOND)));
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Start(3));
    }

    #[test]
    fn continue_runs_the_next_job_after_a_failure() {
        let (mut queue, now) = queue(Mode::Each, OnFailure::Continue);
        queue.push(1, now);
        queue.push(2, now);
        assert_eq!(queue.next(now), Next::Start(1));
        assert_eq!(queue.ended(ExitKind::Failure, now), JobEnd::Skipped);
        assert_eq!(queue.next(now), Next::Start(2));
    }
}
