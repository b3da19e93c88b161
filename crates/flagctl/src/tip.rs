//! How a value is typed that begins with a hyphen.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::shell::word;

/// Corrects the tip where such a value stands behind the option that it is for: `--` would end all options there.
pub(crate) fn corrected(mut error: Error, command: &Command, typed: &[OsString]) -> Error {
    let found = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(found)) if error.kind() == ErrorKind::UnknownArgument => found,
        _ => return error,
    };
    if error.get(ContextKind::SuggestedArg).is_some() {
        return error;
    }
    let pair = typed.windows(2).find_map(|pair| {
        let [option, value] = pair else { return None };
        let (option, value) = (option.to_str()?, value.to_str()?);
        (value.starts_with(found) && takes_value(command, option)).then_some((option, value))
    });
    if let Some((option, value)) = pair {
        let typed = format!("{option}={}", word(value));
        let tip = format!("to pass '{value}' as the value of '{option}', use '{typed}'");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Whether an option of this command, or of one below it, takes a value.
fn takes_value(command: &Command, option: &str) -> bool {
    let is_meant = |long: Option<&str>, short: Option<char>| {
        let long = long.map(|long| format!("--{long}"));
        let short = short.map(|short| format!("-{short}"));
        [long, short]
            .iter()
            .flatten()
            .any(|spelled| spelled == option)
    };
    let mut options = command.get_arguments();
    options.any(|arg| arg.get_action().takes_values() && is_meant(arg.get_long(), arg.get_short()))
        || command
            .get_subcommands()
            .any(|command| takes_value(command, option))
}
