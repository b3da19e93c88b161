//! Whether a change is really meant.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;

use crate::change::Change;
use crate::failure::Failure;
use crate::output;

/// How a change is confirmed.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct ConfirmArgs {
    /// Do not ask; nothing is asked either where standard input is no terminal
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Show what would change, and stop there
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Name of a flag whose change leaves nobody with the control, gives everybody a new bucket, moves instances
    /// between treatments, leaves treatments out, undoes a rollback, or will be undone by a revision ahead of the clock;
    /// may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) yes_i_mean: Vec<String>,
}

/// How something is confirmed that changes no flag.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Confirmation")]
pub(crate) struct YesArgs {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// What is done where nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It is done: a script means what it says.
    Done,
    /// It wants `--yes`: it cannot be taken back.
    Refused,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Write.
    Write,
    /// Stop before writing, and call that success.
    DryRun,
}

/// Who can be asked.
enum Asked<'a> {
    /// Nobody: standard input is no terminal.
    Nobody,
    /// A person, who answers a line.
    Person(&'a mut dyn FnMut(&str) -> String),
}

/// Shows the changes on standard error and asks for what is wanted; a refusal is a failure.
pub(crate) fn confirm(changes: &[Change], typed: &ConfirmArgs) -> Result<Verdict, Failure> {
    for change in changes {
        output::talk(change.to_string().trim_end());
    }
    if io::stdin().is_terminal() {
        decide(changes, typed, Asked::Person(&mut ask))
    } else {
        decide(changes, typed, Asked::Nobody)
    }
}

/// Says what will be done, and asks whether it is meant.
pub(crate) fn confirm_plainly(
    what: &str,
    typed: &YesArgs,
    unasked: Unasked,
) -> Result<(), Failure> {
    let is_person = io::stdin().is_terminal();
    if typed.yes || (!is_person && unasked == Unasked::Done) {
        return Ok(());
    }
    output::talk(what);
    match is_person {
        true if goes_on(&mut ask) => Ok(()),
        true => Err(Failure::NotConfirmed),
        false => Err(Failure::NotSaid),
    }
}

fn goes_on(ask: &mut dyn FnMut(&str) -> String) -> bool {
    let answer = ask("Go on? [y/N]").to_lowercase();
    matches!(answer.as_str(), "y" | "yes")
}

fn ask(question: &str) -> String {
    let mut answer = String::new();
    let _ = write!(io::stderr().lock(), "{} ", output::shown(question));
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_owned()
}

fn decide(
    changes: &[Change],
    typed: &ConfirmArgs,
    mut asked: Asked<'_>,
) -> Result<Verdict, Failure> {
    if typed.dry_run {
        return Ok(Verdict::DryRun);
    }
    let mut has_asked = false;
    for change in changes.iter().filter(|change| !change.risks.is_empty()) {
        let name = change.name();
        if typed.yes_i_mean.iter().any(|meant| meant == name.as_str()) {
            continue;
        }
        let risks: Vec<String> = change.risks.iter().map(ToString::to_string).collect();
        let risks = risks.join("; ");
        let Asked::Person(ask) = &mut asked else {
            return Err(Failure::NotMeant {
                name: name.clone(),
                risks,
            });
        };
        has_asked = true;
        if ask(&format!("{risks}. Type the name of the flag to go on:")) != name.as_str() {
            return Err(Failure::NotConfirmed);
        }
    }
    let is_meant = match asked {
        Asked::Person(ask) => typed.yes || has_asked || goes_on(ask),
        Asked::Nobody => true,
    };
    if is_meant {
        Ok(Verdict::Write)
    } else {
        Err(Failure::NotConfirmed)
    }
}

#[cfg(test)]
mod tests {
    use flag_model::{FlagKey, MetadataParts};

    use super::*;
    use crate::change::Risk;

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

    fn typed(yes: bool, meant: &[&str]) -> ConfirmArgs {
        ConfirmArgs {
            yes,
            dry_run: false,
            yes_i_mean: meant.iter().map(ToString::to_string).collect(),
        }
    }

    /// What is decided, and what was asked, when the person answers so; `None` if there is nobody.
    fn decided(
        change: &Change,
        typed: &ConfirmArgs,
        answer: Option<&str>,
    ) -> (Option<Verdict>, Vec<String>) {
        let mut questions = Vec::new();
        let mut person = |question: &str| {
            questions.push(question.to_owned());
            answer.unwrap_or_default().to_owned()
        };
        let asked = if answer.is_some() {
            Asked::Person(&mut person)
        } else {
            Asked::Nobody
        };
        let verdict = decide(std::slice::from_ref(change), typed, asked).ok();
        (verdict, questions)
    }

    #[track_caller]
    fn check(
        risk: Option<Risk>,
        typed: &ConfirmArgs,
        answer: Option<&str>,
        verdict: Option<Verdict>,
        questions: usize,
    ) {
        let (found, asked) = decided(&change(risk), typed, answer);
        assert_eq!((found, asked.len()), (verdict, questions), "{asked:?}");
    }

    #[test]
    fn a_person_is_asked_and_nobody_else() {
        check(None, &typed(false, &[]), Some("y"), Some(Verdict::Write), 1);
        check(
            None,
            &typed(false, &[]),
            Some("Yes"),
            Some(Verdict::Write),
            1,
        );
        for answer in ["", "n", "f"] {
            check(None, &typed(false, &[]), Some(answer), None, 1);
        }
        check(None, &typed(true, &[]), Some(""), Some(Verdict::Write), 0);
        check(None, &typed(false, &[]), None, Some(Verdict::Write), 0);
    }

    #[test]
    fn a_risk_wants_the_name() {
        let risk = Some(Risk::Everybody);
        check(risk, &typed(true, &[]), Some("f"), Some(Verdict::Write), 1);
        check(risk, &typed(true, &[]), Some("y"), None, 1);
        check(risk, &typed(true, &[]), None, None, 0);
        check(
            risk,
            &typed(false, &["g", "f"]),
            None,
            Some(Verdict::Write),
            0,
        );
        check(
            risk,
            &typed(true, &["f"]),
            Some(""),
            Some(Verdict::Write),
            0,
        );
    }

    #[test]
    fn a_dry_run_asks_nothing_and_writes_nothing() {
        let typed = ConfirmArgs {
            dry_run: true,
            ..ConfirmArgs::default()
        };
        check(
            Some(Risk::Reshuffle),
            &typed,
            Some("f"),
            Some(Verdict::DryRun),
            0,
        );
        check(None, &typed, None, Some(Verdict::DryRun), 0);
    }
}
