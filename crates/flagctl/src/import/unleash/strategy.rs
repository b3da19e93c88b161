//! The strategies of a feature of Unleash.

use crate::import::decimal::Decimal;
use crate::import::item::{Item, Read, left_out};

const STRATEGY: &[&str] = &[
    "id",
    "featureName",
    "name",
    "title",
    "parameters",
    "constraints",
    "variants",
    "segments",
    "sortOrder",
    "environment",
    "projectId",
    "createdAt",
    "milestoneId",
];

const CONSTRAINT: &[&str] = &["contextName", "operator", "values", "value"];

/// Whom a strategy takes.
pub(super) enum Taken<'n> {
    Ids(Vec<&'n str>),
    Share(Decimal),
}

pub(super) fn taken<'n>(strategy: &Item<'n>) -> Read<Taken<'n>> {
    strategy.check_fields(STRATEGY)?;
    if !strategy.items_of("segments")?.is_empty() {
        return left_out("a strategy is for a segment");
    }
    let parameters = strategy.field("parameters");
    let parameter = |name: &str| -> Read<Option<&'n str>> {
        let value = parameters.as_ref().and_then(|of| of.field(name));
        value
            .map(|value| value.text().or_else(|_| value.digits()))
            .transpose()
    };
    let percent = |text: Option<&str>| match text.and_then(Decimal::parse) {
        Some(percent) => Ok(percent),
        None => left_out("a strategy has no percentage that can be read"),
    };
    let taken = match strategy.required_text("name")? {
        "default" => Taken::Share(Decimal::HUNDRED),
        "userWithId" => {
            let ids = parameter("userIds")?.unwrap_or_default().split(',');
            Taken::Ids(ids.map(str::trim).filter(|id| !id.is_empty()).collect())
        }
        "flexibleRollout" => {
            let share = percent(parameter("rollout")?)?;
            if share != Decimal::HUNDRED {
                check_stickiness(parameter("stickiness")?, "a strategy")?;
            }
            Taken::Share(share)
        }
        "gradualRolloutUserId" => Taken::Share(percent(parameter("percentage")?)?),
        other => return left_out(format!("a strategy `{other}`")),
    };
    let constraints = strategy.items_of("constraints")?;
    match (constraints.as_slice(), taken) {
        ([], taken) => Ok(taken),
        ([constraint], Taken::Share(share)) if share == Decimal::HUNDRED => {
            Ok(Taken::Ids(ids_of(constraint)?))
        }
        _ => left_out("a strategy has both constraints and a percentage or a list"),
    }
}

/// The ids of a constraint, if it is for ids alone.
fn ids_of<'n>(constraint: &Item<'n>) -> Read<Vec<&'n str>> {
    let field = constraint.required_text("contextName")?;
    if field != "userId" {
        return left_out(format!("a strategy has a constraint on `{field}`"));
    }
    if constraint.required_text("operator")? != "IN" {
        return left_out("a strategy has a constraint on `userId` that is no list");
    }
    constraint.check_fields(CONSTRAINT)?;
    constraint.texts_of("values")
}

/// `default` is the user, or the session where no user is known.
pub(super) fn check_stickiness(stickiness: Option<&str>, what: &str) -> Read<()> {
    match stickiness {
        None | Some("default" | "userId") => Ok(()),
        Some(other) => left_out(format!(
            "{what}: percentages by `{other}`, ours are by the id"
        )),
    }
}
