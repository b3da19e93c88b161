//! The settings of access control.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use clap::Arg;
use flag_keys::KeyId;
use flag_model::with_causes;
use flag_settings::{Reader, Setting, table};

use crate::access::{
    AccessSettings, Callers, IdentityProxySettings, KeysSettings, RateSettings, TrustedProxies,
};

/// The settings read here.
const SETTINGS: &[Setting] = &[
    table::API_KEYS_FILE,
    table::ALLOW_ANONYMOUS,
    table::RATE_LIMIT,
    table::RATE_LIMIT_BURST,
    table::RATE_LIMIT_BY,
    table::TRUSTED_PROXIES,
    table::IAP_AUDIENCE,
    table::IAP_KEY,
    table::IAP_ISSUER,
    table::IAP_KEYS_URL,
];

/// Their options; `--allow-anonymous` needs no value.
pub(super) fn args() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().map(|setting| match *setting {
        table::ALLOW_ANONYMOUS => setting
            .arg()
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        _ => setting.arg(),
    })
}

/// Reads them. An address that others can reach needs keys, or `--allow-anonymous`.
pub(super) fn read(reader: &mut Reader, listen: Option<SocketAddr>) -> Option<AccessSettings> {
    let keys = read_keys(reader);
    let anonymous = reader.parse(&table::ALLOW_ANONYMOUS, |text| text.parse::<bool>().ok());
    let rate = read_rate(reader);
    let proxies = reader.parse(&table::TRUSTED_PROXIES, TrustedProxies::parse);
    let identity_proxy = read_identity_proxy(reader);
    let (keys, anonymous) = keys.zip(anonymous)?;
    if anonymous && keys.is_some() {
        reader.add_error(
            "allow-anonymous: with an api-keys-file no caller is anonymous; leave out one of the two",
        );
    }
    let is_public = listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback());
    if is_public && !anonymous && keys.is_none() {
        let origin = reader.origin(&table::LISTEN);
        reader.add_error(&format!(
            "listen ({origin}): this address can be reached from other machines, and no API keys are required. \
             Create keys with `flagctl keys create` and pass their file with --api-keys-file, \
             or pass --allow-anonymous to admit every caller"
        ));
    }
    let identity_proxy = identity_proxy?;
    if identity_proxy.is_some() && keys.is_none() {
        reader.add_error(
            "iap-audience: the people of an identity-aware proxy have the rights of an API key, but there is no api-keys-file",
        );
    }
    Some(AccessSettings {
        keys,
        identity_proxy,
        rate: rate?,
        proxies: proxies?,
    })
}

/// The outer `None` is an error.
#[expect(clippy::option_option, reason = "an error, no file, or a file")]
fn read_keys(reader: &mut Reader) -> Option<Option<KeysSettings>> {
    let path = reader.path(&table::API_KEYS_FILE)?;
    if path.as_os_str().is_empty() {
        return Some(None);
    }
    match KeysSettings::read(path.clone()) {
        Ok(keys) => Some(Some(keys)),
        Err(error) => {
            let origin = reader.origin(&table::API_KEYS_FILE);
            let problem = with_causes(&error);
            let path = path.display();
            reader.add_error(&format!("api-keys-file ({origin}): {path}: {problem}"));
            None
        }
    }
}

/// The outer `None` is an error.
#[expect(clippy::option_option, reason = "an error, no proxy, or one")]
fn read_identity_proxy(reader: &mut Reader) -> Option<Option<IdentityProxySettings>> {
    let audience = reader.text(&table::IAP_AUDIENCE);
    let issuer = reader.text(&table::IAP_ISSUER);
    let keys_url = reader.parse(&table::IAP_KEYS_URL, |text| {
        is_trusted_url(text).then(|| text.to_owned())
    });
    let key = reader.text(&table::IAP_KEY);
    let (audience, key) = (audience?, key?);
    if audience.is_empty() {
        return Some(None);
    }
    let Ok(key) = KeyId::new(&key) else {
        reader.add_error("iap-key-id: iap-audience wants the id of an API key here, as `flagctl keys list` shows it");
        return None;
    };
    Some(Some(IdentityProxySettings {
        audience,
        issuer: issuer?,
        keys_url: keys_url?,
        key,
    }))
}

/// Whether nobody on the way can exchange what is fetched from a URL.
fn is_trusted_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<actix_web::http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_own = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_own,
        _ => false,
    }
}

#[expect(clippy::option_option, reason = "an error, no limit, or a limit")]
fn read_rate(reader: &mut Reader) -> Option<Option<RateSettings>> {
    let per_second = reader.number(&table::RATE_LIMIT);
    let burst = reader.optional_number(&table::RATE_LIMIT_BURST);
    let callers = reader.parse(&table::RATE_LIMIT_BY, |text| match text {
        "key" => Some(Callers::ByKey),
        "address" => Some(Callers::ByAddress),
        _ => None,
    });
    let (burst, callers) = burst.zip(callers)?;
    Some(NonZeroU32::new(per_second?).map(|per_second| RateSettings {
        per_second,
        burst: burst.and_then(NonZeroU32::new).unwrap_or(per_second),
        callers,
    }))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::Config;
    use super::*;

    fn read(args: &[&str]) -> Result<AccessSettings, String> {
        let args = ["flag-service"].iter().chain(args).map(OsString::from);
        let config = Config::read(args, []);
        config
            .map(|config| config.access)
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_loopback_address_asks_for_nothing() {
        for address in [
            "127.0.0.1:0",
            "127.9.9.9:1",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            let access = read(&["--listen", address]).unwrap();
            assert!(access.keys.is_none() && access.rate.is_none());
        }
    }

    #[test]
    fn an_address_that_others_reach_wants_keys_or_the_word_that_none_are_wanted() {
        let address = "--listen=0.0.0.0:8080";
        let refused = read(&[address]).unwrap_err();
        assert!(
            refused.starts_with("listen (command line): this address can be reached"),
            "{refused}"
        );
        assert_eq!(refused.lines().count(), 1);
        assert!(read(&[address, "--allow-anonymous"]).is_ok());
        assert!(read(&[address, "--allow-anonymous=true"]).is_ok());
        assert!(read(&[address, "--allow-anonymous=false"]).is_err());
        let refused = read(&["--allow-anonymous=yes"]).unwrap_err();
        assert!(
            refused.ends_with("found \"yes\", expected true or false"),
            "{refused}"
        );
    }

    #[test]
    fn keys_and_no_keys_contradict_each_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"keys\": []}").unwrap();
        let keys = format!("--api-keys-file={}", file.path().display());
        assert!(
            read(&[&keys, "--listen=0.0.0.0:8080"])
                .unwrap()
                .keys
                .is_some()
        );
        let refused = read(&[&keys, "--allow-anonymous"]).unwrap_err();
        assert!(refused.contains("no caller is anonymous"), "{refused}");
    }

    #[test]
    fn people_of_a_proxy_have_the_rights_of_a_key_and_its_keys_come_unchanged() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"keys\": []}").unwrap();
        let keys = format!("--api-keys-file={}", file.path().display());
        let (audience, id) = ("--iap-audience=/projects/1/apps/a", "--iap-key-id=3f9a");
        let settings = read(&[&keys, audience, id]).unwrap().identity_proxy;
        assert_eq!(settings.unwrap().issuer, "https://cloud.google.com/iap");
        assert_eq!(read(&[&keys, id]).unwrap().identity_proxy, None);
        for (args, says) in [
            (&[audience, id][..], "there is no api-keys-file"),
            (&[audience, &keys], "iap-key-id: "),
            (&[audience, &keys, "--iap-key-id=a b"], "iap-key-id: "),
        ] {
            let refused = read(args).unwrap_err();
            assert!(refused.contains(says), "{args:?}: {refused}");
        }
        for (url, is_taken) in [
            ("https://keys.example/set", true),
            ("http://127.0.0.1:1/set", true),
            ("http://[::1]:1/set", true),
            ("http://localhost/set", true),
            ("http://keys.example/set", false),
            ("http://localhost.example/set", false),
            ("https://", false),
            ("keys.example", false),
            ("file:///keys", false),
        ] {
            let url_option = format!("--iap-keys-url={url}");
            let found = read(&[&keys, audience, id, &url_option]).is_ok();
            assert_eq!(found, is_taken, "{url}");
        }
    }

    #[test]
    fn a_burst_is_what_a_second_allows_if_nobody_says_more() {
        let rate = |args: &[&str]| read(args).unwrap().rate;
        assert_eq!(rate(&["--rate-limit=0"]), None);
        let limit = rate(&["--rate-limit=50"]).unwrap();
        assert_eq!((limit.per_second.get(), limit.burst.get()), (50, 50));
        assert_eq!(limit.callers, Callers::ByKey);
        let limit = rate(&["--rate-limit=50", "--rate-limit-burst=200"]).unwrap();
        assert_eq!(limit.burst.get(), 200);
        assert!(read(&["--rate-limit=-1"]).is_err());
    }
}
