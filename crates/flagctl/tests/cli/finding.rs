//! Flags, projects and tags are found, and retired flags are out of the way.

use crate::*;

/// A project with three flags.
fn with_three_flags() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (flag_type, name, options) in [
        (
            "feature",
            "beta_search",
            &[
                "--description=The new search",
                "--tag=search",
                "--tag=ui",
                "--owner=bob",
            ][..],
        ),
        (
            "data",
            "greeting",
            &["--description=How to greet", "--tag=ui"],
        ),
        (
            "feature",
            "router",
            &[
                "--description=Routes",
                "--ticket=https://t.example.com/CSR-7",
            ],
        ),
    ] {
        let flag = ["add", "csr-assistant", flag_type, name];
        check_done(&flagctl(&dir, &[&flag, options].concat()));
    }
    dir
}

fn listed(dir: &TempDir, options: &[&str]) -> Vec<String> {
    let list = flagctl(
        dir,
        &[&["list", "csr-assistant", "-oname"], options].concat(),
    );
    check_done(&list);
    stdout(&list).lines().map(str::to_owned).collect()
}

#[test]
fn flags_are_found_by_what_is_known_of_them() {
    let dir = with_three_flags();
    for (options, expected) in [
        (&["--search", "SEARCH"][..], &["beta_search"][..]),
        (&["--search", "greet"], &["greeting"]),
        (&["--search", "csr-7"], &["router"]),
        (&["--tag", "ui"], &["greeting", "beta_search"]),
        (&["--tag", "ui", "--tag", "search"], &["beta_search"]),
        (&["--owner", "bob"], &["beta_search"]),
        (&["--type", "data"], &["greeting"]),
        (&["--expired"], &[]),
    ] {
        let mut found = listed(&dir, options);
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{options:?}");
    }
    let nothing = flagctl(&dir, &["list", "csr-assistant", "--search", "xyz"]);
    assert_eq!(stderr(&nothing), "no flag fits the filters\n");
}

#[test]
fn flags_that_are_probably_not_needed_are_listed_with_the_reason() {
    let dir = with_three_flags();
    let revise = ["revise", "csr-assistant/beta_search", "40%", "-m", "x"];
    check_done(&flagctl(&dir, &revise));
    leave_behind(
        &dir,
        "2024-09-25 10:00:00",
        "[{'PercentRollout': 40, 'Value': True}]",
    );
    let stale = flagctl(&dir, &["list", "csr-assistant", "--stale", "-ojson"]);
    let flags = json(&stale)["flags"].take();
    let found: Vec<(&Value, &Value)> = (flags.as_array().unwrap().iter())
        .map(|flag| (&flag["name"], &flag["stale"]))
        .collect();
    let reason = "not asked for in 14 days".into();
    assert_eq!(found, [(&NAME.into(), &reason)]);
    leave_behind(&dir, "2024-09-26 10:00:00", "[]");
    let stale = flagctl(&dir, &["list", "csr-assistant", "--stale=7"]);
    let reason = "not asked for in 7 days; one value for everybody for 7 days\n";
    assert!(stdout(&stale).ends_with(reason), "{}", stdout(&stale));
}

#[test]
fn a_list_is_sorted_and_wide_if_asked_for() {
    let dir = with_three_flags();
    let update = ["update", "csr-assistant/router", "--expires-on=9027-01-01"];
    check_done(&flagctl(&dir, &update));
    assert_eq!(listed(&dir, &["--sort=updated"])[0], "router");
    assert_eq!(listed(&dir, &["--sort=expires"])[0], "router");
    let wide = flagctl(&dir, &["list", "csr-assistant", "-w"]);
    assert!(
        stdout(&wide).contains("https://t.example.com/CSR-7"),
        "{}",
        stdout(&wide)
    );
}

#[test]
fn projects_and_tags_are_listed_with_the_number_of_their_flags() {
    let dir = with_three_flags();
    let add = ["add", "other", "feature", "f", "--description=x"];
    check_done(&flagctl(&dir, &add));
    let projects = flagctl(&dir, &["projects"]);
    assert_eq!(
        stdout(&projects),
        "NAME           FLAGS\ncsr-assistant  3\nother          1\n"
    );
    let tags = json(&flagctl(&dir, &["tags", "csr-assistant", "-ojson"]));
    let expected =
        serde_json::json!({"tags": [{"name": "search", "flags": 1}, {"name": "ui", "flags": 2}]});
    assert_eq!(tags, expected);
    check_failed(&flagctl(&dir, &["tags", "unknown"]), 3, &["has no rows"]);
}

#[test]
fn a_retired_flag_has_one_value_and_is_out_of_the_way() {
    let dir = with_three_flags();
    let flag = "csr-assistant/beta_search";
    let revise = ["revise", flag, "40%", "-m", "Some"];
    check_done(&flagctl(&dir, &revise));
    let retire = ["retire", flag, "--value", "true", "-m", "Here to stay"];
    check_done(&flagctl(&dir, &[&retire[..], &["--dry-run"]].concat()));
    check_done(&flagctl(&dir, &retire));
    let got = json(&flagctl(&dir, &["get", flag, "-ojson"]));
    assert_eq!(got["revision"]["control"], true);
    assert_eq!(got["revision"]["treatments"], serde_json::json!([]));
    assert_eq!(got["revision"]["comment"], "Retired: Here to stay");
    assert_eq!(
        got["metadata"]["tags"],
        serde_json::json!(["search", "ui", "retired"])
    );
    assert_eq!(got["metadata"]["edited_by"], "ann");
    let list = flagctl(&dir, &["list", "csr-assistant"]);
    assert!(!stdout(&list).contains("beta_search"), "{}", stdout(&list));
    assert_eq!(
        stderr(&list),
        "1 retired flag is not shown (--retired shows it)\n"
    );
    assert_eq!(listed(&dir, &["--retired"]), ["beta_search"]);
    let again = flagctl(&dir, &retire);
    assert!(
        stderr(&again).starts_with("nothing changes: "),
        "{}",
        stderr(&again)
    );
    check_done(&flagctl(&dir, &["retire", flag, "--undo"]));
    check_done(&flagctl(&dir, &["rollback", flag]));
    let got = json(&flagctl(&dir, &["get", flag, "-ojson"]));
    assert_eq!(got["revision"]["treatments"][0]["percent"], 40);
    assert_eq!(got["metadata"]["tags"], serde_json::json!(["search", "ui"]));
}

#[test]
fn ids_and_values_are_read_from_files() {
    let dir = with_three_flags();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ids, more) = (file("ids", "A1\nB,2\r\n\n@C\n"), file("more", "B,2\nD4\n"));
    let flag = "csr-assistant/beta_search";
    let list = ["revise", flag, "0%", "--overrides-file"];
    check_done(&flagctl(&dir, &[&list[..], &[&ids]].concat()));
    let add = ["revise", flag, "-m", "More", "--overrides-file", &more];
    check_done(&flagctl(&dir, &add));
    let got = json(&flagctl(&dir, &["get", flag, "-ojson"]));
    let expected = serde_json::json!(["A1", "B,2", "@C", "D4"]);
    assert_eq!(got["revision"]["treatments"][0]["overrides"], expected);
    let text = file("prompt", "Hello,\nworld!\n");
    let greeting = [
        "revise",
        "csr-assistant/greeting",
        "--control",
        "Hi",
        "-m",
        "x",
    ];
    check_done(&flagctl(
        &dir,
        &[&greeting[..], &["--value-file", &text, "--percent", "5"]].concat(),
    ));
    let got = json(&flagctl(&dir, &["get", "csr-assistant/greeting", "-ojson"]));
    assert_eq!(got["revision"]["treatments"][0]["value"], "Hello,\nworld!");
}

/// What an editor that runs this leaves of the flag.
fn edited(dir: &TempDir, editor: &str) -> Output {
    let mut command = command(
        dir.path(),
        &["edit", "csr-assistant/router", "-m", "CSR-12"],
    );
    let temporary = dir.path().join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    command.env("EDITOR", editor).env("TMPDIR", temporary);
    command.output().unwrap()
}

#[test]
fn a_flag_is_edited_as_a_file() {
    let dir = with_three_flags();
    check_done(&flagctl(&dir, &["revise", "csr-assistant/router", "10%"]));
    let left = || std::fs::read_dir(dir.path().join("tmp")).unwrap().count();
    let same = edited(&dir, "true");
    check_done(&same);
    assert!(
        stderr(&same).starts_with("nothing changes: "),
        "{}",
        stderr(&same)
    );
    let done = edited(&dir, "sed -i 's/percent: 10/percent: 25/'");
    check_done(&done);
    assert!(
        stderr(&done).contains("10 % true  25 % true"),
        "{}",
        stderr(&done)
    );
    assert!(
        !stdout(&done).contains("not in the file"),
        "{}",
        stdout(&done)
    );
    let got = json(&flagctl(&dir, &["get", "csr-assistant/router", "-ojson"]));
    assert_eq!(got["revision"]["treatments"][0]["percent"], 25);
    assert_eq!(got["revision"]["comment"], "CSR-12");
    check_failed(&edited(&dir, "false"), 1, &["the editor `false` failed"]);
    assert_eq!(left(), 0);
    let wrong = edited(&dir, "sed -i 's/percent: 25/percent: 125/'");
    assert_eq!(wrong.status.code(), Some(5), "{}", stderr(&wrong));
    assert!(
        stderr(&wrong).contains("your text is kept"),
        "{}",
        stderr(&wrong)
    );
    assert_eq!(left(), 1);
}
