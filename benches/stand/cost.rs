//! The cost of a process so far, as the kernel reports it. The process must be running, or ended
//! and not yet waited for.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// The unit of the kernel's CPU times: `USER_HZ`, which is 100 on every Linux that etcd supports.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time of all its threads, including ended ones.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may have anything in it. After it: the state, and as
    // the 12th and 13th field from there user and system time.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<u32> = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum::<u32>())
}

/// The most memory that it ever held, in KiB. Of a process that has ended it is no longer known.
pub fn peak_memory(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(size.ok_or("no peak memory: it has ended")?.parse()?)
}
