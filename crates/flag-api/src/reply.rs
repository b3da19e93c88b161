//! The reply of `GET /get-feature-flag`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Which value an instance receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlagReply<'a> {
    /// The request that this answers.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// The instance that the value is for.
    #[serde(borrow)]
    pub instance_id: Cow<'a, str>,
    /// `feature` or `data`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(feature|data)$"))]
    pub flag_type: Cow<'a, str>,
    /// The flag.
    #[serde(borrow)]
    pub flag_name: Cow<'a, str>,
    /// The value.
    #[serde(borrow)]
    pub flag_value: ReplyValue<'a>,
    /// `control`, or the treatment.
    #[serde(borrow)]
    pub rollout_group: Cow<'a, str>,
}

/// A value: a JSON boolean for `feature`, a string for `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum ReplyValue<'a> {
    /// Of a `feature` flag.
    Boolean(bool),
    /// Of a `data` flag.
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: ReplyValue<'static>, json: &str) {
        let reply = FlagReply {
            request_id: "r".into(),
            instance_id: "A\"1".into(),
            flag_type: "feature".into(),
            flag_name: "f".into(),
            flag_value: value,
            rollout_group: "control".into(),
        };
        let expected = format!(
            r#"{{"request_id":"r","instance_id":"A\"1","flag_type":"feature","flag_name":"f","flag_value":{json},"rollout_group":"control"}}"#
        );
        assert_eq!(serde_json::to_string(&reply).unwrap(), expected);
        assert_eq!(
            serde_json::from_str::<FlagReply<'_>>(&expected).unwrap(),
            reply
        );
    }

    #[test]
    fn replies_have_the_fields_of_the_reference() {
        check(ReplyValue::Boolean(true), "true");
        check(ReplyValue::Text("true".into()), "\"true\"");
        check(
            ReplyValue::Text("it's \"other\"".into()),
            r#""it's \"other\"""#,
        );
    }
}
