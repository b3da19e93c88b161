//! The rules of a feature of `GrowthBook`.

use flag_model::FlagValue;

use crate::flag_file::{self, Kind};
use crate::import::decimal::{Decimal, Unit};
use crate::import::item::{Item, Obstacle, Read, left_out};
use crate::import::rules::{Choice, ImportedRules};

/// The attribute that `GrowthBook` calls the id.
const ID: &str = "id";

/// A rule with one value: for ids, for a share, or for everybody.
pub(super) fn forced(
    rule: &Item<'_>,
    value: FlagValue,
    ids: Option<Vec<String>>,
    rules: &mut ImportedRules,
) -> Read<()> {
    let coverage = coverage(rule)?;
    match (ids, coverage) {
        (Some(ids), Decimal::ONE) => rules.list(choice(value), ids),
        (Some(_), _) => left_out("a rule has both a list of ids and a percentage"),
        (None, Decimal::ONE) => {
            rules.everybody(choice(value));
            Ok(())
        }
        (None, coverage) => {
            check_attribute(rule)?;
            rules.shares(vec![(choice(value), coverage)], Unit::Fraction)
        }
    }
}

/// A rule with several values: each for its weight of the covered share.
///
/// SDKs pass over one with fewer than two values, and over the values that are marked as passing on (holdouts); they replace
/// weights that do not add up to about 1 by equal ones, and cut off what is above 1.
pub(super) fn experiment(
    rule: &Item<'_>,
    values: Vec<FlagValue>,
    weights: Vec<Decimal>,
    ids: Option<&[String]>,
    rules: &mut ImportedRules,
) -> Read<()> {
    if ids.is_some() {
        return left_out("a rule has both a list of ids and percentages");
    }
    check_attribute(rule)?;
    if values.len() < 2 {
        return left_out("an experiment has fewer than two values, so it counts for nobody");
    }
    for meta in rule.items_of("meta")? {
        if meta.boolean_of("passthrough")? == Some(true) {
            return left_out("an experiment passes instances on to the next rule (a holdout)");
        }
    }
    if weights.len() != values.len() {
        return left_out("a rule has no weight for each of its values");
    }
    check_sum(&weights)?;
    let coverage = coverage(rule)?;
    let shares = values.into_iter().zip(weights).map(|(value, weight)| {
        let share = weight.times(coverage);
        share.map_or_else(
            || left_out("a share has too many digits"),
            |share| Ok((choice(value), share)),
        )
    });
    rules.shares(shares.collect::<Read<Vec<_>>>()?, Unit::Fraction)
}

/// Up to a hundredth may be missing: those instances get the value of the next rule, as with ours.
fn check_sum(weights: &[Decimal]) -> Read<()> {
    let sum = weights
        .iter()
        .try_fold(Decimal::ZERO, |sum, of| sum.plus(*of));
    match sum {
        Some(sum) if sum.is_above(Decimal::NEARLY_ONE) && !sum.is_above(Decimal::ONE) => Ok(()),
        Some(sum) => left_out(format!(
            "the weights of an experiment add up to {sum} and not to 1: SDKs then use equal shares, or cut off the last"
        )),
        None => left_out("the weights of an experiment have too many digits"),
    }
}

/// A weight as the API has it; SDKs get four decimals.
pub(super) fn weight(item: &Item<'_>) -> Read<Decimal> {
    fraction(item).map(|weight| weight.rounded(4))
}

fn coverage(rule: &Item<'_>) -> Read<Decimal> {
    rule.field("coverage")
        .map_or(Ok(Decimal::ONE), |item| fraction(&item))
}

pub(super) fn fraction(item: &Item<'_>) -> Read<Decimal> {
    let fraction = Decimal::parse(item.digits()?);
    fraction.map_or_else(|| item.expected("a number from 0 to 1"), Ok)
}

fn check_attribute(rule: &Item<'_>) -> Read<()> {
    match rule.text_of("hashAttribute")? {
        None | Some("" | ID) => Ok(()),
        Some(other) => left_out(format!("its percentages are by `{other}`, ours by the id")),
    }
}

/// The condition of a rule of the API, which is JSON in a text.
pub(super) fn condition_in_text(rule: &Item<'_>) -> Read<Option<Vec<String>>> {
    let text = rule.text_of("condition")?.unwrap_or_default();
    if text.trim().is_empty() || text.trim() == "{}" {
        return Ok(None);
    }
    let Ok(node) = flag_file::parse(text) else {
        return left_out("a rule has a condition that cannot be read");
    };
    match ids_of(&Item::root(&node)) {
        // Its position would be one in the text.
        Err(Obstacle::Malformed(_)) => left_out("a rule has a condition that cannot be read"),
        ids => ids.map(Some),
    }
}

/// The ids of a condition, if it is for ids alone.
pub(super) fn ids_of(condition: &Item<'_>) -> Read<Vec<String>> {
    let entries = condition.entries()?;
    let [(attribute, wanted)] = entries.as_slice() else {
        return left_out("a rule has several conditions");
    };
    if *attribute != ID {
        return left_out(format!("a rule by the attribute `{attribute}`"));
    }
    if let Kind::Text(id) = wanted.kind() {
        return Ok(vec![id.clone()]);
    }
    let operators = wanted.entries()?;
    match operators.as_slice() {
        [("$in", ids)] => {
            let ids = ids.items()?;
            ids.iter().map(|id| Ok(id.text()?.to_owned())).collect()
        }
        [("$eq", id)] => Ok(vec![id.text()?.to_owned()]),
        _ => left_out("a rule has a condition on the id that is no list"),
    }
}

/// A boolean, or a text under its own name.
pub(super) fn choice(value: FlagValue) -> Choice {
    match value {
        FlagValue::Boolean(value) => Choice::boolean(value),
        FlagValue::Text(_) => Choice::new(value.to_string(), value),
    }
}
