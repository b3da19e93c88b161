//! Checks an assertion: a JSON web token (RFC 7519), signed with ES256 and nothing else.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flag_model::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::keys::SigningKeys;

/// The only algorithm.
const ALGORITHM: &str = "ES256";

/// How much the clocks of proxy and service may differ.
const SKEW: Duration = Duration::from_secs(30);

/// What an assertion must say.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) audience: String,
    pub(super) issuer: String,
}

/// Why an assertion proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It is no token with the parts that it must have.
    #[error("it is malformed")]
    Malformed,
    /// It is not signed, or by another algorithm.
    #[error("it is not signed with ES256")]
    Algorithm,
    /// No key has the id that it names.
    #[error("its key is not known")]
    UnknownKey,
    /// Somebody else signed it, or it was changed.
    #[error("its signature is wrong")]
    Signature,
    /// Another issuer made it.
    #[error("its issuer is another one")]
    Issuer,
    /// It is for another service.
    #[error("it is for another audience")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
}

#[derive(Deserialize)]
struct AssertionHeader {
    alg: String,
    kid: Option<String>,
    /// Extensions that a reader must understand; we understand none.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// In seconds since 1970, as the other times.
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    sub: String,
    email: Option<String>,
}

/// Returns whom an assertion is about: the e-mail address, else the subject.
pub(super) fn check(
    assertion: &str,
    keys: &SigningKeys,
    expected: &Expected,
    now: Timestamp,
) -> Result<String, Refusal> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    let header: AssertionHeader = decode(header)?;
    if header.alg != ALGORITHM {
        return Err(Refusal::Algorithm);
    }
    if header.crit.is_some() {
        return Err(Refusal::Malformed);
    }
    let id = header.kid.ok_or(Refusal::UnknownKey)?;
    let key = keys.get(&id).ok_or(Refusal::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature);
    let signature = signature.map_err(|_| Refusal::Malformed)?;
    let verified = key.verify(signed.as_bytes(), &signature);
    verified.map_err(|_| Refusal::Signature)?;
    let claims: Claims = decode(claims)?;
    check_claims(&claims, expected, now)?;
    Ok(claims.email.unwrap_or(claims.sub))
}

fn check_claims(claims: &Claims, expected: &Expected, now: Timestamp) -> Result<(), Refusal> {
    if claims.iss != expected.issuer {
        return Err(Refusal::Issuer);
    }
    if claims.aud != expected.audience {
        return Err(Refusal::Audience);
    }
    let instant = |seconds: i64| {
        let at = seconds.checked_mul(1_000_000);
        let at = at.and_then(Timestamp::from_unix_micros);
        at.ok_or(Refusal::Malformed)
    };
    if instant(claims.exp)?.saturating_add(SKEW) <= now {
        return Err(Refusal::Expired);
    }
    let begins = claims.iat.max(claims.nbf.unwrap_or(claims.iat));
    if instant(begins)? > now.saturating_add(SKEW) {
        return Err(Refusal::NotYetValid);
    }
    Ok(())
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    let text = URL_SAFE_NO_PAD.decode(part);
    let text = text.map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&text).map_err(|_| Refusal::Malformed)
}
