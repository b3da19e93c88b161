//! A figure, and what it is held against.
use serde::{Deserialize, Serialize};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unit {
    /// A share or a multiple of something else.
    Ratio,
    Mebibytes,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Bytes,
    AnswersPerSecond,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Under(f64),
    /// Nothing was promised.
    None,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Origin {
    Measured,
    /// From a measured figure and one that was taken elsewhere.
    Computed,
    NotMeasured,
}

/// A row of the table of goals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) goal: Goal,
    pub(super) figure: Option<f64>,
    pub(super) origin: Origin,
    /// What else there is to say: the spread, where it comes from, why it is not there.
    pub(super) note: String,
    pub(super) is_met: Option<bool>,
}

impl Row {
    /// A measured figure.
    pub(super) fn new(what: impl Into<String>, unit: Unit, goal: Goal, figure: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            goal,
            // What is no number has no place in JSON.
            figure: figure.is_finite().then_some(figure),
            origin: Origin::Measured,
            note: String::new(),
            is_met: goal.is_met(figure),
        }
    }

    /// A figure that could not be measured.
    pub(super) fn missing(
        what: impl Into<String>,
        unit: Unit,
        goal: Goal,
        why: impl Into<String>,
    ) -> Self {
        Self {
            origin: Origin::NotMeasured,
            is_met: None,
            note: why.into(),
            ..Self::new(what, unit, goal, f64::NAN)
        }
    }

    /// The same, computed from a figure that was not measured here.
    pub(super) fn computed(self) -> Self {
        Self {
            origin: Origin::Computed,
            ..self
        }
    }

    /// The same with something to say.
    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }

    /// What, goal, figure, whether it holds.
    pub(super) fn cells(&self) -> [String; 4] {
        let figure = match (self.figure, self.origin) {
            (None, _) | (_, Origin::NotMeasured) => "not measured".to_owned(),
            (Some(figure), Origin::Measured) => self.unit.text(figure),
            (Some(figure), Origin::Computed) => format!("{}, computed", self.unit.text(figure)),
        };
        let figure = match &*self.note {
            "" => figure,
            note => format!("{figure} ({note})"),
        };
        let is_met = match self.is_met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let goal = self.goal.text(self.unit);
        [self.what.clone(), goal, figure, is_met.to_owned()]
    }
}

impl Goal {
    fn is_met(self, figure: f64) -> Option<bool> {
        let is_met = match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
            Self::Under(limit) => figure < limit,
            Self::None => return None,
        };
        figure.is_finite().then_some(is_met)
    }

    fn text(self, unit: Unit) -> String {
        match self {
            Self::AtLeast(limit) => format!("at least {}", unit.limit(limit)),
            Self::AtMost(limit) => format!("at most {}", unit.limit(limit)),
            Self::Under(limit) => format!("under {}", unit.limit(limit)),
            Self::None => String::new(),
        }
    }
}

impl Unit {
    fn text(self, figure: f64) -> String {
        match self {
            Self::Ratio => format!("{figure:.2}"),
            Self::Mebibytes => format!("{figure:.1} MiB"),
            Self::Milliseconds => format!("{figure:.1} ms"),
            Self::Microseconds => format!("{figure:.2} µs"),
            Self::Nanoseconds => format!("{figure:.0} ns"),
            Self::Bytes => format!("{figure:.1} bytes"),
            Self::AnswersPerSecond => format!("{figure:.0} answers/s"),
        }
    }

    /// A round number.
    fn limit(self, limit: f64) -> String {
        match self {
            Self::Ratio => format!("{limit:.2}"),
            Self::Mebibytes => format!("{limit} MiB"),
            Self::Milliseconds => format!("{limit} ms"),
            Self::Microseconds => format!("{limit} µs"),
            Self::Nanoseconds => format!("{limit} ns"),
            Self::Bytes => format!("{limit} bytes"),
            Self::AnswersPerSecond => format!("{limit} answers/s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(goal: Goal, figure: f64, is_met: Option<bool>) {
        assert_eq!(
            Row::new("", Unit::Ratio, goal, figure).is_met,
            is_met,
            "{figure}"
        );
    }

    #[test]
    fn a_limit_itself_is_met_unless_one_must_stay_under_it() {
        check(Goal::AtLeast(0.8), 0.8, Some(true));
        check(Goal::AtLeast(0.8), 0.79, Some(false));
        check(Goal::AtMost(2.0), 2.0, Some(true));
        check(Goal::AtMost(2.0), 2.1, Some(false));
        check(Goal::Under(15.0), 15.0, Some(false));
        check(Goal::Under(15.0), 14.9, Some(true));
    }

    #[test]
    fn without_a_figure_or_a_goal_nothing_is_met_or_missed() {
        check(Goal::None, 1.0, None);
        check(Goal::AtMost(1.0), f64::NAN, None);
        check(Goal::AtMost(1.0), f64::INFINITY, None);
    }

    #[test]
    fn a_row_tells_where_its_figure_comes_from() {
        let row = Row::new("w", Unit::Mebibytes, Goal::Under(15.0), 17.25);
        assert_eq!(row.cells(), ["w", "under 15 MiB", "17.2 MiB", "**missed**"]);
        let row = Row::new("w", Unit::Ratio, Goal::AtLeast(5.0), 6.0).note("n");
        assert_eq!(
            row.computed().cells(),
            ["w", "at least 5.00", "6.00, computed (n)", "met"]
        );
        let row = Row::missing("w", Unit::Nanoseconds, Goal::Under(1e3), "no bench");
        assert_eq!(
            row.cells(),
            ["w", "under 1000 ns", "not measured (no bench)", ""]
        );
    }
}
