//! The key file of a service account, checked before its library reads it.
//!
//! That library panics at some mistakes, and quotes what it read in its errors; here nothing of a key is quoted.

use std::ffi::{OsStr, OsString};

use serde_json::{Map, Value};
use tonic::codegen::http::uri::Authority;
use tonic::transport::Uri;

use crate::connect_error::CredentialsError;

/// A key file that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    /// What it holds.
    pub(crate) text: String,
    /// Where it has tokens fetched.
    pub(crate) token_uri: String,
}

impl KeyFile {
    /// Where it has tokens fetched, without what may be secret: user, password and query.
    pub(crate) fn shown_token_uri(&self) -> String {
        let Ok(uri) = self.token_uri.parse::<Uri>() else {
            return "its token_uri".to_owned();
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        let host = authority.rsplit('@').next().unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default();
        format!("{scheme}://{host}{}", uri.path())
    }
}

/// Reads the file that `GOOGLE_APPLICATION_CREDENTIALS` names.
pub(crate) fn read(path: &OsStr) -> Result<KeyFile, CredentialsError> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot be read ({error}): name a file that can, or unset it"))
        .and_then(understood)
        .map_err(|problem| wrong(path, problem))
}

/// What is wrong with it.
pub(crate) fn wrong(path: &OsStr, problem: String) -> CredentialsError {
    let path = OsString::from(path);
    CredentialsError::KeyFile { path, problem }
}

fn understood(text: String) -> Result<KeyFile, String> {
    let key: Value = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        expected(&format!("is not JSON (line {line}, column {column})"))
    })?;
    let key = key
        .as_object()
        .ok_or_else(|| expected("is not a JSON object"))?;
    match key.get("type").and_then(Value::as_str) {
        Some("service_account") | None => {}
        Some(other) => return Err(expected(&format!("has the type {other:?}"))),
    }
    for field in ["client_email", "private_key"] {
        text_of(key, field)?;
    }
    let token_uri = text_of(key, "token_uri")?;
    if !is_http(token_uri) {
        return Err(expected("has a token_uri that is not a URL"));
    }
    let token_uri = token_uri.to_owned();
    Ok(KeyFile { text, token_uri })
}

fn text_of<'a>(key: &'a Map<String, Value>, field: &str) -> Result<&'a str, String> {
    let text = key.get(field).and_then(Value::as_str);
    text.ok_or_else(|| expected(&format!("has no {field}")))
}

fn expected(problem: &str) -> String {
    format!(
        "{problem}; expected the key of a service account: download one, or unset the variable and run \
         `gcloud auth application-default login`"
    )
}

fn is_http(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_uri_is_shown_without_its_secrets() {
        let key = KeyFile {
            text: String::new(),
            token_uri: "https://u:SECRET@tokens.test:8443/token?key=SECRET".to_owned(),
        };
        assert_eq!(key.shown_token_uri(), "https://tokens.test:8443/token");
    }

    #[track_caller]
    fn check(text: &str, problem: &str) {
        let found = understood(text.to_owned()).unwrap_err();
        assert!(found.starts_with(&format!("{problem}; ")), "{found}");
        assert!(!found.contains("SECRET"), "{found}");
    }

    #[test]
    fn a_key_file_that_cannot_be_used_is_explained_without_quoting_it() {
        check("", "is not JSON (line 1, column 0)");
        check("{\n SECRET", "is not JSON (line 2, column 2)");
        check(r#""SECRET""#, "is not a JSON object");
        check(
            r#"{"type": "authorized_user", "refresh_token": "SECRET"}"#,
            r#"has the type "authorized_user""#,
        );
        check(r#"{"private_key": "SECRET"}"#, "has no client_email");
        check(
            r#"{"client_email": "a@b", "private_key": {"SECRET": 1}}"#,
            "has no private_key",
        );
        check(
            r#"{"client_email": "a@b", "private_key": "SECRET"}"#,
            "has no token_uri",
        );
        for uri in ["", "a b", "/token", "oauth2.googleapis.com/token"] {
            check(
                &format!(
                    r#"{{"client_email": "a", "private_key": "SECRET", "token_uri": "{uri}"}}"#
                ),
                "has a token_uri that is not a URL",
            );
        }
    }

    #[test]
    fn a_key_file_that_is_not_there_is_named() {
        assert_eq!(
            read(OsStr::new("/no/such.json")).unwrap_err().to_string(),
            "GOOGLE_APPLICATION_CREDENTIALS is \"/no/such.json\", which cannot be read (No such file or directory \
             (os error 2)): name a file that can, or unset it"
        );
    }
}
