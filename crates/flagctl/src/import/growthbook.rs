//! `GrowthBook`: the answer of its API (`GET /api/v1/features`), or the features that it sends to SDKs (`/api/features/KEY`).
//!
//! A feature has rules, of which the first that takes the user counts, and then a value for all others. The API writes values
//! as text, whatever their type, and conditions as JSON in a text.

mod rule;

use flag_model::{FlagType, FlagValue};

use self::rule::{choice, condition_in_text, experiment, forced, fraction, ids_of, weight};
use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::Decimal;
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};
use crate::flag_file::Kind;

/// What decides, or is harmless, in a rule for SDKs.
const OF_SDK: &[&str] = &[
    "id",
    "force",
    "condition",
    "coverage",
    "variations",
    "weights",
    "key",
    "name",
    "phase",
    "seed",
    "hashAttribute",
    "hashVersion",
    "meta",
    "tracks",
    "bucketVersion",
    "minBucketVersion",
    "disableStickyBucketing",
];

/// What decides, or is harmless, in a rule of the API.
const OF_API: &[&str] = &[
    "id",
    "type",
    "description",
    "enabled",
    "condition",
    "value",
    "coverage",
    "hashAttribute",
    "seed",
    "scheduleType",
    "trackingKey",
    "namespace",
];

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    let Some(features) = root.field("features") else {
        return false;
    };
    let is_of_api = |first: &Item<'_>| first.field("valueType").is_some();
    match features.kind() {
        Kind::Map(_) => true,
        _ => (features.items()).is_ok_and(|all| all.first().is_some_and(is_of_api)),
    }
}

/// Reads its features.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    let Some(features) = collector.read(root.required("features")) else {
        return Ok(());
    };
    if matches!(features.kind(), Kind::Map(_)) {
        collector.without_environments()?;
        for (name, feature) in collector.flags_of(&features) {
            collector.flag(name, &feature, &About::default(), of_sdk(&feature));
        }
        return Ok(());
    }
    if collector.read(root.boolean_of("hasMore")).flatten() == Some(true) {
        collector.leave_out(
            None,
            "the file has only the first features: the API sends pages",
        );
    }
    let features = collector.read(features.items()).unwrap_or_default();
    let mut found = Vec::new();
    for feature in &features {
        let environments = feature.field("environments");
        let entries = environments.map_or(Ok(Vec::new()), |item| item.entries());
        for (name, _) in collector.read(entries).into_iter().flatten() {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    let environment = collector.environment(&found)?;
    for feature in &features {
        if let Some(name) = collector.read(feature.required_text("id"))
            && let Some(about) = collector.read(about(feature))
        {
            collector.flag(name, feature, &about, of_api(feature, &environment));
        }
    }
    Ok(())
}

fn about<'n>(feature: &Item<'n>) -> Read<About<'n>> {
    Ok(About {
        descriptions: vec![feature.text_of("description")?],
        owner: feature.text_of("owner")?,
        tags: feature
            .texts_of("tags")?
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

fn of_sdk(feature: &Item<'_>) -> Read<Decides> {
    feature.check_fields(&["defaultValue", "rules", "id"])?;
    let default = typed(&feature.required("defaultValue")?)?;
    let mut rules = ImportedRules::default();
    for rule in feature.items_of("rules")? {
        rule.check_fields(OF_SDK)?;
        let condition = rule.field("condition").filter(|item| !item.says_nothing());
        let ids = condition.map(|condition| ids_of(&condition)).transpose()?;
        match (rule.field("force"), rule.field("variations")) {
            (Some(value), None) => forced(&rule, typed(&value)?, ids, &mut rules)?,
            (None, Some(values)) => {
                let values: Read<Vec<FlagValue>> = values.items()?.iter().map(typed).collect();
                let weights: Read<Vec<Decimal>> =
                    rule.items_of("weights")?.iter().map(fraction).collect();
                experiment(&rule, values?, weights?, ids.as_deref(), &mut rules)?;
            }
            _ => return left_out("a rule has no value"),
        }
    }
    Ok(closed(rules, default))
}

fn of_api(feature: &Item<'_>, environment: &str) -> Read<Decides> {
    if feature.boolean_of("archived")? == Some(true) {
        return left_out("it is archived");
    }
    let flag_type = match feature.required_text("valueType")? {
        "boolean" => FlagType::Feature,
        "string" => FlagType::Data,
        other => return left_out(format!("its values are of the type `{other}`")),
    };
    if !feature.items_of("prerequisites")?.is_empty() {
        return left_out("it has prerequisites, other features that decide first");
    }
    let environments = feature.required("environments")?;
    let Some(of_environment) = environments.field(environment) else {
        return left_out(format!("it is not in the environment {environment}"));
    };
    let written = |item: &Item<'_>| -> Read<FlagValue> {
        let value = FlagValue::parse(flag_type, item.text()?);
        value.or_else(|invalid| item.expected(&invalid.expected))
    };
    let default = of_environment.field("defaultValue");
    let default = default.map_or_else(|| feature.required("defaultValue"), Ok)?;
    let default = written(&default)?;
    if !of_environment.required("enabled")?.boolean()? {
        return disabled(&of_environment, environment, flag_type);
    }
    let mut rules = ImportedRules::default();
    for rule in of_environment.items_of("rules")? {
        if rule.boolean_of("enabled")? == Some(false) {
            continue;
        }
        let is_scheduled = rule
            .text_of("scheduleType")?
            .is_some_and(|how| how != "none");
        if is_scheduled {
            return left_out("a rule has a schedule");
        }
        let namespace = rule.field("namespace");
        if namespace.map_or(Ok(None), |of| of.boolean_of("enabled"))? == Some(true) {
            return left_out("an experiment is in a namespace");
        }
        rule.check_fields(OF_API)?;
        let ids = condition_in_text(&rule)?;
        match rule.required_text("type")? {
            "force" | "rollout" => {
                forced(&rule, written(&rule.required("value")?)?, ids, &mut rules)?;
            }
            "experiment" => {
                let (mut values, mut weights) = (Vec::new(), Vec::new());
                for share in rule.required("value")?.items()? {
                    values.push(written(&share.required("value")?)?);
                    weights.push(weight(&share.required("weight")?)?);
                }
                experiment(&rule, values, weights, ids.as_deref(), &mut rules)?;
            }
            other => return left_out(format!("a rule of the type `{other}`")),
        }
    }
    Ok(closed(rules, default))
}

/// In an environment where it is disabled, a feature has no value, and counts as off.
fn disabled(of_environment: &Item<'_>, name: &str, flag_type: FlagType) -> Read<Decides> {
    if flag_type == FlagType::Data {
        return left_out(format!(
            "it is disabled in {name}: callers use their own value"
        ));
    }
    let mut off: Decides = ImportedRules::of_everybody(Choice::boolean(false)).into();
    if !of_environment.items_of("rules")?.is_empty() {
        let part = format!("it is disabled in {name}; its rules, which do not count then");
        off.parts.push(part);
    }
    Ok(off)
}

fn closed(mut rules: ImportedRules, default: FlagValue) -> Decides {
    rules.everybody(choice(default));
    rules.into()
}

/// A value as SDKs get it.
fn typed(item: &Item<'_>) -> Read<FlagValue> {
    match item.kind() {
        Kind::Boolean(value) => Ok(FlagValue::Boolean(*value)),
        Kind::Text(text) => FlagValue::text(text).or_else(|invalid| left_out(invalid.to_string())),
        Kind::Number(_) => left_out("its values are numbers"),
        _ => left_out("its values are JSON"),
    }
}
