//! `flagctl exposures`: shows logged decisions.

use clap::Args;
use flag_model::InstanceId;
use flag_store::{ExposureRecord, ExposureScope};

use crate::args::{FlagArgs, OutputArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{stored_metadata, stored_revision};
use crate::missing::missing_flag;
use crate::output::{self, Exposures, with_progress};

#[derive(Debug, Args)]
pub(crate) struct ExposuresArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// Show only the exposures of this instance
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    instance: Option<String>,
    /// Maximum number of exposures
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows exposures in the order of the log: by instance id, then by request id; an empty result is no failure.
pub(crate) async fn exposures(context: &Context, args: &ExposuresArgs) -> Result<(), Failure> {
    let flag = interpret::flag(&args.flag)?;
    let instance = args.instance.as_deref().map(InstanceId::new).transpose();
    let instance = instance.map_err(ArgumentError::from)?;
    let (store, log) = context.open_with_log().await?;
    let limit = usize::from(args.limit);
    let of = match &instance {
        Some(instance) => ExposureScope::Instance(&flag, instance),
        None => ExposureScope::Flag(&flag),
    };
    let read = log.page(of, None, limit + 1);
    let read = with_progress(format!("reading the exposures of {flag}"), read).await;
    let records = read.map_err(|source| context.store_failed(source))?.records;
    let mut exposures: Vec<_> = records.iter().map(ExposureRecord::text).collect();
    if exposures.is_empty() {
        let is_there = stored_revision(&store, &flag).await?.is_some();
        if !is_there && stored_metadata(&store, &flag).await?.is_none() {
            return Err(missing_flag(context, &store, flag, "").await.into());
        }
        output::notice(&format!("no exposure of {flag} is logged"));
    }
    if exposures.len() > limit {
        exposures.truncate(limit);
        output::notice(&format!("more exposures are not shown (--limit {limit})"));
    }
    let exposures = Exposures {
        flag: &flag,
        exposures: &exposures,
    };
    output::show(&exposures, args.output.form)
}
