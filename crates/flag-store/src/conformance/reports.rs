//! The part of the suite of an `ExposureLog` that is about what replicas report.

use std::time::Duration;

use flag_model::ProjectName;

use super::exposure_log::{Log, all, append, at, exposure, flag_named, project, requests};
use crate::exposure_log::ExposureLog;
use crate::replicas::{
    Replica, ServedRevisions, replicas, report, served_revisions, withdraw_projects,
    withdraw_replica,
};
use crate::row_key::ReplicaId;
use crate::rows::{Cells, Row, Scan};

fn row(key: &str, value: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", value),
    }
}

async fn reported(log: &dyn ExposureLog, scan: Scan) -> Vec<Row> {
    let reports = log.reports(scan).await.unwrap().into_iter();
    reports.map(|report| report.row).collect()
}

/// Without the times of the store.
fn as_reported(replicas: Vec<Replica>) -> Vec<Replica> {
    let replicas = replicas.into_iter();
    let written = None;
    replicas
        .map(|replica| Replica { written, ..replica })
        .collect()
}

pub async fn a_report_replaces_that_with_its_key<T: ExposureLog>(log: Log<T>) {
    for rows in [
        &[row("a", "1"), row("b", "1")][..],
        &[row("b", "2")],
        &[row("b", "2")],
        &[],
    ] {
        log.write_reports(rows).await.unwrap();
    }
    let found = reported(&*log, Scan::prefix("")).await;
    assert_eq!(found, [row("a", "1"), row("b", "2")]);
}

pub async fn reports_are_read_by_key_and_removed<T: ExposureLog>(log: Log<T>) {
    let rows = ["a#1", "a#2", "a#3", "b#1"].map(|key| row(key, "1"));
    log.write_reports(&rows).await.unwrap();
    let read = async |scan| reported(&*log, scan).await;
    assert_eq!(read(Scan::prefix("a#").limit(2)).await, rows[..2]);
    let keys = ["a#2", "never there"].map(|key| key.as_bytes().to_vec());
    log.remove_reports(&keys).await.unwrap();
    let left = [rows[0].clone(), rows[2].clone()];
    assert_eq!(read(Scan::prefix("a#")).await, left);
}

pub async fn reports_are_no_exposures<T: ExposureLog>(log: Log<T>) {
    let subject = flag_named("f");
    append(&*log, &[exposure(&subject, "A", "r", 2)]).await;
    let served = [(project(), ServedRevisions::default())];
    report(&*log, &replica(1), &served).await.unwrap();
    assert_eq!(requests(&all(&*log).await), ["r"]);
}

pub async fn what_a_replica_reports_is_read_back<T: ExposureLog>(log: Log<T>) {
    let mut served = ServedRevisions::default();
    served.note(flag_named("f"), at(1));
    let elsewhere = ProjectName::new("p2").unwrap();
    let (one, other) = (replica(1), replica(2));
    let of_one = [
        (project(), served.clone()),
        (elsewhere.clone(), ServedRevisions::default()),
    ];
    report(&*log, &one, &of_one).await.unwrap();
    let of_other = [(project(), ServedRevisions::default())];
    report(&*log, &other, &of_other).await.unwrap();
    report(&*log, &other, &[]).await.unwrap();
    let found = as_reported(replicas(&*log).await.unwrap());
    assert_eq!(found, [one.clone(), other.clone()]);
    let found = served_revisions(&*log, &project()).await.unwrap();
    let expected = [(one.id, served), (other.id, ServedRevisions::default())];
    assert_eq!(found, expected.into());
    withdraw_projects(&*log, one.id, std::slice::from_ref(&elsewhere))
        .await
        .unwrap();
    withdraw_replica(&*log, other.id).await.unwrap();
    let found = served_revisions(&*log, &elsewhere).await.unwrap();
    assert_eq!(found.len(), 0);
    assert_eq!(as_reported(replicas(&*log).await.unwrap()), [one]);
}

fn replica(number: u128) -> Replica {
    Replica {
        id: ReplicaId(number),
        name: format!("flag-service-{number}"),
        build: "1.0.0".to_owned(),
        started: at(1),
        reported: at(2),
        written: None,
        polls_every: (number == 1).then_some(Duration::from_millis(200)),
    }
}
