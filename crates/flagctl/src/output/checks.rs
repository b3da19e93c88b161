//! What a doctor found.

use flag_store::UnreadableRow;
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
    /// The row that it was found in, if it was in one.
    #[serde(flatten)]
    pub(crate) row: Option<Place>,
}

/// Where in a table something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) row_key: String,
    /// The column, or the field in it; `row key` if it is the key.
    pub(crate) column: String,
    /// What was found, without where.
    pub(crate) problem: String,
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
            row: None,
        });
    }

    /// Notes what was found in a row.
    pub(crate) fn note_row(&mut self, status: Status, subject: &str, place: Place, found: String) {
        self.note(status, subject, found);
        if let Some(check) = self.checks.last_mut() {
            check.row = Some(place);
        }
    }

    /// Notes a row that cannot be read, and what that means.
    pub(crate) fn unreadable_row(
        &mut self,
        status: Status,
        subject: &str,
        row: &UnreadableRow,
        meaning: &str,
    ) {
        let place = Place {
            row_key: row.key().to_owned(),
            column: row.column().unwrap_or("row key").to_owned(),
            problem: row.problem() + meaning,
        };
        self.note_row(status, subject, place, format!("{row}{meaning}"));
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
        let mut rows = Columns::headed(["STATUS", "COLUMN", "FOUND", "ROW KEY"]);
        let mut are_rows = false;
        for check in &self.checks {
            let (tone, status) = match check.status {
                Status::Ok => (Tone::Plain, "ok"),
                Status::Warning => (Tone::Changed, "warning"),
                Status::Failed => (Tone::Problem, "failed"),
            };
            let status = status.to_owned();
            if let Some(Place {
                row_key,
                column,
                problem,
            }) = &check.row
            {
                are_rows = true;
                let line = [status, column.clone(), problem.clone(), row_key.clone()];
                rows.line(tone, line);
            } else {
                columns.line(tone, [status, check.subject.clone(), check.found.clone()]);
            }
        }
        let checks = columns.text();
        if are_rows {
            checks.and(rows.text())
        } else {
            checks
        }
    }

    fn names(&self) -> Vec<String> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status == Status::Failed);
        failed.map(|check| check.subject.clone()).collect()
    }
}
