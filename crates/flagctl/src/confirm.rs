//! Asks for confirmation of a change.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use flag_describe::{is_typed, visible, word};
use flag_model::FlagName;

use crate::args::{WriteArgs, YesArgs};
use crate::change::Change;
use crate::exit_code::ExitCode;
use crate::failure::CommandError;
use crate::output::{self, Text};

/// What happens without `--yes` if standard input is not a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unattended {
    /// The command continues without confirmation.
    Proceed,
    /// The command fails, because it cannot be undone.
    Refuse,
}

/// What was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// Write.
    Write,
    /// Stop before writing, which is a success.
    DryRun,
}

/// Why a command was not confirmed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConfirmed {
    /// A person declined.
    #[error("not confirmed; nothing was written")]
    Declined,
    /// A script runs a command that cannot be undone, without `--yes`.
    #[error("this cannot be undone, and standard input is not a terminal: to confirm, add --yes")]
    NeedsYes,
    /// A script makes a change that needs a confirmation by name.
    #[error("{risks}: to confirm, add --yes-i-mean {}", word(name.as_str()))]
    NeedsName {
        /// The name that confirms it.
        name: FlagName,
        /// What would happen.
        risks: String,
    },
}

impl CommandError for NotConfirmed {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Declined => ExitCode::Failed,
            Self::NeedsYes | Self::NeedsName { .. } => ExitCode::Usage,
        }
    }
}

/// Who answers questions.
enum Prompt<'a> {
    /// Nobody: standard input is not a terminal.
    Unattended,
    /// A person, who answers with a line.
    Person(&'a mut dyn FnMut(&str) -> String),
}

/// Shows the changes on standard error and asks for the necessary confirmation; a refusal is a failure.
pub(crate) fn confirm(changes: &[Change], args: &WriteArgs) -> Result<Confirmed, NotConfirmed> {
    confirm_with(changes, &Text::default(), args)
}

/// The same with a text between the changes and the question.
pub(crate) fn confirm_with(
    changes: &[Change],
    below: &Text,
    args: &WriteArgs,
) -> Result<Confirmed, NotConfirmed> {
    for change in changes {
        output::preview(&change.text());
    }
    output::preview(below);
    if io::stdin().is_terminal() {
        decide(changes, args, Prompt::Person(&mut ask))
    } else {
        decide(changes, args, Prompt::Unattended)
    }
}

/// Shows what will be done, and asks for confirmation.
pub(crate) fn confirm_action(
    what: &str,
    args: &YesArgs,
    unattended: Unattended,
) -> Result<(), NotConfirmed> {
    let is_person = io::stdin().is_terminal();
    if args.yes || (!is_person && unattended == Unattended::Proceed) {
        return Ok(());
    }
    output::notice(what);
    match is_person {
        true if agrees(&mut ask) => Ok(()),
        true => Err(NotConfirmed::Declined),
        false => Err(NotConfirmed::NeedsYes),
    }
}

/// Asks a person on the terminal a question that is answered with yes or no.
pub(crate) fn agrees_to(question: &str) -> bool {
    is_yes(&ask(question))
}

fn agrees(ask: &mut dyn FnMut(&str) -> String) -> bool {
    is_yes(&ask("Go on? [y/N]"))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes")
}

fn ask(question: &str) -> String {
    let mut answer = String::new();
    let _ = write!(io::stderr().lock(), "{} ", output::escaped(question));
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_owned()
}

fn decide(
    changes: &[Change],
    args: &WriteArgs,
    mut prompt: Prompt<'_>,
) -> Result<Confirmed, NotConfirmed> {
    if args.dry_run {
        return Ok(Confirmed::DryRun);
    }
    let mut has_asked = false;
    for change in changes.iter().filter(|change| !change.risks.is_empty()) {
        let name = change.name();
        if args
            .yes_i_mean
            .iter()
            .any(|meant| is_typed(name.as_str(), meant))
        {
            continue;
        }
        let risks: Vec<String> = change.risks.iter().map(ToString::to_string).collect();
        let risks = risks.join("; ");
        let Prompt::Person(ask) = &mut prompt else {
            return Err(NotConfirmed::NeedsName {
                name: name.clone(),
                risks,
            });
        };
        has_asked = true;
        let flag = &change.flag;
        let shown = visible(name.as_str());
        let answer = ask(&format!(
            "{flag}: {risks}. Type the name {shown} to continue:"
        ));
        if !is_typed(name.as_str(), &answer) {
            return Err(NotConfirmed::Declined);
        }
    }
    let is_meant = match prompt {
        Prompt::Person(ask) => args.yes || has_asked || agrees(ask),
        Prompt::Unattended => true,
    };
    if is_meant {
        Ok(Confirmed::Write)
    } else {
        Err(NotConfirmed::Declined)
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{FlagKey, MetadataParts};
    use flag_rollout::Risk;

    use super::*;

    fn change(risk: Option<Risk>) -> Change {
        let flag = "p/feature/f".parse::<FlagKey>().unwrap();
        let parts = MetadataParts {
            flag,
            description: "x".to_owned(),
            owner: None,
            ticket: None,
            tags: vec![],
            expires_on: None,
            edited_by: None,
        };
        let change = Change::of_metadata(None, &parts);
        risk.map_or(change.clone(), |risk| change.with_risk(risk))
    }

    fn args(yes: bool, meant: &[&str]) -> WriteArgs {
        WriteArgs {
            yes,
            yes_i_mean: meant.iter().map(ToString::to_string).collect(),
            ..WriteArgs::default()
        }
    }

    /// The decision and the number of questions for this answer of a person; `None` if there is no person.
    fn decided(
        change: &Change,
        args: &WriteArgs,
        answer: Option<&str>,
    ) -> (Option<Confirmed>, Vec<String>) {
        let mut questions = Vec::new();
        let mut person = |question: &str| {
            questions.push(question.to_owned());
            answer.unwrap_or_default().to_owned()
        };
        let asked = if answer.is_some() {
            Prompt::Person(&mut person)
        } else {
            Prompt::Unattended
        };
        let confirmed = decide(std::slice::from_ref(change), args, asked).ok();
        (confirmed, questions)
    }

    #[track_caller]
    fn check(
        risk: Option<Risk>,
        args: &WriteArgs,
        answer: Option<&str>,
        expected: Option<Confirmed>,
        questions: usize,
    ) {
        let (found, asked) = decided(&change(risk), args, answer);
        assert_eq!((found, asked.len()), (expected, questions), "{asked:?}");
    }

    #[test]
    fn a_person_is_asked_and_nobody_else() {
        check(
            None,
            &args(false, &[]),
            Some("y"),
            Some(Confirmed::Write),
            1,
        );
        check(
            None,
            &args(false, &[]),
            Some("Yes"),
            Some(Confirmed::Write),
            1,
        );
        for answer in ["", "n", "f"] {
            check(None, &args(false, &[]), Some(answer), None, 1);
        }
        check(None, &args(true, &[]), Some(""), Some(Confirmed::Write), 0);
        check(None, &args(false, &[]), None, Some(Confirmed::Write), 0);
    }

    #[test]
    fn a_risk_wants_the_name() {
        let risk = Some(Risk::NobodyKeepsControl);
        check(risk, &args(true, &[]), Some("f"), Some(Confirmed::Write), 1);
        check(risk, &args(true, &[]), Some("y"), None, 1);
        check(risk, &args(true, &[]), None, None, 0);
        check(
            risk,
            &args(false, &["g", "f"]),
            None,
            Some(Confirmed::Write),
            0,
        );
        check(
            risk,
            &args(true, &["f"]),
            Some(""),
            Some(Confirmed::Write),
            0,
        );
    }

    #[test]
    fn a_question_says_which_name_is_wanted() {
        let (_, questions) = decided(
            &change(Some(Risk::NobodyKeepsControl)),
            &args(true, &[]),
            Some("f"),
        );
        let question = "p/feature/f: nobody keeps the control value. Type the name f to continue:";
        assert_eq!(questions, [question]);
    }

    #[test]
    fn a_name_with_hidden_characters_is_asked_for_as_it_is_shown() {
        let mut change = change(Some(Risk::NobodyKeepsControl));
        change.flag.name = FlagName::new("f\u{200b}").unwrap();
        let shown = "\"f\\u{200b}\"";
        let args = args(true, &[]);
        let (confirmed, questions) = decided(&change, &args, Some(shown));
        assert_eq!(confirmed, Some(Confirmed::Write));
        assert!(questions[0].ends_with(&format!("Type the name {shown} to continue:")));
        let (confirmed, _) = decided(&change, &args, Some("f"));
        assert_eq!(confirmed, None);
    }

    #[test]
    fn a_dry_run_asks_nothing_and_writes_nothing() {
        let args = WriteArgs {
            dry_run: true,
            ..WriteArgs::default()
        };
        check(
            Some(Risk::Resalt),
            &args,
            Some("f"),
            Some(Confirmed::DryRun),
            0,
        );
        check(None, &args, None, Some(Confirmed::DryRun), 0);
    }
}
