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
    let says = "no flag csr-assistant/multi_step_api_ruter in ";
    check_failed(&unknown, 3, &[says, "did you mean multi_step_api_router?"]);
    let revised = typed(&dir, "revise csr-assistant/unknown 10%");
    check_failed(
        &revised,
        3,
        &["no flag csr-assistant/unknown in ", "`flagctl add` adds it"],
    );
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

/// Every command about a flag or a project takes it in its short form.
#[test]
fn a_project_is_left_out_wherever_one_is_wanted() {
    let dir = crate::world::world(crate::world::Stage::InUse);
    let store = dir.path().join("flag-data");
    let in_folder = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = command(&store, &words);
        command.current_dir(dir.path()).output().unwrap()
    };
    for line in [
        "exposures multi_step_api_router",
        "sql list",
        "forget A12345 --dry-run",
        "export",
    ] {
        check_failed(&in_folder(line), 2, &["which project?"]);
    }
    check_done(&in_folder("use csr-assistant"));
    for line in [
        "exposures multi_step_api_router",
        "exposures feature multi_step_api_router",
        "exposures csr-assistant/multi_step_api_router",
        "exposures -p csr-assistant multi_step_api_router --summary",
        "sql latest multi_step_api_router",
        "sql history csr-assistant/multi_step_api_router",
        "sql exposures -p csr-assistant feature multi_step_api_router",
        "sql list",
        "sql list-with-latest -p csr-assistant",
        "forget A12345 --dry-run",
        "forget A12345 -p csr-assistant --dry-run",
        "copy --from embedded:./flag-data --to embedded:./copy",
        "copy -p csr-assistant --from embedded:./flag-data --to embedded:./copy",
        "doctor -p csr-assistant",
        "tags",
        "export",
    ] {
        check_done(&in_folder(line));
    }
    for line in [
        "list one -p two",
        "sql list one -p two",
        "export one -p two",
    ] {
        check_failed(&in_folder(line), 2, &["two projects are named"]);
    }
    assert_eq!(in_folder("doctor -p other").status.code(), Some(3));
}

/// The type of a flag is looked up only if it is left out.
#[test]
fn a_query_needs_no_store_where_the_type_is_named() {
    let dir = TempDir::new().unwrap();
    let elsewhere = dir.path().join("none");
    let sql = |flag: &str| {
        command(&elsewhere, &["sql", "latest", flag])
            .output()
            .unwrap()
    };
    let query = sql(&format!("csr-assistant/feature/{NAME}"));
    check_done(&query);
    assert!(
        stdout(&query).contains("#FLAGTYPE#feature#FLAGNAME#"),
        "{}",
        stdout(&query)
    );
    check_failed(&sql(PATH), 6, &["there is no embedded store"]);
    let dir = with_revision();
    assert_eq!(
        stdout(&typed(&dir, &format!("sql latest {PATH}"))),
        stdout(&query)
    );
}

#[test]
fn exposures_are_selected_by_a_revision() {
    let dir = crate::world::world(crate::world::Stage::InUse);
    let store = dir.path().join("flag-data");
    let count = |options: &[&str]| {
        let args = [&["exposures", PATH, "-oname"], options].concat();
        let shown = command(&store, &args).output().unwrap();
        check_done(&shown);
        stdout(&shown).lines().count()
    };
    // They were served between the first revision and the second.
    assert_eq!(count(&["--since", "r1"]), 2);
    assert_eq!(count(&["--since", "r1", "--until", "~1"]), 2);
    assert_eq!(count(&["--since", "~1"]), 0);
    let future = command(&store, &["exposures", PATH, "--until", "2999-01-01"]);
    check_failed(
        &{ future }.output().unwrap(),
        2,
        &["which is in the future"],
    );
    let none = command(&store, &["exposures", PATH, "--since", "r9"]);
    check_failed(&{ none }.output().unwrap(), 3, &["has no r9"]);
}

/// `--wait` and `--stale` may stand alone, so their values must follow `=`.
#[test]
fn a_value_that_needs_an_equals_sign_is_pointed_at() {
    let dir = with_revision();
    let wait = "tip: to pass 3s as the value of '--wait', use '--wait=3s'";
    for line in [
        format!("revise {PATH} --wait 3s"),
        format!("revise {PATH} 10% --wait 3s"),
        format!("kill {PATH} --wait 3s"),
    ] {
        check_failed(&typed(&dir, &line), 2, &["error: ", wait]);
    }
    let stale = "tip: to pass 7 as the value of '--stale', use '--stale=7'";
    check_failed(&typed(&dir, "list --stale 7"), 3, &["error: ", stale]);
    let other = typed(&dir, &format!("revise {PATH} --wait maybe"));
    assert!(!stderr(&other).contains("tip:"), "{}", stderr(&other));
}
