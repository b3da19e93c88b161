//! The numbers of the revisions of a flag: `r1` is the oldest.

use flag_model::Timestamp;

use crate::args::{NameKind, REST_OF_SECOND, RevisionName};
use crate::exit_code::ExitCode;
use crate::failure::CommandError;

/// The most revisions that are counted; a flag with more has no numbers.
pub(crate) const MAX_NUMBERED: usize = 100_000;

/// When the revisions of a flag were made.
#[derive(Clone, Debug)]
pub(crate) struct RevisionNumbers {
    /// The newest first, which is how they are read.
    times: Vec<Timestamp>,
}

/// Why a name means no revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRevision {
    /// The flag has none at all.
    #[error("has no revision yet")]
    None,
    /// It has fewer.
    #[error("has no {name}; its revisions are r1 to r{count}")]
    Number {
        /// What was typed.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// It had none yet.
    #[error("had no revision yet at {at}; its first, r1, was made at {first}")]
    TooEarly {
        /// The wanted time.
        at: Timestamp,
        /// When the first one was made.
        first: Timestamp,
    },
    /// The time is in the future.
    #[error(
        "cannot be looked up at {name}, which is in the future; expected a past time, or a revision, `r7` or `~1`"
    )]
    Future {
        /// What was typed.
        name: String,
    },
}

impl CommandError for NoRevision {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::None | Self::Number { .. } | Self::TooEarly { .. } => ExitCode::NotFound,
            Self::Future { .. } => ExitCode::Usage,
        }
    }
}

impl RevisionNumbers {
    /// From the times of a flag's revisions, the newest first.
    pub(crate) fn new(times: Vec<Timestamp>) -> Self {
        Self { times }
    }

    /// The number of the revision that was made at a time, such as `r7`.
    pub(crate) fn label(&self, made: Timestamp) -> Option<String> {
        self.number(made).map(|number| format!("r{number}"))
    }

    /// The position of a revision, counted from the oldest.
    pub(crate) fn number(&self, made: Timestamp) -> Option<usize> {
        if self.times.len() >= MAX_NUMBERED {
            return None;
        }
        let position = self.times.iter().position(|time| *time == made)?;
        Some(self.times.len() - position)
    }

    /// The number and the time of a revision, for messages: `r7 of 2026-11-29 20:31:37.123456`.
    pub(crate) fn described(&self, made: Timestamp) -> String {
        match self.label(made) {
            Some(label) => format!("{label} of {made}"),
            None => format!("the revision of {made}"),
        }
    }

    /// When the revision was made that a name means.
    pub(crate) fn find(
        &self,
        name: &RevisionName,
        now: Timestamp,
    ) -> Result<Timestamp, NoRevision> {
        let count = self.times.len();
        let Some(first) = self.times.last() else {
            return Err(NoRevision::None);
        };
        let back = match name.kind {
            NameKind::Number(number) => count.checked_sub(number),
            NameKind::Back(back) => Some(back),
            NameKind::InForce {
                at,
                is_whole_second,
            } => {
                let at = at.instant(now);
                if at > now && !self.times.contains(&at) {
                    let name = name.to_string();
                    return Err(NoRevision::Future { name });
                }
                let found = self.in_force(at, is_whole_second);
                return found.ok_or(NoRevision::TooEarly { at, first: *first });
            }
        };
        let found = back.and_then(|back| self.times.get(back)).copied();
        found.ok_or_else(|| NoRevision::Number {
            name: name.to_string(),
            count,
        })
    }

    /// The newest revision made at or before a time, or at exactly that time.
    fn in_force(&self, at: Timestamp, is_whole_second: bool) -> Option<Timestamp> {
        if self.times.contains(&at) {
            return Some(at);
        }
        let last = if is_whole_second {
            at.saturating_add(REST_OF_SECOND)
        } else {
            at
        };
        self.times.iter().find(|made| **made <= last).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[track_caller]
    fn check(name: &str, expected: Result<&str, &str>) {
        let times = ["10:00:02.5", "10:00:02", "10:00:01.25"]
            .map(|clock| time(&format!("2024-10-01 {clock}")));
        let numbers = RevisionNumbers {
            times: times.to_vec(),
        };
        let found = numbers.find(
            &RevisionName::parse(name).unwrap(),
            time("2024-10-02 00:00:00"),
        );
        let found = found.map(|made| numbers.label(made).unwrap());
        let found = found.map_err(|missing| missing.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{name}");
    }

    #[test]
    fn a_number_counts_from_the_oldest_and_a_distance_from_the_newest() {
        check("r1", Ok("r1"));
        check("r3", Ok("r3"));
        check("r4", Err("has no r4; its revisions are r1 to r3"));
        check("~0", Ok("r3"));
        check("~2", Ok("r1"));
        check("~3", Err("has no ~3; its revisions are r1 to r3"));
    }

    #[test]
    fn a_time_means_the_revision_in_force_then() {
        check("2024-10-01 10:00:02", Ok("r2"));
        check("2024-10-01 10:00:02.5", Ok("r3"));
        check("2024-10-01 10:00:02.499999", Ok("r2"));
        check("2024-10-01 12:00:00", Ok("r3"));
        check("2h", Ok("r3"));
        let early = "had no revision yet at 2024-10-01 09:00:00.000000; its first, r1, was made at 2024-10-01 10:00:01.250000";
        check("2024-10-01 09:00:00", Err(early));
        let future = "cannot be looked up at 2024-10-03 00:00:00, which is in the future; expected a past time, or a revision, `r7` or `~1`";
        check("2024-10-03 00:00:00", Err(future));
    }

    /// Tables show whole seconds, which are copied.
    #[test]
    fn a_time_without_a_fraction_means_its_whole_second() {
        check("2024-10-01 10:00:01", Ok("r1"));
        check(
            "2024-10-01 10:00:01.0",
            Err(
                "had no revision yet at 2024-10-01 10:00:01.000000; its first, r1, was made at 2024-10-01 10:00:01.250000",
            ),
        );
    }
}
