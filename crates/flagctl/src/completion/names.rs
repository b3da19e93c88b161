//! Names that are in the store, found piece by piece: a caller may stop early and use what was found.

use std::collections::HashMap;
use std::sync::mpsc::{SendError, Sender};

use flag_describe::{sentence, shortened};
use flag_model::{CONTROL_GROUP, FlagKey, FlagName, FlagType, ProjectName, Revision};
use flag_store::{FlagStore, StoreError};

use super::typed_line::Then;
use super::{Candidate, TypedLine, WantedName};
use crate::admin_store::AdminStore;
use crate::args::take_flag;
use crate::context::{Context, Needs, ensure_exists};
use crate::default_project::default_project;
use crate::failure::Failure;
use crate::lookup::WantedFlag;
use crate::revision_numbers::{MAX_NUMBERED, RevisionNumbers};

/// How many revisions are described.
const DESCRIBED: usize = 20;

/// The longest description, in characters.
const ABOUT: usize = 60;

/// Names cannot be found. This is not reported: a name that is missing can be typed.
#[derive(Debug)]
pub(crate) struct NotFound;

impl From<Failure> for NotFound {
    fn from(_: Failure) -> Self {
        Self
    }
}

impl From<StoreError> for NotFound {
    fn from(_: StoreError) -> Self {
        Self
    }
}

impl From<SendError<Vec<Candidate>>> for NotFound {
    fn from(_: SendError<Vec<Candidate>>) -> Self {
        Self
    }
}

/// Sends the names that may stand at the cursor; a later one takes the place of an earlier one with the same word.
pub(crate) async fn find_names(
    context: &Context,
    line: &TypedLine,
    wanted: &WantedName,
    found: &Sender<Vec<Candidate>>,
) -> Result<(), NotFound> {
    let settings = context.settings();
    ensure_exists(settings, Needs::Flags).map_err(Failure::from)?;
    // Unlike other commands it creates no tables in an emulator.
    let opened = AdminStore::open_flags(context, settings).await;
    let names = Names {
        context,
        store: opened.map_err(Failure::from)?.flags(),
        project: line.project.as_deref(),
        found,
    };
    match wanted {
        WantedName::Project => names.projects("").await,
        WantedName::ProjectOfNewFlag => names.projects("/").await,
        WantedName::FlagWord { words, then } => names.flag_word(words, &line.typed, then).await,
        WantedName::Revision { words } => names.revisions(words).await,
        WantedName::Group { words } => names.groups(words, Groups::All).await,
        WantedName::Treatment { words } => names.groups(words, Groups::Treatments).await,
    }
}

/// Which rollout groups are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Groups {
    All,
    /// Those with a treatment, and one that is new.
    Treatments,
}

struct Names<'a> {
    context: &'a Context,
    store: FlagStore,
    /// The value of `--project`.
    project: Option<&'a str>,
    found: &'a Sender<Vec<Candidate>>,
}

impl Names<'_> {
    /// The project of flags that are named without one.
    fn chosen_project(&self) -> Option<ProjectName> {
        let chosen = || default_project(&self.context.variables).map(|project| project.name);
        ProjectName::new(self.project.map(str::to_owned).or_else(chosen)?).ok()
    }

    async fn projects(&self, end: &str) -> Result<(), NotFound> {
        let projects = self.store.projects().await?.names;
        let projects = projects.iter();
        let projects = projects.map(|project| Candidate::new(format!("{project}{end}"), ""));
        Ok(self.found.send(projects.collect())?)
    }

    async fn flag_word(&self, words: &[String], typed: &str, then: &Then) -> Result<(), NotFound> {
        let type_of = |word: &String| FlagType::parse(word).ok();
        match words {
            [] => self.first_word(typed).await,
            [word] if type_of(word).is_some() => {
                self.names_of_type(self.chosen_project(), type_of(word))
                    .await
            }
            [project, word] if type_of(word).is_some() => {
                self.names_of_type(ProjectName::new(project).ok(), type_of(word))
                    .await
            }
            [word] => {
                let projects = self.store.projects().await?.names;
                if projects.iter().any(|project| project.as_str() == word) {
                    let known = FlagType::ALL.map(|known| Candidate::new(known.as_str(), ""));
                    self.found.send(known.to_vec())?;
                }
                self.following(words, then).await
            }
            _ => self.following(words, then).await,
        }
    }

    /// What follows a flag.
    async fn following(&self, words: &[String], then: &Then) -> Result<(), NotFound> {
        match then {
            Then::Nothing => Ok(()),
            Then::Revisions => self.revisions(words).await,
            Then::Steps => {
                let steps = [("on", "100 %"), ("off", "0 %")];
                let steps = steps.map(|(word, about)| Candidate::new(word, about));
                Ok(self.found.send(steps.to_vec())?)
            }
        }
    }

    /// Flags of the chosen project by name, and of others as `PROJECT/NAME`.
    async fn first_word(&self, typed: &str) -> Result<(), NotFound> {
        if let Some((project, rest)) = typed.split_once('/') {
            let Ok(project) = ProjectName::new(project) else {
                return Ok(());
            };
            let has_type = rest.contains('/');
            let word = |flag: &FlagKey, is_alone: bool| {
                if is_alone && !has_type {
                    format!("{}/{}", flag.project, flag.name)
                } else {
                    flag.to_string()
                }
            };
            return self.flags(&project, word).await;
        }
        let chosen = self.chosen_project();
        if chosen.is_none() || !typed.is_empty() {
            self.projects("/").await?;
        }
        let Some(project) = chosen else {
            return Ok(());
        };
        let word = |flag: &FlagKey, is_alone: bool| {
            if is_alone {
                flag.name.to_string()
            } else {
                flag.to_string()
            }
        };
        self.flags(&project, word).await
    }

    async fn names_of_type(
        &self,
        project: Option<ProjectName>,
        flag_type: Option<FlagType>,
    ) -> Result<(), NotFound> {
        let (Some(project), Some(flag_type)) = (project, flag_type) else {
            return Ok(());
        };
        let word = |flag: &FlagKey, _| {
            let is_it = flag.flag_type == flag_type;
            if is_it {
                flag.name.to_string()
            } else {
                String::new()
            }
        };
        self.flags(&project, word).await
    }

    /// The flags of a project, each as a word that says whether its name is of one type; first those in the head row, which is one row.
    async fn flags(
        &self,
        project: &ProjectName,
        word: impl Fn(&FlagKey, bool) -> String,
    ) -> Result<(), NotFound> {
        let send = |flags: Vec<(FlagKey, String)>| {
            let mut types: HashMap<&FlagName, usize> = HashMap::new();
            for (flag, _) in &flags {
                *types.entry(&flag.name).or_default() += 1;
            }
            let words = flags.iter().map(|(flag, about)| {
                let is_alone = types.get(&flag.name) == Some(&1);
                Candidate::new(word(flag, is_alone), about.clone())
            });
            self.found
                .send(words.filter(|one| !one.word.is_empty()).collect())
        };
        let head = self.store.head_row(project).await?;
        send(
            head.flags()
                .map(|(flag, _)| (flag, String::new()))
                .collect(),
        )?;
        let all = self.store.flag_entries(project).await?.into_iter();
        let all = all.map(|entry| {
            let metadata = entry.metadata.and_then(Result::ok);
            let about = metadata.map(|metadata| shortened(&metadata.description, ABOUT));
            (entry.flag, about.unwrap_or_default())
        });
        Ok(send(all.collect())?)
    }

    async fn flag(&self, words: &[String]) -> Result<FlagKey, NotFound> {
        let (named, _) = take_flag(words, self.project, usize::MAX).map_err(|_| NotFound)?;
        let wanted = WantedFlag::read(&named, &self.context.variables);
        let wanted = wanted.map_err(Failure::from)?;
        Ok(wanted.find(self.context, &self.store, "").await?)
    }

    /// The numbers of the revisions, the newest first.
    async fn revisions(&self, words: &[String]) -> Result<(), NotFound> {
        let flag = self.flag(words).await?;
        let times = self.store.revision_times(&flag, MAX_NUMBERED).await?;
        let numbers = RevisionNumbers::new(times.clone());
        let labels = times
            .iter()
            .filter_map(|made| Some(Candidate::new(numbers.label(*made)?, made.to_string())));
        self.found.send(labels.collect())?;
        let newest = self.store.history(&flag, DESCRIBED).await?.into_iter();
        let described = newest.filter_map(|row| {
            let revision = row.ok()?;
            let label = numbers.label(revision.created())?;
            Some(Candidate::new(label, about(&revision)))
        });
        Ok(self.found.send(described.collect())?)
    }

    async fn groups(&self, words: &[String], wanted: Groups) -> Result<(), NotFound> {
        let flag = self.flag(words).await?;
        let newest = self
            .store
            .newest_revision(&flag)
            .await
            .map_err(|_| NotFound)?;
        let Some(revision) = newest else {
            return Ok(());
        };
        let treatments = revision.treatments.iter().enumerate();
        let groups = treatments.map(|(at, treatment)| {
            let about = format!("{} % {}", treatment.percent, treatment.value);
            Candidate::new(revision.group(at), shortened(&about, ABOUT))
        });
        let other = match wanted {
            Groups::All => Candidate::new(
                CONTROL_GROUP,
                shortened(&revision.control.to_string(), ABOUT),
            ),
            Groups::Treatments => Candidate::new("new", "a further treatment"),
        };
        Ok(self.found.send(groups.chain([other]).collect())?)
    }
}

fn about(revision: &Revision) -> String {
    let about = format!("{}: {}", sentence(revision), revision.comment);
    shortened(&about, ABOUT)
}
