//! Until when a certificate is valid: the one field of it that is read here (RFC 5280, 4.1).

use std::fmt;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry(OffsetDateTime);

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, which may be left out.
const VERSION: u8 = 0xa0;

impl Expiry {
    /// Reads it from a certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate)?;
        let (mut fields, _) = expect(SEQUENCE, certificate)?;
        if fields.first() == Some(&VERSION) {
            (_, _, fields) = element(fields)?;
        }
        // Serial number, algorithm of the signature, issuer.
        for _ in 0..3 {
            (_, _, fields) = element(fields)?;
        }
        let (validity, _) = expect(SEQUENCE, fields)?;
        let (_, _, not_after) = element(validity)?;
        let (kind, text, _) = element(not_after)?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let (year, rest) = match kind {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i32 = year.parse().ok()?;
                (if year < 50 { 2000 } else { 1900 } + year, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        time_of(year, rest).map(Self)
    }

    /// Seconds since 1970.
    pub(super) fn timestamp(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl fmt::Display for Expiry {
    /// As `2030-01-31T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        let (hour, minute, second) = time.as_hms();
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Month, day, hour, minute and second of a year, two digits each.
fn time_of(year: i32, rest: &str) -> Option<OffsetDateTime> {
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let month = Month::try_from(part(0)?).ok()?;
    let date = Date::from_calendar_date(year, month, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    (rest.len() == 10).then(|| PrimitiveDateTime::new(date, time).assume_utc())
}

/// The content of an element of this kind, and what stands behind it.
fn expect(kind: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == kind).then_some((content, rest))
}

/// The kind and the content of the first element, and what stands behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, length], rest) = der.split_first_chunk()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let mut digits = digits.iter().skip_while(|digit| **digit == 0);
        let length = digits.try_fold(0_usize, |length, digit| {
            Some(length.checked_mul(256)? + usize::from(*digit))
        })?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((kind, content, rest))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    const LOCALHOST: &[u8] =
        include_bytes!("../../../../tests/fixtures/google_cloud/localhost.pem");

    #[test]
    fn the_expiry_of_a_certificate_is_read() {
        let certificate = CertificateDer::from_pem_slice(LOCALHOST).unwrap();
        let expiry = Expiry::of(&certificate).unwrap();
        assert_eq!(expiry.to_string(), "2120-01-01T00:00:00Z");
        assert_eq!(expiry.timestamp(), 4_733_510_400);
    }

    #[test]
    fn a_year_of_two_digits_is_one_before_2050() {
        let time = |year, rest| time_of(year, rest).map(|time| Expiry(time).to_string());
        let expected = Some("2030-01-31T23:59:58Z".to_owned());
        assert_eq!(time(2030, "0131235958"), expected);
        assert_eq!(time(2030, "0231235958"), None);
        assert_eq!(time(2030, "01312359"), None);
        let validity = |year: &[u8]| {
            let time = [&[UTC_TIME, 13], year, b"0131235958Z"].concat();
            let validity = [&[SEQUENCE, 30], &*time, &*time].concat();
            let fields = [&[2, 0, SEQUENCE, 0, SEQUENCE, 0], &*validity].concat();
            let fields = [&[SEQUENCE, 38], &*fields].concat();
            Expiry::of(&[&[SEQUENCE, 40], &*fields].concat()).map(|expiry| expiry.to_string())
        };
        assert_eq!(validity(b"30"), expected);
        assert!(validity(b"49").unwrap().starts_with("2049"));
        assert!(validity(b"50").unwrap().starts_with("1950"));
        assert_eq!(validity(b"xx"), None);
    }

    #[test]
    fn a_part_of_a_certificate_has_no_expiry() {
        let certificate = CertificateDer::from_pem_slice(LOCALHOST).unwrap();
        for length in 0..certificate.len() {
            assert_eq!(Expiry::of(&certificate[..length]), None, "{length}");
        }
    }
}
