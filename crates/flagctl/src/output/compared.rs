//! The result of `flagctl compare`.

use flag_model::{FlagKey, ProjectName};
use serde::Serialize;
use serde_json::Value;

use super::escape::visible;
use super::text::{Columns, Text, Tone};
use super::view::View;
use crate::compare::{Compared, ComparedField};
use crate::service_client::{Reply, ServiceClient};

/// How many causes are shown for which neither served a value.
const CAUSES: usize = 5;

/// The answers of two services for the flags of a project.
#[derive(Serialize)]
pub(crate) struct ComparedServices<'a> {
    project: &'a str,
    service: String,
    with: String,
    /// Answers in which both served the same value and rollout group.
    pub(crate) equal: u64,
    /// Requests that neither answered with a value.
    served_by_neither: u64,
    /// Answers that differ.
    pub(crate) differing: u64,
    flags: Vec<ComparedFlag<'a>>,
}

#[derive(Serialize)]
struct ComparedFlag<'a> {
    flag_type: &'static str,
    flag_name: &'a str,
    #[serde(flatten)]
    answers: &'a Compared,
}

impl<'a> ComparedServices<'a> {
    /// Adds up the results of the flags.
    pub(crate) fn new(
        project: &'a ProjectName,
        ours: &ServiceClient,
        theirs: &ServiceClient,
        flags: &'a [(FlagKey, Compared)],
    ) -> Self {
        let total = |count: fn(&Compared) -> u64| flags.iter().map(|(_, found)| count(found)).sum();
        Self {
            project: project.as_str(),
            service: ours.shown().to_string(),
            with: theirs.shown().to_string(),
            equal: total(|found| found.equal),
            served_by_neither: total(|found| found.served_by_neither),
            differing: total(|found| found.differing),
            flags: flags
                .iter()
                .map(|(flag, answers)| ComparedFlag {
                    flag_type: flag.flag_type.as_str(),
                    flag_name: flag.name.as_str(),
                    answers,
                })
                .collect(),
        }
    }

    /// The result in a sentence.
    pub(crate) fn summary(&self) -> String {
        let neither = match self.served_by_neither {
            0 => String::new(),
            neither => format!(", {neither} served by neither"),
        };
        format!(
            "{} answers are equal, {} differ{neither}",
            self.equal, self.differing
        )
    }
}

impl ComparedServices<'_> {
    /// The first causes for which neither served a value, each with flag and instance.
    fn refusals(&self) -> Vec<(&ComparedFlag<'_>, &ComparedField)> {
        let mut first: Vec<(&ComparedFlag<'_>, &ComparedField)> = Vec::new();
        for flag in &self.flags {
            for refusal in &flag.answers.refusals {
                if first.len() < CAUSES && !first.iter().any(|(_, known)| known.is_like(refusal)) {
                    first.push((flag, refusal));
                }
            }
        }
        first
    }

    /// Why neither served a value, by the first request.
    pub(crate) fn first_refusal(&self) -> Option<String> {
        let (flag, refusal) = *self.refusals().first()?;
        let said = |service: &str, reply| format!("{service} answered {}", answer(reply));
        Some(format!(
            "asked for {}/{} and {}, {}, and {}",
            flag.flag_type,
            visible(flag.flag_name),
            visible(&refusal.instance_id),
            said(&self.service, &refusal.ours),
            said(&self.with, &refusal.theirs),
        ))
    }
}

impl View for ComparedServices<'_> {
    fn data(&self) -> impl Serialize {
        self
    }

    fn text(&self) -> Text {
        let mut flags = Columns::headed(["TYPE", "NAME", "EQUAL", "DIFFER", "SERVED BY NEITHER"]);
        for flag in &self.flags {
            let answers = flag.answers;
            let tone = if answers.differing == 0 {
                Tone::Plain
            } else {
                Tone::Problem
            };
            let counts = [answers.equal, answers.differing, answers.served_by_neither];
            let mut line = vec![flag.flag_type.to_owned(), visible(flag.flag_name)];
            line.extend(counts.iter().map(u64::to_string));
            flags.line(tone, line);
        }
        let mut text = flags.text();
        let differing = self.flags.iter().flat_map(|flag| {
            let differences = flag.answers.differences.iter();
            differences.map(move |difference| (flag, difference))
        });
        for answers in [differing.collect(), self.refusals()] {
            if !answers.is_empty() {
                text = text.and(side_by_side(&answers));
            }
        }
        text
    }

    fn names(&self) -> Vec<String> {
        let differing = self.flags.iter().filter(|flag| flag.answers.differing > 0);
        differing
            .map(|flag| format!("{}/{}", flag.flag_type, flag.flag_name))
            .collect()
    }
}

fn side_by_side(answers: &[(&ComparedFlag<'_>, &ComparedField)]) -> Text {
    let mut columns = Columns::headed(["TYPE", "NAME", "INSTANCE", "SERVICE", "COMPARED WITH"]);
    for (flag, answers) in answers {
        let line = [
            flag.flag_type.to_owned(),
            visible(flag.flag_name),
            visible(&answers.instance_id),
            answer(&answers.ours),
            answer(&answers.theirs),
        ];
        columns.line(Tone::Problem, line);
    }
    columns.text()
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Served(served) => {
            let value = match &served.flag_value {
                Value::String(text) => visible(text),
                other => other.to_string(),
            };
            format!("{value} ({})", visible(&served.rollout_group))
        }
        Reply::Refused { status, detail } => visible(&format!("{status} {detail}")),
    }
}
