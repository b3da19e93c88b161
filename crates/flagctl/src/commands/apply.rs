//! `flagctl apply`: makes the store say what a flag file says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::future::ready;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use flag_store::FlagStore;
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::apply::{Plan, PlannedFlag, Signature, plan};
use crate::args::{NameArgs, OutputArgs, OwnerArgs};
use crate::commands::newest_format;
use crate::confirm::{ConfirmArgs, Verdict, confirm};
use crate::failure::Failure;
use crate::flag_file::{self, FileMistakes};
use crate::output::{self, Applied, AppliedFlag};
use crate::plan::{owner, told};
use crate::run::Context;
use crate::write;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How many flags are appended at a time: most of an append is waiting, for replies or for the disk.
const AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// File as `flagctl export` writes it, YAML or JSON; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only compare, write nothing, and end with code 7 if anything differs
    #[arg(long)]
    check: bool,
    /// Leave flags alone that are not in the file; that is so anyway, as nothing is ever removed
    #[arg(long)]
    prune_nothing: bool,
    /// Why; for every revision that is appended [default: Applied from FILE]
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    confirmation: ConfirmArgs,
}

/// Appends what differs from the file, and shows what did.
pub(crate) async fn apply(context: &Context, typed: &ApplyArgs) -> Result<(), Failure> {
    let text = read(&typed.file).map_err(|source| Failure::File {
        path: typed.file.clone(),
        source,
    })?;
    let refused = |mistakes: FileMistakes| Failure::FlagFile {
        path: typed.file.clone(),
        mistakes,
    };
    let file = flag_file::read(&text).map_err(refused)?;
    let project = file.project.clone();
    let signature = signature(context, typed)?;
    let store = context.open_if_there().await?;
    let stored = match &store {
        Some(store) => {
            let stored = store.flags_with_latest(&project);
            let stored = output::noted(format!("reading {project}"), stored).await;
            stored.map_err(|source| context.failed(source))?
        }
        None => Vec::new(),
    };
    let mut formats = BTreeMap::new();
    for entry in &stored {
        if let (Some(store), Some(Err(_))) = (&store, &entry.revision)
            && file.flags.iter().any(|wanted| wanted.flag == entry.flag)
        {
            let format = newest_format(context, store, &entry.flag, entry.revision.as_ref());
            formats.extend(format.await?.map(|format| (entry.flag.clone(), format)));
        }
    }
    let mut plan = plan(file, stored, &formats, &signature).map_err(refused)?;
    if let Some(store) = &store {
        stream::iter(plan.flags.iter_mut())
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, async |flag: &mut PlannedFlag| {
                match &mut flag.revision {
                    Some(revision) => revision.look_ahead(context, store).await,
                    None => Ok(()),
                }
            })
            .await?;
    }
    let mut applied = answer(project.to_string(), &plan);
    if typed.check {
        output::answer(&applied, typed.output.form)?;
        if plan.flags.is_empty() {
            return Ok(());
        }
        return Err(Failure::Differs);
    }
    if !plan.flags.is_empty() && confirm(&plan.changes(), &typed.confirmation)? == Verdict::Write {
        let store = match store {
            Some(store) => store,
            None => context.open_or_make().await?,
        };
        append_all(context, &store, plan.flags).await?;
        applied.written = true;
    }
    output::answer(&applied, typed.output.form)
}

/// What the appended revisions will say of themselves.
fn signature(context: &Context, typed: &ApplyArgs) -> Result<Signature, Failure> {
    let comment = match &typed.comment {
        Some(comment) => told("Comment", comment)?,
        None if typed.file == Path::new("-") => "Applied from standard input".to_owned(),
        None => {
            let name = typed.file.file_name().unwrap_or_default();
            format!("Applied from {}", name.display())
        }
    };
    Ok(Signature {
        comment,
        owner: Some(owner(&typed.owner, &context.variables)?),
        v1: context.rows.v1_algorithm,
        names: typed.names.allowed(),
    })
}

fn answer(project: String, plan: &Plan) -> Applied {
    let changed = plan.flags.iter().map(|flag| {
        let changes: Vec<String> = flag.changes().iter().map(ToString::to_string).collect();
        AppliedFlag {
            flag: flag.flag.clone(),
            metadata: flag.metadata.is_some(),
            revision: flag.revision.is_some(),
            change: changes.concat().lines().map(str::to_owned).collect(),
        }
    });
    Applied {
        project,
        written: false,
        changed: changed.collect(),
        unchanged: plan.unchanged,
        not_in_file: plan.not_in_file.clone(),
    }
}

/// Appends many flags. When one has failed no further ones begin, and those that are under way come to their ends.
async fn append_all(
    context: &Context,
    store: &FlagStore,
    flags: Vec<PlannedFlag>,
) -> Result<(), Failure> {
    let failed = RefCell::new(None);
    stream::iter(flags)
        .take_while(|_| ready(failed.borrow().is_none()))
        .for_each_concurrent(AT_ONCE, async |flag| {
            if let Err(failure) = append(context, store, flag).await {
                failed.borrow_mut().get_or_insert(failure);
            }
        })
        .await;
    failed.into_inner().map_or(Ok(()), Err)
}

async fn append(context: &Context, store: &FlagStore, flag: PlannedFlag) -> Result<(), Failure> {
    if let Some(metadata) = flag.metadata {
        write::append_metadata(context, store, metadata).await?;
    }
    if let Some(revision) = flag.revision {
        write::append_revision(context, store, revision).await?;
    }
    output::talk(&format!("applied {} to the {}", flag.flag, context.place()));
    Ok(())
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file)?)
    };
    let read = input
        .by_ref()
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read >= MAX_FILE_BYTES) {
        let message = format!("found {MAX_FILE_BYTES} bytes or more, expected fewer");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
