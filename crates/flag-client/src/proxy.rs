//! The proxy between a client and the service, from environment variables.
//!
//! `reqwest` reads the same variables, but uses a proxy for the local machine too, ignores a proxy that it cannot use, and
//! does not say which proxy failed.

use std::net::IpAddr;

use flag_api::API_KEY;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use crate::build_error::{BuildError, without_password};

const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPT_FOR: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Set by servers for CGI programs, whose `HTTP_PROXY` is a header of the request.
const CGI: &str = "REQUEST_METHOD";

/// A proxy that speaks HTTP, with or without TLS.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// With user and password, if it needs them.
    pub(crate) url: Url,
}

impl Proxy {
    /// The proxy for this service, if there is one.
    pub(crate) fn of(
        service: &Url,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, BuildError> {
        if is_loopback(service) || variable(CGI).is_some() {
            return Ok(None);
        }
        let first = |names: &[&'static str]| {
            let mut set = names.iter().map(|name| (*name, variable(name)));
            set.find_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        };
        let is_https = service.scheme() == "https";
        let Some((name, found)) = first(if is_https { &FOR_HTTPS } else { &FOR_HTTP }) else {
            return Ok(None);
        };
        let except_for = first(&EXCEPT_FOR).map(|(_, hosts)| hosts);
        if is_excepted(service, &except_for.unwrap_or_default()) {
            return Ok(None);
        }
        match parse(&found) {
            Some(url) => Ok(Some(Self { url })),
            None => Err(BuildError::Proxy {
                variable: name,
                found: without_password(&found),
                host: host_of(service),
            }),
        }
    }

    /// Its name for messages, without user and password.
    pub(crate) fn name(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Refuses to send a key in clear text through this proxy.
    pub(crate) fn check(&self, service: &Url, headers: &HeaderMap) -> Result<(), BuildError> {
        let has_key = headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY);
        if has_key && service.scheme() != "https" {
            return Err(BuildError::ExposedKey {
                proxy: self.name(),
                host: host_of(service),
            });
        }
        Ok(())
    }
}

fn parse(found: &str) -> Option<Url> {
    let url = if found.contains("://") {
        Url::parse(found)
    } else {
        Url::parse(&format!("http://{found}"))
    };
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}

fn is_excepted(service: &Url, except_for: &str) -> bool {
    let matcher = Matcher::builder().all("http://proxy").no(except_for);
    match service.as_str().parse() {
        Ok(service) => matcher.build().intercept(&service).is_none(),
        Err(_) => false,
    }
}

/// Whether the service is on this machine, which a proxy may not be able to reach.
fn is_loopback(service: &Url) -> bool {
    let host = host_of(service);
    let host = host.trim_end_matches('.');
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn host_of(service: &Url) -> String {
    service.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match Proxy::of(&Url::parse(service).unwrap(), variable) {
            Ok(proxy) => Ok(proxy.map(|proxy| proxy.url.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }

    #[track_caller]
    fn check(service: &str, variables: &[(&str, &str)], expected: Option<&str>) {
        assert_eq!(of(service, variables), Ok(expected.map(str::to_owned)));
    }

    const FLAGS: &str = "http://flags.example:8080/";

    #[test]
    fn loopback_goes_direct() {
        for host in [
            "127.0.0.1",
            "127.1.2.3:8080",
            "localhost",
            "LOCALHOST.",
            "flags.localhost",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ] {
            for proxy in ["http://p:1", "socks5://p:1"] {
                for scheme in ["http", "https"] {
                    check(
                        &format!("{scheme}://{host}"),
                        &[("ALL_PROXY", proxy), ("HTTP_PROXY", proxy)],
                        None,
                    );
                }
            }
        }
        check(
            "http://10.0.0.1",
            &[("HTTP_PROXY", "http://p:1")],
            Some("http://p:1/"),
        );
    }

    #[test]
    fn a_proxy_is_for_the_scheme_of_the_service() {
        let all = [
            ("HTTP_PROXY", "http://h:1"),
            ("HTTPS_PROXY", "https://s:1"),
            ("all_proxy", "a:1"),
        ];
        check(FLAGS, &all, Some("http://h:1/"));
        check("https://flags.example", &all, Some("https://s:1/"));
        check(FLAGS, &all[1..], Some("http://a:1/"));
        check(FLAGS, &all[1..2], None);
        check(
            FLAGS,
            &[("HTTP_PROXY", ""), ("http_proxy", "l:1")],
            Some("http://l:1/"),
        );
        check(FLAGS, &[], None);
    }

    #[test]
    fn a_service_in_no_proxy_goes_direct() {
        for (list, service) in [
            ("flags.example", FLAGS),
            ("a, .example", FLAGS),
            ("*", FLAGS),
            ("10.0.0.0/8", "http://10.1.2.3"),
        ] {
            check(
                service,
                &[("HTTP_PROXY", "socks5://p:1"), ("NO_PROXY", list)],
                None,
            );
        }
        let other = [("HTTP_PROXY", "http://p:1"), ("no_proxy", "other.example")];
        check(FLAGS, &other, Some("http://p:1/"));
    }

    #[test]
    fn a_program_of_cgi_has_no_proxy() {
        check(
            FLAGS,
            &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
            None,
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error() {
        for (proxy, shown) in [
            ("socks5://p:1", "socks5://p:1"),
            ("ftp://ann:secret@p:1", "ftp://…@p:1"),
            ("::::", "::::"),
            ("http://", "http://"),
        ] {
            let expected = format!(
                "ALL_PROXY={shown:?} is not a proxy that can be used: expected http:// or https:// and a host. \
                 To go without it, list \"flags.example\" in NO_PROXY"
            );
            assert_eq!(of(FLAGS, &[("ALL_PROXY", proxy)]), Err(expected));
        }
    }
}
