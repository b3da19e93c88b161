//! What holds for any request of OFREP, the key of a flag in its first line and the body behind it; panics where it doesn't.
//!
//! The fuzzer runs this on what it makes up, and a test of `flag-service` on the corpus.
use flag_api::{OfrepContext, OfrepRequest};
use flag_model::{InstanceId, ProjectName};
use serde_json::Value;

use super::context::{ContextError, instance};
use super::key::{meanings, prefix};

/// More flags cannot be meant by one key: two types, with and without a type in the key.
const MAX_MEANINGS: usize = 4;

/// The longest message about a body; it quotes 80 characters, each of up to ten in a message.
const LONGEST_MESSAGE: usize = 1_000;

/// Checks everything about one request.
pub(crate) fn check(request: &[u8]) {
    let mut parts = request.splitn(2, |byte| *byte == b'\n');
    let key = parts.next().unwrap_or_default();
    // As the service decodes a path.
    means_few_flags(&String::from_utf8_lossy(key));
    if let Some(body) = parts.next() {
        names_an_instance(body);
    }
}

/// No flag is meant twice, and the key that a bulk answer has for it means it first.
fn means_few_flags(key: &str) {
    let project = ProjectName::new("p").unwrap();
    let flags: Vec<_> = meanings(&project, key).collect();
    assert!(flags.len() <= MAX_MEANINGS, "{flags:?}");
    for (at, flag) in flags.iter().enumerate() {
        assert!(!flags[..at].contains(flag), "{flag} is meant twice");
        let key = format!("{}{}", prefix(flag, true), flag.name);
        assert_eq!(meanings(&project, &key).next().as_ref(), Some(flag));
    }
}

/// Reading agrees with the types that clients use, and an instance id is read back from what they write.
fn names_an_instance(body: &[u8]) {
    let typed: Option<OfrepRequest<'_>> = serde_json::from_slice(body).ok();
    // What is nested too deeply is refused, though the types skip it.
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    // The types also read the values alone, in a list.
    let typed = typed.filter(|_| body["context"].is_object());
    let typed = typed.map(|request| request.context.targeting_key.into_owned());
    match instance(body) {
        Ok(found) => {
            assert!(InstanceId::new(found.as_str()).is_ok());
            assert!(typed.is_none_or(|typed| typed == found.as_str()));
            is_read_back(&found);
        }
        Err(ContextError::NoTargetingKey) => assert!(typed.is_none_or(|typed| typed.is_empty())),
        Err(ContextError::Invalid(problem)) => {
            assert!(problem.len() <= LONGEST_MESSAGE, "{problem}");
            assert!(typed.is_none_or(|typed| InstanceId::new(typed).is_err()));
        }
    }
}

fn is_read_back(found: &InstanceId<'_>) {
    let targeting_key = found.as_str().into();
    let context = OfrepContext { targeting_key };
    let written = serde_json::to_value(OfrepRequest { context }).unwrap();
    assert_eq!(instance(written).unwrap().as_str(), found.as_str());
}
