//! Checks the rows of a project in the order of their keys.
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use flag_model::{Date, FlagKey, Metadata, ProjectName, Revision, Timestamp};
use flag_store::{
    Clock as _, FlagEntry, FlagRow, FlagRowKey, Inspection, Row, RowOptions, RowType, SystemClock,
    UnreadableRow,
};

use crate::output::{Checks, RowLocation, Status};
use crate::shell;

/// How many unreadable rows are listed.
pub(super) const NAMED: usize = 100;

/// Advice about a project without rows.
const NO_ROWS: &str =
    "check its name; `flagctl doctor` without a project checks every project in the store";

/// The flag and the type of a row.
type Subject = (RowType, FlagKey);

/// The time of a row, and its key if it is unreadable.
type Newest = Result<Timestamp, String>;

/// The results for the rows of a project.
pub(super) struct ProjectRows {
    project: ProjectName,
    options: RowOptions,
    /// The newest rows, as readers find them.
    newest: BTreeMap<Subject, Newest>,
    flags: BTreeSet<FlagKey>,
    /// Flags with a revision that can be read, so that there is one to roll back to.
    readable: BTreeSet<FlagKey>,
    metadata: usize,
    revisions: usize,
    found: Checks,
    /// How many rows in force are unreadable.
    failed: usize,
    superseded: usize,
    /// How many unusual values readable rows have.
    odd: usize,
}

impl ProjectRows {
    /// No results yet; `newest` has the flags as readers find them.
    pub(super) fn new(
        project: ProjectName,
        today: Option<Date>,
        options: RowOptions,
        entries: Vec<FlagEntry>,
    ) -> Self {
        let mut rows = Self {
            project,
            options,
            newest: BTreeMap::new(),
            flags: BTreeSet::new(),
            readable: BTreeSet::new(),
            metadata: 0,
            revisions: 0,
            found: Checks::default(),
            failed: 0,
            superseded: 0,
            odd: 0,
        };
        for entry in entries {
            if let Some(Ok(metadata)) = &entry.metadata {
                rows.expired(metadata, today);
            }
            let metadata = entry.metadata.map(|row| newest(row, Metadata::created));
            let revision = entry.revision.map(|row| newest(row, Revision::created));
            for (row_type, newest) in [(RowType::Metadata, metadata), (RowType::Revision, revision)]
            {
                let subject = (row_type, entry.flag.clone());
                rows.newest.extend(newest.map(|newest| (subject, newest)));
            }
        }
        rows
    }

    /// Checks the next row.
    pub(super) fn look_at(&mut self, row: &Row) {
        let subject = FlagRowKey::subject_of(&row.key);
        let is_newest = (subject.as_ref()).is_none_or(|subject| self.is_newest(subject, row));
        let advice = self.advice(subject.as_ref());
        self.flags.extend(subject.map(|(_, flag)| flag));
        let inspection = FlagRow::inspect(row, &self.options, SystemClock.now());
        if inspection.is_passed_over && !is_newest {
            self.passed_over(row, &inspection);
            return;
        }
        self.odd(row, &inspection);
        match inspection.row {
            Ok(FlagRow::Head) => {}
            Ok(FlagRow::Revision(revision)) => {
                self.revisions += 1;
                self.readable.insert(revision.flag.clone());
            }
            Ok(FlagRow::Metadata(_)) => self.metadata += 1,
            Err(error) => self.unreadable(&error, &advice, !is_newest),
        }
    }

    /// Advice about an unreadable row in force; the rows before it have been checked.
    fn advice(&self, subject: Option<&Subject>) -> String {
        match subject {
            Some((RowType::Revision, key)) => {
                let flag = shell::flag(key);
                let revise = "`flagctl revise --control=VALUE --comment=TEXT";
                if self.readable.contains(key) {
                    format!("`flagctl rollback {flag}` takes an older revision, {revise} {flag}` writes a new one")
                } else {
                    let name = shell::word(key.name.as_str());
                    format!("{revise} --yes-i-mean {name} {flag}` writes a new one, as there is no older one that can be read")
                }
            }
            Some((_, flag)) => {
                let flag = shell::flag(flag);
                format!("`flagctl update --description=TEXT {flag}` writes new metadata")
            }
            None => "this is not a key of a flag, so no command can replace the row: correct the program that wrote it".to_owned(),
        }
    }

    fn is_newest(&self, subject: &Subject, row: &Row) -> bool {
        match self.newest.get(subject) {
            Some(Ok(created)) => {
                FlagRowKey::decode(&row.key).is_ok_and(|key| key.created == *created)
            }
            Some(Err(key)) => row.key_text() == *key,
            None => false,
        }
    }

    /// Adds the results; returns whether a row in force is unreadable.
    pub(super) fn finish(mut self, checks: &mut Checks) -> bool {
        let check = format!("rows of {}", self.project);
        let total = format!(
            "{}, {} and {} can be read",
            counted(self.flags.len(), "flag"),
            counted(self.metadata, "metadata row"),
            counted(self.revisions, "revision"),
        );
        if self.metadata + self.revisions + self.failed + self.superseded == 0 {
            checks.note(Status::Failed, check, "there are none");
            checks.advise(NO_ROWS);
            return false;
        }
        self.summary(checks, check, total);
        checks.checks.append(&mut self.found.checks);
        let unnamed = (self.failed + self.superseded).saturating_sub(NAMED);
        if unnamed > 0 {
            let found = format!("{unnamed} more cannot be read");
            let status = if self.failed > 0 {
                Status::Failed
            } else {
                Status::Warning
            };
            checks.note(status, "rows", found);
            checks.advise("correct the rows above, then run `flagctl doctor` again");
        }
        let unnamed = self.odd.saturating_sub(NAMED);
        if unnamed > 0 {
            let found = format!("{unnamed} more unusual values, which can be read");
            checks.note(Status::Warning, "rows", found);
        }
        self.failed > 0
    }

    /// Adds the counts of readable rows and of unreadable rows in force.
    fn summary(&self, checks: &mut Checks, check: String, readable: String) {
        if self.failed == 0 {
            return checks.note(Status::Ok, check, readable);
        }
        let failed = counted(self.failed, "row");
        let found = format!("{failed} in force cannot be read; {readable}");
        checks.note(Status::Failed, check, found);
        checks.advise("see the lines of its rows that failed");
    }

    fn unreadable(&mut self, error: &UnreadableRow, advice: &str, is_superseded: bool) {
        let (status, more) = if is_superseded {
            self.superseded += 1;
            let more = "; newer rows have replaced it, so it is missing in the history only";
            (Status::Warning, more)
        } else {
            self.failed += 1;
            (Status::Failed, "")
        };
        if self.failed + self.superseded <= NAMED {
            self.found.unreadable_row(status, "row", error, more);
            self.found.advise(advice);
        }
    }

    /// Adds an unusual value of a readable row.
    fn odd(&mut self, row: &Row, inspection: &Inspection) {
        for oddity in &inspection.oddities {
            self.odd += 1;
            if self.odd <= NAMED {
                let row_key = row.key_text();
                let found = format!("{row_key}: {oddity}");
                let location = RowLocation {
                    row_key,
                    column: oddity.field.clone(),
                    problem: format!("found {}, read as {}", oddity.found, oddity.read_as),
                };
                self.found.note_row(Status::Warning, "row", location, found);
            }
        }
    }

    /// Adds a row that is ignored when the newest one is read.
    fn passed_over(&mut self, row: &Row, inspection: &Inspection) {
        self.superseded += 1;
        if self.failed + self.superseded <= NAMED {
            let more = "; it is ignored, and another row is in force";
            if let Err(error) = &inspection.row {
                (self.found).unreadable_row(Status::Warning, "row", error, more);
                return;
            }
            let row_key = row.key_text();
            let problem = format!("too far ahead of the clock{more}");
            let found = format!("{row_key}: {problem}");
            let location = RowLocation {
                row_key,
                column: "row key".to_owned(),
                problem,
            };
            self.found.note_row(Status::Warning, "row", location, found);
        }
    }

    fn expired(&mut self, metadata: &Metadata, today: Option<Date>) {
        if metadata.is_retired() {
            return;
        }
        if let Some(day) = metadata.expires_on.filter(|day| Some(*day) < today) {
            let ticket = metadata.ticket.as_ref();
            let ticket = ticket.map_or_else(String::new, |ticket| format!(", see {ticket}"));
            let found = format!("should have been removed by {day}{ticket}; it is still served");
            let check = format!("flag {}", metadata.flag);
            self.found.note(Status::Warning, check, found);
        }
    }
}

fn newest<T>(row: Result<T, UnreadableRow>, created: fn(&T) -> Timestamp) -> Newest {
    row.map(|row| created(&row))
        .map_err(|row| row.key().to_owned())
}

/// A number with its noun.
pub(super) fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
