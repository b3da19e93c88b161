//! Measures the exposure log: `log DIRECTORY EXPOSURES PER_BATCH INSTANCES`.
//!
//! Fills an empty log with exposures of one flag, through the port and in batches as a service makes them, with UUIDs as
//! request ids and instance ids of 12 characters. Prints the bytes of the file per exposure, and how long it takes to read the
//! newest exposures of the flag and those of one instance.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::env::args;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};
use flag_store::{
    BatchId, CellFormat, ExposureBatch, ExposureLog as _, ExposureQuery, ExposureScope,
    ExposureTemplate, TimeRange,
};
use flag_store_embedded::{EmbeddedLog, EmbeddedStore};

/// The time between two exposures.
const STEP: Duration = Duration::from_micros(20);

/// How often each reading is timed; the median is printed.
const TIMES: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [directory, numbers @ ..] = words.as_slice() else {
        bail!("expected DIRECTORY EXPOSURES PER_BATCH INSTANCES");
    };
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|number| number.parse())
        .collect::<Result<_, _>>()?;
    let [exposures, per_batch, instances] = *numbers.as_slice() else {
        bail!("expected DIRECTORY EXPOSURES PER_BATCH INSTANCES");
    };
    let directory = Path::new(directory);
    let log = EmbeddedLog::open(directory)?;
    let flag = FlagKey {
        project: ProjectName::new("csr-assistant")?,
        flag_type: FlagType::Feature,
        name: FlagName::new("multi_step_api_router")?,
    };
    let mut filling = Filling::new(instances);
    let begun = Instant::now();
    let mut written = 0;
    while written < exposures {
        let batch = filling.batch(&flag, written, per_batch.min(exposures - written))?;
        for appended in log.append(&batch).await {
            appended?;
        }
        written += per_batch;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("filled: {exposures} exposures in {took:.1} s");
    log.close().await;
    let log = EmbeddedLog::existing(directory)?;
    let [_, file] = EmbeddedStore::files(directory);
    let bytes = file.metadata()?.len();
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    let each = bytes as f64 / exposures as f64;
    println!("on disk: {bytes} bytes, {each:.1} per exposure");
    let newest = ExposureScope::Flag(&flag);
    time(&log, "newest 1,000 of the flag", newest, 1_000).await?;
    let instance = InstanceId::new(instance_id(instances / 2))?;
    let of_instance = ExposureScope::Instance(&flag, &instance);
    time(&log, "one instance, newest 100", of_instance, 100).await?;
    time(&log, "one instance, all", of_instance, 1_000_000).await?;
    let absent = InstanceId::new("absent-00000")?;
    let of_absent = ExposureScope::Instance(&flag, &absent);
    time(&log, "an absent instance", of_absent, 100).await?;
    log.close().await;
    Ok(())
}

async fn time(
    log: &EmbeddedLog,
    what: &str,
    scope: ExposureScope<'_>,
    limit: usize,
) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let query = ExposureQuery {
            scope,
            within: TimeRange::ALL,
            group: None,
            limit,
        };
        found = log.newest(query).await?.len();
        times.push(begun.elapsed());
    }
    let first = times.first().context("timed once at least")?.as_secs_f64();
    times.sort_unstable();
    let median = times.get(TIMES / 2).context("timed")?.as_secs_f64();
    println!("{what}: {found} found, {median:.3} s (first: {first:.3} s)");
    Ok(())
}

/// What is put into the log.
struct Filling {
    instances: u64,
    state: u64,
}

impl Filling {
    fn new(instances: u64) -> Self {
        Self {
            instances,
            state: 1,
        }
    }

    /// The exposures from one on, each of a random instance.
    fn batch(&mut self, flag: &FlagKey, from: u64, count: u64) -> anyhow::Result<ExposureBatch> {
        let mut batch = ExposureBatch::new(BatchId(u128::from(from) + 1), CellFormat::Json);
        let revision = Timestamp::parse("2026-11-01 08:00:00")?;
        let templates = [(true, "treatment_1"), (false, "control")].map(|(value, group)| {
            batch.add_template(ExposureTemplate {
                flag: flag.clone(),
                revision: Some(revision),
                value: FlagValue::Boolean(value),
                rollout_group: group.to_owned(),
                reason: Some(if value {
                    Reason::Rollout
                } else {
                    Reason::Control
                }),
                from_cache: Some(true),
            })
        });
        for number in from..from + count {
            let bucket = u32::try_from(self.random() % 100_000)?;
            let [treatment, control] = templates;
            let template = if bucket < 40_000 { treatment } else { control };
            let request = (u128::from(self.random()) << 64) | u128::from(self.random());
            let request = format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                request >> 96,
                request >> 80 & 0xffff,
                request >> 64 & 0xfff,
                request >> 48 & 0xfff,
                request & 0xffff_ffff_ffff
            );
            let instance = self.random() % self.instances;
            let instance = InstanceId::new(instance_id(instance))?;
            let created = revision.saturating_add(STEP * u32::try_from(number)?);
            batch.push(template, &request, &instance, Bucket::new(bucket), created);
        }
        Ok(batch)
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }
}

/// 12 characters without a pattern that compresses well.
fn instance_id(number: u64) -> String {
    format!("A{:011x}", mixed(number) >> 20)
}

/// The output function of `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
