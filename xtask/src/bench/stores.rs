//! What is started to be measured, and stores that are full before it starts.
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::report::folder;
use super::{LOAD, SERVER};
use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::services::{Program, Requests, ServerOptions, Store, on_processor};

/// Tells the stores of one run apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The variables of a service that writes no exposures.
pub(super) const NO_EXPOSURES: (&str, &str) = ("FLAG_EXPOSURES", "off");

/// The variables of a service whose answers wait for room for their exposures.
pub(super) const WAIT: (&str, &str) = ("FLAG_EXPOSURE_OVERFLOW", "wait");

/// One service with one worker, on a processor of its own; an emulator shares that of the load.
pub(super) fn pinned(
    program: Program,
    store: Store,
    variables: &[(&'static str, &'static str)],
) -> ServerOptions {
    ServerOptions {
        variables: [&[("FLAG_WORKERS", "1")], variables].concat(),
        wrapper: on_processor(SERVER),
        store_processor: Some(LOAD),
        ..unpinned(program, store)
    }
}

/// One service as it comes.
pub(super) fn unpinned(program: Program, store: Store) -> ServerOptions {
    ServerOptions {
        program,
        store,
        replicas: 1,
        project: String::new(),
        flags: 0,
        variables: Vec::new(),
        wrapper: Vec::new(),
        store_processor: None,
        folder: None,
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) projects: u32,
    pub(super) flags: u32,
    /// How many of them have an override list.
    pub(super) lists: u32,
    /// How many ids each list holds.
    pub(super) ids: u32,
}

/// An embedded store with many flags; gone when dropped.
pub(super) struct FullStore {
    pub(super) folder: PathBuf,
    pub(super) size: Size,
}

impl FullStore {
    /// Fills one with what [`services::build`](crate::services::build) has built.
    pub(super) fn fill(size: Size, foreground: &mut Foreground) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("store-{}-{number}", std::process::id());
        let store = Self {
            folder: folder()?.join(name),
            size,
        };
        let target = Metadata::read()?.target_directory;
        let numbers = [size.projects, size.flags, size.lists, size.ids];
        foreground.run(
            Command::new(target.join("release/examples/fill"))
                .arg(&store.folder)
                .args(numbers.map(|number| number.to_string())),
        )?;
        Ok(store)
    }

    /// The same for a service that has this store.
    pub(super) fn with(&self, options: ServerOptions) -> ServerOptions {
        ServerOptions {
            folder: Some(self.folder.clone()),
            ..options
        }
    }

    /// Asks for all its flags in turn.
    pub(super) fn all(&self) -> Requests {
        self.first(self.size.flags)
    }

    /// Asks for those with lists in turn.
    pub(super) fn listed(&self) -> Requests {
        self.first(self.size.lists)
    }

    fn first(&self, flags: u32) -> Requests {
        let names: Vec<_> = (0..flags).map(|flag| self.size.name(flag)).collect();
        let names = names.iter().map(|(project, name)| (&**project, &**name));
        Requests::features(1_000_000, names)
    }
}

impl Drop for FullStore {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Size {
    /// This many flags, a hundred to a project, without lists.
    pub(super) fn of_flags(flags: u32) -> Self {
        Self {
            projects: flags.div_ceil(100),
            flags,
            lists: 0,
            ids: 0,
        }
    }

    /// The project and the name of a flag, as the example `fill` has them.
    fn name(self, flag: u32) -> (String, String) {
        let project = flag % self.projects.max(1);
        (format!("project_{project}"), format!("load_{flag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_flags_make_a_project() {
        assert_eq!(Size::of_flags(10).projects, 1);
        let size = Size::of_flags(100_000);
        assert_eq!(size.projects, 1_000);
        assert_eq!(
            size.name(1_001),
            ("project_1".to_owned(), "load_1001".to_owned())
        );
    }
}
