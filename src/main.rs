//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    etcdwatch::app::run(std::env::args_os())
}
