//! The results of `flagctl doctor`.

use std::collections::BTreeSet;

use flag_store::UnreadableRow;
use serde::Serialize;

use super::escape::visible;
use super::table::short;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// The checks, in their order.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Checks {
    pub(crate) checks: Vec<Check>,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// The subject.
    #[serde(rename = "check")]
    pub(crate) subject: String,
    pub(crate) status: Status,
    /// What was found.
    pub(crate) found: String,
    /// Advice, if it failed.
    pub(crate) advice: Option<String>,
    /// The row, if it is about one.
    #[serde(flatten)]
    pub(crate) row: Option<RowLocation>,
}

/// A position in a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RowLocation {
    pub(crate) row_key: String,
    /// The column, or the field in it; `row key` if it is the key.
    pub(crate) column: String,
    /// What was found, without the position.
    pub(crate) problem: String,
}

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Nothing is wrong.
    Ok,
    /// Something is unusual.
    Warning,
    /// Something must be corrected.
    Failed,
}

impl Checks {
    /// Adds a result.
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
            advice: None,
            row: None,
        });
    }

    /// Adds advice to the last result, if it failed.
    pub(crate) fn advise(&mut self, advice: impl Into<String>) {
        if let Some(check) = self.checks.last_mut() {
            check.advice = (check.status == Status::Failed).then(|| advice.into());
        }
    }

    /// Adds a result about a row.
    pub(crate) fn note_row(
        &mut self,
        status: Status,
        subject: &str,
        location: RowLocation,
        found: String,
    ) {
        self.note(status, subject, found);
        if let Some(check) = self.checks.last_mut() {
            check.row = Some(location);
        }
    }

    /// Adds an unreadable row, and the consequence.
    pub(crate) fn unreadable_row(
        &mut self,
        status: Status,
        subject: &str,
        row: &UnreadableRow,
        meaning: &str,
    ) {
        let location = RowLocation {
            row_key: row.key().to_owned(),
            column: row.column().unwrap_or("row key").to_owned(),
            problem: row.problem() + meaning,
        };
        self.note_row(status, subject, location, format!("{row}{meaning}"));
    }

    /// Whether anything failed.
    pub(crate) fn any_failed(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.status == Status::Failed)
    }
}

impl View for Checks {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        self.table(short)
    }

    fn wide(&self) -> Text {
        self.table(visible)
    }

    fn names(&self) -> Vec<String> {
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status == Status::Failed);
        failed.map(|check| check.name().to_owned()).collect()
    }
}

impl Checks {
    /// The results in columns, those about rows in a table of their own.
    fn table(&self, shown: fn(&str) -> String) -> Text {
        let mut columns = Columns::default();
        let mut rows = Columns::headed(["STATUS", "COLUMN", "FOUND", "ROW KEY"]);
        let mut are_rows = false;
        for check in &self.checks {
            let (tone, status) = check.status.shown();
            let status = status.to_owned();
            if let Some(location) = &check.row {
                are_rows = true;
                let (column, row_key) = (location.column.clone(), location.row_key.clone());
                rows.line(tone, [status, column, shown(&location.problem), row_key]);
            } else {
                columns.line(tone, [status, check.subject.clone(), shown(&check.found)]);
            }
        }
        let mut text = columns.text();
        if are_rows {
            text = text.and(rows.text());
        }
        if self.any_failed() {
            text = text.and(self.advice());
        }
        text
    }

    /// The advice for failed checks, each advice once, below its checks.
    fn advice(&self) -> Text {
        let mut lines = Columns::headed(["What to do:"]);
        let mut given = BTreeSet::new();
        for check in &self.checks {
            let Some(advice) = check.advice.as_ref().filter(|advice| given.insert(*advice)) else {
                continue;
            };
            lines.line(
                Tone::Problem,
                [format!("{}: {}", check.name(), check.problem())],
            );
            lines.line(Tone::Plain, [format!("  {advice}")]);
        }
        lines.text()
    }
}

impl Check {
    /// The name of the check: the key of a row, or the subject.
    fn name(&self) -> &str {
        let row = self.row.as_ref();
        row.map_or(&self.subject, |location| &location.row_key)
    }

    fn problem(&self) -> &str {
        let row = self.row.as_ref();
        row.map_or(&self.found, |location| &location.problem)
    }
}

impl Status {
    fn shown(self) -> (Tone, &'static str) {
        match self {
            Self::Ok => (Tone::Plain, "ok"),
            Self::Warning => (Tone::Changed, "warning"),
            Self::Failed => (Tone::Problem, "failed"),
        }
    }
}
