//! One flag of an answer, written straight into its buffer.
//!
//! Writes the same bytes as serde for an [`OfrepFlag`](flag_api::OfrepFlag), as the test checks.

use flag_model::{FlagType, FlagValue, Reason};
use flag_rollout::{Decision, Plan};
use flag_runtime::Source;

use crate::handlers::json_text::{string, value};
use crate::http::ControlReason;

/// Bytes of a flag besides its key, value and group: names of fields, punctuation, time and bucket.
pub(super) const FRAME: usize = 176;

/// What is written of a flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evaluated<'a> {
    /// What stands before the key, without a character that needs an escape.
    pub(super) prefix: &'static str,
    /// The key.
    pub(super) key: &'a str,
    /// What the instance receives.
    pub(super) decision: &'a Decision<'a>,
    /// The plan that decided.
    pub(super) plan: &'a Plan,
    /// Where the plan came from.
    pub(super) source: Source,
}

/// Writes the value of a flag, and why it has it.
pub(super) fn success(json: &mut Vec<u8>, of: Evaluated<'_>, control: ControlReason) {
    let decision = of.decision;
    json.extend_from_slice(b"{\"key\":");
    write_key(json, of.prefix, of.key);
    json.extend_from_slice(b",\"value\":");
    value(json, decision.value);
    json.extend_from_slice(b",\"reason\":\"");
    json.extend_from_slice(reason(decision.reason, of.plan, control).as_bytes());
    json.extend_from_slice(b"\",\"variant\":");
    string(json, decision.rollout_group);
    json.extend_from_slice(b",\"metadata\":{\"flagType\":\"");
    let flag_type = match decision.value {
        FlagValue::Boolean(_) => FlagType::Feature,
        FlagValue::Text(_) => FlagType::Data,
    };
    json.extend_from_slice(flag_type.as_str().as_bytes());
    json.extend_from_slice(b"\",\"revision\":\"");
    json.extend_from_slice(decision.revision.text().as_ref());
    json.push(b'"');
    if let Some(bucket) = decision.bucket {
        json.extend_from_slice(b",\"bucket\":");
        number(json, bucket.get());
    }
    if of.source == Source::Stale {
        json.extend_from_slice(b",\"status\":\"STALE\"");
    }
    json.extend_from_slice(b"}}");
}

fn write_key(json: &mut Vec<u8>, prefix: &str, key: &str) {
    let start = json.len();
    string(json, key);
    if !prefix.is_empty() {
        // Behind the quote.
        json.splice(start + 1..=start, prefix.bytes());
    }
}

fn reason(reason: Reason, plan: &Plan, control: ControlReason) -> &'static str {
    match reason {
        Reason::Override => "TARGETING_MATCH",
        Reason::Rollout => "SPLIT",
        Reason::Control | Reason::Delivered if !plan.has_treatments() => "STATIC",
        Reason::Control | Reason::Delivered => match control {
            ControlReason::Default => "DEFAULT",
            ControlReason::Unknown => "UNKNOWN",
        },
    }
}

fn number(json: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        length += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    json.extend(digits.iter().skip(digits.len() - length));
}

#[cfg(test)]
mod tests {
    use flag_api::{OfrepFlag, OfrepMetadata, OfrepReason, ReplyValue};
    use flag_model::{
        BucketScheme, FormatVersion, HashAlgorithm, InstanceId, Percent, Revision, RevisionParts,
        Timestamp, Treatment,
    };
    use flag_rollout::decide;

    use super::*;

    /// A plan with a treatment of this percentage, or without one, for text.
    fn plan(percent: Option<&str>, value: &str) -> Plan {
        let treatment = |percent| Treatment {
            name: None,
            overrides: vec![InstanceId::new("ann").unwrap()],
            percent: Percent::parse(percent, FormatVersion::V1).unwrap(),
            value: FlagValue::Text(value.into()),
            ranges: Vec::new(),
        };
        let parts = RevisionParts {
            flag: "p/data/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Text(value.into()),
            treatments: percent.into_iter().map(treatment).collect(),
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let created = Timestamp::parse("2026-11-25 12:00:00.000001").unwrap();
        Plan::compile(Revision::new(created, parts).unwrap())
    }

    #[track_caller]
    fn check(
        (prefix, key): (&'static str, &str),
        (percent, instance): (Option<&str>, &str),
        (source, control): (Source, ControlReason),
        reason: OfrepReason,
    ) {
        for value in ["4.1", "it's \"other\"\n", "日本"] {
            let plan = plan(percent, value);
            let decision = decide(&plan, &InstanceId::new(instance).unwrap());
            let expected = OfrepFlag {
                key: format!("{prefix}{key}").into(),
                value: ReplyValue::Text(value.into()),
                reason,
                variant: decision.rollout_group.into(),
                metadata: OfrepMetadata {
                    flag_type: "data".into(),
                    revision: "2026-11-25 12:00:00.000001".into(),
                    bucket: decision.bucket.map(flag_model::Bucket::get),
                    status: (source == Source::Stale).then(|| "STALE".into()),
                },
            };
            let evaluated = Evaluated {
                prefix,
                key,
                decision: &decision,
                plan: &plan,
                source,
            };
            let mut written = Vec::new();
            success(&mut written, evaluated, control);
            assert!(written.len() <= FRAME + key.len() + 2 * value.len() + 32);
            let expected = serde_json::to_string(&expected).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn it_is_what_serde_writes() {
        let usual = (Source::Cache, ControlReason::Default);
        check(("", "f"), (None, "ann"), usual, OfrepReason::Static);
        check(
            ("data/", "f"),
            (Some("0"), "bob"),
            usual,
            OfrepReason::Default,
        );
        check(
            ("", "it\"s"),
            (Some("0"), "ann"),
            usual,
            OfrepReason::TargetingMatch,
        );
        check(
            ("data/", "a\\b"),
            (Some("100"), "bob"),
            usual,
            OfrepReason::Split,
        );
        let strict = (Source::Stale, ControlReason::Unknown);
        check(("", "f"), (Some("0"), "bob"), strict, OfrepReason::Unknown);
        check(("", "f"), (None, "bob"), strict, OfrepReason::Static);
    }

    #[test]
    fn numbers_are_decimal() {
        for (given, expected) in [
            (0, "0"),
            (7, "7"),
            (99_999, "99999"),
            (u32::MAX, "4294967295"),
        ] {
            let mut written = Vec::new();
            number(&mut written, given);
            assert_eq!(written, expected.as_bytes());
        }
    }
}
