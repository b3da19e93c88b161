//! `cargo xtask bench`: the service against the bare HTTP server beneath it, in one interleaved run.
//!
//! Server and load have a processor each. Every round loads each contestant in turn, so that what else the machine
//! does meets all of them; ratios are taken within a round, and their median and spread are told.
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::foreground::Foreground;
use crate::load::{self, Asks, Load, Order, Program, Servers, Store, latencies};

/// The processor of the server; the load runs on the first.
const SERVER: usize = 1;

/// How long a contestant is loaded before it counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each contestant is measured
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// How many seconds each time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
}

/// A way to serve that is measured.
struct Contestant {
    name: &'static str,
    servers: Servers,
    runs: Vec<Run>,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu_micros: f64,
    failed: u64,
}

/// Measures, and prints a row for each contestant.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    load::build(foreground)?;
    let mut contestants = Vec::new();
    for (name, order) in orders() {
        let servers = Servers::start(&order, foreground)?;
        servers.pause()?;
        contestants.push(Contestant {
            name,
            servers,
            runs: Vec::new(),
        });
    }
    pin_load()?;
    for round in 1..=args.rounds {
        for contestant in &mut contestants {
            foreground.check()?;
            // Only one runs at a time: exposures that still wait would be written at the cost of the next.
            contestant.servers.resume()?;
            let run = contestant.measure(args)?;
            contestant.servers.pause()?;
            eprintln!(
                "round {round}: {:<28} {:.0} answers/s",
                contestant.name, run.rate
            );
            contestant.runs.push(run);
        }
    }
    let bare = contestants
        .first()
        .context("nothing was measured")?
        .runs
        .clone();
    println!(
        "{:<28} {:>10} {:>22} {:>9} {:>9} {:>10} {:>12} {:>7}",
        "",
        "answers/s",
        "ratio (least, most)",
        "p50 ms",
        "p99 ms",
        "p99 ratio",
        "cpu us each",
        "failed"
    );
    for contestant in &contestants {
        println!("{}", contestant.row(&bare));
    }
    Ok(())
}

fn orders() -> Vec<(&'static str, Order)> {
    let order = |program, store, variables: &[(&'static str, &'static str)]| Order {
        program,
        store,
        replicas: 1,
        project: "csr-assistant".to_owned(),
        flags: 0,
        variables: [&[("FLAG_WORKERS", "1")], variables].concat(),
        processor: Some(SERVER),
    };
    let service = Program::Service;
    vec![
        ("bare actix-web", order(Program::Bare, Store::Embedded, &[])),
        (
            "everything on, emulator",
            order(service, Store::Emulator, &[]),
        ),
        (
            "everything on, embedded",
            order(service, Store::Embedded, &[]),
        ),
        (
            "exposures off",
            order(service, Store::Embedded, &[("FLAG_EXPOSURES", "off")]),
        ),
        (
            "exposures and cache off",
            order(
                service,
                Store::Embedded,
                &[
                    ("FLAG_EXPOSURES", "off"),
                    ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0"),
                ],
            ),
        ),
    ]
}

/// Leaves the server's processor to the server.
fn pin_load() -> Result<()> {
    let mut processors = rustix::thread::CpuSet::new();
    processors.set(0);
    rustix::thread::sched_setaffinity(None, &processors)
        .context("cannot choose the processor of the load")
}

impl Contestant {
    fn measure(&self, args: &Args) -> Result<Run> {
        let load = Load {
            targets: self.servers.addresses.clone(),
            connections: usize::from(args.connections),
            rate: None,
            warm_up: WARM_UP,
            duration: Duration::from_secs(args.seconds),
            asks: Asks::new(
                "hit=100".parse().map_err(|wrong: String| anyhow!(wrong))?,
                1_000_000,
                "csr-assistant",
                &["feature/multi_step_api_router".to_owned()],
            ),
        };
        let (seconds, ended) = channel();
        let before = self.servers.usage();
        load::run(&load, &Arc::new(AtomicBool::new(false)), &seconds)?;
        let after = self.servers.usage();
        drop(seconds);
        let mut all = latencies()?;
        let (mut answers, mut counted, mut failed) = (0, 0, 0);
        for second in ended {
            answers += second.expected;
            if second.at >= 0 {
                counted += second.expected;
                failed += second.failed;
                all.add(&second.latencies)?;
            }
        }
        let cpu = match (before, after) {
            (Some(before), Some(after)) => after.cpu_seconds - before.cpu_seconds,
            _ => 0.0,
        };
        Ok(Run {
            rate: as_f64(counted) / as_f64(args.seconds),
            p50: as_f64(all.value_at_quantile(0.5)) / 1e3,
            p99: as_f64(all.value_at_quantile(0.99)) / 1e3,
            cpu_micros: cpu * 1e6 / as_f64(answers.max(1)),
            failed,
        })
    }

    /// The figures, against those of the same rounds of `bare`.
    fn row(&self, bare: &[Run]) -> String {
        let of = |figure: fn(&Run) -> f64| median(self.runs.iter().map(figure).collect());
        let against = |figure: fn(&Run) -> f64| -> Vec<f64> {
            let pairs = self.runs.iter().zip(bare);
            pairs
                .map(|(run, bare)| figure(run) / figure(bare))
                .collect()
        };
        let rates = against(|run| run.rate);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        let failed: u64 = self.runs.iter().map(|run| run.failed).sum();
        format!(
            "{:<28} {:>10.0} {:>22} {:>9.3} {:>9.3} {:>10.2} {:>12.2} {failed:>7}",
            self.name,
            of(|run| run.rate),
            format!("{:.2} ({least:.2}, {most:.2})", median(rates)),
            of(|run| run.p50),
            of(|run| run.p99),
            median(against(|run| run.p99)),
            of(|run| run.cpu_micros),
        )
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
