//! Development tasks of etcdwatch, run as `cargo xtask TASK`.
//!
//! `cargo xtask generate` renders the files that are checked in but derived from other files:
//! `completions/` from the clap definition, and `man/` from the clap definition and `docs/man/`.

mod completions;
mod error;
mod files;
mod generate;
mod man;

use std::process::ExitCode;

use clap::Parser;

/// Development tasks of etcdwatch.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum DevTask {
    /// Render completions/ and man/ from the clap definition and docs/man/
    Generate {
        /// Write nothing, and fail if a file is stale
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match DevTask::parse() {
        DevTask::Generate { check: true } => generate::check(),
        DevTask::Generate { check: false } => generate::write(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
