//! What the figures were measured on, and how busy it was.

use std::env::consts;
use std::fs;
use std::process::Command;
use std::thread;

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_gib: Option<u64>,
    pub(crate) system: String,
}

impl Machine {
    /// Reads what Linux tells; elsewhere less is known.
    pub(crate) fn look() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| model(&text));
        let memory = fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| memory_kib(&text));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory.map(|kib| (kib + (1 << 19)) >> 20),
            system: format!("{} {} {}", consts::OS, consts::ARCH, release.trim())
                .trim_end()
                .to_owned(),
        }
    }
}

/// Processes that ran or waited for a processor, as a mean over the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// Now, UTC, to the minute; empty where there is no `date`.
pub(crate) fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_what_the_kernel_prints() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(),
            Some("A CPU @ 2 GHz")
        );
        assert_eq!(
            memory_kib("MemTotal:       24689512 kB\nMemFree: 1 kB\n"),
            Some(24_689_512)
        );
        assert_eq!((model(""), memory_kib("")), (None, None));
        assert!(Machine::look().processors >= 1);
    }
}
