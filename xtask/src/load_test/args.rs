//! What was typed, and what cannot be meant.
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::services::{Mix, Store};

/// The longest load; more is a mistake.
const LONGEST: Duration = Duration::from_hours(1);

/// The most requests; more is a mistake.
const MAX_REQUESTS: f64 = 500_000_000.0;

/// What to load, how, and what it must hold.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  cargo xtask load-test --rate 750 --max-p95 50ms --min-rate 745
  cargo xtask load-test --store emulator --replicas 2 --duration 60s
  cargo xtask load-test --target http://127.0.0.1:8080 --rate 1000 --mix hit=98,unknown=1,error=1")]
pub(crate) struct Args {
    /// A service that runs already, `http://host:port`; without it one is started
    #[arg(long, value_name = "URL")]
    pub(super) target: Option<String>,
    /// Allows a target that is not this machine
    #[arg(long, requires = "target")]
    pub(super) i_own_this_host: bool,
    /// The store of the service that is started; `bigtable` takes its settings from the environment
    #[arg(long, value_enum, default_value_t = Store::Embedded, conflicts_with = "target")]
    pub(super) store: Store,
    /// How many services to start, over one store
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16), conflicts_with = "target")]
    pub(super) replicas: u16,
    /// How many processors the service that is started may use, by a quota as containers have one; Linux, root
    #[arg(long, value_name = "PROCESSORS", conflicts_with = "target")]
    pub(super) cpu_limit: Option<f64>,
    /// How many flags to put into the store of the service that is started, besides the sample flags
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000), conflicts_with = "target")]
    pub(super) flags: u32,
    /// Requests a second, whatever the answers do (open loop); without it as many as the service takes (closed loop)
    #[arg(long, value_name = "PER_SECOND")]
    pub(super) rate: Option<f64>,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) connections: u16,
    /// How long to measure
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(super) duration: Duration,
    /// How long to load before that
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub(super) warm_up: Duration,
    /// How many instance ids there are
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) instances: u64,
    /// Parts of the load: flags that are there, flags that aren't, requests that cannot be
    #[arg(long, default_value = "hit=100")]
    pub(super) mix: Mix,
    /// Project of the flags that are asked for
    #[arg(long, default_value = "csr-assistant")]
    pub(super) project: String,
    /// Flags that are asked for, `type/name`
    #[arg(long = "flag", default_values = ["feature/multi_step_api_router", "data/llm_provider", "data/llm_version"])]
    pub(super) asked: Vec<String>,
    /// Fails if the 95th percentile of the latency is above
    #[arg(long, value_parser = duration)]
    pub(super) max_p95: Option<Duration>,
    /// Fails if the 99th percentile of the latency is above
    #[arg(long, value_parser = duration)]
    pub(super) max_p99: Option<Duration>,
    /// Fails if fewer requests a second are answered as expected
    #[arg(long, value_name = "PER_SECOND")]
    pub(super) min_rate: Option<f64>,
    /// Fails if a larger share of the answers isn't the one expected, in percent
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub(super) max_failed: f64,
    /// Folder of the reports, JSON and HTML; by default `load-test` in the target folder
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

impl Args {
    /// Refuses what would never end, or hit somebody else's machine.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.duration + self.warm_up <= LONGEST,
            "--duration and --warm-up: found more than an hour"
        );
        ensure!(
            self.duration >= Duration::from_secs(1),
            "--duration: found less than a second"
        );
        if let Some(limit) = self.cpu_limit {
            ensure!(
                (0.01..=1_000.0).contains(&limit),
                "--cpu-limit: found {limit}, expected 0.01 to 1000"
            );
        }
        if let Some(rate) = self.rate {
            ensure!(
                rate > 0.0 && rate.is_finite(),
                "--rate: found {rate}, expected a positive number"
            );
            let requests = rate * (self.duration + self.warm_up).as_secs_f64();
            ensure!(
                requests <= MAX_REQUESTS,
                "--rate: {requests:.0} requests in all, expected at most {MAX_REQUESTS:.0}"
            );
        }
        Ok(())
    }

    /// The addresses of the target, if there is one.
    pub(super) fn target(&self) -> Result<Option<SocketAddr>> {
        let Some(url) = &self.target else {
            return Ok(None);
        };
        let host = url.strip_prefix("http://").with_context(|| {
            format!("--target: found {url}, expected http://host:port (TLS would be measured too)")
        })?;
        let address = host
            .trim_end_matches('/')
            .to_socket_addrs()
            .with_context(|| format!("--target: cannot resolve {host}"))?
            .next()
            .with_context(|| format!("--target: {host} has no address"))?;
        if !address.ip().is_loopback() && !self.i_own_this_host {
            bail!("--target: {address} is not this machine; --i-own-this-host says that you may");
        }
        Ok(Some(address))
    }
}

/// Reads `500us`, `50ms`, `30s` or `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found {text}, expected a number with us, ms, s or m");
    let unit = text
        .find(|character: char| character.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        for wrong in ["5", "ms", "5h", "-1s", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
