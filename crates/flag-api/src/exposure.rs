//! The exposures that clients send to be logged, and the replies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::reply::ReplyValue;

/// The most entries of one request.
pub const MAX_ENTRIES_PER_REQUEST: usize = 500;

/// A value that was served, to be logged by `POST /log-feature-flag`; the request has one entry, or a list.
///
/// An entry that is sent again with the same `request_id` and `created_time` is the same entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExposureEntry<'a> {
    /// The project.
    #[serde(borrow)]
    pub project_name: Cow<'a, str>,
    /// `feature` or `data`.
    #[serde(borrow)]
    pub flag_type: Cow<'a, str>,
    /// The flag.
    #[serde(borrow)]
    pub flag_name: Cow<'a, str>,
    /// The instance that the value was for.
    #[serde(borrow)]
    pub instance_id: Cow<'a, str>,
    /// The value that was served.
    #[serde(borrow)]
    pub flag_value: ReplyValue<'a>,
    /// `control`, or the treatment.
    #[serde(borrow)]
    pub rollout_group: Cow<'a, str>,
    /// The request that was answered with the value; if missing, the request that sends this entry.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    /// When it was served, UTC, `YYYY-MM-DD HH:MM:SS.ffffff`; if missing, when it is logged.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Cow<'a, str>>,
    /// Whether the flag came from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_flag: Option<bool>,
    /// `override`, `rollout`, `control` or `delivered`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// The bucket of the instance, 0 to 99999; none for an override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// When the revision that decided was created, in the format of `created_time`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Cow<'a, str>>,
}

/// The result of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntryResult<'a> {
    /// `stored`; `refused`: sending it again is useless; or `failed`: it may be sent again.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// The request id of the logged exposure.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    /// The time of the logged exposure.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Cow<'a, str>>,
    /// What happened, for programs: a [`Code`](crate::Code).
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'a, str>>,
    /// What happened, for people.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
}

/// The results of a list of entries, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogReply<'a> {
    /// One for each entry.
    #[serde(borrow)]
    pub results: Vec<EntryResult<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_names_of_the_columns() {
        let json = r#"{"project_name":"p","flag_type":"feature","flag_name":"f","instance_id":"A1","flag_value":true,"rollout_group":"control","bucket":7}"#;
        let entry: ExposureEntry<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(entry.flag_value, ReplyValue::Boolean(true));
        assert_eq!((entry.bucket, &entry.request_id), (Some(7), &None));
        assert_eq!(serde_json::to_string(&entry).unwrap(), json);
    }
}
