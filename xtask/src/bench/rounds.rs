//! Contestants under load, in turn, round after round.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use flag_load::{Load, Outcome, WriteRequest};

use super::statistics::{Spread, as_f64, median};
use super::{Args, LOAD};
use crate::foreground::Foreground;
use crate::services::{Requests, Servers, Usage, metric};

/// How long a contestant is loaded before it counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often one looks whether exposures are written, and how long what else is under way may take then.
const GLANCE: Duration = Duration::from_millis(10);
const SETTLED: Duration = Duration::from_millis(100);

/// How long a load of a given number of requests, or the writing of its exposures, may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// A way to serve that is measured.
pub(super) struct Contestant<'a> {
    pub(super) name: &'static str,
    pub(super) servers: &'a Servers,
    write: Arc<WriteRequest>,
    /// Requests a second; without it as many as are answered.
    rate: Option<f64>,
    pub(super) runs: Vec<Run>,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Answers a second.
    pub(super) rate: f64,
    /// Milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Processor time of the service by answer, that of writing its exposure included, and that of its workers alone;
    /// in microseconds.
    pub(super) cpu: f64,
    pub(super) worker: f64,
    pub(super) failed: u64,
    /// How many exposures waited when the load was over.
    pub(super) waiting: f64,
}

/// How many exposures wait to be written.
fn pending(address: SocketAddr) -> Result<f64> {
    metric(address, "flag_exposures_pending")
}

/// Waits until no exposure waits any more.
pub(super) fn until_written(address: SocketAddr) -> Result<()> {
    let began = Instant::now();
    while pending(address)? > 0.5 {
        ensure!(
            began.elapsed() < PATIENCE,
            "exposures are not written in time"
        );
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// What a load gave.
pub(super) struct Tally {
    /// All of it, the warm-up included.
    all: Outcome,
    /// The part that counts.
    counted: Outcome,
}

/// The sample flag, asked for a million instances.
pub(super) fn sample() -> Requests {
    let flag = ("csr-assistant", "multi_step_api_router");
    Requests::features(1_000_000, std::iter::once(flag))
}

/// Measures each once a round. Only one runs at a time: what others do in the background would be at its cost.
pub(super) fn play(
    contestants: &mut [Contestant<'_>],
    args: &Args,
    foreground: &mut Foreground,
) -> Result<()> {
    for contestant in contestants.iter() {
        contestant.servers.pause()?;
    }
    for round in 1..=args.rounds {
        for contestant in &mut *contestants {
            foreground.check()?;
            contestant.servers.resume()?;
            let run = contestant.measure(args)?;
            contestant.servers.pause()?;
            eprintln!(
                "round {round}: {:<28} {:>7.0} answers/s, {:.2} us of processor each",
                contestant.name, run.rate, run.cpu
            );
            contestant.runs.push(run);
        }
    }
    for contestant in contestants.iter() {
        contestant.servers.resume()?;
    }
    Ok(())
}

/// Sends this number of requests, as fast as answers come. Fails if any is not as expected.
pub(super) fn ask(
    servers: &Servers,
    connections: usize,
    count: u64,
    requests: Requests,
) -> Result<()> {
    let tally = on_its_processor(&Load {
        targets: servers.addresses.clone(),
        connections,
        rate: None,
        warm_up: Duration::ZERO,
        duration: PATIENCE,
        requests: Some(count),
        write: requests.writer(),
    })?;
    ensure!(
        tally.all.expected == count && tally.all.failed == 0,
        "{} of {count} answers were as expected",
        tally.all.expected
    );
    Ok(())
}

/// Runs a load on the processor that is its own.
pub(super) fn on_its_processor(load: &Load) -> Result<Tally> {
    let (seconds, ended) = channel();
    thread::scope(|scope| {
        let generator = scope.spawn(move || {
            let mut processors = rustix::thread::CpuSet::new();
            processors.set(LOAD);
            rustix::thread::sched_setaffinity(None, &processors)
                .context("cannot choose the processor of the load")?;
            anyhow::Ok(load.run(&seconds)?)
        });
        generator
            .join()
            .map_err(|_| anyhow!("the load generator died"))?
    })?;
    let mut tally = Tally {
        all: Outcome::new()?,
        counted: Outcome::new()?,
    };
    for second in ended {
        tally.all.add(&second.outcome)?;
        if second.at >= 0 {
            tally.counted.add(&second.outcome)?;
        }
    }
    Ok(tally)
}

impl<'a> Contestant<'a> {
    pub(super) fn new(name: &'static str, servers: &'a Servers, requests: Requests) -> Self {
        Self::writing(name, servers, requests.writer())
    }

    /// The same with requests of its own.
    pub(super) fn writing(
        name: &'static str,
        servers: &'a Servers,
        write: Arc<WriteRequest>,
    ) -> Self {
        Self {
            name,
            servers,
            write,
            rate: None,
            runs: Vec::new(),
        }
    }

    /// The same at a constant rate.
    pub(super) fn at(self, rate: f64) -> Self {
        Self {
            rate: Some(rate),
            ..self
        }
    }

    /// Measures it once.
    pub(super) fn measure(&self, args: &Args) -> Result<Run> {
        self.measure_for(args.seconds, args)
    }

    /// Measures it once, for a time of its own.
    pub(super) fn measure_for(&self, seconds: u64, args: &Args) -> Result<Run> {
        let load = Load {
            targets: self.servers.addresses.clone(),
            connections: usize::from(args.connections),
            rate: self.rate,
            warm_up: WARM_UP,
            duration: Duration::from_secs(seconds),
            requests: None,
            write: Arc::clone(&self.write),
        };
        let usage = || self.servers.usage().context("a service has died");
        let before = usage()?;
        let tally = on_its_processor(&load)?;
        let waiting = self.settle()?;
        let run = Run::new(&tally, usage()?.since(before), seconds);
        Ok(Run { waiting, ..run })
    }

    /// Lets it write the exposures that wait, whose cost is that of the requests before; how many there were. A service
    /// that is stopped in the midst of it finds that the store did not answer in time.
    pub(super) fn settle(&self) -> Result<f64> {
        let address = *self.servers.addresses.first().context("no address")?;
        // A server without metrics has no exposures either.
        let Ok(waiting) = pending(address) else {
            return Ok(0.0);
        };
        until_written(address)?;
        thread::sleep(SETTLED);
        Ok(waiting)
    }

    /// The middle of a figure.
    pub(super) fn median(&self, figure: fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(figure).collect())
    }

    /// A figure by that of another in the same rounds.
    pub(super) fn against(&self, other: &Self, figure: fn(&Run) -> f64) -> Spread {
        Spread::of_ratios(self.runs.iter().map(figure), other.runs.iter().map(figure))
    }

    /// How many answers were not as expected.
    pub(super) fn failed(&self) -> u64 {
        self.runs.iter().map(|run| run.failed).sum()
    }
}

impl Run {
    fn new(tally: &Tally, used: Usage, seconds: u64) -> Self {
        let each = |seconds: f64| seconds * 1e6 / as_f64(tally.all.expected.max(1));
        let millis = |share| as_f64(tally.counted.latencies.value_at_quantile(share)) / 1e3;
        Self {
            rate: as_f64(tally.counted.expected) / as_f64(seconds),
            p50: millis(0.5),
            p99: millis(0.99),
            cpu: each(used.cpu_seconds),
            worker: each(used.worker_seconds),
            failed: tally.counted.failed,
            waiting: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_by_answer_and_by_second() {
        let outcome = |expected, failed| Outcome {
            expected,
            failed,
            ..Outcome::new().unwrap()
        };
        let mut tally = Tally {
            all: outcome(500, 5),
            counted: outcome(400, 3),
        };
        let latencies = &mut tally.counted.latencies;
        latencies.record_n(1_000, 99).unwrap();
        latencies.record(5_000).unwrap();
        let used = Usage {
            cpu_seconds: 0.005,
            worker_seconds: 0.002,
            ..Usage::default()
        };
        let run = Run::new(&tally, used, 4);
        assert_eq!(format!("{:.1} {:.1}", run.cpu, run.worker), "10.0 4.0");
        assert_eq!(format!("{:.1} {:.1}", run.rate, run.p50), "100.0 1.0");
        assert_eq!(run.failed, 3);
    }
}
