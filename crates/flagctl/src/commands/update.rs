//! `flagctl update`: newer metadata of a flag.

use clap::Args;
use flag_model::{Date, Metadata, MetadataParts};

use crate::args::{FlagArgs, OutputArgs};
use crate::commands::{metadata, today};
use crate::confirm::ConfirmArgs;
use crate::failure::Failure;
use crate::plan::{self, PlanError};
use crate::run::Context;
use crate::write;

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
    let Some(newest) = metadata(&store, &flag).await? else {
        return Err(context
            .not_found(&store, flag, ": `flagctl add` adds it")
            .await);
    };
    let parts = updated(&newest, typed)?;
    write::metadata(
        context,
        &store,
        Some(&newest),
        parts,
        &typed.confirmation,
        typed.output.form,
    )
    .await
}

fn updated(newest: &Metadata, typed: &UpdateArgs) -> Result<MetadataParts, PlanError> {
    let mut parts = newest.clone().into_parts();
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
    if parts == **newest {
        return Err(PlanError::Usage(format!(
            "nothing changes: {} is like this already",
            parts.flag
        )));
    }
    Ok(parts)
}
