//! How the next revision places instances: the same way as before, unless a reshuffle is asked for by name.

use flag_model::{FlagKey, FlagName, Format, FormatVersion, HashAlgorithm, Salt};

use super::{PlanError, named};
use crate::args::FormatArgs;

/// How a flag of version 1 gets to version 2, for messages.
pub(super) const RESALT: &str = "the flag has version 1 and keeps it, and with it everybody's bucket; \
     --resalt moves it to version 2 and gives everybody a new bucket";

/// The format of the next revision.
pub(super) fn plan(
    flag: &FlagKey,
    newest: Option<&Format>,
    typed: &FormatArgs,
) -> Result<Format, PlanError> {
    match (newest, &typed.resalt) {
        (None, None) => first(&flag.name, typed),
        (None, Some(_)) => usage(format!(
            "--resalt: {flag} has no revision yet; leave it out"
        )),
        (Some(newest), None) => kept(newest, typed),
        (Some(newest), Some(salt)) => resalted(&flag.name, newest, salt.as_deref(), typed),
    }
}

fn first(name: &FlagName, typed: &FormatArgs) -> Result<Format, PlanError> {
    match (typed.format_version, &typed.algorithm) {
        (Some(FormatVersion::V1), None) => Ok(Format::V1),
        (Some(FormatVersion::V1), Some(_)) => usage(
            "--algorithm: version 1 is always md5; leave it out, or --format-version 1".into(),
        ),
        (Some(FormatVersion::V2) | None, algorithm) => Ok(Format::V2 {
            algorithm: parse(algorithm.as_deref())?.unwrap_or(HashAlgorithm::Md5),
            salt: Salt::from(name),
        }),
    }
}

fn kept(newest: &Format, typed: &FormatArgs) -> Result<Format, PlanError> {
    if parse(typed.algorithm.as_deref())?.is_some() {
        return usage("--algorithm gives everybody a new bucket: say so with --resalt".into());
    }
    match (newest.version(), typed.format_version) {
        (FormatVersion::V1, Some(FormatVersion::V2)) => Err(PlanError::NeedsVersion2 {
            what: "--format-version 2".to_owned(),
            otherwise: RESALT,
        }),
        (FormatVersion::V2, Some(FormatVersion::V1)) => usage(
            "--format-version 1: the flag has version 2, from which there is no way back".into(),
        ),
        _ => Ok(newest.clone()),
    }
}

fn resalted(
    name: &FlagName,
    newest: &Format,
    salt: Option<&str>,
    typed: &FormatArgs,
) -> Result<Format, PlanError> {
    if typed.format_version == Some(FormatVersion::V1) {
        return usage("--resalt: version 1 has no salt; leave out --format-version 1".into());
    }
    let algorithm = parse(typed.algorithm.as_deref())?;
    match newest {
        Format::V1 => Ok(Format::V2 {
            algorithm: algorithm.unwrap_or(HashAlgorithm::Md5),
            salt: salt.map_or_else(|| Ok(Salt::from(name)), new_salt)?,
        }),
        Format::V2 {
            algorithm: current,
            salt: old,
        } => match salt {
            Some(salt) if salt != old.as_str() => Ok(Format::V2 {
                algorithm: algorithm.unwrap_or(*current),
                salt: new_salt(salt)?,
            }),
            _ => usage(format!(
                "--resalt: the flag has the salt {old}; give another one, for instance --resalt {}",
                successor(name, old)
            )),
        },
    }
}

fn usage(message: String) -> Result<Format, PlanError> {
    Err(PlanError::Usage(message))
}

fn new_salt(text: &str) -> Result<Salt, PlanError> {
    Salt::new(text).map_err(|invalid| named("--resalt", invalid))
}

fn parse(algorithm: Option<&str>) -> Result<Option<HashAlgorithm>, PlanError> {
    Ok(algorithm.map(HashAlgorithm::parse).transpose()?)
}

/// A salt to suggest: `name.2`, or the next number where the salt has one already.
fn successor(name: &FlagName, salt: &Salt) -> String {
    let number = salt.as_str().strip_prefix(name.as_str());
    let number = number.and_then(|rest| rest.strip_prefix('.')?.parse::<u32>().ok());
    format!("{name}.{}", number.unwrap_or(1).saturating_add(1))
}
