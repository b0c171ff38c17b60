//! `completions`.

use clap::CommandFactory as _;

use crate::cli::{self, Cli};

/// The completion script for a shell.
#[must_use]
pub fn render(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "etcdwatch", &mut script);
    script
}

/// Prints it.
///
/// # Errors
/// Where it can't be written.
pub fn run(typed: &cli::Completions) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&render(typed.shell))?;
    stdout.flush()
}
