//! Metrics of the process, under the usual names, read from `/proc` at each scrape.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Collects the metrics of the process; what cannot be read is left out.
#[derive(Debug)]
struct Process;

/// Registers the metrics, whose names have no prefix.
pub(crate) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&stat) {
            let counter = ConstCounter::new(seconds);
            let (name, help) = ("process_cpu_seconds", "Processor time of all threads");
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When the process started, since 1970",
                start_time_seconds(&stat, &boot),
            ),
            (
                "process_virtual_memory_bytes",
                "Mapped virtual memory",
                pages(&statm, 0),
            ),
            (
                "process_resident_memory_bytes",
                "Memory in use",
                pages(&statm, 1),
            ),
            ("process_open_fds", "Open files and sockets", open_files()),
            (
                "process_max_fds",
                "The most files and sockets that may be open",
                getrlimit(Resource::Nofile).current.map(to_f64),
            ),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// A field of `/proc/self/stat` that counts clock ticks, in seconds. Fields count from 1, as in proc(5); the second one
/// is the program's name in parentheses, which may hold anything.
fn ticks(stat: &str, field: usize) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let ticks = after_name.split_whitespace().nth(field.checked_sub(3)?)?;
    Some(ticks.parse::<f64>().ok()? / to_f64(clock_ticks_per_second()))
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some(ticks(stat, 14)? + ticks(stat, 15)?)
}

/// Adds the start of the process after the boot to the time of the boot.
fn start_time_seconds(stat: &str, boot: &str) -> Option<f64> {
    let booted = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(ticks(stat, 22)? + booted.trim().parse::<f64>().ok()?)
}

fn pages(statm: &str, field: usize) -> Option<f64> {
    let pages = statm.split_whitespace().nth(field)?.parse::<u64>().ok()?;
    Some(to_f64(pages * u64::try_from(page_size()).ok()?))
}

/// Counts open files, without the folder that is being read.
fn open_files() -> Option<f64> {
    let files = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(to_f64(u64::try_from(files.saturating_sub(1)).ok()?))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers; exact up to 2^53"
)]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_name_with_a_parenthesis_shifts_no_field() {
        let after = (3..=52).map(|field| (field * 100).to_string());
        let stat = format!("7 (a) b) {}", after.collect::<Vec<_>>().join(" "));
        assert_eq!(
            ticks(&stat, 14),
            Some(1_400.0 / to_f64(clock_ticks_per_second()))
        );
        assert_eq!(ticks("", 14), None);
    }

    #[test]
    fn the_metrics_of_this_process_are_plausible() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name}{text}"))
                .trim()
                .parse()
                .unwrap()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - value("process_start_time_seconds ");
        assert!((-2.0..3_600.0).contains(&age), "{age}");
        assert!(value("process_resident_memory_bytes ") > 100_000.0);
        assert!(value("process_virtual_memory_bytes ") > value("process_resident_memory_bytes "));
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_max_fds ") >= value("process_open_fds "));
        assert!(value("process_cpu_seconds_total ") >= 0.0);
    }
}
