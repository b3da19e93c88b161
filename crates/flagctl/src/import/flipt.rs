//! Flipt: the file of `flipt export`, or of its git storage, for one namespace (format versions 1.0 to 1.5).
//!
//! A boolean flag has rollouts, of which the first that takes the entity counts, and `enabled` for all others. A flag with
//! variants serves the key of one: by rules, each for segments, and the default one for all others.

use flag_model::FlagValue;

use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::{Decimal, Unit};
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};
use crate::flag_file::Kind;

const FLAG: &[&str] = &[
    "key",
    "name",
    "type",
    "description",
    "enabled",
    "metadata",
    "variants",
    "rules",
    "rollouts",
];

/// Whom a segment takes.
enum Taken {
    Everybody,
    Ids(Vec<String>),
}

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    let flags = root.field("flags").map(|flags| flags.items());
    flags.is_some_and(|flags| {
        flags.is_ok_and(|flags| {
            (flags.first())
                .is_some_and(|flag| flag.field("key").is_some() && flag.field("enabled").is_some())
        })
    })
}

/// Reads its flags.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    if let Some(namespace) = collector.read(namespace(root)) {
        collector.environment(&[namespace])?;
    }
    let segments = collector
        .read(root.items_of("segments"))
        .unwrap_or_default();
    for flag in collector.read(root.items_of("flags")).into_iter().flatten() {
        if let Some(name) = collector.read(flag.required_text("key"))
            && let Some(about) = collector.read(about(&flag))
        {
            collector.flag(name, &flag, &about, decides(&flag, &segments));
        }
    }
    Ok(())
}

fn namespace<'n>(root: &Item<'n>) -> Read<&'n str> {
    match root.field("namespace") {
        None => Ok("default"),
        Some(namespace) => match namespace.kind() {
            Kind::Text(key) => Ok(key),
            _ => namespace.required_text("key"),
        },
    }
}

fn about<'n>(flag: &Item<'n>) -> Read<About<'n>> {
    Ok(About {
        descriptions: vec![flag.text_of("description")?, flag.text_of("name")?],
        ..About::default()
    })
}

fn decides(flag: &Item<'_>, segments: &[Item<'_>]) -> Read<Decides> {
    flag.check_fields(FLAG)?;
    let is_enabled = flag.boolean_of("enabled")?.unwrap_or_default();
    match flag.text_of("type")?.unwrap_or("VARIANT_FLAG_TYPE") {
        "BOOLEAN_FLAG_TYPE" => Ok(boolean(flag, is_enabled, segments)?.into()),
        "VARIANT_FLAG_TYPE" => texts(flag, is_enabled, segments),
        other => left_out(format!("its type is `{other}`")),
    }
}

fn boolean(flag: &Item<'_>, is_enabled: bool, segments: &[Item<'_>]) -> Read<ImportedRules> {
    let mut rules = ImportedRules::default();
    for rollout in flag.items_of("rollouts")? {
        rollout.check_fields(&["id", "description", "segment", "threshold"])?;
        match (rollout.field("segment"), rollout.field("threshold")) {
            (Some(segment), None) => {
                let value = Choice::boolean(segment.boolean_of("value")?.unwrap_or_default());
                match taken(&segment, segments)? {
                    Taken::Everybody => rules.everybody(value),
                    Taken::Ids(ids) => rules.list(value, ids)?,
                }
            }
            (None, Some(threshold)) => {
                let value = threshold.boolean_of("value")?.unwrap_or_default();
                // Zero is not written.
                let percentage = threshold.field("percentage");
                let percent = percentage.map_or(Ok(Decimal::ZERO), |item| percent(&item))?;
                rules.shares(vec![(Choice::boolean(value), percent)], Unit::Percent)?;
            }
            _ => return left_out("a rollout is neither for a segment nor a percentage"),
        }
    }
    rules.everybody(Choice::boolean(is_enabled));
    Ok(rules)
}

fn texts(flag: &Item<'_>, is_enabled: bool, segments: &[Item<'_>]) -> Read<Decides> {
    let variants = flag.items_of("variants")?;
    let mut default = None;
    for variant in &variants {
        if variant
            .field("attachment")
            .is_some_and(|item| !item.says_nothing())
        {
            return left_out("its values have attachments, which are JSON");
        }
        if variant.boolean_of("default")? == Some(true) {
            default = Some(text(variant.required_text("key")?)?);
        }
    }
    if variants.is_empty() {
        return left_out("it has no values; callers only look whether it matches");
    }
    let has_rules = !flag.items_of("rules")?.is_empty();
    let mut decides: Decides = if is_enabled {
        rules(flag, segments)?.into()
    } else {
        ImportedRules::default().into()
    };
    if !is_enabled && has_rules {
        let part = "it is disabled; its rules, which do not count then";
        decides.parts.push(part.to_owned());
    }
    if let Some(default) = default {
        decides.control = Some(default.clone().into_value());
        decides.rules.everybody(default);
    } else if !is_enabled {
        return left_out("it is disabled, and has no default: callers use their own value");
    }
    Ok(decides)
}

fn rules(flag: &Item<'_>, segments: &[Item<'_>]) -> Read<ImportedRules> {
    let mut rules = ImportedRules::default();
    for rule in flag.items_of("rules")? {
        rule.check_fields(&[
            "id",
            "rank",
            "segment",
            "segments",
            "operator",
            "distributions",
        ])?;
        let segment = rule.field("segment").or_else(|| rule.field("segments"));
        let Some(segment) = segment else {
            return left_out("a rule has no segment");
        };
        let mut shares = Vec::new();
        for share in rule.items_of("distributions")? {
            let choice = text(share.required_text("variant")?)?;
            shares.push((choice, percent(&share.required("rollout")?)?));
        }
        match taken(&segment, segments)? {
            Taken::Everybody => {
                rules.shares(shares, Unit::Percent)?;
                if !rules.are_whole() {
                    return left_out("the percentages of a rule are not 100 in total");
                }
            }
            Taken::Ids(ids) => match shares.as_slice() {
                [(choice, Decimal::HUNDRED)] => rules.list(choice.clone(), ids)?,
                _ => return left_out("a rule has both a list of ids and percentages"),
            },
        }
    }
    Ok(rules)
}

/// Whom the segments of a rule take: a name, a list of names, or fields.
fn taken(of_rule: &Item<'_>, segments: &[Item<'_>]) -> Read<Taken> {
    let key = match of_rule.kind() {
        Kind::Text(key) => key.as_str(),
        Kind::List(_) => return left_out("a rule is for several segments"),
        _ => {
            let keys = of_rule.texts_of("keys")?;
            match (of_rule.text_of("key")?, keys.as_slice()) {
                (Some(key), []) => key,
                (None, [key]) => key,
                _ => return left_out("a rule is for several segments"),
            }
        }
    };
    for segment in segments {
        if segment.required_text("key")? == key {
            return members(segment, key);
        }
    }
    left_out(format!("the segment {key} is not in the file"))
}

fn members(segment: &Item<'_>, key: &str) -> Read<Taken> {
    let constraints = segment.items_of("constraints")?;
    if constraints.is_empty() {
        return Ok(Taken::Everybody);
    }
    let is_any = segment.text_of("match_type")? == Some("ANY_MATCH_TYPE");
    let mut ids = Vec::new();
    for constraint in &constraints {
        let is_of_ids = constraint.text_of("type")? == Some("ENTITY_ID_COMPARISON_TYPE");
        let value = constraint.text_of("value")?.unwrap_or_default();
        let listed = match constraint.text_of("operator")? {
            Some("eq") if is_of_ids => Some(vec![value.to_owned()]),
            Some("isoneof") if is_of_ids => serde_json::from_str(value).ok(),
            _ => None,
        };
        match listed {
            Some(listed) if is_any || constraints.len() == 1 => ids.extend(listed),
            _ => return left_out(format!("the segment {key} is no list of ids")),
        }
    }
    Ok(Taken::Ids(ids))
}

fn text(key: &str) -> Read<Choice> {
    match FlagValue::text(key) {
        Ok(value) => Ok(Choice::new(key, value)),
        Err(invalid) => left_out(invalid.to_string()),
    }
}

fn percent(item: &Item<'_>) -> Read<Decimal> {
    let percent = Decimal::parse(item.digits()?);
    percent.map_or_else(|| item.expected("a percentage"), Ok)
}
