//! `exposures`: what is selected, counted, exported and followed; and the upgrade of an older log.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use flag_model::{
    Bucket, FlagKey, FlagName, FlagType, FlagValue, InstanceId, ProjectName, Reason, Timestamp,
};
use flag_store::{BatchId, CellFormat, Exposure, ExposureBatch, ExposureLog as _};
use flag_store_embedded::EmbeddedLog;

use crate::administering::on_log;
use crate::following::Following;
use crate::*;

/// Exposure n is of instance `A{n % 100}`, in the second n of 2026-11-01, every third in `control`.
fn exposure(number: u32) -> Exposure<'static> {
    let begin = Timestamp::parse("2026-11-01 00:00:00").unwrap();
    Exposure {
        request_id: format!("r-{number}").into(),
        flag: Cow::Owned(FlagKey {
            project: ProjectName::new("csr-assistant").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new(NAME).unwrap(),
        }),
        instance: InstanceId::new(format!("A{}", number % 100)).unwrap(),
        value: Cow::Owned(FlagValue::Boolean(!number.is_multiple_of(3))),
        rollout_group: if number.is_multiple_of(3) {
            "control"
        } else {
            "treatment_1"
        }
        .into(),
        reason: Some(Reason::Rollout),
        bucket: Bucket::new(number),
        revision: Some(begin),
        from_cache: Some(true),
        created: begin.saturating_add(Duration::from_secs(number.into())),
    }
}

async fn append(log: &EmbeddedLog, numbers: std::ops::Range<u32>) {
    let id = BatchId(u128::from(numbers.start) + 1);
    let served: Vec<_> = numbers.map(exposure).collect();
    let batch = ExposureBatch::of(id, CellFormat::Json, &served);
    let appended = log.append(&batch).await;
    assert!(appended.iter().all(Result::is_ok));
}

/// A store with a flag that has this many exposures, the last of them sent by a caller.
fn with_exposures(count: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    on_log(dir.path(), async |log| {
        for start in (0..count - 1).step_by(500) {
            append(log, start..(start + 500).min(count - 1)).await;
        }
        let sent = exposure(count - 1).to_record(CellFormat::Json).unwrap();
        log.insert_or_compare(&sent).await.unwrap();
    });
    dir
}

fn exposures(dir: &TempDir, options: &[&str]) -> Output {
    let output = on_flag(dir, "exposures", options);
    check_done(&output);
    output
}

/// The request ids that a command shows as `-o json`.
fn requests(dir: &TempDir, options: &[&str]) -> Vec<String> {
    let shown = json(&exposures(dir, &[options, &["-o", "json"]].concat()));
    let shown = shown["exposures"].as_array().unwrap().iter();
    shown
        .map(|exposure| exposure["request_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_newest_exposures_come_first() {
    let dir = with_exposures(300);
    let shown = requests(&dir, &[]);
    let expected: Vec<String> = (200..300)
        .rev()
        .map(|number| format!("r-{number}"))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(requests(&dir, &["--limit", "2"]), ["r-299", "r-298"]);
    assert_eq!(requests(&dir, &["--limit", "1000"]).len(), 300);
}

#[test]
fn exposures_are_selected_by_time_group_and_instance() {
    let dir = with_exposures(300);
    let since = [
        "--since",
        "2026-11-01 00:00:10",
        "--until",
        "2026-11-01T00:00:13Z",
    ];
    assert_eq!(requests(&dir, &since), ["r-12", "r-11", "r-10"]);
    let control = [&since[..], &["--group", "control"]].concat();
    assert_eq!(requests(&dir, &control), ["r-12"]);
    assert_eq!(
        requests(&dir, &["--instance", "A7"]),
        ["r-207", "r-107", "r-7"]
    );
    let both = ["--instance", "A7", "--group", "control"];
    assert_eq!(requests(&dir, &both), ["r-207"]);
    let lines = exposures(&dir, &[&control[..], &["-o", "ndjson"]].concat());
    assert_eq!(json(&lines)["request_id"], "r-12");
    assert_eq!(
        requests(&dir, &["--since", "36500d", "--limit", "1"]),
        ["r-299"]
    );
    assert_eq!(requests(&dir, &["--until", "36500d"]), [""; 0]);
    let none = exposures(&dir, &["--group", "nobody"]);
    assert!(
        stderr(&none).starts_with("no logged exposure of "),
        "{}",
        stderr(&none)
    );
    let says = ["--since", "how long ago"];
    check_failed(
        &on_flag(&dir, "exposures", &["--since", "2 fortnights"]),
        2,
        &says,
    );
}

#[test]
fn an_instance_whose_id_is_hashed_is_found_by_its_id() {
    let dir = with_exposures(10);
    let key = "0123456789abcdef0123456789abcdef";
    let id_mode = flag_store::InstanceIdMode::hashed(key.as_bytes()).unwrap();
    let hashed = id_mode.pseudonym(&InstanceId::new("A7").unwrap()).unwrap();
    on_log(dir.path(), async |log| {
        let served = Exposure {
            instance: hashed,
            ..exposure(20)
        };
        let batch = ExposureBatch::of(BatchId(99), CellFormat::Json, [&served]);
        assert!(matches!(log.append(&batch).await[..], [Ok(())]));
    });
    let flag = ["csr-assistant", "feature", NAME];
    let typed = [&["exposures"], &flag[..], &["--instance=A7", "-oname"]].concat();
    let shown = command(dir.path(), &typed)
        .env("FLAG_LOG_INSTANCE_ID", "hashed")
        .env("FLAG_LOG_INSTANCE_ID_KEY", key)
        .output()
        .unwrap();
    check_done(&shown);
    assert_eq!(stdout(&shown).lines().count(), 2, "{}", stdout(&shown));
    assert_eq!(requests(&dir, &["--instance", "A7"]), ["r-7"]);
}

#[test]
fn a_summary_counts_by_revision_and_group() {
    let dir = with_exposures(300);
    let summary = json(&exposures(&dir, &["--summary", "-o", "json"]));
    assert_eq!(summary["exposures"], 300);
    assert_eq!(summary["distinct_instances"], 100);
    assert_eq!(summary["distinct_instances_estimated"], false);
    assert_eq!(summary["first"], "2026-11-01 00:00:00.000000");
    assert_eq!(summary["last"], "2026-11-01 00:04:59.000000");
    let control = &summary["groups"][0];
    assert_eq!(control["rollout_group"], "control");
    assert_eq!(control["revision"], "2026-11-01 00:00:00.000000");
    assert_eq!(control["exposures"], 100);
    assert_eq!(control["last"], "2026-11-01 00:04:57.000000");
    assert_eq!(summary["groups"][1]["exposures"], 200);
    let table = exposures(&dir, &["--summary", "--group", "control"]);
    let lines: Vec<&str> = stdout(&table).lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("REVISION "), "{lines:?}");
    assert!(lines[2].starts_with("all "), "{lines:?}");
    let refused = on_flag(&dir, "exposures", &["--summary", "-o", "csv"]);
    check_failed(&refused, 2, &["every format but ndjson and csv"]);
}

#[test]
fn an_export_has_every_exposure_once() {
    let dir = with_exposures(12_345);
    let ndjson = exposures(&dir, &["-o", "ndjson"]);
    let mut found: Vec<String> = stdout(&ndjson)
        .lines()
        .map(|line| {
            let exposure: Value = serde_json::from_str(line).unwrap();
            exposure["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    found.sort();
    let mut expected: Vec<String> = (0..12_345).map(|number| format!("r-{number}")).collect();
    expected.sort();
    assert_eq!(found, expected);
    let csv = exposures(&dir, &["-o", "csv"]);
    let lines: Vec<&str> = stdout(&csv).split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 12_346);
    assert!(lines[0].starts_with("row_key,request_id,created,"));
    let few = exposures(&dir, &["-o", "csv", "--limit", "2"]);
    let lines: Vec<&str> = stdout(&few).split_terminator("\r\n").collect();
    assert!(lines[1].contains(",r-12344,"), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_export_whose_reader_has_gone_is_no_failure() {
    let dir = with_exposures(12_345);
    let flag = ["exposures", "csr-assistant", "feature", NAME, "-ondjson"];
    let mut child = command(dir.path(), &flag)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    drop(lines);
    assert!(child.wait().unwrap().success());
}

fn follow(dir: &TempDir, options: &[&str]) -> Following {
    let flag = ["exposures", "csr-assistant", "feature", NAME, "--follow"];
    Following::start(dir, &[&flag, options].concat())
}

#[test]
fn what_is_logged_is_followed_once_until_ctrl_c() {
    let dir = with_exposures(10);
    let mut csv = follow(&dir, &["-o", "csv"]);
    // It is written when following has begun.
    assert!(csv.next().starts_with("row_key,"));
    let mut seen = Vec::new();
    on_log(dir.path(), async |log| {
        for start in (1_000..1_050).step_by(10) {
            append(log, start..start + 9).await;
            let sent = exposure(start + 9).to_record(CellFormat::Json).unwrap();
            log.insert_or_compare(&sent).await.unwrap();
        }
    });
    for _ in 0..50 {
        seen.push(csv.next().split(',').nth(1).unwrap().to_owned());
    }
    assert_eq!(csv.interrupt(), [""; 0]);
    seen.sort();
    let expected: Vec<String> = (1_000..1_050).map(|number| format!("r-{number}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_table_and_a_group_can_be_followed() {
    let dir = with_exposures(10);
    let mut table = follow(&dir, &["--group", "control"]);
    // It is written when following has begun.
    let heading = table.next();
    assert!(heading.starts_with("CREATED "), "{heading}");
    on_log(dir.path(), async |log| append(log, 3_000..3_009).await);
    let line = table.next();
    assert!(line.contains(" control "), "{line}");
    let rest = table.interrupt();
    assert!(
        rest.iter().all(|line| line.contains(" control ")),
        "{rest:?}"
    );
    let refused = on_flag(&dir, "exposures", &["--follow", "-o", "json"]);
    check_failed(&refused, 2, &["table, ndjson and csv"]);
}

#[test]
fn a_flag_that_is_not_there_cannot_be_followed() {
    let dir = with_exposures(10);
    let flag = "csr-assistant/feature/multi_step_api_ruter";
    for command in [
        &["exposures", "--follow"][..],
        &["history", "--follow"],
        &["watch"],
    ] {
        let failed = flagctl(&dir, &[command, &[flag]].concat());
        check_failed(&failed, 3, &["multi_step_api_ruter"]);
    }
}

#[test]
fn init_upgrades_what_an_older_release_logged() {
    let dir = with_exposures(3_000);
    let before = exposures(&dir, &["-o", "ndjson"]);
    check_done(&flagctl(&dir, &["init"]));
    let upgraded = json(&flagctl(&dir, &["init", "--upgrade", "-o", "json"]));
    let log = &upgraded["parts"][1];
    assert_eq!(log["state"], "was_there");
    let is = log["is"].as_str().unwrap();
    assert!(
        is.starts_with("exposures copied: 1, left as rows: 0; bytes before: "),
        "{is}"
    );
    let sorted = |output: &Output| {
        let mut lines: Vec<String> = stdout(output).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&exposures(&dir, &["-o", "ndjson"])), sorted(&before));
    let unset = json(&flagctl(&dir, &["init", "-o", "json"]));
    assert_eq!(unset["parts"][1]["is"], Value::Null);
}

/// Cuts what the first block of the log holds, as a failing disk might.
fn damage(dir: &Path) {
    let script = "import sqlite3, sys; log = sqlite3.connect(sys.argv[1]); \
                  log.execute('UPDATE block_data SET data = substr(data, 1, 9) WHERE block = 1'); log.commit()";
    let python = Command::new("python3")
        .args(["-c", script])
        .arg(dir.join("exposures.db"))
        .status();
    assert!(python.unwrap().success());
}

#[test]
fn exposures_that_are_damaged_are_named_and_hide_no_others() {
    let dir = with_exposures(701);
    damage(dir.path());
    let named = format!(
        "500 exposures to csr-assistant/feature/{NAME} of 2026-11-01 00:00:00.000000 to 2026-11-01 00:08:19.000000 \
         cannot be read: "
    );
    let check = |output: &Output, lines: usize| {
        let error = stderr(output);
        assert_eq!(output.status.code(), Some(5), "{error}");
        assert_eq!(error.matches(&named).count(), 1, "{error}");
        assert_eq!(stdout(output).lines().count(), lines, "{error}");
    };
    check(&on_flag(&dir, "exposures", &["-o", "ndjson"]), 201);
    check(&on_flag(&dir, "exposures", &["--limit", "1000"]), 202);
    let newest = ["-o", "csv", "--limit", "1000"];
    check(&on_flag(&dir, "exposures", &newest), 202);
    let summary = on_flag(&dir, "exposures", &["--summary", "-o", "json"]);
    assert_eq!(summary.status.code(), Some(5));
    assert!(stdout(&summary).contains("134"), "{}", stdout(&summary));
    // What does not need the damaged ones is as ever.
    assert_eq!(requests(&dir, &["--limit", "1"]), ["r-700"]);
    assert_eq!(
        requests(&dir, &["--since", "2026-11-01 00:11:40"]),
        ["r-700"]
    );

    let doctor = flagctl(&dir, &["doctor", "csr-assistant", "-o", "json"]);
    let doctor = stdout(&doctor);
    assert!(doctor.contains(&named), "{doctor}");
    assert!(doctor.contains("201 exposures can be read"), "{doctor}");

    let to = TempDir::new().unwrap();
    let from = format!("embedded:{}", dir.path().display());
    let target = format!("embedded:{}", to.path().display());
    let ends = ["--from", &from, "--to", &target];
    let copy = [
        &["copy", "csr-assistant"],
        &ends[..],
        &["--exposures", "--yes"],
    ]
    .concat();
    let copied = flagctl(&dir, &copy);
    assert_eq!(copied.status.code(), Some(9), "{}", stderr(&copied));
    assert!(stderr(&copied).contains(&named), "{}", stderr(&copied));
    assert_eq!(requests(&to, &["--limit", "1000"]).len(), 201);
}
