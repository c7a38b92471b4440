//! Which process a pid means: pids are reused, start times and our marker are not.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// A process, told from a later one with the same pid by its start time.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// Opaque: clock ticks since boot on Linux, `ps -o lstart` elsewhere.
    pub(super) started: String,
}

impl Identity {
    /// The process that has `pid` now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: start_time(pid)?,
        })
    }

    /// Whether this very process still runs.
    pub(super) fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }
}

fn start_time(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        return parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    }
    let output = Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Start time of a living process from `/proc/<pid>/stat`; `None` for a zombie, which only waits for its parent.
///
/// The second field is the program's name in parentheses and may itself hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<String> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    // Counted from the third field: state is 0, start time is 19.
    let state = *fields.first()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.get(19).map(|field| (*field).to_owned())
}

/// Whether the process carries `name=value`; `true` where environments cannot be read, since the start time has matched then.
pub(super) fn may_be_marked(pid: u32, name: &str, value: &str) -> bool {
    if cfg!(target_os = "linux") {
        is_marked(pid, name, value)
    } else {
        true
    }
}

fn is_marked(pid: u32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == wanted.as_bytes())
    })
}

/// Every other process that carries `name=value` in its environment.
pub(super) fn marked(name: &str, value: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id() && is_marked(*pid, name, value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4711 (a) b) S 1 4711 4711 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0 18446744073709551615";

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        assert_eq!(parse_stat(STAT).as_deref(), Some("987654"));
        assert_eq!(parse_stat("garbage"), None);
        assert_eq!(parse_stat("1 (x) S 1"), None);
    }

    #[test]
    fn a_zombie_is_not_alive() {
        assert_eq!(parse_stat(&STAT.replace(" S ", " Z ")), None);
    }

    #[test]
    fn we_are_alive_and_our_pid_at_another_time_is_not_us() {
        let us = Identity::of(std::process::id()).unwrap();
        assert!(us.is_alive());
        assert!(
            !Identity {
                started: "1".to_owned(),
                ..us
            }
            .is_alive()
        );
    }
}
