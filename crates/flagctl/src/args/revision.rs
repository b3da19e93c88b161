//! Revisions as arguments: by number, by their distance from the newest, or by a time at which they were in force.

use std::fmt;
use std::time::Duration;

use flag_model::Timestamp;

use super::moment::Moment;

/// The last microsecond of a second.
pub(crate) const REST_OF_SECOND: Duration = Duration::from_micros(999_999);

/// A revision of a flag, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RevisionName {
    typed: String,
    pub(crate) kind: NameKind,
}

/// How a revision is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// `r7`: the seventh of the flag, counted from the oldest.
    Number(usize),
    /// `~1`: that many before the newest.
    Back(usize),
    /// The one that was in force at a time. A time without a fraction, as tables show it, means its whole second.
    InForce { at: Moment, is_whole_second: bool },
}

impl RevisionName {
    /// The revision that is this many before the newest.
    pub(crate) fn back(back: usize) -> Self {
        Self {
            typed: format!("~{back}"),
            kind: NameKind::Back(back),
        }
    }

    /// The time, if it is named by one.
    pub(crate) fn time(&self, now: Timestamp) -> Option<Timestamp> {
        match self.kind {
            NameKind::InForce { at, .. } => Some(at.instant(now)),
            NameKind::Number(_) | NameKind::Back(_) => None,
        }
    }

    /// The last instant that a time means; none if it is named by a number.
    pub(crate) fn last_instant(&self, now: Timestamp) -> Option<Timestamp> {
        let NameKind::InForce {
            at,
            is_whole_second,
        } = self.kind
        else {
            return None;
        };
        let at = at.instant(now);
        Some(if is_whole_second {
            at.saturating_add(REST_OF_SECOND)
        } else {
            at
        })
    }

    /// Reads `r7`, `~1`, or a time.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| text.parse::<usize>().ok().filter(|_| digits(text));
        let kind = match (text.strip_prefix(['r', 'R']), text.strip_prefix('~')) {
            (Some(rest), _) if number(rest) >= Some(1) => {
                NameKind::Number(number(rest).unwrap_or(1))
            }
            (_, Some("")) => NameKind::Back(1),
            (_, Some(rest)) if number(rest).is_some() => NameKind::Back(number(rest).unwrap_or(1)),
            _ => NameKind::InForce {
                at: Moment::parse(text)
                    .map_err(|expected| format!("{expected}; or a revision, `r7` or `~1`"))?,
                is_whole_second: !text.contains('.'),
            },
        };
        let typed = text.to_owned();
        Ok(Self { typed, kind })
    }
}

impl fmt::Display for RevisionName {
    /// As it was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<NameKind>) {
        let kind = RevisionName::parse(text).ok().map(|name| name.kind);
        assert_eq!(kind, expected, "{text}");
    }

    #[test]
    fn a_revision_is_named_by_number_by_distance_or_by_time() {
        check("r7", Some(NameKind::Number(7)));
        check("R12", Some(NameKind::Number(12)));
        check("~", Some(NameKind::Back(1)));
        check("~3", Some(NameKind::Back(3)));
        for text in [
            "r0",
            "r",
            "r-1",
            "r+1",
            "7",
            "~x",
            "~-1",
            "r99999999999999999999999",
        ] {
            check(text, None);
        }
        for (text, is_whole_second) in [
            ("2024-10-01 08:00:00", true),
            ("2024-10-01 08:00:00.5", false),
        ] {
            let at = Moment::parse(text).unwrap();
            check(
                text,
                Some(NameKind::InForce {
                    at,
                    is_whole_second,
                }),
            );
        }
    }
}
