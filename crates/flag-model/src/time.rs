//! Instants in microseconds, as in row keys, and dates.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use time::{Month, OffsetDateTime, PrimitiveDateTime, Time};

use crate::invalid::{Invalid, quoted};

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// An instant in UTC, in whole microseconds, from year 1 to 9999.
///
/// Its text is `YYYY-MM-DD HH:MM:SS.ffffff`, of fixed width, so that texts sort like instants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text of a [`Timestamp`].
#[derive(Clone, Copy, Debug)]
pub struct TimestampText([u8; 26]);

impl Timestamp {
    /// 1970-01-01 00:00:00.
    pub const UNIX_EPOCH: Self = Self(0);

    const FIRST: Self = Self(-62_135_596_800_000_000);
    const LAST: Self = Self(253_402_300_799_999_999);

    /// The instant this many microseconds after 1970; `None` outside the years 1 to 9999.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let at = Self(micros);
        (Self::FIRST..=Self::LAST).contains(&at).then_some(at)
    }

    /// Microseconds since 1970.
    pub fn unix_micros(self) -> i64 {
        self.0
    }

    /// The instant a microsecond later; `None` at the end of year 9999.
    pub fn next(self) -> Option<Self> {
        Self::from_unix_micros(self.0 + 1)
    }

    /// The instant this much later, at most the end of year 9999.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::LAST.0))
    }

    /// The instant this much earlier, at least the beginning of year 1.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::FIRST.0))
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Its text; allocates nothing.
    pub fn text(self) -> TimestampText {
        let seconds = self.0.div_euclid(MICROS);
        let micros = u32::try_from(self.0.rem_euclid(MICROS)).unwrap_or_default();
        // The crate `time` has every instant from year 1 to 9999.
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let year = u32::try_from(year).unwrap_or_default();
        let [y0, y1] = two_digits(year / 100);
        let [y2, y3] = two_digits(year % 100);
        let [m0, m1] = two_digits(u8::from(month));
        let [d0, d1] = two_digits(day);
        let [h0, h1] = two_digits(hour);
        let [i0, i1] = two_digits(minute);
        let [s0, s1] = two_digits(second);
        let [f0, f1] = two_digits(micros / 10_000);
        let [f2, f3] = two_digits(micros / 100 % 100);
        let [f4, f5] = two_digits(micros % 100);
        TimestampText([
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b' ', h0, h1, b':', i0, i1, b':', s0, s1,
            b'.', f0, f1, f2, f3, f4, f5,
        ])
    }

    /// Reads `YYYY-MM-DD HH:MM:SS` with up to six digits of a fraction, or none, as Python writes a whole second; with a
    /// space or a `T` between date and clock, and `Z`, `+00:00` or nothing at the end, as Python writes UTC.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse(text)
            .ok_or_else(|| Invalid::new("time", quoted(text), "YYYY-MM-DD HH:MM:SS.ffffff in UTC"))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let zone = ["Z", "+00:00"];
    let text = zone
        .iter()
        .find_map(|zone| text.strip_suffix(zone))
        .unwrap_or(text);
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) if (1..=6).contains(&fraction.len()) => (seconds, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let (date, clock) = seconds.split_once([' ', 'T'])?;
    let date = parse_date(date)?;
    let [hour, minute, second] = fields::<3>(clock, ':')?;
    let time = Time::from_hms(digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?).ok()?;
    let micros: i64 = digits(&format!("{fraction:0<6}"), 6)?;
    let seconds = PrimitiveDateTime::new(date, time)
        .assume_utc()
        .unix_timestamp();
    Timestamp::from_unix_micros(seconds * MICROS + micros)
}

fn parse_date(text: &str) -> Option<time::Date> {
    let [year, month, day] = fields::<3>(text, '-')?;
    let year = i32::from(digits::<u16>(year, 4)?);
    let month = Month::try_from(digits::<u8>(month, 2)?).ok()?;
    let date = time::Date::from_calendar_date(year, month, digits(day, 2)?).ok()?;
    (year > 0).then_some(date)
}

/// The parts of a text, if there are exactly `N`.
fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// A number of exactly `width` ASCII digits.
fn digits<N: std::str::FromStr>(text: &str, width: usize) -> Option<N> {
    let all_digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

impl Deref for TimestampText {
    type Target = str;

    fn deref(&self) -> &str {
        // Digits and separators are UTF-8.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl AsRef<[u8]> for TimestampText {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The digits of a number below 100.
fn two_digits(number: impl TryInto<u8>) -> [u8; 2] {
    let number = number.try_into().unwrap_or_default();
    [b'0' + number / 10, b'0' + number % 10]
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_that_of_the_calendar(
            micros in Timestamp::FIRST.0..=Timestamp::LAST.0,
        ) {
            let at = Timestamp::from_unix_micros(micros).unwrap();
            let nanos = i128::from(micros) * 1_000;
            let calendar = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            let text = format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
                calendar.year(),
                u8::from(calendar.month()),
                calendar.day(),
                calendar.hour(),
                calendar.minute(),
                calendar.second(),
                calendar.microsecond()
            );
            prop_assert_eq!(at.to_string(), &*text);
            prop_assert_eq!(Timestamp::parse(&text), Ok(at));
        }
    }

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
    fn every_spelling_of_utc_is_read() {
        let whole = "2024-09-25 19:15:28.000000";
        check("2024-09-25T19:15:28", whole);
        check("2024-09-25T19:15:28Z", whole);
        check("2024-09-25 19:15:28Z", whole);
        check("2024-09-25T19:15:28+00:00", whole);
        check(
            "2024-09-25 19:15:28.248896+00:00",
            "2024-09-25 19:15:28.248896",
        );
        check("2024-09-25T19:15:28.5Z", "2024-09-25 19:15:28.500000");
    }

    #[test]
    fn time_goes_on_until_it_ends() {
        let at = |text| Timestamp::parse(text).unwrap();
        let day = Duration::from_hours(24);
        assert_eq!(
            at("2024-02-28 12:00:00").saturating_add(day),
            at("2024-02-29 12:00:00")
        );
        let last = Timestamp::LAST;
        assert_eq!(at("9999-12-31 12:00:00").saturating_add(day), last);
        assert_eq!(Timestamp::FIRST.saturating_add(Duration::MAX), last);
        assert_eq!(
            at("2024-02-29 12:00:00").saturating_sub(day),
            at("2024-02-28 12:00:00")
        );
        assert_eq!(last.saturating_sub(Duration::MAX), Timestamp::FIRST);
    }

    #[test]
    fn the_time_since_a_later_instant_is_zero() {
        let at = |text| Timestamp::parse(text).unwrap();
        let (earlier, later) = (at("2024-02-28 12:00:00"), at("2024-02-28 12:00:01.5"));
        assert_eq!(later.since(earlier), Duration::from_millis(1_500));
        assert_eq!(earlier.since(later), Duration::ZERO);
        let all = Timestamp::LAST.since(Timestamp::FIRST);
        assert_eq!(Timestamp::FIRST.saturating_add(all), Timestamp::LAST);
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2024-09-25",
            "2024-9-25 19:15:28",
            "2024-02-30 00:00:00",
            "2024-09-25t19:15:28",
            "2024-09-25  19:15:28",
            "2024-09-25T19:15:28+01:00",
            "2024-09-25T19:15:28-00:00",
            "2024-09-25T19:15:28ZZ",
            "2024-09-25T19:15:28Z+00:00",
            "2024-09-25 24:00:00",
            "2024-09-25 19:15:28.",
            "2024-09-25 19:15:28.1234567",
            "2024-09-25 19:15:28.Z",
            "0000-01-01 00:00:00",
            " 2024-09-25 19:15:28",
            "2024-09-25 19:15:60",
            "+024-09-25 19:15:28",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_text_of_an_instant_is_written_as_bytes_and_for_debugging() {
        let at = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        assert_eq!(at.text().as_ref(), b"2024-09-25 19:15:28.248896");
        assert_eq!(format!("{at:?}"), "Timestamp(2024-09-25 19:15:28.248896)");
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
    fn time_begins_and_ends() {
        let first = Timestamp::parse("0001-01-01 00:00:00.000000");
        assert_eq!(first, Ok(Timestamp::FIRST));
        assert_eq!(Timestamp::from_unix_micros(Timestamp::FIRST.0 - 1), None);
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
        for text in ["2024-02-29", "0999-01-05", "0001-12-31"] {
            assert_eq!(Date::parse(text).unwrap().to_string(), text);
        }
        for text in ["2023-02-29", "2024-2-9", "", "29.02.2024", "0000-02-29"] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }
}
