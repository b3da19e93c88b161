//! `flagctl retire`: freezes the value of a flag that the code will soon no longer ask for.

use clap::Args;
use flag_model::{FlagKey, FlagValue, MetadataParts, RETIRED_TAG, Revision, RevisionParts};
use flag_rollout::{Risk, are_equivalent};
use flag_store::FlagStore;

use crate::args::{FlagWords, OwnerArgs, RevisionWriteArgs};
use crate::confirm::Confirmed;
use crate::context::Context;
use crate::exposure_impact::show_impact_and_confirm;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{metadata, open_flag, revision_in_force};
use crate::missing::missing_flag;
use crate::output;
use crate::propagation;
use crate::write::{self, NextMetadata, NextRevision};

#[derive(Debug, Args)]
pub(crate) struct RetireArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// Value that everybody gets from now on
    #[arg(
        long,
        value_name = "VALUE",
        allow_negative_numbers = true,
        required_unless_present = "undo"
    )]
    value: Option<String>,
    /// Reason
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        required_unless_present = "undo"
    )]
    comment: Option<String>,
    /// Take it back: the flag is listed again; `flagctl rollback` brings its treatments back
    #[arg(long, conflicts_with_all = ["value", "comment"])]
    undo: bool,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    revision_write: RevisionWriteArgs,
}

/// Gives everybody one value and tags the flag as retired, after one confirmation; or takes the tag back.
pub(crate) async fn retire(context: &Context, args: &RetireArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let (store, flag) = open_flag(context, &named).await?;
    let revision = match (&args.value, &args.comment) {
        (Some(value), Some(comment)) => {
            let newest = revision_in_force(context, &store, &flag).await?;
            frozen(context, args, newest, value, comment)?
        }
        _ => None,
    };
    let metadata = tagged(context, args, &store, &flag).await?;
    if revision.is_none() && metadata.is_none() {
        write::report_unchanged(&flag, write::LIKE_THIS);
        return Ok(());
    }
    let changes = revision.iter().map(|next| &next.change);
    let changes = changes.chain(metadata.iter().map(|next| &next.change));
    let changes: Vec<_> = changes.cloned().collect();
    if show_impact_and_confirm(context, changes, &args.revision_write).await? == Confirmed::DryRun {
        return Ok(());
    }
    if let Some(revision) = revision {
        let (_, row) = write::append_revision(context, &store, revision).await?;
        write::show_cells(&row, &args.revision_write.write);
    }
    if let Some(metadata) = metadata {
        let (_, row) = write::append_metadata(context, &store, metadata).await?;
        write::show_cells(&row, &args.revision_write.write);
    }
    let did = if args.undo {
        "no longer retired"
    } else {
        "retired"
    };
    output::notice(&format!(
        "{did}: {flag} in the {}",
        context.store_display_name()
    ));
    propagation::wait(context, args.revision_write.write.wait).await
}

/// The revision with one value for everybody, unless the newest one decides so.
fn frozen(
    context: &Context,
    args: &RetireArgs,
    newest: Revision,
    value: &str,
    comment: &str,
) -> Result<Option<NextRevision>, Failure> {
    let control = FlagValue::parse(newest.flag.flag_type, value).map_err(ArgumentError::from)?;
    let parts = RevisionParts {
        control,
        treatments: Vec::new(),
        comment: format!("Retired: {}", interpret::required_text("Comment", comment)?),
        owner: Some(interpret::owner(&args.owner, &context.variables)?),
        rollback_of: None,
        ..newest.clone().into_parts()
    };
    let next = Revision::new(newest.created(), parts.clone()).map_err(write::invalid)?;
    if are_equivalent(&newest, &next) {
        return Ok(None);
    }
    let mut next_revision = NextRevision::on(Some(&Ok(newest)), parts)?;
    // One value for everybody is what this command is for.
    (next_revision.change.risks).retain(|risk| *risk != Risk::EveryValueChanges);
    Ok(Some(next_revision))
}

/// The metadata with the tag, or without it to undo; none if it is so already.
async fn tagged(
    context: &Context,
    args: &RetireArgs,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<NextMetadata>, Failure> {
    let Some(newest) = metadata(store, flag).await? else {
        let advice = " that has metadata; `flagctl add` adds it";
        return Err(missing_flag(context, store, flag.clone(), advice)
            .await
            .into());
    };
    if newest.is_retired() != args.undo {
        return Ok(None);
    }
    let mut parts: MetadataParts = newest.clone().into_parts();
    if args.undo {
        parts.tags.retain(|tag| tag != RETIRED_TAG);
    } else {
        parts.tags.push(RETIRED_TAG.to_owned());
    }
    parts.edited_by = Some(interpret::owner(&args.owner, &context.variables)?);
    Ok(Some(NextMetadata::on(Some(&Ok(newest)), parts)))
}
