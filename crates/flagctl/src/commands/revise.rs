//! `flagctl revise`: a revision on top of the newest one.

use flag_store::Base;

use crate::args::ReviseArgs;
use crate::commands::{newest_format, newest_metadata, newest_revision};
use crate::failure::Failure;
use crate::output;
use crate::plan::{self, PlanError};
use crate::run::Context;
use crate::write::{self, PlannedRevision};

const ADD_FIRST: &str = ": `flagctl add` adds it";

/// Appends a revision: what was typed, on top of the newest one.
pub(crate) async fn revise(context: &Context, typed: &ReviseArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let newest = newest_revision(&store, &flag).await?;
    let created = newest.as_ref().and_then(output::created);
    if newest.is_none() && newest_metadata(&store, &flag).await?.is_none() {
        return Err(context.not_found(&store, flag, ADD_FIRST).await);
    }
    if let Some(from) = typed.from_revision.filter(|from| Some(*from) != created) {
        return Err(write::conflict(&store, flag, Base::Row(from), created).await);
    }
    if let (Some(Err(row)), None) = (&newest, &typed.control) {
        let source = Box::new(row.clone().into());
        return Err(Failure::NotReplaced { flag, source });
    }
    let format = newest_format(context, &store, &flag, newest.as_ref()).await?;
    if newest.is_some() && format.is_none() && typed.format.format_version.is_none() {
        let message = format!(
            "--format-version is required: no revision of {flag} tells how it places instances"
        );
        return Err(PlanError::Usage(message).into());
    }
    let parts = plan::revision(
        &flag,
        newest.as_ref().and_then(|newest| newest.as_ref().ok()),
        format.as_ref(),
        typed,
        context.rows.v1_algorithm,
        &context.variables,
    )?;
    let planned = PlannedRevision::on(newest.as_ref(), parts)?;
    write::revision(
        context,
        &store,
        planned,
        &typed.confirmation,
        typed.output.form,
    )
    .await
}
