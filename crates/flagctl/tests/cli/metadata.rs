//! Metadata, its owner and its editor.

use std::fs;

use super::changing::{assert_code, three_revisions};
use super::run_configs::{describing, run_config};
use super::*;

#[test]
fn metadata_leaves_nothing_to_wait_for() {
    let dir = three_revisions();
    let updated = on_flag(&dir, "update", &["--description", "other", "--wait=1s"]);
    assert_code(&updated, 0);
    let says = "no revision was written, so there is nothing to wait for";
    assert!(stderr(&updated).contains(says), "{}", stderr(&updated));
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
    assert_code(&on_flag(&dir, "update", &["--description", "other"]), 0);
    assert_code(
        &flagctl(
            &dir,
            &["update", "p", "feature", "nothing", "--description", "x"],
        ),
        3,
    );
}

#[test]
fn a_project_that_is_nearly_called_like_another_is_questioned() {
    let dir = tempfile::tempdir().unwrap();
    add(&dir);
    let describe = ["--description", "x", "--dry-run"];
    let add_to = |project: &str| {
        let flag = ["add", project, "feature", "other"];
        flagctl(&dir, &[&flag[..], &describe].concat())
    };
    let output = add_to("csr-asistant");
    check_done(&output);
    let warning = "warning: csr-asistant would be a new project; did you mean csr-assistant?";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    for project in ["csr-assistant", "another-one"] {
        assert!(!stderr(&add_to(project)).contains("did you mean"));
    }
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
fn metadata_says_who_wrote_it_beside_who_owns_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    check_done(&add(&dir));
    let by = |person: &str, args: &[&str]| {
        let mut command = command(dir.path(), args);
        command.env("FLAG_OWNER", person).output().unwrap()
    };
    let update = ["update", "csr-assistant", "feature", NAME, "--tag=x"];
    check_done(&by("bob", &update));
    assert_code(&by("eve", &update), 0);
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
fn the_user_of_the_program_is_the_owner_where_nobody_is_named() {
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
