//! The rows of a project, one after the other in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use flag_model::{Date, FlagKey, Metadata, ProjectName, Revision, Timestamp};
use flag_store::{
    Clock as _, FlagEntry, FlagRow, FlagRowKey, Inspection, Row, RowOptions, RowType, SystemClock,
    UnreadableRow,
};

use crate::output::{Checks, RowLocation, Status};
use crate::shell;

/// How many rows that cannot be read are named.
pub(super) const NAMED: usize = 100;

/// What to do about a project without rows.
const NO_ROWS: &str =
    "is its name right? `flagctl doctor` looks at every project that the store has";

/// Whose row it is, and of which kind.
type Subject = (RowType, FlagKey);

/// When a row was made; its key, if it cannot be read.
type Newest = Result<Timestamp, String>;

/// What is known of the rows that were looked at.
pub(super) struct ProjectRows {
    project: ProjectName,
    options: RowOptions,
    /// What readers of what is newest find.
    newest: BTreeMap<Subject, Newest>,
    flags: BTreeSet<FlagKey>,
    /// Flags with a revision that can be read, so that there is one to roll back to.
    readable: BTreeSet<FlagKey>,
    metadata: usize,
    revisions: usize,
    found: Checks,
    /// How many rows nobody can read although they count.
    failed: usize,
    superseded: usize,
    /// How many things are odd about rows that can be read.
    odd: usize,
}

impl ProjectRows {
    /// Nothing is known yet but the flags as readers of what is newest find them.
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
            for (row_type, newest) in [(RowType::Flag, metadata), (RowType::Revision, revision)] {
                let subject = (row_type, entry.flag.clone());
                rows.newest.extend(newest.map(|newest| (subject, newest)));
            }
        }
        rows
    }

    /// Looks at the next row.
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

    /// What to do about a row that counts and cannot be read; the rows before it were looked at.
    fn advice(&self, subject: Option<&Subject>) -> String {
        match subject {
            Some((RowType::Revision, key)) => {
                let flag = shell::flag(key);
                let revise = "`flagctl revise --control=VALUE --comment=TEXT";
                if self.readable.contains(key) {
                    format!("`flagctl rollback {flag}` takes an older revision, {revise} {flag}` says a new one")
                } else {
                    let name = shell::word(key.name.as_str());
                    format!("{revise} --yes-i-mean {name} {flag}` says a new one, as there is no older one that can be read")
                }
            }
            Some((_, flag)) => {
                let flag = shell::flag(flag);
                format!("`flagctl update --description=TEXT {flag}` says anew what the flag is for")
            }
            None => "no flag has such a key, so no command replaces the row: whoever wrote it has to write it under a right one".to_owned(),
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

    /// Notes what was found; whether there are rows that count and cannot be read.
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
            checks.advise("mend those that are named, then run `flagctl doctor` again");
        }
        let unnamed = self.odd.saturating_sub(NAMED);
        if unnamed > 0 {
            let found = format!("{unnamed} more things are odd, and read all the same");
            checks.note(Status::Warning, "rows", found);
        }
        self.failed > 0
    }

    /// Notes how many rows can be read, and how many that count cannot, which is no good news then.
    fn summary(&self, checks: &mut Checks, check: String, readable: String) {
        if self.failed == 0 {
            return checks.note(Status::Ok, check, readable);
        }
        let failed = counted(self.failed, "row");
        let found = format!("{failed} in force cannot be read; {readable}");
        checks.note(Status::Failed, check, found);
        checks.advise("see what is said of each of its rows that failed");
    }

    fn unreadable(&mut self, error: &UnreadableRow, advice: &str, is_superseded: bool) {
        let (status, more) = if is_superseded {
            self.superseded += 1;
            let more = "; newer rows count, so only the history lacks it";
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

    /// Notes what is odd about a row that is read all the same.
    fn odd(&mut self, row: &Row, inspection: &Inspection) {
        for oddity in &inspection.oddities {
            self.odd += 1;
            if self.odd <= NAMED {
                let row_key = row.key_text();
                let found = format!("{row_key}: {oddity}");
                let place = RowLocation {
                    row_key,
                    column: oddity.field.clone(),
                    problem: format!("found {}, read as {}", oddity.found, oddity.read_as),
                };
                self.found.note_row(Status::Warning, "row", place, found);
            }
        }
    }

    /// Notes a row that readers of what is newest pass over.
    fn passed_over(&mut self, row: &Row, inspection: &Inspection) {
        self.superseded += 1;
        if self.failed + self.superseded <= NAMED {
            let more = "; it is passed over, and other rows count";
            if let Err(error) = &inspection.row {
                (self.found).unreadable_row(Status::Warning, "row", error, more);
                return;
            }
            let row_key = row.key_text();
            let problem = format!("too far ahead of the clock{more}");
            let found = format!("{row_key}: {problem}");
            let place = RowLocation {
                row_key,
                column: "row key".to_owned(),
                problem,
            };
            self.found.note_row(Status::Warning, "row", place, found);
        }
    }

    fn expired(&mut self, metadata: &Metadata, today: Option<Date>) {
        if let Some(day) = metadata.expires_on.filter(|day| Some(*day) < today) {
            let ticket = metadata.ticket.as_ref();
            let ticket = ticket.map_or_else(String::new, |ticket| format!(", see {ticket}"));
            let found = format!("should be gone since {day}{ticket}; it is served all the same");
            let check = format!("flag {}", metadata.flag);
            self.found.note(Status::Warning, check, found);
        }
    }
}

fn newest<T>(row: Result<T, UnreadableRow>, created: fn(&T) -> Timestamp) -> Newest {
    row.map(|row| created(&row))
        .map_err(|row| row.key().to_owned())
}

/// So many, in words.
pub(super) fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flag_store::memory::MemoryStore;
    use flag_store::{Cells, FlagStore};
    use tokio::runtime::Builder;

    use super::*;

    /// The flags as readers find them.
    fn entries(project: &ProjectName, rows: &[Row]) -> Vec<FlagEntry> {
        let store = Arc::new(MemoryStore::default());
        let flags = FlagStore::new(store.clone(), Arc::new(SystemClock));
        Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(async {
                store.put(rows.iter().cloned());
                flags.flags_with_latest(project).await.unwrap()
            })
    }

    fn row(key: &str, cells: &[(&str, &str)]) -> Row {
        let project = "PROJECT#p#ROWTYPE#";
        let subject = "#FLAGTYPE#feature#FLAGNAME#f#TIME#2024-09-2";
        let key = key.replace('@', subject);
        let names = [("Name", "f"), ("Type", "FEATURE")];
        Row {
            key: format!("{project}{key}").into(),
            cells: names.iter().chain(cells).copied().collect::<Cells>(),
        }
    }

    fn revision(day: char, treatments: &str) -> Row {
        let cells = [
            ("FormatVersion", "1"),
            ("ControlValue", "False"),
            ("Treatments", treatments),
        ];
        row(&format!("REVISION@{day} 08:00:00"), &cells)
    }

    /// Status and beginning of what was found, in order; and whether rows that count cannot be read.
    #[track_caller]
    fn check(rows: &[Row], expected: &[(Status, &str)], is_unreadable: bool) {
        let today = Date::parse("2024-10-01").ok();
        let project = ProjectName::new("p").unwrap();
        let entries = entries(&project, rows);
        let mut looked_at = ProjectRows::new(project, today, RowOptions::default(), entries);
        for row in rows {
            looked_at.look_at(row);
        }
        let mut checks = Checks::default();
        assert_eq!(looked_at.finish(&mut checks), is_unreadable);
        assert_eq!(checks.checks.len(), expected.len(), "{checks:?}");
        for (check, (status, found)) in checks.checks.iter().zip(expected) {
            assert_eq!(check.status, *status, "{check:?}");
            assert!(check.found.contains(found), "{check:?}");
        }
    }

    #[test]
    fn rows_that_can_be_read_are_counted() {
        let rows = [
            row("FLAG@1 08:00:00", &[]),
            row("HEAD", &[]),
            revision('1', "[]"),
            revision('2', "[]"),
        ];
        let found = "1 flag, 1 metadata row and 2 revisions can be read";
        check(&rows, &[(Status::Ok, found)], false);
    }

    #[test]
    fn an_unreadable_row_fails_if_it_is_the_newest() {
        let rows = [revision('1', "[]"), revision('2', "[{")];
        let found = "TIME#2024-09-22 08:00:00, column Treatments: ";
        check(
            &rows,
            &[
                (Status::Failed, "1 row in force cannot be read; 1 flag"),
                (Status::Failed, found),
            ],
            true,
        );
    }

    /// What is advised about the newest row.
    #[track_caller]
    fn check_advice(rows: &[Row], says: &str) {
        let project = ProjectName::new("p").unwrap();
        let entries = entries(&project, rows);
        let mut looked_at = ProjectRows::new(project, None, RowOptions::default(), entries);
        for row in rows {
            looked_at.look_at(row);
        }
        let mut checks = Checks::default();
        looked_at.finish(&mut checks);
        let advice = checks.checks.last().unwrap().advice.as_deref();
        assert!(advice.unwrap().starts_with(says), "{advice:?}");
    }

    #[test]
    fn a_rollback_is_advised_only_if_there_is_something_to_go_back_to() {
        let rows = [revision('1', "[]"), revision('2', "[{")];
        check_advice(&rows, "`flagctl rollback p feature f` ");
        let revise = "`flagctl revise --control=VALUE --comment=TEXT --yes-i-mean f p feature f` ";
        check_advice(&rows[1..], revise);
        check_advice(&[revision('1', "[{"), revision('2', "[{")], revise);
    }

    #[test]
    fn an_unreadable_row_that_newer_ones_have_replaced_is_a_warning() {
        let rows = [revision('1', "[{"), revision('2', "[]")];
        let found = "so only the history lacks it";
        check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
    }

    #[test]
    fn what_the_reference_wrote_and_we_refuse_fails() {
        let percent = "[{'OverrideList': [], 'PercentRollout': 140, 'Value': True}]";
        let found = "Rollout percentage: 140 is invalid";
        check(
            &[revision('1', percent)],
            &[(Status::Failed, ""), (Status::Failed, found)],
            true,
        );
        let key = row(
            "REVISION#FLAGTYPE#FEATURE#FLAGNAME#f#TIME#2024-09-21 08:00:00",
            &[],
        );
        check(
            &[key],
            &[(Status::Failed, "0 flags"), (Status::Failed, "flag type")],
            true,
        );
    }

    #[test]
    fn a_total_above_a_hundred_says_that_it_is_the_total() {
        let share = "{'PercentRollout': 60, 'Value': True}";
        let found = "range [0, 100]. 120 is the total of all treatments.";
        check(
            &[revision('1', &format!("[{share}, {share}]"))],
            &[(Status::Failed, ""), (Status::Failed, found)],
            true,
        );
    }

    #[test]
    fn a_key_that_tells_no_time_hides_nothing() {
        let rows = [revision('1', "[]"), row("REVISION@x", &[])];
        let found = "it is passed over, and other rows count";
        check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
    }

    #[test]
    fn a_key_that_tells_no_time_replaces_no_unreadable_row() {
        let rows = [
            revision('1', "[]"),
            revision('2', "[{"),
            row("REVISION@x", &[]),
        ];
        let found = "TIME#2024-09-22 08:00:00, column Treatments: ";
        let older = "it is passed over, and other rows count";
        let expected = [
            (Status::Failed, ""),
            (Status::Failed, found),
            (Status::Warning, older),
        ];
        check(&rows, &expected, true);
    }

    #[test]
    fn a_flag_fails_whose_keys_all_tell_no_time() {
        let rows = [row("REVISION@x", &[]), row("REVISION@y", &[])];
        let expected = [
            (Status::Failed, "0 revisions"),
            (Status::Warning, "it is passed over, and other"),
            (Status::Failed, "TIME#2024-09-2y"),
        ];
        check(&rows, &expected, true);
    }

    #[test]
    fn a_row_ahead_of_the_clock_counts_if_there_is_no_other() {
        let ahead = |treatments| {
            let mut row = revision('1', treatments);
            row.key = String::from_utf8(row.key)
                .unwrap()
                .replace("2024", "9024")
                .into();
            row
        };
        let served = [
            (Status::Ok, "1 revision can"),
            (Status::Warning, "found a time ahead of the clock"),
        ];
        check(&[ahead("[]")], &served, false);
        let failed = [
            (Status::Failed, "0 revisions"),
            (Status::Warning, "found a time ahead of the clock"),
            (Status::Failed, "column Treatments: "),
        ];
        check(&[ahead("[{")], &failed, true);
    }

    #[test]
    fn the_latest_time_counts_however_it_is_spelled() {
        let t = row("REVISION@1T07:00:00", &[("FormatVersion", "1")]);
        let rows = [revision('1', "[]"), t];
        let found = "so only the history lacks it";
        let odd = "read as 2024-09-21 07:00:00.000000";
        let expected = [
            (Status::Ok, ""),
            (Status::Warning, odd),
            (Status::Warning, found),
        ];
        check(&rows, &expected, false);
    }

    #[test]
    fn what_is_odd_and_read_all_the_same_is_a_warning() {
        let list = "[{'OverrideList': [1], 'PercentRollout': 1, 'Value': True}]";
        let found = "08:00:00: Treatments[0].OverrideList: found 1, read as \"1\"";
        let rows = [revision('1', list)];
        check(&rows, &[(Status::Ok, ""), (Status::Warning, found)], false);
    }

    #[test]
    fn only_the_newest_metadata_tells_when_a_flag_should_be_gone() {
        let old = row("FLAG@1 08:00:00", &[("ExpiresOn", "2024-09-30")]);
        let cells = [("ExpiresOn", "2024-09-30"), ("Ticket", "CSR-1")];
        let expired = row("FLAG@2 08:00:00", &cells);
        let today = row("FLAG@3 08:00:00", &[("ExpiresOn", "2024-10-01")]);
        let found = "should be gone since 2024-09-30, see CSR-1";
        check(
            &[old.clone(), expired.clone()],
            &[(Status::Ok, ""), (Status::Warning, found)],
            false,
        );
        check(&[old, expired, today], &[(Status::Ok, "")], false);
    }

    #[test]
    fn a_project_without_rows_fails() {
        check(&[], &[(Status::Failed, "there are none")], false);
        check(
            &[row("HEAD", &[])],
            &[(Status::Failed, "there are none")],
            false,
        );
    }
}
