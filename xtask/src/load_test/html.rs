//! The report as one page that needs nothing else.
use std::fmt::Write as _;

use super::report::{Moment, Report, mib};
use crate::chart::{Chart, Line};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } table { border-collapse: collapse; } td { padding: .15rem 1.5rem .15rem 0; } td + td { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; margin: 1rem 0; }
";

/// The page.
pub(super) fn page(report: &Report, moments: &[Moment]) -> String {
    let mut rows = String::new();
    for (name, value) in report.rows() {
        // Writing to a text cannot fail.
        let _ = writeln!(rows, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    let charts: String = charts(report, moments).iter().map(Chart::svg).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>Load test</title>\n<style>{STYLE}</style>\n<h1>Load test</h1>\n<p>{}</p>\n<table>\n{rows}</table>\n{charts}</html>\n",
        escape(&report.title())
    )
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn charts(report: &Report, moments: &[Moment]) -> Vec<Chart> {
    let line = |name, of: &dyn Fn(&Moment) -> f64| Line {
        name,
        points: (0_u32..)
            .zip(moments)
            .map(|(at, moment)| (f64::from(at), of(moment)))
            .collect(),
    };
    let millis = |share: f64| {
        move |moment: &Moment| {
            as_f64(moment.second.outcome.latencies.value_at_quantile(share)) / 1e3
        }
    };
    let mut charts = vec![
        Chart {
            title: "Answers per second",
            across: seconds,
            up: plain,
            lines: vec![
                line("as expected", &|moment| {
                    as_f64(moment.second.outcome.expected)
                }),
                line("failed", &|moment| as_f64(moment.second.outcome.failed)),
            ],
        },
        Chart {
            title: "Latency over time",
            across: seconds,
            up: in_millis,
            lines: vec![
                line("p50", &millis(0.5)),
                line("p95", &millis(0.95)),
                line("p99", &millis(0.99)),
            ],
        },
        Chart {
            title: "Latency by share of answers",
            across: share,
            up: in_millis,
            lines: vec![Line {
                name: "at most",
                points: report
                    .distribution
                    .iter()
                    .map(|&(nines, seconds)| (nines, seconds * 1e3))
                    .collect(),
            }],
        },
    ];
    if moments.iter().any(|moment| moment.usage.is_some()) {
        charts.push(Chart {
            title: "Processors used by the service",
            across: seconds,
            up: decimal,
            lines: vec![line("processors", &|moment| moment.cpu)],
        });
        charts.push(Chart {
            title: "Resident memory of the service",
            across: seconds,
            up: in_mib,
            lines: vec![line("memory", &|moment| {
                moment.usage.map_or(0.0, |usage| mib(usage.resident))
            })],
        });
    }
    charts
}

#[expect(clippy::cast_precision_loss, reason = "a point in a picture")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn seconds(number: f64) -> String {
    format!("{number:.0} s")
}

fn plain(number: f64) -> String {
    format!("{number:.0}")
}

fn decimal(number: f64) -> String {
    format!("{number:.2}")
}

fn in_millis(number: f64) -> String {
    format!("{number:.2} ms")
}

fn in_mib(number: f64) -> String {
    format!("{number:.1} MiB")
}

/// 2 nines are 99 %.
fn share(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
    format!("{percent:.prec$} %", prec = if nines > 2.0 { 2 } else { 0 })
}
