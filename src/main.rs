//! The `etcdwatch` command. The library has all of the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    etcdwatch::app::run(std::env::args_os())
}
