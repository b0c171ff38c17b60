//! Signals that end the run: the only user of signal-hook.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// Passes the first signal on to `first`, so that what was received is still written; a second
/// one ends the process at once.
///
/// # Errors
/// Where the handlers can't be installed.
pub fn listen(first: impl FnOnce(Exit) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
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
            std::process::exit(exit.code().into());
        }
    });
    Ok(())
}
