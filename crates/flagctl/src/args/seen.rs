//! Arguments about the instances seen that a change moves.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Moment;

/// Which instances are compared before a change.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Instances seen")]
pub(crate) struct SeenArgs {
    /// Show how many of the instances in the exposure log would move: those seen in this time, such as `7d`; `off` reads no log
    /// [default: 7d, if the log can be read within 3 s, or 0.1 s with `--yes`]
    #[arg(long, value_name = "TIME", value_parser = Lookback::parse)]
    pub(crate) seen: Option<Lookback>,
    /// Write the instances that would move to this file, a JSON object on each line
    #[arg(long, value_name = "FILE")]
    pub(crate) list_ids: Option<PathBuf>,
    /// Refuse, with code 4, if more instances of a flag may move: a number, or a percentage of those seen, such as `5%`; those of
    /// which only a hash is logged count
    #[arg(long, value_name = "N|P%", value_parser = AtMost::parse)]
    pub(crate) at_most: Option<AtMost>,
}

/// How far back instances are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookback {
    /// Not at all.
    Off,
    /// This long.
    Within(Duration),
}

/// The most instances that may move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AtMost {
    /// A number of instances.
    Instances(u64),
    /// A percentage of the instances seen.
    Percent(f64),
}

impl Lookback {
    /// If nothing is said.
    pub(crate) const DEFAULT: Duration = Duration::from_hours(7 * 24);

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        match Moment::parse(text) {
            Ok(Moment::Ago(ago)) if !ago.is_zero() => Ok(Self::Within(ago)),
            _ => Err("expected how long ago, such as `7d` or `2h`, or `off`".to_owned()),
        }
    }
}

impl AtMost {
    /// Whether fewer move, or just as many.
    pub(crate) fn allows(self, moved: u64, seen: u64) -> bool {
        match self {
            Self::Instances(max) => moved <= max,
            #[expect(
                clippy::cast_precision_loss,
                reason = "numbers of instances are far below 2^52"
            )]
            Self::Percent(percent) => moved as f64 * 100.0 <= percent * seen as f64,
        }
    }

    /// Whether all may move.
    pub(crate) fn allows_all(self) -> bool {
        matches!(self, Self::Percent(percent) if percent >= 100.0)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').map(str::trim_end);
        let parsed = match percent {
            Some(percent) => percent.parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Instances),
        };
        let is_valid = |max: &Self| match max {
            Self::Instances(_) => true,
            Self::Percent(percent) => (0.0..=100.0).contains(percent),
        };
        parsed.filter(is_valid).ok_or_else(|| {
            "expected a number of instances, or a percentage such as `5%`".to_owned()
        })
    }
}

impl std::fmt::Display for AtMost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instances(max) => write!(f, "{max}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_percentage() {
        assert_eq!(AtMost::parse("0"), Ok(AtMost::Instances(0)));
        assert_eq!(AtMost::parse("12.5%"), Ok(AtMost::Percent(12.5)));
        assert_eq!(AtMost::parse("5 %"), Ok(AtMost::Percent(5.0)));
        for text in ["", "%", "-1", "1.5", "101%", "-1%", "NaN%", "many"] {
            assert!(AtMost::parse(text).is_err(), "{text}");
        }
        assert!(AtMost::Instances(3).allows(3, 3) && !AtMost::Instances(3).allows(4, 100));
        assert!(AtMost::Percent(5.0).allows(5, 100) && !AtMost::Percent(5.0).allows(6, 100));
        assert!(AtMost::Percent(0.0).allows(0, 0) && !AtMost::Percent(0.0).allows(1, 100));
    }

    #[test]
    fn instances_are_looked_for_in_a_length_of_time() {
        assert_eq!(Lookback::parse("off"), Ok(Lookback::Off));
        assert_eq!(
            Lookback::parse("7d"),
            Ok(Lookback::Within(Lookback::DEFAULT))
        );
        for text in ["", "now", "2026-11-28", "on", "yesterday"] {
            assert!(Lookback::parse(text).is_err(), "{text}");
        }
    }
}
