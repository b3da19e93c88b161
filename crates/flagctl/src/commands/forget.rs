//! `flagctl forget`: deletes the exposures of an instance, and lists the override lists that contain it.

use std::collections::BTreeMap;

use clap::Args;
use flag_model::{FlagKey, InstanceId, ProjectName, Revision, Timestamp};
use flag_settings::{Reader, read_instance_id_mode};
use flag_store::{
    Clock as _, ExposureLog, ExposureScope, FlagRow, FlagRowKey, Inspection, Pages, Remains, Row,
    RowType, SystemClock, TimeRange, project_rows,
};

use crate::admin_store::AdminStore;
use crate::args::{OutputArgs, ProjectOption, YesArgs};
use crate::confirm::{Unattended, confirm_action};
use crate::context::Context;
use crate::default_project;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure};
use crate::interpret::ArgumentError;
use crate::output::{self, Forgotten, Listing, with_progress};

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// Instance id to forget
    #[arg(allow_negative_numbers = true)]
    instance: String,
    #[command(flatten)]
    project: ProjectOption,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: YesArgs,
}

/// Shows the rows about an instance, asks for confirmation, and deletes its exposures; revisions are not changed.
pub(crate) async fn forget(context: &Context, args: &ForgetArgs) -> Result<(), Failure> {
    let project = args.project.project.as_deref();
    let project = default_project::required(project, &context.variables)?;
    let instance = InstanceId::new(&*args.instance).map_err(ArgumentError::from)?;
    let mut reader = Reader::new(context.sources.clone());
    let id_mode = read_instance_id_mode(&mut reader);
    let id_mode = reader.finish(id_mode)?;
    let opened = AdminStore::open_existing(context, context.settings()).await?;
    opened.ensure_ready(context.settings()).await?;
    let log = opened.log(context, context.settings()).await?;
    let looking = look(&opened, &*log, &project, &instance);
    let mut found = with_progress(format!("searching {project}"), looking).await?;
    if let Some(hashed) = id_mode.pseudonym(&instance) {
        let more = log.of_instance(&project, &hashed).await;
        found
            .exposures
            .extend(more.map_err(|source| opened.failed(source))?);
    }
    if found.total() == 0 && opened.has_no_rows(&project).await? {
        let any = log
            .page(ExposureScope::Project(&project), TimeRange::ALL, None, 1)
            .await;
        if any
            .map_err(|source| opened.failed(source))?
            .records
            .is_empty()
        {
            return Err(opened.missing_project(project.clone()).await.into());
        }
    }
    if found.total() > 0 && !args.dry_run {
        let what = format!(
            "deletes permanently:\n{}",
            found.exposures_text().uncoloured().trim_end()
        );
        confirm_action(&what, &args.confirmation, Unattended::Refuse)?;
        for exposures in &found.exposures {
            let deleted = with_progress("deleting exposures", log.delete(exposures)).await;
            deleted.map_err(|source| opened.failed(source))?;
        }
        found.deleted = true;
    }
    let remains = if args.dry_run {
        Remains::Nothing
    } else {
        // Also if none is found: an earlier run may have left them.
        let purging = with_progress("emptying the write-ahead log", log.purge()).await;
        purging.map_err(|source| opened.failed(source))?
    };
    output::show(&found, args.output.format)?;
    if remains == Remains::InWriteAheadLog {
        return Err(CopiesRemain.into());
    }
    if found.unreadable.is_empty() {
        Ok(())
    } else {
        Err(Failure::explained_by_output(ExitCode::Refused))
    }
}

/// The exposures are deleted, but not all copies.
#[derive(Debug, thiserror::Error)]
#[error(
    "the exposures are deleted, but copies may remain in exposures.db-wal: another process reads the file; \
     run the same command again, or stop that process"
)]
struct CopiesRemain;

impl CommandError for CopiesRemain {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

async fn look<'a>(
    opened: &AdminStore,
    log: &dyn ExposureLog,
    project: &'a ProjectName,
    instance: &'a InstanceId<'a>,
) -> Result<Forgotten<'a>, Failure> {
    let failed = |source| opened.failed(source);
    let newest = opened.flags().flag_entries(project).await.map_err(failed)?;
    let in_force: BTreeMap<FlagKey, Timestamp> = (newest.into_iter())
        .filter_map(|entry| Some((entry.flag, entry.revision?.ok()?.created())))
        .collect();
    let mut found = Forgotten {
        project,
        instance,
        exposures: log.of_instance(project, instance).await.map_err(failed)?,
        deleted: false,
        listings: Vec::new(),
        unreadable: Vec::new(),
    };
    let mut pages = Pages::new(&*opened.rows, project_rows(project));
    loop {
        let page = pages.next().await.map_err(failed)?;
        if page.is_empty() {
            return Ok(found);
        }
        for row in &page {
            let read = FlagRow::inspect(row, &opened.options(), SystemClock.now());
            look_at(row, read, &in_force, &mut found);
        }
    }
}

fn look_at(
    row: &Row,
    read: Inspection,
    in_force: &BTreeMap<FlagKey, Timestamp>,
    found: &mut Forgotten<'_>,
) {
    match read.row {
        Ok(FlagRow::Revision(revision)) => {
            let groups = groups(&revision, found.instance);
            if !groups.is_empty() {
                found.listings.push(Listing {
                    row_key: String::from_utf8_lossy(&row.key).into_owned(),
                    is_in_force: in_force.get(&revision.flag) == Some(&revision.created()),
                    has_one_treatment: revision.treatments.len() == 1,
                    created: revision.created(),
                    flag: revision.flag.clone(),
                    groups,
                });
            }
        }
        Ok(FlagRow::Metadata(_) | FlagRow::Head) => {}
        Err(error) => {
            // Metadata contains no instance ids.
            let subject = FlagRowKey::subject_of(&row.key);
            if subject.is_none_or(|(row_type, _)| row_type == RowType::Revision) {
                found.unreadable.push(error.to_string());
            }
        }
    }
}

/// Which treatments list an instance: position, counted from 1, and rollout group.
fn groups(revision: &Revision, instance: &InstanceId<'_>) -> Vec<(usize, String)> {
    let treatments = revision.treatments.iter().enumerate();
    let listing = treatments.filter(|(_, treatment)| treatment.overrides.contains(instance));
    listing
        .map(|(at, _)| (at + 1, revision.group(at)))
        .collect()
}
