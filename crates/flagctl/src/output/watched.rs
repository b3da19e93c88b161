//! A flag as it is now: what `flagctl watch` draws again and again, or appends where something has changed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use flag_describe::sentence;
use flag_model::{CONTROL_GROUP, FlagKey, Revision, Timestamp};
use flag_store::{CountKey, Minute, MinuteCounts};

use super::history::revisions_table_at;
use super::table::short;
use super::text::{Columns, Text, Tone};
use super::when::to_the_second;
use crate::maybe_readable::{MaybeReadable, created};
use crate::revision_numbers::RevisionNumbers;

/// How many minutes are counted as recent.
const RECENT: i64 = 5;

/// How many rollout groups are shown.
const SHOWN: usize = 20;

/// A flag as it is now.
pub(crate) struct Watched<'a> {
    pub(crate) flag: &'a FlagKey,
    /// The newest ones, the newest first.
    pub(crate) revisions: &'a [MaybeReadable<Revision>],
    pub(crate) numbers: &'a RevisionNumbers,
    /// The counts of the last hour.
    pub(crate) counts: &'a [MinuteCounts],
    pub(crate) now: Timestamp,
    /// Why this is not how it is now.
    pub(crate) problem: Option<&'a str>,
}

/// A revision, the newest first, and a rollout group.
type Group = (Reverse<Option<Timestamp>>, String);

/// The answers of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    recent: u64,
    all: u64,
}

impl Watched<'_> {
    /// What a terminal shows.
    pub(crate) fn text(&self) -> Text {
        let title = format!("{}, {} UTC", self.flag, to_the_second(self.now));
        let mut text = Text::line(Tone::Heading, &title);
        if let Some(problem) = self.problem {
            text = text.then(Text::line(Tone::Problem, problem));
        }
        let revisions = if self.revisions.is_empty() {
            Text::plain("no revision yet")
        } else {
            revisions_table_at(self.now, self.revisions, self.numbers)
        };
        text.and(revisions).and(self.answers())
    }

    /// The answers of the last hour by revision and rollout group; those of the revision in force also where there are none.
    fn answers(&self) -> Text {
        let since = Minute::of(self.now).plus(1 - RECENT);
        let mut groups: BTreeMap<Group, Answers> = BTreeMap::new();
        if let Some(Ok(revision)) = self.revisions.first() {
            for group in groups_of(revision) {
                let group = (Reverse(Some(revision.created())), group);
                groups.insert(group, Answers::default());
            }
        }
        for counts in self.counts {
            for (count_key, count) in counts.entries() {
                let answers = groups.entry(group(count_key)).or_default();
                answers.all = answers.all.saturating_add(*count);
                if counts.minute >= since {
                    answers.recent = answers.recent.saturating_add(*count);
                }
            }
        }
        self.answers_table(&groups)
    }

    fn answers_table(&self, groups: &BTreeMap<Group, Answers>) -> Text {
        let mut totals: BTreeMap<Reverse<Option<Timestamp>>, u64> = BTreeMap::new();
        for ((revision, _), answers) in groups {
            let total = totals.entry(*revision).or_default();
            *total = total.saturating_add(answers.all);
        }
        let mut columns = Columns::headed(["REV", "GROUP", "5 MINUTES", "1 HOUR", "SHARE"]);
        for ((revision, group), answers) in groups.iter().take(SHOWN) {
            let total = totals.get(revision).copied().unwrap_or_default();
            let line = [
                label(self.numbers, revision.0),
                short(group),
                answers.recent.to_string(),
                answers.all.to_string(),
                share(answers.all, total),
            ];
            columns.line(Tone::Plain, line);
        }
        let table = columns.text();
        match groups.len().saturating_sub(SHOWN) {
            0 => table,
            more => table.then(Text::plain(&format!("… ({more} more)"))),
        }
    }
}

/// Lines about a flag, one for each change.
#[derive(Debug)]
pub(crate) struct WatchedLines {
    revision: Option<Timestamp>,
    has_revision: bool,
    answers: String,
}

impl WatchedLines {
    /// Nothing told yet.
    pub(crate) fn new() -> Self {
        Self {
            revision: None,
            has_revision: false,
            answers: String::new(),
        }
    }

    /// What has changed since the last call: the revision in force, and the answers counted since a minute.
    pub(crate) fn news(&mut self, watched: &Watched<'_>, since: Minute) -> Text {
        let now = to_the_second(watched.now);
        let mut lines = Text::default();
        let newest = watched.revisions.first();
        let created = newest.and_then(created);
        if !self.has_revision || created != self.revision {
            (self.has_revision, self.revision) = (true, created);
            let (tone, what) = in_force(newest);
            let label = label(watched.numbers, created);
            lines = lines.then(Text::line(
                tone,
                &format!("{now} UTC  revision  {label}  {what}"),
            ));
        }
        let answers = answers_since(watched, since);
        if !answers.is_empty() && answers != self.answers {
            let start = to_the_second(since.start());
            let line = format!("{now} UTC  answers since {start}  {answers}");
            lines = lines.then(Text::line(Tone::Plain, &line));
            self.answers = answers;
        }
        lines
    }
}

/// The revision in force in a line.
fn in_force(newest: Option<&MaybeReadable<Revision>>) -> (Tone, String) {
    match newest {
        None => (Tone::Plain, "none yet".to_owned()),
        Some(Err(error)) => (Tone::Problem, format!("unreadable: {error}")),
        Some(Ok(revision)) => {
            let owner = revision.owner.as_ref().map(|owner| format!(" by {owner}"));
            let (what, comment) = (sentence(revision), short(&revision.comment));
            let owner = owner.unwrap_or_default();
            (Tone::Changed, format!("{what}{owner}: {comment}"))
        }
    }
}

/// The answers by revision and group in a line.
fn answers_since(watched: &Watched<'_>, since: Minute) -> String {
    let mut groups: BTreeMap<Group, u64> = BTreeMap::new();
    for counts in watched
        .counts
        .iter()
        .filter(|counts| counts.minute >= since)
    {
        for (count_key, count) in counts.entries() {
            let total = groups.entry(group(count_key)).or_default();
            *total = total.saturating_add(*count);
        }
    }
    let groups = groups.iter().take(SHOWN).map(|((revision, group), count)| {
        let label = label(watched.numbers, revision.0);
        format!("{label} {} {count}", short(group))
    });
    groups.collect::<Vec<_>>().join(", ")
}

fn group(count_key: &CountKey) -> Group {
    match count_key {
        CountKey::Group {
            revision,
            rollout_group,
            ..
        } => (Reverse(*revision), rollout_group.clone()),
        CountKey::Others => (Reverse(None), "others".to_owned()),
    }
}

/// The rollout groups of a revision.
fn groups_of(revision: &Revision) -> Vec<String> {
    let treatments = 0..revision.treatments.len();
    let groups = treatments.map(|at| revision.group(at));
    groups.chain([CONTROL_GROUP.to_owned()]).collect()
}

fn label(numbers: &RevisionNumbers, revision: Option<Timestamp>) -> String {
    let label = revision.and_then(|revision| numbers.label(revision));
    label.unwrap_or_else(|| revision.map_or_else(|| "-".to_owned(), to_the_second))
}

/// A part of a whole in percent, to the tenth.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use flag_model::{BucketScheme, FlagValue, HashAlgorithm, Reason, RevisionParts};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn revision(made: &str) -> Revision {
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(false),
            comment: "Why".to_owned(),
            owner: None,
            treatments: Vec::new(),
            rollback_of: None,
        };
        Revision::new(at(made), parts).unwrap()
    }

    fn counts(minute: &str, of: &str, group: &str, count: u64) -> MinuteCounts {
        let mut counts = MinuteCounts::new("p/feature/f".parse().unwrap(), Minute::of(at(minute)));
        let count_key = CountKey::Group {
            revision: Some(at(of)),
            rollout_group: group.to_owned(),
            reason: Some(Reason::Rollout),
        };
        counts.add(&count_key, count);
        counts
    }

    const OLD: &str = "2026-11-29 11:00:00";
    const NEW: &str = "2026-11-29 11:58:00";

    fn with_watched<T>(counts: &[MinuteCounts], look: impl FnOnce(&Watched<'_>) -> T) -> T {
        look(&Watched {
            flag: &"p/feature/f".parse().unwrap(),
            revisions: &[Ok(revision(NEW)), Ok(revision(OLD))],
            numbers: &RevisionNumbers::new([NEW, OLD].map(at).to_vec()),
            counts,
            now: at("2026-11-29 12:00:00"),
            problem: None,
        })
    }

    #[test]
    fn answers_are_added_up_by_revision_and_group() {
        let counts = [
            counts("2026-11-29 11:30:00", OLD, "treatment_1", 30),
            counts("2026-11-29 11:50:00", OLD, "control", 60),
            counts("2026-11-29 11:57:00", OLD, "treatment_1", 10),
        ];
        let text = with_watched(&counts, |watched| watched.text().uncoloured());
        let table = text.rsplit("\n\n").next().unwrap();
        assert_eq!(
            table,
            "REV  GROUP        5 MINUTES  1 HOUR  SHARE\n\
             r2   control      0          0       -\n\
             r1   control      0          60      60.0 %\n\
             r1   treatment_1  10         40      40.0 %\n"
        );
        assert!(
            text.starts_with("p/feature/f, 2026-11-29 12:00:00 UTC\n\nREV "),
            "{text}"
        );
    }

    #[test]
    fn a_line_tells_what_has_changed_and_nothing_where_nothing_has() {
        let mut lines = WatchedLines::new();
        let since = Minute::of(at("2026-11-29 11:59:00"));
        let mut news = |counts: &[MinuteCounts]| {
            with_watched(counts, |watched| lines.news(watched, since).uncoloured())
        };
        let old = counts("2026-11-29 11:50:00", OLD, "control", 60);
        let first = news(std::slice::from_ref(&old));
        assert_eq!(
            first,
            "2026-11-29 12:00:00 UTC  revision  r2  all get false: Why\n"
        );
        assert_eq!(news(&[old]), "");
        let new = counts("2026-11-29 11:59:00", NEW, "control", 7);
        let answers = "2026-11-29 12:00:00 UTC  answers since 2026-11-29 11:59:00  r2 control 7\n";
        assert_eq!(news(std::slice::from_ref(&new)), answers);
        assert_eq!(news(&[new]), "");
    }

    #[test]
    fn a_share_is_shown_to_the_tenth() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 0), "-");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0 %");
    }
}
