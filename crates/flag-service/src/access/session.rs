//! Signed-in browsers: a cookie that contains the API key, sealed.
//!
//! The key is encrypted under a key made of its own fingerprint, which every replica has in its key file, so a session
//! survives restarts, and ends when its key is revoked. Reading the cookie gives nobody the API key; reading the key file
//! gives nobody a cookie (docs/decisions/0022-a-sealed-cookie.md).

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap};
use flag_keys::{Fingerprint, Secret};
use flag_model::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The name of the cookie.
pub(crate) const SESSION_COOKIE: &str = "flag_dashboard";

/// How long a browser stays signed in.
pub(crate) const SESSION_LASTS: Duration = Duration::from_hours(12);

/// Tells apart what is made of a fingerprint.
const PURPOSE: &[u8] = b"flag-service dashboard session 1";

/// Tells apart what forms bring back.
const FORMS: &[u8] = b"flag-service dashboard forms 2 ";

/// Makes the tokens of the forms of a session. They cannot be made without its cookie, and those of other sessions differ.
#[derive(Clone, Debug)]
pub(crate) struct FormTokens(hmac::Key);

impl FormTokens {
    pub(super) fn new(session: &str, fingerprint: &Fingerprint) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, fingerprint.to_string().as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(FORMS);
        context.update(session.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()))
    }

    /// The token of a form for this purpose, and no other.
    pub(crate) fn token(&self, purpose: &[String]) -> String {
        to_hex(hmac::sign(&self.0, &message(purpose)).as_ref())
    }

    /// Whether this is the token of a form for this purpose.
    pub(crate) fn is_token(&self, sent: &str, purpose: &[String]) -> bool {
        let sent = from_hex(sent);
        sent.is_some_and(|sent| hmac::verify(&self.0, &message(purpose), &sent).is_ok())
    }
}

/// The parts of a purpose, so that no two lists of parts give the same bytes.
fn message(purpose: &[String]) -> Vec<u8> {
    let parts = purpose.iter();
    let parts = parts.map(|part| format!("{} {part}\n", part.len()));
    parts.collect::<String>().into_bytes()
}

/// Seals a key, which has this fingerprint; `None` without randomness or for a text that is not a key.
pub(super) fn seal(key: &str, fingerprint: &Fingerprint, now: Timestamp) -> Option<String> {
    let id = Secret::id_in(key)?;
    let until = now.saturating_add(SESSION_LASTS).unix_micros();
    let head = format!("{id}.{until}");
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = key.as_bytes().to_vec();
    sealing_key(fingerprint)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(head.as_bytes()),
            &mut sealed,
        )
        .ok()?;
    Some(format!("{head}.{}{}", to_hex(&nonce), to_hex(&sealed)))
}

/// Opens a cookie: the key in it, if the cookie is genuine and has not ended; `fingerprint_of` finds that of a key id.
pub(super) fn open(
    cookie: &str,
    fingerprint_of: impl FnOnce(&str) -> Option<Fingerprint>,
    now: Timestamp,
) -> Option<String> {
    let (head, sealed) = cookie.rsplit_once('.')?;
    let (id, until) = head.split_once('.')?;
    let until = Timestamp::from_unix_micros(until.parse().ok()?)?;
    if until < now || until.since(now) > SESSION_LASTS {
        return None;
    }
    let mut sealed = from_hex(sealed)?;
    let (nonce, sealed) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let fingerprint = fingerprint_of(id)?;
    let opened = sealing_key(&fingerprint)?
        .open_in_place(nonce, Aad::from(head.as_bytes()), sealed)
        .ok()?;
    let key = str::from_utf8(opened).ok()?;
    (Secret::id_in(key) == Some(id)).then(|| key.to_owned())
}

/// The cookie of a session in the headers of a request.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE);
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then_some(value)
    })
}

fn sealing_key(fingerprint: &Fingerprint) -> Option<LessSafeKey> {
    let fingerprint = fingerprint.to_string();
    let extracted = Salt::new(HKDF_SHA256, PURPOSE).extract(fingerprint.as_bytes());
    let expanded = extracted.expand(&[PURPOSE], &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(expanded)))
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn opened(cookie: &str, of: &Secret, now: Timestamp) -> Option<String> {
        let find = |id: &str| (id == of.id().as_str()).then(|| of.fingerprint());
        open(cookie, find, now)
    }

    #[test]
    fn a_session_gives_the_key_back_for_12_hours_and_no_longer() {
        let key = Secret::new().unwrap();
        let cookie = seal(key.reveal(), &key.fingerprint(), NOW).unwrap();
        let last = NOW.saturating_add(SESSION_LASTS);
        assert_eq!(opened(&cookie, &key, NOW).as_deref(), Some(key.reveal()));
        assert!(opened(&cookie, &key, last).is_some());
        assert!(opened(&cookie, &key, last.saturating_add(Duration::from_micros(1))).is_none());
    }

    #[test]
    fn a_cookie_does_not_show_the_key() {
        let key = Secret::new().unwrap();
        let cookie = seal(key.reveal(), &key.fingerprint(), NOW).unwrap();
        let secret = key.reveal().rsplit('_').next().unwrap();
        assert!(!cookie.contains(secret));
        assert_ne!(seal(key.reveal(), &key.fingerprint(), NOW), Some(cookie));
    }

    #[test]
    fn a_changed_cookie_and_one_of_another_key_are_refused() {
        let (key, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let cookie = seal(key.reveal(), &key.fingerprint(), NOW).unwrap();
        let later = cookie.replacen(".43200000000.", ".43199999999.", 1);
        assert_ne!(later, cookie);
        assert!(opened(&later, &key, NOW).is_none());
        for at in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(opened(&changed, &key, NOW).is_none(), "{at}");
        }
        assert!(opened(&cookie, &other, NOW).is_none());
        assert!(open(&cookie, |_| Some(other.fingerprint()), NOW).is_none());
        for text in ["", ".", "..", "a.b.c", "a.43200000000.", "a.43200000000.zz"] {
            assert!(opened(text, &key, NOW).is_none(), "{text}");
        }
    }

    #[test]
    fn the_token_of_a_form_belongs_to_one_purpose_in_one_session_of_one_key() {
        let (key, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let sealed = || seal(key.reveal(), &key.fingerprint(), NOW).unwrap();
        let (one, two) = (sealed(), sealed());
        let purpose = |parts: &[&str]| parts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let tokens = FormTokens::new(&one, &key.fingerprint());
        let off = purpose(&["change", "p", "feature", "f", "off"]);
        let token = tokens.token(&off);
        assert_eq!(token.len(), 64);
        assert!(tokens.is_token(&token, &off));
        for other in [
            purpose(&["change", "p", "feature", "f", "rollback"]),
            purpose(&["change", "p", "feature", "g", "off"]),
            purpose(&["change", "p", "feature", "f", "off", ""]),
            purpose(&["change", "p", "feature", "foff"]),
            purpose(&[]),
        ] {
            assert!(!tokens.is_token(&token, &other), "{other:?}");
        }
        for others in [
            FormTokens::new(&two, &key.fingerprint()),
            FormTokens::new(&one, &other.fingerprint()),
        ] {
            assert!(!others.is_token(&token, &off));
        }
        for sent in ["", "zz", &token[1..], &token.replace(&token[..1], "x")] {
            assert!(!tokens.is_token(sent, &off), "{sent}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let value = "a=b; flag_dashboard=x.1.2; c=d".parse().unwrap();
        headers.append(COOKIE, value);
        assert_eq!(cookie(&headers), Some("x.1.2"));
        assert_eq!(cookie(&HeaderMap::new()), None);
    }
}
