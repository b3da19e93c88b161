//! How many exposures a flag has, by revision and rollout group.

use std::collections::BTreeMap;

use flag_model::FlagKey;
use flag_store::ExposureText;
use serde::Serialize;

use super::escape::visible;
use super::json;
use super::table::or_none;
use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::distinct::Distinct;

/// How many revisions and groups are counted each for itself; callers can send any.
const GROUPS: usize = 1_000;

/// The counts of the exposures of a flag.
#[derive(Debug)]
pub(crate) struct ExposureSummary<'a> {
    flag: &'a FlagKey,
    total: GroupCounts,
    groups: BTreeMap<Group, GroupCounts>,
    /// Those of further groups.
    others: GroupCounts,
}

/// What exposures are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    revision: Option<String>,
    rollout_group: String,
}

#[derive(Debug, Default)]
struct GroupCounts {
    exposures: u64,
    instances: Distinct,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    key: json::Key,
    #[serde(flatten)]
    total: CountsData<'a>,
    groups: Vec<GroupData<'a>>,
    in_other_groups: u64,
}

#[derive(Serialize)]
struct GroupData<'a> {
    revision: Option<&'a str>,
    rollout_group: &'a str,
    #[serde(flatten)]
    counts: CountsData<'a>,
}

#[derive(Serialize)]
struct CountsData<'a> {
    exposures: u64,
    distinct_instances: u64,
    distinct_instances_estimated: bool,
    first: Option<&'a str>,
    last: Option<&'a str>,
}

impl<'a> ExposureSummary<'a> {
    /// No exposure yet.
    pub(crate) fn new(flag: &'a FlagKey) -> Self {
        Self {
            flag,
            total: GroupCounts::default(),
            groups: BTreeMap::new(),
            others: GroupCounts::default(),
        }
    }

    /// Counts an exposure.
    pub(crate) fn add(&mut self, exposure: &ExposureText) {
        self.total.add(exposure);
        let group = Group {
            revision: exposure.revision.clone(),
            rollout_group: exposure.rollout_group.clone(),
        };
        if self.groups.len() < GROUPS || self.groups.contains_key(&group) {
            self.groups.entry(group).or_default().add(exposure);
        } else {
            self.others.add(exposure);
        }
    }

    /// Whether no exposure was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.total.exposures == 0
    }
}

impl GroupCounts {
    fn add(&mut self, exposure: &ExposureText) {
        self.exposures += 1;
        self.instances.add(&exposure.instance);
        let created = &exposure.created;
        // As texts they are ordered like the instants.
        if self.first.as_ref().is_none_or(|first| created < first) {
            self.first = Some(created.clone());
        }
        if self.last.as_ref().is_none_or(|last| created > last) {
            self.last = Some(created.clone());
        }
    }

    fn data(&self) -> CountsData<'_> {
        CountsData {
            exposures: self.exposures,
            distinct_instances: self.instances.count(),
            distinct_instances_estimated: self.instances.is_estimate(),
            first: self.first.as_deref(),
            last: self.last.as_deref(),
        }
    }

    fn cells(&self, revision: String, group: String) -> [String; 6] {
        let about = if self.instances.is_estimate() {
            "~"
        } else {
            ""
        };
        [
            revision,
            group,
            self.exposures.to_string(),
            format!("{about}{}", self.instances.count()),
            or_none(self.first.clone()),
            or_none(self.last.clone()),
        ]
    }
}

impl View for ExposureSummary<'_> {
    fn data(&self) -> impl Serialize {
        let groups = self.groups.iter().map(|(group, counts)| GroupData {
            revision: group.revision.as_deref(),
            rollout_group: &group.rollout_group,
            counts: counts.data(),
        });
        Data {
            key: self.flag.into(),
            total: self.total.data(),
            groups: groups.collect(),
            in_other_groups: self.others.exposures,
        }
    }

    fn text(&self) -> Text {
        if self.is_empty() {
            return Text::default();
        }
        let heading = [
            "REVISION",
            "GROUP",
            "EXPOSURES",
            "INSTANCES",
            "FIRST",
            "LAST",
        ];
        let mut columns = Columns::headed(heading);
        for (group, counts) in &self.groups {
            let revision = or_none(group.revision.clone());
            let line = counts.cells(revision, visible(&group.rollout_group));
            columns.line(Tone::Plain, line);
        }
        if self.others.exposures > 0 {
            let line = self.others.cells("others".to_owned(), "others".to_owned());
            columns.line(Tone::Plain, line);
        }
        let line = self.total.cells("all".to_owned(), "all".to_owned());
        columns.line(Tone::Heading, line);
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        let groups = self.groups.keys();
        let mut names: Vec<String> = groups.map(|group| group.rollout_group.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}
