//! The outcomes of a run of cargo-mutants.
use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The mutants of a crate by what became of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// A test failed, or did not end.
    pub(super) caught: usize,
    /// They do not compile.
    pub(super) unviable: usize,
    /// All tests passed: their names, without lines and columns, which change with the code around them.
    pub(super) survivors: Vec<String>,
}

/// The file that cargo-mutants writes.
#[derive(Deserialize)]
struct Report {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant { name: String },
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum Summary {
    Success,
    CaughtMutant,
    MissedMutant,
    Unviable,
    Timeout,
    Failure,
}

impl Outcomes {
    /// Reads the report. Fails if the tests did not pass without a mutant.
    pub(super) fn parse(json: &str) -> Result<Self> {
        let report: Report = serde_json::from_str(json).context("cannot read the outcomes")?;
        let mut outcomes = Self {
            caught: 0,
            unviable: 0,
            survivors: Vec::new(),
        };
        for Outcome { scenario, summary } in report.outcomes {
            match (scenario, summary) {
                (Scenario::Baseline, Summary::Success) => {}
                (Scenario::Mutant { .. }, Summary::CaughtMutant | Summary::Timeout) => {
                    outcomes.caught += 1;
                }
                (Scenario::Mutant { .. }, Summary::Unviable) => outcomes.unviable += 1,
                (Scenario::Mutant { name }, Summary::MissedMutant) => {
                    outcomes.survivors.push(without_position(&name));
                }
                (Scenario::Baseline, _) => bail!("the tests fail without a mutant"),
                (Scenario::Mutant { name }, _) => bail!("no outcome for {name}"),
            }
        }
        Ok(outcomes)
    }

    /// The part of the viable mutants that was caught.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn share_caught(&self) -> f64 {
        let viable = self.caught + self.survivors.len();
        self.caught as f64 / viable.max(1) as f64
    }

    /// A line about a crate.
    pub(super) fn summary(&self, package: &str) -> String {
        format!(
            "{package}: {:.1} % caught of {} viable mutants, {} survive; {} do not compile",
            self.share_caught() * 100.0,
            self.caught + self.survivors.len(),
            self.survivors.len(),
            self.unviable
        )
    }
}

/// `crates/a/src/x.rs:12:5: replace …` without the numbers.
fn without_position(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(file), Some(_), Some(_), Some(change)] => format!("{file}:{change}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(baseline: &str) -> String {
        let outcome = |name: &str, summary: &str| {
            format!(
                r#"{{"scenario":{{"Mutant":{{"name":"src/x.rs:1:2: {name}","file":"src/x.rs"}}}},"summary":"{summary}"}}"#
            )
        };
        let outcomes = [
            format!(r#"{{"scenario":"Baseline","summary":"{baseline}"}}"#),
            outcome("replace a -> b with c", "CaughtMutant"),
            outcome("hangs", "Timeout"),
            outcome("replace a::b", "MissedMutant"),
            outcome("wrong", "Unviable"),
        ];
        format!(r#"{{"outcomes":[{}],"missed":1}}"#, outcomes.join(","))
    }

    #[test]
    fn outcomes_are_counted_and_survivors_named() {
        let outcomes = Outcomes::parse(&report("Success")).unwrap();
        let expected = Outcomes {
            caught: 2,
            unviable: 1,
            survivors: vec!["src/x.rs: replace a::b".to_owned()],
        };
        assert_eq!(outcomes, expected);
        assert_eq!(
            outcomes.summary("x"),
            "x: 66.7 % caught of 3 viable mutants, 1 survive; 1 do not compile"
        );
    }

    #[test]
    fn tests_that_fail_anyway_prove_nothing() {
        assert!(Outcomes::parse(&report("Failure")).is_err());
    }
}
