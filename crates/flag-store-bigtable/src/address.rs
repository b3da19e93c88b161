//! Addresses, as settings spell them.

use std::net::Ipv6Addr;

use rustls::pki_types::ServerName;

/// Whether a text is `host:port` and nothing else; an IPv6 address stands in brackets.
pub fn is_host_and_port(text: &str) -> bool {
    matches!(split(text), Some((_, Some(_))))
}

/// Whether a text is `host` or `host:port` and nothing else; an IPv6 address stands in brackets.
pub fn is_host(text: &str) -> bool {
    split(text).is_some()
}

/// An IPv6 address, with or without a port, in the brackets that it lacks.
pub fn in_brackets(text: &str) -> Option<String> {
    let is_ipv6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    if is_ipv6(text) {
        return Some(format!("[{text}]"));
    }
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = format!("[{host}]:{port}");
    (is_ipv6(host) && is_host(&bracketed)).then_some(bracketed)
}

/// The host and the port of an address; `None` if the text is anything else.
pub(crate) fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port_number(port)?)),
        _ => (text, None),
    };
    let is_valid = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.contains(':') && ServerName::try_from(host).is_ok(),
    };
    is_valid.then_some((host, port))
}

fn port_number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_with_or_without_a_port() {
        for host in [
            "h",
            "h:1",
            "[::1]",
            "[::1]:443",
            "a.b:443",
            "A.b.:443",
            "a_b:1",
            "10.0.0.1",
        ] {
            assert!(is_host(host), "{host}");
        }
        for other in [
            "",
            ":1",
            "h:",
            "h:+1",
            "h/",
            "h?q",
            "u@h",
            "https://h",
            "a b",
            "h:99999",
            "a..b",
            "a..b:443",
            ".a",
            "-a",
            "a-.b",
            "1.2.3",
            "::1",
            "::1:443",
            "[::1",
            "[h]",
            "[]:1",
        ] {
            assert!(!is_host(other), "{other}");
        }
    }

    #[test]
    fn an_ipv6_address_gets_its_brackets() {
        for (text, expected) in [
            ("::1", Some("[::1]")),
            (
                "2001:db8:0:0:0:0:0:1:443",
                Some("[2001:db8:0:0:0:0:0:1]:443"),
            ),
            ("[::1]:443", None),
            ("h:443", None),
            ("2001:db8:0:0:0:0:0:1:x", None),
        ] {
            assert_eq!(in_brackets(text).as_deref(), expected, "{text}");
        }
    }
}
