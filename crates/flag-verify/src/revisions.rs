//! The revisions of one flag, each read and compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use flag_model::{FlagKey, FlagValue, InstanceId, Revision, Timestamp};
use flag_rollout::Plan;
use flag_store::{FlagStore, ReadError, StoreError};

use crate::ids::KnownIds;

/// The most revisions of a flag whose times are known.
const MAX_TIMES: usize = 1_000_000;

/// The most instance ids in override lists that are in memory; beyond that compiled revisions are forgotten.
const MAX_OVERRIDES: usize = 2_000_000;

/// How often the times of a flag are read again for a revision that is newer than all: callers may name any.
const MAX_READ_AGAIN: usize = 100;

/// What an exposure's own revision is.
#[derive(Clone, Debug)]
pub(crate) enum OwnRevision {
    /// It is there.
    Known(Arc<CompiledRevision>),
    /// The flag has no such revision.
    Unknown,
    /// Its row cannot be read.
    Unreadable,
}

/// A revision compiled for deciding again.
#[derive(Debug)]
pub(crate) struct CompiledRevision {
    plan: Plan,
    overridden: HashMap<InstanceId<'static>, InstanceId<'static>>,
    overrides: usize,
    /// When a newer revision was created.
    pub(crate) replaced: Option<Timestamp>,
}

/// The revisions of one flag.
#[derive(Debug)]
pub(crate) struct Revisions<'a> {
    store: &'a FlagStore,
    ids: &'a KnownIds,
    flag: FlagKey,
    /// The oldest first.
    times: Vec<Timestamp>,
    compiled: HashMap<Timestamp, OwnRevision>,
    overrides: usize,
    read_again: usize,
}

impl CompiledRevision {
    fn new(revision: Revision, ids: &KnownIds, replaced: Option<Timestamp>) -> Self {
        let lists = || revision.treatments.iter().flat_map(|of| &of.overrides);
        let overridden = ids.hash(lists());
        let overrides = lists().count() + 1;
        Self {
            plan: Plan::compile(revision),
            overridden,
            overrides,
            replaced,
        }
    }

    /// The revision for deciding.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether an override list has this id as it is.
    pub(crate) fn overrides(&self, instance: &InstanceId<'_>) -> bool {
        self.overrides > 1
            && flag_rollout::decide(&self.plan, instance).reason == flag_model::Reason::Override
    }

    /// The id behind a pseudonym.
    pub(crate) fn resolve<'s>(
        &'s self,
        pseudonym: &InstanceId<'_>,
        ids: &'s KnownIds,
    ) -> Option<&'s InstanceId<'static>> {
        let overridden = self.overridden.get(pseudonym.as_str());
        overridden.or_else(|| ids.resolve(pseudonym))
    }

    /// The position of a treatment by its rollout group, `None` for control, and its value.
    pub(crate) fn group(&self, group: &str) -> Option<(Option<usize>, &FlagValue)> {
        let treatments = (0..).map_while(|at| Some((Some(at), self.plan.group_value(Some(at))?)));
        let control = self
            .plan
            .group_value(None)
            .map(|group_value| (None, group_value));
        let mut all = control.into_iter().chain(treatments);
        let (position, (value, _)) = all.find(|(_, (_, name))| *name == group)?;
        Some((position, value))
    }
}

impl<'a> Revisions<'a> {
    /// Those of a flag; reads their times.
    pub(crate) async fn open(
        store: &'a FlagStore,
        ids: &'a KnownIds,
        flag: FlagKey,
    ) -> Result<Self, StoreError> {
        let mut revisions = Self {
            store,
            ids,
            flag,
            times: Vec::new(),
            compiled: HashMap::new(),
            overrides: 0,
            read_again: 0,
        };
        revisions.read_times().await?;
        Ok(revisions)
    }

    /// The flag.
    pub(crate) fn flag(&self) -> &FlagKey {
        &self.flag
    }

    async fn read_times(&mut self) -> Result<(), StoreError> {
        self.times = self.store.revision_times(&self.flag, MAX_TIMES).await?;
        self.times.sort_unstable();
        Ok(())
    }

    /// The revision that was created at a time.
    pub(crate) async fn get(&mut self, created: Timestamp) -> Result<OwnRevision, StoreError> {
        if let Some(found) = self.compiled.get(&created) {
            return Ok(found.clone());
        }
        let is_newer = self.times.last().is_none_or(|newest| *newest < created);
        if is_newer && self.read_again < MAX_READ_AGAIN {
            // It may have been created meanwhile; then another one has been replaced meanwhile.
            self.read_again += 1;
            self.read_times().await?;
            self.forget();
        }
        let Ok(position) = self.times.binary_search(&created) else {
            return Ok(OwnRevision::Unknown);
        };
        if self.overrides > MAX_OVERRIDES {
            self.forget();
        }
        let found = self.read(created, position).await?;
        if let OwnRevision::Known(revision) = &found {
            self.overrides += revision.overrides;
        }
        self.compiled.insert(created, found.clone());
        Ok(found)
    }

    fn forget(&mut self) {
        self.compiled.clear();
        self.overrides = 0;
    }

    async fn read(&self, created: Timestamp, position: usize) -> Result<OwnRevision, StoreError> {
        let replaced = self.times.get(position + 1).copied();
        match self.store.revision_at(&self.flag, created).await {
            Ok(Some(revision)) if revision.created() == created => Ok(OwnRevision::Known(
                Arc::new(CompiledRevision::new(revision, self.ids, replaced)),
            )),
            Ok(_) => Ok(OwnRevision::Unknown),
            Err(ReadError::Store(error)) => Err(error),
            Err(_) => Ok(OwnRevision::Unreadable),
        }
    }
}
