//! The rows of the table, as they are measured.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;

/// What was wanted of a fault.
pub(super) struct Row {
    /// What fails.
    pub(super) fault: &'static str,
    /// What was to hold.
    pub(super) goal: &'static str,
}

impl Row {
    /// Reports what was measured; fails if the goal was missed.
    #[track_caller]
    pub(super) fn report(&self, measured: &str, holds: Verdict) {
        let Self { fault, goal } = self;
        println!("{fault}: {goal}: {measured} ({holds:?})");
        if let Some(path) = std::env::var_os("FLAG_FAULTS_REPORT") {
            let line = json!({
                "fault": fault,
                "goal": goal,
                "measured": measured,
                "holds": holds == Verdict::Holds,
            });
            let mut report = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            writeln!(report, "{line}").unwrap();
        }
        assert_eq!(holds, Verdict::Holds, "{fault}: {measured}, wanted {goal}");
    }
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was.
    Holds,
    /// It wasn't.
    FallsShort,
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::FallsShort }
    }
}
