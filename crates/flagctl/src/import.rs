//! Reads the flags that another system has exported: as a flag file, with a list of what cannot be carried over.
//!
//! No I/O, no store, no guess: a flag is carried over if ours decides the same for the same lists and the same shares, else
//! it is left out with the reason. Rules that decide are read strictly: a field that is not known leaves the flag out.
//! `docs/importing.md` says what each system has that flags of ours have not. Start with [`read`].
mod collect;
mod decimal;
mod flagsmith;
mod flipt;
mod go_feature_flag;
mod growthbook;
mod item;
mod launchdarkly;
mod rules;
#[cfg(test)]
mod tests;
mod unleash;

use clap::ValueEnum;
use flag_model::ProjectName;

use self::collect::Collector;
use self::item::Item;
use crate::flag_file::{self, FileErrors, FlagInFile};
use crate::output::Finding;

/// A system that exports flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    #[value(name = "launchdarkly")]
    LaunchDarkly,
    Unleash,
    Flagsmith,
    #[value(name = "growthbook")]
    GrowthBook,
    Flipt,
    GoFeatureFlag,
}

/// What an export contains.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) system: System,
    /// The flags that can be carried over.
    pub(crate) flags: Vec<FlagInFile>,
    /// What cannot, flag by flag.
    pub(crate) left_out: Vec<Finding>,
    /// What a person should know of the others.
    pub(crate) notes: Vec<Finding>,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// It is not of the form that the system writes.
    #[error(transparent)]
    Invalid(#[from] FileErrors),
    /// No system writes such a file.
    #[error(
        "this is an export of no system that is known; --from names the system: {}",
        names()
    )]
    Unknown,
    /// It is a file of our own.
    #[error("this is a file of `flagctl export`; `flagctl apply -f` reads it")]
    OwnFile,
    /// The file has several environments, or not the wanted one.
    #[error("{}", which(.wanted.as_deref(), .found))]
    Environment {
        /// The one that was asked for.
        wanted: Option<String>,
        /// Those in the file.
        found: Vec<String>,
    },
}

impl System {
    const ALL: [Self; 6] = [
        Self::LaunchDarkly,
        Self::Unleash,
        Self::Flagsmith,
        Self::GrowthBook,
        Self::Flipt,
        Self::GoFeatureFlag,
    ];

    /// Its name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::LaunchDarkly => "LaunchDarkly",
            Self::Unleash => "Unleash",
            Self::Flagsmith => "Flagsmith",
            Self::GrowthBook => "GrowthBook",
            Self::Flipt => "Flipt",
            Self::GoFeatureFlag => "GO Feature Flag",
        }
    }

    /// Its name in arguments and in JSON.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn wrote(self, root: &Item<'_>) -> bool {
        match self {
            Self::LaunchDarkly => launchdarkly::wrote(root),
            Self::Unleash => unleash::wrote(root),
            Self::Flagsmith => flagsmith::wrote(root),
            Self::GrowthBook => growthbook::wrote(root),
            Self::Flipt => flipt::wrote(root),
            Self::GoFeatureFlag => go_feature_flag::wrote(root),
        }
    }
}

/// Reads an export, JSON or YAML; the system is recognised by the content unless it is named.
pub(crate) fn read(
    text: &str,
    from: Option<System>,
    project: &ProjectName,
    environment: Option<&str>,
) -> Result<Export, ImportError> {
    let node = flag_file::parse(text)?;
    let root = Item::root(&node);
    if root.field("file_version").is_some() {
        return Err(ImportError::OwnFile);
    }
    let recognised = || System::ALL.into_iter().find(|system| system.wrote(&root));
    let system = from.or_else(recognised).ok_or(ImportError::Unknown)?;
    let mut collector = Collector::new(system, project, environment);
    match system {
        System::LaunchDarkly => launchdarkly::read(&root, &mut collector)?,
        System::Unleash => unleash::read(&root, &mut collector)?,
        System::Flagsmith => flagsmith::read(&root, &mut collector)?,
        System::GrowthBook => growthbook::read(&root, &mut collector)?,
        System::Flipt => flipt::read(&root, &mut collector)?,
        System::GoFeatureFlag => go_feature_flag::read(&root, &mut collector)?,
    }
    Ok(collector.finish()?)
}

fn names() -> String {
    System::ALL.map(System::name).join(", ")
}

fn which(wanted: Option<&str>, found: &[String]) -> String {
    let found = found.join(", ");
    match wanted {
        Some(_) if found.is_empty() => {
            "the file has no environments; leave out --environment".to_owned()
        }
        Some(wanted) => format!("the file has no environment {wanted}, but {found}"),
        None if found.is_empty() => "the file names no environment".to_owned(),
        None => format!("the file has several environments; --environment names one: {found}"),
    }
}
