//! `flagctl history`: the revisions of a flag, the newest first.

use crate::args::HistoryArgs;
use crate::commands::metadata;
use crate::failure::Failure;
use crate::output;
use crate::plan;
use crate::run::Context;

/// Shows the newest revisions; those that cannot be read say why.
pub(crate) async fn history(context: &Context, typed: &HistoryArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let limit = usize::from(typed.limit);
    let history = store.history(&flag, limit + 1).await;
    let mut revisions = history.map_err(|source| Failure::Store {
        place: context.place(),
        source,
    })?;
    if revisions.is_empty() && metadata(&store, &flag).await?.is_none() {
        return Err(context.not_found(&store, flag, "").await);
    }
    if revisions.is_empty() {
        output::talk(&format!("{flag} has no revision yet"));
    }
    if revisions.len() > limit {
        revisions.truncate(limit);
        output::talk(&format!(
            "there are older revisions; --limit {limit} leaves them out"
        ));
    }
    output::history(&flag, &revisions, typed.output.form)
}
