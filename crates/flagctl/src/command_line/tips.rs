//! Tips for a value that was taken for something else: one that begins with a hyphen, or one that needs `=`.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};
use flag_settings::similar::without_far_suggestion;

use crate::shell;

/// The end of options: whatever follows is a value.
const END: &str = "--";

/// The error with a tip that works: clap's own tip leaves out where to put the value.
pub(crate) fn with_tip(mut error: Error, args: &[OsString], command: &Command) -> Error {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg)
        && let Some(tip) = tip(&error, unknown, args, command)
    {
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
    without_far_suggestion(error)
}

/// The tip for a word that stands after an option whose value must follow `=`, and may be meant as that value.
pub(crate) fn tip_for_missing_equals(args: &[OsString], command: &Command) -> Option<String> {
    let words: Vec<&str> = args.iter().filter_map(|word| word.to_str()).collect();
    let words = words.split(|word| *word == END).next()?;
    let misses_equals = |pair: &&[&str]| match pair {
        [option, value] => {
            value.starts_with(|first: char| first.is_ascii_digit())
                && !value.ends_with('%')
                && needs_equals(command, option)
        }
        _ => false,
    };
    let [option, value] = words.windows(2).find(misses_equals)? else {
        return None;
    };
    let value = shell::word(value);
    Some(format!(
        "to pass {value} as the value of '{option}', use '{option}={value}'"
    ))
}

/// Whether it is an option of the command, or of one below it, whose value must follow `=`.
fn needs_equals(command: &Command, option: &str) -> bool {
    let name = option.strip_prefix(END);
    (command.get_arguments()).any(|arg| arg.is_require_equals_set() && arg.get_long() == name)
        || (command.get_subcommands()).any(|command| needs_equals(command, option))
}

fn tip(error: &Error, unknown: &str, args: &[OsString], command: &Command) -> Option<String> {
    let words: Vec<&str> = args.iter().filter_map(|word| word.to_str()).collect();
    // Of several short options in one word only the first is reported.
    let is_short = !unknown.starts_with(END);
    let is_it = |word: &&str| *word == unknown || (is_short && word.starts_with(unknown));
    let at = words.iter().position(is_it)?;
    let (before, word) = (words.get(..at)?, words.get(at)?);
    if before.contains(&END) {
        return Some(format!(
            "everything after `{END}` is a value: put the option {word} before it"
        ));
    }
    let is_value = match error.get(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) => tips
            .iter()
            .any(|tip| tip.to_string().contains("as a value")),
        _ => false,
    };
    if !is_value {
        return None;
    }
    Some(match before.last() {
        Some(option) if takes_value(command, option) => {
            let args = format!("{option}={}", shell::word(word));
            format!("to pass '{word}' as the value of '{option}', use '{args}'")
        }
        _ => {
            let args = shell::word(word);
            format!("to pass '{word}' as a value, put it last, after all options: '{END} {args}'")
        }
    })
}

/// Whether it is an option of the command, or of one below it, that takes a value.
fn takes_value(command: &Command, option: &str) -> bool {
    let is_it = |arg: &Arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        arg.get_action().takes_values() && [long, short].iter().flatten().any(|name| name == option)
    };
    command.get_arguments().any(is_it)
        || (command.get_subcommands()).any(|command| takes_value(command, option))
}
