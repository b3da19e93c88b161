//! What an operator does with `flagctl`: sets a store up, looks after it, moves flags between stores and files.

use flag_store::{Cells, Row, Scan};
use flag_tests::{Output, TestStore, flagctl, on_both_stores, soon};
use serde_json::Value;

on_both_stores!(
    a_store_that_was_set_up_is_healthy,
    flags_go_through_a_file_and_back,
    rows_that_cannot_be_read_are_found,
    an_instance_is_forgotten_and_every_flag_stays,
);

const ROUTER: [&str; 3] = ["csr-assistant", "feature", "router"];

#[track_caller]
fn done(output: Output) -> Output {
    assert_eq!(output.code, 0, "{output:?}");
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap()
}

fn add_and_revise(store: &TestStore) {
    let [project, flag_type, name] = ROUTER;
    let described = "Routes, in several steps";
    done(flagctl(
        store,
        &["add", project, flag_type, name, "--description", described],
    ));
    for percent in ["10", "12.5"] {
        let options = ["--control", "false", "--percent", percent];
        let [control, off, share, percent] = options;
        let typed = [
            "revise",
            project,
            flag_type,
            name,
            control,
            off,
            share,
            percent,
            "--comment",
            "why",
        ];
        done(flagctl(store, &typed));
    }
}

async fn a_store_that_was_set_up_is_healthy(store: TestStore) {
    let states = |output: &Output| {
        let parts = json(output)["parts"].take();
        let parts = parts.as_array().unwrap().iter();
        parts
            .map(|part| part["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let sick = flagctl(&store, &["doctor"]);
    assert_eq!(sick.code, 6, "{sick:?}");
    assert!(sick.stdout.contains("`flagctl init`"), "{sick:?}");
    let first = done(flagctl(&store, &["init", "-o", "json"]));
    assert_eq!(states(&first), ["created", "created"]);
    let second = done(flagctl(&store, &["init", "-o", "json"]));
    assert_eq!(states(&second), ["was_there", "was_there"]);
    add_and_revise(&store);
    let healthy = done(flagctl(&store, &["doctor"]));
    for part in [
        "answered in",
        "1 flag, 1 metadata row and 2 revisions can be read",
    ] {
        assert!(healthy.stdout.contains(part), "{healthy:?}");
    }
    let rows = store.rows().await.scan(Scan::prefix("")).await;
    assert_eq!(rows.unwrap().len(), 4);
}

async fn flags_go_through_a_file_and_back(store: TestStore) {
    add_and_revise(&store);
    let exported = done(flagctl(&store, &["export", "csr-assistant"])).stdout;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.yaml");
    let path = path.to_str().unwrap();
    std::fs::write(path, &exported).unwrap();
    done(flagctl(&store, &["apply", "-f", path, "--check"]));
    let changed = exported.replace("percent: 12.5", "percent: 40");
    std::fs::write(path, &changed).unwrap();
    let drift = flagctl(&store, &["apply", "-f", path, "--check"]);
    assert_eq!(drift.code, 7, "{drift:?}");
    let applied = flagctl(
        &store,
        &["apply", "-f", path, "--comment", "CSR-12", "-o", "json"],
    );
    assert_eq!(json(&done(applied))["written"], true);
    done(flagctl(&store, &["apply", "-f", path, "--check"]));
    let elsewhere = TestStore::embedded();
    done(flagctl(&elsewhere, &["apply", "-f", path]));
    for id in ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"] {
        assert_eq!(decision(&store, id), decision(&elsewhere, id));
    }
}

/// Value, rollout group and bucket of an instance.
fn decision(store: &TestStore, instance: &str) -> [Value; 3] {
    let [project, flag_type, name] = ROUTER;
    let typed = ["explain", project, flag_type, name, instance, "-o", "json"];
    let explained = json(&done(flagctl(store, &typed)));
    ["value", "rollout_group", "bucket"].map(|field| explained[field].clone())
}

async fn rows_that_cannot_be_read_are_found(store: TestStore) {
    add_and_revise(&store);
    let prefix = "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#router#TIME#";
    let key = format!("{prefix}{}", soon());
    let cells = Cells::default()
        .with("Name", "router")
        .with("Type", "FEATURE")
        .with("FormatVersion", "3");
    let row = Row {
        key: key.as_str().into(),
        cells,
    };
    store.leave(&[row]).await;
    let found = flagctl(&store, &["doctor", "csr-assistant"]);
    assert_eq!(found.code, 5, "{found:?}");
    let is_named = |line: &str| line.starts_with("failed  FormatVersion  ") && line.ends_with(&key);
    assert!(found.stdout.lines().any(is_named), "{found:?}");
}

mod on_bigtable {
    use super::*;

    #[test]
    fn tables_that_are_there_otherwise_are_reported_and_left_alone() {
        let store = TestStore::bigtable();
        done(flagctl(&store, &["init", "--log-retention-days", "30"]));
        done(flagctl(&store, &["doctor"]));
        for _ in 0..2 {
            let differs = flagctl(&store, &["init"]);
            assert_eq!(differs.code, 1, "{differs:?}");
            for part in [
                "there already  table csr_va_feature_flag_bigtable",
                "differs        table csr_va_feature_flag_service_operation_log",
                "keeps one version of each cell for 30 days; expected that it keeps one version of each cell for 90 days",
                "setgcpolicy csr_va_feature_flag_service_operation_log metadata maxversions=1 or maxage=90d",
            ] {
                assert!(differs.stdout.contains(part), "{part} in {differs:?}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flags_move_from_files_to_bigtable() {
        let (from, to) = (TestStore::embedded(), TestStore::bigtable());
        add_and_revise(&from);
        let TestStore::Embedded(folder) = &from else {
            panic!("{from:?}");
        };
        let TestStore::Bigtable { instance, .. } = &to else {
            panic!("{to:?}");
        };
        let source = format!("embedded:{}", folder.path().display());
        let target = format!("bigtable:test-project/{instance}");
        let typed = [
            "copy",
            "csr-assistant",
            "--from",
            &source,
            "--to",
            &target,
            "-o",
            "json",
        ];
        let dry = done(flagctl(&to, &[&typed[..], &["--dry-run"]].concat()));
        assert_eq!(json(&dry)["flags"]["copied"], 3);
        assert!(
            dry.stderr
                .contains("lacks tables, which a copy creates first"),
            "{dry:?}"
        );
        let back = ["copy", "csr-assistant", "--from", &target, "--to", &source];
        let nothing = flagctl(&to, &back);
        assert_eq!(nothing.code, 6, "{nothing:?}");
        assert!(
            nothing.stderr.contains("`flagctl init` creates them"),
            "{nothing:?}"
        );
        for copied in [3, 0] {
            let output = json(&done(flagctl(&to, &typed)));
            assert_eq!(output["flags"]["copied"], copied);
        }
        let rows = async |store: &TestStore| {
            let rows = store.rows().await.scan(Scan::prefix("")).await;
            let mut rows = rows.unwrap();
            rows.retain(|row| !row.key.ends_with(b"#HEAD"));
            rows
        };
        assert_eq!(rows(&from).await, rows(&to).await);
        for id in ["A1", "A2", "A3", "A4"] {
            assert_eq!(decision(&from, id), decision(&to, id));
        }
        let [project, flag_type, name] = ROUTER;
        let typed = [
            "revise",
            project,
            flag_type,
            name,
            "--percent",
            "13",
            "--comment",
            "on",
        ];
        done(flagctl(&to, &typed));
    }

    #[test]
    fn a_table_that_is_gone_is_made_by_init() {
        let store = TestStore::bigtable();
        done(flagctl(&store, &["init"]));
        let sick = flagctl(&store, &["doctor", "--log-table", "gone"]);
        assert_eq!(sick.code, 6, "{sick:?}");
        assert!(sick.stdout.contains("`flagctl init` creates"), "{sick:?}");
        assert!(!sick.stdout.contains("start the emulator"), "{sick:?}");
    }

    #[test]
    fn a_store_that_is_down_is_reported_soon() {
        let store = TestStore::at("127.0.0.1:1".to_owned());
        let started = std::time::Instant::now();
        for typed in [["doctor"], ["init"]] {
            let output = flagctl(&store, &typed);
            assert_eq!(output.code, 6, "{output:?}");
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(30));
    }
}

async fn an_instance_is_forgotten_and_every_flag_stays(store: TestStore) {
    add_and_revise(&store);
    let rows = store.rows().await;
    let log = store.exposures().await;
    for at in 0..1_200 {
        let id = ["A12345", "A1234", "B#2"][at % 3];
        let spelled = id.replace('#', "%23");
        let key = format!(
            "PROJECT#csr-assistant#FLAGTYPE#feature#FLAGNAME#router#INSTANCEID#{spelled}#REQUESTID#r-{at}#TIME#2026-09-26 10:00:00.000000"
        );
        let cells = Cells::default().with("InstanceID", id);
        let record = Row {
            key: key.into(),
            cells,
        }
        .into();
        log.insert_or_compare(&record).await.unwrap();
    }
    log.close().await;
    let flags = rows.scan(Scan::prefix("")).await.unwrap();
    let forget = [
        "forget",
        "A12345",
        "--project",
        "csr-assistant",
        "-ojson",
        "--yes",
    ];
    let told = json(&done(flagctl(&store, &forget)));
    assert_eq!(
        (&told["exposures"][0]["count"], &told["deleted"]),
        (&400.into(), &true.into())
    );
    let left = store.logged("csr-assistant").await;
    assert_eq!(left.len(), 800);
    assert!(left.iter().all(|record| record.text().instance != "A12345"));
    assert_eq!(rows.scan(Scan::prefix("")).await.unwrap(), flags);
}
