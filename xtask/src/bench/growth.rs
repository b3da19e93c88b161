//! Many flags against few: the processor time of a warm request.
//!
//! A thousand projects are also a thousand head rows to look at for changes, which counts as well.
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::memory::{ROOM, served};
use super::report::{Measured, Table};
use super::rounds::{Contestant, play};
use super::statistics::mib;
use super::stores::{FullStore, NO_EXPOSURES, Size, pinned};
use crate::foreground::Foreground;
use crate::services::{Program, Servers, Store};

/// A hundred lists, not a hundred thousand: those would be a thousand million ids, which no memory holds.
const MANY: Size = Size {
    projects: 1_000,
    flags: 100_000,
    lists: 100,
    ids: 10_000,
};

/// After so long a head row that does not change is no longer compared with each of its flags.
const SETTLED: Duration = Duration::from_secs(35);

/// How long the services are watched while nothing is asked.
const IDLE: Duration = Duration::from_secs(5);

/// Measures few flags, many, and those of the many that have lists.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let few = FullStore::fill(Size::of_flags(10), foreground)?;
    let many = FullStore::fill(MANY, foreground)?;
    let order = pinned(Program::Service, Store::Embedded, &[NO_EXPOSURES, ROOM]);
    let (few_servers, _) = served(&few, &few.with(order.clone()), foreground)?;
    let (many_servers, _) = served(&many, &many.with(order), foreground)?;
    // At first each flag is compared with its head row twice a second.
    rest(SETTLED, foreground)?;
    let idle = [
        idle(&few_servers, foreground)?,
        idle(&many_servers, foreground)?,
    ];
    let mut contestants = [
        Contestant::new("10 flags", &few_servers, few.all()),
        Contestant::new("100,000 flags", &many_servers, many.all()),
        Contestant::new("those with lists", &many_servers, many.listed()),
    ];
    play(&mut contestants, args, foreground)?;
    let [few, many, listed] = &contestants;
    Ok(Measured {
        rows: vec![
            row(
                "100,000 flags in 1,000 projects: CPU of a warm request by that with 10 flags",
                many,
                few,
            ),
            row(
                "the same, asking only for 100 flags with override lists of 10,000 ids",
                listed,
                few,
            ),
        ],
        tables: vec![table(&contestants, idle)?],
        ..Measured::default()
    })
}

fn row(what: &str, contestant: &Contestant, few: &Contestant) -> Row {
    let spread = contestant.against(few, |run| run.cpu);
    let worker = contestant.against(few, |run| run.worker).median;
    Row::new(what, Unit::Ratio, Goal::AtMost(1.2), spread.median).note(format!(
        "{:.2} to {:.2}; the worker's thread alone {worker:.2}",
        spread.least, spread.max
    ))
}

/// The share of a processor that a service takes while nothing is asked.
fn idle(servers: &Servers, foreground: &mut Foreground) -> Result<f64> {
    let usage = || servers.usage().context("a service has died");
    let before = usage()?;
    rest(IDLE, foreground)?;
    Ok(usage()?.since(before).cpu_seconds / IDLE.as_secs_f64())
}

fn rest(time: Duration, foreground: &mut Foreground) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        foreground.rest()?;
    }
    Ok(())
}

fn table(contestants: &[Contestant], [few, many]: [f64; 2]) -> Result<Table> {
    let title = "Growth: 10 flags against 100,000 in 1,000 projects, 100 of them with override lists of 10,000 ids; exposures off, medians";
    let head = [
        "asked for",
        "answers/s",
        "p99 ms",
        "CPU µs each",
        "of it the worker's",
        "failed",
        "resident MiB",
        "CPU while nothing is asked",
    ];
    let mut table = Table::new(title, &head);
    for (contestant, idle) in contestants.iter().zip([few, many, many]) {
        let usage = contestant.servers.usage().context("a service has died")?;
        table.row([
            contestant.name.to_owned(),
            format!("{:.0}", contestant.median(|run| run.rate)),
            format!("{:.3}", contestant.median(|run| run.p99)),
            format!("{:.2}", contestant.median(|run| run.cpu)),
            format!("{:.2}", contestant.median(|run| run.worker)),
            contestant.failed().to_string(),
            format!("{:.1}", mib(usage.resident)),
            format!("{:.1} %", 100.0 * idle),
        ]);
    }
    Ok(table)
}
