//! Encodes a batch of exposures directly into the entries of a request, without a `Row` for each.

use flag_store::{
    AppendResult, CellFormat, EntryEncoder, ExposureBatch, ExposureTemplate, StoreError,
};

use crate::prepared::{Entries, Mutations, PreparedRows};

/// The bytes of a common row, for which memory is allocated ahead.
const COMMON_ROW: usize = 768;

/// What the exposures of a template share.
struct Shared {
    key_prefix: String,
    cells: Mutations,
}

impl Shared {
    fn of(template: &ExposureTemplate, boolean_format: CellFormat) -> Self {
        let mut cells = Mutations::default();
        template.each_cell(boolean_format, |column, value| {
            cells.set(column.as_bytes(), value.as_bytes());
        });
        Self {
            key_prefix: template.key_prefix(),
            cells,
        }
    }
}

/// Encodes a batch; the result of each exposure says whether it has a row.
pub(crate) fn encode(batch: &ExposureBatch) -> (PreparedRows, Vec<AppendResult>) {
    let templates = batch.templates().iter();
    let shared: Vec<_> = templates
        .map(|template| Shared::of(template, batch.boolean_format()))
        .collect();
    let mut entries = Entries::with_capacity(batch.len(), COMMON_ROW);
    let (mut key, mut own) = (String::new(), Mutations::default());
    let results = batch.entries().map(|entry| {
        let Some(shared) = shared.get(entry.template.get()) else {
            let source = "an exposure has a template of another batch".into();
            return Err(StoreError::Broken { source }.into());
        };
        let encoder = EntryEncoder::from(entry);
        encoder.write_key(&shared.key_prefix, &mut key)?;
        own.clear();
        encoder.each_cell(|column, value| own.set(column.as_bytes(), value.as_bytes()));
        entries.push(key.as_bytes(), &[&shared.cells, &own]);
        Ok(())
    });
    let results = results.collect();
    (entries.finish(), results)
}

/// Encodes a batch and returns how many bytes its rows have, for `benches/exposures.rs`.
pub fn encoded_bytes(batch: &ExposureBatch) -> usize {
    let (rows, results) = encode(batch);
    (0..results.len()).map(|row| rows.byte_len(row)).sum()
}

#[cfg(test)]
mod tests {
    use bigtable_rs::google::bigtable::v2::mutate_rows_request::Entry;
    use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, mutation::Mutation};
    use flag_model::{
        Bucket, FlagKey, FlagName, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
    };
    use flag_store::{BatchId, WriteExposureError};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::mutation;

    /// What a server decodes; the cells of each row in the order of their columns.
    fn sent(rows: &PreparedRows) -> Vec<Entry> {
        let request = MutateRowsRequest {
            table_name: "projects/p/instances/i/tables/log".into(),
            app_profile_id: "flags".into(),
            ..MutateRowsRequest::default()
        };
        let sent = rows.request(&request, 0..rows.len()).to_bytes();
        let mut sent = MutateRowsRequest::decode(sent).unwrap();
        let mut entries = std::mem::take(&mut sent.entries);
        assert_eq!(sent, request);
        for entry in &mut entries {
            entry.mutations.sort_by_key(|each| match &each.mutation {
                Some(Mutation::SetCell(cell)) => cell.column_qualifier.clone(),
                other => panic!("{other:?}"),
            });
        }
        entries
    }

    /// The same by way of rows.
    fn by_rows(batch: &ExposureBatch) -> Vec<Entry> {
        let records = batch.exposures();
        let records =
            records.filter_map(|exposure| exposure.to_record(batch.boolean_format()).ok());
        let entries = records.map(|record| Entry {
            row_key: record.key().to_vec(),
            mutations: mutation::set(&record.row().cells),
            idempotency: None,
        });
        entries.collect()
    }

    fn template(flag: &str, text: Option<&str>, has_all: bool) -> ExposureTemplate {
        let value = text.map_or(FlagValue::Boolean(true), |text| {
            FlagValue::text(text).unwrap()
        });
        ExposureTemplate {
            flag: FlagKey {
                project: ProjectName::new("csr-assistant").unwrap(),
                flag_type: value.flag_type(),
                name: FlagName::new(flag).unwrap(),
            },
            revision: has_all.then(|| Timestamp::parse("2024-09-25 19:15:28.248896").unwrap()),
            value,
            rollout_group: "treatment_1".into(),
            reason: has_all.then_some(Reason::Rollout),
            from_cache: has_all.then_some(false),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_batch_is_sent_as_its_rows_are(
            entries in prop::collection::vec(
                (0..3_usize, ".{0,300}", "\\PC{1,60}", prop::option::of(0..100_000_u32), 0..4_000_000_000_000_000_i64),
                0..20,
            ),
            text in ".{0,300}",
            is_json in any::<bool>(),
        ) {
            let boolean_format = if is_json { CellFormat::Json } else { CellFormat::Python };
            let mut batch = ExposureBatch::new(BatchId::default(), boolean_format);
            let templates = [
                batch.add_template(template("a", None, true)),
                batch.add_template(template("b", Some(&text), true)),
                batch.add_template(template("c", Some(""), false)),
            ];
            for (template, request_id, instance, bucket, micros) in entries {
                let Ok(instance) = InstanceId::new(instance) else { continue };
                let created = Timestamp::from_unix_micros(micros).unwrap();
                let bucket = bucket.and_then(Bucket::new);
                batch.push(templates[template], &request_id, &instance, bucket, created);
            }
            let (rows, results) = encode(&batch);
            prop_assert!(results.iter().all(Result::is_ok));
            prop_assert_eq!(sent(&rows), by_rows(&batch));
        }
    }

    #[test]
    fn an_exposure_whose_key_is_too_long_has_no_row() {
        let mut batch = ExposureBatch::new(BatchId::default(), CellFormat::Json);
        let template = batch.add_template(template("a", None, true));
        let instance = InstanceId::new("A1").unwrap();
        for length in [10, 5_000, 20] {
            let request_id = "r".repeat(length);
            batch.push(
                template,
                &request_id,
                &instance,
                None,
                Timestamp::UNIX_EPOCH,
            );
        }
        let (rows, results) = encode(&batch);
        let is_ok: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(is_ok, [true, false, true]);
        assert!(matches!(results[1], Err(WriteExposureError::Invalid(_))));
        assert_eq!(sent(&rows), by_rows(&batch));
    }
}
