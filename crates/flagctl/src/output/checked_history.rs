//! The result of `flagctl verify --history`.

use flag_model::{FlagKey, ProjectName};
use flag_store::{Break, Broken, HistoryCheck};
use serde::Serialize;

use super::json::Key;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// The findings about the revisions of a project.
#[derive(Serialize)]
pub(crate) struct CheckedHistory {
    project: String,
    flags: usize,
    revisions: usize,
    /// How many name the revisions before them.
    linked: usize,
    /// How many are named by another one.
    named: usize,
    /// How many no other revision names or will name, as they are older than that, or their flag has no links.
    unlinked: usize,
    /// How many no other revision names yet.
    newest_unnamed: usize,
    late: Vec<Found>,
    broken: Vec<Found>,
    /// The hash of what the next revisions will name.
    #[serde(rename = "history_hash")]
    pub(crate) hash: String,
    newest: Vec<Newest>,
}

/// A finding about a revision.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    key: Key,
    #[serde(skip)]
    flag: String,
    revision: String,
    created: Option<String>,
    problem: String,
}

/// What the next revision of a flag will name.
#[derive(Serialize)]
struct Newest {
    #[serde(flatten)]
    key: Key,
    link: String,
}

impl CheckedHistory {
    /// Nothing yet.
    pub(crate) fn new(project: &ProjectName) -> Self {
        Self {
            project: project.to_string(),
            flags: 0,
            revisions: 0,
            linked: 0,
            named: 0,
            unlinked: 0,
            newest_unnamed: 0,
            late: Vec::new(),
            broken: Vec::new(),
            hash: String::new(),
            newest: Vec::new(),
        }
    }

    /// Adds the findings about a flag.
    pub(crate) fn add(&mut self, check: &HistoryCheck) {
        self.flags += 1;
        self.revisions += check.revisions;
        self.linked += check.with_link;
        self.named += check.covered;
        self.unlinked += check.uncovered;
        self.newest_unnamed += check.not_yet_covered;
        let late = check.late.iter().map(|row| Found {
            problem: "came in below newer revisions, which do not name it: by a wrong clock, a copy, or by hand"
                .to_owned(),
            ..Found::of(&check.flag, row.number, Some(row.created.to_string()))
        });
        self.late.extend(late);
        self.broken.extend(
            check
                .broken
                .map(|broken| Found::broken(&check.flag, broken)),
        );
        self.newest.push(Newest {
            key: (&check.flag).into(),
            link: check.tip.to_string(),
        });
    }

    /// Whether no flag was checked.
    pub(crate) fn is_empty(&self) -> bool {
        self.flags == 0
    }

    /// Whether a revision is not as it was appended.
    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }
}

impl Found {
    fn of(flag: &FlagKey, number: usize, created: Option<String>) -> Self {
        Self {
            key: flag.into(),
            flag: flag.to_string(),
            revision: format!("r{number}"),
            created,
            problem: String::new(),
        }
    }

    fn broken(flag: &FlagKey, at: Break) -> Self {
        let problem = match at.broken {
            Broken::Changed {
                named_by,
                expected,
                found,
            } => format!(
                "has the hash {found}, but the revision of {named_by} names {expected}: it was changed, or a revision \
                 between the two was removed"
            ),
            Broken::Missing { expected } => {
                format!("names a revision with the hash {expected}, and there is none before it")
            }
            Broken::Unreadable => "has a link that cannot be read".to_owned(),
            Broken::HeadNames(time) => {
                format!(
                    "the head row names a revision of {time}, which is not there: it was removed, or the head row changed"
                )
            }
            Broken::HeadBehind(time) => {
                format!(
                    "is newer than the revision of {time} that the head row names: the head row was changed"
                )
            }
            Broken::NotInHead => "is not in the head row, which was changed".to_owned(),
        };
        let created = (at.number > 0).then(|| at.created.to_string());
        Self {
            problem,
            ..Self::of(flag, at.number, created)
        }
    }

    fn line(&self) -> String {
        let Self {
            flag,
            revision,
            created,
            problem,
            ..
        } = self;
        match created {
            Some(created) => format!("{flag}: {revision} of {created} {problem}"),
            None => format!("{flag}: {problem}"),
        }
    }
}

impl View for CheckedHistory {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let mut lines = Columns::default();
        let mut say = |tone, line: String| lines.line(tone, [line]);
        let Self {
            project,
            flags,
            revisions,
            linked,
            named,
            unlinked,
            newest_unnamed,
            hash,
            ..
        } = self;
        for found in &self.broken {
            say(Tone::Problem, found.line());
        }
        for found in &self.late {
            say(Tone::Changed, found.line());
        }
        let outcome = if self.is_broken() {
            "broken"
        } else {
            "unbroken"
        };
        say(
            Tone::Heading,
            format!(
                "{project}: {outcome}; flags: {flags}, revisions: {revisions}, of which name those before them: {linked}"
            ),
        );
        for (count, what) in [
            (
                named,
                "named by a later revision, so that a change is found",
            ),
            (
                newest_unnamed,
                "the newest, named by none yet: only the history hash shows a change",
            ),
            (
                unlinked,
                "older than the links, or of flags without one: not checked, only the newest are in the history hash",
            ),
        ] {
            if *count > 0 {
                say(Tone::Plain, format!("{what}: {count}"));
            }
        }
        say(Tone::Plain, format!("history hash: {hash}"));
        lines.text()
    }

    fn names(&self) -> Vec<String> {
        let broken = self.broken.iter();
        broken.map(|found| found.flag.clone()).collect()
    }
}
