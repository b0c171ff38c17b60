//! Decides which command runs next.
//!
//! In scope: the modes, the debounce time, and the reaction to failures. Out of scope: processes, and
//! the content `J` of a job.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What happens to jobs that arrive while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every job runs, one after the other.
    Each,
    /// Only the newest runs, once the current command has ended.
    Latest,
    /// The current command is ended, and the newest job runs.
    Restart,
}

/// What happens when a command fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The run ends.
    Stop,
    /// The next job runs.
    Continue,
    /// The job runs again, with growing delays. In the modes that skip jobs, a newer one replaces it.
    Retry,
}

/// The delay before the first retry. It doubles with each further one.
const RETRY: Duration = Duration::from_secs(1);
/// The longest delay before a retry.
const RETRY_AT_MOST: Duration = Duration::from_mins(1);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With exit code 0.
    Well,
    /// In any other way.
    Failed,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<J> {
    /// Run this job.
    Start(J),
    /// End the running command, because a newer job replaces it.
    Stop,
    /// Wait for another job, or until this time.
    Wait(Option<Instant>),
}

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<J> {
    /// The command succeeded.
    Done(J),
    /// The command was ended for a newer job.
    Superseded,
    /// The command failed, and the next job runs.
    Passed,
    /// The command failed, and runs again after this delay; 0 if a newer job replaces it.
    Again(Duration),
    /// The command failed, and the run ends.
    Failed,
}

/// The jobs that wait, and the one that runs.
#[derive(Debug)]
pub struct Queue<J> {
    mode: Mode,
    on_failure: OnFailure,
    /// How long no new job may have arrived before a command runs.
    debounce: Duration,
    waiting: VecDeque<J>,
    /// The running job, and whether its command was asked to end.
    running: Option<(J, bool)>,
    heard: Option<Instant>,
    /// How often the first job was tried, and when it is tried again.
    failures: u32,
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
            heard: None,
            failures: 0,
            not_before: None,
        }
    }

    /// Adds a job.
    pub fn push(&mut self, job: J, now: Instant) {
        if self.mode != Mode::Each {
            self.waiting.clear();
            self.failures = 0;
            self.not_before = None;
        }
        self.waiting.push_back(job);
        self.heard = Some(now);
    }

    /// Adds a less important job. The modes that skip jobs take it only if no other one runs or waits.
    pub fn push_minor(&mut self, job: J, now: Instant) {
        if self.mode == Mode::Each || self.is_empty() {
            self.push(job, now);
        }
    }

    /// The last job that arrived and is not done.
    pub fn last_mut(&mut self) -> Option<&mut J> {
        let running = self.running.as_mut().map(|(job, _)| job);
        self.waiting.back_mut().or(running)
    }

    /// Whether no job runs or waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    /// The next step. A job that it returns counts as running.
    pub fn next(&mut self, now: Instant) -> Next<J> {
        if self.waiting.is_empty() {
            return Next::Wait(None);
        }
        let quiet = self.heard.map(|heard| heard + self.debounce);
        let due = quiet.max(self.not_before).filter(|due| *due > now);
        if due.is_some() {
            return Next::Wait(due);
        }
        match &mut self.running {
            Some((_, is_told)) if self.mode == Mode::Restart && !*is_told => {
                *is_told = true;
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

    /// Notes that the running command has ended.
    pub fn ended(&mut self, how: Ended, now: Instant) -> Outcome<J> {
        let Some((job, is_told)) = self.running.take() else {
            return Outcome::Superseded;
        };
        if how == Ended::Well {
            self.failures = 0;
            self.not_before = None;
            return Outcome::Done(job);
        }
        if is_told {
            return Outcome::Superseded;
        }
        match self.on_failure {
            OnFailure::Stop => Outcome::Failed,
            OnFailure::Continue => Outcome::Passed,
            OnFailure::Retry => {
                let mut pause = Duration::ZERO;
                if self.mode == Mode::Each || self.waiting.is_empty() {
                    self.waiting.push_front(job);
                    pause = RETRY_AT_MOST.min(RETRY.saturating_mul(1 << self.failures.min(6)));
                    self.not_before = Some(now + pause);
                    self.failures += 1;
                }
                Outcome::Again(pause)
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
    fn each_is_run_one_after_the_other() {
        let (mut queue, now) = queue(Mode::Each, OnFailure::Stop);
        for job in 1..=3 {
            queue.push(job, now);
        }
        for job in 1..=3 {
            assert_eq!(queue.next(now), Next::Start(job));
            assert_eq!(queue.next(now), Next::Wait(None), "one at a time");
            assert_eq!(queue.ended(Ended::Well, now), Outcome::Done(job));
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn of_what_came_meanwhile_the_newest_is_run() {
        let (mut queue, now) = queue(Mode::Latest, OnFailure::Stop);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Wait(None));
        assert_eq!(queue.ended(Ended::Well, now), Outcome::Done(1));
        assert_eq!(queue.next(now), Next::Start(3));
    }

    #[test]
    fn a_command_is_ended_once_for_what_is_newer_and_that_is_no_failure() {
        let (mut queue, now) = queue(Mode::Restart, OnFailure::Stop);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        assert_eq!(queue.next(now), Next::Stop);
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Wait(None));
        assert_eq!(queue.ended(Ended::Failed, now), Outcome::Superseded);
        assert_eq!(queue.next(now), Next::Start(3));
        assert_eq!(queue.ended(Ended::Failed, now), Outcome::Failed);
    }

    #[test]
    fn what_matters_less_takes_no_place_of_what_matters() {
        for mode in [Mode::Latest, Mode::Restart] {
            let (mut queue, now) = queue(mode, OnFailure::Stop);
            queue.push_minor(1, now);
            assert_eq!(queue.next(now), Next::Start(1));
            queue.push_minor(2, now);
            assert_eq!(queue.next(now), Next::Wait(None));
            assert_eq!(queue.ended(Ended::Well, now), Outcome::Done(1));
            queue.push(3, now);
            queue.push_minor(4, now);
            assert_eq!(queue.next(now), Next::Start(3));
            assert_eq!(queue.ended(Ended::Well, now), Outcome::Done(3));
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn nothing_is_run_before_it_has_been_quiet() {
        let now = Instant::now();
        let mut queue = Queue::new(Mode::Latest, OnFailure::Stop, SECOND);
        queue.push(1, now);
        queue.push(2, now + SECOND / 2);
        let due = now + SECOND / 2 + SECOND;
        assert_eq!(queue.next(now + SECOND), Next::Wait(Some(due)));
        assert_eq!(queue.next(due), Next::Start(2));
    }

    #[test]
    fn what_failed_is_tried_again_later_and_later_and_before_the_next() {
        let (mut queue, mut now) = queue(Mode::Each, OnFailure::Retry);
        queue.push(1, now);
        queue.push(2, now);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(queue.next(now), Next::Start(1));
            assert_eq!(
                queue.ended(Ended::Failed, now),
                Outcome::Again(pause * SECOND)
            );
            let due = now + pause * SECOND;
            assert_eq!(queue.next(now), Next::Wait(Some(due)));
            now = due;
        }
        assert_eq!(queue.next(now), Next::Start(1));
        assert_eq!(queue.ended(Ended::Well, now), Outcome::Done(1));
        assert_eq!(queue.next(now), Next::Start(2));
    }

    #[test]
    fn what_is_newer_is_tried_instead_of_what_failed() {
        let (mut queue, now) = queue(Mode::Latest, OnFailure::Retry);
        queue.push(1, now);
        assert_eq!(queue.next(now), Next::Start(1));
        queue.push(2, now);
        assert_eq!(
            queue.ended(Ended::Failed, now),
            Outcome::Again(Duration::ZERO)
        );
        assert_eq!(queue.next(now), Next::Start(2));
        assert_eq!(queue.ended(Ended::Failed, now), Outcome::Again(SECOND));
        assert_eq!(queue.next(now), Next::Wait(Some(now + SECOND)));
        queue.push(3, now);
        assert_eq!(queue.next(now), Next::Start(3));
    }

    #[test]
    fn a_failure_that_is_no_matter_is_passed_over() {
        let (mut queue, now) = queue(Mode::Each, OnFailure::Continue);
        queue.push(1, now);
        queue.push(2, now);
        assert_eq!(queue.next(now), Next::Start(1));
        assert_eq!(queue.ended(Ended::Failed, now), Outcome::Passed);
        assert_eq!(queue.next(now), Next::Start(2));
    }
}
