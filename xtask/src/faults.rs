//! The long measurements of what happens when something fails, and the table that they make.
//!
//! Each is an ignored test of `tests/tests/stories/faults`, which reports a line of JSON; they run one at a time, in
//! release builds.
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::emulator::{self, Emulator};
use crate::foreground::{Foreground, cargo};
use crate::generated;
use crate::services;

/// Where the table stands.
const PAGE: &str = "docs/reliability.md";

/// Which measurements to take.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Writes the table into docs/reliability.md
    #[arg(long)]
    write: bool,
    /// Takes only those whose name contains this
    filter: Option<String>,
}

/// A row of the table.
#[derive(Debug, Deserialize)]
struct Row {
    fault: String,
    goal: String,
    measured: String,
    holds: bool,
}

/// Takes the measurements, prints the table. Fails if a goal was missed or a measurement could not be taken.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    let binary = emulator::obtain(foreground)?;
    let folder = services::build(foreground)?;
    let report = folder.join("faults.jsonl");
    // What an earlier run left.
    let _ = fs::remove_file(&report);
    let emulator = Emulator::start(&binary, 0)?;
    let mut command = cargo();
    command
        .args(["test", "--release", "-p", "flag-tests", "--test", "stories"])
        .args(["--no-fail-fast", "--", "--ignored", "--nocapture"])
        .args(["--test-threads", "1"])
        .args(&args.filter)
        .env("FLAG_TEST_BIN_DIR", &folder)
        .env("FLAG_TEST_EMULATOR", emulator.address())
        .env("FLAG_TEST_EMULATOR_BINARY", &binary)
        .env("FLAG_FAULTS_REPORT", &report)
        .env_remove("BIGTABLE_EMULATOR_HOST");
    let tested = foreground.run(&mut command);
    let rows = read(&report)?;
    let table = table(&rows);
    println!("\n{table}");
    if args.write {
        generated::write(PAGE, &format!("{}\n\n{table}", machine()?))?;
    }
    tested
}

fn read(report: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(report).context("no measurement was taken")?;
    let rows: serde_json::Result<Vec<Row>> = text.lines().map(serde_json::from_str).collect();
    Ok(rows?)
}

fn table(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let holds = if row.holds {
            "holds"
        } else {
            "**falls short**"
        };
        let Row {
            fault,
            goal,
            measured,
            ..
        } = row;
        format!("| {fault} | {goal} | {measured} | {holds} |\n")
    });
    let head = "| Fault | Goal | Measured | |\n|---|---|---|---|\n";
    head.to_owned() + &rows.collect::<String>()
}

/// When and where this was measured, in words.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let today = Command::new("date").args(["-u", "+%F"]).output()?;
    let date = String::from_utf8(today.stdout)?;
    Ok(format!(
        "Measured on {}: {cores} cores, {} GiB, {}; service, load, store and network on one machine.",
        date.trim(),
        kib >> 20,
        std::env::consts::ARCH
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_short_is_reported() {
        let row = Row {
            fault: "f".into(),
            goal: "g".into(),
            measured: "m".into(),
            holds: false,
        };
        assert!(table(&[row]).ends_with("| f | g | m | **falls short** |\n"));
    }
}
