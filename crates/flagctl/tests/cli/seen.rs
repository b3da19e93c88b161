//! Which instances that were seen a change would move.

use std::borrow::Cow;

use flag_model::{Bucket, FlagValue, InstanceId, Reason};
use flag_store::{
    BatchId, CellFormat, CountKey, CountsWriterId, Exposure, ExposureBatch, ExposureLog as _,
    Minute, MinuteCounts,
};

use super::*;
use crate::administering::on_log;

/// An instance in the log of a service that hashes ids.
const HASHED: &str = "0f5a3bd36c7e1e0bd9d9a0e3ac1d3ab2e1f0e4ddc5a9e7f3c2b1a0f9e8d7c6b5";

/// A flag with 50 % and an override for `A1`, seen by these instances an hour ago.
fn seen(instances: &[&str]) -> TempDir {
    let dir = unseen();
    see(&dir, instances, Duration::from_hours(1));
    dir
}

/// The flag, before anybody sees it.
fn unseen() -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(&dir, "--control false --percent 50 --override A1"));
    dir
}

fn see(dir: &TempDir, instances: &[&str], ago: Duration) {
    let created = SystemClock.now().saturating_sub(ago);
    let exposures: Vec<Exposure<'_>> = (instances.iter().enumerate())
        .map(|(number, instance)| Exposure {
            request_id: format!("r-{number}").into(),
            flag: Cow::Owned(format!("csr-assistant/feature/{NAME}").parse().unwrap()),
            instance: InstanceId::new(*instance).unwrap(),
            value: Cow::Owned(FlagValue::Boolean(false)),
            rollout_group: "control".into(),
            reason: Some(Reason::Control),
            bucket: (*instance != HASHED).then(|| Bucket::new(99_000)).flatten(),
            revision: None,
            from_cache: Some(true),
            created,
        })
        .collect();
    on_log(dir.path(), async |log| {
        let batch = ExposureBatch::of(BatchId(7), CellFormat::Json, &exposures);
        let written = log.append(&batch).await;
        assert!(written.iter().all(Result::is_ok));
    });
}

/// Counts exposures of the flag, served so long ago.
fn count(dir: &TempDir, exposures: u64, ago: Duration) {
    let flag = format!("csr-assistant/feature/{NAME}").parse().unwrap();
    let minute = Minute::of(SystemClock.now().saturating_sub(ago));
    let mut counts = MinuteCounts::new(flag, minute);
    counts.add(&CountKey::Others, exposures);
    on_log(dir.path(), async |log| {
        log.write_counts(CountsWriterId(1), &[counts])
            .await
            .unwrap();
    });
}

#[track_caller]
fn check_said(output: &Output, code: i32, says: &[&str]) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for says in says {
        assert!(stderr.contains(says), "{says}: {stderr}");
    }
}

/// Whether an instance gets the treatment.
fn is_treated(dir: &TempDir, instance: &str) -> bool {
    let explained = on_flag(dir, "explain", &[instance, "-o", "json"]);
    json(&explained)["value"] == true
}

fn revisions(dir: &TempDir) -> usize {
    let names = on_flag(dir, "history", &["-o", "name"]);
    stdout(&names).lines().count()
}

#[test]
fn a_preview_counts_each_instance_once() {
    let instances: Vec<String> = (0..100).map(|number| format!("A{number}")).collect();
    let twice: Vec<&str> = instances
        .iter()
        .chain(&instances)
        .map(String::as_str)
        .collect();
    let dir = seen(&twice);
    let treated = instances.iter().filter(|id| is_treated(&dir, id)).count();
    let killed = on_flag(&dir, "kill", &["--overrides", "--dry-run"]);
    let line = format!(
        "instances seen in 7 d: 100; {treated} move, {} stay",
        100 - treated
    );
    let moves = format!("  {treated} from true to false, 1 of them by an override");
    check_said(&killed, 0, &[&line, &moves]);
    let none = on_flag(&dir, "kill", &["--overrides", "--dry-run", "--seen", "off"]);
    assert!(
        !stderr(&none).contains("instances seen"),
        "{}",
        stderr(&none)
    );
    let short = on_flag(&dir, "kill", &["--overrides", "--dry-run", "--seen", "30m"]);
    check_said(&short, 0, &["instances seen in 30 m: 0; 0 move, 0 stay"]);
}

#[test]
fn instances_that_move_are_listed() {
    let dir = seen(&["A1", "B2", "C\t3", "D4", "E5", "F6"]);
    let treated: Vec<&str> = ["A1", "B2", "C\t3", "D4", "E5", "F6"]
        .into_iter()
        .filter(|id| is_treated(&dir, id))
        .collect();
    let path = dir.path().join("moved.ndjson");
    let list = path.to_str().unwrap();
    check_done(&on_flag(&dir, "kill", &["--overrides", "--list-ids", list]));
    let lines = std::fs::read_to_string(&path).unwrap();
    let mut ids = Vec::new();
    for line in lines.lines() {
        let moved: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&moved["from"], &moved["to"]),
            (&true.into(), &false.into())
        );
        assert_eq!(moved["by_override"], moved["instance_id"] == "A1");
        ids.push(moved["instance_id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    assert_eq!(ids, treated);
}

#[test]
fn a_change_that_moves_too_many_is_refused() {
    let instances: Vec<String> = (0..40).map(|number| format!("A{number}")).collect();
    let instances: Vec<&str> = instances.iter().map(String::as_str).collect();
    let dir = seen(&instances);
    let treated = instances.iter().filter(|id| is_treated(&dir, id)).count();
    let kill = |max: &str| on_flag(&dir, "kill", &["--overrides", "--at-most", max]);
    let too_many = kill(&(treated - 1).to_string());
    let says = format!("{treated} of 40 instances seen would move, more than --at-most");
    check_said(&too_many, 4, &["instances seen in 7 d: 40", &says]);
    check_said(
        &kill("5%"),
        4,
        &["more than --at-most 5%; nothing was written"],
    );
    assert_eq!(revisions(&dir), 1);
    check_done(&kill(&treated.to_string()));
    assert_eq!(revisions(&dir), 2);
}

#[test]
fn hashed_instances_and_missing_exposures_are_named() {
    let dir = seen(&["A1", HASHED]);
    let killed = on_flag(&dir, "kill", &["--overrides", "--dry-run"]);
    let says = [
        "instances seen in 7 d: 2; 1 move, 0 stay",
        "warning: of 1 only a hash is logged, so it is not known whether they move",
    ];
    check_said(&killed, 0, &says);
    // What is not known may move.
    let max = on_flag(&dir, "kill", &["--overrides", "--at-most", "1"]);
    check_said(&max, 4, &["2 of 2 instances seen may move"]);
    count(&dir, 12, Duration::from_hours(2));
    let says = "warning: 10 exposures were counted in that time and are not in the log";
    check_said(
        &on_flag(&dir, "kill", &["--overrides", "--dry-run"]),
        0,
        &[says],
    );
}

#[test]
fn exposures_that_are_missing_may_move() {
    let dir = seen(&["A1", "A2"]);
    count(&dir, 12, Duration::from_hours(2));
    let kill = |most: &str| on_flag(&dir, "kill", &["--overrides", "--at-most", most]);
    let says = "as the log lacks 10 exposures of that time";
    check_said(&kill("9"), 4, &[says]);
    check_said(&kill("80%"), 4, &[says]);
    assert_eq!(revisions(&dir), 1);
    check_done(&kill("12"));
}

#[test]
fn what_a_service_counts_meanwhile_is_not_missing() {
    let dir = seen(&["A1"]);
    count(&dir, 500, Duration::from_mins(1));
    let killed = on_flag(&dir, "kill", &["--overrides", "--at-most", "1"]);
    let says = stderr(&killed);
    assert!(
        killed.status.success() && !says.contains("counted"),
        "{says}"
    );
}

#[test]
fn what_is_logged_lately_does_not_make_up_for_what_is_missing() {
    let dir = unseen();
    see(&dir, &["A1", "B2", "C3"], Duration::ZERO);
    count(&dir, 2, Duration::from_hours(2));
    let killed = on_flag(&dir, "kill", &["--overrides", "--dry-run"]);
    let says = "warning: 2 exposures were counted in that time and are not in the log";
    check_said(&killed, 0, &["instances seen in 7 d: 3;", says]);
}

#[test]
fn a_limit_needs_an_exposure() {
    let dir = unseen();
    let kill = |most: &str| on_flag(&dir, "kill", &["--overrides", "--at-most", most]);
    for most in ["1", "99%"] {
        check_said(&kill(most), 4, &["as none was seen in 7 d"]);
    }
    assert_eq!(revisions(&dir), 1);
    // Nothing changes for any instance.
    let comment = ["-m", "only a comment", "--at-most", "0"];
    check_done(&on_flag(&dir, "revise", &comment));
    check_done(&kill("100%"));
}

#[test]
fn a_preview_says_that_the_log_cannot_be_read() {
    let dir = seen(&["A1"]);
    let [_, log] = EmbeddedStore::files(dir.path());
    std::fs::write(log, "no database").unwrap();
    let killed = on_flag(&dir, "kill", &["--overrides", "--dry-run"]);
    let says =
        "instances seen: not counted, as the exposure log cannot be read; --seen 7d says why";
    check_said(&killed, 0, &[says]);
}

#[test]
fn a_propagation_that_cannot_be_read_says_that_the_revision_is_written() {
    let dir = seen(&["A1"]);
    let [_, log] = EmbeddedStore::files(dir.path());
    std::fs::write(log, "no database").unwrap();
    let killed = on_flag(&dir, "kill", &["--overrides", "--wait=1s"]);
    let says = "error: written, but it is not known who serves it";
    check_said(&killed, 8, &[says, "caused by: "]);
    assert_eq!(revisions(&dir), 2);
}

#[test]
fn a_limit_needs_the_log() {
    let dir = seen(&["A1"]);
    let off = on_flag(&dir, "kill", &["--at-most", "1", "--seen", "off"]);
    check_said(&off, 2, &["--list-ids and --at-most need the exposure log"]);
    assert_eq!(revisions(&dir), 1);
}

#[test]
fn every_command_that_writes_a_revision_says_who_moves() {
    let dir = seen(&["A1", "B2"]);
    let line = "instances seen in 7 d: 2;";
    let revised = on_flag(&dir, "revise", &["--percent=10", "-m", "x", "--dry-run"]);
    check_said(&revised, 0, &[line]);
    check_done(&on_flag(&dir, "revise", &["--percent=20", "-m", "x"]));
    check_said(&on_flag(&dir, "rollback", &["--dry-run"]), 0, &[line]);
    let restored = ["restore", "csr-assistant", "--at=now", "--dry-run"];
    check_done(&flagctl(&dir, &restored));
    let retired = on_flag(
        &dir,
        "retire",
        &["--value=false", "-m", "x", "--yes", "--seen=7d"],
    );
    check_said(&retired, 0, &[line]);
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    let exported = stdout(&exported);
    let path = dir.path().join("flags.yaml");
    std::fs::write(&path, exported.replace("control: false", "control: true")).unwrap();
    let applied = ["apply", "-f", path.to_str().unwrap(), "--dry-run"];
    check_said(&flagctl(&dir, &applied), 0, &[line]);
}
