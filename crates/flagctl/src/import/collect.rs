//! Collects the flags of an export, and what is said of them.

use std::collections::HashSet;

use flag_model::{FlagKey, FlagName, FlagValue, MetadataParts, OwnerId, ProjectName};

use super::item::{Item, Obstacle, Read, left_out};
use super::rules::{Carried, ImportedRules};
use super::{Export, ImportError, System};
use crate::flag_file::{FileError, FileErrors, FlagInFile};
use crate::output::Finding;

/// Collects the flags of an export.
pub(super) struct Collector<'a> {
    project: &'a ProjectName,
    environment: Option<&'a str>,
    export: Export,
    mistakes: Vec<FileError>,
    seen: HashSet<FlagKey>,
}

/// What the other system says of the purpose of a flag.
#[derive(Clone, Debug, Default)]
pub(super) struct About<'n> {
    /// The first one that is not blank counts.
    pub(super) descriptions: Vec<Option<&'n str>>,
    pub(super) owner: Option<&'n str>,
    pub(super) tags: Vec<String>,
}

/// How a flag decides.
pub(super) struct Decides {
    pub(super) rules: ImportedRules,
    /// The value of everybody once the flag is off, if the other system says so.
    pub(super) control: Option<FlagValue>,
    /// What is not in force, and not carried over.
    pub(super) parts: Vec<String>,
}

impl From<ImportedRules> for Decides {
    fn from(rules: ImportedRules) -> Self {
        Self {
            rules,
            control: None,
            parts: Vec::new(),
        }
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        system: System,
        project: &'a ProjectName,
        environment: Option<&'a str>,
    ) -> Self {
        Self {
            project,
            environment,
            export: Export {
                system,
                flags: Vec::new(),
                left_out: Vec::new(),
                notes: Vec::new(),
            },
            mistakes: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The environment to read, of those in the file.
    pub(super) fn environment(&mut self, found: &[&str]) -> Result<String, ImportError> {
        let chosen = match (self.environment, found) {
            (Some(wanted), found) if found.contains(&wanted) => wanted,
            (None, &[only]) => only,
            (wanted, found) => {
                return Err(ImportError::Environment {
                    wanted: wanted.map(str::to_owned),
                    found: found.iter().map(ToString::to_string).collect(),
                });
            }
        };
        let others = found.iter().filter(|name| **name != chosen);
        let others: Vec<&str> = others.copied().collect();
        if !others.is_empty() {
            let others = others.join(", ");
            self.note(
                None,
                format!("only {chosen} was read; the file has also {others}"),
            );
        }
        Ok(chosen.to_owned())
    }

    /// Refuses an environment where the file has none.
    pub(super) fn without_environments(&self) -> Result<(), ImportError> {
        match self.environment {
            None => Ok(()),
            Some(wanted) => Err(ImportError::Environment {
                wanted: Some(wanted.to_owned()),
                found: Vec::new(),
            }),
        }
    }

    /// What was read, or none if it has a mistake, which is recorded.
    pub(super) fn read<T>(&mut self, read: Read<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(Obstacle::Malformed(mistake)) => {
                self.mistakes.push(mistake);
                None
            }
            Err(Obstacle::LeftOut(reason)) => {
                self.leave_out(None, reason);
                None
            }
        }
    }

    /// The flags of a map by name; one whose name is no text is left out.
    pub(super) fn flags_of<'n>(&mut self, map: &Item<'n>) -> Vec<(&'n str, Item<'n>)> {
        let nodes = self.read(map.nodes()).into_iter().flatten();
        let flags = nodes.filter_map(|(name, flag)| Some((self.read(name.name())?, flag)));
        flags.collect()
    }

    /// Takes a flag, or records why it is not carried over.
    pub(super) fn flag(
        &mut self,
        name: &str,
        item: &Item<'_>,
        about: &About<'_>,
        decides: Read<Decides>,
    ) {
        let flag = decides.and_then(|decides| self.carry(name, item, about, decides));
        match flag {
            Ok(flag) => self.export.flags.push(flag),
            Err(Obstacle::Malformed(mistake)) => self.mistakes.push(mistake),
            Err(Obstacle::LeftOut(reason)) => self.leave_out(Some(name), reason),
        }
    }

    fn carry(
        &mut self,
        name: &str,
        item: &Item<'_>,
        about: &About<'_>,
        decides: Decides,
    ) -> Read<FlagInFile> {
        let Carried { revision, notes } = decides.rules.carried(decides.control)?;
        let name_as_ours = match FlagName::new(name) {
            Ok(name) => name,
            Err(invalid) => return left_out(invalid.to_string()),
        };
        let flag = FlagKey {
            project: self.project.clone(),
            flag_type: revision.control.flag_type(),
            name: name_as_ours,
        };
        let metadata = self.metadata(flag.clone(), about);
        if let Err(invalid) = metadata.validate() {
            return left_out(invalid.to_string());
        }
        if !self.seen.insert(flag.clone()) {
            return left_out("the file has another flag of this name");
        }
        for text in notes {
            let note = Finding::new(Some(name), text).of_type(flag.flag_type);
            self.export.notes.push(note);
        }
        for text in decides.parts {
            self.leave_out(Some(name), text);
        }
        Ok(FlagInFile {
            position: item.position(),
            flag,
            metadata: Some(metadata),
            revision: Some(revision),
            exported_from: None,
        })
    }

    fn metadata(&self, flag: FlagKey, about: &About<'_>) -> MetadataParts {
        let descriptions = about.descriptions.iter().flatten();
        let mut descriptions = descriptions.filter(|text| !text.trim().is_empty());
        let description = descriptions.next().map(ToString::to_string);
        let from = self.export.system.title();
        MetadataParts {
            flag,
            description: description.unwrap_or_else(|| format!("Imported from {from}")),
            owner: about.owner.and_then(|owner| OwnerId::new(owner).ok()),
            edited_by: None,
            ticket: None,
            tags: about.tags.clone(),
            expires_on: None,
        }
    }

    /// Records what is not carried over.
    pub(super) fn leave_out(&mut self, flag: Option<&str>, text: impl Into<String>) {
        self.export.left_out.push(Finding::new(flag, text));
    }

    /// Records what a person should know.
    pub(super) fn note(&mut self, flag: Option<&str>, text: impl Into<String>) {
        self.export.notes.push(Finding::new(flag, text));
    }

    /// The export, or all mistakes.
    pub(super) fn finish(mut self) -> Result<Export, FileErrors> {
        if self.mistakes.is_empty() {
            return Ok(self.export);
        }
        let place = |mistake: &FileError| (mistake.position.line, mistake.position.column);
        self.mistakes.sort_by_key(place);
        Err(FileErrors(self.mistakes))
    }
}
