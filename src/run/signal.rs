//! Signals that end the run: the only user of signal-hook.

use std::io;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// The signals that the process was started with ignored, as by `nohup`, a bit each: they stay so.
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

/// What ends a run.
fn heeded() -> impl Iterator<Item = i32> {
    let ignored = ignored();
    let ending = [SIGINT, SIGTERM, SIGHUP].into_iter();
    ending.filter(move |signal| ignored & (1 << (signal - 1)) == 0)
}

/// Passes the first signal on to `first`, so that what was received is still written; a second
/// one ends the process at once, after `second`. A file that may not grow ends nothing: the write
/// that is refused is told.
///
/// # Errors
/// Where the handlers can't be installed.
pub fn listen(
    first: impl FnOnce(Exit) + Send + 'static,
    second: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new(heeded())?;
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

/// Does `work`; where a signal ends the process meanwhile, after `last`.
///
/// # Errors
/// Where the handlers can't be installed.
pub fn guard<T>(last: impl FnOnce() + Send + 'static, work: impl FnOnce() -> T) -> io::Result<T> {
    let mut signals = Signals::new(heeded().chain([SIGQUIT]))?;
    let handle = signals.handle();
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            last();
            // As it would have ended without us.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    let done = work();
    handle.close();
    Ok(done)
}

/// Ends the process as Ctrl-C does.
pub fn interrupt() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
}
