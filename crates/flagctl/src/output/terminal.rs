//! The terminal, if there is one, and its settings in the environment.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use clap::ColorChoice;
use flag_model::Timestamp;
use terminal_size::{Height, Width, terminal_size_of};

use crate::environment::{Variables, variable};

/// The settings in the environment; empty before [`prepare`].
static PREFERENCES: OnceLock<Preferences> = OnceLock::new();

/// What the command line says of colours; automatic before [`choose_colours`].
static CHOICE: OnceLock<ColorChoice> = OnceLock::new();

/// When the command began; the epoch before [`prepare`].
static BEGAN: OnceLock<Timestamp> = OnceLock::new();

#[derive(Debug, Default, PartialEq, Eq)]
struct Preferences {
    colours: bool,
    cursor: bool,
    pager: Option<OsString>,
    has_less_options: bool,
}

/// Reads the settings of the terminal from the environment; `now` is what "ago" means.
pub(crate) fn prepare(variables: &Variables, now: Timestamp) {
    let _ = BEGAN.set(now);
    let _ = PREFERENCES.set(Preferences::of(variables));
}

impl Preferences {
    fn of(variables: &Variables) -> Self {
        let set = |name: &str| variable(variables, name);
        let cursor = set("TERM").is_some_and(|term| term != "dumb");
        Self {
            colours: cursor && set("NO_COLOR").is_none(),
            cursor,
            pager: set("PAGER").map(OsStr::to_owned),
            has_less_options: set("LESS").is_some(),
        }
    }
}

/// When the command began.
pub(super) fn began() -> Timestamp {
    BEGAN.get().copied().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Takes what the command line says of colours.
pub(crate) fn choose_colours(choice: ColorChoice) {
    let _ = CHOICE.set(choice);
}

/// Whether a stream shows colours.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let preferences = PREFERENCES.get();
    let wants = preferences.is_some_and(|preferences| preferences.colours);
    match CHOICE.get() {
        Some(ColorChoice::Always) => true,
        Some(ColorChoice::Never) => false,
        Some(ColorChoice::Auto) | None => wants && stream.is_terminal(),
    }
}

/// Whether a line on standard error can be erased.
pub(super) fn can_erase() -> bool {
    io::stderr().is_terminal()
        && PREFERENCES
            .get()
            .is_some_and(|preferences| preferences.cursor)
}

/// Whether what is on standard output can be drawn again in its place.
pub(super) fn can_redraw() -> bool {
    io::stdout().is_terminal()
        && PREFERENCES
            .get()
            .is_some_and(|preferences| preferences.cursor)
}

/// The pager that the environment names.
pub(super) fn pager() -> Option<&'static OsStr> {
    PREFERENCES.get()?.pager.as_deref()
}

/// Options of `less` that show colours, unless the environment sets options.
pub(super) fn less_options() -> Option<&'static str> {
    let has_options = PREFERENCES
        .get()
        .is_some_and(|preferences| preferences.has_less_options);
    (!has_options).then_some("FRX")
}

/// Columns and rows of the terminal that a stream is; `None` if it is not one.
pub(super) fn size(stream: &(impl AsFd + IsTerminal)) -> Option<(usize, usize)> {
    if !stream.is_terminal() {
        return None;
    }
    let (Width(columns), Height(rows)) = terminal_size_of(stream)?;
    Some((columns.into(), rows.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], colours: bool, pager: Option<&str>) {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let preferences = Preferences::of(&variables.collect());
        assert_eq!(preferences.colours, colours);
        assert_eq!(preferences.pager.as_deref(), pager.map(OsStr::new));
    }

    #[test]
    fn colours_are_shown_unless_the_environment_says_no() {
        check(&[("TERM", "xterm")], true, None);
        check(&[("TERM", "xterm"), ("NO_COLOR", "1")], false, None);
        check(&[("TERM", "xterm"), ("NO_COLOR", "")], true, None);
        check(&[("TERM", "dumb")], false, None);
        check(&[], false, None);
    }

    #[test]
    fn an_empty_pager_is_none() {
        check(&[("PAGER", "")], false, None);
        check(&[("PAGER", "more -e")], false, Some("more -e"));
    }
}
