//! A limit of processor time, as `limits.cpu` is one: a control group of Linux with a quota.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Where groups are made; version 1 of control groups, mounted writable.
const GROUPS: &str = "/sys/fs/cgroup/cpu";

/// The period that Kubernetes uses. What is used up in it waits for the next one.
const PERIOD: Duration = Duration::from_millis(100);

/// A control group; removed when dropped, which works once its processes have ended.
pub(super) struct Quota {
    folder: PathBuf,
}

/// How often the processes of a group had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Throttled {
    /// Periods in which one of them ran.
    pub(super) periods: u64,
    /// Those of them in which the quota was used up.
    pub(super) exhausted: u64,
    /// How long they waited, summed over processors.
    pub(super) nanoseconds: u64,
}

impl Quota {
    /// Makes a group that may use this many processors.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of microseconds"
    )]
    pub(super) fn make(processors: f64) -> Result<Self> {
        let folder = Path::new(GROUPS).join(format!("flag-load-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| {
            format!(
                "--cpu-limit: cannot make {}, which wants root and control groups of version 1",
                folder.display()
            )
        })?;
        let quota = Self { folder };
        let micros = (PERIOD.as_secs_f64() * 1e6 * processors) as u64;
        quota.set("cpu.cfs_period_us", &PERIOD.as_micros().to_string())?;
        quota.set("cpu.cfs_quota_us", &micros.to_string())?;
        Ok(quota)
    }

    fn set(&self, file: &str, value: &str) -> Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The program, with its arguments, that starts another one in the group.
    pub(super) fn wrapper(&self) -> Vec<String> {
        let enter = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;
        let folder = self.folder.display().to_string();
        ["sh", "-c", enter, &folder].map(str::to_owned).into()
    }

    /// How often its processes had to wait so far.
    pub(super) fn throttled(&self) -> Result<Throttled> {
        let path = self.folder.join("cpu.stat");
        let text = fs::read_to_string(path).context("cannot read what the group has used")?;
        Throttled::parse(&text).context("cannot understand what the group has used")
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Throttled {
    fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name)?.1.parse().ok()
        };
        Some(Self {
            periods: value("nr_periods")?,
            exhausted: value("nr_throttled")?,
            nanoseconds: value("throttled_time")?,
        })
    }

    /// How often they had to wait since an earlier look.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            periods: self.periods - earlier.periods,
            exhausted: self.exhausted - earlier.exhausted,
            nanoseconds: self.nanoseconds - earlier.nanoseconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_used_is_read() {
        let text = "nr_periods 300\nnr_throttled 12\nthrottled_time 310000000\nnr_bursts 0\n";
        let after = Throttled::parse(text).unwrap();
        let before = Throttled {
            periods: 100,
            exhausted: 2,
            nanoseconds: 10_000_000,
        };
        let since = Throttled {
            periods: 200,
            exhausted: 10,
            nanoseconds: 300_000_000,
        };
        assert_eq!(after.since(before), since);
        assert_eq!(Throttled::parse("nr_periods 300\n"), None);
    }
}
