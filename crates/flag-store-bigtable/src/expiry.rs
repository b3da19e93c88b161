//! When the cells of a table expire: the rule that is expected, and the rule that Bigtable reports.

use std::fmt;
use std::time::Duration;

use flag_store::StoreError;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::GcRule;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::gc_rule::{
    Rule, Union,
};

use crate::settings::Table;
use crate::status::refused;

/// When cells expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// As soon as one of these holds; never if there is none.
    Any {
        /// There are this many newer versions of the cell.
        versions: Option<i32>,
        /// The cell is older than this.
        age: Option<Duration>,
    },
    /// By another rule, as Bigtable's library spells it.
    Other(String),
}

impl Expiry {
    /// Never.
    const NEVER: Self = Self::Any {
        versions: None,
        age: None,
    };

    /// How it should be: one version of each cell, and those of exposures only for so long.
    pub fn expected(table: Table, retention: Duration) -> Self {
        Self::Any {
            versions: Some(1),
            age: (table == Table::Exposures).then_some(retention),
        }
    }

    /// Whether it is as it should be, however long exposures are kept.
    pub fn is_right(&self, table: Table) -> bool {
        let Self::Any { versions, age } = self else {
            return false;
        };
        *versions == Some(1) && age.is_some() == (table == Table::Exposures)
    }

    /// The same as Google's `cbt setgcpolicy TABLE FAMILY …` takes it.
    pub fn cbt(&self) -> String {
        let Self::Any { versions, age } = self else {
            return self.to_string();
        };
        let versions = versions.map(|versions| format!("maxversions={versions}"));
        let age = age.map(|age| format!("maxage={}", short(age)));
        let rules: Vec<String> = versions.into_iter().chain(age).collect();
        if rules.is_empty() {
            return "never".to_owned();
        }
        rules.join(" or ")
    }

    /// The rule that Bigtable reports.
    pub(crate) fn of(rule: Option<&GcRule>) -> Self {
        let Some(rule) = rule.and_then(|rule| rule.rule.as_ref()) else {
            return Self::NEVER;
        };
        any(rule).unwrap_or_else(|| Self::Other(format!("{rule:?}")))
    }

    /// The rule for Bigtable; refused if no rule can express it.
    pub(crate) fn rule(&self, table: &str) -> Result<GcRule, StoreError> {
        let Self::Any { versions, age } = self else {
            return Err(refused(table, "no rule that is known"));
        };
        let age = age.map(TryInto::try_into).transpose();
        let age = age.map_err(|_| refused(table, "the retention is too long"))?;
        let versions = versions.map(Rule::MaxNumVersions);
        let mut rules: Vec<GcRule> = versions
            .into_iter()
            .chain(age.map(Rule::MaxAge))
            .map(|rule| GcRule { rule: Some(rule) })
            .collect();
        match (rules.pop(), rules.is_empty()) {
            (None, _) => Ok(GcRule::default()),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                rules.push(last);
                let rule = Some(Rule::Union(Union { rules }));
                Ok(GcRule { rule })
            }
        }
    }
}

/// The same in our words, if they suffice.
fn any(rule: &Rule) -> Option<Expiry> {
    let (versions, age) = match rule {
        Rule::MaxNumVersions(versions) => (Some(*versions), None),
        Rule::MaxAge(age) => (None, Some(Duration::try_from(*age).ok()?)),
        Rule::Union(union) => {
            let (mut versions, mut age) = (Vec::new(), Vec::new());
            for rule in &union.rules {
                let Expiry::Any {
                    versions: v,
                    age: a,
                } = any(rule.rule.as_ref()?)?
                else {
                    return None;
                };
                versions.extend(v);
                age.extend(a);
            }
            (versions.into_iter().min(), age.into_iter().min())
        }
        Rule::Intersection(_) => return None,
    };
    Some(Expiry::Any { versions, age })
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (versions, age) = match self {
            Self::Any { versions, age } => (versions, age),
            Self::Other(rule) => return write!(f, "expires by the rule {rule}"),
        };
        match versions {
            Some(1) => f.write_str("keeps one version of each cell")?,
            Some(versions) => write!(f, "keeps {versions} versions of each cell")?,
            None => f.write_str("keeps every version of each cell")?,
        }
        match age {
            Some(age) => write!(f, " for {}", shown(*age)),
            None => f.write_str(" for ever"),
        }
    }
}

/// In the largest exact unit, down to seconds.
fn in_unit(age: Duration) -> (u64, &'static str) {
    let seconds = age.as_secs();
    [(86_400, "day"), (3_600, "hour"), (60, "minute")]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
        .map_or((seconds, "second"), |(unit, name)| (seconds / unit, name))
}

fn short(age: Duration) -> String {
    let (number, unit) = in_unit(age);
    format!("{number}{}", unit.get(..1).unwrap_or(unit))
}

fn shown(age: Duration) -> String {
    let (number, unit) = in_unit(age);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::gc_rule::Intersection;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn there_and_back(expiry: &Expiry) -> Expiry {
        Expiry::of(Some(&expiry.rule("t").unwrap()))
    }

    #[track_caller]
    fn check(table: Table, shown: &str, cbt: &str) {
        let expiry = Expiry::expected(table, 90 * DAY);
        assert_eq!(there_and_back(&expiry), expiry);
        assert!(expiry.is_right(table));
        assert_eq!((&*expiry.to_string(), &*expiry.cbt()), (shown, cbt));
    }

    #[test]
    fn flags_are_kept_for_ever_and_exposures_expire() {
        let shown = "keeps one version of each cell for ever";
        check(Table::Flags, shown, "maxversions=1");
        let shown = "keeps one version of each cell for 90 days";
        check(Table::Exposures, shown, "maxversions=1 or maxage=90d");
    }

    #[test]
    fn flags_that_expire_and_exposures_that_do_not_are_wrong() {
        let (flags, log) = (Table::Flags, Table::Exposures);
        assert!(!Expiry::expected(log, DAY).is_right(flags));
        assert!(!Expiry::expected(flags, DAY).is_right(log));
        assert!(!Expiry::of(None).is_right(flags));
        assert_eq!(
            Expiry::of(None).to_string(),
            "keeps every version of each cell for ever"
        );
        assert_eq!(Expiry::of(Some(&GcRule::default())), Expiry::NEVER);
        assert_eq!(there_and_back(&Expiry::NEVER), Expiry::NEVER);
    }

    #[test]
    fn a_rule_that_we_have_no_words_for_is_wrong_and_shown() {
        let rule = Rule::Intersection(Intersection { rules: Vec::new() });
        let expiry = Expiry::of(Some(&GcRule { rule: Some(rule) }));
        assert!(!expiry.is_right(Table::Flags));
        assert!(expiry.to_string().contains("Intersection"), "{expiry}");
    }

    #[test]
    fn an_age_is_written_in_the_largest_unit_that_is_exact() {
        let ages = [
            DAY,
            25 * DAY / 24,
            Duration::from_secs(90),
            Duration::from_secs(0),
        ];
        assert_eq!(
            ages.map(shown),
            ["1 day", "25 hours", "90 seconds", "0 seconds"]
        );
        assert_eq!(ages.map(short), ["1d", "25h", "90s", "0s"]);
    }

    #[test]
    fn a_retention_beyond_what_bigtable_can_say_is_refused() {
        let expiry = Expiry::expected(Table::Exposures, Duration::MAX);
        assert!(matches!(expiry.rule("t"), Err(StoreError::Refused { .. })));
    }
}
