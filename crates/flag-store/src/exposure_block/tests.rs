use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::exposure_batch::ExposureTemplate;
use crate::options::CellFormat;
use crate::row_key::flag_exposures_prefix;

fn flag(name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new("p").unwrap(),
        flag_type: FlagType::Data,
        name: FlagName::new(name).unwrap(),
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_000_i64..253_402_300_800_000_000)
        .prop_filter_map("a time", Timestamp::from_unix_micros)
}

fn any_template() -> impl Strategy<Value = ExposureTemplate> {
    let reasons = [
        None,
        Some(Reason::Override),
        Some(Reason::Rollout),
        Some(Reason::Control),
    ];
    let value = prop_oneof![
        any::<bool>().prop_map(FlagValue::Boolean),
        ".{0,20}".prop_filter_map("a text", |text| FlagValue::text(&text).ok()),
    ];
    (
        prop::sample::select(vec!["f", "g"]),
        prop::option::of(any_time()),
        value,
        ".{0,9}",
        prop::sample::select(reasons.to_vec()),
        any::<Option<bool>>(),
    )
        .prop_map(
            |(name, revision, value, rollout_group, reason, from_cache)| ExposureTemplate {
                flag: flag(name),
                revision,
                value,
                rollout_group,
                reason,
                from_cache,
            },
        )
}

/// The request id, the instance id, the bucket and the time of an exposure, and which template it has.
type AnyEntry = (
    String,
    String,
    Option<Bucket>,
    Timestamp,
    prop::sample::Index,
);

fn any_entry() -> impl Strategy<Value = AnyEntry> {
    let id = || {
        prop_oneof![
            ".{0,9}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9A-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9a-f]{32,36}",
        ]
    };
    let instance = id().prop_filter("an instance id", |id| InstanceId::new(id.as_str()).is_ok());
    let bucket = prop::option::of((0..100_000_u32).prop_filter_map("a bucket", Bucket::new));
    (
        id(),
        instance,
        bucket,
        any_time(),
        any::<prop::sample::Index>(),
    )
}

fn batch(templates: &[ExposureTemplate], entries: &[AnyEntry]) -> ExposureBatch {
    let mut batch = ExposureBatch::new(BatchId(7), CellFormat::Json);
    let indices: Vec<_> = templates
        .iter()
        .cloned()
        .map(|template| batch.add_template(template))
        .collect();
    for (request, instance, bucket, created, template) in entries {
        let instance = InstanceId::new(instance.as_str()).unwrap();
        batch.push(
            *template.get(&indices),
            request,
            &instance,
            *bucket,
            *created,
        );
    }
    batch
}

proptest! {
    #[test]
    fn exposures_come_back_as_they_were(
        templates in vec(any_template(), 1..4),
        entries in vec(any_entry(), 0..40),
    ) {
        let batch = batch(&templates, &entries);
        let Blocks { blocks, results } = batch.blocks();
        prop_assert_eq!(results.len(), batch.len());
        let mut read = Vec::new();
        for block in &blocks {
            let decoded = decode_block(&block.key_prefix, &block.bytes).unwrap();
            prop_assert_eq!(decoded.len(), block.exposure_count);
            for entry in decoded.entries() {
                prop_assert!(may_hold(&block.filter, entry.instance));
                prop_assert!((block.oldest..=block.newest).contains(&entry.created));
            }
            let exposures = decoded.exposures().map(|exposure| format!("{exposure:?}"));
            read.extend(exposures);
        }
        let of = |name: &str| {
            let flag = flag(name);
            let exposures = batch.exposures().filter(move |exposure| *exposure.flag == flag);
            exposures.map(|exposure| format!("{exposure:?}")).collect::<Vec<_>>()
        };
        let (f, g) = (of("f"), of("g"));
        let is_f_first = batch.templates().first().is_some_and(|template| template.flag == flag("f"));
        let expected = if is_f_first { [f, g] } else { [g, f] };
        prop_assert_eq!(read, expected.concat());
    }

    #[test]
    fn any_bytes_are_a_block_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode_block(&flag_exposures_prefix(&flag("f")), &bytes);
        let first = [&[1], bytes.as_slice()].concat();
        let _ = decode_block(&flag_exposures_prefix(&flag("f")), &first);
    }

    #[test]
    fn a_block_that_was_cut_off_is_an_error(entries in vec(any_entry(), 1..9), cut in any::<prop::sample::Index>()) {
        let template = ExposureTemplate {
            flag: flag("f"),
            revision: None,
            value: FlagValue::Boolean(true),
            rollout_group: "control".to_owned(),
            reason: None,
            from_cache: None,
        };
        let block = batch(&[template], &entries).blocks().blocks.remove(0);
        let cut = cut.index(block.bytes.len());
        prop_assert!(decode_block(&block.key_prefix, &block.bytes[..cut]).is_err());
    }
}

#[test]
fn what_it_cannot_read_is_named() {
    let flag = flag_exposures_prefix(&flag("f"));
    let message = |flag: &str, bytes: &[u8]| decode_block(flag, bytes).unwrap_err().to_string();
    assert_eq!(message(&flag, &[]), "a block ends too early");
    assert_eq!(
        message(&flag, &[9]),
        "block format 9 is unknown; this release reads format 1"
    );
    assert!(message("x", &[1]).starts_with("a block names an invalid flag: "));
}

#[test]
fn an_instance_is_taken_out_and_the_others_stay() {
    let template = ExposureTemplate {
        flag: flag("f"),
        revision: None,
        value: FlagValue::Boolean(true),
        rollout_group: "control".to_owned(),
        reason: None,
        from_cache: None,
    };
    let mut batch = ExposureBatch::new(BatchId(1), CellFormat::Json);
    let template = batch.add_template(template);
    for (second, id) in (0..).zip(["A", "B", "A"]) {
        let created = Timestamp::from_unix_micros(second * 1_000_000).unwrap();
        batch.push(template, "r", &InstanceId::new(id).unwrap(), None, created);
    }
    let block = batch.blocks().blocks.remove(0);
    let without = |id: &str| {
        let id = InstanceId::new(id).unwrap();
        without_instance(&block.key_prefix, &block.bytes, &id).unwrap()
    };
    let (others, taken) = without("A");
    let others = others.unwrap();
    assert_eq!((others.exposure_count, taken), (1, 2));
    assert_eq!(others.oldest, others.newest);
    assert_eq!(without("C"), (Some(block.clone()), 0));
    let id = InstanceId::new("B").unwrap();
    let nothing = without_instance(&others.key_prefix, &others.bytes, &id);
    assert_eq!(nothing.unwrap(), (None, 1));
}
