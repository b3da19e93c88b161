//! Times for people: to the second in tables; in full in UTC, in the zone of this machine, and as how long ago.

use flag_model::Timestamp;
use jiff::tz::TimeZone;

/// Seconds in a unit, and its name; the largest first.
const UNITS: [(i64, &str); 5] = [
    (365 * 86_400, "year"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// A time in UTC without its fraction, for tables.
pub(super) fn to_the_second(time: Timestamp) -> String {
    let text = time.text();
    let seconds = text.split_once('.').map_or(&*text, |(seconds, _)| seconds);
    seconds.to_owned()
}

/// A time in UTC and in the zone of this machine, and how long ago it was.
pub(super) fn in_full(time: Timestamp, now: Timestamp) -> String {
    let local = in_zone(time, TimeZone::system());
    let local = local.map(|local| format!(", {local}")).unwrap_or_default();
    format!("{} UTC{local}, {}", to_the_second(time), ago(time, now))
}

/// A time in a zone, unless that is UTC.
fn in_zone(time: Timestamp, zone: TimeZone) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(time.unix_micros()).ok()?;
    let local = time.to_zoned(zone);
    if local.offset().is_zero() {
        return None;
    }
    Some(local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}

/// How long ago a time was, in its largest unit.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.unix_micros().saturating_sub(time.unix_micros()) / 1_000_000;
    let unit = UNITS
        .into_iter()
        .find(|(of_unit, _)| seconds.abs() >= *of_unit);
    let Some((of_unit, unit)) = unit else {
        return "just now".to_owned();
    };
    let number = seconds.abs() / of_unit;
    let plural = if number == 1 { "" } else { "s" };
    if seconds < 0 {
        format!("in {number} {unit}{plural}")
    } else {
        format!("{number} {unit}{plural} ago")
    }
}

/// How long ago a time was, in a word.
pub(super) fn age(time: Timestamp, now: Timestamp) -> String {
    let text = ago(time, now);
    let mut words = text.trim_start_matches("in ").split(' ');
    match (
        words.next(),
        words.next().and_then(|unit| unit.chars().next()),
    ) {
        (Some(number), Some(unit)) if number != "just" => format!("{number}{unit}"),
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[track_caller]
    fn check_ago(then: &str, expected: &str) {
        assert_eq!(
            ago(time(then), time("2026-11-29 12:00:00")),
            expected,
            "{then}"
        );
    }

    #[test]
    fn an_age_is_a_word() {
        let now = time("2026-11-29 12:00:00");
        for (then, expected) in [
            ("2026-11-29 12:00:00", "0s"),
            ("2026-11-29 09:00:00", "3h"),
            ("2024-01-01 00:00:00", "2y"),
        ] {
            assert_eq!(age(time(then), now), expected);
        }
    }

    #[test]
    fn how_long_ago_is_shown_in_the_largest_unit() {
        check_ago("2026-11-29 12:00:00", "just now");
        check_ago("2026-11-29 11:59:59", "1 second ago");
        check_ago("2026-11-29 10:00:01", "1 hour ago");
        check_ago("2026-11-29 09:59:59", "2 hours ago");
        check_ago("2026-11-27 11:00:00", "2 days ago");
        check_ago("2024-11-28 12:00:00", "2 years ago");
        check_ago("2026-11-29 12:03:00", "in 3 minutes");
    }

    #[test]
    fn a_zone_other_than_utc_is_shown_beside_utc() {
        let at = time("2026-07-01 12:00:00.5");
        assert_eq!(in_zone(at, TimeZone::UTC), None);
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(in_zone(at, zone).unwrap(), "2026-07-01 14:00:00 CEST");
        assert_eq!(to_the_second(at), "2026-07-01 12:00:00");
    }
}
