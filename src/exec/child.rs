//! Runs a command with a record on its standard input.
//!
//! In scope: starting it directly, never through a shell; its environment; ending it and all processes
//! that it has started. Out of scope: when it runs (`queue`).
//!
//! The command leads a process group of its own, so that its descendants can be signalled with it. It
//! stays a zombie until they have ended, so that the ID of the group is not reused before.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process_group,
    waitid,
};

use etcdwatch_engine::escape::said;
use etcdwatch_engine::model::{Index, Record};

/// The largest value of a variable, in bytes. The kernel refuses longer ones (`MAX_ARG_STRLEN`, less
/// the name).
const MAX_VARIABLE: usize = 128 * 1024 - 64;

/// How long a command may take to end before a notice says that etcdwatch waits.
const NOTICE_AFTER: Duration = Duration::from_millis(500);

/// How often the thread that writes to a command which does not read checks whether it has ended.
const POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// What a command gets: variables and its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The variables of its environment.
    pub variables: Vec<(&'static str, Vec<u8>)>,
    /// The variables that can't be set, and why.
    pub left_out: Vec<(&'static str, &'static str)>,
    /// The record as JSON, for its standard input.
    pub json: Vec<u8>,
    /// The key and index, for messages.
    pub about: String,
}

impl Told {
    /// The input for a record.
    #[must_use]
    pub fn of(record: &Record<'_>, json: Vec<u8>) -> Self {
        let value = record.value().unwrap_or_default();
        Self::new(
            record.index(),
            record.action_name(),
            record.key(),
            value,
            json,
        )
    }

    /// The input for anything with an index, an action, a key and a value.
    #[must_use]
    pub fn new(index: Index, action: &[u8], key: &[u8], value: &[u8], json: Vec<u8>) -> Self {
        let mut told = Self {
            variables: Vec::new(),
            left_out: Vec::new(),
            json,
            about: format!("{} at {index}", said(&String::from_utf8_lossy(key))),
        };
        let index = index.to_string();
        for (name, bytes) in [
            ("ETCD_WATCH_ACTION", action),
            ("ETCD_WATCH_KEY", key),
            ("ETCD_WATCH_VALUE", value),
            ("ETCD_WATCH_MODIFIED_INDEX", index.as_bytes()),
        ] {
            if bytes.contains(&0) {
                told.left_out.push((name, "it has a NUL"));
            } else if bytes.len() > MAX_VARIABLE {
                told.left_out.push((name, "it is too long"));
            } else {
                told.variables.push((name, bytes.to_vec()));
            }
        }
        told
    }
}

/// The process group of the running command; 0 if none runs.
static CURRENT: AtomicI32 = AtomicI32::new(0);

/// Kills the running command and its descendants.
pub fn kill_current() {
    if let Some(group) = Pid::from_raw(CURRENT.load(Ordering::Relaxed)) {
        // It may have ended already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Checks that a command can be run.
///
/// # Errors
/// `NotFound`, or `PermissionDenied` if a path names a file that is not executable.
pub fn find(program: &OsStr) -> io::Result<()> {
    let is_path = program.as_bytes().contains(&b'/');
    match which::which(program) {
        Ok(_) => Ok(()),
        Err(_) if is_path && Path::new(program).exists() => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        Err(_) => Err(io::ErrorKind::NotFound.into()),
    }
}

/// A running command.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Option<Pid>,
    /// Its standard input is no longer written.
    is_over: Arc<AtomicBool>,
    /// Receives a message when it has ended.
    end: Receiver<()>,
}

impl Running {
    /// Starts `command` with the input `told`. Another thread calls `ended` when it has ended, and
    /// [`Running::finish`] returns how.
    ///
    /// # Errors
    /// If it can't be run.
    pub fn start(
        command: &[OsString],
        told: Told,
        ended: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .process_group(0);
        for (name, _) in &told.left_out {
            command.env_remove(name);
        }
        for (name, value) in &told.variables {
            command.env(name, OsStr::from_bytes(value));
        }
        let mut child = command.spawn()?;
        let is_over = Arc::new(AtomicBool::new(false));
        if let Some(stdin) = child.stdin.take() {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || feed(stdin, &told.json, &is_over));
        }
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        CURRENT.store(group.map_or(0, Pid::as_raw_pid), Ordering::Relaxed);
        let (say, end) = mpsc::channel();
        if let Some(pid) = group {
            thread::spawn(move || {
                // `finish` reaps it.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
                // The receiver may be gone.
                let _ = say.send(());
                ended();
            });
        }
        Ok(Self {
            child,
            group,
            is_over,
            end,
        })
    }

    /// Sends a signal to the command and its descendants.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The group may have ended already.
            let _ = kill_process_group(group, signal);
            // The command may have left its group. Its process ID is valid until it is reaped.
            let _ = kill_process(group, signal);
        }
    }

    /// Reaps a command that has ended, and returns its status.
    ///
    /// # Errors
    /// If the status is not available.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        self.is_over.store(true, Ordering::Relaxed);
        CURRENT.store(0, Ordering::Relaxed);
        self.child.wait()
    }

    /// Ends the command and its descendants by `signal`, and kills those left after `grace`. Calls
    /// `waits` if the command takes more than a moment. Returns its status.
    ///
    /// # Errors
    /// If the status is not available.
    pub fn end(
        self,
        signal: Signal,
        grace: Duration,
        waits: impl FnOnce(),
    ) -> io::Result<ExitStatus> {
        self.signal(signal);
        let until = Instant::now() + grace;
        let moment = NOTICE_AFTER.min(grace);
        // If the sender is gone, the command has ended too.
        if let Err(RecvTimeoutError::Timeout) = self.end.recv_timeout(moment) {
            waits();
            let _ = self.end.recv_timeout(grace.saturating_sub(moment));
        }
        while self.is_anyone_left() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.end.recv();
        self.finish()
    }

    /// Whether a process of its group still runs. The command itself no longer counts once it has
    /// ended.
    #[must_use]
    pub fn is_anyone_left(&self) -> bool {
        self.group
            .is_some_and(|group| test_kill_process_group(group).is_ok() && has_living_member(group))
    }
}

/// Whether a group has a member that is not a zombie. The command itself stays a zombie until it is
/// reaped, so a signal to the group always finds it; without `/proc` every restart would last for the
/// whole `--grace`, or kill what the command has started without any.
fn has_living_member(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The name may contain anything; the state, the parent and the group follow it.
        let mut fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
    })
}

/// Writes a record to a command that may never read it.
fn feed(mut stdin: ChildStdin, json: &[u8], is_over: &AtomicBool) {
    if ioctl_fionbio(&stdin, true).is_err() {
        return;
    }
    let mut rest = json;
    while !rest.is_empty() && !is_over.load(Ordering::Relaxed) {
        match stdin.write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let fd = stdin.as_fd();
                let _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&POLL));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The command has closed its standard input.
            Err(_) => return,
        }
    }
}
