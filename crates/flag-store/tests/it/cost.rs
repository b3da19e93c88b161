//! What an append and a look for changes read and write, in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flag_model::{
    FlagKey, FlagName, FlagType, FlagValue, Format, HashAlgorithm, ProjectName, RevisionParts,
};
use flag_store::memory::MemoryStore;
use flag_store::{
    Base, BoxFuture, Cells, Columns, CompareAndSet, Expected, FlagStore, Insert, Row, RowStore,
    Scan, StoreError, SystemClock, Table,
};

/// Counts the bytes that go to and from a store.
#[derive(Debug, Default)]
struct Weighing {
    inner: MemoryStore,
    read: AtomicUsize,
    written: AtomicUsize,
}

impl Weighing {
    fn weigh<'a>(rows: impl IntoIterator<Item = &'a Row>) -> usize {
        let rows = rows.into_iter();
        rows.map(|row| row.key.len() + row.cells.byte_len()).sum()
    }

    /// Bytes read and written since the last time.
    fn weighed(&self) -> (usize, usize) {
        let taken = |weight: &AtomicUsize| weight.swap(0, Ordering::Relaxed);
        (taken(&self.read), taken(&self.written))
    }
}

impl RowStore for Weighing {
    fn get<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        columns: Columns<'a>,
    ) -> BoxFuture<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let row = self.inner.get(table, key, columns).await?;
            self.read.fetch_add(Self::weigh(&row), Ordering::Relaxed);
            Ok(row)
        })
    }

    fn scan(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let rows = self.inner.scan(table, scan).await?;
            self.read.fetch_add(Self::weigh(&rows), Ordering::Relaxed);
            Ok(rows)
        })
    }

    fn keys(&self, table: Table, scan: Scan) -> BoxFuture<'_, Result<Vec<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let keys = self.inner.keys(table, scan).await?;
            let weight = keys.iter().map(Vec::len).sum();
            self.read.fetch_add(weight, Ordering::Relaxed);
            Ok(keys)
        })
    }

    fn insert_if_absent<'a>(
        &'a self,
        table: Table,
        row: &'a Row,
    ) -> BoxFuture<'a, Result<Insert, StoreError>> {
        self.written
            .fetch_add(Self::weigh([row]), Ordering::Relaxed);
        self.inner.insert_if_absent(table, row)
    }

    fn compare_and_set<'a>(
        &'a self,
        table: Table,
        key: &'a [u8],
        expected: Expected<'a>,
        cells: &'a Cells,
    ) -> BoxFuture<'a, Result<CompareAndSet, StoreError>> {
        self.written
            .fetch_add(key.len() + cells.byte_len(), Ordering::Relaxed);
        self.inner.compare_and_set(table, key, expected, cells)
    }

    fn write_batch<'a>(
        &'a self,
        table: Table,
        rows: &'a [Row],
    ) -> BoxFuture<'a, Vec<Result<(), StoreError>>> {
        self.inner.write_batch(table, rows)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.ping()
    }
}

fn parts(number: u32, comment: &str) -> RevisionParts {
    RevisionParts {
        flag: FlagKey {
            project: ProjectName::new("p").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new(format!("flag_{number:06}")).unwrap(),
        },
        format: Format::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![],
        comment: comment.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

/// However many flags the project has, and however large the revisions before are.
#[tokio::test]
async fn an_append_and_a_look_for_changes_cost_what_they_cost_for_the_first_flag() {
    let rows = Arc::new(Weighing::default());
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    let add = async |number: u32, comment: &str| {
        let parts = parts(number, comment);
        store.append_revision(Base::Newest, parts).await.unwrap();
    };
    let large = "x".repeat(60_000);
    add(0, &large).await;
    rows.weighed();
    add(0, "small").await;
    let first = rows.weighed();
    assert!(first.0 < 1_000 && first.1 < 1_000, "{first:?}");
    for number in 1..1_000 {
        add(number, "").await;
    }
    rows.weighed();
    add(0, "small").await;
    let (read, written) = rows.weighed();
    // The row of the revision before lies between now, as one key more.
    assert!(read < first.0 + 200, "{read} against {first:?}");
    assert_eq!(written, first.1);
    store.change_mark(&parts(0, "").flag.project).await.unwrap();
    let (read, written) = rows.weighed();
    assert!(read < 100, "{read}");
    assert_eq!(written, 0);
}
