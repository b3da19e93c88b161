//! Changes, adds or removes a treatment.

use std::collections::HashSet;

use flag_model::{
    FlagType, FlagValue, FormatVersion, InstanceId, InvalidPercent, Percent, Revision, Treatment,
    TreatmentName, quoted,
};

use super::error::{ArgumentError, named};
use super::one_by_one;
use super::scheme::RESALT;
use crate::args::TreatmentArgs;
use crate::shell::word;

/// What a treatment must agree with.
pub(super) struct TreatmentRules<'a> {
    /// The control value of the next revision.
    pub(super) control: &'a FlagValue,
    /// The version of the next revision.
    pub(super) version: FormatVersion,
    /// Whether the flag has no revision yet.
    pub(super) is_first: bool,
}

/// The treatments as the arguments change them, with the ranges that they had before.
pub(super) fn edit(
    newest: Option<&Revision>,
    args: &TreatmentArgs,
    rules: &TreatmentRules<'_>,
) -> Result<Vec<Treatment>, ArgumentError> {
    let mut treatments = newest.map_or_else(Vec::new, |newest| newest.treatments.clone());
    if *args == TreatmentArgs::default() {
        return Ok(treatments);
    }
    let at = select(&newest.map_or_else(Vec::new, groups), args)?;
    if args.remove {
        if at >= treatments.len() {
            return usage("--remove-treatment: there is no treatment to remove".to_owned());
        }
        treatments.remove(at);
    } else if let Some(treatment) = treatments.get_mut(at) {
        change(treatment, args, rules)?;
    } else {
        treatments.push(added(args, rules)?);
    }
    take_from_others(&mut treatments, at, args);
    Ok(treatments)
}

/// The position of the selected treatment; one past the last for a new one.
fn select(groups: &[String], args: &TreatmentArgs) -> Result<usize, ArgumentError> {
    let Some(selector) = &args.selector else {
        if groups.len() <= 1 {
            return Ok(0);
        }
        let selectors = selectors(groups);
        return usage(format!("--treatment is required: use {selectors}"));
    };
    let at = selected(groups, selector)?;
    let nothing_else = TreatmentArgs {
        selector: args.selector.clone(),
        ..TreatmentArgs::default()
    };
    if *args == nothing_else && at < groups.len() {
        return usage(format!(
            "--treatment {selector}: give an option that changes it"
        ));
    }
    Ok(at)
}

/// The treatment that a selector names. `#2`, `#new` and `name:…` are exact; any other text may be a position or a name,
/// and must match one treatment.
fn selected(groups: &[String], selector: &str) -> Result<usize, ArgumentError> {
    let named = |name: &str| {
        let named = groups
            .iter()
            .enumerate()
            .filter(|(_, group)| *group == name);
        named.map(|(at, _)| at).collect::<Vec<usize>>()
    };
    let mut fits = if let Some(position) = selector.strip_prefix('#') {
        Vec::from_iter(by_position(groups, position))
    } else if let Some(name) = selector.strip_prefix("name:") {
        named(name)
    } else {
        let position = by_position(groups, selector);
        position.into_iter().chain(named(selector)).collect()
    };
    fits.sort_unstable();
    fits.dedup();
    match fits.as_slice() {
        [] => usage(unknown(groups, selector)),
        [at] => Ok(*at),
        _ => usage(ambiguous(groups, selector, &fits)),
    }
}

/// The treatment at a position, counted from 1; one past the last for `new`.
fn by_position(groups: &[String], position: &str) -> Option<usize> {
    if position == "new" {
        return Some(groups.len());
    }
    let at = position.parse::<usize>().ok()?.checked_sub(1)?;
    (at < groups.len()).then_some(at)
}

/// The treatments that a selector matches, each with its exact selector.
fn ambiguous(groups: &[String], selector: &str, fits: &[usize]) -> String {
    let exact = fits.iter().map(|&at| match groups.get(at) {
        Some(group) => format!("'#{}' for {}", at + 1, quoted(group)),
        None => "'#new' for another one".to_owned(),
    });
    let exact: Vec<String> = exact.collect();
    let selector = quoted(selector);
    format!(
        "--treatment: {selector} matches several treatments; use {}",
        exact.join(" or ")
    )
}

fn unknown(groups: &[String], selector: &str) -> String {
    let found = quoted(selector);
    if groups.is_empty() {
        return format!("--treatment: found {found}, expected new, as the flag has no treatment");
    }
    let selectors = selectors(groups);
    format!("--treatment: found {found}, but there is no such treatment; use {selectors}")
}

/// The exact selector of every treatment.
fn selectors(groups: &[String]) -> String {
    let each = groups.iter().enumerate().map(|(at, group)| {
        let (position, name) = (at + 1, word(&format!("name:{group}")));
        format!("'#{position}' (or {name})")
    });
    let each: Vec<String> = each.collect();
    format!("{}, or '#new' for another one", each.join(", "))
}

/// The rollout groups of the treatments, by position.
fn groups(revision: &Revision) -> Vec<String> {
    let positions = 0..revision.treatments.len();
    positions.map(|at| revision.group(at)).collect()
}

fn added(args: &TreatmentArgs, rules: &TreatmentRules<'_>) -> Result<Treatment, ArgumentError> {
    let value = match (&args.value, rules.control) {
        (None, FlagValue::Boolean(control)) => FlagValue::Boolean(!control),
        (None, FlagValue::Text(_)) => {
            return usage(
                "--value is required: a new treatment of a data flag has none".to_owned(),
            );
        }
        (Some(text), _) => value(text, rules.control.flag_type())?,
    };
    let mut treatment = Treatment {
        name: None,
        overrides: Vec::new(),
        percent: Percent::ZERO,
        value,
        ranges: Vec::new(),
    };
    change(&mut treatment, args, rules)?;
    Ok(treatment)
}

fn change(
    treatment: &mut Treatment,
    args: &TreatmentArgs,
    rules: &TreatmentRules<'_>,
) -> Result<(), ArgumentError> {
    if let Some(text) = &args.percent {
        treatment.percent = percent(text, rules)?;
    }
    if let Some(text) = &args.value {
        treatment.value = value(text, rules.control.flag_type())?;
    }
    if let Some(text) = &args.treatment_name {
        treatment.name = Some(name(text, rules)?);
    }
    add_overrides(&mut treatment.overrides, &args.overrides)?;
    add_from_file(&mut treatment.overrides, &args.file_overrides)?;
    remove_overrides(&mut treatment.overrides, &args.removed_overrides)
}

fn percent(text: &str, rules: &TreatmentRules<'_>) -> Result<Percent, ArgumentError> {
    let version = rules.version;
    let percent = Percent::parse(text, FormatVersion::V2)
        .map_err(|invalid| InvalidPercent { version, ..invalid })?;
    if !percent.is_whole() {
        needs_version_2(rules, || format!("--percent {percent}"))?;
    }
    Ok(percent)
}

fn name(text: &str, rules: &TreatmentRules<'_>) -> Result<TreatmentName, ArgumentError> {
    let name = TreatmentName::new(text).map_err(|invalid| named("--treatment-name", invalid))?;
    needs_version_2(rules, || format!("--treatment-name {name}"))?;
    Ok(name)
}

fn needs_version_2(
    rules: &TreatmentRules<'_>,
    what: impl FnOnce() -> String,
) -> Result<(), ArgumentError> {
    let otherwise = match (rules.version, rules.is_first) {
        (FormatVersion::V2, _) => return Ok(()),
        (FormatVersion::V1, true) => "--format-version 1 was asked for",
        (FormatVersion::V1, false) => RESALT,
    };
    Err(ArgumentError::NeedsVersion2 {
        what: what(),
        otherwise,
    })
}

fn value(text: &str, flag_type: FlagType) -> Result<FlagValue, ArgumentError> {
    FlagValue::parse(flag_type, text).map_err(|invalid| named("--value", invalid))
}

fn add_overrides(
    overrides: &mut Vec<InstanceId<'static>>,
    ids: &[String],
) -> Result<(), ArgumentError> {
    let mut added = Vec::with_capacity(ids.len());
    let mut listed: HashSet<&str> = overrides.iter().map(InstanceId::as_str).collect();
    for id in ids {
        refuse_several_ids(id)?;
        let valid = InstanceId::new(id.clone()).map_err(|invalid| named("--override", invalid))?;
        if !listed.insert(id) {
            let id = quoted(id);
            return usage(format!("--override: {id} is in the override list already"));
        }
        added.push(valid);
    }
    overrides.extend(added);
    Ok(())
}

/// Adds the ids of a file, except those that are listed; no id is too odd for it.
fn add_from_file(
    overrides: &mut Vec<InstanceId<'static>>,
    ids: &[String],
) -> Result<(), ArgumentError> {
    let mut listed: HashSet<String> = overrides.iter().map(ToString::to_string).collect();
    for id in ids.iter().filter(|id| listed.insert(String::clone(id))) {
        let valid = InstanceId::new(id.clone());
        overrides.push(valid.map_err(|invalid| named("--overrides-file", invalid))?);
    }
    Ok(())
}

/// Takes the ids that were added to one treatment out of the lists of the others, so that they move in one revision.
fn take_from_others(treatments: &mut [Treatment], at: usize, args: &TreatmentArgs) {
    let added = args.overrides.iter().chain(&args.file_overrides);
    let added: HashSet<&str> = added.map(String::as_str).collect();
    let others = treatments.iter_mut().enumerate();
    for (_, other) in others.filter(|(other, _)| *other != at) {
        other.overrides.retain(|id| !added.contains(id.as_str()));
    }
}

/// Refuses a list of ids or a file of ids, which would be taken for one id.
fn refuse_several_ids(id: &str) -> Result<(), ArgumentError> {
    const ELSE: &str = "to add an id that is really spelled like this, use `flagctl apply`";
    if id.contains(',') {
        let message = one_by_one("--override", "id", id);
        return usage(format!("{message}; {ELSE}"));
    }
    if let Some(file) = id.strip_prefix('@') {
        let (found, file) = (quoted(id), word(file));
        return usage(format!(
            "--override: found {found}, which is one id; use `--overrides-file {file}` for a file of ids; {ELSE}"
        ));
    }
    Ok(())
}

fn remove_overrides(
    overrides: &mut Vec<InstanceId<'static>>,
    ids: &[String],
) -> Result<(), ArgumentError> {
    let mut listed: HashSet<&str> = overrides.iter().map(InstanceId::as_str).collect();
    if let Some(id) = ids.iter().find(|id| !listed.remove(id.as_str())) {
        let id = quoted(id);
        return usage(format!(
            "--remove-override: {id} is not in the override list"
        ));
    }
    let removed: HashSet<&str> = ids.iter().map(String::as_str).collect();
    overrides.retain(|id| !removed.contains(id.as_str()));
    Ok(())
}

fn usage<T>(message: String) -> Result<T, ArgumentError> {
    Err(ArgumentError::Usage(message))
}
