//! The terminal, if there is one, and what the environment says about it.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use terminal_size::{Height, Width, terminal_size_of};

use crate::args::Variables;

/// What the environment says; nothing before [`prepare`].
static WISHES: OnceLock<Wishes> = OnceLock::new();

#[derive(Debug, Default, PartialEq, Eq)]
struct Wishes {
    colours: bool,
    cursor: bool,
    pager: Option<OsString>,
    has_less_options: bool,
}

/// Takes from the environment how a terminal is to be used.
pub(crate) fn prepare(variables: &Variables) {
    let _ = WISHES.set(Wishes::of(variables));
}

impl Wishes {
    fn of(variables: &Variables) -> Self {
        let set = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            let value = found.map(|(_, value)| value.as_os_str());
            value.filter(|value| !value.is_empty())
        };
        let cursor = set("TERM").is_some_and(|term| term != "dumb");
        Self {
            colours: cursor && set("NO_COLOR").is_none(),
            cursor,
            pager: set("PAGER").map(OsStr::to_owned),
            has_less_options: set("LESS").is_some(),
        }
    }
}

/// Whether a stream shows colours.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && WISHES.get().is_some_and(|wishes| wishes.colours)
}

/// Whether a line on standard error can be taken back.
pub(super) fn can_take_back() -> bool {
    io::stderr().is_terminal() && WISHES.get().is_some_and(|wishes| wishes.cursor)
}

/// The pager that is wished for.
pub(super) fn pager() -> Option<&'static OsStr> {
    WISHES.get()?.pager.as_deref()
}

/// What `less` has to be told, so that it shows colours, unless a person told it something else.
pub(super) fn less_options() -> Option<&'static str> {
    let is_told = WISHES.get().is_some_and(|wishes| wishes.has_less_options);
    (!is_told).then_some("FRX")
}

/// Columns and rows of the terminal on standard output; `None` if it isn't one.
pub(super) fn size() -> Option<(usize, usize)> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let (Width(columns), Height(rows)) = terminal_size_of(stdout)?;
    Some((columns.into(), rows.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], colours: bool, pager: Option<&str>) {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let wishes = Wishes::of(&variables.collect());
        assert_eq!(wishes.colours, colours);
        assert_eq!(wishes.pager.as_deref(), pager.map(OsStr::new));
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
