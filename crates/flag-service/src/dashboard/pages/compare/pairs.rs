//! The flags of two projects in pairs: what each project has, and whether it gives the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use flag_model::{FlagName, FlagType};

use crate::dashboard::listing::{AllocationHash, FlagSummary};

/// A flag in two projects.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    /// As the first and the second project have it.
    pub(super) sides: [Option<Arc<FlagSummary>>; 2],
}

/// How the two sides of a pair differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Every instance gets the same.
    Equal,
    /// The same shares get the same, but other instances.
    OtherInstances,
    /// Something else is given, or one side is unreadable or has no revision.
    Different,
    /// Only the first project has it.
    OnlyFirst,
    /// Only the second one has it.
    OnlySecond,
}

impl Comparison {
    /// All, in the order of their texts on the page.
    pub(super) const ALL: [Self; 5] = [
        Self::Different,
        Self::OtherInstances,
        Self::OnlyFirst,
        Self::OnlySecond,
        Self::Equal,
    ];

    /// Its value of the parameter.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::OtherInstances => "placed",
            Self::Different => "different",
            Self::OnlyFirst => "first",
            Self::OnlySecond => "second",
        }
    }
}

impl Pair {
    /// Joins the flags of two projects by type and name.
    pub(super) fn join(sides: [&[Arc<FlagSummary>]; 2]) -> Vec<Self> {
        let mut pairs: BTreeMap<(&FlagName, FlagType), Self> = BTreeMap::new();
        for (at, flags) in sides.into_iter().enumerate() {
            for flag in flags {
                let pair = pairs.entry((&flag.flag.name, flag.flag.flag_type));
                if let Some(side) = pair.or_default().sides.get_mut(at) {
                    *side = Some(Arc::clone(flag));
                }
            }
        }
        pairs.into_values().collect()
    }

    /// How the sides differ.
    pub(super) fn comparison(&self) -> Comparison {
        let [first, second] = match &self.sides {
            [Some(first), Some(second)] => [first, second],
            [Some(_), None] => return Comparison::OnlyFirst,
            _ => return Comparison::OnlySecond,
        };
        match [first, second].map(|flag| given(flag)) {
            [FlagAllocation::Nothing, FlagAllocation::Nothing] => Comparison::Equal,
            [FlagAllocation::Gives(one), FlagAllocation::Gives(other)] if one == other => {
                Comparison::Equal
            }
            [FlagAllocation::Gives(one), FlagAllocation::Gives(other)]
                if one.shares == other.shares =>
            {
                Comparison::OtherInstances
            }
            _ => Comparison::Different,
        }
    }

    /// Whether either side has these words, in lower case.
    pub(super) fn has_words(&self, words: &[String]) -> bool {
        self.sides
            .iter()
            .flatten()
            .any(|flag| flag.has_words(words))
    }
}

/// What is known of what a flag gives.
enum FlagAllocation {
    Gives(AllocationHash),
    /// It has no revision.
    Nothing,
    Unreadable,
}

fn given(flag: &FlagSummary) -> FlagAllocation {
    match &flag.revision {
        Some(Ok(revision)) => FlagAllocation::Gives(revision.allocation),
        Some(Err(_)) => FlagAllocation::Unreadable,
        None => FlagAllocation::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{
        BucketScheme, FlagKey, FlagValue, FormatVersion, HashAlgorithm, Percent, Revision,
        RevisionParts, Salt, Timestamp, Treatment,
    };

    use super::*;

    /// A flag of which a percentage gets `true`, with a salt of its own.
    fn flag(project: &str, name: &str, percent: &str, salt: &str) -> Arc<FlagSummary> {
        let flag: FlagKey = format!("{project}/feature/{name}").parse().unwrap();
        let percent = Percent::parse(percent, FormatVersion::V1).unwrap();
        let range = flag_model::BucketRange::new(0, percent.buckets()).ok();
        let treatment = Treatment {
            name: None,
            overrides: Vec::new(),
            percent,
            value: FlagValue::Boolean(true),
            ranges: range.into_iter().collect(),
        };
        let parts = RevisionParts {
            flag: flag.clone(),
            scheme: BucketScheme::V2 {
                algorithm: HashAlgorithm::Sha256,
                salt: Salt::new(salt).unwrap(),
            },
            control: FlagValue::Boolean(false),
            treatments: vec![treatment],
            comment: format!("{salt} and so on"),
            owner: None,
            rollback_of: None,
        };
        let revision = Revision::new(Timestamp::UNIX_EPOCH, parts).unwrap();
        Arc::new(FlagSummary::new(flag, None, Some(Ok(revision))))
    }

    #[test]
    fn flags_are_compared_by_what_they_give_and_to_whom() {
        let first = [
            flag("a", "alone", "10", "s"),
            flag("a", "more", "10", "s"),
            flag("a", "others", "10", "s"),
            flag("a", "same", "10", "s"),
            flag("a", "whole", "100", "s"),
        ];
        let second = [
            flag("b", "more", "20", "s"),
            flag("b", "new", "10", "s"),
            flag("b", "others", "10", "t"),
            flag("b", "same", "10", "s"),
            flag("b", "whole", "100", "t"),
            Arc::new(FlagSummary::for_tests("zero", "ann")),
        ];
        let found = Pair::join([&first, &second]).into_iter().map(|pair| {
            let flag = pair.sides.iter().flatten().next().unwrap();
            (flag.flag.name.to_string(), pair.comparison())
        });
        let expected = [
            ("alone", Comparison::OnlyFirst),
            ("more", Comparison::Different),
            ("new", Comparison::OnlySecond),
            ("others", Comparison::OtherInstances),
            ("same", Comparison::Equal),
            ("whole", Comparison::Equal),
            ("zero", Comparison::OnlySecond),
        ];
        let expected = expected.map(|(name, comparison)| (name.to_owned(), comparison));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
