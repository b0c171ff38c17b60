//! The signals that end a run.

use std::io;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// The signals that the process ignored when it started, as under `nohup`, as a bit mask. They stay ignored.
fn ignored() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default()
}

/// The signals that end a run.
fn ending() -> impl Iterator<Item = i32> {
    let ignored = ignored();
    let signals = [SIGINT, SIGTERM, SIGHUP].into_iter();
    signals.filter(move |signal| ignored & (1 << (signal - 1)) == 0)
}

/// Calls `first` on the first signal, so that the run can still write the records it has received. On the
/// second signal, calls `second` and ends the process. SIGXFSZ is ignored, so that the write that
/// exceeds the limit reports the error.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn listen(
    first: impl FnOnce(Exit) + Send + 'static,
    second: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new(ending())?;
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    thread::spawn(move || {
        let mut arriving = signals.forever().map(|signal| match signal {
            SIGINT => Exit::Interrupted,
            SIGHUP => Exit::HungUp,
            _ => Exit::Terminated,
        });
        if let Some(exit) = arriving.next() {
            first(exit);
        }
        if let Some(exit) = arriving.next() {
            second();
            std::process::exit(exit.code().into());
        }
    });
    Ok(())
}

/// Does `work`. If a signal ends the process meanwhile, calls `last` first.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn guard<T>(last: impl FnOnce() + Send + 'static, work: impl FnOnce() -> T) -> io::Result<T> {
    let mut signals = Signals::new(ending().chain([SIGQUIT]))?;
    let handle = signals.handle();
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            last();
            // The exit status is that of the default action.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    let done = work();
    handle.close();
    Ok(done)
}

/// Ends the process with the default action of SIGINT.
pub fn interrupt() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
}
