//! The exit codes of `flagctl`, which scripts rely on. Codes are added, never changed.

use std::fmt::Write as _;
use std::process;

macro_rules! exit_codes {
    ($($variant:ident = $code:literal, $about:literal;)+) => {
        /// An exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ExitCode {
            $(#[doc = $about] $variant = $code,)+
        }

        impl ExitCode {
            /// Every code with its meaning.
            const ALL: &[(Self, &str)] = &[$((Self::$variant, $about)),+];
        }
    };
}

exit_codes! {
    Done = 0, "Done.";
    Failed = 1, "Failed for another reason, or it is unknown whether the row was written; the message says so.";
    Usage = 2, "Arguments or settings are invalid, or do not fit the flag; nothing was written.";
    NotFound = 3, "No such flag, revision or key; nothing was written.";
    Conflict = 4, "Conflict: another writer wrote first or meanwhile, a row is ahead of the clock, what would be created exists, or more instances may move than --at-most allows; the message says what was written.";
    Refused = 5, "A value is invalid, or a stored row cannot be read; nothing was written.";
    StoreUnavailable = 6, "The store cannot be opened or reached, refused the request, or did not answer in time.";
    Differs = 7, "Nothing failed, but what was compared differs.";
    NotServed = 8, "Written, but with `--wait` not every replica was found to serve it in time; the message says which, or why that is not known.";
    Incomplete = 9, "Done, but some of the input was left out; the output says what and why.";
}

impl ExitCode {
    /// The codes and what they mean, for the help.
    pub(crate) fn help() -> String {
        let mut help = "Exit codes:".to_owned();
        for &(code, about) in Self::ALL {
            let _ = write!(help, "\n  {}  {about}", code as u8);
        }
        help
    }

    /// The codes and what they mean, as `docs/flagctl.md` shows them.
    #[cfg(test)]
    pub(crate) fn markdown() -> String {
        let rows = Self::ALL.iter();
        let rows = rows.map(|&(code, about)| format!("| {} | {about} |\n", code as u8));
        format!(
            "| Code | Meaning |\n|---|---|\n{}",
            rows.collect::<String>()
        )
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_never_changed() {
        let codes: Vec<u8> = ExitCode::ALL.iter().map(|&(code, _)| code as u8).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(ExitCode::Conflict as u8, 4);
        assert_eq!(ExitCode::StoreUnavailable as u8, 6);
    }

    #[test]
    fn the_help_tells_every_code() {
        assert!(ExitCode::help().contains("\n  3  No such flag"));
    }
}
