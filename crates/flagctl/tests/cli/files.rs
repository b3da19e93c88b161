//! `export` and `apply`: flags as a file, and back.

use crate::world::{Stage, world};
use crate::*;

/// A store whose flag has treatments with buckets in several pieces, and another flag.
fn with_flags() -> TempDir {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    for options in [
        "--control false --percent 10 --override A12345",
        "--treatment new --percent 5 --value true --treatment-name blue",
        "--treatment 1 --percent 20.5",
    ] {
        check_done(&revise(&dir, options));
    }
    let greeting = ["csr-assistant", "data", "greeting"];
    let added = [
        "--description",
        "How to greet: 'x'",
        "--tag",
        "a",
        "--expires-on",
        "2027-01-31",
    ];
    check_done(&flagctl(&dir, &[&["add"], &greeting[..], &added].concat()));
    let revised = ["--control", "no", "--comment", "why"];
    check_done(&flagctl(
        &dir,
        &[&["revise"], &greeting[..], &revised].concat(),
    ));
    dir
}

pub(super) fn export(dir: &TempDir, form: &str) -> String {
    let output = flagctl(dir, &["export", "csr-assistant", "-o", form]);
    check_done(&output);
    stdout(&output).to_owned()
}

/// A file in YAML without the times of the rows that it was exported from.
fn without_times(file: &str) -> String {
    let is_time = |line: &&str| {
        ["  exported_from:", "    metadata:", "    revision:"]
            .iter()
            .any(|field| line.starts_with(field))
    };
    let lines = file.lines().filter(|line| !is_time(line));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Writes a file and applies it.
pub(super) fn apply(dir: &TempDir, text: &str, options: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("flags.yaml");
    std::fs::write(&path, text).unwrap();
    let args = ["apply", "-f", path.to_str().unwrap()];
    flagctl(dir, &[&args, options].concat())
}

/// Value, rollout group and bucket of instances, of which one is in an override list.
fn decisions(dir: &TempDir, flag_type: &str, name: &str) -> Vec<(Value, Value, Value)> {
    let explain = |instance: usize| {
        let instance = format!("A{instance}");
        let args = [
            "explain",
            "csr-assistant",
            flag_type,
            name,
            &instance,
            "-o",
            "json",
        ];
        let found = json(&flagctl(dir, &args));
        let field = |field: &str| found[field].clone();
        (field("value"), field("rollout_group"), field("bucket"))
    };
    (12_300..12_400).map(explain).collect()
}

/// The flags of a file, in YAML or JSON, without the times of the rows that they were exported from.
pub(super) fn content(file: &str) -> Value {
    let mut content: Value = serde_saphyr::from_str(file).unwrap();
    for flag in content["flags"].as_array_mut().unwrap() {
        let times = flag.as_object_mut().unwrap().remove("exported_from");
        assert!(times.unwrap()["metadata"].is_string());
    }
    content
}

#[test]
fn what_is_exported_and_applied_elsewhere_decides_alike() {
    let here = with_flags();
    let decided = decisions(&here, "feature", NAME);
    let greeted = decisions(&here, "data", "greeting");
    for form in ["yaml", "json"] {
        let file = export(&here, form);
        let there = TempDir::new().unwrap();
        let applied = apply(&there, &file, &["-o", "json"]);
        assert_eq!(json(&applied)["changed"].as_array().unwrap().len(), 2);
        assert_eq!(decisions(&there, "feature", NAME), decided);
        assert_eq!(decisions(&there, "data", "greeting"), greeted);
        let contents = [export(&there, form), file].map(|file| content(&file));
        assert_eq!(contents[0], contents[1]);
    }
}

#[test]
fn a_file_is_what_a_person_reviews() {
    let file = export(&with_flags(), "yaml");
    let expected = "\
file_version: 1
project: csr-assistant
flags:
- flag_type: feature
  name: multi_step_api_router
  metadata:
    description: Multi-step API router
    owner: ann
  revision:
    format_version: 2
    hash_algorithm: md5
    salt: multi_step_api_router
    control: false
    treatments:
    - percent: 20.5
      value: true
      overrides:
      - A12345
      ranges: [[0, 10000], [15000, 25500]]
    - name: blue
      percent: 5
      value: true
      ranges: [[10000, 15000]]
- flag_type: data
  name: greeting
  metadata:
    description: \"How to greet: 'x'\"
    owner: ann
    tags:
    - a
    expires_on: \"2027-01-31\"
  revision:
    format_version: 2
    hash_algorithm: md5
    salt: greeting
    control: \"no\"
    treatments: []
";
    assert_eq!(without_times(&file), expected);
    let from = "  exported_from:\n    metadata: \"20";
    assert_eq!(file.matches(from).count(), 2, "{file}");
}

#[test]
fn applying_appends_only_what_differs() {
    let dir = with_flags();
    let file = export(&dir, "yaml");
    let unchanged = apply(&dir, &file, &[]);
    check_done(&unchanged);
    assert_eq!(stdout(&unchanged), "flags: 0 to change, 2 as in the file\n");
    let changed = file.replace("percent: 20.5", "percent: 21");
    let applied = apply(&dir, &changed, &["--comment", "CSR-12", "-o", "json"]);
    let applied = json(&applied);
    assert_eq!(
        (&applied["written"], &applied["unchanged"]),
        (&true.into(), &1.into())
    );
    let flag = &applied["changed"][0];
    assert_eq!(
        (&flag["metadata"], &flag["revision"]),
        (&false.into(), &true.into())
    );
    let history = json(&on_flag(&dir, "history", &["-o", "json"]))["revisions"].take();
    assert_eq!(
        (history.as_array().unwrap().len(), &history[0]["comment"]),
        (4, &"CSR-12".into())
    );
    let ranges = serde_json::json!([[0, 10_000], [15_000, 26_000]]);
    assert_eq!(history[0]["treatments"][0]["ranges"], ranges);
    check_done(&apply(&dir, &changed, &["--check"]));
    let described = changed.replace("Multi-step API router", "Routes");
    check_done(&apply(&dir, &described, &[]));
    let got = json(&on_flag(&dir, "get", &["-o", "json"]));
    assert_eq!(got["metadata"]["description"], "Routes");
    assert_eq!(got["revision"]["created"], history[0]["created"]);
}

#[test]
fn a_check_tells_drift_and_writes_nothing() {
    let dir = with_flags();
    let file = export(&dir, "yaml").replace("percent: 20.5", "percent: 50");
    let check = apply(&dir, &file, &["--check"]);
    assert_eq!((check.status.code(), stderr(&check)), (Some(7), ""));
    for part in [
        "csr-assistant/feature/multi_step_api_router\n",
        "20.5 % true  50 % true",
        "flags: 1 to change, 1 as in the file\n",
    ] {
        assert!(stdout(&check).contains(part), "{}", stdout(&check));
    }
    let dry = apply(&dir, &file, &["--dry-run", "-o", "json"]);
    assert_eq!(json(&dry)["written"], false);
    let history = json(&on_flag(&dir, "history", &["-o", "json"]));
    assert_eq!(history["revisions"].as_array().unwrap().len(), 3);
}

#[test]
fn flags_that_the_file_does_not_name_are_left_alone_and_told() {
    let dir = with_flags();
    let file = export(&dir, "yaml");
    let (file, _) = file.split_once("- flag_type: data").unwrap();
    let check = apply(&dir, file, &["--check"]);
    check_done(&check);
    let told = "not in the file, not changed: csr-assistant/data/greeting\n";
    assert!(stdout(&check).ends_with(told), "{}", stdout(&check));
    assert!(export(&dir, "yaml").contains("greeting"));
}

#[test]
fn what_gives_everybody_a_new_bucket_wants_the_name() {
    let dir = with_flags();
    let file = export(&dir, "yaml");
    let resalted = file.replace("salt: multi_step_api_router", "salt: other");
    let says = [
        "everybody gets a new bucket",
        "--yes-i-mean multi_step_api_router",
    ];
    let refused = apply(&dir, &resalted, &["--yes"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        says.iter().all(|part| stderr(&refused).contains(part)),
        "{}",
        stderr(&refused)
    );
    assert_eq!(export(&dir, "yaml"), file);
    let meant = ["--yes", "--yes-i-mean", "multi_step_api_router"];
    check_done(&apply(&dir, &resalted, &meant));
    let back = export(&dir, "yaml").replace(
        "format_version: 2\n    hash_algorithm: md5\n    salt: other",
        "format_version: 1",
    );
    let says = [
        "flags.yaml, line 4, column 3: csr-assistant/feature/multi_step_api_router: ",
        "cannot go back to 1",
    ];
    check_failed(&apply(&dir, &back, &[]), 5, &says);
}

#[test]
fn every_mistake_in_a_file_is_reported_with_its_place() {
    let dir = with_flags();
    let file = export(&dir, "yaml");
    let wrong = file
        .replace("percent: 5", "percnt: 5")
        .replace("control: \"no\"", "control: 3");
    let says = [
        "flags.yaml, line 21, column 7: flags[0].revision.treatments[1].percnt: \
         there is no such field; did you mean percent?\n",
        "flags.yaml, line 39, column 14: flags[1].revision.control: \
         found the number 3, expected text; put it into quotes\n",
    ];
    check_failed(&apply(&dir, &wrong, &[]), 5, &says);
    assert_eq!(export(&dir, "yaml"), file);
    let args = ["apply", "-f", "/nowhere/flags.yaml"];
    check_failed(
        &flagctl(&dir, &args),
        1,
        &["cannot read /nowhere/flags.yaml"],
    );
}

#[test]
fn flags_of_the_reference_are_exported_and_keep_their_version() {
    let folder = world(Stage::InUse);
    let dir = TempDir::new().unwrap();
    let here = folder.path().join("flag-data");
    let export = command(&here, &["export", "csr-assistant"])
        .output()
        .unwrap();
    check_done(&export);
    let file = stdout(&export).to_owned();
    assert!(
        file.contains("format_version: 1\n    control: false\n"),
        "{file}"
    );
    check_done(&apply(&dir, &file, &[]));
    let revision = json(&on_flag(&dir, "get", &["-o", "json"]))["revision"].take();
    assert_eq!(
        (
            &revision["format_version"],
            &revision["treatments"][0]["percent"]
        ),
        (&1.into(), &60.into())
    );
    let check = ["apply", "--check", "-f", "-"];
    let mut check = command(&here, &check);
    let check = check
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut check = check.spawn().unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), file.as_bytes()).unwrap();
    assert!(check.wait().unwrap().success());
}

#[test]
fn what_cannot_be_exported_is_named_and_the_rest_is_there() {
    let dir = with_revision();
    let soon = soon();
    leave_behind(&dir, &soon, "[{");
    let says = [&*format!("TIME#{soon}, column Treatments: ")];
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    assert_eq!(exported.status.code(), Some(5));
    assert!(
        stdout(&exported).contains("description: "),
        "{}",
        stdout(&exported)
    );
    assert!(
        !stdout(&exported).contains("control:"),
        "{}",
        stdout(&exported)
    );
    assert!(stderr(&exported).contains(says[0]), "{}", stderr(&exported));
    let says = ["project other has no rows in the embedded store"];
    check_failed(&flagctl(&dir, &["export", "other"]), 3, &says);
}

#[test]
fn a_new_flag_in_a_file_follows_the_rules_of_add() {
    let dir = with_flags();
    let new = |fields: &str| {
        let flag =
            format!("- {{flag_type: feature, name: {fields}, revision: {{control: false}}}}\n");
        let file = format!("file_version: 1\nproject: csr-assistant\nflags:\n{flag}");
        apply(&dir, &file, &[])
    };
    let says = "expected a description, as the flag is new";
    check_failed(&new("new_one"), 5, &[says]);
    let says = "description: found \" \", expected some text";
    check_failed(&new("new_one, metadata: {description: ' '}"), 5, &[says]);
    let says = "expires_on: found 2020-01-31, expected ";
    check_failed(
        &new("new_one, metadata: {description: x, expires_on: 2020-01-31}"),
        5,
        &[says],
    );
    check_failed(
        &new("New-One, metadata: {description: x}"),
        5,
        &["--any-name"],
    );
    check_done(&new("new_one, metadata: {description: x}"));
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let dir = with_flags();
    let file = export(&dir, "yaml")
        .replace("file_version: 1", "file_version: 2")
        .replace("\n  metadata:", "\n  color: red\n  metadata:")
        .replace("percent: 20.5", "percent: 99")
        .replace("salt: greeting", "salt: 'a b'");
    let refused = apply(&dir, &file, &[]);
    let says = [
        "line 1, column 15: file_version: found the number 2, expected 1",
        "flags[0].color: there is no such field",
        "csr-assistant/feature/multi_step_api_router: Rollout percentage: 104 is invalid.",
        "flags[1].color: there is no such field",
        "flags[1].revision.salt: found \"a b\"",
    ];
    check_failed(&refused, 5, &says);
    assert_eq!(stderr(&refused).lines().count(), 5, "{}", stderr(&refused));
}
