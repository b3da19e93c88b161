//! `flagctl update`: newer metadata of a flag.

use clap::Args;
use flag_model::{Date, FlagKey, MetadataParts};

use crate::args::{FlagArgs, OutputArgs, Variables};
use crate::commands::{first_made, newest_metadata, today};
use crate::confirm::ConfirmArgs;
use crate::failure::Failure;
use crate::plan::{self, PlanError};
use crate::run::Context;
use crate::write::{self, PlannedMetadata};

/// What is to be different; what is not said stays as it is.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    flag: FlagArgs,
    /// What the flag switches
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who answers for the flag
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Link to where the removal of the flag is planned; an empty one removes it
    #[arg(long, value_name = "URL")]
    ticket: Option<String>,
    /// Word to find the flag by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Word to find the flag by no longer; may be repeated
    #[arg(long = "remove-tag", value_name = "TAG")]
    removed_tags: Vec<String>,
    /// Day by which the flag should be gone from the code
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Date::parse)]
    expires_on: Option<Date>,
    /// Let the flag stay for good
    #[arg(long, conflicts_with = "expires_on")]
    no_expires_on: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// Appends newer metadata: what was typed, on top of what counts.
pub(crate) async fn update(context: &Context, typed: &UpdateArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    plan::not_past(typed.expires_on, today())?;
    let store = context.open().await?;
    let newest = newest_metadata(&store, &flag).await?;
    let mut parts = match &newest {
        None if first_made(context, &store, &flag).await?.is_some() => {
            let message = format!("{flag} has no metadata yet: `flagctl add` adds it");
            return Err(PlanError::Usage(message).into());
        }
        None => {
            let advice = ": `flagctl add` adds it";
            return Err(context.not_found(&store, flag, advice).await);
        }
        Some(Ok(newest)) => updated(newest.clone().into_parts(), typed)?,
        Some(Err(_)) => updated(said_anew(flag, typed, &context.variables)?, typed)?,
    };
    if newest
        .as_ref()
        .is_some_and(|newest| newest.as_ref().is_ok_and(|newest| **newest == parts))
    {
        let message = format!("nothing changes: {} is like this already", parts.flag);
        return Err(PlanError::Usage(message).into());
    }
    parts.edited_by = Some(plan::editor(&context.variables)?);
    write::metadata(
        context,
        Some(store),
        PlannedMetadata::on(newest.as_ref(), parts),
        &typed.confirmation,
        typed.output.form,
    )
    .await
}

/// What stands for metadata that cannot be read: nothing of it is kept, so that all that is required must be said.
fn said_anew(
    flag: FlagKey,
    typed: &UpdateArgs,
    variables: &Variables,
) -> Result<MetadataParts, PlanError> {
    if typed.description.is_none() {
        let message = format!(
            "the metadata of {flag} cannot be read, so nothing of it is kept: say all of it, --description too"
        );
        return Err(PlanError::Usage(message));
    }
    Ok(MetadataParts {
        flag,
        description: String::new(),
        owner: Some(plan::editor(variables)?),
        edited_by: None,
        ticket: None,
        tags: Vec::new(),
        expires_on: None,
    })
}

fn updated(mut parts: MetadataParts, typed: &UpdateArgs) -> Result<MetadataParts, PlanError> {
    if let Some(description) = &typed.description {
        parts.description = plan::told("Description", description)?;
    }
    if let Some(owner) = &typed.owner {
        parts.owner = Some(plan::named_owner(owner)?);
    }
    if let Some(ticket) = &typed.ticket {
        parts.ticket = Some(ticket.clone()).filter(|ticket| !ticket.is_empty());
    }
    for tag in &typed.removed_tags {
        let Some(at) = parts.tags.iter().position(|other| other == tag) else {
            return Err(PlanError::Usage(format!(
                "--remove-tag: {} is not among the tags",
                flag_model::quoted(tag)
            )));
        };
        parts.tags.remove(at);
    }
    for tag in &typed.tags {
        let tag = plan::tag(tag)?;
        if !parts.tags.contains(&tag) {
            parts.tags.push(tag);
        }
    }
    if typed.expires_on.is_some() || typed.no_expires_on {
        parts.expires_on = typed.expires_on;
    }
    Ok(parts)
}
