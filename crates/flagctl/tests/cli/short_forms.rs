//! What people type every day: one word for a flag, one for a percentage.

use crate::changing::percent;
use crate::*;

/// Runs the program in the folder, which may name a project.
fn typed(dir: &TempDir, line: &str) -> Output {
    typed_with(dir, line, &[])
}

fn typed_with(dir: &TempDir, line: &str, variables: &[(&str, &str)]) -> Output {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = command(dir.path(), &words);
    command
        .current_dir(dir.path())
        .envs(variables.iter().copied());
    command.output().unwrap()
}

const PATH: &str = "csr-assistant/multi_step_api_router";

#[test]
fn a_flag_is_named_in_one_word() {
    let dir = with_revision();
    let whole = json(&on_flag(&dir, "get", &["-ojson"]));
    for line in [
        &format!("get {PATH} -ojson"),
        &format!("show csr-assistant/feature/{NAME} -ojson"),
        &format!("get -p csr-assistant {NAME} -ojson"),
        &format!("get -p csr-assistant feature {NAME} -ojson"),
    ] {
        assert_eq!(json(&typed(&dir, line)), whole, "{line}");
    }
    let project = [("FLAG_PROJECT", "csr-assistant")];
    let shown = typed_with(&dir, &format!("get {NAME} -ojson"), &project);
    assert_eq!(json(&shown), whole);
    let two = typed(&dir, &format!("get -p other {PATH}"));
    check_failed(&two, 2, &["two projects are named"]);
}

#[test]
fn a_project_is_chosen_for_a_folder() {
    let dir = with_revision();
    let none = typed(&dir, &format!("get {NAME}"));
    check_failed(&none, 2, &["which project?", "`flagctl use PROJECT`"]);
    check_failed(&typed(&dir, "use"), 3, &["no project is chosen"]);
    check_done(&typed(&dir, "use csr-assistant"));
    check_done(&typed(&dir, &format!("get {NAME}")));
    check_done(&typed(&dir, "list"));
    assert_eq!(stdout(&typed(&dir, "use")), "csr-assistant\n");
    let variable = [("FLAG_PROJECT", "other")];
    assert_eq!(stdout(&typed_with(&dir, "use", &variable)), "other\n");
}

#[test]
fn a_project_is_chosen_for_a_user() {
    let dir = with_revision();
    let home = TempDir::new().unwrap();
    let variables = [("HOME", home.path().to_str().unwrap())];
    check_done(&typed_with(&dir, "use csr-assistant --user", &variables));
    check_done(&typed_with(&dir, &format!("get {NAME}"), &variables));
    assert!(home.path().join(".config/flagctl/project").exists());
}

#[test]
fn the_type_is_left_out_where_a_name_is_of_one_type() {
    let dir = with_revision();
    let unknown = typed(&dir, "get csr-assistant/multi_step_api_ruter");
    check_failed(&unknown, 3, &["did you mean multi_step_api_router?"]);
    let add = ["add", "csr-assistant", "data", NAME, "--description=x"];
    check_done(&flagctl(&dir, &add));
    let says = format!("name `csr-assistant/feature/{NAME}` or `csr-assistant/data/{NAME}`");
    check_failed(&typed(&dir, &format!("get {PATH}")), 2, &[&says]);
    let untyped = typed(&dir, "add csr-assistant/new_one --description x");
    check_failed(&untyped, 2, &["a new flag has a type"]);
}

#[test]
fn a_percentage_stands_behind_the_flag() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    for (short_form, expected, comment) in [
        ("10%", "10", "10 %"),
        ("off", "0", "Off for everybody"),
        ("12.5%", "12.5", "12.5 %"),
        (
            "on --yes-i-mean multi_step_api_router",
            "100",
            "On for everybody",
        ),
        ("20% -m Why", "20", "Why"),
    ] {
        check_done(&typed(&dir, &format!("revise {PATH} {short_form}")));
        assert_eq!(percent(&dir), expected);
        let latest = json(&typed(&dir, &format!("st {PATH} -ojson")));
        assert_eq!(latest["revision"]["comment"], comment);
        assert_eq!(latest["revision"]["control"], false);
    }
    let says = "expected a percentage such as 10%, or on, or off";
    check_failed(&typed(&dir, &format!("revise {PATH} 10")), 2, &[says]);
    let twice = typed(&dir, &format!("revise {PATH} 10% --percent 20"));
    check_failed(&twice, 2, &["two percentages are given"]);
    let unsaid = typed(&dir, &format!("revise {PATH} --percent 30"));
    check_failed(&unsaid, 2, &["--comment is required"]);
}

#[test]
fn on_is_refused_where_the_treatment_is_false() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(&dir, "--control true --percent 10"));
    check_failed(
        &typed(&dir, &format!("revise {PATH} on")),
        2,
        &["control is false"],
    );
}

#[test]
fn a_killed_flag_gives_everybody_the_control_value() {
    let dir = TempDir::new().unwrap();
    check_done(&add(&dir));
    check_done(&revise(&dir, "--control false --percent 40 --override A1"));
    let more = "--treatment new --percent 60 --override B2 --yes-i-mean multi_step_api_router";
    check_done(&revise(&dir, more));
    let killed = typed(&dir, &format!("kill {PATH}"));
    check_done(&killed);
    let says = "warning: 2 instances in override lists keep their value";
    assert!(stderr(&killed).contains(says), "{}", stderr(&killed));
    let value = |instance: &str| {
        json(&typed(&dir, &format!("explain {PATH} {instance} -ojson")))["value"].take()
    };
    assert_eq!((value("C3"), value("A1")), (false.into(), true.into()));
    check_done(&typed(&dir, &format!("kill {PATH} --overrides -m INC-7")));
    assert_eq!((value("C3"), value("A1")), (false.into(), false.into()));
    let again = typed(&dir, &format!("kill {PATH} --overrides"));
    check_done(&again);
    assert!(stderr(&again).starts_with("nothing changes: "));
    check_done(&typed(
        &dir,
        &format!("rollback {PATH} --steps 2 --yes-i-mean {NAME}"),
    ));
    assert_eq!((value("A1"), value("B2")), (true.into(), true.into()));
}

#[test]
fn a_history_is_a_log() {
    let dir = with_revision();
    let log = typed(&dir, &format!("log {PATH}"));
    check_done(&log);
    assert!(
        stdout(&log).starts_with("REV  CREATED (UTC)"),
        "{}",
        stdout(&log)
    );
    check_done(&typed(&dir, "ls csr-assistant"));
}

/// Twenty everyday tasks: how they are typed with long forms alone, and with all that there is, in the folder of a project.
#[test]
fn everyday_tasks_take_at_most_two_fifths_of_the_characters() {
    let tasks = [
        (
            "flagctl revise csr-assistant feature beta_search --percent 10 --comment \"10 %\" --yes",
            "flagctl revise beta_search 10% -y",
        ),
        (
            "flagctl revise csr-assistant feature beta_search --percent 100 --comment \"On for everybody\"",
            "flagctl revise beta_search on",
        ),
        (
            "flagctl revise csr-assistant feature beta_search --percent 0 --comment \"Off for everybody\" --yes",
            "flagctl revise beta_search off -y",
        ),
        (
            "flagctl get csr-assistant feature beta_search",
            "flagctl get beta_search",
        ),
        (
            "flagctl latest csr-assistant feature beta_search",
            "flagctl st beta_search",
        ),
        (
            "flagctl history csr-assistant feature beta_search",
            "flagctl log beta_search",
        ),
        (
            "flagctl rollback csr-assistant feature beta_search --yes",
            "flagctl rollback beta_search -y",
        ),
        (
            "flagctl rollback csr-assistant feature beta_search --to '2026-11-28 12:00:00.123456'",
            "flagctl rollback beta_search --to r7",
        ),
        (
            "flagctl list csr-assistant -o json | jq -r '.flags[] | select(.metadata.description | test(\"search\"; \"i\")).name'",
            "flagctl ls --search search",
        ),
        (
            "flagctl list csr-assistant -o json | jq -r '[.flags[].metadata.tags[]] | unique[]'",
            "flagctl tags",
        ),
        ("flagctl list csr-assistant", "flagctl ls"),
        (
            "flagctl diff csr-assistant feature beta_search '2026-11-28 12:00:00.123456' '2026-11-29 12:00:00.123456'",
            "flagctl diff beta_search",
        ),
        (
            "flagctl diff csr-assistant feature beta_search '2026-11-28 12:00:00.123456' '2026-11-29 12:00:00.123456'",
            "flagctl diff beta_search r3 r7",
        ),
        (
            "flagctl explain csr-assistant feature beta_search A12345",
            "flagctl explain beta_search A12345",
        ),
        (
            "flagctl explain csr-assistant feature beta_search A12345 --at '2026-11-28 12:00:00.123456'",
            "flagctl explain beta_search A12345 --at ~1",
        ),
        (
            "flagctl revise csr-assistant feature beta_search $(sed 's/^/--override=/' ids) --comment Testers",
            "flagctl revise beta_search --overrides-file ids -m Testers",
        ),
        (
            "flagctl revise csr-assistant feature beta_search --percent 0 --remove-override A12345 --remove-override B12345 --comment INC-7 --yes",
            "flagctl kill beta_search --overrides -y",
        ),
        (
            "flagctl revise csr-assistant feature beta_search --remove-treatment --control true --comment CSR-12 --yes; flagctl update csr-assistant feature beta_search --tag retired --yes",
            "flagctl retire beta_search --value true -m CSR-12 -y",
        ),
        (
            "flagctl revise csr-assistant feature beta_search --treatment 1 --remove-override A12345 --comment Move --yes; flagctl revise csr-assistant feature beta_search --treatment 2 --override A12345 --comment Move --yes",
            "flagctl revise beta_search --treatment 2 --override A12345 -m Move -y",
        ),
        (
            "flagctl update csr-assistant feature beta_search --ticket CSR-13 --yes",
            "flagctl update beta_search --ticket CSR-13 -y",
        ),
    ];
    let long: usize = tasks.iter().map(|(long, _)| long.len()).sum();
    let short: usize = tasks.iter().map(|(_, short)| short.len()).sum();
    assert!(short * 5 <= long * 2, "{short} of {long} characters");
}
