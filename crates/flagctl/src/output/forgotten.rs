//! The result of `flagctl forget`.

use flag_model::{FlagKey, InstanceId, ProjectName, Timestamp};
use flag_store::InstanceExposures;
use serde::Serialize;

use super::escape::visible;
use super::json;
use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::shell;

/// The rows of a project that contain an instance.
pub(crate) struct Forgotten<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) instance: &'a InstanceId<'a>,
    pub(crate) exposures: Vec<InstanceExposures>,
    /// Whether the exposures were deleted.
    pub(crate) deleted: bool,
    pub(crate) listings: Vec<Listing>,
    /// Unreadable revisions, whose override lists are unknown.
    pub(crate) unreadable: Vec<String>,
}

/// A revision whose override lists name the instance.
pub(crate) struct Listing {
    pub(crate) row_key: String,
    pub(crate) flag: FlagKey,
    pub(crate) created: Timestamp,
    pub(crate) is_in_force: bool,
    /// Whether the treatment need not be selected.
    pub(crate) has_one_treatment: bool,
    /// Position and rollout group of each treatment that lists it.
    pub(crate) groups: Vec<(usize, String)>,
}

#[derive(Serialize)]
struct Data {
    project: String,
    instance_id: String,
    deleted: bool,
    exposures: Vec<ExposuresData>,
    overrides: Vec<ListingData>,
    unreadable: Vec<String>,
}

#[derive(Serialize)]
struct ExposuresData {
    flag_type: String,
    name: String,
    count: usize,
}

#[derive(Serialize)]
struct ListingData {
    #[serde(flatten)]
    key: json::Key,
    row_key: String,
    created: String,
    groups: Vec<String>,
    is_in_force: bool,
    commands: Vec<String>,
}

impl Forgotten<'_> {
    /// How many exposures there are, or were.
    pub(crate) fn total(&self) -> usize {
        self.exposures.iter().map(InstanceExposures::count).sum()
    }

    /// The exposures by flag, for people.
    pub(crate) fn exposures_text(&self) -> Text {
        let mut columns = Columns::headed(["TYPE", "NAME", "EXPOSURES"]);
        for of_flag in &self.exposures {
            let [flag_type, name] =
                [&of_flag.flag_type, &of_flag.flag_name].map(|text| visible(text));
            columns.line(Tone::Plain, [flag_type, name, of_flag.count().to_string()]);
        }
        columns.text()
    }

    fn listings_text(&self) -> Text {
        let mut columns = Columns::headed(["TYPE", "NAME", "REVISION", "IN FORCE", "LISTED BY"]);
        for listing in &self.listings {
            let (tone, in_force) = if listing.is_in_force {
                (Tone::Changed, "yes")
            } else {
                (Tone::Plain, "no")
            };
            let groups: Vec<&str> = listing.groups.iter().map(|(_, group)| &**group).collect();
            let line = [
                listing.flag.flag_type.to_string(),
                visible(listing.flag.name.as_str()),
                listing.created.to_string(),
                in_force.to_owned(),
                groups.join(", "),
            ];
            columns.line(tone, line);
        }
        columns.text()
    }
}

impl Listing {
    /// The commands that append a revision without the instance; none if there is a newer one already.
    fn commands(&self, instance: &InstanceId<'_>) -> Vec<String> {
        let (id, flag) = (shell::word(instance.as_str()), shell::flag(&self.flag));
        let groups = self.groups.iter().filter(|_| self.is_in_force);
        let commands = groups.map(|(position, _)| {
            let treatment = if self.has_one_treatment {
                String::new()
            } else {
                format!("--treatment='#{position}' ")
            };
            format!(
                "flagctl revise {treatment}--remove-override={id} --comment='Forget an instance' {flag}"
            )
        });
        commands.collect()
    }
}

impl View for Forgotten<'_> {
    fn data(&self) -> impl Serialize {
        let exposures = self.exposures.iter().map(|of_flag| ExposuresData {
            flag_type: of_flag.flag_type.clone(),
            name: of_flag.flag_name.clone(),
            count: of_flag.count(),
        });
        let overrides = self.listings.iter().map(|listing| ListingData {
            key: (&listing.flag).into(),
            row_key: listing.row_key.clone(),
            created: listing.created.to_string(),
            groups: listing
                .groups
                .iter()
                .map(|(_, group)| group.clone())
                .collect(),
            is_in_force: listing.is_in_force,
            commands: listing.commands(self.instance),
        });
        Data {
            project: self.project.to_string(),
            instance_id: self.instance.to_string(),
            deleted: self.deleted,
            exposures: exposures.collect(),
            overrides: overrides.collect(),
            unreadable: self.unreadable.clone(),
        }
    }

    fn text(&self) -> Text {
        let total = self.total();
        let did = if self.deleted { "deleted" } else { "found" };
        let mut text = Text::plain(&format!("exposures {did}: {total}"));
        if total > 0 {
            text = text.and(self.exposures_text());
        }
        text = text.and(if self.listings.is_empty() {
            Text::plain("no override list contains it")
        } else {
            self.listings_text()
        });
        let listings = self.listings.iter();
        let commands = listings.flat_map(|listing| listing.commands(self.instance));
        let below = [
            (
                "Revisions are never deleted; these commands append newer ones without it:",
                commands.collect(),
            ),
            (
                "These revisions cannot be read, so they may contain it:",
                self.unreadable.clone(),
            ),
        ];
        for (heading, lines) in below {
            if !lines.is_empty() {
                text = text.and(list(heading, lines));
            }
        }
        text
    }

    fn names(&self) -> Vec<String> {
        let listings = self.listings.iter();
        listings.map(|listing| listing.row_key.clone()).collect()
    }
}

fn list(heading: &str, lines: Vec<String>) -> Text {
    let mut columns = Columns::headed([heading]);
    for line in lines {
        columns.line(Tone::Plain, [line]);
    }
    columns.text()
}
