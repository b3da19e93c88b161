//! Measures what it costs to encode exposures for Bigtable: `cargo bench -p flag-store-bigtable --bench exposures`.
#![allow(clippy::unwrap_used, reason = "benches")]

use std::hint::black_box;

use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
use bigtable_rs::google::bigtable::v2::mutation::{Mutation, SetCell};
use bigtable_rs::google::bigtable::v2::{self as bigtable, MutateRowsRequest};
use criterion::{Criterion, Throughput};
use flag_model::{Bucket, FlagValue, InstanceId, Reason, Timestamp};
use flag_store::{BatchId, CellFormat, ExposureBatch, ExposureTemplate, FAMILY, Row};
use flag_store_bigtable::encoded_bytes;
use prost::Message as _;

/// How many exposures the service writes together.
const BATCH: u32 = 500;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let batch = batch();
    assert_eq!(encoded_bytes(&batch), as_rows(&batch).len());
    let mut group = criterion.benchmark_group("500 exposures");
    group.throughput(Throughput::Elements(BATCH.into()));
    group.bench_function("as entries", |bencher| {
        bencher.iter(|| encoded_bytes(black_box(&batch)));
    });
    group.bench_function("as rows, then as messages", |bencher| {
        bencher.iter(|| as_rows(black_box(&batch)));
    });
    group.finish();
    criterion.final_summary();
}

/// As the service makes them, nothing missing.
fn batch() -> ExposureBatch {
    let time = |text| Timestamp::parse(text).unwrap();
    let mut batch = ExposureBatch::new(BatchId::default(), CellFormat::Json);
    let template = batch.add_template(ExposureTemplate {
        flag: "csr-assistant/feature/multi_step_api_router"
            .parse()
            .unwrap(),
        revision: Some(time("2024-09-25 19:15:28.248896")),
        value: FlagValue::Boolean(true),
        rollout_group: "treatment_1".into(),
        reason: Some(Reason::Rollout),
        from_cache: Some(true),
    });
    let created = time("2026-11-21 10:00:00.123456");
    for number in 0..BATCH {
        let request_id = format!("0192f2a4-7c11-7e3a-9d52-{number:012x}");
        let instance = InstanceId::new(format!("A{number:011}")).unwrap();
        batch.push(
            template,
            &request_id,
            &instance,
            Bucket::new(number * 199),
            created,
        );
    }
    batch
}

/// The request by way of rows and of the messages that `bigtable_rs` has.
fn as_rows(batch: &ExposureBatch) -> Vec<u8> {
    let records = batch.exposures();
    let records = records.map(|exposure| exposure.to_record(batch.boolean_format()).unwrap());
    let request = MutateRowsRequest {
        entries: records.map(|record| entry(record.row())).collect(),
        ..MutateRowsRequest::default()
    };
    request.encode_to_vec()
}

fn entry(row: &Row) -> Entry {
    let mutations = row.cells.iter().map(|(column, value)| bigtable::Mutation {
        mutation: Some(Mutation::SetCell(SetCell {
            family_name: FAMILY.to_owned(),
            column_qualifier: column.to_vec(),
            timestamp_micros: -1,
            value: value.to_vec(),
        })),
    });
    Entry {
        row_key: row.key.clone(),
        mutations: mutations.collect(),
        idempotency: None,
    }
}
