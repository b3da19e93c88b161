//! Fills an embedded store with many flags, for measurements: `fill DIRECTORY PROJECTS FLAGS LISTS IDS`.
//!
//! Flag n is `feature/load_n` of `project_m`, where m is n modulo PROJECTS; the first LISTS flags have override lists of
//! IDS ids. The rows, head rows too, are those of the append protocol, run in memory and written in bulk.

use std::env::args;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use flag_model::{
    BucketRange, BucketScheme, FlagKey, FlagName, FlagType, FlagValue, FormatVersion,
    HashAlgorithm, InstanceId, MetadataParts, Percent, ProjectName, RevisionParts, Salt, Treatment,
};
use flag_store::memory::MemoryStore;
use flag_store::{Base, FlagStore, RowStore as _, Scan, SystemClock};
use flag_store_embedded::EmbeddedStore;
use tokio::task::JoinSet;

/// How many rows are written at once; the store puts them into few transactions.
const BATCH: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [directory, numbers @ ..] = words.as_slice() else {
        bail!("expected DIRECTORY PROJECTS FLAGS LISTS IDS");
    };
    let numbers: Vec<u32> = numbers
        .iter()
        .map(|number| number.parse())
        .collect::<Result<_, _>>()?;
    let [projects, flags, lists, ids] = *numbers.as_slice() else {
        bail!("expected DIRECTORY PROJECTS FLAGS LISTS IDS");
    };
    let memory = Arc::new(MemoryStore::default());
    let store = FlagStore::new(memory.clone(), Arc::new(SystemClock));
    for flag in 0..flags {
        let project = flag.checked_rem(projects).context("no project")?;
        let ids = if flag < lists { ids } else { 0 };
        add(&store, project, flag, ids).await?;
    }
    let rows = memory.scan(Scan::prefix("")).await?;
    let embedded = EmbeddedStore::open(Path::new(directory))?;
    for batch in rows.chunks(BATCH) {
        let mut writing = JoinSet::new();
        for row in batch {
            let (embedded, row) = (embedded.clone(), row.clone());
            writing.spawn(async move { embedded.insert_if_absent(&row).await });
        }
        for written in writing.join_all().await {
            written?;
        }
    }
    embedded.close().await;
    Ok(())
}

/// Adds a boolean flag of 40 % by md5, as most are.
async fn add(store: &FlagStore, project: u32, flag: u32, ids: u32) -> anyhow::Result<()> {
    let flag = FlagKey {
        project: ProjectName::new(format!("project_{project}"))?,
        flag_type: FlagType::Feature,
        name: FlagName::new(format!("load_{flag}"))?,
    };
    let metadata = MetadataParts {
        flag: flag.clone(),
        description: "For measurements".to_owned(),
        owner: None,
        ticket: None,
        tags: Vec::new(),
        expires_on: None,
        edited_by: None,
    };
    store.append_metadata(Base::Nothing, metadata).await?;
    let overrides = (0..ids).map(|id| InstanceId::new(format!("override-{id:06}")));
    let treatment = Treatment {
        name: None,
        overrides: overrides.collect::<Result<_, _>>()?,
        percent: Percent::parse("40", FormatVersion::V2)?,
        value: FlagValue::Boolean(true),
        ranges: vec![BucketRange::new(0, 40_000)?],
    };
    let revision = RevisionParts {
        scheme: BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::try_from(&flag.name)?,
        },
        flag,
        control: FlagValue::Boolean(false),
        treatments: vec![treatment],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    store.append_revision(Base::Nothing, revision).await?;
    Ok(())
}
