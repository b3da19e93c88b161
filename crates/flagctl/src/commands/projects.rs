//! `flagctl projects` and `flagctl tags`: what there is to list.

use std::collections::BTreeMap;

use clap::Args;

use crate::args::{OutputArgs, ProjectArgs};
use crate::context::Context;
use crate::default_project;
use crate::failure::Failure;
use crate::missing::missing_project;
use crate::output::{self, CountedNames, with_progress};

#[derive(Debug, Args)]
pub(crate) struct ProjectsArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TagsArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows every project of the store with the number of its flags.
pub(crate) async fn projects(context: &Context, args: &ProjectsArgs) -> Result<(), Failure> {
    let store = context.open().await?;
    let counting = async {
        let mut names = Vec::new();
        for project in store.projects().await?.names {
            let flags = store.flag_entries(&project).await?.len();
            names.push((project.to_string(), flags));
        }
        Ok(names)
    };
    let names = with_progress("looking for projects".to_owned(), counting).await;
    let names = names.map_err(|source| context.store_failed(source))?;
    let what = "projects";
    output::show(&CountedNames { what, names }, args.output.format)
}

/// Shows every tag of a project with the number of its flags.
pub(crate) async fn tags(context: &Context, args: &TagsArgs) -> Result<(), Failure> {
    let project = default_project::of(&args.project, &context.variables)?;
    let store = context.open().await?;
    let reading = format!("reading the flags of {project}");
    let flags = with_progress(reading, store.flag_entries(&project)).await;
    let flags = flags.map_err(|source| context.store_failed(source))?;
    if flags.is_empty() {
        let missing = missing_project(&store, project, context.store_display_name());
        return Err(missing.await.into());
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for metadata in flags.into_iter().filter_map(|entry| entry.metadata?.ok()) {
        for tag in metadata.into_parts().tags {
            *counts.entry(tag).or_default() += 1;
        }
    }
    let tags = CountedNames {
        what: "tags",
        names: counts.into_iter().collect(),
    };
    output::show(&tags, args.output.format)
}
