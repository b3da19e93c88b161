//! Writes that were planned: shows the change, has it confirmed, appends.

use flag_model::{FlagKey, Metadata, MetadataParts, Revision, RevisionParts, Timestamp};
use flag_store::{AppendError, Base, FlagStore, Row, UnreadableRow};

use crate::args::Form;
use crate::change::{Change, Risk};
use crate::confirm::{ConfirmArgs, Verdict, confirm};
use crate::failure::Failure;
use crate::output::{self, noted};
use crate::run::Context;

/// How far back the revision is looked for that a conflicting change was started from.
const SEARCHED: usize = 100;

/// A row of a kind, or why it cannot be read.
pub(crate) type Stored<T> = Result<T, UnreadableRow>;

/// Metadata that shall be appended.
pub(crate) struct PlannedMetadata {
    /// Which metadata it stands on.
    pub(crate) base: Base,
    /// What it holds.
    pub(crate) parts: MetadataParts,
    /// What it changes.
    pub(crate) change: Change,
}

impl PlannedMetadata {
    /// Metadata on top of the newest, which may be unreadable: the new one replaces it.
    pub(crate) fn on(newest: Option<&Stored<Metadata>>, parts: MetadataParts) -> Self {
        let (base, change) = match newest {
            None => (Base::Nothing, Change::of_metadata(None, &parts)),
            Some(Ok(newest)) => (
                Base::Row(newest.created()),
                Change::of_metadata(Some(newest), &parts),
            ),
            Some(Err(row)) => {
                let warning = format!("the metadata that this replaces cannot be read: {row}");
                let change = Change::of_metadata(None, &parts).with_warning(&warning);
                (Base::on(row.created()), change)
            }
        };
        Self {
            base,
            parts,
            change,
        }
    }
}

/// A revision that shall be appended.
pub(crate) struct PlannedRevision {
    /// Which revision it stands on.
    pub(crate) base: Base,
    /// What it holds.
    pub(crate) parts: RevisionParts,
    /// What it changes.
    pub(crate) change: Change,
}

impl PlannedRevision {
    /// A revision on top of the newest one, which may be unreadable: the new one replaces it.
    pub(crate) fn on(
        newest: Option<&Stored<Revision>>,
        parts: RevisionParts,
    ) -> Result<Self, Failure> {
        let readable = newest.and_then(|newest| newest.as_ref().ok());
        let mut change = Change::of(readable, &parts)
            .map_err(|error| Failure::Append(Box::new(error.into())))?;
        let base = Base::on(newest.and_then(output::created));
        if let Some(Err(row)) = newest {
            let warning = format!("the revision that this replaces cannot be read: {row}");
            change = change.with_warning(&warning).with_risk(Risk::Unreadable);
        }
        Ok(Self {
            base,
            parts,
            change,
        })
    }

    /// The same revision, of which nothing was said of treatments: those that may be in force must be meant to go.
    pub(crate) fn leaving_out_treatments(mut self, newest: Option<&Stored<Revision>>) -> Self {
        let takes_some = match newest {
            None => false,
            Some(Ok(newest)) => !newest.treatments.is_empty(),
            Some(Err(_)) => !self.change.risks.contains(&Risk::Unreadable),
        };
        if takes_some {
            self.change = self.change.with_risk(Risk::LeavesOutTreatments);
        }
        self
    }

    /// Warns of a revision that comes into force over this one as the clock goes on.
    pub(crate) async fn look_ahead(
        &mut self,
        context: &Context,
        store: &FlagStore,
    ) -> Result<(), Failure> {
        if let Some(ahead) = revision_ahead(context, store, &self.parts.flag).await? {
            let change = self.change.clone().with_warning(&ahead);
            self.change = change.with_risk(Risk::Ahead);
        }
        Ok(())
    }
}

/// What is to be said of a revision of a flag that doesn't count yet.
pub(crate) async fn revision_ahead(
    context: &Context,
    store: &FlagStore,
    flag: &FlagKey,
) -> Result<Option<String>, Failure> {
    let ahead = store.revision_ahead(flag).await;
    let ahead = ahead.map_err(|source| context.failed(source))?;
    Ok(ahead.map(|ahead| {
        format!(
            "the revision of {} is ahead of the clock and comes into force at {}",
            ahead.created, ahead.counts_from
        )
    }))
}

/// Shows the change, has it confirmed, appends the revision, and shows the row.
pub(crate) async fn revision(
    context: &Context,
    store: &FlagStore,
    mut planned: PlannedRevision,
    confirmation: &ConfirmArgs,
    form: Form,
) -> Result<(), Failure> {
    planned.look_ahead(context, store).await?;
    if confirm(std::slice::from_ref(&planned.change), confirmation)? == Verdict::DryRun {
        return Ok(());
    }
    let flag = planned.parts.flag.clone();
    let (revision, row) = append_revision(context, store, planned).await?;
    output::talk(&format!("revised {flag} in the {}", context.place()));
    output::written(&flag, revision.created(), &row, form)
}

/// Appends a revision that was confirmed.
pub(crate) async fn append_revision(
    context: &Context,
    store: &FlagStore,
    planned: PlannedRevision,
) -> Result<(Revision, Row), Failure> {
    let flag = planned.parts.flag.clone();
    let append = store.append_revision(planned.base, planned.parts);
    match noted(format!("appending a revision of {flag}"), append).await {
        Ok(appended) => Ok(appended),
        Err(AppendError::Conflict { base, found, flag }) => {
            Err(conflict(store, flag, base, found).await)
        }
        Err(error) => Err(Failure::of_append(
            error,
            &flag,
            &context.place(),
            "history",
        )),
    }
}

/// Shows the change, has it confirmed, appends the metadata, and shows the row. Where there is no store, one is made once
/// all of that may be written.
pub(crate) async fn metadata(
    context: &Context,
    store: Option<FlagStore>,
    planned: PlannedMetadata,
    confirmation: &ConfirmArgs,
    form: Form,
) -> Result<(), Failure> {
    // Invalid metadata is refused before anybody is asked.
    let valid = planned.parts.validate().map_err(AppendError::from);
    valid.map_err(|error| Failure::Append(Box::new(error)))?;
    if confirm(std::slice::from_ref(&planned.change), confirmation)? == Verdict::DryRun {
        return Ok(());
    }
    let did = match planned.base {
        Base::Nothing => "added",
        Base::Row(_) | Base::Newest => "updated",
    };
    let store = match store {
        Some(store) => store,
        None => context.open_or_make().await?,
    };
    let (metadata, row) = append_metadata(context, &store, planned).await?;
    output::talk(&format!(
        "{did} {} in the {}",
        metadata.flag,
        context.place()
    ));
    output::written(&metadata.flag, metadata.created(), &row, form)
}

/// Appends metadata that was confirmed.
pub(crate) async fn append_metadata(
    context: &Context,
    store: &FlagStore,
    planned: PlannedMetadata,
) -> Result<(Metadata, Row), Failure> {
    let flag = planned.parts.flag.clone();
    let append = store.append_metadata(planned.base, planned.parts);
    let appended = noted(format!("appending metadata of {flag}"), append).await;
    appended.map_err(|error| match error {
        AppendError::Conflict {
            flag,
            found,
            base: Base::Nothing,
        } => Failure::AlreadyAdded { flag, since: found },
        error => Failure::of_append(error, &flag, &context.place(), "get"),
    })
}

/// Says which revision was started from and which one is newest, and shows both as far as they can be found.
pub(crate) async fn conflict(
    store: &FlagStore,
    flag: FlagKey,
    base: Base,
    found: Option<Timestamp>,
) -> Failure {
    let history = store.history(&flag, SEARCHED);
    let history = noted(format!("reading the history of {flag}"), history).await;
    let mut both = history.unwrap_or_default();
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
