//! Files given as arguments; `-` is standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flag_model::InstanceId;

use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::ArgumentError;

/// A file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", input_name(path))]
pub(crate) struct InputError {
    path: PathBuf,
    source: io::Error,
}

impl CommandError for InputError {
    fn exit_code(&self) -> ExitCode {
        match self.source.kind() {
            // The file is not UTF-8, or too large.
            io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => ExitCode::Refused,
            _ => ExitCode::Failed,
        }
    }
}

/// Reads the text of a file of fewer bytes than `limit`.
pub(crate) fn read(path: &Path, limit: u64) -> Result<String, InputError> {
    read_text(path, limit).map_err(|source| InputError {
        path: path.to_owned(),
        source,
    })
}

fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut input: Box<dyn Read> = if is_standard_input(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path)?)
    };
    let mut text = String::new();
    let read = input.by_ref().take(limit).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read >= limit) {
        let message = format!("found {limit} bytes or more, expected fewer");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

/// The instance ids in a file, one per line, unchanged; empty lines are skipped. A file without any is refused.
pub(crate) fn instance_ids(path: &Path) -> Result<Vec<InstanceId<'static>>, Failure> {
    let text = read(path, u64::MAX)?;
    let file = input_name(path);
    let lines = (1_u32..).zip(text.lines());
    let instances: Result<Vec<_>, ArgumentError> = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let instance = InstanceId::new(line.to_owned());
            instance.map_err(|invalid| {
                let message = format!("{file}, line {number}: {invalid}");
                ArgumentError::Usage(message)
            })
        })
        .collect();
    let instances = instances?;
    if instances.is_empty() {
        let message = format!("{file} contains no instance ids, expected one per line");
        return Err(ArgumentError::Usage(message).into());
    }
    Ok(instances)
}

/// Whether the name stands for standard input.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name of a file in messages.
pub(crate) fn input_name(path: &Path) -> String {
    if is_standard_input(path) {
        return "standard input".to_owned();
    }
    path.display().to_string()
}
