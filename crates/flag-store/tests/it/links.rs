//! Facts about the links between the revisions of a flag, and what a check of them finds.

use std::sync::Arc;

use flag_model::{
    BucketScheme, FlagKey, FlagValue, HashAlgorithm, ProjectName, RevisionParts, Salt, Timestamp,
};
use flag_store::memory::MemoryStore;
use flag_store::{
    Base, Broken, Cells, Clock as _, FlagRow, FlagStore, HistoryCheck, Link, Row, RowHash,
    RowOptions, RowStore as _, Scan, SystemClock, encode_revision,
};

fn flag() -> FlagKey {
    "p/feature/f".parse().unwrap()
}

fn version_2() -> BucketScheme {
    BucketScheme::V2 {
        algorithm: HashAlgorithm::Md5,
        salt: Salt::new("f").unwrap(),
    }
}

fn parts(comment: &str, scheme: BucketScheme) -> RevisionParts {
    RevisionParts {
        flag: flag(),
        scheme,
        control: FlagValue::Boolean(false),
        treatments: vec![],
        comment: comment.to_owned(),
        owner: None,
        rollback_of: None,
    }
}

/// The rows of a store, in the order of their keys.
#[derive(Clone)]
struct Rows(Vec<Row>);

impl Rows {
    async fn of(store: &MemoryStore) -> Self {
        Self(store.scan(Scan::prefix("")).await.unwrap())
    }

    /// As they are after that many appends of version 2.
    async fn appended(revisions: usize) -> Self {
        let store = Self(vec![]);
        let mut store = store;
        for number in 0..revisions {
            store = store.append(&number.to_string(), version_2()).await;
        }
        store
    }

    async fn append(&self, comment: &str, scheme: BucketScheme) -> Self {
        self.append_parts(parts(comment, scheme)).await
    }

    async fn append_parts(&self, parts: RevisionParts) -> Self {
        let store = self.store();
        let flags = FlagStore::new(store.clone(), Arc::new(SystemClock));
        flags.append_revision(Base::Newest, parts).await.unwrap();
        Self::of(&store).await
    }

    fn store(&self) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::default());
        store.put(self.0.iter().cloned());
        store
    }

    /// With this row of other tooling.
    fn with(mut self, row: Row) -> Self {
        self.0.push(row);
        self.0.sort_by(|one, other| one.key.cmp(&other.key));
        self
    }

    /// The revisions, the oldest first.
    fn revisions(&mut self) -> Vec<&mut Row> {
        let rows = self.0.iter_mut();
        rows.filter(|row| !FlagRow::is_head(&row.key)).collect()
    }

    /// As an earlier release would have appended them.
    fn remove_links(&mut self) {
        for row in self.revisions() {
            let cells = row.cells.iter();
            row.cells = cells.filter(|(column, _)| *column != b"PrevHash").collect();
        }
    }

    fn revision(&self, number: usize) -> Row {
        self.clone().revisions().swap_remove(number).clone()
    }

    fn without(mut self, number: usize) -> Self {
        let gone = self.revision(number).key;
        self.0.retain(|row| row.key != gone);
        self
    }

    fn head(&mut self) -> &mut Row {
        let mut rows = self.0.iter_mut();
        rows.find(|row| FlagRow::is_head(&row.key)).unwrap()
    }

    async fn check(&self) -> (HistoryCheck, String) {
        let flags = FlagStore::new(self.store(), Arc::new(SystemClock));
        let mut checks = Vec::new();
        let project = ProjectName::new("p").unwrap();
        let mut each = |check| checks.push(check);
        let hash = flags.check_histories(&project, None, &mut each).await;
        assert_eq!(checks.len(), 1, "{checks:?}");
        (checks.remove(0), hash.unwrap())
    }

    /// The number of the revision that does not fit, and what is wrong with it.
    async fn broken(&self) -> Option<(usize, Broken)> {
        let broken = self.check().await.0.broken?;
        Some((broken.number, broken.broken))
    }

    async fn check_is_unbroken(&self, linked: usize, late: &[usize]) {
        let (check, _) = self.check().await;
        assert_eq!(check.broken, None);
        let numbers: Vec<usize> = check.late.iter().map(|row| row.number).collect();
        assert_eq!((check.with_link, &numbers[..]), (linked, late), "{check:?}");
    }
}

/// A row as other tooling writes it, of version 1, at the time of another revision and a microsecond.
fn foreign_after(row: &Row) -> Row {
    let created = row.cells.get("CreatedTime").unwrap();
    let created = Timestamp::parse(str::from_utf8(created).unwrap()).unwrap();
    let parts = parts("foreign", BucketScheme::v1(HashAlgorithm::Md5));
    let revision = flag_model::Revision::new(created.next().unwrap(), parts).unwrap();
    encode_revision(&revision, &RowOptions::default()).unwrap()
}

#[tokio::test]
async fn each_revision_names_the_one_before() {
    let rows = Rows::appended(3).await;
    assert_eq!(Link::of(&rows.revision(0)), Link::First);
    for number in [1, 2] {
        let before = RowHash::of(&rows.revision(number - 1));
        assert_eq!(Link::of(&rows.revision(number)), Link::To(vec![before]));
    }
    rows.check_is_unbroken(3, &[]).await;
    let (check, _) = rows.check().await;
    assert_eq!((check.revisions, check.uncovered), (3, 0));
    assert_eq!((check.covered, check.not_yet_covered), (2, 1));
    assert_eq!(
        check.tip,
        Link::To(vec![RowHash::of(&rows.revision(2))]),
        "what the next one will name"
    );
}

/// The row and the hash of `docs/rows.md`, which were computed with Python's `hashlib`.
#[test]
fn the_hash_is_the_documented_one() {
    let docs = include_str!("../../../../docs/rows.md");
    let key = "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#router#TIME#2026-11-29 10:00:00.000000";
    let cells = [
        ("Comment", "First"),
        ("ControlValue", "false"),
        ("CreatedTime", "2026-11-29 10:00:00.000000"),
        ("FormatVersion", "2"),
        ("HashAlgorithm", "md5"),
        ("Name", "router"),
        ("OwnerID", ""),
        ("PrevHash", "first"),
        ("Salt", "router"),
        ("Treatments", "[]"),
        ("Type", "FEATURE"),
    ];
    assert!(docs.contains(key));
    for (column, value) in cells {
        assert!(
            docs.contains(&format!("\"{column}\": \"{value}\"")),
            "{column}"
        );
    }
    let row = Row {
        key: key.into(),
        cells: cells.into_iter().collect::<Cells>(),
    };
    let hash = "ba87beed3cfcc9bd211e81e00a5abd4467742d5f5612d3f6216fe7982cbd2604";
    assert_eq!(RowHash::of(&row).to_string(), hash);
    assert!(docs.contains(hash));
}

#[tokio::test]
async fn a_revision_of_version_1_has_no_link_and_is_named_by_the_next_of_version_2() {
    let v1 = || BucketScheme::v1(HashAlgorithm::Md5);
    let rows = Rows(vec![]).append("1", v1()).await;
    let rows = rows.append("2", v1()).await;
    assert_eq!(Link::of(&rows.revision(1)), Link::None);
    rows.check_is_unbroken(0, &[]).await;
    let rows = rows.append("3", version_2()).await;
    assert_eq!(Link::of(&rows.revision(2)).hashes().len(), 2);
    let mut changed = rows.clone();
    changed.revisions()[0].cells.set("Comment", "changed");
    let found = changed.broken().await;
    assert!(
        matches!(found, Some((1, Broken::Changed { .. }))),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_change_of_any_cell_of_a_named_revision_is_found() {
    let rows = Rows::appended(4).await;
    for number in 0..3 {
        let row = rows.revision(number);
        let named_by = rows.revision(number + 1);
        let columns: Vec<String> = (row.cells.iter())
            .map(|(column, _)| String::from_utf8(column.to_vec()).unwrap())
            .collect();
        for column in columns.iter().map(String::as_str).chain(["Added"]) {
            let mut changed = rows.clone();
            let row = changed.revisions().swap_remove(number);
            let was = row.cells.get(column).unwrap_or_default();
            let mut is = was.to_vec();
            is.push(b'x');
            row.cells.set(column, is);
            let found = RowHash::of(row);
            let broken = changed.broken().await.unwrap();
            if column == "PrevHash" {
                assert_eq!(broken, (number + 1, Broken::Unreadable));
                continue;
            }
            let Broken::Changed {
                expected,
                found: hash,
                ..
            } = broken.1
            else {
                panic!("{column}: {broken:?}")
            };
            assert_eq!((broken.0, hash), (number + 1, found), "{column}");
            assert_eq!(Link::of(&named_by).hashes(), [expected]);
        }
    }
}

#[tokio::test]
async fn a_revision_that_is_missing_in_between_is_found() {
    let rows = Rows::appended(4).await;
    for number in 0..3 {
        let broken = rows.clone().without(number).broken().await.unwrap();
        let expected = RowHash::of(&rows.revision(number));
        match broken.1 {
            Broken::Missing { expected: named } => {
                assert_eq!((number, broken.0, named), (0, 1, expected));
            }
            Broken::Changed {
                expected: named, ..
            } => assert_eq!((broken.0, named), (number, expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_removed_newest_revision_is_missed_by_the_head_row() {
    let rows = Rows::appended(3).await;
    let gone = Timestamp::parse(
        str::from_utf8(rows.revision(2).cells.get("CreatedTime").unwrap()).unwrap(),
    );
    let broken = rows.without(2).broken().await;
    assert_eq!(broken, Some((2, Broken::HeadNames(gone.unwrap()))));
}

#[tokio::test]
async fn a_changed_head_row_is_found() {
    let rows = Rows::appended(3).await;
    let time_of = |number: usize| {
        let row = rows.revision(number);
        String::from_utf8(row.cells.get("CreatedTime").unwrap().to_vec()).unwrap()
    };
    let older = Timestamp::parse(&time_of(1)).unwrap();
    for (cell, expected) in [
        (time_of(1), Broken::HeadBehind(older)),
        ("soon".to_owned(), Broken::NotInHead),
        (
            "2020-01-01 00:00:00".to_owned(),
            Broken::HeadNames(Timestamp::parse("2020-01-01 00:00:00").unwrap()),
        ),
    ] {
        let mut changed = rows.clone();
        changed.head().cells.set("feature/f", &cell);
        assert_eq!(changed.broken().await, Some((3, expected)), "{cell}");
    }
}

#[tokio::test]
async fn a_head_cell_that_was_changed_into_a_claim_is_found() {
    let rows = Rows::appended(5).await;
    let time_of = |number: usize| {
        let row = rows.revision(number);
        String::from_utf8(row.cells.get("CreatedTime").unwrap().to_vec()).unwrap()
    };
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let next = SystemClock.now().to_string();
    let far = "2099-01-01 00:00:00.000000";
    let claim =
        |time: &str, after: &str| format!("{time} claimed by 00000000000000ab after {after}");
    let (previous, newest) = (time_of(3), time_of(4));
    for (cell, expected) in [
        // A writer is at work; one died before it published; the same, and the next one is at work.
        (claim(&next, &newest), None),
        (claim(&newest, &previous), None),
        (claim(&next, &previous), None),
        (claim(far, &newest), Some(Broken::HeadNames(at(far)))),
        (
            claim(&next, &time_of(0)),
            Some(Broken::HeadBehind(at(&time_of(0)))),
        ),
        (
            claim(&newest, &time_of(1)),
            Some(Broken::HeadBehind(at(&time_of(1)))),
        ),
    ] {
        let mut changed = rows.clone();
        changed.head().cells.set("feature/f", &cell);
        let found = changed.broken().await;
        assert_eq!(found, expected.map(|broken| (5, broken)), "{cell}");
    }
}

#[tokio::test]
async fn rows_of_other_tooling_in_between_are_named_by_the_next_revision() {
    let rows = Rows::appended(1).await;
    let foreign = foreign_after(&rows.revision(0));
    let rows = rows.with(foreign.clone());
    rows.check_is_unbroken(1, &[]).await;
    let rows = rows.append("2", version_2()).await;
    let named = [RowHash::of(&foreign), RowHash::of(&rows.revision(0))];
    assert_eq!(Link::of(&rows.revision(2)).hashes(), named);
    let rows = rows.append("3", version_2()).await;
    assert_eq!(Link::of(&rows.revision(3)).hashes().len(), 1);
    rows.check_is_unbroken(3, &[]).await;
    for number in 0..3 {
        let mut changed = rows.clone();
        changed.revisions()[number].cells.set("Comment", "changed");
        assert_eq!(changed.broken().await.unwrap().0, number + 1);
    }
}

/// The clock of the Python framework's machine may be behind.
#[tokio::test]
async fn a_row_that_came_in_below_newer_ones_is_named_and_breaks_nothing() {
    let rows = Rows::appended(3).await;
    let late = foreign_after(&rows.revision(0));
    let rows = rows.with(late);
    rows.check_is_unbroken(3, &[2]).await;
    let rows = rows.append("4", version_2()).await;
    rows.check_is_unbroken(4, &[2]).await;
}

/// A release before links rolls back to a revision with a link, and copies that as an unknown column.
#[tokio::test]
async fn a_copied_link_hides_no_revision_from_the_next_one() {
    let rows = Rows::appended(3).await;
    let mut copy = foreign_after(&rows.revision(2));
    let old = rows.revision(1);
    copy.cells
        .set("PrevHash", old.cells.get("PrevHash").unwrap());
    copy.cells
        .set("RollbackOf", old.cells.get("CreatedTime").unwrap());
    let rows = rows.with(copy);
    let rows = rows.append("5", version_2()).await;
    let named = [3, 2].map(|number| RowHash::of(&rows.revision(number)));
    assert_eq!(Link::of(&rows.revision(4)).hashes(), named);
    rows.check_is_unbroken(5, &[]).await;
    let mut changed = rows.clone();
    changed.revisions()[2].cells.set("Comment", "changed");
    assert_eq!(changed.broken().await.unwrap().0, 3);
}

/// A link is no unknown column, so a rollback does not carry it.
#[tokio::test]
async fn a_rollback_has_a_link_of_its_own() {
    let rows = Rows::appended(3).await;
    let old = rows.revision(0);
    let created = str::from_utf8(old.cells.get("CreatedTime").unwrap()).unwrap();
    let rows = rows
        .append_parts(RevisionParts {
            rollback_of: Timestamp::parse(created).ok(),
            ..parts("0", version_2())
        })
        .await;
    let named = RowHash::of(&rows.revision(2));
    assert_eq!(Link::of(&rows.revision(3)).hashes(), [named]);
    rows.check_is_unbroken(4, &[]).await;
}

#[tokio::test]
async fn revisions_older_than_the_links_are_counted() {
    let mut rows = Rows::appended(120).await;
    rows.remove_links();
    let rows = rows.append("first with a link", version_2()).await;
    let rows = rows.append("second", version_2()).await;
    let (check, _) = rows.check().await;
    assert_eq!((check.broken, &check.late[..]), (None, &[][..]));
    assert_eq!((check.with_link, check.uncovered), (2, 20));
    assert_eq!((check.covered, check.not_yet_covered), (101, 1));
}

/// The first link names every row before it, so another one below it came in later.
#[tokio::test]
async fn a_forged_row_below_the_first_link_is_named() {
    let rows = Rows::appended(3).await;
    let forged = |rows: &Rows| {
        let mut row = foreign_after(&rows.revision(0));
        let key = row.key_text();
        let (flag, _) = key.rsplit_once('#').unwrap();
        row.key = format!("{flag}#2001-01-01 00:00:00.000000").into_bytes();
        row.cells.set("CreatedTime", "2001-01-01 00:00:00.000000");
        rows.clone().with(row)
    };
    forged(&rows).check_is_unbroken(3, &[1]).await;
    assert_eq!(forged(&rows).check().await.0.uncovered, 0);
    // Nor do links to old rows without one hide it.
    let mut old = rows.clone();
    old.remove_links();
    let linked = old.append("first with a link", version_2()).await;
    forged(&linked).check_is_unbroken(1, &[1]).await;
}

#[tokio::test]
async fn of_a_flag_without_links_every_revision_is_unlinked() {
    let mut rows = Rows::appended(3).await;
    rows.remove_links();
    let (check, _) = rows.check().await;
    assert_eq!(
        (check.with_link, check.covered, check.not_yet_covered),
        (0, 0, 0)
    );
    assert_eq!((check.revisions, check.uncovered), (3, 3));
    assert_eq!((check.broken, &check.late[..]), (None, &[][..]));
}

#[tokio::test]
async fn the_hash_of_a_project_changes_with_every_revision_that_it_covers() {
    let rows = Rows::appended(2).await;
    let (_, before) = rows.check().await;
    let mut changed = rows.clone();
    changed.revisions()[1].cells.set("Comment", "changed");
    assert_ne!(changed.check().await.1, before);
    let mut head = rows.clone();
    head.head().cells.set("feature/f", "soon");
    assert_eq!(head.check().await.1, before, "the head row is no history");
    let after = rows.append("3", version_2()).await;
    assert_ne!(after.check().await.1, before);
    // `printf 'feature/f %s\n' HASH | sha256sum`
    let line = format!("feature/f {}\n", RowHash::of(&rows.revision(1)));
    let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(line).into();
    let hash = hash
        .iter()
        .fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
    assert_eq!(hash, before);
}

#[tokio::test]
async fn a_flag_whose_rows_are_all_gone_is_missed_by_the_head_row() {
    let rows = Rows::appended(1).await.without(0);
    let (check, _) = rows.check().await;
    assert!(matches!(
        check.broken,
        Some(broken) if matches!(broken.broken, Broken::HeadNames(_))
    ));
}
