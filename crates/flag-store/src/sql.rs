//! The access patterns as GoogleSQL for Bigtable Studio.

use flag_model::{FlagKey, InstanceId, ProjectName};

use crate::row_key::{
    RowType, flag_exposures_prefix, flag_prefix, instance_prefix, project_prefix,
};

/// What to look up.
#[derive(Clone, Debug)]
pub enum Pattern<'a> {
    /// The newest metadata of a flag.
    LatestMetadata(&'a FlagKey),
    /// The revision of a flag that is in force.
    LatestRevision(&'a FlagKey),
    /// All revisions of a flag, the newest first.
    History(&'a FlagKey),
    /// All metadata rows of a project.
    Flags(&'a ProjectName),
    /// All metadata rows and all revisions of a project; the first row of each flag is its newest.
    FlagsWithLatest(&'a ProjectName),
    /// Exposures of a flag.
    Exposures(&'a FlagKey),
    /// Exposures of one instance to a flag.
    InstanceExposures(&'a FlagKey, &'a InstanceId<'a>),
}

/// The names of the tables as they stand in Bigtable.
#[derive(Clone, Copy, Debug)]
pub struct TableNames<'a> {
    /// The flag table.
    pub flags: &'a str,
    /// The exposure log table.
    pub exposures: &'a str,
}

/// The statement that a person can paste into Bigtable Studio.
pub fn sql(pattern: &Pattern<'_>, tables: TableNames<'_>) -> String {
    let like = |prefix: String| format!("_key LIKE '{}%'", escaped(&prefix));
    let newest_first = |condition: String| format!("WHERE {condition} ORDER BY _key DESC");
    let (table, rest) = match *pattern {
        Pattern::LatestMetadata(flag) => (
            tables.flags,
            newest_first(like(flag_prefix(RowType::Metadata, flag))) + " LIMIT 1",
        ),
        Pattern::LatestRevision(flag) => (
            tables.flags,
            newest_first(like(flag_prefix(RowType::Revision, flag))) + " LIMIT 1",
        ),
        Pattern::History(flag) => (
            tables.flags,
            newest_first(like(flag_prefix(RowType::Revision, flag))),
        ),
        Pattern::Flags(project) => (
            tables.flags,
            newest_first(like(project_prefix(RowType::Metadata, project))),
        ),
        Pattern::FlagsWithLatest(project) => {
            let metadata = like(project_prefix(RowType::Metadata, project));
            let revisions = like(project_prefix(RowType::Revision, project));
            (
                tables.flags,
                newest_first(format!("({metadata} OR {revisions})")),
            )
        }
        Pattern::Exposures(flag) => (
            tables.exposures,
            newest_first(like(flag_exposures_prefix(flag))),
        ),
        Pattern::InstanceExposures(flag, instance) => (
            tables.exposures,
            newest_first(like(instance_prefix(flag, instance))),
        ),
    };
    format!("SELECT * FROM `{table}`(WITH_HISTORY=>FALSE) {rest};")
}

/// Text within a LIKE pattern within a quoted literal: `_` and `%` would match anything, so they are escaped twice.
fn escaped(prefix: &str) -> String {
    let mut escaped = String::with_capacity(prefix.len());
    for character in prefix.chars() {
        match character {
            '_' | '%' => escaped.push_str("\\\\"),
            '\\' => escaped.push_str("\\\\\\"),
            '\'' => escaped.push('\\'),
            _ => {}
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag() -> FlagKey {
        "csr-assistant/feature/a_b".parse().unwrap()
    }

    #[track_caller]
    fn check(pattern: &Pattern<'_>, expected: &str) {
        assert_eq!(
            sql(
                pattern,
                TableNames {
                    flags: "flags",
                    exposures: "log"
                }
            ),
            expected
        );
    }

    #[test]
    fn the_latest_revision_is_the_last_key() {
        check(
            &Pattern::LatestRevision(&flag()),
            r"SELECT * FROM `flags`(WITH_HISTORY=>FALSE) WHERE _key LIKE 'PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#a\\_b#TIME#%' ORDER BY _key DESC LIMIT 1;",
        );
    }

    #[test]
    fn an_instance_id_cannot_end_the_literal() {
        check(
            &Pattern::InstanceExposures(&flag(), &InstanceId::new("O'Br\\ien_50%").unwrap()),
            r"SELECT * FROM `log`(WITH_HISTORY=>FALSE) WHERE _key LIKE 'PROJECT#csr-assistant#FLAGTYPE#feature#FLAGNAME#a\\_b#INSTANCEID#O\'Br\\\\ien\\_50\\%25#REQUESTID#%' ORDER BY _key DESC;",
        );
    }

    #[test]
    fn a_project_is_matched_by_both_kinds_of_rows() {
        check(
            &Pattern::FlagsWithLatest(&flag().project),
            "SELECT * FROM `flags`(WITH_HISTORY=>FALSE) WHERE (_key LIKE 'PROJECT#csr-assistant#ROWTYPE#FLAG#%' OR _key LIKE 'PROJECT#csr-assistant#ROWTYPE#REVISION#%') ORDER BY _key DESC;",
        );
    }
}
