//! What a doctor found.

use serde::Serialize;

use super::Answer;
use super::text::{Columns, Text, Tone};

/// What was checked, in the order in which it was.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Checks {
    pub(crate) checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    #[serde(rename = "check")]
    pub(crate) subject: String,
    pub(crate) status: Status,
    /// What was found.
    pub(crate) found: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Somebody should know.
    Warning,
    /// Somebody should do something.
    Failed,
}

impl Checks {
    /// Notes what was found.
    pub(crate) fn note(
        &mut self,
        status: Status,
        subject: impl Into<String>,
        found: impl Into<String>,
    ) {
        let (subject, found) = (subject.into(), found.into());
        self.checks.push(Check {
            subject,
            status,
            found,
        });
    }

    /// Whether anything failed.
    pub(crate) fn any_failed(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.status == Status::Failed)
    }
}

impl Answer for Checks {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let mut columns = Columns::default();
        for check in &self.checks {
            let (tone, status) = match check.status {
                Status::Ok => (Tone::Plain, "ok"),
                Status::Warning => (Tone::Changed, "warning"),
                Status::Failed => (Tone::Problem, "failed"),
            };
            let line = [
                status.to_owned(),
                check.subject.clone(),
                check.found.clone(),
            ];
            columns.line(tone, line);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status == Status::Failed);
        failed.map(|check| check.subject.clone()).collect()
    }
}
