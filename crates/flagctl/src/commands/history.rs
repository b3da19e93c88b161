//! `flagctl history`: what a flag was, the newest first.

use flag_model::FlagKey;
use flag_store::FlagStore;

use crate::args::HistoryArgs;
use crate::commands::{newest_metadata, newest_revision};
use crate::failure::Failure;
use crate::output::{self, MetadataHistory, Revisions, noted};
use crate::plan;
use crate::run::Context;
use crate::write::revision_ahead;

/// Shows the newest revisions or metadata; rows that cannot be read say why.
pub(crate) async fn history(context: &Context, typed: &HistoryArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    if typed.metadata {
        of_metadata(context, &store, &flag, typed).await
    } else {
        of_revisions(context, &store, &flag, typed).await
    }
}

async fn of_revisions(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    typed: &HistoryArgs,
) -> Result<(), Failure> {
    let history = store.history(flag, usize::from(typed.limit) + 1);
    let history = noted(format!("reading the history of {flag}"), history).await;
    let mut revisions = history.map_err(|source| context.failed(source))?;
    if revisions.is_empty() {
        if newest_metadata(store, flag).await?.is_none() {
            return Err(context.not_found(store, flag.clone(), "").await);
        }
        output::talk(&format!("{flag} has no revision yet"));
    }
    if let Some(ahead) = revision_ahead(context, store, flag).await? {
        output::talk(&ahead);
    }
    cut(&mut revisions, typed.limit, "older revisions");
    let revisions = Revisions {
        flag,
        revisions: &revisions,
    };
    output::answer(&revisions, typed.output.form)
}

async fn of_metadata(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
    typed: &HistoryArgs,
) -> Result<(), Failure> {
    let history = store.metadata_history(flag, usize::from(typed.limit) + 1);
    let history = noted(format!("reading the history of {flag}"), history).await;
    let mut metadata = history.map_err(|source| context.failed(source))?;
    if metadata.is_empty() {
        if newest_revision(store, flag).await?.is_none() {
            return Err(context.not_found(store, flag.clone(), "").await);
        }
        output::talk(&format!("{flag} has no metadata"));
    }
    cut(&mut metadata, typed.limit, "older metadata");
    let metadata = MetadataHistory {
        flag,
        metadata: &metadata,
    };
    output::answer(&metadata, typed.output.form)
}

/// Leaves out what is over the limit, and says so.
fn cut<T>(rows: &mut Vec<T>, limit: u16, what: &str) {
    if rows.len() > usize::from(limit) {
        rows.truncate(limit.into());
        output::talk(&format!(
            "there are {what}; --limit {limit} leaves them out"
        ));
    }
}
