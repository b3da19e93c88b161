//! GO Feature Flag: its configuration file, version 1, as YAML or JSON.
//!
//! A flag has named values (`variations`), then rules (`targeting`), of which the first that takes the user counts, then
//! `defaultRule` for all others.

use flag_model::FlagValue;

use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::{Decimal, Unit};
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};
use crate::flag_file::Kind;

/// What decides, or is harmless, in a flag.
const FLAG: &[&str] = &[
    "variations",
    "targeting",
    "defaultRule",
    "disable",
    "trackEvents",
    "version",
    "metadata",
];

const RULE: &[&str] = &["name", "query", "variation", "percentage", "disable"];

/// The names of the id in a query.
const IDS: [&str; 2] = ["targetingKey", "key"];

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    root.nodes().is_ok_and(|flags| {
        (flags.first()).is_some_and(|(_, flag)| {
            (flag.field("variations")).is_some_and(|all| matches!(all.kind(), Kind::Map(_)))
        })
    })
}

/// Reads its flags.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    collector.without_environments()?;
    for (name, flag) in collector.flags_of(root) {
        if let Some(about) = collector.read(about(&flag)) {
            collector.flag(name, &flag, &about, decides(&flag));
        }
    }
    Ok(())
}

fn about<'n>(flag: &Item<'n>) -> Read<About<'n>> {
    let metadata = flag.field("metadata");
    let description = metadata.map_or(Ok(None), |of| of.text_of("description"))?;
    Ok(About {
        descriptions: vec![description],
        ..About::default()
    })
}

fn decides(flag: &Item<'_>) -> Read<Decides> {
    if flag.boolean_of("disable")? == Some(true) {
        return left_out("it is disabled: callers use their own value");
    }
    flag.check_fields(FLAG)?;
    let values = flag.required("variations")?.entries()?;
    let values: Read<Vec<Choice>> = values
        .iter()
        .map(|(name, item)| value(name, item))
        .collect();
    let values = values?;
    let mut rules = ImportedRules::default();
    for rule in flag.items_of("targeting")? {
        if rule.boolean_of("disable")? == Some(true) {
            continue;
        }
        let ids = match rule.text_of("query")?.map(str::trim) {
            None | Some("") => None,
            Some(query) => Some(ids_of(query)?),
        };
        apply(&rule, &values, ids, &mut rules)?;
    }
    apply(&flag.required("defaultRule")?, &values, None, &mut rules)?;
    Ok(rules.into())
}

fn value(name: &str, item: &Item<'_>) -> Read<Choice> {
    match item.kind() {
        Kind::Boolean(value) => Ok(Choice::new(name, FlagValue::Boolean(*value))),
        Kind::Text(text) => match FlagValue::text(text) {
            Ok(value) => Ok(Choice::new(name, value)),
            Err(invalid) => left_out(invalid.to_string()),
        },
        Kind::Number(_) => left_out("its values are numbers"),
        _ => left_out("its values are JSON"),
    }
}

/// A rule with one value, or a share for each of some.
fn apply(
    rule: &Item<'_>,
    values: &[Choice],
    ids: Option<Vec<String>>,
    rules: &mut ImportedRules,
) -> Read<()> {
    rule.check_fields(RULE)?;
    let named = |name: &str, at: &Item<'_>| {
        let found = values.iter().find(|choice| choice.name() == name);
        found.map_or_else(
            || at.expected("the name of a value"),
            |found| Ok(found.clone()),
        )
    };
    if let Some(percentages) = rule.field("percentage").filter(|item| !item.says_nothing()) {
        if ids.is_some() {
            return left_out("a rule has both a list of ids and percentages");
        }
        let mut shares = Vec::new();
        for (name, item) in percentages.entries()? {
            let Some(percent) = Decimal::parse(item.digits()?) else {
                return item.expected("a percentage");
            };
            shares.push((named(name, &item)?, percent));
        }
        return rules.shares(shares, Unit::Percent);
    }
    let variation = rule.required("variation")?;
    let choice = named(variation.name()?, &variation)?;
    if let Some(ids) = ids {
        return rules.list(choice, ids);
    }
    rules.everybody(choice);
    Ok(())
}

/// The ids of a query, if it is for ids alone: `targetingKey eq "ann"`, or `targetingKey in ["ann", "bob"]`.
fn ids_of(query: &str) -> Read<Vec<String>> {
    let other = || left_out(format!("a rule with the query {query}"));
    let mut words = query.splitn(3, char::is_whitespace);
    let (Some(field), Some(operator), Some(wanted)) = (words.next(), words.next(), words.next())
    else {
        return other();
    };
    if !IDS.contains(&field) {
        return other();
    }
    let ids = match operator {
        "eq" | "==" => serde_json::from_str(wanted).map(|id| vec![id]),
        "in" => serde_json::from_str(wanted),
        _ => return other(),
    };
    ids.or_else(|_| other())
}
