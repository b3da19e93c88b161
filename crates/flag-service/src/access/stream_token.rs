//! Tokens in the URLs of event streams, as the event source of a browser sends no headers.
//!
//! A token is the id of a key, and a code made of the key's fingerprint and the project. It opens the streams of that project, which
//! hold no values, and nothing else; it is valid as long as the key.

use std::sync::Arc;

use actix_web::HttpRequest;
use arc_swap::ArcSwap;
use flag_keys::Fingerprint;
use flag_model::ProjectName;
use percent_encoding::percent_decode_str;

use super::error::{AccessError, Unauthorized};
use super::key_set::{FileKey, KeySet};

/// The parameter that holds the token.
pub(super) const TOKEN: &str = "token";

/// What stands between the id of a key, which has no dot, and the code.
const SEPARATOR: char = '.';

/// Returns the token of a key for the streams of a project.
pub(super) fn of(key: &FileKey, project: &ProjectName) -> Option<String> {
    let code = code(key, project.as_str())?;
    Some(format!("{}{SEPARATOR}{code}", key.id))
}

/// Returns the key whose token a request presents for the project in its path.
pub(super) fn valid_key(
    keys: &ArcSwap<KeySet>,
    request: &HttpRequest,
) -> Result<Arc<FileKey>, AccessError> {
    let missing = AccessError::Unauthorized(Unauthorized::Missing);
    let mut pairs = request.query_string().split('&');
    let token = pairs.find_map(|pair| pair.strip_prefix(TOKEN)?.strip_prefix('='));
    let token = token.ok_or(missing)?;
    let unknown = AccessError::Unauthorized(Unauthorized::Unknown);
    let project = request.match_info().get("project").unwrap_or_default();
    let project = percent_decode_str(project).decode_utf8_lossy();
    let presented = token.split_once(SEPARATOR).and_then(|(id, presented)| {
        let key = keys.load().get(id)?;
        let expected = code(&key, &project)?;
        let is_right = Fingerprint::parse(presented)?.matches(&expected);
        is_right.then_some(key)
    });
    let key = presented.ok_or(unknown)?;
    if key.is_expired() {
        return Err(AccessError::Unauthorized(Unauthorized::Expired));
    }
    Ok(key)
}

fn code(key: &FileKey, project: &str) -> Option<Fingerprint> {
    key.fingerprint.code_for(&format!("events {project}"))
}
