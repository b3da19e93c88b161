//! Many writers revise one flag at once, and no revision is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagValue, HashAlgorithm, Revision, RevisionParts,
};
use flag_store::{AppendError, Base, FlagStore, HeadCell};
use flag_tests::{TestStore, on_both_stores};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::task::JoinSet;

const WRITERS: usize = 50;

on_both_stores!(
    fifty_writers_lose_no_revision,
    flags_appended_at_once_are_all_told_of,
);

async fn fifty_writers_lose_no_revision(store: TestStore) {
    revise_at_once(&store, 2).await;
}

fn flag() -> FlagKey {
    "csr-assistant/data/contended".parse().unwrap()
}

/// A revision whose comment says which one it stands on, and whose value says which one it is.
fn parts(own: &str, base: &str) -> RevisionParts {
    RevisionParts {
        flag: flag(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::text(own).unwrap(),
        treatments: vec![],
        comment: base.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

/// Appends one revision on top of the newest one. Every conflict is reported to it; returns how many there were.
async fn revise(store: &FlagStore, own: &str, random: &mut Rng) -> usize {
    let mut conflicts = 0;
    loop {
        let newest = store.newest_revision(&flag()).await.unwrap();
        let base = newest.as_ref().map_or("nothing".to_owned(), |revision| {
            revision.control.to_string()
        });
        match store
            .append_revision(
                Base::on(newest.map(|revision| revision.created())),
                parts(own, &base),
            )
            .await
        {
            Ok(_) => return conflicts,
            Err(AppendError::Conflict { .. }) => conflicts += 1,
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(random.u64(..200))).await;
    }
}

/// Has fifty writers append revisions at once; fails if one is lost. Returns the number of revisions and of conflicts.
pub(crate) async fn revise_at_once(store: &TestStore, revisions_each: usize) -> (usize, usize) {
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.flags().await;
        tasks.spawn(async move {
            let mut conflicts = 0;
            let mut random = Rng::with_seed(writer as u64);
            for revision in 0..revisions_each {
                conflicts += revise(&store, &format!("{writer}/{revision}"), &mut random).await;
            }
            conflicts
        });
    }
    let conflicts: usize = tasks.join_all().await.into_iter().sum();
    let history = store
        .flags()
        .await
        .history(&flag(), usize::MAX)
        .await
        .unwrap();
    let history: Vec<Revision> = history.into_iter().rev().map(Result::unwrap).collect();
    assert_eq!(history.len(), WRITERS * revisions_each);
    let times: BTreeSet<_> = history.iter().map(Revision::created).collect();
    assert_eq!(times.len(), history.len());
    assert_eq!(history[0].comment, "nothing");
    for pair in history.windows(2) {
        assert_eq!(
            pair[1].comment,
            pair[0].control.to_string(),
            "a revision stands on another than it named"
        );
    }
    (history.len(), conflicts)
}

/// As `flagctl apply` appends them: many flags of one project at a time, by each of two writers, and each flag by one.
async fn flags_appended_at_once_are_all_told_of(store: TestStore) {
    const FLAGS: usize = 200;
    let mut tasks = JoinSet::new();
    for writer in 0..2 {
        let store = store.flags().await;
        tasks.spawn(async move {
            let appends = (0..FLAGS).map(|number| {
                let mut parts = parts("on", "for the test");
                parts.flag.name = FlagName::new(format!("flag_{writer}_{number}")).unwrap();
                let store = &store;
                async move {
                    let appended = store.append_revision(Base::Nothing, parts).await;
                    let (revision, _) = appended.unwrap();
                    (revision.flag.clone(), revision.created())
                }
            });
            let appends = stream::iter(appends).buffered(32);
            appends.collect::<Vec<_>>().await
        });
    }
    let appended = tasks.join_all().await.concat();
    let reader = store.flags().await;
    let heads = reader.head_row(&flag().project).await.unwrap();
    let told: BTreeSet<_> = heads
        .flags()
        .map(|(flag, state)| match state {
            HeadCell::Newest(at) => (flag, at),
            HeadCell::Claimed { .. } => panic!("{flag} is claimed still"),
        })
        .collect();
    assert_eq!(told.len(), 2 * FLAGS);
    assert_eq!(told, appended.into_iter().collect());
    let there = reader.flag_entries(&flag().project).await.unwrap();
    assert_eq!(there.len(), 2 * FLAGS);
}
