//! Two revisions of a flag side by side.

use std::collections::BTreeSet;

use flag_model::{BucketRange, FlagKey, InstanceId, OwnerId, Revision, Treatment};
use flag_rollout::{BucketImpact, groups};
use serde::Serialize;
use serde_json::Number;

use super::escape::visible;
use super::json;
use super::table::{listed, or_none, placing, ranges};
use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::revision_numbers::RevisionNumbers;

/// Two revisions of a flag.
pub(crate) struct Diff<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) from: &'a Revision,
    pub(crate) to: &'a Revision,
    /// Whether every instance receives the same from both.
    pub(crate) are_equivalent: bool,
    /// How many instances receive another value.
    pub(crate) impact: BucketImpact,
    pub(crate) numbers: &'a RevisionNumbers,
}

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    key: json::Key,
    decide_alike: bool,
    changed: Changed,
    differences: Vec<String>,
    from: json::Revision,
    to: json::Revision,
}

/// How many instances receive another value, not counting override lists, in percent.
#[derive(Serialize)]
struct Changed {
    percent: Number,
    between_treatments_percent: Number,
    is_estimate: bool,
}

/// One field in both revisions.
struct Field {
    name: String,
    from: String,
    to: String,
    differs: bool,
}

/// A treatment with the buckets that it owns.
type Group<'r> = (&'r Treatment, Vec<BucketRange>);

impl View for Diff<'_> {
    fn data(&self) -> impl Serialize {
        Data {
            key: self.flag.into(),
            decide_alike: self.are_equivalent,
            changed: (&self.impact).into(),
            differences: self.names(),
            from: json::Revision::numbered(self.from, self.numbers),
            to: json::Revision::numbered(self.to, self.numbers),
        }
    }

    fn text(&self) -> Text {
        let heading = |revision: &Revision| self.numbers.described(revision.created());
        let [from, to] = [self.from, self.to].map(heading);
        let mut columns = Columns::headed(["", "REVISION", &from, &to]);
        for field in self.fields() {
            let (sign, tone) = if field.differs {
                let (sign, tone) = Tone::of_difference(field.from != "-", field.to != "-");
                (sign.to_string(), tone)
            } else {
                (String::new(), Tone::Plain)
            };
            columns.line(tone, [sign, field.name, field.from, field.to]);
        }
        let told = if self.are_equivalent {
            "both decide the same".to_owned()
        } else {
            format!(
                "they decide differently: {}, not counting override lists",
                self.impact
            )
        };
        columns.text().and(Text::plain(&told))
    }

    fn names(&self) -> Vec<String> {
        let differing = self.fields().into_iter().filter(|field| field.differs);
        differing.map(|field| field.name).collect()
    }
}

impl From<&BucketImpact> for Changed {
    fn from(impact: &BucketImpact) -> Self {
        Self {
            percent: json::number(impact.percent()),
            between_treatments_percent: json::number(impact.between_treatments()),
            is_estimate: impact.is_estimate(),
        }
    }
}

impl Diff<'_> {
    fn fields(&self) -> Vec<Field> {
        let (from, to) = (self.from, self.to);
        let owner = |revision: &Revision| or_none(revision.owner.as_ref().map(OwnerId::to_string));
        let rollback_of =
            |revision: &Revision| or_none(revision.rollback_of.map(|time| time.to_string()));
        let mut fields = vec![
            Field::new("format", &placing(&from.scheme), &placing(&to.scheme)),
            Field::new(
                "control",
                &visible(&from.control.to_string()),
                &visible(&to.control.to_string()),
            ),
        ];
        for name in group_names(from, to) {
            fields.extend(of_group(
                &name,
                group(from, &name).as_ref(),
                group(to, &name).as_ref(),
            ));
        }
        fields.extend([
            Field::new("comment", &visible(&from.comment), &visible(&to.comment)),
            Field::new("owner", &owner(from), &owner(to)),
            Field::new("rollback_of", &rollback_of(from), &rollback_of(to)),
        ]);
        fields
    }
}

impl Field {
    fn new(name: impl Into<String>, from: &str, to: &str) -> Self {
        Self {
            name: name.into(),
            differs: from != to,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }
}

/// The rollout groups of both, in the order of the first.
fn group_names(from: &Revision, to: &Revision) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in groups(from).into_iter().chain(groups(to)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn group<'r>(revision: &'r Revision, name: &str) -> Option<Group<'r>> {
    let treatments = revision.treatments.iter().zip(groups(revision));
    let mut groups = treatments.filter(|(_, (group, _))| group == name);
    let (treatment, (_, ranges)) = groups.next()?;
    Some((treatment, ranges))
}

fn of_group(name: &str, from: Option<&Group<'_>>, to: Option<&Group<'_>>) -> [Field; 4] {
    let field = |field: &str, show: &dyn Fn(&Group<'_>) -> String| {
        let [from, to] = [from, to].map(|group| group.map_or_else(|| "-".to_owned(), show));
        Field::new(format!("{name}.{field}"), &from, &to)
    };
    let owned = field("ranges", &|(_, owned)| ranges(owned));
    let all_ranges = |group: Option<&Group<'_>>| group.map(|(_, ranges)| ranges.clone());
    [
        field("percent", &|(treatment, _)| treatment.percent.to_string()),
        field("value", &|(treatment, _)| {
            visible(&treatment.value.to_string())
        }),
        overrides(name, from, to),
        Field {
            differs: all_ranges(from) != all_ranges(to),
            ..owned
        },
    ]
}

/// The override lists; if they differ, the ids that only one of them has.
fn overrides(name: &str, from: Option<&Group<'_>>, to: Option<&Group<'_>>) -> Field {
    let lists = [from, to].map(|group| {
        let ids = group.map_or(&[][..], |(treatment, _)| &treatment.overrides);
        ids.iter().map(InstanceId::as_str).collect::<BTreeSet<_>>()
    });
    let [from, to] = &lists;
    let show = |list: &BTreeSet<&str>, other: &BTreeSet<&str>| {
        let only_here: Vec<&&str> = list.difference(other).collect();
        match (list == other, only_here.is_empty()) {
            (true, _) => listed(&list.iter().collect::<Vec<_>>()),
            (false, true) if list.is_empty() => "-".to_owned(),
            (false, true) => list.len().to_string(),
            (false, false) => format!("{}, only here: {}", list.len(), listed(&only_here)),
        }
    };
    Field {
        name: format!("{name}.overrides"),
        from: show(from, to),
        to: show(to, from),
        differs: from != to,
    }
}
