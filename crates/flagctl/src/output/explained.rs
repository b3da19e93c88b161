//! The result of `flagctl explain`.

use flag_model::{InstanceId, Reason, Revision, Timestamp};
use flag_rollout::Decision;
use flag_verify::{Comparison, RecheckedExposure, all_agree};
use serde::Serialize;

use super::escape::visible;
use super::exposures::Exposure;
use super::json;
use super::table::{of_revision, or_none, short};
use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::revision_numbers::RevisionNumbers;

/// The value of an instance, now or at a time, and the revision that decides it.
pub(crate) struct Explained<'a> {
    pub(crate) instance: &'a InstanceId<'a>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) decision: Decision<'a>,
    pub(crate) revision: &'a Revision,
    pub(crate) numbers: &'a RevisionNumbers,
    /// What was served to it around that time, if it is asked for.
    pub(crate) served: Option<&'a [RecheckedExposure]>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    key: json::Key,
    instance_id: String,
    at: Option<String>,
    value: json::Value,
    rollout_group: String,
    reason: &'static str,
    bucket: Option<u32>,
    revision: json::Revision,
    served: Option<Vec<ServedData<'a>>>,
    agrees: Option<bool>,
}

/// An exposure, decided again.
#[derive(Serialize)]
struct ServedData<'a> {
    #[serde(flatten)]
    exposure: Exposure<'a>,
    agrees: Option<bool>,
    comparison: String,
    stale_ms: Option<u128>,
}

impl View for Explained<'_> {
    fn data(&self) -> impl Serialize {
        Data {
            key: (&self.revision.flag).into(),
            instance_id: self.instance.to_string(),
            at: self.at.map(|at| at.to_string()),
            value: self.decision.value.into(),
            rollout_group: self.decision.rollout_group.to_owned(),
            reason: self.decision.reason.as_str(),
            bucket: self.decision.bucket.map(flag_model::Bucket::get),
            revision: json::Revision::numbered(self.revision, self.numbers),
            served: self
                .served
                .map(|served| served.iter().map(ServedData::from).collect()),
            agrees: self.served.and_then(all_agree),
        }
    }

    fn text(&self) -> Text {
        let at = match self.at {
            Some(at) => format!(" at {at}"),
            None => String::new(),
        };
        let heading = format!(
            "{} for {}{at}",
            self.revision.flag,
            visible(self.instance.as_str())
        );
        let bucket = self.decision.bucket;
        let decision = Columns::from([
            ("value", visible(&self.decision.value.to_string())),
            ("group", self.decision.rollout_group.to_owned()),
            ("reason", self.reason()),
            (
                "bucket",
                bucket.map_or_else(|| "-".to_owned(), |bucket| bucket.to_string()),
            ),
        ]);
        let text = Text::plain(&heading)
            .and(decision.text())
            .and(of_revision(self.revision, self.numbers));
        match self.served {
            None => text,
            Some([]) => text.and(Text::plain("Nothing that was served to it is logged.")),
            Some(served) => text.and(served_table(served)),
        }
    }

    fn names(&self) -> Vec<String> {
        vec![self.decision.rollout_group.to_owned()]
    }
}

fn served_table(served: &[RecheckedExposure]) -> Text {
    let heading = [
        "SERVED", "VALUE", "GROUP", "REASON", "BUCKET", "REVISION", "STALE", "AGREES",
    ];
    let mut columns = Columns::headed(heading);
    for again in served {
        let exposure = &again.exposure;
        let line = [
            visible(&exposure.created),
            short(&exposure.value),
            visible(&exposure.rollout_group),
            or_none(exposure.reason.clone()),
            or_none(exposure.bucket.clone()),
            or_none(exposure.revision.clone()),
            or_none(again.outdated_for.map(|stale| format!("{stale:.1?}"))),
            visible(&comparison(again)),
        ];
        let tone = match again.agrees() {
            Some(false) => Tone::Problem,
            _ => Tone::Plain,
        };
        columns.line(tone, line);
    }
    columns.text()
}

/// What deciding an exposure again says, in words.
fn comparison(again: &RecheckedExposure) -> String {
    match &again.comparison {
        Ok(Comparison::Agrees) => "yes".to_owned(),
        Ok(Comparison::Differs(of)) => {
            format!("no: {} is {}, decided {}", of.column, of.logged, of.decided)
        }
        Ok(Comparison::Hashed) => "unknown: the id is hashed".to_owned(),
        Ok(Comparison::WithoutRevision) => "unknown: no revision is logged".to_owned(),
        Ok(Comparison::UnknownRevision) => "no: the flag has no such revision".to_owned(),
        Ok(Comparison::UnreadableRevision) => "unknown: the revision cannot be read".to_owned(),
        Err(what) => format!("no: {what}"),
    }
}

impl<'a> From<&'a RecheckedExposure> for ServedData<'a> {
    fn from(again: &'a RecheckedExposure) -> Self {
        Self {
            exposure: (&again.exposure).into(),
            agrees: again.agrees(),
            comparison: comparison(again),
            stale_ms: again.outdated_for.map(|stale| stale.as_millis()),
        }
    }
}

impl Explained<'_> {
    fn reason(&self) -> String {
        let why = match self.decision.reason {
            Reason::Override => "the override list of the group holds the id",
            Reason::Rollout => "the group owns the bucket",
            Reason::Control | Reason::Delivered => {
                "no override list holds the id, and no treatment owns the bucket"
            }
        };
        format!("{}: {why}", self.decision.reason)
    }
}
