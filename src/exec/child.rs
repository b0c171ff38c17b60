//! A command that runs, with a record on its standard input.
//!
//! In scope: starting the command directly, never through a shell; its environment; ending its process
//! group. Out of scope: the time at which it starts and ends (`queue`).
//!
//! The command leads a process group of its own, so that etcdwatch can end its child processes
//! with it. It stays a zombie until then, so that no other process can get the number of the group.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
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

/// The longest value of a variable, in bytes. The kernel refuses a longer one (`MAX_ARG_STRLEN`, less the
/// name).
const LONGEST: usize = 128 * 1024 - 64;

/// The time after which a notice says that etcdwatch waits for a command to end.
const MOMENT: Duration = Duration::from_millis(500);

/// The interval at which etcdwatch checks whether a command that does not read has ended.
const POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The input of a command for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandInput {
    /// The variables of its environment.
    pub variables: Vec<(&'static str, Vec<u8>)>,
    /// The variables that an environment can't hold, each with the reason.
    pub left_out: Vec<(&'static str, &'static str)>,
    /// The record as JSON, on its standard input.
    pub json: Vec<u8>,
    /// The key and the index, for messages.
    pub about: String,
}

impl CommandInput {
    /// The input for a record of a key.
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

    /// The input for any record.
    #[must_use]
    pub fn new(index: Index, action: &[u8], key: &[u8], value: &[u8], json: Vec<u8>) -> Self {
        let mut input = Self {
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
                input.left_out.push((name, "the value has a NUL"));
            } else if bytes.len() > LONGEST {
                input.left_out.push((name, "the value is too long"));
            } else {
                input.variables.push((name, bytes.to_vec()));
            }
        }
        input
    }
}

/// The process group of the command that runs; 0 if no command runs.
static CURRENT: AtomicI32 = AtomicI32::new(0);

/// Kills the process group of the command that runs.
pub fn kill_current() {
    if let Some(group) = Pid::from_raw(CURRENT.load(Ordering::Relaxed)) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Checks that a command can be run.
///
/// # Errors
/// The error with which starting the command would fail. A file without execute permission has another
/// error than a missing file, which the `which` crate does not distinguish.
pub fn find(program: &OsStr) -> io::Result<()> {
    let runs = |path: &Path| {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::PermissionDenied))
        }
    };
    if program.as_bytes().contains(&b'/') {
        return runs(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = Err(io::Error::from(io::ErrorKind::NotFound));
    for directory in std::env::split_paths(&path) {
        match runs(&directory.join(program)) {
            Ok(()) => return Ok(()),
            // Another directory may have an executable file of this name.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found = Err(error),
            Err(_) => {}
        }
    }
    found
}

/// A command that runs.
#[derive(Debug)]
pub struct RunningCommand {
    child: Child,
    group: Option<Pid>,
    /// Stops the thread that writes to its standard input.
    is_over: Arc<AtomicBool>,
    /// Receives one message when it has ended.
    end: Receiver<()>,
}

impl RunningCommand {
    /// Starts `command` with its input. Calls `ended` on another thread once the command has
    /// ended. [`RunningCommand::finish`] returns its exit status.
    ///
    /// # Errors
    /// If the command can't be run.
    pub fn start(
        command: &[OsString],
        input: CommandInput,
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
        for (name, _) in &input.left_out {
            command.env_remove(name);
        }
        for (name, value) in &input.variables {
            command.env(name, OsStr::from_bytes(value));
        }
        let mut child = command.spawn()?;
        let is_over = Arc::new(AtomicBool::new(false));
        if let Some(stdin) = child.stdin.take() {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || feed(stdin, &input.json, &is_over));
        }
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        CURRENT.store(group.map_or(0, Pid::as_raw_pid), Ordering::Relaxed);
        let (say, end) = mpsc::channel();
        if let Some(pid) = group {
            thread::spawn(move || {
                // It stays a zombie, for `finish` to wait for.
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

    /// Sends a signal to the command and to all processes in its group.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The group may be empty already.
            let _ = kill_process_group(group, signal);
            // It may have left its group. Its number is its own until `finish`.
            let _ = kill_process(group, signal);
        }
    }

    /// Whether the command has ended. Returns true only once.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.end.try_recv().is_ok()
    }

    /// Waits for the end of the command, and returns its exit status.
    ///
    /// # Errors
    /// If the exit status can't be read.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        self.is_over.store(true, Ordering::Relaxed);
        CURRENT.store(0, Ordering::Relaxed);
        self.child.wait()
    }

    /// Ends the command and its process group with `signal`, and kills the remaining processes after
    /// `grace`. Calls `waits` if the end takes longer than `MOMENT`. Returns the exit status.
    ///
    /// # Errors
    /// If the exit status can't be read.
    pub fn end(
        self,
        signal: Signal,
        grace: Duration,
        waits: impl FnOnce(),
    ) -> io::Result<ExitStatus> {
        self.signal(signal);
        let until = Instant::now() + grace;
        let moment = MOMENT.min(grace);
        // The command has also ended if the sender is gone.
        if let Err(RecvTimeoutError::Timeout) = self.end.recv_timeout(moment) {
            waits();
            let _ = self.end.recv_timeout(grace.saturating_sub(moment));
        }
        while self.has_processes() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.end.recv();
        self.finish()
    }

    /// Whether a process of its group still runs. The command does not count once it has ended.
    #[must_use]
    pub fn has_processes(&self) -> bool {
        self.group
            .is_some_and(|group| test_kill_process_group(group).is_ok() && has_living_member(group))
    }
}

/// Whether a group has a process that is not a zombie. In a container whose first process reaps nothing,
/// a zombie stays in its group for ever.
fn has_living_member(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The name may contain anything. State, parent and group follow it.
        let mut fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
    })
}

/// Writes a record to a command, which may never read it.
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
