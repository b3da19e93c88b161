//! Times as arguments: absolute, a day, or how long ago.

use std::fmt;
use std::time::Duration;

use flag_model::{Date, Timestamp};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Unit};

/// What a time may look like, for messages.
const EXPECTED: &str = "expected a time such as `2026-11-28 12:00:00` in UTC or `2026-11-28T13:00:00+01:00`, a day such as \
     `2026-11-28` or `yesterday`, or how long ago: `30s`, `2h` or `7 days ago`";

/// A time, or how long before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
    /// The beginning of today, or of a number of days before, in the zone of this machine.
    DaysBack(u8),
}

impl Moment {
    /// Reads a time; without an offset it is in UTC.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let days_back = match text {
            "today" => Some(0),
            "yesterday" => Some(1),
            _ => None,
        };
        days_back
            .map(Self::DaysBack)
            .or_else(|| absolute(text).map(Self::At))
            .or_else(|| ago(text).map(Self::Ago))
            .ok_or_else(|| EXPECTED.to_owned())
    }

    /// The instant, if it is `now`.
    pub(crate) fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.saturating_sub(ago),
            Self::DaysBack(days) => start_of_day(now, days, TimeZone::system()).unwrap_or(now),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Ago(ago) => write!(f, "{} s ago", ago.as_secs()),
            Self::DaysBack(0) => f.write_str("today"),
            Self::DaysBack(_) => f.write_str("yesterday"),
        }
    }
}

/// Reads a length of time.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as `5s` or `1m`".to_owned();
    ago(text)
        .filter(|_| !text.ends_with("ago"))
        .ok_or_else(expected)
}

/// A time in UTC or with an offset, to the second, the minute or the day.
fn absolute(text: &str) -> Option<Timestamp> {
    if let Ok(at) = Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}:00"))) {
        return Some(at);
    }
    if Date::parse(text).is_ok() {
        return Timestamp::parse(&format!("{text} 00:00:00")).ok();
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    Timestamp::from_unix_micros(at.as_microsecond())
}

/// A length of time before now, with or without `ago`.
fn ago(text: &str) -> Option<Duration> {
    if text == "now" {
        return Some(Duration::ZERO);
    }
    let length = text.strip_suffix("ago").unwrap_or(text).trim_end();
    let is_written_out = length.starts_with(|first: char| first.is_ascii_digit());
    let span: Span = length.parse().ok().filter(|_| is_written_out)?;
    let seconds = span
        .total((Unit::Second, SpanRelativeTo::days_are_24_hours()))
        .ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn start_of_day(now: Timestamp, days: u8, zone: TimeZone) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_microsecond(now.unix_micros()).ok()?;
    let day = now
        .to_zoned(zone)
        .checked_sub(Span::new().days(i64::from(days)));
    let start = day.ok()?.start_of_day().ok()?;
    Timestamp::from_unix_micros(start.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_time_without_an_offset_is_in_utc() {
        for (text, expected) in [
            ("2026-11-28 12:00:00", "2026-11-28 12:00:00"),
            ("2026-11-28 12:00", "2026-11-28 12:00:00"),
            ("2026-11-28", "2026-11-28 00:00:00"),
            ("2026-11-28T12:00:00Z", "2026-11-28 12:00:00"),
            ("2026-11-28T12:00:00.25+01:00", "2026-11-28 11:00:00.25"),
            ("2026-11-28 12:00:00-05:30", "2026-11-28 17:30:00"),
        ] {
            assert_eq!(
                Moment::parse(text),
                Ok(Moment::At(time(expected))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_length_of_time_is_how_long_ago() {
        for (text, seconds) in [
            ("now", 0),
            ("30s", 30),
            ("15m", 900),
            ("2h", 7_200),
            ("2h ago", 7_200),
            ("2 hours ago", 7_200),
            ("1h 30m", 5_400),
            ("7d", 604_800),
            ("2w", 1_209_600),
        ] {
            let ago = Moment::Ago(Duration::from_secs(seconds));
            assert_eq!(Moment::parse(text), Ok(ago), "{text}");
        }
        let ago = Moment::parse("2h")
            .unwrap()
            .instant(time("2026-11-28 12:00:00"));
        assert_eq!(ago, time("2026-11-28 10:00:00"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "h",
            "2",
            "-2h",
            "+2h",
            "ago",
            "tomorrow",
            "P1D",
            "2026-13-28",
            "99999999999999999999d",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn yesterday_begins_at_midnight_of_the_zone() {
        let now = time("2026-11-28 02:00:00");
        let zone = || TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(
            start_of_day(now, 0, zone()),
            Some(time("2026-11-27 05:00:00"))
        );
        assert_eq!(
            start_of_day(now, 1, zone()),
            Some(time("2026-11-26 05:00:00"))
        );
    }
}
