//! What a process has used, from the kernel's books of it in `/proc`. The kernel's memory for its sockets is not in them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// One tick of `/proc/PID/stat` is a hundredth of a second on every Linux that Rust supports. The kernel scales the figures
/// to the scheduler's exact run time, so over a window of seconds only the last tick is rounded.
const TICK: Duration = Duration::from_millis(10);

/// Fields of `/proc/PID/stat` counted from the one after the parenthesised name, which is field 2 (proc_pid_stat(5)).
const USER_TIME_FIELD: usize = 14 - 3;
const SYSTEM_TIME_FIELD: usize = 15 - 3;

/// User and system time of all threads of a process, those that have ended included.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    parse_cpu_time(&stat).with_context(|| format!("{path} is not as expected"))
}

/// Resident bytes of a process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    parse_resident_bytes(&status).with_context(|| format!("{path} has no VmRSS"))
}

fn parse_cpu_time(stat: &str) -> Option<Duration> {
    // A name may itself hold spaces and parentheses: the last one closes it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    Some(TICK * (ticks(USER_TIME_FIELD)? + ticks(SYSTEM_TIME_FIELD)?))
}

fn parse_resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_plus_system_whatever_the_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 3 0 88 0 0";
        assert_eq!(parse_cpu_time(stat), Some(Duration::from_secs(3)));
    }

    #[test]
    fn resident_bytes_are_read_from_kib() {
        let status = "Name:\tx\nVmHWM:\t  9000 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(parse_resident_bytes(status), Some(2 * 1024 * 1024));
    }

    #[test]
    fn this_process_has_books() {
        let pid = std::process::id();
        assert!(cpu_time(pid).is_ok());
        assert!(resident_bytes(pid).unwrap() > 100 * 1024);
    }
}
