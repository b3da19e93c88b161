//! `init` and `doctor`: what is made, and what is found.

use std::sync::Arc;

use flag_model::ProjectName;
use flag_store::conformance::put;
use flag_store::{Cells, ExposureLog as _, ExposureScope, Scan, TimeRange};
use flag_store_embedded::EmbeddedLog;

use crate::world::{MADE, Stage, world};
use crate::*;

/// The checks that a doctor made, each as status, what was looked at, and what was found.
fn doctor(dir: &Path, args: &[&str], code: i32) -> Vec<(String, String, String)> {
    let output = command(dir, &[&["doctor", "-o", "json"], args].concat())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    let checks = found["checks"].as_array().unwrap().iter();
    checks
        .map(|check| {
            (
                text(check, "status"),
                text(check, "check"),
                text(check, "found"),
            )
        })
        .collect()
}

/// What is wrong, without what is fine.
fn problems(checks: &[(String, String, String)]) -> Vec<String> {
    let wrong = checks.iter().filter(|(status, ..)| status != "ok");
    wrong
        .map(|(status, check, found)| format!("{status} {check}: {found}"))
        .collect()
}

/// All rows of the flags of a store.
pub(crate) fn rows(dir: &Path) -> Vec<Row> {
    on_store(dir, async |store| {
        store.scan(Scan::prefix("")).await.unwrap()
    })
}

/// All rows of its exposure log.
pub(crate) fn logged(dir: &Path) -> Vec<Row> {
    on_log(dir, async |log| {
        let project = ProjectName::new("csr-assistant").unwrap();
        let of = ExposureScope::Project(&project);
        let page = log.page(of, TimeRange::ALL, None, 10_000).await.unwrap();
        let records = page.records.iter();
        let mut rows: Vec<Row> = records.map(|record| record.row().clone()).collect();
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        rows
    })
}

/// Does something to the flags of a store.
pub(crate) fn on_store<T>(dir: &Path, work: impl AsyncFnOnce(&Arc<EmbeddedStore>) -> T) -> T {
    on_both(dir, async |store, _| work(store).await)
}

/// Does something to the exposure log of a store.
pub(crate) fn on_log<T>(dir: &Path, work: impl AsyncFnOnce(&EmbeddedLog) -> T) -> T {
    on_both(dir, async |_, log| work(log).await)
}

fn on_both<T>(dir: &Path, work: impl AsyncFnOnce(&Arc<EmbeddedStore>, &EmbeddedLog) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open(dir).unwrap());
        let log = EmbeddedLog::open(dir).unwrap();
        let done = work(&store, &log).await;
        log.rows().close().await;
        store.close().await;
        done
    })
}

/// Writes a row over whatever is there.
pub(crate) fn write(dir: &Path, row: Row) {
    on_store(dir, async |store| put(store, &[row]).await);
}

#[test]
fn init_makes_what_is_missing_and_says_what_is_there() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let init = || command(&data, &["init", "-o", "json"]).output().unwrap();
    let states = |output: &Output| {
        let parts = json(output)["parts"].take();
        let parts = parts.as_array().unwrap().iter();
        parts
            .map(|part| part["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = init();
    assert_eq!(states(&first), ["created", "created"]);
    let part = &json(&first)["parts"][0];
    assert_eq!(
        (part.get("is"), part.get("advice")),
        (Some(&Value::Null), Some(&Value::Null))
    );
    let says =
        "the service removes exposures from the embedded store after FLAG_EXPOSURE_RETENTION_DAYS";
    assert!(stderr(&first).contains(says), "{}", stderr(&first));
    assert_eq!(states(&init()), ["was_there", "was_there"]);
    std::fs::remove_file(data.join("exposures.db")).unwrap();
    assert_eq!(states(&init()), ["was_there", "created"]);
    let days = command(&data, &["init", "--log-retention-days", "0"]).output();
    check_failed(&days.unwrap(), 2, &["--log-retention-days"]);
}

#[test]
fn init_changes_no_data() {
    let dir = with_revision();
    let before = rows(dir.path());
    let init = flagctl(&dir, &["init", "--log-retention-days", "7"]);
    check_done(&init);
    assert!(stdout(&init).starts_with("there already  file "));
    assert_eq!(rows(dir.path()), before);
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking_at_it() {
    let dir = TempDir::new().unwrap();
    let nowhere = dir.path().join("nowhere");
    let found = problems(&doctor(&nowhere, &[], 6));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`flagctl init` creates it"), "{found:?}");
    assert!(!nowhere.exists());
}

#[test]
fn a_doctor_tells_settings_with_their_origin() {
    let dir = with_revision();
    let found = doctor(dir.path(), &[], 0);
    let told = |check: &str| {
        let found = found.iter().find(|(_, subject, _)| subject == check);
        found.unwrap().2.clone()
    };
    assert_eq!(told("setting store"), "embedded (default)");
    let data_dir = format!("{} (variable FLAG_DATA_DIR)", dir.path().display());
    assert_eq!(told("setting data-dir"), data_dir);
    assert!(told("store").starts_with("answered in "));
    let rows = "1 flag, 1 metadata row and 1 revision can be read";
    assert_eq!(told("rows of csr-assistant"), rows);
    assert_eq!(problems(&found), [""; 0]);
}

#[test]
fn a_store_without_flags_and_a_variable_without_a_setting_are_warnings() {
    let dir = TempDir::new().unwrap();
    check_done(&flagctl(&dir, &["init"]));
    let found = command(dir.path(), &["doctor"])
        .env("FLAG_DATADIR", "/elsewhere")
        .output()
        .unwrap();
    check_done(&found);
    for warning in [
        "no setting has this variable",
        "no project has rows: is this the right store?",
    ] {
        assert!(stdout(&found).contains(warning), "{}", stdout(&found));
    }
}

#[test]
fn the_creation_of_a_store_is_reported() {
    let dir = TempDir::new().unwrap();
    let added = add(&dir);
    check_done(&added);
    assert!(
        stderr(&added).contains("this creates it"),
        "{}",
        stderr(&added)
    );
    assert!(!stderr(&revise(&dir, "--control false --comment x")).contains("this creates it"));
}

/// A file that was lost is no new store, for nobody but `init`.
#[test]
fn a_file_that_was_lost_is_named_until_init_makes_a_new_one() {
    for (name, lose) in [
        ("flags.db", "empty"),
        ("flags.db", "gone"),
        ("exposures.db", "empty"),
        ("exposures.db", "gone"),
    ] {
        let dir = with_revision();
        let file = dir.path().join(name);
        match lose {
            "empty" => std::fs::write(&file, "").unwrap(),
            _ => std::fs::remove_file(&file).unwrap(),
        }
        let says = [
            file.to_str().unwrap(),
            lose,
            "flagctl restore-backup",
            "flagctl init",
        ];
        let look = ["exposures", "csr-assistant", "feature", NAME];
        check_failed(&flagctl(&dir, &look), 6, &says);
        let found = doctor(dir.path(), &[], 6);
        let store = found.iter().find(|(_, check, _)| check == "store");
        let (status, _, found) = store.unwrap();
        assert!(
            status == "failed" && says.iter().all(|part| found.contains(part)),
            "{found}"
        );
        if name == "flags.db" {
            check_failed(&flagctl(&dir, &["list", "csr-assistant"]), 6, &says);
            check_failed(&add(&dir), 6, &says);
        } else {
            check_done(&flagctl(&dir, &["list", "csr-assistant"]));
            check_done(&revise(&dir, "--percent 10"));
        }
        assert_eq!(file.metadata().map_or(0, |file| file.len()), 0);
        let parts = json(&flagctl(&dir, &["init", "-ojson"]))["parts"].take();
        for part in parts.as_array().unwrap() {
            let is_this = part["name"].as_str().unwrap().ends_with(name);
            let state = if is_this { "created" } else { "was_there" };
            assert_eq!(part["state"], state, "{part}");
            assert_eq!(part["is"] == "was empty", is_this && lose == "empty");
        }
        doctor(dir.path(), &[], 0);
    }
}

#[test]
fn a_log_that_is_left_of_a_store_is_to_be_moved_away_first() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("flags.db-wal");
    std::fs::write(&log, "left").unwrap();
    let says = [log.to_str().unwrap(), "move it away, then `flagctl "];
    for args in [&["list", "csr-assistant"][..], &["export", "csr-assistant"]] {
        check_failed(&flagctl(&dir, args), 6, &says);
    }
    check_failed(&add(&dir), 6, &says);
    check_failed(
        &flagctl(&dir, &["init"]),
        6,
        &[log.to_str().unwrap(), "move it away"],
    );
}

#[test]
fn a_damaged_row_is_named_and_a_backup_is_advised() {
    let dir = with_revision();
    let file = dir.path().join("flags.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // A cell begins with the length of its column.
    let cell = b"\x00\x07Comment";
    let at = bytes.windows(cell.len()).position(|found| found == cell);
    bytes[at.unwrap()] = 0xff;
    std::fs::write(&file, bytes).unwrap();
    let output = command(dir.path(), &["doctor", "-ojson"]).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = found["checks"].as_array().unwrap().last().unwrap();
    let found = failed["found"].as_str().unwrap();
    let named = |part: &str| found.contains(part);
    assert!(
        named("row PROJECT#csr-assistant#ROWTYPE#REVISION#") && named("is damaged"),
        "{found}"
    );
    let advice = failed["advice"].as_str().unwrap();
    assert!(
        advice.starts_with("`flagctl restore-backup DIR --replace`"),
        "{advice}"
    );
}

#[test]
fn rows_that_cannot_be_read_are_named() {
    let dir = TempDir::new().unwrap();
    leave_behind(&dir, "2024-09-25 19:15:28.248896", "[{");
    leave_behind(&dir, "2024-09-26 08:00:00", "[]");
    let found = problems(&doctor(dir.path(), &[], 0));
    let row = "warning row: row PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature\
               #FLAGNAME#multi_step_api_router#TIME#2024-09-25 19:15:28.248896, column Treatments: ";
    assert!(found[0].starts_with(row), "{found:?}");
    leave_behind(&dir, "2024-09-27 08:00:00", "[{'PercentRollout': 140}]");
    let found = problems(&doctor(dir.path(), &["csr-assistant"], 5));
    assert_eq!(found.len(), 3, "{found:?}");
    let summary = "failed rows of csr-assistant: 1 row in force cannot be read; 1 flag, ";
    assert!(found[0].starts_with(summary), "{found:?}");
    assert!(found[2].contains("TIME#2024-09-27 08:00:00, column Treatments: "));
    assert!(found[2].contains("140 is invalid"));
    let text = flagctl(&dir, &["doctor"]);
    assert_eq!(text.status.code(), Some(5));
    assert_eq!(stderr(&text), "");
    let failed = |line: &&str| {
        line.starts_with("failed   Treatments  Rollout percentage: 140 is invalid.")
            && line.ends_with("#TIME#2024-09-27 08:00:00")
    };
    let lines: Vec<&str> = stdout(&text).lines().collect();
    assert_eq!(lines.iter().copied().filter(failed).count(), 1, "{lines:?}");
    let table = lines
        .iter()
        .position(|line| line.starts_with("STATUS   COLUMN"))
        .unwrap();
    assert_eq!(lines[table + 3], "");
    let wide = |line: &&str| line.chars().count() > 100;
    assert!(!lines[..table].iter().any(wide), "{lines:?}");
    check_advised(&dir, &lines[table + 4..]);
}

/// Whatever failed has its advice, in every form, and its own name.
#[track_caller]
fn check_advised(dir: &TempDir, said: &[&str]) {
    assert_eq!(said[0], "What to do:");
    let rollback = format!("  `flagctl rollback csr-assistant feature {NAME}` takes");
    assert!(
        said.iter().any(|line| line.starts_with(&rollback)),
        "{said:?}"
    );
    let data = command(dir.path(), &["doctor", "-ojson"]).output().unwrap();
    let data: Value = serde_json::from_slice(&data.stdout).unwrap();
    for check in data["checks"].as_array().unwrap() {
        assert_eq!(
            check["advice"].is_string(),
            check["status"] == "failed",
            "{check}"
        );
    }
    let names = command(dir.path(), &["doctor", "-oname"]).output().unwrap();
    let row = format!("FLAGNAME#{NAME}#TIME#2024-09-27 08:00:00");
    let names: Vec<&str> = stdout(&names).lines().collect();
    assert_eq!(names[0], "rows of csr-assistant");
    assert!(
        names[1].starts_with("PROJECT#csr-assistant#") && names[1].ends_with(&row),
        "{names:?}"
    );
    assert_eq!(names.len(), 2);
}

#[test]
fn exposures_that_cannot_be_read_are_named() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    let fine = doctor(&store, &["csr-assistant"], 0);
    let says = (
        "exposures of csr-assistant",
        "2 exposures can be read; all were checked",
    );
    assert!(
        fine.iter()
            .any(|(_, check, found)| (check.as_str(), found.as_str()) == says)
    );
    let mut broken = logged(&store).remove(0);
    broken.cells.set("Bucket", "many");
    broken.cells.set("RequestID", "another");
    let key = String::from_utf8(broken.key).unwrap();
    let key = key.replace("request-of-6", "another");
    broken.key = key.clone().into();
    on_log(&store, async |log| {
        log.insert_or_compare(&broken.into()).await.unwrap();
    });
    let found = problems(&doctor(&store, &[], 0));
    let says = format!(
        "warning exposure: row {key}, column Bucket: found \"many\", expected a number from 0 to 99999; \
         nothing is served from it"
    );
    assert_eq!(found.last(), Some(&says), "{found:?}");
}

#[test]
fn flags_that_should_be_gone_and_rows_of_nobody_are_a_warning() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    let mut metadata = rows(dir.path()).remove(0);
    metadata.cells.set("ExpiresOn", "2020-01-01");
    write(dir.path(), metadata);
    write(
        dir.path(),
        Row {
            key: b"PROJECT#a%b#ROWTYPE#FLAG".to_vec(),
            cells: Cells::default().with("Name", "x"),
        },
    );
    let found = problems(&doctor(dir.path(), &[], 0));
    let stranger = "warning row: PROJECT#a%b#ROWTYPE#FLAG belongs to no project";
    assert!(found[0].starts_with(stranger), "{found:?}");
    let expired = "warning flag csr-assistant/feature/multi_step_api_router: \
                   should have been removed by 2020-01-01; it is still served";
    assert_eq!(found[1], expired);
}

#[test]
fn a_project_that_is_asked_for_and_has_no_rows_fails() {
    let dir = with_revision();
    let found = problems(&doctor(dir.path(), &["other"], 3));
    assert_eq!(found, ["failed rows of other: there are none"]);
    check_failed(&flagctl(&dir, &["doctor", "a#b"]), 5, &["project name"]);
}

#[test]
fn what_writes_nothing_makes_no_store() {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join("store");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let flags = |name: &str| {
        format!(
            "file_version: 1\nproject: p\nflags:\n- flag_type: feature\n  name: {name}\n  metadata:\n    description: x\n"
        )
    };
    let odd = file("odd.yaml", &flags("Odd Name"));
    let good = file("good.yaml", &flags("good"));
    let config = file(
        "run-config.json",
        r#"{"row_key_prefix_PROJECT": "p", "row_key_prefix_ROWTYPE": "FLAG", "row_key_prefix_FLAGTYPE": "feature", "row_key_prefix_FLAGNAME": "f", "row_cell_value": {"Name": "f", "Type": "FEATURE", "Description": "x"}, "add_new_feature_flag": true}"#,
    );
    let add = ["add", "p", "feature", "f", "--description=x"];
    for (args, code) in [
        ([&add[..], &["--tag=a\nb"]].concat(), 5),
        ([&add[..], &["--dry-run"]].concat(), 0),
        (
            vec!["add", "p", "feature", "Odd Name", "--description=x"],
            5,
        ),
        (vec!["apply", "-f", &odd], 5),
        (vec!["apply", "-f", &good, "--check"], 7),
        (vec!["apply", "-f", &good, "--dry-run"], 0),
        (vec!["run-config", "-f", &config, "--dry-run"], 0),
    ] {
        let output = command(&store, &args).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?} {}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains("created the "), "{args:?}");
        assert!(!store.exists(), "{args:?}");
    }
    for args in [
        vec!["apply", "-f", &good],
        vec!["add", "p", "feature", "f", "--description=x"],
    ] {
        check_done(&command(&store, &args).output().unwrap());
    }
}

/// The service has the log open all the time, and logs; somebody cuts what lies beside it.
#[test]
fn what_is_wrong_with_the_exposures_is_no_matter_to_flags() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    let other = TempDir::new().unwrap();
    let to = format!("--to=embedded:{}", other.path().display());
    let from = format!("--from=embedded:{}", store.display());
    let flag = ["csr-assistant", "feature", NAME];
    let revise = [&["revise", "--comment=x", "--percent=7"], &flag[..]].concat();
    on_log(&store, async |log| {
        let row = left_behind(MADE[0], "[]");
        log.insert_or_compare(&row.into()).await.unwrap();
        std::fs::write(store.join("exposures.db-wal"), "").unwrap();
        for args in [
            &revise[..],
            &["list", "csr-assistant"],
            &["copy", "csr-assistant", &from, &to],
        ] {
            check_done(&command(&store, args).output().unwrap());
        }
        let found = problems(&doctor(&store, &[], 6));
        let failed: Vec<&String> = found
            .iter()
            .filter(|line| line.starts_with("failed"))
            .collect();
        assert_eq!(failed.len(), 1, "{found:?}");
        assert!(failed[0].contains("exposures.db"), "{found:?}");
    });
}

/// Users of the Python framework have its variables set.
#[test]
fn bigtable_that_nobody_has_asked_for_is_reported_with_what_names_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagctl"));
    let variables = [
        ("USER", "ann"),
        ("PROJECT_ID", "p"),
        ("INSTANCE_ID", "i"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere"),
    ];
    let listed = command
        .env_clear()
        .envs(variables)
        .args(["list", "p"])
        .output();
    let says = [
        "because bigtable-instance is set: variable INSTANCE_ID",
        "--store embedded",
        "GOOGLE_APPLICATION_CREDENTIALS is \"/nowhere\", which cannot be read",
    ];
    check_failed(&listed.unwrap(), 6, &says);
}
