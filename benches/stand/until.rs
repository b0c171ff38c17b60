//! Runs an endless command, such as a watch, until it has written enough.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use memchr::memmem::Finder;

use crate::{Outcome, cost, ms};

/// Runs the command until `needle` has occurred so often on its stdout. Prints the elapsed time,
/// the CPU time, and the peak memory in KiB.
pub fn until(count: usize, needle: &str, command: &[&str]) -> Outcome<()> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let from = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let finder = Finder::new(needle);
    let mut buffer = vec![0; 1 << 18];
    // The beginning of the buffer holds the end of what was read before, in which a needle may have
    // begun.
    let mut kept = 0;
    let mut seen = 0;
    while seen < count {
        let size = stdout.read(&mut buffer[kept..])?;
        if size == 0 {
            let _ = child.wait();
            return Err(format!("it has ended after {seen} of {count}").into());
        }
        let filled = kept + size;
        seen += finder.find_iter(&buffer[..filled]).count();
        let from = filled - filled.min(needle.len() - 1);
        buffer.copy_within(from..filled, 0);
        kept = filled - from;
    }
    let wall = from.elapsed();
    let (cpu, memory) = (cost::cpu(child.id())?, cost::peak_memory(child.id())?);
    child.kill()?;
    child.wait()?;
    println!("{:.1} {:.0} {memory}", ms(wall), ms(cpu));
    Ok(())
}
