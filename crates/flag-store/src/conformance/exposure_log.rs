//! The suite that every `ExposureLog` passes, and what one that keeps rows promises besides.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};

use super::row;
use crate::exposure_batch::{BatchId, ExposureBatch};
use crate::exposure_log::{Cursor, ExposureLog, ExposureQuery, ExposureScope, TimeRange};
use crate::exposure_rows::ExposureRows;
use crate::exposures::{Exposure, ExposureRecord, ExposureText, WriteExposureError};
use crate::options::CellFormat;
use crate::rows::{Columns, Insert, Row};

/// The log under test.
pub type Log<T> = Arc<T>;

pub(super) fn project() -> ProjectName {
    ProjectName::new("p").unwrap()
}

pub(super) fn flag_named(name: &str) -> FlagKey {
    FlagKey {
        project: project(),
        flag_type: FlagType::Feature,
        name: FlagName::new(name).unwrap(),
    }
}

pub(super) fn instance(id: &str) -> InstanceId<'_> {
    InstanceId::new(id).unwrap()
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros(second * 1_000_000).unwrap()
}

pub(super) fn exposure<'a>(
    flag: &'a FlagKey,
    id: &'a str,
    request: &'a str,
    second: i64,
) -> Exposure<'a> {
    Exposure {
        request_id: request.into(),
        flag: Cow::Borrowed(flag),
        instance: instance(id),
        value: Cow::Owned(FlagValue::Boolean(true)),
        rollout_group: "treatment_1".into(),
        reason: Some(Reason::Rollout),
        bucket: Bucket::new(7),
        revision: Some(at(1)),
        from_cache: Some(false),
        created: at(second),
    }
}

/// A batch of exposures, with an id of its own.
fn batch_of(exposures: &[Exposure<'_>]) -> ExposureBatch {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = BatchId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)));
    ExposureBatch::of(id, CellFormat::Json, exposures)
}

pub(super) async fn append(log: &dyn ExposureLog, exposures: &[Exposure<'_>]) {
    append_batch(log, &batch_of(exposures)).await;
}

async fn append_batch(log: &dyn ExposureLog, exposures: &ExposureBatch) {
    let results = log.append(exposures).await;
    assert_eq!(results.len(), exposures.len());
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

pub(super) async fn all(log: &dyn ExposureLog) -> Vec<ExposureRecord> {
    let project = project();
    let scope = ExposureScope::Project(&project);
    sorted(
        log.page(scope, TimeRange::ALL, None, 10_000)
            .await
            .unwrap()
            .records,
    )
}

/// Records by flag, instance and request, whatever the order of the log.
fn sorted(mut records: Vec<ExposureRecord>) -> Vec<ExposureRecord> {
    records.sort_by(|one, other| one.key().cmp(other.key()));
    records
}

/// The request ids of some records, in their order.
pub(super) fn requests(records: &[ExposureRecord]) -> Vec<String> {
    let records = records.iter();
    records.map(|record| record.text().request_id).collect()
}

pub async fn appended_exposures_are_read_back<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    append(&*log, &[exposure(&subject, "A#1", "r", 2)]).await;
    let records = all(&*log).await;
    let key = "PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A%231#REQUESTID#r#TIME#1970-01-01 00:00:02";
    let expected = ExposureText {
        key: key.to_owned() + ".000000",
        request_id: "r".to_owned(),
        created: at(2).to_string(),
        instance: "A#1".to_owned(),
        value: "true".to_owned(),
        rollout_group: "treatment_1".to_owned(),
        from_cache: Some("false".to_owned()),
        revision: Some(at(1).to_string()),
        reason: Some("rollout".to_owned()),
        bucket: Some("7".to_owned()),
    };
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].text(), expected);
    assert_eq!(records[0].created(), Some(at(2)));
    let found = log.find(records[0].key()).await.unwrap();
    assert_eq!(found.as_ref(), records.first());
    assert_eq!(log.find(b"PROJECT#p#nothing").await.unwrap(), None);
}

pub async fn appending_again_changes_nothing<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let batch = [
        exposure(&subject, "A", "r", 2),
        exposure(&subject, "B", "r", 2),
    ];
    let batch = batch_of(&batch);
    append_batch(&*log, &batch).await;
    let before = all(&*log).await;
    append_batch(&*log, &batch).await;
    assert_eq!(before.len(), 2);
    assert_eq!(all(&*log).await, before);
}

pub async fn an_append_of_nothing_is_nothing<T: ExposureLog>(log: Log<T>) {
    append(&*log, &[]).await;
    assert_eq!(all(&*log).await, []);
}

pub async fn what_cannot_be_logged_fails_alone<T: ExposureLog>(log: Log<T>) {
    let (subject, too_long) = (flag_named("f"), "r".repeat(5_000));
    let batch = ["r-1", &too_long, "r-2"].map(|request| exposure(&subject, "A", request, 2));
    let results = log.append(&batch_of(&batch)).await;
    assert!(
        matches!(
            results[..],
            [Ok(()), Err(WriteExposureError::Invalid(_)), Ok(())]
        ),
        "{results:?}"
    );
    assert_eq!(requests(&all(&*log).await), ["r-1", "r-2"]);
}

pub async fn a_large_batch_is_written_whole<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let ids: Vec<String> = (0..2_500).map(|id| format!("{id:05}")).collect();
    let batch = ids.iter().map(|id| exposure(&subject, id, id, 2));
    append(&*log, &batch.collect::<Vec<_>>()).await;
    assert!(requests(&all(&*log).await) == ids);
}

pub async fn a_record_is_inserted_once_and_never_changes<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let first = exposure(&subject, "A", "r", 2);
    let first_record = first.to_record(CellFormat::Json).unwrap();
    for _ in 0..2 {
        log.insert_or_compare(&first_record).await.unwrap();
    }
    let other = Exposure {
        bucket: None,
        ..first
    };
    let other = other.to_record(CellFormat::Json).unwrap();
    let error = log.insert_or_compare(&other).await.unwrap_err();
    assert!(
        matches!(&error, WriteExposureError::Differs { column } if column == "Bucket"),
        "{error:?}"
    );
    let again = log.insert_if_absent(&other).await;
    assert_eq!(again.unwrap(), Insert::AlreadyThere);
    assert_eq!(all(&*log).await, [first_record]);
}

pub async fn what_was_appended_cannot_be_replaced<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let first = exposure(&subject, "A#1", "r", 2);
    let others = ["B", "C"].map(|id| exposure(&subject, id, "r", 2));
    append(&*log, &[first.clone(), others[0].clone()]).await;
    append(&*log, &others[1..]).await;
    let record = first.to_record(CellFormat::Json).unwrap();
    log.insert_or_compare(&record).await.unwrap();
    let other = Exposure {
        value: Cow::Owned(FlagValue::Boolean(false)),
        ..first
    };
    let error = log
        .insert_or_compare(&other.to_record(CellFormat::Json).unwrap())
        .await;
    assert!(
        matches!(&error, Err(WriteExposureError::Differs { column }) if column == "AssignedValue"),
        "{error:?}"
    );
    assert_eq!(all(&*log).await.len(), 3);
    assert_eq!(log.find(record.key()).await.unwrap(), Some(record));
}

pub async fn a_record_of_somebody_else_comes_back_byte_for_byte<T: ExposureLog>(log: Log<T>) {
    let foreign = row("PROJECT#p#FLAGTYPE#x#1", "Name", "\u{1}'日本語'\n");
    let cells = foreign.cells.with("Other", [0, 255]).with("Empty", "");
    let foreign = ExposureRecord::from(Row { cells, ..foreign });
    log.insert_or_compare(&foreign).await.unwrap();
    assert_eq!(all(&*log).await, [foreign]);
}

pub async fn pages_follow_each_other_without_a_gap<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let batch = ["a", "b", "c", "d", "e"].map(|id| exposure(&subject, id, id, 2));
    append(&*log, &batch).await;
    // One more of each kind that a log may keep in a way of its own.
    let alone = exposure(&subject, "f", "f", 3);
    log.insert_or_compare(&alone.to_record(CellFormat::Json).unwrap())
        .await
        .unwrap();
    let (scope, mut after, mut found) = (ExposureScope::Flag(&subject), None, Vec::new());
    loop {
        let page = log
            .page(scope, TimeRange::ALL, after.as_ref(), 2)
            .await
            .unwrap();
        assert!(page.records.len() <= 2);
        found.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(requests(&sorted(found)), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(
        log.page(scope, TimeRange::ALL, None, 0)
            .await
            .unwrap()
            .records,
        []
    );
}

pub async fn pages_of_a_time_have_what_was_served_then<T: ExposureLog>(log: Log<T>) {
    let [subject, other] = [flag_named("f"), flag_named("g")];
    for start in [0, 100, 200] {
        let ids: Vec<String> = (start..start + 10)
            .map(|second| second.to_string())
            .collect();
        let batch = ids.iter().zip(start..);
        let batch = batch.map(|(id, second)| exposure(&subject, "A", id, second));
        append(&*log, &batch.collect::<Vec<_>>()).await;
        let sent = exposure(&subject, "B", "sent", start + 5);
        log.insert_or_compare(&sent.to_record(CellFormat::Json).unwrap())
            .await
            .unwrap();
    }
    append(&*log, &[exposure(&other, "A", "other", 104)]).await;
    let untold = row(
        "PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A#REQUESTID#r#TIME#soon",
        "RequestID",
        "untold",
    );
    log.insert_or_compare(&untold.into()).await.unwrap();
    let id = instance("A");
    let of_flag = ExposureScope::Flag(&subject);
    let of_one = ExposureScope::Instance(&subject, &id);
    for (scope, since, until, expected) in [
        (
            of_flag,
            Some(103),
            Some(106),
            &["103", "104", "105", "sent"][..],
        ),
        (of_one, Some(103), Some(106), &["103", "104", "105"]),
        (of_one, Some(208), None, &["208", "209"]),
        (of_one, None, Some(2), &["0", "1"]),
        (of_flag, Some(110), Some(200), &[]),
    ] {
        let within = TimeRange {
            since: since.map(at),
            until: until.map(at),
        };
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let page = log.page(scope, within, after.as_ref(), 2).await.unwrap();
            assert!(page.records.len() <= 2);
            found.extend(page.records);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(requests(&sorted(found)), expected, "{within:?}");
    }
}

pub async fn batches_have_what_pages_have<T: ExposureLog>(log: Log<T>) {
    let flags = [flag_named("f"), flag_named("g")];
    for (flag, start) in flags.iter().zip([0, 4]) {
        for second in start..start + 4 {
            let ids = ["a", "b", "c"].map(|id| exposure(flag, id, id, second));
            append(&*log, &ids).await;
        }
        let sent = exposure(flag, "sent", "sent", start + 1);
        let inserted = log
            .insert_or_compare(&sent.to_record(CellFormat::Json).unwrap())
            .await;
        inserted.unwrap();
    }
    let (project, id) = (project(), instance("b"));
    for scope in [
        ExposureScope::Project(&project),
        ExposureScope::Flag(&flags[0]),
        ExposureScope::Instance(&flags[1], &id),
    ] {
        for (since, until) in [(None, None), (Some(2), None), (Some(1), Some(6))] {
            let within = TimeRange {
                since: since.map(at),
                until: until.map(at),
            };
            for limit in [1, 5, 1_000] {
                let (mut after, mut found) = (None, Vec::new());
                loop {
                    let page = log
                        .batches(scope, within, after.as_ref(), limit)
                        .await
                        .unwrap();
                    for batch in &page.batches {
                        let records = batch.exposures();
                        found.extend(
                            records.map(|exposure| {
                                exposure.to_record(batch.boolean_format()).unwrap()
                            }),
                        );
                    }
                    found.extend(page.records);
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                let page = log.page(scope, within, None, 1_000).await.unwrap();
                assert_eq!(sorted(found), sorted(page.records), "{scope:?} {within:?}");
            }
        }
    }
}

pub async fn a_scope_reaches_nobody_else<T: ExposureLog>(log: Log<T>) {
    let [f, f2] = [flag_named("f"), flag_named("f_2")];
    let elsewhere = FlagKey {
        project: ProjectName::new("p2").unwrap(),
        ..flag_named("f")
    };
    let batch = [
        exposure(&f, "A", "1", 2),
        exposure(&f, "A", "2", 2),
        exposure(&f, "AB", "3", 2),
        exposure(&f2, "A", "4", 2),
        exposure(&elsewhere, "A", "5", 2),
    ];
    append(&*log, &batch).await;
    let (project, id) = (project(), instance("A"));
    for (scope, expected) in [
        (ExposureScope::Project(&project), &["1", "2", "3", "4"][..]),
        (ExposureScope::Flag(&f), &["1", "2", "3"]),
        (ExposureScope::Instance(&f, &id), &["1", "2"]),
        (ExposureScope::Instance(&elsewhere, &id), &["5"]),
    ] {
        let page = log.page(scope, TimeRange::ALL, None, 9).await.unwrap();
        assert_eq!(requests(&sorted(page.records)), expected, "{scope:?}");
    }
}

pub async fn the_newest_of_a_group_are_of_that_group<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let groups = ["control", "treatment_1"];
    let batch: Vec<_> = (0..20)
        .map(|second| Exposure {
            rollout_group: groups[usize::try_from(second).unwrap() % 2].into(),
            ..exposure(
                &subject,
                "A",
                ["a", "b"][usize::try_from(second).unwrap() % 2],
                second,
            )
        })
        .collect();
    append(&*log, &batch).await;
    let alone = Exposure {
        rollout_group: "control".into(),
        ..exposure(&subject, "A", "alone", 30)
    };
    log.insert_or_compare(&alone.to_record(CellFormat::Json).unwrap())
        .await
        .unwrap();
    let query = ExposureQuery {
        scope: ExposureScope::Flag(&subject),
        within: TimeRange::ALL,
        group: Some("control"),
        limit: 3,
    };
    let found = log.newest(query).await.unwrap();
    assert!(found.iter().all(|record| record.group() == b"control"));
    let times = found.iter().map(ExposureRecord::created);
    let expected = [30, 18, 16].map(|second| Some(at(second)));
    assert_eq!(times.collect::<Vec<_>>(), expected);
}

/// What was logged since the last call, until there is nothing more.
async fn followed(
    log: &dyn ExposureLog,
    scope: ExposureScope<'_>,
    cursor: &mut Option<Cursor>,
) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = log.logged_after(scope, cursor.as_ref()).await.unwrap();
        assert!(page.next.is_some());
        *cursor = page.next;
        if page.records.is_empty() {
            return requests(&found);
        }
        found.extend(page.records);
    }
}

pub async fn what_is_logged_is_followed_once<T: ExposureLog>(log: Log<T>) {
    let [subject, other] = [flag_named("f"), flag_named("g")];
    append(&*log, &[exposure(&subject, "A", "before", 100)]).await;
    let sent = exposure(&subject, "A", "sent-before", 100);
    log.insert_or_compare(&sent.to_record(CellFormat::Json).unwrap())
        .await
        .unwrap();
    let (of_flag, id) = (ExposureScope::Flag(&subject), instance("B"));
    let of_one = ExposureScope::Instance(&subject, &id);
    let [mut all, mut one] = [None, None];
    assert_eq!(followed(&*log, of_flag, &mut all).await, [""; 0]);
    assert_eq!(followed(&*log, of_one, &mut one).await, [""; 0]);
    let batch = [
        exposure(&other, "A", "other", 101),
        exposure(&subject, "A", "a", 101),
        exposure(&subject, "B", "b", 102),
    ];
    append(&*log, &batch).await;
    let sent = exposure(&subject, "B", "sent", 103);
    log.insert_or_compare(&sent.to_record(CellFormat::Json).unwrap())
        .await
        .unwrap();
    assert_eq!(followed(&*log, of_flag, &mut all).await, ["a", "b", "sent"]);
    assert_eq!(followed(&*log, of_one, &mut one).await, ["b", "sent"]);
    assert_eq!(followed(&*log, of_flag, &mut all).await, [""; 0]);
    // One that was served before others that are shown already.
    append(&*log, &[exposure(&subject, "C", "late", 99)]).await;
    assert_eq!(followed(&*log, of_flag, &mut all).await, ["late"]);
    assert_eq!(followed(&*log, of_one, &mut one).await, [""; 0]);
    assert_eq!(followed(&*log, of_flag, &mut all).await, [""; 0]);
}

pub async fn the_newest_come_first<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    let ids: Vec<String> = (0..1_200).map(|number| format!("{number:04}")).collect();
    // Neither their keys nor the order in which they are written is that of their times.
    let second = |number: usize| i64::try_from(number * 7 % 1_200).unwrap();
    let batch = ids.iter().enumerate();
    let batch = batch.map(|(number, id)| exposure(&subject, id, id, second(number)));
    append(&*log, &batch.collect::<Vec<_>>()).await;
    let untold = row(
        "PROJECT#p#FLAGTYPE#feature#FLAGNAME#f#INSTANCEID#A#REQUESTID#r#TIME#soon",
        "RequestID",
        "untold",
    );
    log.insert_or_compare(&untold.into()).await.unwrap();
    let query = ExposureQuery {
        scope: ExposureScope::Flag(&subject),
        within: TimeRange::ALL,
        group: None,
        limit: 3,
    };
    let newest = async |query| {
        let records = log.newest(query).await.unwrap();
        let times = records.iter().map(ExposureRecord::created);
        times
            .map(|time| time.map(|time| time.unix_micros() / 1_000_000))
            .collect::<Vec<_>>()
    };
    assert_eq!(newest(query).await, [1_199, 1_198, 1_197].map(Some));
    let until = ExposureQuery {
        within: TimeRange {
            since: Some(at(498)),
            until: Some(at(500)),
        },
        limit: 9,
        ..query
    };
    assert_eq!(newest(until).await, [499, 498].map(Some));
    let every = ExposureQuery {
        limit: 9_999,
        ..query
    };
    let every = newest(every).await;
    assert_eq!((every.len(), every.last()), (1_201, Some(&None)));
    let id = instance(&ids[1]);
    let of_one = ExposureQuery {
        scope: ExposureScope::Instance(&subject, &id),
        ..query
    };
    assert_eq!(newest(of_one).await, [Some(7)]);
}

pub async fn an_instance_is_found_in_every_flag_and_deleted<T: ExposureLog>(log: Log<T>) {
    let [f, g] = [flag_named("f"), flag_named("g")];
    let ids: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let mut batch: Vec<_> = ids
        .iter()
        .map(|request| exposure(&f, "A", request, 2))
        .collect();
    batch.push(exposure(&g, "A", "x", 2));
    batch.push(exposure(&g, "B", "y", 2));
    append(&*log, &batch).await;
    let (project, id) = (project(), instance("A"));
    let found = log.of_instance(&project, &id).await.unwrap();
    let counts = found
        .iter()
        .map(|scope| (scope.flag_name.as_str(), scope.count()));
    assert_eq!(counts.collect::<Vec<_>>(), [("f", 600), ("g", 1)]);
    for exposures in found.iter().chain(&found) {
        log.delete(exposures).await.unwrap();
    }
    assert_eq!(log.of_instance(&project, &id).await.unwrap(), []);
    assert_eq!(requests(&all(&*log).await), ["y"]);
}

pub async fn the_log_is_pinged<T: ExposureLog>(log: Log<T>) {
    log.ping().await.unwrap();
}

async fn write<T: ExposureRows>(log: &T, rows: &[Row]) {
    let results = log.write_rows(rows).await;
    assert_eq!(results.len(), rows.len());
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

pub async fn a_batch_writes_every_row<T: ExposureRows>(log: Log<T>) {
    let rows = [
        row("c", "Name", "1"),
        row("a", "Name", "2"),
        row("b", "Name", "3"),
    ];
    write(&*log, &rows).await;
    for row in rows {
        let found = log.rows().get(&row.key, Columns::All).await;
        assert_eq!(found.unwrap(), Some(row));
    }
}

pub async fn a_batch_replaces_cells_and_keeps_others<T: ExposureRows>(log: Log<T>) {
    let mut there = row("a", "Name", "old");
    there.cells.set("Other", "kept");
    let inserted = log.rows().insert_if_absent(&there).await;
    assert_eq!(inserted.unwrap(), Insert::Inserted);
    write(&*log, &[row("a", "Name", "new")]).await;
    there.cells.set("Name", "new");
    let found = log.rows().get(b"a", Columns::All).await;
    assert_eq!(found.unwrap(), Some(there));
}

pub async fn an_empty_batch_is_nothing<T: ExposureRows>(log: Log<T>) {
    assert!(log.write_rows(&[]).await.is_empty());
    log.delete_rows(&[]).await.unwrap();
}
