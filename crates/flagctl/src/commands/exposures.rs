//! `flagctl exposures`: which decisions were served.

use clap::Args;
use flag_model::InstanceId;
use flag_store::{ExposureRecord, ExposureScope};

use crate::args::{FlagArgs, OutputArgs};
use crate::commands::{newest_metadata, newest_revision};
use crate::failure::Failure;
use crate::output::{self, Exposures, noted};
use crate::plan::{self, PlanError};
use crate::run::Context;

#[derive(Debug, Args)]
pub(crate) struct ExposuresArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Show only those of this instance
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    instance: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows exposures in the order of the log: by instance id, then by request id; none are no failure.
pub(crate) async fn exposures(context: &Context, typed: &ExposuresArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let instance = typed.instance.as_deref().map(InstanceId::new).transpose();
    let instance = instance.map_err(PlanError::from)?;
    let (store, log) = context.open_with_log().await?;
    let limit = usize::from(typed.limit);
    let of = match &instance {
        Some(instance) => ExposureScope::Instance(&flag, instance),
        None => ExposureScope::Flag(&flag),
    };
    let read = log.page(of, None, limit + 1);
    let read = noted(format!("reading the exposures of {flag}"), read).await;
    let records = read.map_err(|source| context.failed(source))?;
    let mut exposures: Vec<_> = records.iter().map(ExposureRecord::text).collect();
    if exposures.is_empty() {
        let is_there = newest_revision(&store, &flag).await?.is_some();
        if !is_there && newest_metadata(&store, &flag).await?.is_none() {
            return Err(context.not_found(&store, flag, "").await);
        }
        output::talk(&format!("no exposure of {flag} is logged"));
    }
    if exposures.len() > limit {
        exposures.truncate(limit);
        output::talk(&format!(
            "there are more exposures; --limit {limit} leaves them out"
        ));
    }
    let exposures = Exposures {
        flag: &flag,
        exposures: &exposures,
    };
    output::answer(&exposures, typed.output.form)
}
