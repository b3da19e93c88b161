//! Instants, in microseconds, as row keys spell them; and dates.

use std::fmt;

use time::{Month, OffsetDateTime, PrimitiveDateTime, Time};

use crate::invalid::{Invalid, quoted};

/// An instant in UTC, in whole microseconds, from year 1 to 9999.
///
/// Its text is `YYYY-MM-DD HH:MM:SS.ffffff`, of fixed width, so that texts sort as instants do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Where microseconds are counted from.
    pub const UNIX_EPOCH: Self = Self(OffsetDateTime::UNIX_EPOCH);

    /// An instant by microseconds since 1970; `None` outside the years 1 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()?;
        (1..=9999).contains(&at.year()).then_some(Self(at))
    }

    /// Microseconds since 1970.
    pub fn unix_micros(self) -> i64 {
        self.0.unix_timestamp() * 1_000_000 + i64::from(self.0.microsecond())
    }

    /// The instant a microsecond later; `None` at the end of year 9999.
    pub fn next(self) -> Option<Self> {
        Self::from_unix_micros(self.unix_micros() + 1)
    }

    /// Reads `YYYY-MM-DD HH:MM:SS` with up to six digits of a fraction, or none, as Python writes a whole second.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse(text)
            .map(Self)
            .ok_or_else(|| Invalid::new("time", quoted(text), "YYYY-MM-DD HH:MM:SS.ffffff in UTC"))
    }
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) if (1..=6).contains(&fraction.len()) => (seconds, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let [date, clock] = fields::<2>(seconds, ' ')?;
    let date = parse_date(date)?;
    let [hour, minute, second] = fields::<3>(clock, ':')?;
    let micros = digits(&format!("{fraction:0<6}"), 6)?;
    let time = Time::from_hms_micro(
        digits(hour, 2)?,
        digits(minute, 2)?,
        digits(second, 2)?,
        micros,
    )
    .ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}

fn parse_date(text: &str) -> Option<time::Date> {
    let [year, month, day] = fields::<3>(text, '-')?;
    let year = i32::from(digits::<u16>(year, 4)?);
    let month = Month::try_from(digits::<u8>(month, 2)?).ok()?;
    let date = time::Date::from_calendar_date(year, month, digits(day, 2)?).ok()?;
    (year > 0).then_some(date)
}

/// The `N` parts of a text, if it has exactly so many.
fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// A number of exactly `width` ASCII digits.
fn digits<N: std::str::FromStr>(text: &str, width: usize) -> Option<N> {
    let all_digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        )
    }
}

/// A day, without a time zone, from year 1 to 9999; its text is `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(time::Date);

impl Date {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse_date(text)
            .map(Self)
            .ok_or_else(|| Invalid::new("date", quoted(text), "YYYY-MM-DD"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            u8::from(self.0.month()),
            self.0.day()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), canonical);
    }

    #[test]
    fn a_fraction_may_be_short_or_missing() {
        check("2024-09-25 19:15:28.248896", "2024-09-25 19:15:28.248896");
        check("2024-10-01 07:59:59.5", "2024-10-01 07:59:59.500000");
        check("2024-10-01 08:00:00", "2024-10-01 08:00:00.000000");
        check("0001-01-01 00:00:00", "0001-01-01 00:00:00.000000");
        check("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2024-09-25",
            "2024-9-25 19:15:28",
            "2024-02-30 00:00:00",
            "2024-09-25T19:15:28",
            "2024-09-25 24:00:00",
            "2024-09-25 19:15:28.",
            "2024-09-25 19:15:28.1234567",
            "2024-09-25 19:15:28Z",
            "0000-01-01 00:00:00",
            " 2024-09-25 19:15:28",
            "2024-09-25 19:15:60",
            "+024-09-25 19:15:28",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn microseconds_are_counted_from_1970() {
        let at = Timestamp::parse("1970-01-02 00:00:00.000001").unwrap();
        assert_eq!(at.unix_micros(), 86_400_000_001);
        assert_eq!(Timestamp::from_unix_micros(86_400_000_001), Some(at));
        assert_eq!(at.next().unwrap().unix_micros(), 86_400_000_002);
        let before = Timestamp::parse("1969-12-31 23:59:59.999999").unwrap();
        assert_eq!(before.unix_micros(), -1);
    }

    #[test]
    fn the_end_of_time_has_no_next() {
        assert_eq!(
            Timestamp::parse("9999-12-31 23:59:59.999999")
                .unwrap()
                .next(),
            None
        );
        assert_eq!(Timestamp::from_unix_micros(i64::MAX), None);
    }

    #[test]
    fn a_date_is_read_and_written() {
        assert_eq!(Date::parse("2024-02-29").unwrap().to_string(), "2024-02-29");
        for text in ["2023-02-29", "2024-2-9", "", "29.02.2024"] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }
}
