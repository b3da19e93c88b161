//! What arguments mean: from them and the newest revision to the next row. No I/O, no clock.
mod error;
mod scheme;
mod short_form;
#[cfg(test)]
mod tests;
mod treatments;

use flag_model::{
    BucketScheme, Date, FlagKey, FlagValue, HashAlgorithm, Invalid, MetadataParts, NewName,
    OwnerId, Revision, RevisionParts, Timestamp, quoted,
};
use flag_rollout::assign_buckets;
use flag_store::TimeRange;

pub(crate) use self::error::ArgumentError;
use self::error::named;
pub(crate) use self::short_form::ShortForm;
use crate::args::{AddArgs, OwnerArgs, ReviseArgs};
use crate::environment::Variables;
use crate::owner::{OWNER_VARIABLES, non_blank};
use crate::shell::word;

/// How many options a message spells out.
const LISTED: usize = 5;

/// Refuses a name that no new flag may have; one that is stored already is not new.
pub(crate) fn new_name(flag: &FlagKey, allowed: NewName) -> Result<(), Invalid> {
    flag.project.check_new()?;
    let Err(mut invalid) = flag.name.check_new(allowed) else {
        return Ok(());
    };
    if flag.name.check_new(NewName::Any).is_ok() {
        invalid.expected += "; --any-name takes it as it is";
    }
    Err(invalid)
}

/// The time from one instant to another.
pub(crate) fn time_range(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<TimeRange, ArgumentError> {
    match since.zip(until) {
        Some((since, until)) if since >= until => Err(ArgumentError::Usage(format!(
            "--since {since} is not before --until {until}"
        ))),
        _ => Ok(TimeRange { since, until }),
    }
}

/// The first metadata of a flag.
pub(crate) fn first_metadata(
    flag: FlagKey,
    args: &AddArgs,
    variables: &Variables,
) -> Result<MetadataParts, ArgumentError> {
    Ok(MetadataParts {
        flag,
        description: required_text("Description", &args.description)?,
        owner: Some(owner(&args.owner, variables)?),
        edited_by: Some(editor(variables)?),
        ticket: args.ticket.clone(),
        tags: args
            .tags
            .iter()
            .map(|tag| self::tag(tag))
            .collect::<Result<_, _>>()?,
        expires_on: args.expires_on,
    })
}

/// A tag; a comma-separated list is refused.
pub(crate) fn tag(text: &str) -> Result<String, ArgumentError> {
    if text.contains(',') {
        return Err(ArgumentError::Usage(one_by_one("--tag", "tag", text)));
    }
    Ok(text.to_owned())
}

/// The refusal of a comma-separated list, with one option per item.
fn one_by_one(option: &str, what: &str, text: &str) -> String {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let options = parts.map(|part| {
        // A part that begins with a hyphen needs a `=`.
        let between = if part.starts_with('-') { '=' } else { ' ' };
        format!("{option}{between}{}", word(part))
    });
    let options: Vec<String> = options.take(LISTED).collect();
    let (found, options) = (quoted(text), options.join(" "));
    format!(
        "{option}: found {found}, which would be one {what} with a comma in it; use `{options}`"
    )
}

/// The next revision of a flag: the arguments applied to the newest one, if that can be read; none if nothing changes.
/// `scheme` is that of the flag, if it has one, and `v1_algorithm` the default hash algorithm of version 1.
pub(crate) fn next_revision(
    flag: &FlagKey,
    newest: Option<&Revision>,
    scheme: Option<&BucketScheme>,
    args: &ReviseArgs,
    v1_algorithm: HashAlgorithm,
    variables: &Variables,
) -> Result<Option<RevisionParts>, ArgumentError> {
    let scheme = scheme::next(flag, scheme, &args.scheme, v1_algorithm)?;
    let control = control(flag, newest, args)?;
    let rules = treatments::TreatmentRules {
        control: &control,
        version: scheme.version(),
        is_first: newest.is_none(),
    };
    let treatments = treatments::edit(newest, &args.treatment, &rules)?;
    let mut parts = RevisionParts {
        flag: flag.clone(),
        scheme,
        control,
        treatments,
        comment: comment(args)?,
        owner: Some(owner(&args.owner, variables)?),
        rollback_of: None,
    };
    if newest.is_some_and(|newest| is_unchanged(newest, &parts)) {
        return Ok(None);
    }
    let keeps_buckets = newest.is_none_or(|newest| newest.scheme == parts.scheme);
    assign_buckets(&mut parts, keeps_buckets);
    Ok(Some(parts))
}

/// Whether two revisions differ in nothing but who made them, when and why.
fn is_unchanged(newest: &Revision, parts: &RevisionParts) -> bool {
    newest.scheme == parts.scheme
        && newest.control == parts.control
        && newest.treatments == parts.treatments
}

fn comment(args: &ReviseArgs) -> Result<String, ArgumentError> {
    match &args.comment {
        Some(comment) => required_text("Comment", comment),
        None => Err(ArgumentError::Usage(
            "--comment is required: say why, as in `-m 'CSR-12: greet everybody'`".to_owned(),
        )),
    }
}

fn control(
    flag: &FlagKey,
    newest: Option<&Revision>,
    args: &ReviseArgs,
) -> Result<FlagValue, ArgumentError> {
    match (&args.control, newest) {
        (Some(text), _) => value(flag, "--control", text),
        (None, Some(newest)) => Ok(newest.control.clone()),
        (None, None) => Err(ArgumentError::Usage(format!(
            "--control is required: {flag} has no revision yet whose control value could be kept"
        ))),
    }
}

fn value(flag: &FlagKey, option: &str, text: &str) -> Result<FlagValue, ArgumentError> {
    FlagValue::parse(flag.flag_type, text).map_err(|invalid| named(option, invalid))
}

/// Refuses a day in the past, usually a mistyped year.
pub(crate) fn not_past(
    field: &str,
    last: Option<Date>,
    today: Option<Date>,
) -> Result<(), Invalid> {
    match last.zip(today) {
        Some((last, today)) if last < today => {
            let expected = format!("{today}, which is today in UTC, or a later day");
            Err(Invalid::new(field, last.to_string(), expected))
        }
        _ => Ok(()),
    }
}

/// A text that must not be blank.
pub(crate) fn required_text(field: &str, text: &str) -> Result<String, ArgumentError> {
    if text.trim().is_empty() {
        return Err(Invalid::new(field, quoted(text), "some text").into());
    }
    Ok(text.to_owned())
}

/// The owner in the arguments, else the current user.
pub(crate) fn owner(args: &OwnerArgs, variables: &Variables) -> Result<OwnerId, ArgumentError> {
    match &args.owner {
        Some(owner) => named_owner(owner),
        None => editor(variables),
    }
}

/// The owner in `--owner`.
pub(crate) fn named_owner(owner: &str) -> Result<OwnerId, ArgumentError> {
    OwnerId::new(required_text("--owner", owner)?).map_err(|invalid| named("--owner", invalid))
}

/// The current user, from the environment.
pub(crate) fn editor(variables: &Variables) -> Result<OwnerId, ArgumentError> {
    for name in OWNER_VARIABLES {
        if let Some(value) = non_blank(variables, name) {
            let owner = OwnerId::new(value.to_string_lossy());
            return owner.map_err(|invalid| named(&format!("variable {name}"), invalid));
        }
    }
    let message =
        "it is unknown who makes the change: add --owner ID, or set FLAG_OWNER".to_owned();
    Err(ArgumentError::Usage(message))
}
