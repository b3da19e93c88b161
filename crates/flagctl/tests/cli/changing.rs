//! Changes are shown and confirmed.

use std::fs;

use super::*;

#[track_caller]
pub(super) fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

/// A flag at 10 %, then 20 %, then 30 %.
pub(super) fn three_revisions() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    assert_code(&revise(&dir, "--control false --percent 10"), 0);
    assert_code(&revise(&dir, "--percent 20"), 0);
    assert_code(&revise(&dir, "--percent 30"), 0);
    dir
}

pub(super) fn percent(dir: &TempDir) -> String {
    json(&on_flag(dir, "get", &["-o", "json"]))["revision"]["treatments"][0]["percent"].to_string()
}

pub(super) fn revisions(dir: &TempDir) -> Vec<serde_json::Value> {
    let history = json(&on_flag(dir, "history", &["-o", "json"]));
    history["revisions"].as_array().unwrap().clone()
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
fn many_ids_in_one_option_are_refused() {
    let dir = three_revisions();
    let says = "use `--override a --override b`";
    check_failed(&revise(&dir, "--override a,b"), 2, &[says]);
    let says = "use `--overrides-file ids` for a file of ids";
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
            "warning: treatment_1 overrides \"C\\u{200b}3\", an id with an invisible character",
            "warning: treatment_1 overrides \"Rene\\u{301}\", an id with a letter that is not in Unicode normal form NFC",
        ]
    );
    let shown = on_flag(&dir, "latest", &[]);
    let says = "\"A1 \", \"B\\n2\", \"C\\u{200b}3\", D4, Ren\u{e9}, \"Rene\\u{301}\"";
    assert!(stdout(&shown).contains(says), "{}", stdout(&shown));
    let again = revise(&dir, "--percent 31");
    assert!(!stderr(&again).contains("warning: "), "{}", stderr(&again));
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
