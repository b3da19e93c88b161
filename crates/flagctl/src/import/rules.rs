//! Who gets what, as other systems say it: an order of rules, of which the first that takes an id counts.

use std::collections::HashSet;

use flag_model::{
    CONTROL_GROUP, FlagValue, FormatVersion, InstanceId, Percent, Treatment, TreatmentName,
};

use super::decimal::{Decimal, Unit};
use super::item::{Read, left_out};
use crate::flag_file::RevisionInFile;

/// A value under the name that the other system gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    name: String,
    value: FlagValue,
}

/// The rules of a flag, in their order. What follows a rule for everybody is never reached, and ignored.
#[derive(Debug, Default)]
pub(super) struct ImportedRules {
    lists: Vec<(Choice, Vec<String>)>,
    shares: Vec<(Choice, Percent)>,
    rest: Option<Choice>,
    is_rounded: bool,
}

/// The treatments of a flag, and what a person should know of them.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) revision: RevisionInFile,
    pub(super) notes: Vec<String>,
}

/// A treatment in the making.
struct Group {
    choice: Choice,
    percent: u32,
    ids: Vec<InstanceId<'static>>,
}

impl Choice {
    /// A value with the name that it has in the other system.
    pub(super) fn new(name: impl Into<String>, value: FlagValue) -> Self {
        let name = name.into();
        Self { name, value }
    }

    /// Its name in the other system.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    pub(super) fn into_value(self) -> FlagValue {
        self.value
    }

    /// A boolean, called `on` or `off`.
    pub(super) fn boolean(value: bool) -> Self {
        Self::new(if value { "on" } else { "off" }, FlagValue::Boolean(value))
    }
}

impl ImportedRules {
    /// Rules that give everybody this value.
    pub(super) fn of_everybody(choice: Choice) -> Self {
        let mut rules = Self::default();
        rules.everybody(choice);
        rules
    }

    /// Ids that get a value.
    pub(super) fn list(
        &mut self,
        choice: Choice,
        ids: impl IntoIterator<Item: Into<String>>,
    ) -> Read<()> {
        if self.is_closed() {
            return Ok(());
        }
        if !self.shares.is_empty() {
            return left_out("a list of ids comes after a percentage; ours come first");
        }
        let ids = ids.into_iter().map(Into::into).collect();
        self.lists.push((choice, ids));
        Ok(())
    }

    /// Shares of all others, in this unit.
    pub(super) fn shares(&mut self, shares: Vec<(Choice, Decimal)>, unit: Unit) -> Read<()> {
        if self.is_closed() {
            return Ok(());
        }
        if !self.shares.is_empty() {
            return left_out("several percentages apply one after the other");
        }
        for (choice, amount) in shares {
            let Some((percent, is_exact)) = amount.share(unit) else {
                return left_out("a share is more than 100 %");
            };
            self.is_rounded |= !is_exact;
            self.shares.push((choice, percent));
        }
        if self.taken() > Percent::HUNDRED.buckets() {
            return left_out("its shares are more than 100 %");
        }
        Ok(())
    }

    /// Everybody else gets a value.
    pub(super) fn everybody(&mut self, choice: Choice) {
        self.rest.get_or_insert(choice);
    }

    /// Whether no further rule is reached.
    fn is_closed(&self) -> bool {
        self.rest.is_some() || self.are_whole()
    }

    /// Whether the shares take everybody.
    pub(super) fn are_whole(&self) -> bool {
        self.taken() == Percent::HUNDRED.buckets()
    }

    /// How many buckets the shares take.
    fn taken(&self) -> u32 {
        self.shares
            .iter()
            .map(|(_, percent)| percent.buckets())
            .sum()
    }

    /// The treatments. The control value is the named one, else `false`, else that of everybody else, else the most common one.
    pub(super) fn carried(self, control: Option<FlagValue>) -> Read<Carried> {
        let rest = Percent::HUNDRED.buckets().saturating_sub(self.taken());
        // Rounding leaves some over.
        let rounding = if self.is_rounded {
            self.shares.len()
        } else {
            0
        };
        if self.rest.is_none() && rest as usize > rounding {
            let rest = Percent::from_buckets(rest).unwrap_or_default();
            return left_out(format!("{rest} % of the ids get no value"));
        }
        let mut shares: Vec<(Choice, u32)> = Vec::new();
        let of_rest = self.rest.clone().map(|choice| (choice, rest));
        let all = self.shares.iter().cloned();
        let all = all.map(|(choice, percent)| (choice, percent.buckets()));
        for (choice, buckets) in all.chain(of_rest) {
            match shares.iter_mut().find(|(known, _)| *known == choice) {
                Some((_, known)) => *known += buckets,
                None => shares.push((choice, buckets)),
            }
        }
        let control = control.or_else(|| default_control(&shares, self.rest.as_ref()));
        let Some(control) = control else {
            return left_out("it has no value");
        };
        let groups = groups(self.lists, shares, &control)?;
        let is_split = groups.iter().any(|group| {
            let whole = Percent::HUNDRED.buckets();
            group.percent > 0 && group.percent < whole
        });
        let mut notes = Vec::new();
        if is_split {
            notes.push("the same share, other ids: ids are hashed differently".to_owned());
        }
        if self.is_rounded {
            notes.push("shares are rounded to a thousandth of a percent".to_owned());
        }
        let revision = RevisionInFile {
            version: Some(FormatVersion::V2),
            algorithm: None,
            salt: None,
            control,
            treatments: Some(treatments(groups)),
        };
        Ok(Carried { revision, notes })
    }
}

fn default_control(shares: &[(Choice, u32)], rest: Option<&Choice>) -> Option<FlagValue> {
    let is_boolean = |(choice, _): &(Choice, u32)| matches!(choice.value, FlagValue::Boolean(_));
    if !shares.is_empty() && shares.iter().all(is_boolean) {
        return Some(FlagValue::Boolean(false));
    }
    // The first one of those with the largest share.
    let largest = shares.iter().rev().max_by_key(|(_, buckets)| *buckets);
    let largest = largest.map(|(choice, _)| choice);
    Some(rest.or(largest)?.value.clone())
}

/// Everybody whom control does not serve.
fn groups(
    lists: Vec<(Choice, Vec<String>)>,
    shares: Vec<(Choice, u32)>,
    control: &FlagValue,
) -> Read<Vec<Group>> {
    let shares = shares.into_iter();
    let shares = shares.filter(|(choice, buckets)| *buckets > 0 && choice.value != *control);
    let mut groups: Vec<Group> = shares
        .map(|(choice, percent)| Group {
            choice,
            percent,
            ids: Vec::new(),
        })
        .collect();
    let mut seen = HashSet::new();
    for (choice, ids) in lists {
        let ids = ids.into_iter().filter(|id| seen.insert(id.clone()));
        let ids: Result<Vec<_>, _> = ids.map(InstanceId::new).collect();
        let ids = match ids {
            Ok(ids) => ids,
            Err(invalid) => return left_out(invalid.to_string()),
        };
        match groups.iter_mut().find(|group| group.choice == choice) {
            Some(group) => group.ids.extend(ids),
            None if ids.is_empty() => {}
            None => groups.push(Group {
                choice,
                percent: 0,
                ids,
            }),
        }
    }
    Ok(groups)
}

/// A name that cannot be one of a treatment is left out; the position is its name then.
fn treatments(groups: Vec<Group>) -> Vec<Treatment> {
    let mut names = HashSet::from([CONTROL_GROUP.to_owned()]);
    let groups = groups.into_iter();
    let treatments = groups.map(|group| Treatment {
        name: TreatmentName::new(&group.choice.name)
            .ok()
            .filter(|name| names.insert(name.to_string())),
        percent: Percent::from_buckets(group.percent).unwrap_or_default(),
        value: group.choice.value,
        overrides: group.ids,
        ranges: Vec::new(),
    });
    treatments.collect()
}
