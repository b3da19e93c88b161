//! The result of `flagctl verify`: what is wrong with the exposures of a project.

use std::time::Duration;

use flag_model::ProjectName;
use flag_rollout::RatioResult;
use flag_verify::{Fault, FaultKind, FlagReport, Lag, Report, RevisionSampleRatio};
use serde::Serialize;

use super::escape::visible;
use super::table::short;
use super::text::{Columns, Text, Tone};
use super::view::View;

/// What is wrong with the exposures of a project.
pub(crate) struct VerifiedExposures<'a> {
    project: &'a ProjectName,
    report: &'a Report,
}

#[derive(Serialize)]
struct Data<'a> {
    project: &'a str,
    exposures: u64,
    #[serde(flatten)]
    faults: Faults,
    flags: Vec<FlagData<'a>>,
    findings: &'a [Fault],
}

#[derive(Serialize)]
struct Faults {
    decided_otherwise: u64,
    unknown_revision: u64,
    unreadable: u64,
    duplicates: u64,
    two_values: u64,
}

#[derive(Serialize)]
struct FlagData<'a> {
    flag_type: &'a str,
    name: &'a str,
    exposures: u64,
    agree: u64,
    decided_otherwise: u64,
    unknown_revision: u64,
    unreadable: u64,
    without_revision: u64,
    unreadable_revision: u64,
    hashed: u64,
    before_revision: u64,
    stale: StaleData<'a>,
    splits: Vec<SplitData<'a>>,
}

#[derive(Serialize)]
struct StaleData<'a> {
    exposures: u64,
    p50_ms: f64,
    p99_ms: f64,
    worst_ms: f64,
    worst_created: Option<&'a str>,
    worst_revision: Option<&'a str>,
}

#[derive(Serialize)]
struct SplitData<'a> {
    revision: String,
    exposures: u64,
    result: &'static str,
    p: f64,
    groups: Vec<GroupData<'a>>,
}

#[derive(Serialize)]
struct GroupData<'a> {
    rollout_group: &'a str,
    expected: f64,
    observed: f64,
}

impl<'a> VerifiedExposures<'a> {
    /// Shows a report.
    pub(crate) fn new(project: &'a ProjectName, report: &'a Report) -> Self {
        Self { project, report }
    }

    /// The result in a sentence.
    pub(crate) fn summary(&self, took: Duration) -> String {
        let exposures = self.report.exposures();
        let rate = per_second(exposures, took);
        let read = format!("{exposures} exposures in {took:.1?}, {rate} a second");
        if self.report.is_clean() {
            return format!("nothing is wrong ({read})");
        }
        let faults = self.report.faults.iter();
        let faults = faults.filter(|(_, count)| **count > 0);
        let faults = faults.map(|(kind, count)| format!("{count} {}", kind.as_str()));
        format!("{} ({read})", faults.collect::<Vec<_>>().join(", "))
    }

    fn flags(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a FlagReport)> {
        self.report.flags.iter().map(|(flag, report)| {
            let (flag_type, name) = flag.split_once('/').unwrap_or(("", flag));
            (flag_type, name, report)
        })
    }
}

impl View for VerifiedExposures<'_> {
    fn data(&self) -> impl Serialize {
        let report = self.report;
        let flags = self.flags();
        Data {
            project: self.project.as_str(),
            exposures: report.exposures(),
            faults: Faults {
                decided_otherwise: report.count(FaultKind::DecidedOtherwise),
                unknown_revision: report.count(FaultKind::UnknownRevision),
                unreadable: report.count(FaultKind::Unreadable),
                duplicates: report.count(FaultKind::Duplicate),
                two_values: report.count(FaultKind::TwoValues),
            },
            flags: flags
                .map(|(flag_type, name, report)| FlagData::new(flag_type, name, report))
                .collect(),
            findings: &report.findings,
        }
    }

    fn text(&self) -> Text {
        let heading = [
            "TYPE",
            "NAME",
            "EXPOSURES",
            "AGREE",
            "WRONG",
            "NOT VERIFIABLE",
            "STALE",
            "P50",
            "P99",
            "WORST",
            "SPLIT",
        ];
        let mut flags = Columns::headed(heading);
        for (flag_type, name, of) in self.flags() {
            let wrong = of.decided_otherwise + of.unknown_revision + of.unreadable;
            let mut line = vec![flag_type.to_owned(), visible(name)];
            let counts = [
                of.exposures,
                of.agree,
                wrong,
                of.unverifiable(),
                of.outdated.count(),
            ];
            line.extend(counts.iter().map(u64::to_string));
            line.extend(lags(&of.outdated));
            line.push(split(&of.sample_ratios).to_owned());
            flags.line(tone(wrong), line);
        }
        let text = flags.text();
        if self.report.findings.is_empty() {
            return text;
        }
        text.and(findings(&self.report.findings))
    }

    fn names(&self) -> Vec<String> {
        let findings = self.report.findings.iter();
        let mut flags: Vec<_> = findings.map(|finding| finding.flag.clone()).collect();
        flags.sort();
        flags.dedup();
        flags
    }
}

impl<'a> FlagData<'a> {
    fn new(flag_type: &'a str, name: &'a str, of: &'a FlagReport) -> Self {
        let worst = of.most_outdated.as_ref();
        Self {
            flag_type,
            name,
            exposures: of.exposures,
            agree: of.agree,
            decided_otherwise: of.decided_otherwise,
            unknown_revision: of.unknown_revision,
            unreadable: of.unreadable,
            without_revision: of.without_revision,
            unreadable_revision: of.unreadable_revision,
            hashed: of.hashed,
            before_revision: of.before_revision,
            stale: StaleData {
                exposures: of.outdated.count(),
                p50_ms: millis(of.outdated.percentile(50)),
                p99_ms: millis(of.outdated.percentile(99)),
                worst_ms: millis(of.outdated.worst()),
                worst_created: worst.map(|(created, _)| created.as_str()),
                worst_revision: worst.map(|(_, revision)| revision.as_str()),
            },
            splits: of.sample_ratios.iter().map(SplitData::new).collect(),
        }
    }
}

impl<'a> SplitData<'a> {
    fn new(split: &'a RevisionSampleRatio) -> Self {
        let groups = split.ratio.groups.iter().map(|of| GroupData {
            rollout_group: &of.group,
            expected: of.expected,
            observed: of.observed,
        });
        Self {
            revision: split.revision.to_string(),
            exposures: split.exposures,
            result: result(split.ratio.result),
            p: split.ratio.p,
            groups: groups.collect(),
        }
    }
}

fn findings(findings: &[Fault]) -> Text {
    let heading = [
        "FAULT", "FLAG", "INSTANCE", "CREATED", "REVISION", "WHAT", "LOGGED", "DECIDED", "REQUEST",
    ];
    let mut columns = Columns::headed(heading);
    for finding in findings {
        let line = [
            finding.kind.as_str().to_owned(),
            cell(&finding.flag),
            cell(&finding.instance_id),
            cell(&finding.created),
            cell(&finding.revision),
            cell(&finding.what),
            cell(&finding.logged),
            cell(&finding.decided),
            cell(&finding.request_id),
        ];
        columns.line(Tone::Problem, line);
    }
    columns.text()
}

fn cell(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    short(text)
}

fn tone(wrong: u64) -> Tone {
    if wrong == 0 {
        Tone::Plain
    } else {
        Tone::Problem
    }
}

fn lags(stale: &Lag) -> [String; 3] {
    if stale.count() == 0 {
        return ["-"; 3].map(str::to_owned);
    }
    let lags = [stale.percentile(50), stale.percentile(99), stale.worst()];
    lags.map(|lag| format!("{lag:.1?}"))
}

/// The result of the worst split.
fn split(splits: &[RevisionSampleRatio]) -> &'static str {
    let has = |result| splits.iter().any(|split| split.ratio.result == result);
    let worst = [
        RatioResult::Mismatch,
        RatioResult::Fits,
        RatioResult::TooFew,
    ];
    worst.into_iter().find(|of| has(*of)).map_or("-", result)
}

fn result(result: RatioResult) -> &'static str {
    match result {
        RatioResult::TooFew => "too few",
        RatioResult::Fits => "fits",
        RatioResult::Mismatch => "mismatch",
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// How many there were in a second.
pub(crate) fn per_second(count: u64, took: Duration) -> u128 {
    u128::from(count) * 1_000_000 / took.as_micros().max(1)
}
