//! Writing exposures: how many a second, and what one costs.
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::report::{Measured, Table};
use super::rounds::{Contestant, ask, play, sample, until_written};
use super::statistics::{Spread, as_f64};
use super::stores::{NO_EXPOSURES, pinned};
use super::sustained;
use crate::foreground::Foreground;
use crate::services::{Program, Servers, Store, Usage, metric};

/// Requests a second at which the cost of an exposure is measured: far from what a core takes.
const RATE: f64 = 20_000.0;

/// How many exposures may wait: more than a round makes.
const QUEUE: (&str, &str) = ("FLAG_EXPOSURE_QUEUE", "10000000");

/// Exposures made in a round, by second that a round lasts.
const PER_SECOND: u64 = 100_000;

/// Measures the writing into both stores, then the cost on the worker's thread.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let emulator = written(Store::Emulator, args, foreground)?;
    let embedded = written(Store::Embedded, args, foreground)?;
    let rate = |store: &str, goal, rounds: &[Round]| {
        let spread = Spread::of(rounds.iter().map(Round::rate));
        let what = format!("exposures written into the {store}, service on one core");
        Row::new(what, Unit::RowsPerSecond, goal, spread.median)
            .note(format!("{:.0} to {:.0}", spread.least, spread.most))
    };
    let title = "Writing exposures that wait, while nothing is asked; service on one core, emulator on the other; medians";
    let head = [
        "store",
        "rows/s",
        "rows/s while asked",
        "CPU µs a row",
        "the emulator's µs a row",
    ];
    let mut table = Table::new(title, &head);
    table.row(cells("emulator", &emulator));
    table.row(cells("embedded", &embedded));
    let (cost, costs) = cost(args, foreground)?;
    let mut rows = vec![
        rate("emulator", Goal::AtLeast(100_000.0), &emulator),
        rate("embedded store", Goal::None, &embedded),
        capacity(&emulator),
        cost,
    ];
    rows.extend(sustained::measure(args, foreground)?);
    Ok(Measured {
        rows,
        tables: vec![table, costs],
        ..Measured::default()
    })
}

/// How many rows a core of the service would write if no store held it up.
fn capacity(rounds: &[Round]) -> Row {
    let micros = Spread::of(rounds.iter().map(Round::micros)).median;
    let what =
        "rows that the service's core could write into Bigtable, by the processor time of a row";
    let row = Row::new(what, Unit::RowsPerSecond, Goal::None, 1e6 / micros);
    row.computed().note(format!("{micros:.2} µs a row"))
}

/// A backlog that was made by requests, then written with nothing else to do.
struct Round {
    /// Rows written while requests came, in so many seconds.
    while_asked: (f64, f64),
    /// Rows written afterwards.
    rows: f64,
    seconds: f64,
    /// What the service used meanwhile, and the emulator if there is one.
    service: Usage,
    emulator: Option<Usage>,
}

impl Round {
    fn rate(&self) -> f64 {
        self.rows / self.seconds
    }

    /// The service's processor time by row.
    fn micros(&self) -> f64 {
        self.service.cpu_seconds * 1e6 / self.rows
    }
}

fn written(store: Store, args: &Args, foreground: &mut Foreground) -> Result<Vec<Round>> {
    let servers = Servers::start(&pinned(Program::Service, store, &[QUEUE]), foreground)?;
    let rounds = (1..=args.rounds).map(|number| {
        foreground.check()?;
        let round = round(&servers, args)?;
        eprintln!("round {number}: {store:?}, {:.0} rows/s", round.rate());
        Ok(round)
    });
    rounds.collect()
}

fn round(servers: &Servers, args: &Args) -> Result<Round> {
    let address = *servers.addresses.first().context("no address")?;
    let written = || metric(address, "flag_exposures_written_total");
    let usage = || servers.usage().context("the service has died");
    let (before, began) = (written()?, Instant::now());
    let requests = PER_SECOND * args.seconds;
    ask(servers, usize::from(args.connections), requests, sample())?;
    let (from, asked_for) = (written()?, began.elapsed());
    let (service, emulator, began) = (usage()?, servers.emulator_usage(), Instant::now());
    until_written(address)?;
    let seconds = began.elapsed().as_secs_f64();
    let dropped = metric(address, "flag_exposures_dropped_total")?;
    ensure!(dropped < 0.5, "{dropped} exposures were dropped");
    Ok(Round {
        while_asked: (from - before, asked_for.as_secs_f64()),
        rows: before + as_f64(requests) - from,
        seconds,
        service: usage()?.since(service),
        emulator: emulator.and_then(|before| Some(servers.emulator_usage()?.since(before))),
    })
}

fn cells(store: &str, rounds: &[Round]) -> [String; 5] {
    let middle = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(figure)).median;
    let emulator = middle(&|round| {
        let used = round.emulator;
        used.map_or(f64::NAN, |used| used.cpu_seconds * 1e6 / round.rows)
    });
    [
        store.to_owned(),
        format!("{:.0}", middle(&Round::rate)),
        format!(
            "{:.0}",
            middle(&|round| round.while_asked.0 / round.while_asked.1)
        ),
        format!("{:.2}", middle(&Round::micros)),
        if emulator.is_finite() {
            format!("{emulator:.2}")
        } else {
            String::new()
        },
    ]
}

/// What an exposure costs the thread that answers, by the same requests with exposures and without.
fn cost(args: &Args, foreground: &mut Foreground) -> Result<(Row, Table)> {
    let start = |variables: &[_], foreground: &mut Foreground| {
        let order = pinned(Program::Service, Store::Emulator, variables);
        Servers::start(&order, foreground)
    };
    let logging = start(&[], foreground)?;
    let silent = start(&[NO_EXPOSURES], foreground)?;
    let contestant = |name, servers| Contestant::new(name, servers, sample()).at(RATE);
    let mut contestants = [
        contestant("exposures on", &logging),
        contestant("exposures off", &silent),
    ];
    play(&mut contestants, args, foreground)?;
    let [on, off] = &contestants;
    let pairs = on.runs.iter().zip(&off.runs);
    let worker = Spread::of(pairs.clone().map(|(on, off)| on.worker - off.worker));
    let whole = Spread::of(pairs.map(|(on, off)| on.cpu - off.cpu));
    let what = "CPU of an exposure on the thread that answers";
    let row = Row::new(what, Unit::Microseconds, Goal::AtMost(3.0), worker.median).note(format!(
        "{:.2} to {:.2}; with the writing, in all threads, {}",
        worker.least,
        worker.most,
        whole.text(2)
    ));
    let title = format!("A request at {RATE:.0} a second, emulator on the other core; medians");
    let mut table = Table::new(
        title,
        &[
            "",
            "worker's CPU µs",
            "all CPU µs",
            "answers/s",
            "p99 ms",
            "failed",
        ],
    );
    for contestant in &contestants {
        table.row([
            contestant.name.to_owned(),
            format!("{:.2}", contestant.median(|run| run.worker)),
            format!("{:.2}", contestant.median(|run| run.cpu)),
            format!("{:.0}", contestant.median(|run| run.rate)),
            format!("{:.3}", contestant.median(|run| run.p99)),
            contestant.failed().to_string(),
        ]);
    }
    Ok((row, table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_costs_are_by_row() {
        let used = |cpu_seconds| Usage {
            cpu_seconds,
            ..Usage::default()
        };
        let round = |emulator| Round {
            while_asked: (50.0, 2.0),
            rows: 1_000.0,
            seconds: 0.01,
            service: used(0.004),
            emulator,
        };
        assert_eq!(
            cells("s", &[round(Some(used(0.009)))]),
            ["s", "100000", "25", "4.00", "9.00"]
        );
        assert_eq!(cells("s", &[round(None)])[4], "");
        assert!(capacity(&[round(None)]).cells()[2].starts_with("250000 rows/s, computed"));
    }
}
