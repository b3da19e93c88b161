//! `flagctl add`: the first metadata of a flag.

use flag_model::{FlagKey, FlagName};

use super::today;
use crate::args::AddArgs;
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::interpret::{self, ArgumentError};
use crate::lookup::{first_revision_created, metadata};
use crate::missing::project_meant;
use crate::output;
use crate::shell;
use crate::write::{self, NextMetadata, WriteError};

/// Adds a flag, unless it has metadata already; revisions that it may have stay as they are.
pub(crate) async fn add(context: &Context, args: &AddArgs) -> Result<(), Failure> {
    let parts = interpret::first_metadata(new_flag(context, args)?, args, &context.variables)?;
    interpret::not_past("--expires-on", args.expires_on, today()).map_err(ArgumentError::from)?;
    let store = context.open_if_exists().await?;
    if let Err(unusual) = interpret::new_name(&parts.flag, args.names.allowed()) {
        // A flag that is served without metadata has its name already.
        let made = match &store {
            Some(store) => first_revision_created(context, store, &parts.flag).await?,
            None => None,
        };
        if made.is_none() {
            return Err(ArgumentError::from(unusual).into());
        }
    }
    if let Some(store) = &store
        && let Some(there) = metadata(store, &parts.flag).await?
    {
        return Err(WriteError::AlreadyAdded {
            flag: parts.flag,
            since: Some(there.created()),
        }
        .into());
    }
    if let Some(store) = &store
        && let Some(meant) = project_meant(store, &parts.flag.project).await
    {
        let new = &parts.flag.project;
        output::notice(&format!(
            "warning: {new} would be a new project; did you mean {meant}?"
        ));
    }
    write::confirm_and_append_metadata(
        context,
        store,
        NextMetadata::on(None, parts),
        &args.write,
        args.output.format,
    )
    .await
}

/// The flag that is to be added: its type must be named.
fn new_flag(context: &Context, args: &AddArgs) -> Result<FlagKey, ArgumentError> {
    let named = args.flag.alone().map_err(ArgumentError::Usage)?;
    let Some(flag_type) = named.flag_type else {
        let name = shell::word(&named.name);
        return Err(ArgumentError::Usage(format!(
            "a new flag has a type, feature (true or false) or data (text): name it as in `feature {name}`"
        )));
    };
    Ok(FlagKey {
        project: default_project::required(named.project.as_deref(), &context.variables)?,
        flag_type,
        name: FlagName::new(&named.name)?,
    })
}
