//! Facts about assertions and the keys that they are checked with, with keys and documents of our own.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flag_model::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::time::advance;

use super::*;

/// The second in which the assertions are checked.
const NOW: i64 = 1_800_000_000;

/// A key pair of a proxy, with its id.
struct Pair {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Pair {
    fn new(id: &'static str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    fn public(&self) -> Value {
        let [x, y] = [1..33, 33..65].map(|part| {
            let point = self.pair.public_key().as_ref();
            URL_SAFE_NO_PAD.encode(&point[part])
        });
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256", "use": "sig", "x": x, "y": y })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

fn set(pairs: &[&Pair]) -> Vec<u8> {
    let keys: Vec<Value> = pairs.iter().map(|pair| pair.public()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "JWT", "kid": "one" })
}

fn claims() -> Value {
    json!({
        "iss": "https://cloud.google.com/iap", "aud": "/projects/1/global/backendServices/2",
        "iat": NOW - 10, "exp": NOW + 590, "sub": "accounts.google.com:7", "email": "ann@example.com",
    })
}

fn checked(assertion: &str, pairs: &[&Pair]) -> Result<String, Refusal> {
    let expected = Expected {
        audience: "/projects/1/global/backendServices/2".to_owned(),
        issuer: "https://cloud.google.com/iap".to_owned(),
    };
    let now = Timestamp::from_unix_micros(NOW * 1_000_000).unwrap();
    check(
        assertion,
        &SigningKeys::parse(&set(pairs)).unwrap(),
        &expected,
        now,
    )
}

#[test]
fn an_assertion_names_a_person() {
    let one = Pair::new("one");
    let other = Pair::new("other");
    let assertion = one.sign(&header(), &claims());
    assert_eq!(
        checked(&assertion, &[&other, &one]).as_deref(),
        Ok("ann@example.com")
    );
    let mut nameless = claims();
    nameless.as_object_mut().unwrap().remove("email");
    let assertion = one.sign(&header(), &nameless);
    assert_eq!(
        checked(&assertion, &[&one]).as_deref(),
        Ok("accounts.google.com:7")
    );
}

#[test]
fn what_an_assertion_says_must_fit() {
    let one = Pair::new("one");
    for (claim, value, refusal) in [
        (
            "aud",
            json!("/projects/1/global/backendServices/3"),
            Some(Refusal::Audience),
        ),
        (
            "aud",
            json!(["/projects/1/global/backendServices/2"]),
            Some(Refusal::Malformed),
        ),
        (
            "iss",
            json!("https://cloud.google.com/iap/"),
            Some(Refusal::Issuer),
        ),
        ("iss", Value::Null, Some(Refusal::Malformed)),
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(Refusal::Expired)),
        ("exp", json!(i64::MAX), Some(Refusal::Malformed)),
        ("exp", Value::Null, Some(Refusal::Malformed)),
        ("iat", json!(NOW + 30), None),
        ("iat", json!(NOW + 31), Some(Refusal::NotYetValid)),
        ("nbf", json!(NOW + 31), Some(Refusal::NotYetValid)),
    ] {
        let mut other = claims();
        other[claim] = value.clone();
        let found = checked(&one.sign(&header(), &other), &[&one]).err();
        assert_eq!(found, refusal, "{claim}: {value}");
    }
}

#[test]
fn only_a_signature_with_es256_by_a_known_key_counts() {
    let (one, stranger) = (Pair::new("one"), Pair::new("one"));
    let good = one.sign(&header(), &claims());
    let part = |header: &Value| signed_part(header, &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();

    let none = json!({ "alg": "none", "kid": "one" });
    for assertion in [
        format!("{}.", part(&none)),
        format!("{}.{signature}", part(&none)),
    ] {
        assert_eq!(checked(&assertion, &[&one]), Err(Refusal::Algorithm));
    }
    // The public key as the secret of a MAC.
    let hs256 = part(&json!({ "alg": "HS256", "kid": "one" }));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, one.pair.public_key().as_ref());
    let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, hs256.as_bytes()));
    assert_eq!(
        checked(&format!("{hs256}.{mac}"), &[&one]),
        Err(Refusal::Algorithm)
    );

    let unknown = one.sign(&json!({ "alg": "ES256", "kid": "two" }), &claims());
    assert_eq!(checked(&unknown, &[&one]), Err(Refusal::UnknownKey));
    let nameless = one.sign(&json!({ "alg": "ES256" }), &claims());
    assert_eq!(checked(&nameless, &[&one]), Err(Refusal::UnknownKey));
    let critical = json!({ "alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false });
    assert_eq!(
        checked(&one.sign(&critical, &claims()), &[&one]),
        Err(Refusal::Malformed)
    );

    let forged = stranger.sign(&header(), &claims());
    assert_eq!(checked(&forged, &[&one]), Err(Refusal::Signature));
    let mut other = claims();
    other["email"] = json!("eve@example.com");
    let changed = format!("{}.{signature}", signed_part(&header(), &other));
    assert_eq!(checked(&changed, &[&one]), Err(Refusal::Signature));
    assert_eq!(
        checked(&format!("{signed}."), &[&one]),
        Err(Refusal::Signature)
    );
    for garbage in ["", ".", "..", "a.b", "a.b.c", "é.é.é", signed] {
        assert_eq!(
            checked(garbage, &[&one]),
            Err(Refusal::Malformed),
            "{garbage}"
        );
    }
}

#[test]
fn of_a_set_the_keys_for_es256_are_taken() {
    let one = Pair::new("one");
    let mut short = one.public();
    short["x"] = json!("AAAA");
    let rsa = json!({ "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" });
    let others = json!({ "keys": [rsa, short, 7] }).to_string();
    assert!(SigningKeys::parse(others.as_bytes()).is_err());
    let mixed = json!({ "keys": [rsa, one.public()] }).to_string();
    let keys = SigningKeys::parse(mixed.as_bytes()).unwrap();
    assert!(keys.get("one").is_some() && keys.get("r").is_none());
    assert!(SigningKeys::parse(b"<html>").is_err());
}

/// Runs the task that keeps the keys for a while; how often they were fetched.
struct Fetched {
    times: Cell<u32>,
    fails: Cell<bool>,
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_every_hour_and_for_unknown_ids_once_a_minute_at_most() {
    let fetched = Fetched {
        times: Cell::new(0),
        fails: Cell::new(true),
    };
    let pairs = [Pair::new("one"), Pair::new("two")];
    let (keys, unknown) = (
        Arc::<ArcSwap<SigningKeys>>::default(),
        Arc::<Notify>::default(),
    );
    let fetch = async || {
        fetched.times.set(fetched.times.get() + 1);
        anyhow::ensure!(!fetched.fails.get(), "down");
        let pair = &pairs[usize::from(fetched.times.get() > 3)];
        SigningKeys::parse(&set(&[pair]))
    };
    let keeping = keep_current(fetch, Arc::clone(&keys), Arc::clone(&unknown));
    let story = async {
        let pass = async |seconds| {
            // In steps, as a timer that is due starts another one.
            for _ in 0..seconds {
                advance(Duration::from_secs(1)).await;
                tokio::task::yield_now().await;
            }
            fetched.times.get()
        };
        // There are no keys yet: the document is asked for again soon.
        assert_eq!(pass(1).await, 1);
        fetched.fails.set(false);
        assert_eq!(pass(6).await, 2);
        assert!(keys.load().get("one").is_some());
        // Nothing is fetched for an hour.
        assert_eq!(pass(3_500).await, 2);
        assert_eq!(pass(120).await, 3);
        // The keys are exchanged: an unknown id is seen, again and again.
        for _ in 0..20 {
            unknown.notify_one();
            pass(1).await;
        }
        assert_eq!(fetched.times.get(), 3);
        assert_eq!(pass(45).await, 4);
        assert!(keys.load().get("two").is_some() && keys.load().get("one").is_none());
        // The document cannot be fetched: the keys stay.
        fetched.fails.set(true);
        pass(2 * 3_600).await;
        assert!(fetched.times.get() > 5);
        assert!(keys.load().get("two").is_some());
    };
    tokio::select! {
        () = keeping => {}
        () = story => {}
    }
}
