//! `LaunchDarkly`: the answer of `GET /api/v2/flags/PROJECT?summary=0`, a list of flags, or one flag.
//!
//! A flag has positions of values (`variations`), and for each environment: off, then lists of ids (`targets`), then rules,
//! then everybody else (`fallthrough`). Weights are thousandths of a percent.

use flag_model::FlagValue;

use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::{Decimal, Unit};
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};
use crate::flag_file::Kind;

/// What decides, or is harmless, in an environment.
const ENVIRONMENT: &[&str] = &[
    "on",
    "archived",
    "salt",
    "sel",
    "lastModified",
    "version",
    "targets",
    "contextTargets",
    "rules",
    "fallthrough",
    "offVariation",
    "prerequisites",
    "_site",
    "_environmentName",
    "_access",
    "_summary",
    "trackEvents",
    "trackEventsFallthrough",
    "debugEventsUntilDate",
    "_debugEventsUntilDate",
];

const RULE: &[&str] = &[
    "_id",
    "ref",
    "description",
    "variation",
    "clauses",
    "trackEvents",
];

const CLAUSE: &[&str] = &["_id", "attribute", "op", "values", "contextKind"];

/// The seed only chooses who is in the shares, which changes anyway.
const ROLLOUT: &[&str] = &["variations", "contextKind", "bucketBy", "seed", "kind"];

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    flags(root).is_ok_and(|flags| {
        flags.first().is_some_and(|flag| {
            flag.field("variations").is_some() && flag.field("environments").is_some()
        })
    })
}

/// Reads its flags.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    let Some(flags) = collector.read(flags(root)) else {
        return Ok(());
    };
    let mut found = Vec::new();
    for flag in &flags {
        let environments = flag.field("environments");
        let entries = environments.map_or(Ok(Vec::new()), |item| item.entries());
        for (name, _) in collector.read(entries).into_iter().flatten() {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    let environment = collector.environment(&found)?;
    for flag in &flags {
        if let Some(name) = collector.read(flag.required_text("key"))
            && let Some(about) = collector.read(about(flag))
        {
            collector.flag(name, flag, &about, decides(flag, &environment));
        }
    }
    Ok(())
}

fn flags<'n>(root: &Item<'n>) -> Read<Vec<Item<'n>>> {
    match (root.field("items"), root.kind()) {
        (Some(items), _) => items.items(),
        (None, Kind::List(_)) => root.items(),
        (None, _) => Ok(vec![root.clone()]),
    }
}

fn about<'n>(flag: &Item<'n>) -> Read<About<'n>> {
    let maintainer = flag.field("_maintainer");
    let owner = maintainer.map_or(Ok(None), |person| person.text_of("email"))?;
    let tags = flag.texts_of("tags")?;
    Ok(About {
        descriptions: vec![flag.text_of("description")?, flag.text_of("name")?],
        owner,
        tags: tags.into_iter().map(str::to_owned).collect(),
    })
}

fn decides(flag: &Item<'_>, environment: &str) -> Read<Decides> {
    let variations = choices(flag)?;
    let choice = |at: &Item<'_>| -> Read<Choice> {
        let found = variations.get(at.index()?);
        found.map_or_else(
            || at.expected("the position of a value"),
            |found| Ok(found.clone()),
        )
    };
    let environments = flag.required("environments")?;
    let Some(rules) = environments.field(environment) else {
        return left_out(format!("it is not in the environment {environment}"));
    };
    if rules.boolean_of("archived")? == Some(true) || flag.boolean_of("archived")? == Some(true) {
        return left_out("it is archived");
    }
    rules.check_fields(ENVIRONMENT)?;
    let off = rules
        .field("offVariation")
        .map(|at| choice(&at))
        .transpose()?;
    if !rules.required("on")?.boolean()? {
        return off_for_everybody(&rules, off);
    }
    if !rules.items_of("prerequisites")?.is_empty() {
        return left_out("it has prerequisites, other flags that decide first");
    }
    let Some(fallthrough) = rules.field("fallthrough") else {
        return left_out("the file has only a summary of it; ask the API with ?summary=0");
    };
    let mut decides = Decides {
        control: off.map(Choice::into_value),
        ..ImportedRules::default().into()
    };
    let ordered = &mut decides.rules;
    for target in targets(&rules)? {
        let at = target.required("variation")?;
        ordered.list(choice(&at)?, target.texts_of("values")?)?;
    }
    for rule in rules.items_of("rules")? {
        let ids = ids_of(&rule)?;
        ordered.list(choice(&rule.required("variation")?)?, ids)?;
    }
    fallthrough.check_fields(&["variation", "rollout"])?;
    match (fallthrough.field("variation"), fallthrough.field("rollout")) {
        (Some(at), None) => ordered.everybody(choice(&at)?),
        (None, Some(rollout)) => shares(&rollout, choice, ordered)?,
        _ => return fallthrough.expected("one value, or a share for each of several"),
    }
    Ok(decides)
}

/// Off: its lists would count in ours, so they are not carried over.
fn off_for_everybody(rules: &Item<'_>, off: Option<Choice>) -> Read<Decides> {
    let Some(off) = off else {
        return left_out("it is off, and has no value for that: callers use their own");
    };
    let mut decides: Decides = ImportedRules::of_everybody(off.clone()).into();
    decides.control = Some(off.into_value());
    let has = |name: &str| rules.items_of(name).map(|items| !items.is_empty());
    let has_rollout = rules
        .field("fallthrough")
        .is_some_and(|everybody| everybody.field("rollout").is_some());
    if has("targets")? || has("contextTargets")? || has("rules")? || has_rollout {
        let part = "it is off; its lists, rules and percentages, which do not count then";
        decides.parts.push(part.to_owned());
    }
    Ok(decides)
}

/// The values by position: all booleans, or all texts.
fn choices(flag: &Item<'_>) -> Read<Vec<Choice>> {
    let variations = flag.required("variations")?.items()?;
    let choices = variations.iter().map(|variation| {
        let name = variation.text_of("name")?;
        let value = variation.required("value")?;
        match value.kind() {
            Kind::Boolean(boolean) => Ok(Choice::boolean(*boolean)),
            Kind::Text(text) => match FlagValue::text(text) {
                Ok(value) => Ok(Choice::new(name.unwrap_or(text), value)),
                Err(invalid) => left_out(invalid.to_string()),
            },
            Kind::Number(_) => left_out("its values are numbers"),
            Kind::List(_) | Kind::Map(_) | Kind::Null => left_out("its values are JSON"),
        }
    });
    choices.collect()
}

/// The lists of ids of users; lists of other kinds are refused.
fn targets<'n>(rules: &Item<'n>) -> Read<Vec<Item<'n>>> {
    let mut targets = rules.items_of("targets")?;
    targets.extend(rules.items_of("contextTargets")?);
    for target in &targets {
        let kind = target.text_of("contextKind")?.unwrap_or("user");
        if kind != "user" && !target.items_of("values")?.is_empty() {
            return left_out(format!("it lists ids of the kind `{kind}`"));
        }
    }
    targets.retain(|target| {
        target
            .field("values")
            .is_some_and(|ids| !ids.says_nothing())
    });
    Ok(targets)
}

/// The ids of a rule, if it is for ids alone.
fn ids_of<'n>(rule: &Item<'n>) -> Read<Vec<&'n str>> {
    rule.check_fields(RULE)?;
    let clauses = rule.items_of("clauses")?;
    let [clause] = clauses.as_slice() else {
        return left_out("a rule has several conditions");
    };
    let text = |name: &str| Ok(clause.text_of(name)?.unwrap_or_default());
    let (attribute, op) = (text("attribute")?, text("op")?);
    if op == "segmentMatch" {
        let names = clause.texts_of("values")?.join(", ");
        return left_out(format!("a rule for the segment {names}"));
    }
    let kind = clause.text_of("contextKind")?.unwrap_or("user");
    if (attribute, op, kind) != ("key", "in", "user") {
        return left_out(format!("a rule by the attribute `{attribute}`"));
    }
    clause.check_fields(CLAUSE)?;
    clause.texts_of("values")
}

fn shares(
    rollout: &Item<'_>,
    choice: impl Fn(&Item<'_>) -> Read<Choice>,
    rules: &mut ImportedRules,
) -> Read<()> {
    rollout.check_fields(ROLLOUT)?;
    let kind = rollout.text_of("contextKind")?.unwrap_or("user");
    let by = rollout.text_of("bucketBy")?.unwrap_or("key");
    if (kind, by) != ("user", "key") {
        return left_out(format!(
            "its percentages are by `{kind}.{by}`, ours by the id"
        ));
    }
    if rollout.text_of("kind")? == Some("experiment") {
        return left_out("an experiment runs on it");
    }
    let mut shares = Vec::new();
    for share in rollout.required("variations")?.items()? {
        let weight = share.required("weight")?;
        let Some(amount) = Decimal::parse(weight.digits()?) else {
            return weight.expected("thousandths of a percent");
        };
        shares.push((choice(&share.required("variation")?)?, amount));
    }
    rules.shares(shares, Unit::Bucket)
}
