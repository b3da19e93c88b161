//! What the load gave, as a table and as data.
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use flag_load::{Outcome, Second};
use serde::Serialize;

use super::args::Args;
use super::quota::Throttled;
use crate::services::Usage;

/// A second of the load, and what the service used in it.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) second: Second,
    /// Processors used, 1.0 for one.
    pub(super) cpu: f64,
    pub(super) usage: Option<Usage>,
}

impl Moment {
    /// A second that ended now, with what the service had used before and after.
    pub(super) fn new(second: Second, before: Option<Usage>, after: Option<Usage>) -> Self {
        let cpu = match (before, after) {
            (Some(before), Some(after)) => (after.cpu_seconds - before.cpu_seconds).max(0.0),
            _ => 0.0,
        };
        Self {
            second,
            cpu,
            usage: after,
        }
    }
}

/// The whole load, in base units.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was asked for.
    target: String,
    store: Option<String>,
    replicas: Option<u16>,
    requested_rate: Option<f64>,
    connections: u16,
    instances: u64,
    flags: usize,
    seconds: usize,
    /// What came of it.
    answers: u64,
    failed: u64,
    failed_percent: f64,
    rate: f64,
    latency_seconds: Latency,
    cpu: Option<f64>,
    cpu_microseconds_per_answer: Option<f64>,
    resident_bytes: Option<u64>,
    start_seconds: Option<f64>,
    /// The quota, and how often it was used up, warm-up included.
    cpu_limit: Option<f64>,
    throttled: Option<Throttled>,
    /// The processors that threads used which answer no requests.
    cpu_beside: Option<f64>,
    /// The latency at each of these shares of answers.
    #[serde(skip)]
    pub(super) distribution: Vec<(f64, f64)>,
}

/// Latencies, in seconds.
#[derive(Debug, Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    /// Adds up the seconds that were measured.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn new(
        args: &Args,
        started_in: Option<Duration>,
        throttled: Option<Throttled>,
        moments: &[Moment],
    ) -> Result<Self> {
        let (mut all, mut cpu) = (Outcome::new()?, 0.0);
        for moment in moments {
            all.add(&moment.second.outcome)?;
            cpu += moment.cpu;
        }
        let (answers, failed) = (all.expected, all.failed);
        let seconds = moments.len();
        let own = args.target.is_none();
        Ok(Self {
            target: args.target.clone().unwrap_or_else(|| "started".to_owned()),
            store: own.then(|| format!("{:?}", args.store).to_lowercase()),
            replicas: own.then_some(args.replicas),
            requested_rate: args.rate,
            connections: args.connections,
            instances: args.instances,
            flags: super::asked(args).len(),
            seconds,
            answers,
            failed,
            failed_percent: 100.0 * failed as f64 / (answers + failed).max(1) as f64,
            rate: answers as f64 / seconds as f64,
            latency_seconds: Latency::of(&all),
            cpu: own.then_some(cpu / seconds as f64),
            cpu_microseconds_per_answer: own.then(|| cpu * 1e6 / answers.max(1) as f64),
            resident_bytes: moments
                .iter()
                .filter_map(|moment| Some(moment.usage?.resident))
                .max(),
            start_seconds: started_in.map(|started_in| started_in.as_secs_f64()),
            cpu_limit: args.cpu_limit,
            throttled,
            cpu_beside: beside(moments),
            distribution: distribution(&all),
        })
    }

    /// The figures for people.
    pub(super) fn table(&self) -> String {
        self.rows()
            .iter()
            .fold(String::new(), |mut table, (name, value)| {
                // Writing to a text cannot fail.
                let _ = writeln!(table, "{name:<22} {value}");
                table
            })
    }

    /// The figures, named.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let millis = |seconds: f64| format!("{:.3} ms", seconds * 1e3);
        let latency = &self.latency_seconds;
        let mut rows = vec![
            ("answers", self.answers.to_string()),
            ("answers per second", format!("{:.0}", self.rate)),
            (
                "failed",
                format!("{} ({:.4} %)", self.failed, self.failed_percent),
            ),
            ("latency, mean", millis(latency.mean)),
            ("latency, p50", millis(latency.p50)),
            ("latency, p90", millis(latency.p90)),
            ("latency, p95", millis(latency.p95)),
            ("latency, p99", millis(latency.p99)),
            ("latency, p99.9", millis(latency.p999)),
            ("latency, longest", millis(latency.max)),
        ];
        if let (Some(cpu), Some(each)) = (self.cpu, self.cpu_microseconds_per_answer) {
            rows.push(("processors used", format!("{cpu:.2}")));
            rows.push(("processor per answer", format!("{each:.2} us")));
        }
        if let Some(beside) = self.cpu_beside {
            rows.push(("of which exposures", format!("{beside:.2}")));
        }
        if let Some(Throttled {
            periods,
            exhausted,
            nanoseconds,
        }) = self.throttled
        {
            let waited = Duration::from_nanos(nanoseconds);
            rows.push((
                "throttled periods",
                format!("{exhausted} of {periods}, {waited:.1?}"),
            ));
        }
        if let Some(resident) = self.resident_bytes {
            rows.push(("resident memory", format!("{:.1} MiB", mib(resident))));
        }
        if let Some(start) = self.start_seconds {
            rows.push(("start to serving", millis(start)));
        }
        rows
    }

    /// What the load was, in a line.
    pub(super) fn title(&self) -> String {
        let how = match self.requested_rate {
            Some(rate) => format!("{rate:.0} requests/s (open loop)"),
            None => "saturation (closed loop)".to_owned(),
        };
        let place = match (&self.store, self.replicas) {
            (Some(store), Some(replicas)) => format!("{replicas} started, {store} store"),
            _ => self.target.clone(),
        };
        format!(
            "{how}, {} connections, {} flags, {} instance ids, {} s; service: {place}",
            self.connections, self.flags, self.instances, self.seconds
        )
    }

    /// Fails if a threshold was missed, and tells every one that was.
    pub(super) fn judge(&self, args: &Args) -> Result<()> {
        let mut missed = Vec::new();
        let mut at_most = |name: &str, limit: Option<Duration>, found: f64| {
            if let Some(limit) = limit
                && found > limit.as_secs_f64()
            {
                missed.push(format!("{name} is {:.3} ms, above {limit:?}", found * 1e3));
            }
        };
        at_most("p95", args.max_p95, self.latency_seconds.p95);
        at_most("p99", args.max_p99, self.latency_seconds.p99);
        if let Some(least) = args.min_rate
            && self.rate < least
        {
            missed.push(format!("{:.1} answers/s, below {least}", self.rate));
        }
        if self.failed_percent > args.max_failed {
            missed.push(format!(
                "{:.4} % failed, above {} %",
                self.failed_percent, args.max_failed
            ));
        }
        if missed.is_empty() {
            Ok(())
        } else {
            bail!("{}", missed.join("; "))
        }
    }
}

impl Latency {
    fn of(all: &Outcome) -> Self {
        let at = |share| all.percentile(share).as_secs_f64();
        Self {
            mean: all.latencies.mean() / 1e6,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

/// The processors that threads used which answer no requests: those of exposures, most of all.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn beside(moments: &[Moment]) -> Option<f64> {
    let (first, last) = (moments.first()?.usage?, moments.last()?.usage?);
    let used = last.since(first);
    let seconds = moments.len().checked_sub(1)?.max(1);
    Some((used.cpu_seconds - used.worker_seconds).max(0.0) / seconds as f64)
}

/// Shares that come ever nearer to all, with the latency in seconds that they stay below.
fn distribution(all: &Outcome) -> Vec<(f64, f64)> {
    (0..=40)
        .map(|step| {
            let nines = f64::from(step) / 10.0;
            let latency = all.percentile(1.0 - 10_f64.powf(-nines));
            (nines, latency.as_secs_f64())
        })
        .collect()
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
