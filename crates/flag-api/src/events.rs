//! The events of `GET /projects/{project}/events`: which flags of a project have changed.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::query::{InvalidParameter, Pairs, ParameterProblem, ParameterReader};

/// The path that sends the events of a project.
pub const EVENTS: &str = "/projects/{project}/events";

/// The part of [`EVENTS`] that names the project.
pub const PROJECT: &str = "project";

/// The parameter of [`EVENTS`] that holds the digest that the caller knows.
pub const SINCE: &str = "since";

/// The header that holds the id of the last event that the caller received: a digest.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// The media type of events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The data of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventData<'a> {
    /// The flags that have changed. Empty: any flag of the project may have changed.
    #[serde(borrow)]
    pub flags: Vec<ChangedFlag<'a>>,
}

/// A flag that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedFlag<'a> {
    /// `feature` or `data`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(feature|data)$"))]
    pub flag_type: Cow<'a, str>,
    /// The flag.
    #[serde(borrow)]
    pub flag_name: Cow<'a, str>,
    /// The time of the revision that is in force now, UTC.
    #[serde(borrow)]
    pub revision_time: Cow<'a, str>,
}

/// What a caller says when it asks for events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsQuery<'a> {
    /// The project.
    pub project: Cow<'a, str>,
    /// The digest that it knows, or anything else.
    pub since: Option<Cow<'a, str>>,
}

impl<'a> EventsQuery<'a> {
    /// Reads the part of the path that names the project, and a raw query string, of which other parameters are ignored.
    /// Returns all problems at once.
    pub fn parse(project: &'a str, query: &'a str) -> Result<Self, Vec<InvalidParameter>> {
        let project = project_of_path(project);
        let mut since = ParameterReader::new(SINCE);
        Pairs::of(query)
            .filter(|pair| pair.is(SINCE))
            .for_each(|pair| since.fill(pair.value));
        match (project, since.read_optional()) {
            (Ok(project), Ok(since)) => Ok(Self { project, since }),
            (project, since) => Err([project.err(), since.err()].into_iter().flatten().collect()),
        }
    }
}

/// Decodes the part of a path that names a project.
pub fn project_of_path(part: &str) -> Result<Cow<'_, str>, InvalidParameter> {
    match percent_decode_str(part).decode_utf8() {
        Ok(project) if !project.contains(char::REPLACEMENT_CHARACTER) => Ok(project),
        _ => Err(InvalidParameter {
            name: PROJECT,
            problem: ParameterProblem::NotUtf8,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(project: &str, query: &str, expected: Result<(&str, Option<&str>), &str>) {
        let parsed = EventsQuery::parse(project, query);
        let parsed = parsed
            .as_ref()
            .map(|query| (&*query.project, query.since.as_deref()));
        let parsed = parsed.map_err(|problems| {
            let problems = problems.iter().map(ToString::to_string);
            problems.collect::<Vec<_>>().join("; ")
        });
        assert_eq!(parsed, expected.map_err(ToOwned::to_owned));
    }

    #[test]
    fn a_query_is_decoded() {
        check("csr-assistant", "", Ok(("csr-assistant", None)));
        check("a b%2Fc+d", "x=1&since=%61", Ok(("a b/c+d", Some("a"))));
        check("p", "since=", Ok(("p", Some(""))));
    }

    #[test]
    fn every_problem_is_reported() {
        let problems = "project: not UTF-8; since: given more than once";
        check("a%ff", "since=a&since=a", Err(problems));
        check(
            "a\u{fffd}",
            "since=%ff",
            Err("project: not UTF-8; since: not UTF-8"),
        );
    }

    #[test]
    fn an_event_is_spelled_as_specified() {
        let text = r#"{"flags":[{"flag_type":"feature","flag_name":"f","revision_time":"2024-09-25 19:15:28.248896"}]}"#;
        let data: EventData<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(data.flags.first().unwrap().flag_name, "f");
        assert_eq!(serde_json::to_string(&data).unwrap(), text);
        assert_eq!(
            serde_json::to_string(&EventData::default()).unwrap(),
            r#"{"flags":[]}"#
        );
    }
}
