//! Finds the name that was probably meant.

use clap::error::{ContextKind, ContextValue};
use strsim::levenshtein;

/// The name that is closest to the one that was typed, or the one that was shortened to it, unless all are too far away.
pub fn closest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let candidates = names.into_iter().filter_map(|name| {
        let distance = levenshtein(typed, name);
        let is_shortened = is_shortened(typed, name) && distance <= typed.chars().count() / 2;
        let is_close = is_shortened || distance <= max_distance(typed);
        is_close.then_some((!is_shortened, distance, name))
    });
    candidates.min().map(|(_, _, name)| name)
}

/// The error about a command line without a suggestion that is far from what was typed: clap compares letters, not their order.
#[must_use]
pub fn without_far_suggestion(mut error: clap::Error) -> clap::Error {
    let is_far = match (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::SuggestedArg),
    ) {
        (Some(ContextValue::String(typed)), Some(ContextValue::String(suggested))) => {
            let [typed, suggested] =
                [typed, suggested].map(|option| option.trim_start_matches('-'));
            closest(typed, [suggested]).is_none()
        }
        _ => false,
    };
    if is_far {
        error.remove(ContextKind::SuggestedArg);
    }
    error
}

/// Whether characters were only left out, as in `CERT` for `CERTIFICATE`.
fn is_shortened(typed: &str, name: &str) -> bool {
    let mut rest = name.chars();
    typed
        .chars()
        .all(|typed| rest.any(|character| character == typed))
}

/// How many characters may differ from the name that was typed.
pub fn max_distance(typed: &str) -> usize {
    (typed.chars().count() / 3).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_far_from_all_others_has_no_suggestion() {
        let names = ["listen", "workers"];
        assert_eq!(closest("listne", names), Some("listen"));
        assert_eq!(closest("colour", names), None);
        assert_eq!(closest("listen", []), None);
    }

    #[track_caller]
    fn check_suggestion(typed: &str, suggested: Option<&str>) {
        let options = ["exposure-retention-days", "log-format"];
        let options = options.map(|option| clap::Arg::new(option).long(option));
        let command = clap::Command::new("test").args(options);
        let error = command.try_get_matches_from(["test", typed]).unwrap_err();
        let message = without_far_suggestion(error).to_string();
        let tip = suggested.map(|option| format!("a similar argument exists: '{option}'"));
        let expected = tip.as_deref().unwrap_or("\n\nUsage");
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.contains("similar"), tip.is_some(), "{message}");
    }

    #[test]
    fn an_option_that_is_far_from_what_was_typed_is_not_suggested() {
        check_suggestion("--port", None);
        check_suggestion("--log-formt", Some("--log-format"));
    }

    #[test]
    fn a_shortened_name_is_completed_even_if_another_is_closer() {
        let names = ["FLAG_TLS_KEY_FILE", "FLAG_TLS_CERTIFICATE_FILE"];
        let suggested = closest("FLAG_TLS_CERT_FILE", names);
        assert_eq!(suggested, Some("FLAG_TLS_CERTIFICATE_FILE"));
        assert_eq!(closest("F", names), None);
    }
}
