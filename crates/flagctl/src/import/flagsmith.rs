//! Flagsmith: the file of "Export features", a list of the features of one environment.
//!
//! A feature has a state, on or off, and apart from it a value, which is a text, a number or a boolean. So it becomes a flag
//! of booleans, and if it has a text, a flag of texts of the same name.

use flag_model::FlagValue;

use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::{Decimal, Unit};
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};
use crate::flag_file::Kind;

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    root.items().is_ok_and(|features| {
        (features.first()).is_some_and(|first| first.field("default_enabled").is_some())
    })
}

/// Reads its features.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    collector.without_environments()?;
    collector.note(
        None,
        "an export of Flagsmith has no overrides of segments and identities; if you use some, look for them there",
    );
    for feature in collector.read(root.items()).into_iter().flatten() {
        let Some(name) = collector.read(feature.required_text("name")) else {
            continue;
        };
        let about = About::default();
        collector.flag(name, &feature, &about, state(&feature));
        if collector.read(has_value(&feature)) == Some(true) {
            collector.flag(name, &feature, &about, texts(&feature));
        }
    }
    Ok(())
}

fn state(feature: &Item<'_>) -> Read<Decides> {
    let is_on = feature.required("enabled")?.boolean()?;
    Ok(ImportedRules::of_everybody(Choice::boolean(is_on)).into())
}

fn has_value(feature: &Item<'_>) -> Read<bool> {
    let value = feature.field("value");
    let is_empty = |value: &Item<'_>| matches!(value.kind(), Kind::Text(text) if text.is_empty());
    let options = feature.items_of("multivariate")?;
    Ok(value.is_some_and(|value| !is_empty(&value)) || !options.is_empty())
}

fn texts(feature: &Item<'_>) -> Read<Decides> {
    let control = text(feature)?;
    let mut rules = ImportedRules::default();
    let mut shares = Vec::new();
    for option in feature.items_of("multivariate")? {
        let percent = option.required("percentage_allocation")?;
        let Some(amount) = Decimal::parse(percent.digits()?) else {
            return percent.expected("a percentage");
        };
        let value = text(&option)?;
        shares.push((Choice::new(value.to_string(), value), amount));
    }
    rules.shares(shares, Unit::Percent)?;
    rules.everybody(Choice::new("", control.clone()));
    let mut decides: Decides = rules.into();
    decides.control = Some(control);
    Ok(decides)
}

fn text(of: &Item<'_>) -> Read<FlagValue> {
    let Some(value) = of.field("value") else {
        return left_out("its value: there is none beside its other values");
    };
    match value.kind() {
        Kind::Text(text) => FlagValue::text(text).or_else(|invalid| left_out(invalid.to_string())),
        Kind::Number(digits) => left_out(format!("its value: the number {digits}")),
        Kind::Boolean(value) => left_out(format!("its value: {value}, beside its state")),
        _ => value.expected("a text, a number or a boolean"),
    }
}
