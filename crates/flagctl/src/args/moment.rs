//! Times as arguments: absolute, or how long ago.

use std::time::Duration;

use flag_model::Timestamp;

/// A time, or how long before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// Reads a time in UTC, or a number with `s`, `m`, `h` or `d`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = Timestamp::parse(text) {
            return Ok(Self::At(at));
        }
        ago(text).map(Self::Ago).ok_or_else(|| {
            "expected a time in UTC such as `2026-11-28 12:00:00`, or how long ago: `30s`, `15m`, `2h` or `7d`".to_owned()
        })
    }

    /// The instant, if it is `now`.
    pub(crate) fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.saturating_sub(ago),
        }
    }
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_a_number_with_a_unit() {
        let at = Timestamp::parse("2026-11-28 12:00:00").unwrap();
        assert_eq!(Moment::parse("2026-11-28 12:00:00"), Ok(Moment::At(at)));
        for (text, seconds) in [("30s", 30), ("15m", 900), ("2h", 7_200), ("7d", 604_800)] {
            let ago = Moment::Ago(Duration::from_secs(seconds));
            assert_eq!(Moment::parse(text), Ok(ago));
        }
        let ago = Moment::parse("2h").unwrap().instant(at);
        assert_eq!(ago, Timestamp::parse("2026-11-28 10:00:00").unwrap());
        for text in [
            "",
            "h",
            "2",
            "-2h",
            "+2h",
            "2w",
            "2 h",
            "2026-11-28",
            "99999999999999999999d",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
