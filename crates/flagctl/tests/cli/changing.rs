//! Changes are shown, confirmed, and can be taken back.

use std::fs;

use super::*;

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

/// A flag at 10 %, then 20 %, then 30 %.
fn three_revisions() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    assert_code(&revise(&dir, "--control false --percent 10"), 0);
    assert_code(&revise(&dir, "--percent 20"), 0);
    assert_code(&revise(&dir, "--percent 30"), 0);
    dir
}

fn percent(dir: &TempDir) -> String {
    json(&on_flag(dir, "get", &["-o", "json"]))["revision"]["treatments"][0]["percent"].to_string()
}

fn revisions(dir: &TempDir) -> Vec<serde_json::Value> {
    let history = json(&on_flag(dir, "history", &["-o", "json"]));
    history["revisions"].as_array().unwrap().clone()
}

#[test]
fn a_rollback_is_a_copy_of_the_revision_before() {
    let dir = three_revisions();
    let output = on_flag(&dir, "rollback", &[]);
    assert_code(&output, 0);
    assert!(
        stderr(&output).contains("30 % true  20 % true"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("10 % of all instances receive another value"));
    let all = revisions(&dir);
    assert_eq!(all.len(), 4);
    assert_eq!(all[0]["rollback_of"], all[2]["created"]);
    assert_eq!(
        (&all[0]["treatments"], &all[0]["salt"]),
        (&all[2]["treatments"], &all[2]["salt"])
    );
}

/// A treatment of 0 % is a change to who reads the revision, and to no instance.
#[test]
fn a_rollback_that_changes_nothing_for_instances_says_so_first() {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    assert_code(&revise(&dir, "--control false"), 0);
    assert_code(&revise(&dir, "--percent 0"), 0);
    let planned = on_flag(&dir, "rollback", &["--comment=Again", "--dry-run"]);
    assert_code(&planned, 0);
    let plan = stderr(&planned);
    assert!(
        plan.ends_with(
            "\nnothing changes for any instance: the revision in force decides the same\n"
        ),
        "{plan}"
    );
    assert!(
        plan.contains("\n* comment      why       Again\n"),
        "{plan}"
    );
}

#[test]
fn a_rollback_goes_back_by_steps_or_to_a_time() {
    let dir = three_revisions();
    assert_code(&on_flag(&dir, "rollback", &["--steps", "2"]), 0);
    assert_eq!(percent(&dir), "10");
    let second = revisions(&dir)[2]["created"].as_str().unwrap().to_owned();
    assert_code(
        &on_flag(
            &dir,
            "rollback",
            &[
                "--to",
                &second,
                "--comment",
                "to the second",
                "--yes-i-mean",
                NAME,
            ],
        ),
        0,
    );
    assert_eq!(percent(&dir), "20");
    let output = on_flag(&dir, "rollback", &["--steps", "99"]);
    assert_code(&output, 3);
    assert!(
        stderr(&output).contains("1 revision to go back to, not 99"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_was_rolled_back_comes_into_force_again_only_by_name() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    let bad = ["--to", &bad];
    let output = on_flag(&dir, "rollback", &bad);
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("what was rolled back comes into force again"),
        "{}",
        stderr(&output)
    );
    assert_eq!(percent(&dir), "20");
    let meant = [&bad[..], &["--yes-i-mean", NAME]].concat();
    assert_code(&on_flag(&dir, "rollback", &meant), 0);
    assert_eq!(percent(&dir), "30");
}

/// A copy of a bad revision is as bad, however often it was rolled back and forth.
#[test]
fn a_copy_of_what_was_rolled_back_comes_into_force_again_only_by_name() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    for (done, percent_then) in [("rollback --to", "30"), ("rollback", "20")] {
        let meant = ["--to", &bad, "--yes-i-mean", NAME];
        let options = if done == "rollback" { &[][..] } else { &meant };
        assert_code(&on_flag(&dir, "rollback", options), 0);
        assert_eq!(percent(&dir), percent_then);
    }
    let copy = revisions(&dir)[1]["created"].as_str().unwrap().to_owned();
    let again = on_flag(&dir, "rollback", &["--to", &copy]);
    assert_code(&again, 2);
    let says = "what was rolled back comes into force again";
    assert!(stderr(&again).contains(says), "{}", stderr(&again));
    assert_eq!(percent(&dir), "20");
}

/// Time alone brings it into force, over whatever was appended until then.
#[test]
fn what_a_row_ahead_of_the_clock_will_undo_is_written_only_by_name() {
    let dir = three_revisions();
    let ahead = SystemClock.now().saturating_add(Duration::from_hours(25));
    leave_behind(
        &dir,
        &ahead.to_string(),
        "[{'PercentRollout': 100, 'Value': True}]",
    );
    for output in [
        revise(&dir, "--percent 1"),
        on_flag(&dir, "rollback", &[]),
        on_flag(&dir, "history", &[]),
    ] {
        let says =
            format!("the revision of {ahead} is ahead of the clock and comes into force at ");
        assert!(stderr(&output).contains(&says), "{}", stderr(&output));
    }
    assert_code(&revise(&dir, "--percent 1"), 2);
    assert_eq!(percent(&dir), "30");
    assert_code(
        &revise(&dir, &format!("--percent 1 --yes-i-mean {NAME}")),
        0,
    );
    assert_eq!(percent(&dir), "1");
}

/// A revision in between doesn't hide that a rollback went past the target.
#[test]
fn a_revision_in_between_does_not_help() {
    let dir = three_revisions();
    let bad = revisions(&dir)[0]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "rollback", &[]), 0);
    assert_code(&revise(&dir, "--percent 5"), 0);
    assert_code(&on_flag(&dir, "rollback", &["--to", &bad]), 2);
    assert_eq!(percent(&dir), "5");
}

#[test]
fn a_revision_that_cannot_be_read_can_be_rolled_back() {
    let dir = three_revisions();
    leave_behind(&dir, &soon(), "[{'PercentRollout': 7x}]");
    let to = revisions(&dir)[1]["created"].as_str().unwrap().to_owned();
    assert_code(&on_flag(&dir, "get", &[]), 5);
    assert_code(&on_flag(&dir, "rollback", &["--to", &to]), 2);
    assert_code(
        &on_flag(&dir, "rollback", &["--to", &to, "--yes-i-mean", NAME]),
        0,
    );
    assert_eq!(percent(&dir), "30");
}

#[test]
fn what_cannot_be_is_refused_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    assert_code(
        &on_flag(
            &dir,
            "add",
            &["--description", "x", "--ticket", "a\nb", "--dry-run"],
        ),
        5,
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let dir = three_revisions();
    let output = revise(&dir, "--percent 50 --dry-run");
    assert_code(&output, 0);
    assert!(stderr(&output).contains("30 % true  50 % true") && output.stdout.is_empty());
    assert_code(
        &on_flag(&dir, "update", &["--description", "other", "--dry-run"]),
        0,
    );
    assert_eq!((percent(&dir).as_str(), revisions(&dir).len()), ("30", 3));
}

#[test]
fn leaving_nobody_with_the_control_wants_the_name() {
    let dir = three_revisions();
    let output = revise(&dir, "--percent 100 --yes");
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains(&format!("add --yes-i-mean {NAME}")),
        "{}",
        stderr(&output)
    );
    assert_code(&revise(&dir, "--percent 100 --yes-i-mean another"), 2);
    assert_code(
        &revise(&dir, &format!("--percent 100 --yes-i-mean {NAME}")),
        0,
    );
    assert_eq!(percent(&dir), "100");
}

#[test]
fn a_first_revision_for_everybody_wants_the_name_as_a_jump_does() {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    let first = "--control false --percent 100";
    let output = revise(&dir, &format!("{first} --yes"));
    assert_code(&output, 2);
    let says = format!("nobody keeps the control value: to confirm, add --yes-i-mean {NAME}");
    assert!(stderr(&output).contains(&says), "{}", stderr(&output));
    let file = dir.path().join("flags.yaml");
    let text = format!(
        "file_version: 1\nproject: csr-assistant\nflags:\n- flag_type: feature\n  name: {NAME}\n  revision:\n    control: false\n    treatments: [{{percent: 60, value: true}}, {{percent: 40, value: true}}]\n"
    );
    fs::write(&file, text).unwrap();
    let apply = ["apply", "-f", file.to_str().unwrap(), "--yes"];
    assert_code(&flagctl(&dir, &apply), 2);
    assert_code(&revise(&dir, &format!("{first} --yes-i-mean {NAME}")), 0);
    assert_eq!(percent(&dir), "100");
}

#[test]
fn metadata_is_updated_and_the_rest_stays() {
    let dir = three_revisions();
    assert_code(
        &on_flag(
            &dir,
            "update",
            &[
                "--ticket",
                "T-1",
                "--tag",
                "a",
                "--tag",
                "b",
                "--expires-on",
                "2027-03-31",
            ],
        ),
        0,
    );
    assert_code(
        &on_flag(
            &dir,
            "update",
            &[
                "--remove-tag",
                "a",
                "--description",
                "other",
                "--no-expires-on",
            ],
        ),
        0,
    );
    let metadata = json(&on_flag(&dir, "get", &["-o", "json"]))["metadata"].clone();
    assert_eq!(
        (
            &metadata["ticket"],
            &metadata["tags"],
            &metadata["description"],
            &metadata["expires_on"]
        ),
        (
            &"T-1".into(),
            &serde_json::json!(["b"]),
            &"other".into(),
            &serde_json::Value::Null
        )
    );
    assert_code(&on_flag(&dir, "update", &["--description", "other"]), 2);
    assert_code(
        &flagctl(
            &dir,
            &["update", "p", "feature", "nothing", "--description", "x"],
        ),
        3,
    );
}

#[test]
fn a_flag_that_should_be_gone_already_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let past = "--expires-on=2020-01-01";
    let says = "--expires-on: found 2020-01-01, expected ";
    check_failed(
        &on_flag(&dir, "add", &["--description=x", past]),
        5,
        &[says],
    );
    check_done(&add(&dir));
    check_failed(&on_flag(&dir, "update", &[past]), 5, &[says]);
}

#[test]
fn many_ids_in_one_option_are_refused() {
    let dir = three_revisions();
    let says = "use `--override a --override b`";
    check_failed(&revise(&dir, "--override a,b"), 2, &[says]);
    let says = "ids are not read from files; use --override ID once for each id";
    check_failed(&revise(&dir, "--override @ids"), 2, &[says]);
    let says = "use `--tag a --tag b`";
    check_failed(&on_flag(&dir, "update", &["--tag=a,b"]), 2, &[says]);
    assert_eq!(revisions(&dir).len(), 3);
}

#[test]
fn an_id_that_hides_something_is_shown_and_warned_of() {
    let dir = three_revisions();
    let ids = [
        "A1 ",
        "B\n2",
        "C\u{200b}3",
        "D4",
        "Ren\u{e9}",
        "Rene\u{301}",
    ]
    .map(|id| format!("--override={id}"));
    let ids = ids.each_ref().map(String::as_str);
    let revised = on_flag(&dir, "revise", &[&["--comment=why"], &ids[..]].concat());
    check_done(&revised);
    let warnings: Vec<&str> = (stderr(&revised).lines())
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: treatment_1 overrides \"A1 \", an id with a space at its beginning or end",
            "warning: treatment_1 overrides \"B\\n2\", an id with a line break",
            "warning: treatment_1 overrides \"C\\u{200b}3\", an id with a character that cannot be seen",
            "warning: treatment_1 overrides \"Rene\\u{301}\", an id with a letter that Unicode normally spells otherwise",
        ]
    );
    let shown = on_flag(&dir, "latest", &[]);
    let says = "\"A1 \", \"B\\n2\", \"C\\u{200b}3\", D4, Ren\u{e9}, \"Rene\\u{301}\"";
    assert!(stdout(&shown).contains(says), "{}", stdout(&shown));
    let again = revise(&dir, "--percent 31");
    assert!(!stderr(&again).contains("warning: "), "{}", stderr(&again));
}

#[test]
fn metadata_says_who_wrote_it_beside_who_owns_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    check_done(&add(&dir));
    let by = |person: &str, args: &[&str]| {
        let mut command = command(dir.path(), args);
        command.env("FLAG_OWNER", person).output().unwrap()
    };
    let update = ["update", "csr-assistant", "feature", NAME, "--tag=x"];
    check_done(&by("bob", &update));
    assert_code(&by("eve", &update), 2);
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    let file = dir.path().join("flags.yaml");
    let apply = ["apply", "-f", file.to_str().unwrap()];
    fs::write(&file, &exported.stdout).unwrap();
    check_done(&by("eve", &apply));
    fs::write(&file, stdout(&exported).replace("Multi", "Many")).unwrap();
    check_done(&by("carl", &apply));
    let copied = serde_json::json!({
        "Name": NAME, "Type": "FEATURE", "Description": "x", "OwnerID": "ann", "EditedBy": "dora",
    });
    let mut config = describing(NAME, "y");
    check_done(&run_config(&dir, &config));
    config["row_cell_value"] = copied;
    check_done(&run_config(&dir, &config));
    let history = json(&on_flag(&dir, "history", &["--metadata", "-ojson"]));
    let people = history["metadata"].as_array().unwrap().iter();
    let people: Vec<[&str; 2]> = people
        .map(|row| ["owner", "edited_by"].map(|field| row[field].as_str().unwrap()))
        .collect();
    let (ann, carl, bob) = (["ann", "ann"], ["ann", "carl"], ["ann", "bob"]);
    assert_eq!(people, [["ann", "dora"], ann, carl, bob, ann]);
    let shown = on_flag(&dir, "get", &[]);
    assert!(
        stdout(&shown).contains("\nedited by    dora\n"),
        "{}",
        stdout(&shown)
    );
}

#[test]
fn whoever_runs_the_program_is_the_owner_where_nobody_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = command(dir.path(), args);
        command.env_remove("USER").envs(variables.iter().copied());
        command.output().unwrap()
    };
    let add = ["add", "p", "feature", "f", "--description=x"];
    check_done(&run(&[("USER", "")], &add));
    let login = Command::new("id").arg("-un").output().unwrap();
    let get = ["get", "p", "feature", "f", "-ojson"];
    let metadata = json(&run(&[], &get))["metadata"].take();
    assert_eq!(metadata["owner"], stdout(&login).trim());
    let unsaid = run(
        &[],
        &[&add[..3], &["g", "--description=x", "--owner="]].concat(),
    );
    check_failed(&unsaid, 5, &["--owner: found \"\", expected some text"]);
}

#[test]
fn a_value_is_in_quotes_where_it_looks_like_nothing_or_like_another() {
    let dir = tempfile::tempdir().unwrap();
    let flag = ["p", "data", "f"];
    let run = |args: &[&str]| flagctl(&dir, &[&args[..1], &flag, &args[1..]].concat());
    check_done(&run(&["add", "--description=x"]));
    for (value, shown) in [
        ("", "\"\""),
        ("a ", "\"a \""),
        ("\"\"", "\"\\\"\\\"\""),
        ("a\u{ad}", "\"a\\u{ad}\""),
        ("plain, and \"so\"", "plain, and \"so\""),
    ] {
        let control = format!("--control={value}");
        let revised = run(&["revise", &control, "--comment=x", "--yes-i-mean=f"]);
        check_done(&revised);
        assert!(stderr(&revised).contains(shown), "{}", stderr(&revised));
        for looking in ["get", "latest", "history"] {
            let output = run(&[looking]);
            assert!(stdout(&output).contains(shown), "{}", stdout(&output));
        }
    }
}

#[test]
fn nothing_is_ever_removed() {
    let dir = three_revisions();
    for command in ["remove", "delete"] {
        let output = on_flag(&dir, command, &[]);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("nothing is ever removed"),
            "{}",
            stderr(&output)
        );
    }
}

fn run_config(dir: &TempDir, config: &serde_json::Value) -> Output {
    let file = dir.path().join("run-config.json");
    fs::write(&file, config.to_string()).unwrap();
    flagctl(dir, &["run-config", "-f", file.to_str().unwrap()])
}

/// A run configuration that says what this flag is for.
fn describing(name: &str, description: &str) -> serde_json::Value {
    serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": "FLAG",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": name,
        "row_cell_value": {"Name": name, "Type": "FEATURE", "Description": description},
        "add_new_feature_flag": true,
    })
}

#[test]
fn a_run_configuration_takes_any_name_that_the_reference_stored_and_warns() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["Beta", "my flag", "_a"] {
        let configured = run_config(&dir, &describing(name, "x"));
        check_done(&configured);
        let warning = format!("warning: flag name: found \"{name}\", expected ");
        assert!(
            stderr(&configured).contains(&warning),
            "{}",
            stderr(&configured)
        );
    }
    let plain = run_config(&dir, &describing("beta", "x"));
    assert!(!stderr(&plain).contains("warning"), "{}", stderr(&plain));
}

#[test]
fn a_run_configuration_that_is_triggered_again_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        check_done(&run_config(&dir, &describing(NAME, "x")));
    }
    let metadata = json(&on_flag(&dir, "history", &["--metadata", "-ojson"]));
    assert_eq!(metadata["metadata"].as_array().unwrap().len(), 2);
    let revision = serde_json::json!({
        "row_key_prefix_PROJECT": "csr-assistant",
        "row_key_prefix_ROWTYPE": "REVISION",
        "row_key_prefix_FLAGTYPE": "feature",
        "row_key_prefix_FLAGNAME": NAME,
        "row_cell_value": format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Off', 'OwnerID': 'ann', 'Treatments': []}}"),
        "add_new_feature_flag": false,
    });
    for _ in 0..2 {
        check_done(&run_config(&dir, &revision));
    }
    assert_eq!(revisions(&dir).len(), 2);
}

#[test]
fn a_run_configuration_may_begin_with_a_byte_order_mark() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("marked");
    fs::write(&file, format!("\u{feff}{}", describing(NAME, "x"))).unwrap();
    check_done(&flagctl(
        &dir,
        &["run-config", "-f", file.to_str().unwrap()],
    ));
    let exported = flagctl(&dir, &["export", "csr-assistant"]);
    fs::write(&file, format!("\u{feff}{}", stdout(&exported))).unwrap();
    check_done(&flagctl(&dir, &["apply", "-f", file.to_str().unwrap()]));
}

#[test]
fn a_character_by_its_name_is_refused_with_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = describing(NAME, "x");
    let cells = format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'Description': '\\N{{EM DASH}}'}}");
    config["row_cell_value"] = cells.into();
    let says = "a character by its code, such as \\u2014 for \\N{EM DASH}";
    check_failed(&run_config(&dir, &config), 5, &[says]);
}

#[test]
fn a_run_configuration_updates_flags_that_the_reference_named() {
    let dir = tempfile::tempdir().unwrap();
    let row = left_behind("2024-09-25 19:15:28", "[]");
    let key = String::from_utf8(row.key).unwrap().replace(NAME, "Beta");
    let row = Row {
        key: key.into(),
        cells: row.cells.with("Name", "Beta"),
    };
    crate::administering::write(dir.path(), row);
    check_done(&run_config(&dir, &describing("Beta", "x")));
    check_done(&run_config(&dir, &describing("Beta", "y")));
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let dir = with_revision();
    let file = dir.path().join("latin-1");
    fs::write(&file, b"{'Description': 'caf\xe9'}").unwrap();
    for command in ["run-config", "apply"] {
        let refused = flagctl(&dir, &[command, "-f", file.to_str().unwrap()]);
        check_failed(&refused, 5, &["cannot read ", "valid UTF-8"]);
    }
    let missing = flagctl(&dir, &["run-config", "-f", "/nowhere"]);
    check_failed(&missing, 1, &["cannot read /nowhere"]);
}

#[test]
fn a_run_configuration_of_the_reference_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = |row_type: &str, cell: &str| {
        serde_json::json!({
            "row_key_prefix_PROJECT": "csr-assistant",
            "row_key_prefix_ROWTYPE": row_type,
            "row_key_prefix_FLAGTYPE": "feature",
            "row_key_prefix_FLAGNAME": NAME,
            "row_cell_value": cell,
            "add_new_feature_flag": row_type == "FLAG",
        })
    };
    let cell = |percent: &str| {
        format!(
            "{{'Name': '{NAME}', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, 'Comment': 'Rollout', 'OwnerID': 'John Smith', 'Treatments': [{{'OverrideList': ['A12345'], 'PercentRollout':{percent}, 'Value': True}}]}}"
        )
    };
    check_done(&flagctl(&dir, &["init"]));
    let early = run_config(&dir, &config("REVISION", &cell("40")));
    assert_code(&early, 3);
    let metadata = format!("{{'Name': '{NAME}', 'Type': 'FEATURE', 'Description': 'It\\'s new'}}");
    assert_code(&run_config(&dir, &config("FLAG", &metadata)), 0);
    for percent in ["40", "100"] {
        let written = run_config(&dir, &config("REVISION", &cell(percent)));
        assert_code(&written, 0);
        let stdout = String::from_utf8(written.stdout).unwrap();
        assert!(
            stdout.contains("PROJECT#csr-assistant#ROWTYPE#REVISION#")
                && stdout.contains("John Smith"),
            "{stdout}"
        );
    }
    let refused = run_config(&dir, &config("REVISION", &cell("140")));
    assert_code(&refused, 5);
    let stderr = stderr(&refused);
    assert!(
        stderr.contains("row_cell_value, line 1, column ")
            && stderr.contains("\n  ")
            && stderr.contains('^'),
        "{stderr}"
    );
    assert_eq!(revisions(&dir).len(), 2);
}

/// On a terminal, which `script` gives it, a change is asked about.
#[test]
fn a_person_on_a_terminal_is_asked() {
    let dir = three_revisions();
    for (answer, code, expected) in [("n", 1, "30"), ("y", 0, "40")] {
        let flagctl = env!("CARGO_BIN_EXE_flagctl");
        let command = format!(
            "{flagctl} --data-dir {} revise {} --percent 40 --comment why",
            dir.path().display(),
            format_args!("csr-assistant feature {NAME}")
        );
        let Ok(mut child) = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
        else {
            panic!("script, of the package bsdutils or util-linux, is not installed");
        };
        std::io::Write::write_all(
            &mut child.stdin.take().unwrap(),
            format!("{answer}\n").as_bytes(),
        )
        .unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert!(shown.contains("Go on? [y/N]"), "{shown}");
        assert_eq!(percent(&dir), expected);
    }
}
