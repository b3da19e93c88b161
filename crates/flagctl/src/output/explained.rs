//! The result of `flagctl explain`.

use flag_model::{InstanceId, Reason, Revision, Timestamp};
use flag_rollout::Decision;
use serde::Serialize;

use super::escape::visible;
use super::json;
use super::table::of_revision;
use super::text::{Columns, Text};
use super::view::View;
use crate::numbering::Numbering;

/// The value of an instance, now or at a time, and the revision that decides it.
pub(crate) struct Explained<'a> {
    pub(crate) instance: &'a InstanceId<'a>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) decision: Decision<'a>,
    pub(crate) revision: &'a Revision,
    pub(crate) numbering: &'a Numbering,
}

#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    key: json::Key,
    instance_id: String,
    at: Option<String>,
    value: json::Value,
    rollout_group: String,
    reason: &'static str,
    bucket: Option<u32>,
    revision: json::Revision,
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
            revision: json::Revision::numbered(self.revision, self.numbering),
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
        Text::plain(&heading)
            .and(decision.text())
            .and(of_revision(self.revision, self.numbering))
    }

    fn names(&self) -> Vec<String> {
        vec![self.decision.rollout_group.to_owned()]
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
