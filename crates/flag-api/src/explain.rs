//! `GET /projects/{project}/flags/{type}/{name}/explain`: what an instance received at an instant, and why.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::events::PROJECT;
use crate::query::{
    FLAG_NAME, FLAG_TYPE, INSTANCE_ID, InvalidParameter, Pairs, ParameterProblem, ParameterReader,
};
use crate::reply::ReplyValue;

/// The path that explains a decision.
pub const EXPLAIN: &str = "/projects/{project}/flags/{type}/{name}/explain";

/// The parts of [`EXPLAIN`] that name the flag.
pub const EXPLAIN_PARTS: [&str; 3] = [PROJECT, "type", "name"];

/// The parameter of [`EXPLAIN`] that holds a past time.
pub const AT: &str = "at";

/// What a caller wants to have explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainQuery<'a> {
    /// The project.
    pub project_name: Cow<'a, str>,
    /// `feature` or `data`, or an invalid type.
    pub flag_type: Cow<'a, str>,
    /// The flag.
    pub flag_name: Cow<'a, str>,
    /// The instance.
    pub instance_id: Cow<'a, str>,
    /// The time; now if there is none.
    pub at: Option<Cow<'a, str>>,
}

/// What an instance received, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation<'a> {
    /// The project.
    #[serde(borrow)]
    pub project_name: Cow<'a, str>,
    /// `feature` or `data`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(feature|data)$"))]
    pub flag_type: Cow<'a, str>,
    /// The flag.
    #[serde(borrow)]
    pub flag_name: Cow<'a, str>,
    /// The instance.
    #[serde(borrow)]
    pub instance_id: Cow<'a, str>,
    /// The instant, UTC.
    #[serde(borrow)]
    pub at: Cow<'a, str>,
    /// The value that the revision in force then decides.
    #[serde(borrow)]
    pub flag_value: ReplyValue<'a>,
    /// `control`, or the treatment.
    #[serde(borrow)]
    pub rollout_group: Cow<'a, str>,
    /// `override`, `rollout` or `control`.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// The bucket of the instance; absent for an override.
    pub bucket: Option<u32>,
    /// The time of the revision in force then, UTC.
    #[serde(borrow)]
    pub revision_time: Cow<'a, str>,
    /// The treatments, with the buckets that they own; all others are those of the control value.
    #[serde(borrow)]
    pub treatments: Vec<ExplainedTreatment<'a>>,
    /// What was served to the instance around that instant, the newest first.
    #[serde(borrow)]
    pub served: Vec<ServedAnswer<'a>>,
    /// Whether the revisions of all these answers decide the same; absent if that is not known of any.
    pub agrees: Option<bool>,
}

/// A treatment of the revision in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedTreatment<'a> {
    /// Its rollout group.
    #[serde(borrow)]
    pub rollout_group: Cow<'a, str>,
    /// Its value.
    #[serde(borrow)]
    pub flag_value: ReplyValue<'a>,
    /// Its buckets, each range up to, not including, its second number.
    pub ranges: Vec<[u32; 2]>,
}

/// An answer as it is logged, decided again by the revision that it names. Texts are those of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServedAnswer<'a> {
    /// When it was served.
    #[serde(borrow)]
    pub created_time: Cow<'a, str>,
    /// The request that it answered.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// The value.
    #[serde(borrow)]
    pub flag_value: Cow<'a, str>,
    /// The rollout group.
    #[serde(borrow)]
    pub rollout_group: Cow<'a, str>,
    /// Which rule decided.
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Option<Cow<'a, str>>,
    /// The time of the revision that decided.
    #[serde(borrow)]
    pub revision_time: Option<Cow<'a, str>>,
    /// Whether that revision decides the same; absent if that is not known.
    pub agrees: Option<bool>,
    /// For how many milliseconds there had been a newer revision.
    pub stale_ms: Option<u64>,
}

impl<'a> ExplainQuery<'a> {
    /// Reads the parts of the path that name the flag, see [`EXPLAIN_PARTS`], and a raw query string, of which other parameters are
    /// ignored. Returns all problems at once.
    pub fn parse(parts: [&'a str; 3], query: &'a str) -> Result<Self, Vec<InvalidParameter>> {
        let names = [PROJECT, FLAG_TYPE, FLAG_NAME];
        let mut parts = names.into_iter().zip(parts);
        let mut part = || {
            let (name, part) = parts.next().unwrap_or_default();
            part_of_path(name, part)
        };
        let (project_name, flag_type, flag_name) = (part(), part(), part());
        let mut found = [INSTANCE_ID, AT].map(ParameterReader::new);
        for pair in Pairs::of(query) {
            let known = [INSTANCE_ID, AT].iter().position(|name| pair.is(name));
            if let Some(parameter) = known.and_then(|at| found.get_mut(at)) {
                parameter.fill(pair.value);
            }
        }
        let [instance_id, at] = found;
        let (instance_id, at) = (instance_id.read(), at.read_optional());
        match (project_name, flag_type, flag_name, instance_id, at) {
            (Ok(project_name), Ok(flag_type), Ok(flag_name), Ok(instance_id), Ok(at)) => Ok(Self {
                project_name,
                flag_type,
                flag_name,
                instance_id,
                at,
            }),
            (project, flag_type, name, instance, at) => {
                let problems = [project.err(), flag_type.err(), name.err()];
                let others = [instance.err(), at.err()];
                Err(problems.into_iter().chain(others).flatten().collect())
            }
        }
    }
}

fn part_of_path<'a>(name: &'static str, part: &'a str) -> Result<Cow<'a, str>, InvalidParameter> {
    match percent_decode_str(part).decode_utf8() {
        Ok(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Ok(text),
        _ => Err(InvalidParameter {
            name,
            problem: ParameterProblem::NotUtf8,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_decoded() {
        let query = ExplainQuery::parse(["a b", "data", "x%2Fy"], "at=2026&x=1&instance_id=A%231");
        let query = query.unwrap();
        assert_eq!((&*query.project_name, &*query.flag_type), ("a b", "data"));
        assert_eq!((&*query.flag_name, &*query.instance_id), ("x/y", "A#1"));
        assert_eq!(query.at.as_deref(), Some("2026"));
    }

    #[test]
    fn every_problem_is_reported() {
        let problems = ExplainQuery::parse(["%ff", "data", "f"], "at=1&at=2").unwrap_err();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            "project: not UTF-8",
            "instance_id: missing",
            "at: given more than once",
        ];
        assert_eq!(problems, expected);
    }
}
