//! Checks that stored revisions are those that were appended.

use flag_model::{FlagKey, ProjectName};
use flag_store::FlagStore;

use super::VerifyArgs;
use crate::args::NamedFlag;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::interpret::ArgumentError;
use crate::lookup::open_flag;
use crate::missing::{missing_flag, missing_project};
use crate::output::{self, CheckedHistory, with_progress};

/// Checks the revisions of a project, or of one flag; ends with code 7 if one is not as it was appended.
pub(super) async fn verify(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let project = ProjectName::new(&args.project).map_err(ArgumentError::from)?;
    let (store, flag) = match &args.flag {
        Some(name) => {
            let named = NamedFlag::of_project(project.as_str(), name);
            let (store, flag) = open_flag(context, &named).await?;
            (store, Some(flag))
        }
        None => (context.open().await?, None),
    };
    let mut checked = CheckedHistory::new(&project);
    let mut add = |check| checked.add(&check);
    let hash = store.check_histories(&project, flag.as_ref(), &mut add);
    let hash = with_progress(format!("reading the revisions of {project}"), hash).await;
    checked.hash = hash.map_err(|source| context.store_failed(source))?;
    if checked.is_empty() {
        ensure_there(context, &store, project, flag).await?;
    }
    output::show(&checked, args.output.format)?;
    if checked.is_broken() {
        return Err(Failure::explained_by_output(ExitCode::Differs));
    }
    Ok(())
}

/// Refuses a flag without revisions, and a project without flags.
async fn ensure_there(
    context: &Context,
    store: &FlagStore,
    project: ProjectName,
    flag: Option<FlagKey>,
) -> Result<(), Failure> {
    if let Some(flag) = flag {
        let missing = missing_flag(context, store, flag, " that has a revision");
        return Err(missing.await.into());
    }
    let flags = store.metadata_entries(&project).await;
    let flags = flags.map_err(|source| context.store_failed(source))?;
    if flags.is_empty() {
        let missing = missing_project(store, project, context.store_display_name());
        return Err(missing.await.into());
    }
    Ok(())
}
