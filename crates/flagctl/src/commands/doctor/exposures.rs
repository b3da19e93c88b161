//! The first exposures of a project, in the order of their keys.

use flag_model::ProjectName;
use flag_store::{Row, UnreadableBatch, check_exposure};

use super::rows::{NAMED, counted};
use crate::output::{Checks, Status};

/// How many exposures of a project are checked; a log may hold millions.
const SAMPLED: usize = 1_000;

/// The results for the exposures of a project.
pub(super) struct ProjectExposures {
    project: ProjectName,
    looked_at: usize,
    unreadable: usize,
    /// How many lines name what cannot be read, and how many exposures no line names.
    named: usize,
    unnamed: usize,
    found: Checks,
}

impl ProjectExposures {
    /// No results yet.
    pub(super) fn new(project: ProjectName) -> Self {
        Self {
            project,
            looked_at: 0,
            unreadable: 0,
            named: 0,
            unnamed: 0,
            found: Checks::default(),
        }
    }

    /// Whether enough exposures were checked.
    pub(super) fn is_complete(&self) -> bool {
        self.looked_at >= SAMPLED
    }

    /// Checks the next exposure, unless enough were checked.
    pub(super) fn look_at(&mut self, row: &Row) {
        if self.is_complete() {
            return;
        }
        self.looked_at += 1;
        if let Err(error) = check_exposure(row)
            && self.is_named(1)
        {
            let meaning = "; nothing is served from it";
            (self.found).unreadable_row(Status::Warning, "exposure", &error, meaning);
        }
    }

    /// Notes exposures that cannot be read, as what they are kept in is damaged.
    pub(super) fn unreadable_batch(&mut self, batch: &UnreadableBatch) {
        let exposures = usize::try_from(batch.exposure_count).unwrap_or(usize::MAX);
        let exposures = exposures.max(1);
        self.looked_at = self.looked_at.saturating_add(exposures);
        if self.is_named(exposures) {
            (self.found).note(Status::Warning, "exposures", batch.to_string());
        }
    }

    /// Counts exposures that cannot be read; whether a line names them.
    fn is_named(&mut self, exposures: usize) -> bool {
        self.unreadable = self.unreadable.saturating_add(exposures);
        let is_named = self.named < NAMED;
        if is_named {
            self.named += 1;
        } else {
            self.unnamed = self.unnamed.saturating_add(exposures);
        }
        is_named
    }

    /// Adds the results. None of them is a failure: no decision depends on the log, and its rows cannot be corrected.
    pub(super) fn finish(mut self, checks: &mut Checks) {
        let check = format!("exposures of {}", self.project);
        let readable = counted(self.looked_at - self.unreadable, "exposure");
        let bound = if self.is_complete() {
            format!("only the first {SAMPLED} were checked")
        } else {
            "all were checked".to_owned()
        };
        let found = format!("{readable} can be read; {bound}");
        checks.note(Status::Ok, check, found);
        checks.checks.append(&mut self.found.checks);
        if self.unnamed > 0 {
            let found = format!("{} more cannot be read", self.unnamed);
            checks.note(Status::Warning, "exposures", found);
        }
    }
}

#[cfg(test)]
mod tests {
    use flag_model::Timestamp;
    use flag_store::Cells;

    use super::*;

    fn row(number: usize, group: &[u8]) -> Row {
        let key = "PROJECT#p#FLAGTYPE#data#FLAGNAME#f#INSTANCEID#A#REQUESTID#";
        let request = format!("r-{number:06}");
        let cells = Cells::default()
            .with("RequestID", request.as_str())
            .with("Name", "f")
            .with("Type", "DATA")
            .with("InstanceID", "A")
            .with("CreatedTimestamp", "2024-09-26 10:00:00")
            .with("AssignedValue", "x")
            .with("AssignedGroup", group);
        Row {
            key: format!("{key}{request}#TIME#2024-09-26 10:00:00").into(),
            cells,
        }
    }

    fn found(rows: impl IntoIterator<Item = Row>) -> Checks {
        let mut exposures = ProjectExposures::new(ProjectName::new("p").unwrap());
        for row in rows {
            exposures.look_at(&row);
        }
        let mut checks = Checks::default();
        exposures.finish(&mut checks);
        assert!(!checks.any_failed());
        checks
    }

    #[test]
    fn no_more_are_looked_at_than_it_says() {
        let few = found((0..999).map(|number| row(number, b"control")));
        let says = "999 exposures can be read; all were checked";
        assert_eq!(few.checks[0].found, says);
        let many = (0..1_000).map(|number| row(number, b"control"));
        let many = found(many.chain([row(1_000, b"\xff")]));
        let says = "1000 exposures can be read; only the first 1000 were checked";
        assert_eq!(many.checks[0].found, says);
        assert_eq!(many.checks.len(), 1);
    }

    #[test]
    fn one_that_cannot_be_read_is_a_warning_and_many_are_counted() {
        let found = found((0..150).map(|number| row(number, b"\xff")));
        assert_eq!(found.checks.len(), 1 + NAMED + 1);
        let says = "0 exposures can be read; all were checked";
        assert_eq!(found.checks[0].found, says);
        assert_eq!(found.checks[1].status, Status::Warning);
        let says = "#REQUESTID#r-000000#TIME#2024-09-26 10:00:00, column AssignedGroup: ";
        assert!(found.checks[1].found.contains(says), "{found:?}");
        assert_eq!(found.checks[1 + NAMED].found, "50 more cannot be read");
    }

    #[test]
    fn damaged_blocks_count_with_their_exposures() {
        let mut exposures = ProjectExposures::new(ProjectName::new("p").unwrap());
        let block = UnreadableBatch {
            flag: "p/data/f".parse().unwrap(),
            exposure_count: 9,
            oldest: Timestamp::UNIX_EPOCH,
            newest: Timestamp::UNIX_EPOCH,
            problem: "damaged".to_owned(),
        };
        let mut blocks = 0;
        while !exposures.is_complete() {
            exposures.unreadable_batch(&block);
            blocks += 1;
        }
        assert_eq!(blocks, SAMPLED.div_ceil(9));
        let mut checks = Checks::default();
        exposures.finish(&mut checks);
        assert_eq!(checks.checks.len(), 1 + NAMED + 1);
        let unnamed = (blocks - NAMED) * 9;
        let says = format!("{unnamed} more cannot be read");
        assert_eq!(checks.checks[1 + NAMED].found, says);
    }
}
