//! Results on standard output, talk on standard error.
mod json;
mod table;

use std::io::{self, ErrorKind, Write as _};

use flag_model::{BucketRange, FlagKey, Format, Metadata, Revision, Timestamp};
use flag_rollout::consecutive;
use flag_store::{FlagRowKey, Row, UnreadableRow};
use serde::Serialize;

use crate::args::Form;
use crate::failure::Failure;

/// Tells a person what happened.
pub(crate) fn talk(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Shows a row as it was written.
pub(crate) fn written(
    flag: &FlagKey,
    created: Timestamp,
    row: &Row,
    form: Form,
) -> Result<(), Failure> {
    match form {
        Form::Table => print(&table::written(row)),
        Form::Json => print_json(&json::Written::new(flag, created, row)),
    }
}

/// Shows a flag with what is newest of it.
pub(crate) fn flag(
    flag: &FlagKey,
    metadata: Option<&Metadata>,
    revision: Option<&Revision>,
    form: Form,
) -> Result<(), Failure> {
    match form {
        Form::Table => print(&table::flag(flag, metadata, revision)),
        Form::Json => print_json(&json::Flag::new(flag, metadata, revision)),
    }
}

/// Shows revisions, in the order given.
pub(crate) fn history(
    flag: &FlagKey,
    revisions: &[Result<Revision, UnreadableRow>],
    form: Form,
) -> Result<(), Failure> {
    match form {
        Form::Table => print(&table::history(revisions)),
        Form::Json => print_json(&json::History::new(flag, revisions)),
    }
}

/// Revisions in columns, to be shown in an error.
pub(crate) fn history_table(revisions: &[Result<Revision, UnreadableRow>]) -> String {
    table::history(revisions)
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value);
    let json = json.map_err(|error| Failure::Output(error.into()))?;
    print(&format!("{json}\n"))
}

/// Writes to standard output; a reader who has seen enough and gone is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes());
    match printed.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// When a revision row was made, even if it cannot be read.
fn created(revision: &Result<Revision, UnreadableRow>) -> Option<Timestamp> {
    let key = match revision {
        Ok(revision) => return Some(revision.created()),
        Err(UnreadableRow::Percent { key, .. } | UnreadableRow::Cell { key, .. }) => key,
        Err(_) => return None,
    };
    let key = FlagRowKey::decode(key.as_bytes());
    key.ok().map(|key| key.created)
}

/// The rollout group of each treatment, with the buckets that it owns, whatever the version.
fn groups(revision: &Revision) -> Vec<(String, Vec<BucketRange>)> {
    let treatments = revision.treatments.iter();
    let ranges = match revision.format {
        Format::V1 => {
            let percents: Vec<_> = treatments.map(|treatment| treatment.percent).collect();
            consecutive(&percents)
        }
        Format::V2 { .. } => treatments
            .map(|treatment| treatment.ranges.clone())
            .collect(),
    };
    let groups = (0..ranges.len()).map(|at| revision.group(at));
    groups.zip(ranges).collect()
}
