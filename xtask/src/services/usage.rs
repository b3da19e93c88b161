//! What processes have used, as `/proc` tells.
use std::fs;
use std::path::{Path, PathBuf};

/// Clock ticks a second, in which Linux counts a process's time on every platform that we build for.
const TICKS: f64 = 100.0;

const PAGE: u64 = 4_096;

/// How the threads of actix-web are called that answer requests, as far as Linux keeps a name.
const WORKERS: [&str; 2] = ["actix-server wo", "actix-rt|system"];

/// What the processes of a service have used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time since their start, in seconds.
    pub(crate) cpu_seconds: f64,
    /// The part of it that the threads used which answer requests.
    pub(crate) worker_seconds: f64,
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// The part of it that is no page of a file: neither the binary's nor the store's.
    pub(crate) own: u64,
    /// The most that was resident since their start, in bytes.
    pub(crate) peak: u64,
}

impl Usage {
    /// What a process has used.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let read = |file| fs::read_to_string(folder.join(file)).ok();
        let pages: u64 = read("statm")?.split(' ').nth(1)?.parse().ok()?;
        let resident = pages * PAGE;
        let status = read("status")?;
        Some(Self {
            cpu_seconds: ticks(&read("stat")?)? / TICKS,
            worker_seconds: threads(&folder)
                .filter(|thread| is_worker(thread))
                .filter_map(|thread| thread_seconds(&thread))
                .sum(),
            resident,
            own: bytes(&status, "RssAnon:").unwrap_or(0),
            peak: bytes(&status, "VmHWM:").unwrap_or(0).max(resident),
        })
    }

    /// What was used since an earlier look.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - earlier.cpu_seconds,
            worker_seconds: self.worker_seconds - earlier.worker_seconds,
            ..self
        }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), |sum, usage| Self {
            cpu_seconds: sum.cpu_seconds + usage.cpu_seconds,
            worker_seconds: sum.worker_seconds + usage.worker_seconds,
            resident: sum.resident + usage.resident,
            own: sum.own + usage.own,
            peak: sum.peak + usage.peak,
        })
    }
}

/// The folders of a process's threads.
fn threads(process: &Path) -> impl Iterator<Item = PathBuf> {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten();
    threads.map_while(Result::ok).map(|thread| thread.path())
}

fn is_worker(thread: &Path) -> bool {
    let name = fs::read_to_string(thread.join("comm")).unwrap_or_default();
    WORKERS.contains(&name.trim_end())
}

/// The processor time of a thread: in nanoseconds where the kernel tells, else in clock ticks.
fn thread_seconds(thread: &Path) -> Option<f64> {
    let precise = fs::read_to_string(thread.join("schedstat")).ok();
    let nanos = precise.and_then(|times| times.split(' ').next()?.parse::<f64>().ok());
    match nanos {
        Some(nanos) if nanos > 0.0 => Some(nanos / 1e9),
        _ => Some(ticks(&fs::read_to_string(thread.join("stat")).ok()?)? / TICKS),
    }
}

/// User and system time of a `stat` file.
fn ticks(stat: &str) -> Option<f64> {
    // The name, in parentheses, may hold spaces; the fields after it are counted from the third.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields
        .split(' ')
        .skip(11)
        .map_while(|field| field.parse::<f64>().ok());
    Some(times.next()? + times.next()?)
}

/// A figure of a `status` file, in bytes.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let figure = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = figure.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.peak >= usage.resident && usage.resident > usage.own);
        assert!(usage.own > PAGE);
        assert!(usage.cpu_seconds >= 0.0);
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_is_passed_over() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1 0 0 0 12 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42.0));
        assert_eq!(ticks("7"), None);
    }

    #[test]
    fn figures_of_a_status_are_in_kib() {
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    1768 kB\n";
        assert_eq!(bytes(status, "VmHWM:"), Some(1768 << 10));
        assert_eq!(bytes(status, "RssAnon:"), None);
    }

    #[test]
    fn a_thread_has_used_something_too() {
        let process = Path::new("/proc/self");
        // A thread may end between the two looks.
        assert!(threads(process).any(|thread| thread_seconds(&thread).is_some()));
    }
}
