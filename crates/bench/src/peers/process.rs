//! Processes that are started for a measurement and end with it, and what whole families of them use.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::Outcome;
use crate::installation::failed;

/// How often it is looked whether a process has ended, and the time between two looks.
const LOOKS_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// How the operating system counts time on a processor.
const TICKS_PER_SECOND: u32 = 100;

/// A process that is asked to end, with its children, when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    signal: &'static str,
}

impl Process {
    /// Starts a program whose output goes to a file. The signal is how it is asked to end.
    ///
    /// # Errors
    /// A text.
    pub fn start(mut command: Command, log: &Path, signal: &'static str) -> Outcome<Self> {
        let file = File::create(log).map_err(|error| failed(log, &error))?;
        let copy = file.try_clone().map_err(|error| failed(log, &error))?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self { child, signal })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-s", self.signal, &self.id().to_string()]).status());
        for _ in 0..LOOKS_MAX {
            if self.has_ended() {
                return;
            }
            sleep(PAUSE);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that ends with this process, even if this one is killed.
#[must_use]
pub fn bound(program: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=TERM");
    if let Some(user) = user {
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
    }
    command.arg(program);
    command
}

/// Runs a program to its end, which must be a good one.
///
/// # Errors
/// A text, with what it has printed.
pub fn finish(mut command: Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?} fails: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The time on processors of these processes so far, with all their descendants, also with those that have ended.
///
/// # Errors
/// A text.
pub fn cpu(roots: &[u32]) -> Outcome<Duration> {
    let entries = fs::read_dir("/proc").map_err(|error| error.to_string())?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Who has just ended is in the sums of its parent.
    let all: HashMap<u32, (u32, u64)> = ids
        .filter_map(|id| Some((id, parent_and_ticks(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?)))
        .collect();
    let ticks = all.iter().filter(|(id, _)| is_below(**id, roots, &all)).map(|(_, (_, ticks))| ticks);
    Ok(Duration::from_secs(ticks.sum()) / TICKS_PER_SECOND)
}

fn is_below(id: u32, roots: &[u32], all: &HashMap<u32, (u32, u64)>) -> bool {
    let mut id = id;
    // Each step goes to a parent; processes that begin and end meanwhile must not make it a circle.
    for _ in 0..all.len() {
        if roots.contains(&id) {
            return true;
        }
        let Some((parent, _)) = all.get(&id) else { return false };
        id = *parent;
    }
    false
}

/// The parent of a process; its time on processors, with that of its children that have ended.
fn parent_and_ticks(stat: &str) -> Option<(u32, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_parent_and_the_time_of_its_ended_children() {
        let stat = "7 (a (b) c) S 3 7 7 0 -1 4194560 900 100 0 0 20 10 300 5 20 0 1 0 99 1 2";
        assert_eq!(parent_and_ticks(stat), Some((3, 335)));
        assert_eq!(parent_and_ticks("7 (a) S"), None);
    }

    #[test]
    fn descendants_count_and_others_do_not() {
        let all =
            HashMap::from([(2, (1, 0)), (3, (2, 0)), (4, (3, 0)), (5, (1, 0)), (6, (7, 0)), (7, (6, 0))]);
        let below: Vec<u32> = (1..8).filter(|id| is_below(*id, &[2], &all)).collect();
        assert_eq!(below, [2, 3, 4]);
    }

    #[test]
    fn a_child_is_counted_and_ends_when_it_is_dropped() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; exec sleep 60"]);
        let child = Process::start(command, Path::new("/dev/null"), "TERM").unwrap();
        let id = child.id();
        while cpu(&[id]).unwrap().is_zero() {
            sleep(PAUSE);
        }
        drop(child);
        assert!(cpu(&[id]).unwrap().is_zero());
    }
}
