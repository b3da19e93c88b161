//! The bucket scheme of the next revision: the same as before, except with `--resalt`.

use flag_model::{
    AlgorithmSource, BucketScheme, FlagKey, FlagName, FormatVersion, HashAlgorithm, Salt,
};

use super::error::{ArgumentError, named};
use crate::args::SchemeArgs;

/// How to move a flag from version 1 to version 2, for messages.
pub(super) const RESALT: &str = "the flag has version 1 and keeps it, and with it everybody's bucket; \
     --resalt moves it to version 2 and gives everybody a new bucket";

/// The bucket scheme of the next revision; `v1` is the default hash algorithm of version 1.
pub(super) fn next(
    flag: &FlagKey,
    newest: Option<&BucketScheme>,
    args: &SchemeArgs,
    v1: HashAlgorithm,
) -> Result<BucketScheme, ArgumentError> {
    if newest.is_some() && args.salt.is_some() {
        return usage(
            "--salt is for a first revision; --resalt gives everybody a new bucket".into(),
        );
    }
    match (newest, &args.resalt) {
        (None, None) => first(&flag.name, args, v1),
        (None, Some(_)) => usage(format!(
            "--resalt: {flag} has no revision yet; leave it out"
        )),
        (Some(newest), None) => kept(newest, args),
        (Some(newest), Some(salt)) => resalted(&flag.name, newest, salt.as_deref(), args),
    }
}

fn first(
    name: &FlagName,
    args: &SchemeArgs,
    v1: HashAlgorithm,
) -> Result<BucketScheme, ArgumentError> {
    let algorithm = parse(args.algorithm.as_deref())?;
    match (args.format_version, &args.salt) {
        (Some(FormatVersion::V1), Some(_)) => {
            usage("--salt: version 1 has none; leave it out, or --format-version 1".into())
        }
        (Some(FormatVersion::V1), None) => Ok(algorithm.map_or(BucketScheme::v1(v1), of_version_1)),
        (Some(FormatVersion::V2) | None, salt) => Ok(BucketScheme::V2 {
            algorithm: algorithm.unwrap_or(HashAlgorithm::Md5),
            salt: match salt {
                Some(salt) => Salt::new(salt).map_err(|invalid| named("--salt", invalid))?,
                None => default_salt(name, "--salt")?,
            },
        }),
    }
}

/// Version 1 with a hash algorithm that its row names.
fn of_version_1(algorithm: HashAlgorithm) -> BucketScheme {
    BucketScheme::V1 {
        algorithm,
        source: AlgorithmSource::Row,
    }
}

/// The name of the flag as a salt; an error with advice if it is invalid as one.
fn default_salt(name: &FlagName, option: &str) -> Result<Salt, ArgumentError> {
    Salt::try_from(name).map_err(|invalid| {
        ArgumentError::Usage(format!(
            "{option} is required: the flag's name, {}, cannot be its salt, which has {}",
            invalid.found, invalid.expected
        ))
    })
}

fn kept(newest: &BucketScheme, args: &SchemeArgs) -> Result<BucketScheme, ArgumentError> {
    if parse(args.algorithm.as_deref())?.is_some() {
        return usage(
            "--algorithm gives everybody a new bucket, which --resalt must confirm".into(),
        );
    }
    match (newest.version(), args.format_version) {
        (FormatVersion::V1, Some(FormatVersion::V2)) => Err(ArgumentError::NeedsVersion2 {
            what: "--format-version 2".to_owned(),
            otherwise: RESALT,
        }),
        (FormatVersion::V2, Some(FormatVersion::V1)) => usage(
            "--format-version 1: the flag has version 2, and cannot go back to version 1".into(),
        ),
        _ => Ok(newest.clone()),
    }
}

fn resalted(
    name: &FlagName,
    newest: &BucketScheme,
    salt: Option<&str>,
    args: &SchemeArgs,
) -> Result<BucketScheme, ArgumentError> {
    if args.format_version == Some(FormatVersion::V1) {
        return usage("--resalt: version 1 has no salt; leave out --format-version 1".into());
    }
    let algorithm = parse(args.algorithm.as_deref())?;
    match newest {
        BucketScheme::V1 { .. } => Ok(BucketScheme::V2 {
            algorithm: algorithm.unwrap_or(HashAlgorithm::Md5),
            salt: salt.map_or_else(|| default_salt(name, "--resalt SALT"), new_salt)?,
        }),
        BucketScheme::V2 {
            algorithm: current,
            salt: old,
        } => match salt {
            Some(salt) if salt != old.as_str() => Ok(BucketScheme::V2 {
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

fn usage(message: String) -> Result<BucketScheme, ArgumentError> {
    Err(ArgumentError::Usage(message))
}

fn new_salt(text: &str) -> Result<Salt, ArgumentError> {
    Salt::new(text).map_err(|invalid| named("--resalt", invalid))
}

fn parse(algorithm: Option<&str>) -> Result<Option<HashAlgorithm>, ArgumentError> {
    Ok(algorithm.map(HashAlgorithm::parse).transpose()?)
}

/// A salt to suggest: `name.2`, or the next number if the salt has one.
fn successor(name: &FlagName, salt: &Salt) -> String {
    let number = salt.as_str().strip_prefix(name.as_str());
    let number = number.and_then(|rest| rest.strip_prefix('.')?.parse::<u32>().ok());
    format!("{name}.{}", number.unwrap_or(1).saturating_add(1))
}
