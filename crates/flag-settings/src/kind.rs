//! Which values a setting takes. Said once: `--help`, the settings page, the parser and its errors all read it here.

use std::time::Duration;

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown.
    Secret,
    /// The path of a file or directory.
    Path,
    /// A name that Bigtable takes.
    Name,
    /// Text of this form, which the code that reads it checks.
    Form(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number.
    Number(Range),
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    min: u64,
    max: u64,
    unit: Unit,
    precision: Precision,
    exception: Exception,
}

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    None,
    Kib,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Whole,
    Fraction,
}

/// What is valid outside the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exception {
    None,
    Zero,
    Empty,
}

/// A whole number without a unit.
pub(crate) const fn count(min: u64, max: u64) -> Range {
    whole(Unit::None, min, max)
}

/// A whole number of a unit.
pub(crate) const fn whole(unit: Unit, min: u64, max: u64) -> Range {
    Range {
        min,
        max,
        unit,
        precision: Precision::Whole,
        exception: Exception::None,
    }
}

/// A number of a unit that may have a fraction.
pub(crate) const fn fraction(unit: Unit, min: u64, max: u64) -> Range {
    Range {
        precision: Precision::Fraction,
        ..whole(unit, min, max)
    }
}

impl Range {
    /// The same range, or 0.
    pub(crate) const fn or_zero(self) -> Self {
        Self {
            exception: Exception::Zero,
            ..self
        }
    }

    /// The same range, or no value at all.
    pub(crate) const fn or_empty(self) -> Self {
        Self {
            exception: Exception::Empty,
            ..self
        }
    }

    /// As the text about a setting says it: `in days, 0 to 365`.
    fn about(&self) -> String {
        let unit = self.unit.name();
        let unit = unit.map_or(String::new(), |unit| format!("in {unit}, "));
        let zero = if self.exception == Exception::Zero {
            ", or 0"
        } else {
            ""
        };
        format!("{unit}{} to {}{zero}", self.min, self.max)
    }

    /// As an error says it: `days in range [0, 365]`.
    fn expected(&self) -> String {
        let unit = self.unit.name().unwrap_or("a number");
        let exception = match self.exception {
            Exception::None => "",
            Exception::Zero => ", or 0",
            Exception::Empty => ", or nothing",
        };
        format!("{unit} in range [{}, {}]{exception}", self.min, self.max)
    }

    fn whole(&self, text: &str) -> Option<u64> {
        let is_exception = |number| self.exception == Exception::Zero && number == 0;
        let number = text.parse().ok();
        number.filter(|number| (self.min..=self.max).contains(number) || is_exception(*number))
    }

    #[expect(clippy::cast_precision_loss, reason = "the ends of ranges are small")]
    fn fraction(&self, text: &str) -> Option<f64> {
        let number = text.parse().ok();
        number.filter(|number| (self.min as f64..=self.max as f64).contains(number))
    }
}

impl Unit {
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::Kib => "KiB",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        })
    }

    /// How long one of it is, if it is a unit of time.
    fn length(self) -> Option<Duration> {
        Some(match self {
            Self::None | Self::Kib => return None,
            Self::Milliseconds => Duration::from_millis(1),
            Self::Seconds => Duration::from_secs(1),
            Self::Minutes => Duration::from_mins(1),
            Self::Hours => Duration::from_hours(1),
            Self::Days => Duration::from_hours(24),
        })
    }
}

impl Kind {
    /// Replaces `{range}` or `{choices}` in the text about a setting.
    pub(crate) fn fill_in(&self, about: &str) -> String {
        match self {
            Self::Number(range) => about.replace("{range}", &range.about()),
            Self::Choice(choices) => {
                let quoted: Vec<_> = choices.iter().map(|it| format!("`{it}`")).collect();
                about.replace("{choices}", &list(&quoted))
            }
            Self::Text | Self::Secret | Self::Path | Self::Name | Self::Form(_) => about.to_owned(),
        }
    }

    /// What an error says instead of a value of another kind.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Name => "letters, digits, '.', '_', '-' or ':'".to_owned(),
            Self::Form(form) => (*form).to_owned(),
            Self::Choice(choices) => list(choices),
            Self::Number(range) => range.expected(),
        }
    }

    /// Reads a whole number.
    pub(crate) fn whole(&self, text: &str) -> Option<u64> {
        self.range()?.whole(text)
    }

    /// Reads a number that may have a fraction.
    pub(crate) fn fraction(&self, text: &str) -> Option<f64> {
        self.range()?.fraction(text)
    }

    /// Reads a duration in the unit of this kind.
    pub(crate) fn duration(&self, text: &str) -> Option<Duration> {
        let range = self.range()?;
        let unit = range.unit.length()?;
        match range.precision {
            Precision::Whole => unit.checked_mul(u32::try_from(range.whole(text)?).ok()?),
            Precision::Fraction => Some(unit.mul_f64(range.fraction(text)?)),
        }
    }

    fn range(&self) -> Option<&Range> {
        match self {
            Self::Number(range) => Some(range),
            _ => None,
        }
    }

    /// Whether a setting of this kind may have no value.
    pub(crate) fn may_be_empty(&self) -> bool {
        self.range()
            .is_some_and(|range| range.exception == Exception::Empty)
    }
}

/// `a`, `a or b`, `a, b or c`.
fn list(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: Range, about: &str, expected: &str) {
        let kind = Kind::Number(range);
        assert_eq!(
            kind.fill_in("Some, {range}; all"),
            format!("Some, {about}; all")
        );
        assert_eq!(kind.expected(), expected);
    }

    #[test]
    fn a_range_reads_alike_in_help_and_errors() {
        let hours = whole(Unit::Hours, 1, 9);
        check(count(1, 512), "1 to 512", "a number in range [1, 512]");
        check(hours, "in hours, 1 to 9", "hours in range [1, 9]");
        check(
            hours.or_zero(),
            "in hours, 1 to 9, or 0",
            "hours in range [1, 9], or 0",
        );
        check(
            count(1, 2).or_empty(),
            "1 to 2",
            "a number in range [1, 2], or nothing",
        );
    }

    #[test]
    fn choices_are_quoted_in_help() {
        let kind = Kind::Choice(&["a", "b", "c"]);
        assert_eq!(kind.fill_in("{choices}"), "`a`, `b` or `c`");
        assert_eq!(kind.expected(), "a, b or c");
    }

    #[track_caller]
    fn check_duration(range: Range, text: &str, expected: Option<Duration>) {
        assert_eq!(Kind::Number(range).duration(text), expected, "{text}");
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let hours = whole(Unit::Hours, 1, 9);
        check_duration(hours, "0", None);
        check_duration(hours, "1", Some(Duration::from_hours(1)));
        check_duration(hours, "9", Some(Duration::from_hours(9)));
        check_duration(hours, "10", None);
        check_duration(hours, "1.5", None);
        check_duration(hours.or_zero(), "0", Some(Duration::ZERO));
        let days = fraction(Unit::Days, 0, 365);
        check_duration(days, "0.5", Some(Duration::from_hours(12)));
        check_duration(days, "365", Some(Duration::from_hours(24 * 365)));
        check_duration(days, "365.1", None);
        check_duration(days, "NaN", None);
        check_duration(count(1, 2), "1", None);
    }
}
