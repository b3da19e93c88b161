//! `flagctl update`: appends newer metadata of a flag.

use clap::Args;
use flag_model::{Date, FlagKey, MetadataParts};

use super::today;
use crate::args::{FlagWords, OutputArgs, WriteArgs};
use crate::context::Context;
use crate::environment::Variables;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{first_revision_created, newest_metadata_or_unreadable, open_flag_or_advise};
use crate::missing::{ADD_IT, missing_flag};
use crate::write::{self, NextMetadata};

/// The changes; what is left out stays as it is.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    flag: FlagWords,
    /// What the flag switches
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who is responsible for the flag
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Link to the ticket that plans the removal of the flag; empty to remove it
    #[arg(long, value_name = "URL")]
    ticket: Option<String>,
    /// Tag to find the flag by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Tag to remove; may be repeated
    #[arg(long = "remove-tag", value_name = "TAG")]
    removed_tags: Vec<String>,
    /// Day by which the flag should be removed from the code
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Date::parse)]
    expires_on: Option<Date>,
    /// Remove the day: the flag is permanent
    #[arg(long, conflicts_with = "expires_on")]
    no_expires_on: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// Appends newer metadata: the arguments applied to the newest metadata.
pub(crate) async fn update(context: &Context, args: &UpdateArgs) -> Result<(), Failure> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    interpret::not_past("--expires-on", args.expires_on, today()).map_err(ArgumentError::from)?;
    let (store, flag) = open_flag_or_advise(context, &named, ADD_IT).await?;
    let newest = newest_metadata_or_unreadable(&store, &flag).await?;
    let mut parts = match &newest {
        None if first_revision_created(context, &store, &flag)
            .await?
            .is_some() =>
        {
            let message = format!("{flag} has no metadata yet: `flagctl add` adds it");
            return Err(ArgumentError::Usage(message).into());
        }
        None => {
            return Err(missing_flag(context, &store, flag, ADD_IT).await.into());
        }
        Some(Ok(newest)) => updated(newest.clone().into_parts(), args)?,
        Some(Err(_)) => updated(replacement(flag, args, &context.variables)?, args)?,
    };
    if newest
        .as_ref()
        .is_some_and(|newest| newest.as_ref().is_ok_and(|newest| **newest == parts))
    {
        write::report_unchanged(&parts.flag, write::LIKE_THIS);
        return Ok(());
    }
    parts.edited_by = Some(interpret::editor(&context.variables)?);
    write::confirm_and_append_metadata(
        context,
        Some(store),
        NextMetadata::on(newest.as_ref(), parts),
        &args.write,
        args.output.format,
    )
    .await
}

/// Metadata that replaces an unreadable row: all required fields must be given.
fn replacement(
    flag: FlagKey,
    args: &UpdateArgs,
    variables: &Variables,
) -> Result<MetadataParts, ArgumentError> {
    if args.description.is_none() {
        let message = format!(
            "the metadata of {flag} cannot be read, so nothing of it is kept: give every option, --description too"
        );
        return Err(ArgumentError::Usage(message));
    }
    Ok(MetadataParts {
        flag,
        description: String::new(),
        owner: Some(interpret::editor(variables)?),
        edited_by: None,
        ticket: None,
        tags: Vec::new(),
        expires_on: None,
    })
}

fn updated(mut parts: MetadataParts, args: &UpdateArgs) -> Result<MetadataParts, ArgumentError> {
    if let Some(description) = &args.description {
        parts.description = interpret::required_text("Description", description)?;
    }
    if let Some(owner) = &args.owner {
        parts.owner = Some(interpret::named_owner(owner)?);
    }
    if let Some(ticket) = &args.ticket {
        parts.ticket = Some(ticket.clone()).filter(|ticket| !ticket.is_empty());
    }
    for tag in &args.removed_tags {
        let Some(at) = parts.tags.iter().position(|other| other == tag) else {
            return Err(ArgumentError::Usage(format!(
                "--remove-tag: {} is not among the tags",
                flag_model::quoted(tag)
            )));
        };
        parts.tags.remove(at);
    }
    for tag in &args.tags {
        let tag = interpret::tag(tag)?;
        if !parts.tags.contains(&tag) {
            parts.tags.push(tag);
        }
    }
    if args.expires_on.is_some() || args.no_expires_on {
        parts.expires_on = args.expires_on;
    }
    Ok(parts)
}
