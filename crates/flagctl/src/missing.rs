//! Errors about flags and projects that do not exist, with suggestions.

use std::time::Duration;

use flag_model::{FlagKey, ProjectName};
use flag_store::FlagStore;

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::CommandError;
use crate::output::with_progress;
use crate::suggestions::{closest, similar_flags};

/// How long a command searches for similar names.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// Advice for commands that change a flag.
pub(crate) const ADD_IT: &str = ": `flagctl add` adds it";

/// A flag or a project does not exist.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// A flag.
    #[error(
        "no flag {named} in the {display_name}{advice}{}",
        suggestion_text(flag, suggestion)
    )]
    Flag {
        /// The flag.
        flag: FlagKey,
        /// The same as it was named, which may be without its type.
        named: String,
        /// The store.
        display_name: String,
        /// What to do about it.
        advice: &'static str,
        /// The suggestion.
        suggestion: Suggestion,
    },
    /// A project has no row.
    #[error("project {project} has no rows in the {display_name}{}", did_you_mean(suggestion.as_ref()))]
    Project {
        /// The project.
        project: ProjectName,
        /// The store.
        display_name: String,
        /// The project to suggest.
        suggestion: Option<ProjectName>,
    },
}

/// A suggestion for a flag that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Suggestion {
    /// One of these flags of the project.
    Flags(Vec<FlagKey>),
    /// This other project, if any, as the given one has no flags.
    Project(Option<ProjectName>),
}

impl CommandError for Missing {
    fn exit_code(&self) -> ExitCode {
        ExitCode::NotFound
    }
}

/// The error of a flag that does not exist.
pub(crate) async fn missing_flag(
    context: &Context,
    store: &FlagStore,
    flag: FlagKey,
    advice: &'static str,
) -> Missing {
    let named = flag.to_string();
    missing_named(context, store, flag, named, advice).await
}

/// The same of a flag that was named otherwise.
pub(crate) async fn missing_named(
    context: &Context,
    store: &FlagStore,
    flag: FlagKey,
    named: String,
    advice: &'static str,
) -> Missing {
    let flags = store.flag_entries(&flag.project);
    let flags = tokio::time::timeout(SEARCH_TIME, flags);
    let suggestion = match with_progress(format!("looking for flags like {flag}"), flags).await {
        Ok(Ok(flags)) if flags.is_empty() => {
            Suggestion::Project(similar_project(store, &flag.project).await)
        }
        Ok(Ok(flags)) => {
            let similar = similar_flags(&flag, flags.iter().map(|entry| &entry.flag));
            Suggestion::Flags(similar.into_iter().cloned().collect())
        }
        Ok(Err(_)) | Err(_) => Suggestion::Flags(Vec::new()),
    };
    let display_name = context.store_display_name();
    Missing::Flag {
        flag,
        named,
        display_name,
        advice,
        suggestion,
    }
}

/// The error of a project without rows.
pub(crate) async fn missing_project(
    store: &FlagStore,
    project: ProjectName,
    display_name: String,
) -> Missing {
    let suggestion = similar_project(store, &project).await;
    Missing::Project {
        project,
        display_name,
        suggestion,
    }
}

/// The project that was probably meant, if the given one has no rows.
pub(crate) async fn project_meant(store: &FlagStore, named: &ProjectName) -> Option<ProjectName> {
    let projects = projects(store, named).await?;
    if projects.contains(named) {
        return None;
    }
    similar(&projects, named)
}

/// A project with a similar name, if the store answers in time.
async fn similar_project(store: &FlagStore, wanted: &ProjectName) -> Option<ProjectName> {
    similar(&projects(store, wanted).await?, wanted)
}

async fn projects(store: &FlagStore, wanted: &ProjectName) -> Option<Vec<ProjectName>> {
    let projects = tokio::time::timeout(SEARCH_TIME, store.projects());
    let projects = with_progress(format!("looking for projects like {wanted}"), projects).await;
    Some(projects.ok()?.ok()?.names)
}

fn similar(projects: &[ProjectName], wanted: &ProjectName) -> Option<ProjectName> {
    let names = projects.iter().map(ProjectName::as_str);
    let others = names.filter(|name| *name != wanted.as_str());
    ProjectName::new(closest(wanted.as_str(), others)?).ok()
}

fn suggestion_text(wanted: &FlagKey, suggestion: &Suggestion) -> String {
    let flags = match suggestion {
        Suggestion::Flags(flags) => flags,
        Suggestion::Project(suggestion) => {
            return format!(
                "; {}",
                no_flags_message(&wanted.project, suggestion.as_ref())
            );
        }
    };
    let names: Vec<String> = flags
        .iter()
        .map(|flag| {
            if flag.flag_type == wanted.flag_type {
                flag.name.to_string()
            } else {
                format!("{} {}", flag.flag_type, flag.name)
            }
        })
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", names.join(" or "))
}

fn no_flags_message(project: &ProjectName, suggestion: Option<&ProjectName>) -> String {
    format!("project {project} has no flags{}", did_you_mean(suggestion))
}

fn did_you_mean(suggestion: Option<&ProjectName>) -> String {
    suggestion.map_or_else(String::new, |suggestion| {
        format!(": did you mean {suggestion}?")
    })
}
