//! What takes nanoseconds, as the benches of the crates measure it; read from what criterion leaves.
//!
//! Knows benches and figures by their names only. A missing one is reported as not measured.
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde::Deserialize;

use super::goal::{Goal, Row, Unit};
use super::report::{Measured, Table};
use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// The benches, by crate.
const BENCHES: [(&str, &str); 3] = [
    ("flag-rollout", "decide"),
    ("flag-store", "rows"),
    ("flag-client", "cached"),
];

/// Figures by criterion's own names.
const DIGEST: &str = "decide v2 md5/digest alone";
const DECISION: &str = "decide v2 md5/percentage";
const CLIENT: &str = "cached/boolean";
/// Exposures per batch.
const ENCODING: (&str, f64) = ("exposures/encode 500", 500.0);

/// Nanoseconds by name.
type Figures = BTreeMap<String, f64>;

/// Runs the benches, and reads what they found just now.
pub(super) fn measure(foreground: &mut Foreground) -> Result<Measured> {
    let began = SystemTime::now();
    for (package, bench) in BENCHES {
        let mut command = cargo();
        command.args(["bench", "-p", package, "--bench", bench, "--", "--quick"]);
        // A bench that is not there or of another kind leaves no figures, which is reported below.
        if let Err(error) = foreground.run(&mut command) {
            foreground.check()?;
            eprintln!("xtask: {error:#}");
        }
    }
    let mut figures = Figures::new();
    let folder = Metadata::read()?.target_directory.join("criterion");
    collect(&folder, began, &mut figures);
    let mut table = Table::new("In process, by criterion", &["", "ns"]);
    for (name, nanos) in &figures {
        table.row([name.replace('|', "/"), format!("{nanos:.1}")]);
    }
    Ok(Measured {
        rows: rows(&figures),
        tables: if figures.is_empty() {
            Vec::new()
        } else {
            vec![table]
        },
        ..Measured::default()
    })
}

fn rows(figures: &Figures) -> Vec<Row> {
    let decision = "decision in process, md5, 40 %: by the digest alone";
    let goal = Goal::AtMost(1.2);
    let decision = match (figures.get(DECISION), figures.get(DIGEST)) {
        (Some(whole), Some(digest)) => Row::new(decision, Unit::Ratio, goal, whole / digest)
            .note(format!("{whole:.0} ns by {digest:.0} ns")),
        _ => Row::missing(decision, Unit::Ratio, goal, "no figures of the bench"),
    };
    let alone = |what: &str, goal, (name, times)| match figures.get(name) {
        Some(nanos) => Row::new(what, Unit::Nanoseconds, goal, *nanos / times),
        None => Row::missing(what, Unit::Nanoseconds, goal, "no figures of the bench"),
    };
    vec![
        decision,
        alone("encoding an exposure", Goal::None, ENCODING),
        alone("client, cached", Goal::Under(150.0), (CLIENT, 1.0)),
    ]
}

/// Where criterion says what a folder holds.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Takes in every figure below a folder that was written since then.
fn collect(folder: &Path, since: SystemTime, into: &mut Figures) {
    if let Some((name, nanos)) = read(&folder.join("new"), since) {
        into.insert(name, nanos);
    }
    let below = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in below {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), since, into);
        }
    }
}

fn read(folder: &Path, since: SystemTime) -> Option<(String, f64)> {
    let estimates = folder.join("estimates.json");
    let written = fs::metadata(&estimates).and_then(|file| file.modified());
    if written.ok()? < since {
        return None;
    }
    let parse = |path: &Path| fs::read_to_string(path).ok();
    let benchmark: Benchmark =
        serde_json::from_str(&parse(&folder.join("benchmark.json"))?).ok()?;
    let estimates: Estimates = serde_json::from_str(&parse(&estimates)?).ok()?;
    Some((benchmark.full_id, estimates.median.point_estimate))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn figures(pairs: &[(&str, f64)]) -> Figures {
        let pairs = pairs.iter();
        pairs
            .map(|(name, nanos)| ((*name).to_owned(), *nanos))
            .collect()
    }

    #[test]
    fn a_decision_is_held_against_its_digest() {
        let rows = rows(&figures(&[
            (DECISION, 150.0),
            (DIGEST, 120.0),
            (CLIENT, 90.0),
        ]));
        let met: Vec<_> = rows.iter().map(|row| row.is_met).collect();
        assert_eq!(met, [Some(false), None, Some(true)]);
        assert!((rows[0].figure.unwrap() - 1.25).abs() < 1e-12);
        assert!(rows[1].cells()[2].starts_with("not measured"));
    }

    #[test]
    fn estimates_are_read_by_name_wherever_they_lie_but_not_old_ones() {
        let top = std::env::temp_dir().join(format!("xtask-criterion-{}", std::process::id()));
        let new = top.join("a group").join("a function").join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(
            new.join("benchmark.json"),
            r#"{"group_id":"a/group","full_id":"a/group/a function"}"#,
        )
        .unwrap();
        fs::write(
            new.join("estimates.json"),
            r#"{"mean":{"point_estimate":2.0},"median":{"point_estimate":12.5,"standard_error":0.1}}"#,
        )
        .unwrap();
        let mut found = Figures::new();
        let now = SystemTime::now();
        collect(&top, now - Duration::from_mins(1), &mut found);
        assert_eq!(found, figures(&[("a/group/a function", 12.5)]));
        let mut none = Figures::new();
        collect(&top, now + Duration::from_mins(1), &mut none);
        assert!(none.is_empty());
        fs::remove_dir_all(&top).unwrap();
    }
}
