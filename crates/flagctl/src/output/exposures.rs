//! Decisions that were served, as logged.

use flag_model::FlagKey;
use flag_store::ExposureText;
use serde::Serialize;

use super::escape::visible;
use super::json;
use super::table::{or_none, short};
use super::text::{Columns, Text, Tone};
use super::view::View;

/// Exposures of a flag, the newest first.
pub(crate) struct Exposures<'a> {
    pub(crate) flag: &'a FlagKey,
    pub(crate) exposures: &'a [ExposureText],
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    key: json::Key,
    exposures: Vec<Exposure<'a>>,
}

/// An exposure in JSON.
#[derive(Serialize)]
pub(super) struct Exposure<'a> {
    row_key: &'a str,
    request_id: &'a str,
    created: &'a str,
    instance_id: &'a str,
    value: &'a str,
    rollout_group: &'a str,
    reason: Option<&'a str>,
    bucket: Option<&'a str>,
    revision: Option<&'a str>,
    from_cache: Option<&'a str>,
}

impl View for Exposures<'_> {
    fn data(&self) -> impl Serialize {
        Data {
            key: self.flag.into(),
            exposures: self.exposures.iter().map(Exposure::from).collect(),
        }
    }

    fn text(&self) -> Text {
        if self.exposures.is_empty() {
            return Text::default();
        }
        exposures_table(self.exposures)
    }

    fn names(&self) -> Vec<String> {
        let exposures = self.exposures.iter();
        exposures.map(|exposure| exposure.key.clone()).collect()
    }
}

/// A table of exposures with its heading.
pub(crate) fn exposures_table(exposures: &[ExposureText]) -> Text {
    let heading = [
        "CREATED", "INSTANCE", "GROUP", "REASON", "BUCKET", "REVISION", "CACHE", "REQUEST", "VALUE",
    ];
    let mut columns = Columns::headed(heading);
    for exposure in exposures {
        let line = [
            exposure.created.clone(),
            visible(&exposure.instance),
            visible(&exposure.rollout_group),
            or_none(exposure.reason.clone()),
            or_none(exposure.bucket.clone()),
            or_none(exposure.revision.clone()),
            or_none(exposure.from_cache.clone()),
            visible(&exposure.request_id),
            short(&exposure.value),
        ];
        columns.line(Tone::Plain, line);
    }
    columns.text()
}

impl<'a> From<&'a ExposureText> for Exposure<'a> {
    fn from(exposure: &'a ExposureText) -> Self {
        Self {
            row_key: &exposure.key,
            request_id: &exposure.request_id,
            created: &exposure.created,
            instance_id: &exposure.instance,
            value: &exposure.value,
            rollout_group: &exposure.rollout_group,
            reason: exposure.reason.as_deref(),
            bucket: exposure.bucket.as_deref(),
            revision: exposure.revision.as_deref(),
            from_cache: exposure.from_cache.as_deref(),
        }
    }
}
