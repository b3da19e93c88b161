//! The reply of `GET /get-feature-flag`, written straight into its buffer.
//!
//! Writes the same bytes as serde for a [`FlagReply`](flag_api::FlagReply), as the test checks, but copies text without escapes.

use flag_model::{FlagType, FlagValue, InstanceId};

use crate::handlers::json_text::{plain, string, value as write_value};
use crate::http::RequestId;

/// Bytes between the parts, including the longest boolean and a few escapes.
const FRAME: usize = 128;

/// Writes one reply.
pub(super) fn write(
    request_id: &RequestId,
    instance: &InstanceId<'_>,
    name: &str,
    value: &FlagValue,
    rollout_group: &str,
) -> Vec<u8> {
    let (flag_type, text) = match value {
        FlagValue::Boolean(_) => (FlagType::Feature, 0),
        FlagValue::Text(text) => (FlagType::Data, text.len()),
    };
    let request_id = request_id.as_bytes();
    let instance = instance.as_str();
    let capacity =
        FRAME + request_id.len() + instance.len() + name.len() + text + rollout_group.len();
    let mut json = Vec::with_capacity(capacity);
    json.extend_from_slice(b"{\"request_id\":");
    plain(&mut json, request_id);
    json.extend_from_slice(b",\"instance_id\":");
    string(&mut json, instance);
    json.extend_from_slice(b",\"flag_type\":");
    plain(&mut json, flag_type.as_str().as_bytes());
    json.extend_from_slice(b",\"flag_name\":");
    string(&mut json, name);
    json.extend_from_slice(b",\"flag_value\":");
    write_value(&mut json, value);
    json.extend_from_slice(b",\"rollout_group\":");
    // The name of a treatment, or one made by the service.
    plain(&mut json, rollout_group.as_bytes());
    json.push(b'}');
    json
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use flag_api::{FlagReply, REQUEST_ID, ReplyValue};
    use flag_model::CONTROL_GROUP;

    use super::*;

    /// The text is the instance and the name of the flag.
    #[track_caller]
    fn check(text: &str, value: &FlagValue, group: &str) {
        let flag_type = match value {
            FlagValue::Boolean(_) => FlagType::Feature,
            FlagValue::Text(_) => FlagType::Data,
        };
        let reply = FlagReply {
            request_id: "r-1".into(),
            instance_id: text.into(),
            flag_type: flag_type.as_str().into(),
            flag_name: text.into(),
            flag_value: match value {
                FlagValue::Boolean(value) => ReplyValue::Boolean(*value),
                FlagValue::Text(text) => ReplyValue::Text((&**text).into()),
            },
            rollout_group: group.into(),
        };
        let request = TestRequest::default().insert_header((REQUEST_ID, "r-1"));
        let id = RequestId::of(&request.to_http_request());
        let instance = InstanceId::new(text).unwrap();
        let written = write(&id, &instance, text, value, group);
        let expected = serde_json::to_vec(&reply).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            String::from_utf8(expected).unwrap()
        );
    }

    #[test]
    fn it_is_what_serde_writes() {
        let every_byte: String = (1..=0xff).filter_map(char::from_u32).collect();
        for text in ["A12345", "it's \"other\"", "a\\b", "日本", &every_byte] {
            for value in [true, false] {
                check(text, &FlagValue::Boolean(value), CONTROL_GROUP);
            }
            for value in ["", "vertex", text] {
                check(text, &FlagValue::Text(value.into()), "treatment_1");
            }
        }
    }
}
