//! `flagctl revise`: a revision on top of the newest one.

use flag_model::{FlagKey, Revision, Timestamp};
use flag_store::{AppendError, Base, FlagStore, encode_revision};

use crate::args::ReviseArgs;
use crate::commands::{metadata, newest};
use crate::failure::Failure;
use crate::output;
use crate::plan;
use crate::run::Context;

/// How far back the revision is looked for that a conflicting change was started from.
const SEARCHED: usize = 100;

const ADD_FIRST: &str = ": `flagctl add` adds it";

/// Appends a revision: what was typed, on top of the newest one.
pub(crate) async fn revise(context: &Context, typed: &ReviseArgs) -> Result<(), Failure> {
    let flag = plan::flag(&typed.flag)?;
    let store = context.open().await?;
    let newest = newest(&store, &flag).await?;
    let created = newest.as_ref().map(Revision::created);
    if created.is_none() && metadata(&store, &flag).await?.is_none() {
        return Err(context.not_found(&store, flag, ADD_FIRST).await);
    }
    let base = typed.from_revision.map_or(Base::on(created), Base::Row);
    if base != Base::on(created) {
        return Err(conflict(&store, flag, base, created).await);
    }
    let parts = plan::revision(&flag, newest.as_ref(), typed, &context.variables)?;
    let revision = match store.append_revision(base, parts).await {
        Ok(revision) => revision,
        Err(AppendError::Conflict { base, found, .. }) => {
            return Err(conflict(&store, flag, base, found).await);
        }
        Err(error) => {
            return Err(Failure::of_append(
                error,
                &flag,
                &context.place(),
                "history",
            ));
        }
    };
    output::talk(&format!("revised {flag} in the {}", context.place()));
    let row = encode_revision(&revision).map_err(AppendError::from);
    let row = row.map_err(|error| Failure::Append(Box::new(error)))?;
    output::written(&flag, revision.created(), &row, typed.output.form)
}

/// Says which revision was started from and which one is newest, and shows both as far as they can be found.
async fn conflict(
    store: &FlagStore,
    flag: FlagKey,
    base: Base,
    found: Option<Timestamp>,
) -> Failure {
    let mut both = store.history(&flag, SEARCHED).await.unwrap_or_default();
    both.retain(|revision| match (revision, base) {
        (Ok(revision), Base::Row(base)) => {
            revision.created() == base || Some(revision.created()) == found
        }
        (Ok(revision), _) => Some(revision.created()) == found,
        (Err(_), _) => false,
    });
    let conflict = Box::new(AppendError::Conflict { flag, base, found });
    let shown = output::history_table(&both);
    Failure::Conflict { conflict, shown }
}
