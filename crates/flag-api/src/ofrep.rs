//! The types of OpenFeature's Remote Evaluation Protocol (OFREP), version 0.3.0.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::reply::ReplyValue;

/// The path that evaluates all flags; behind it and a slash, a key evaluates one flag.
pub const EVALUATE_FLAGS: &str = "/ofrep/v1/evaluate/flags";

/// A request to evaluate one flag, or all flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfrepRequest<'a> {
    /// For whom the flags are evaluated.
    #[serde(borrow)]
    pub context: OfrepContext<'a>,
}

/// For whom flags are evaluated. Other fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfrepContext<'a> {
    /// The instance id: at most 512 bytes of UTF-8 without NUL, used exactly as given.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 512, pattern = r"^[^\u0000]*$")
    )]
    pub targeting_key: Cow<'a, str>,
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfrepFlag<'a> {
    /// The key of the flag, as it was requested.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// The value.
    #[serde(borrow)]
    pub value: ReplyValue<'a>,
    /// Why it has this value.
    pub reason: OfrepReason,
    /// `control`, or the treatment.
    #[serde(borrow)]
    pub variant: Cow<'a, str>,
    /// Details.
    #[serde(borrow)]
    pub metadata: OfrepMetadata<'a>,
}

/// Why a flag has its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OfrepReason {
    /// An override list holds the instance.
    TargetingMatch,
    /// A treatment owns the bucket of the instance.
    Split,
    /// The control value of a flag with treatments.
    Default,
    /// The same with `FLAG_OFREP_STRICT_REASONS`, as the schema of the protocol lacks `DEFAULT`.
    Unknown,
    /// The value of a flag without treatments.
    Static,
}

/// Details of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfrepMetadata<'a> {
    /// `feature` or `data`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(feature|data)$"))]
    pub flag_type: Cow<'a, str>,
    /// When the revision that decided was made, in UTC.
    #[serde(borrow)]
    pub revision: Cow<'a, str>,
    /// The bucket of the instance; absent for an override.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 99999))]
    pub bucket: Option<u32>,
    /// `STALE` if the store cannot be reached and this is the last known value; otherwise absent.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub status: Option<Cow<'a, str>>,
}

/// Why a flag, or a request, could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfrepFailure<'a> {
    /// The key of the flag, as it was requested; absent if all flags were requested.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// What happened, for programs.
    pub error_code: OfrepErrorCode,
    /// What happened, for people.
    #[serde(borrow)]
    pub error_details: Cow<'a, str>,
}

/// What happened, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OfrepErrorCode {
    /// The body, or the stored revision of the flag, cannot be read.
    ParseError,
    /// The context has no targeting key.
    TargetingKeyMissing,
    /// The context is invalid.
    InvalidContext,
    /// There is no such flag.
    FlagNotFound,
    /// Anything else.
    General,
}

/// Every flag of a project, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfrepFlags<'a> {
    /// The flags.
    #[serde(borrow)]
    pub flags: Vec<OfrepItem<'a>>,
    /// Where changes are announced; absent if no stream can be opened now.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub event_streams: Option<Vec<OfrepEventStream<'a>>>,
}

/// A stream of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfrepEventStream<'a> {
    /// `sse`: server-sent events.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// Where it is.
    #[serde(borrow)]
    pub endpoint: OfrepEndpoint<'a>,
}

/// A place at the origin of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfrepEndpoint<'a> {
    /// Path and query. It may hold a token, so it must not be logged.
    #[serde(borrow)]
    pub request_uri: Cow<'a, str>,
}

/// A flag among others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum OfrepItem<'a> {
    /// Its value.
    #[serde(borrow)]
    Flag(OfrepFlag<'a>),
    /// Why it has none.
    #[serde(borrow)]
    Failure(OfrepFailure<'a>),
}
