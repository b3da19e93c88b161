//! What an append and a look for changes read and write, in bytes.

use std::sync::Arc;

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagType, FlagValue, HashAlgorithm, ProjectName,
    RevisionParts, Salt,
};
use flag_store::scripted::{RowCall, ScriptedRows, Traffic};
use flag_store::{Base, FlagStore, SystemClock};

fn parts(number: u32, comment: &str) -> RevisionParts {
    RevisionParts {
        flag: FlagKey {
            project: ProjectName::new("p").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new(format!("flag_{number:06}")).unwrap(),
        },
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![],
        comment: comment.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

/// However many flags the project has, and however large the revisions before are.
#[tokio::test(start_paused = true)]
async fn an_append_and_a_look_for_changes_cost_what_they_cost_for_the_first_flag() {
    let rows = Arc::new(ScriptedRows::default());
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    let add = async |number: u32, comment: &str| {
        let parts = parts(number, comment);
        store.append_revision(Base::Newest, parts).await.unwrap();
    };
    let large = "x".repeat(60_000);
    add(0, &large).await;
    rows.take_traffic();
    add(0, "small").await;
    let first = rows.take_traffic();
    assert!(first.read < 1_000 && first.written < 1_000, "{first:?}");
    for number in 1..1_000 {
        add(number, "").await;
    }
    rows.take_traffic();
    add(0, "small").await;
    let Traffic { read, written } = rows.take_traffic();
    // The row of the revision before lies between now, as one key more.
    assert!(read < first.read + 200, "{read} against {first:?}");
    assert_eq!(written, first.written);
    store.change_mark(&parts(0, "").flag.project).await.unwrap();
    let Traffic { read, written } = rows.take_traffic();
    assert!(read < 100, "{read}");
    assert_eq!(written, 0);
}

/// A revision of version 2 names the hash of the one before, which is read for it, once.
#[tokio::test(start_paused = true)]
async fn an_append_of_version_2_reads_one_row_more() {
    let rows = Arc::new(ScriptedRows::default());
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    let add = async |version: u8, comment: &str| {
        let mut parts = parts(u32::from(version), comment);
        if version == 2 {
            parts.scheme = BucketScheme::V2 {
                algorithm: HashAlgorithm::Md5,
                salt: Salt::new("f").unwrap(),
            };
        }
        rows.take_calls();
        rows.take_traffic();
        store.append_revision(Base::Newest, parts).await.unwrap();
        (rows.take_calls().len(), rows.take_traffic())
    };
    let large = "x".repeat(60_000);
    for version in [1, 2] {
        add(version, &large).await;
    }
    let (calls, small) = add(1, "small").await;
    let (calls_linked, linked) = add(2, "small").await;
    assert_eq!((calls, calls_linked), (6, 7));
    let more = linked.read - small.read;
    assert!((60_000..61_000).contains(&more), "{more}");
    assert!(linked.written - small.written < 200);
}

/// Rows without a link are hashed one by one, up to the first that has one: few are read first, as that is mostly among
/// them, and more only if there are more.
#[tokio::test(start_paused = true)]
async fn an_append_of_version_2_reads_older_rows_without_links_in_few_scans() {
    let rows = Arc::new(ScriptedRows::default());
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    let mut scans = Vec::new();
    // Of a flag of its own for each number of rows.
    for older in [1, 2, 3, 4, 15, 16, 17] {
        for _ in 0..older {
            let parts = parts(older, "");
            store.append_revision(Base::Newest, parts).await.unwrap();
        }
        rows.take_calls();
        let mut linked = parts(older, "");
        linked.scheme = BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::new("f").unwrap(),
        };
        store.append_revision(Base::Newest, linked).await.unwrap();
        let calls = rows.take_calls().into_iter();
        let limits = calls.filter_map(|call| match call {
            RowCall::Scan(scan) => scan.limit,
            _ => None,
        });
        scans.push((older, limits.collect::<Vec<_>>()));
    }
    // The newest row alone comes first, to see that it is still the one that the head row names.
    let expected: [(u32, &[usize]); 7] = [
        (1, &[1, 4]),
        (2, &[1, 4]),
        (3, &[1, 4]),
        (4, &[1, 4, 16]),
        (15, &[1, 4, 16]),
        (16, &[1, 4, 16, 100]),
        (17, &[1, 4, 16, 100]),
    ];
    assert_eq!(
        scans,
        expected.map(|(older, limits)| (older, limits.to_vec()))
    );
}
