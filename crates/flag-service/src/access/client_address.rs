//! The address of a client behind proxies, as `X-Forwarded-For` names it.
//!
//! Each proxy appends the address that connects to it, so the header can be trusted from the right, up to the first
//! address that is no proxy of ours. What stands left of that is what the client claims.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;

/// Address ranges of trusted proxies. Without any, the header is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<Range>);

/// An address range, as CIDR writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// The bits of the first address, from the left; those of IPv4 as well.
    first: u128,
    mask: u128,
    is_ipv4: bool,
}

impl TrustedProxies {
    /// Reads ranges such as `10.129.0.0/23` or single addresses, separated by commas.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let ranges = text.split(',').map(|range| Range::parse(range.trim()));
        ranges.collect::<Option<_>>().map(Self)
    }

    /// Returns the address of the client of a request: the right-most one that is no trusted proxy.
    pub(crate) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if !self.contains(peer) {
            return Some(peer);
        }
        let headers = request.headers().get_all(X_FORWARDED_FOR).rev();
        let entries = headers.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        Some(self.behind(peer, entries))
    }

    /// Follows these entries, the right-most one first, while a trusted proxy vouches for them.
    fn behind<'v>(&self, peer: IpAddr, entries: impl Iterator<Item = &'v [u8]>) -> IpAddr {
        let mut client = peer;
        // Empty entries of a list mean nothing.
        for entry in entries
            .map(<[u8]>::trim_ascii)
            .filter(|entry| !entry.is_empty())
        {
            match address(entry) {
                Some(address) if self.contains(address) => client = address,
                Some(address) => return address,
                // What nobody can read is not believed, nor what stands left of it.
                None => return client,
            }
        }
        client
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }
}

impl Range {
    /// Reads a range; bits behind its prefix must be zero, as others are most often a mistake.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let width = width(written);
        let prefix = prefix.unwrap_or(width);
        let address = written.to_canonical();
        // A mapped IPv4 range counts the 96 bits before it.
        let prefix = prefix.checked_sub(width - self::width(address))?;
        if prefix == 0 || prefix > self::width(address) {
            return None;
        }
        let mask = u128::MAX << (128 - prefix);
        let first = bits(address);
        (first & !mask == 0).then_some(Self {
            first,
            mask,
            is_ipv4: address.is_ipv4(),
        })
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4 && bits(address) & self.mask == self.first
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() {
        Ipv4Addr::BITS
    } else {
        128
    }
}

/// The bits of an address, from the left.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Reads an address, which some proxies write with a port or in brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|entry| entry.ip());
    let address: Option<IpAddr> = entry.parse().ok();
    let address = address.or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const PROXIES: &str = "10.129.0.0/23, 192.0.2.1, 2001:db8:1::/48";

    /// The client of a request from `peer` with these headers.
    fn client(proxies: &str, peer: &str, headers: &[&str]) -> String {
        let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
        for header in headers {
            request = request.append_header(("x-forwarded-for", *header));
        }
        let proxies = TrustedProxies::parse(proxies).unwrap();
        let client = proxies.client(&request.to_http_request());
        client.unwrap().to_string()
    }

    #[track_caller]
    fn check(peer: &str, headers: &[&str], expected: &str) {
        assert_eq!(client(PROXIES, peer, headers), expected);
    }

    #[test]
    fn the_header_of_a_stranger_is_ignored() {
        check("203.0.113.9:1", &["198.51.100.1"], "203.0.113.9");
        check("10.129.2.0:1", &["198.51.100.1"], "10.129.2.0");
        let peer = "10.129.0.7:1";
        assert_eq!(client("", peer, &["198.51.100.1"]), "10.129.0.7");
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_proxy() {
        let peer = "10.129.1.255:1";
        check(peer, &["198.51.100.1"], "198.51.100.1");
        check(peer, &["6.6.6.6, 198.51.100.1,192.0.2.1"], "198.51.100.1");
        check(
            peer,
            &["10.129.0.1, 6.6.6.6 , 198.51.100.1"],
            "198.51.100.1",
        );
        check(peer, &["2001:db8:2::5,2001:db8:1::7"], "2001:db8:2::5");
    }

    #[test]
    fn many_headers_are_one_list() {
        let peer = "10.129.0.7:1";
        check(
            peer,
            &["6.6.6.6", "198.51.100.1", "192.0.2.1"],
            "198.51.100.1",
        );
        check(peer, &["198.51.100.1", "", "192.0.2.1, ,"], "198.51.100.1");
    }

    #[test]
    fn without_an_address_of_a_client_the_proxy_is_the_client() {
        let peer = "10.129.0.7:1";
        check(peer, &[], "10.129.0.7");
        check(peer, &["", " , "], "10.129.0.7");
        check(peer, &["192.0.2.1"], "192.0.2.1");
        check(peer, &["10.129.0.9, 192.0.2.1"], "10.129.0.9");
    }

    #[test]
    fn nothing_is_believed_that_stands_left_of_an_invalid_entry() {
        let peer = "10.129.0.7:1";
        for entry in [
            "unknown",
            "_hidden",
            "300.1.1.1",
            "1.2.3.4:x",
            "[::1",
            "\u{e9}",
        ] {
            check(peer, &[&format!("6.6.6.6, {entry}")], "10.129.0.7");
            let before = format!("6.6.6.6, {entry}, 192.0.2.1");
            check(peer, &[&before], "192.0.2.1");
            let behind = format!("{entry}, 198.51.100.1");
            check(peer, &[&behind], "198.51.100.1");
        }
    }

    #[test]
    fn an_address_may_have_a_port_brackets_or_be_mapped() {
        let peer = "[::ffff:10.129.0.7]:1";
        for (written, expected) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8:2::5]:443", "2001:db8:2::5"),
            ("[2001:db8:2::5]", "2001:db8:2::5"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            check(peer, &[written], expected);
            check(peer, &[&format!("{written}, ::ffff:192.0.2.1")], expected);
        }
    }

    #[test]
    fn an_invalid_range_is_an_error() {
        for range in [
            "10.129.0.1/23",
            "10.129.0.0/33",
            "0.0.0.0/0",
            "::/0",
            "::ffff:0.0.0.0/96",
            "10.129.0.0/",
            "10.129/16",
            "proxy",
            "10.129.0.0/23,",
            "10.129.0.0/23 10.0.0.0/8",
        ] {
            assert_eq!(TrustedProxies::parse(range), None, "{range}");
        }
    }

    #[test]
    fn a_mapped_range_is_one_of_ipv4() {
        let mapped = TrustedProxies::parse("::ffff:10.129.0.0/119");
        assert_eq!(mapped, TrustedProxies::parse("10.129.0.0/23"));
        let one = TrustedProxies::parse("::ffff:10.129.0.1");
        assert_eq!(one, TrustedProxies::parse("10.129.0.1/32"));
    }
}
