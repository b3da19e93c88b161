//! Addresses, as settings spell them.

use tonic::transport::Uri;

/// Whether a text is `host:port` and nothing else; an IPv6 address stands in brackets.
pub fn is_host_and_port(text: &str) -> bool {
    let Ok(uri) = format!("http://{text}").parse::<Uri>() else {
        return false;
    };
    // Comparing with the whole text leaves no room for a user, a path or a query.
    matches!(
        (uri.host(), uri.port()),
        (Some(host), Some(port)) if !host.is_empty() && format!("{host}:{port}") == text
    )
}

/// Whether a text is `host` or `host:port` and nothing else; an IPv6 address stands in brackets.
pub fn is_host(text: &str) -> bool {
    let Ok(uri) = format!("https://{text}").parse::<Uri>() else {
        return false;
    };
    // Comparing with the whole text leaves no room for a user, a path or a query.
    let host = uri.host().unwrap_or_default();
    !host.is_empty()
        && match uri.port() {
            Some(port) => format!("{host}:{port}") == text,
            None => host == text,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_with_or_without_a_port() {
        for host in ["h", "h:1", "[::1]", "[::1]:443", "a.b:443"] {
            assert!(is_host(host), "{host}");
        }
        for other in [
            "",
            ":1",
            "h:",
            "h/",
            "h?q",
            "u@h",
            "https://h",
            "a b",
            "h:99999",
        ] {
            assert!(!is_host(other), "{other}");
        }
    }
}
