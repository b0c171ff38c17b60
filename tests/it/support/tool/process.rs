//! The child of a test: signals, its end, and its death with the test.

use std::process::{Child, ExitStatus};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use super::Signal;

/// A child that is killed when it is dropped.
pub(super) struct Process {
    child: Mutex<Child>,
    pub(super) label: String,
}

impl Process {
    pub(super) fn new(child: Child, label: String) -> Self {
        Self {
            child: Mutex::new(child),
            label,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap();
        // The id of a process that was waited for may belong to another process by now.
        let ended = child.try_wait().expect("the child's state");
        assert!(ended.is_none(), "$ {}\nhas ended: {ended:?}", self.label);
        kill_process(Pid::from_child(&child), signal).expect("a signal to the child");
    }

    pub(super) fn try_signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap();
        if child.try_wait().expect("the child's state").is_none() {
            kill_process(Pid::from_child(&child), signal).expect("a signal to the child");
        }
    }

    pub(super) fn try_wait(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap();
        child.try_wait().expect("the child's state")
    }

    pub(super) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
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
