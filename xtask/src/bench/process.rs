//! What a process has cost until now, by what the kernel says of it. Starts nothing.

use crate::Result;

/// Resident memory.
pub fn rss_mib(pid: u32) -> Result<f64> {
    memory_mib(pid, "VmRSS:")
}

/// The most there has been of it.
pub fn peak_rss_mib(pid: u32) -> Result<f64> {
    memory_mib(pid, "VmHWM:")
}

fn memory_mib(pid: u32, which: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(which)).ok_or("no such line in its status")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// User and system time, in seconds. The kernel counts in hundredths on every Linux there is.
pub fn cpu_s(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let field = |at: usize| -> Result<u64> { Ok(fields.get(at).ok_or("a short stat")?.parse()?) };
    Ok((field(11)? + field(12)?) as f64 / 100.0)
}
