//! Completion: what may stand at the cursor, from the command line and from the store, and how a shell shows it.

use std::io::Write as _;
use std::process::Stdio;

use crate::terminal::{seen_until, terminal};
use crate::world::{Stage, world};
use crate::*;

const PATH: &str = "csr-assistant/multi_step_api_router";

/// What stands at the cursor behind the last word, each with what it is; the store has more time than in a shell.
fn complete(dir: &Path, words: &[&str]) -> Vec<(String, String)> {
    let args = ["__complete", "--within", "20000", "--"];
    let mut command = command(&dir.join("flag-data"), &[&args, words].concat());
    let output = command.current_dir(dir).output().unwrap();
    check_done(&output);
    assert_eq!(stderr(&output), "", "{words:?}");
    let lines = stdout(&output).lines();
    lines
        .map(|line| {
            let (word, about) = line.split_once('\t').unwrap_or((line, ""));
            (word.to_owned(), about.to_owned())
        })
        .collect()
}

#[track_caller]
fn check(dir: &TempDir, words: &[&str], expected: &[&str]) {
    let found = complete(dir.path(), words);
    let mut found: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{words:?}");
}

#[test]
fn commands_options_and_their_values_are_completed() {
    let dir = world(Stage::InUse);
    check(&dir, &["rev"], &["revise"]);
    check(&dir, &["__"], &[]);
    check(&dir, &["keys", "c"], &["create"]);
    check(&dir, &["get", "--da"], &["--data-dir"]);
    check(
        &dir,
        &["list", "--sort", ""],
        &["name", "updated", "expires"],
    );
    check(&dir, &["list", "--sort=n"], &["--sort=name"]);
    check(&dir, &["list", "--sort", "=", "n"], &["name"]);
    check(
        &dir,
        &["list", "--sort", "="],
        &["name", "updated", "expires"],
    );
    check(&dir, &["apply", "-f", ""], &[":files"]);
    check(&dir, &["update", PATH, "--description", ""], &[]);
    let commands = complete(dir.path(), &["kill"]);
    assert_eq!(
        commands[0].1,
        "Give everybody the control value, in one step"
    );
}

#[test]
fn projects_and_flags_are_completed() {
    let dir = world(Stage::InUse);
    check(&dir, &["list", ""], &["csr-assistant"]);
    check(&dir, &["get", "-p", "csr"], &["csr-assistant"]);
    check(&dir, &["get", "csr"], &["csr-assistant/"]);
    check(&dir, &["add", ""], &["csr-assistant/"]);
    let both = [PATH, "csr-assistant/greeting"];
    check(&dir, &["get", "csr-assistant/"], &both);
    let typed = "csr-assistant/feature/multi_step_api_router";
    check(&dir, &["get", "csr-assistant/f"], &[]);
    check(&dir, &["get", "csr-assistant/feature/"], &[typed]);
    check(&dir, &["get", "csr-assistant", ""], &["data", "feature"]);
    check(&dir, &["get", "csr-assistant", "feature", ""], &[NAME]);
    check(
        &dir,
        &["get", "-p", "csr-assistant", ""],
        &[NAME, "greeting"],
    );
    check(&dir, &["get", "--project=csr-assistant", "mu"], &[NAME]);
    check(
        &dir,
        &["get", "-p", "csr-assistant", "data", ""],
        &["greeting"],
    );
    let about = complete(dir.path(), &["get", "csr-assistant/g"]);
    assert_eq!(about[0].1, "How to greet");
    std::fs::write(dir.path().join(".flag-project"), "csr-assistant\n").unwrap();
    check(&dir, &["revise", ""], &[NAME, "greeting"]);
    check(&dir, &["revise", NAME, "o"], &["on", "off"]);
    let add = ["add", "csr-assistant", "data", NAME, "--description=x"];
    check_done(
        &command(&dir.path().join("flag-data"), &add)
            .output()
            .unwrap(),
    );
    check(&dir, &["get", "mu"], &[]);
    let both_types = ["feature", "data"].map(|of| format!("csr-assistant/{of}/{NAME}"));
    check(&dir, &["get", "csr-assistant/mu"], &[]);
    check(
        &dir,
        &["get", "csr-assistant/feature/mu"],
        &[&both_types[0]],
    );
    check(&dir, &["get", "csr-assistant/data/mu"], &[&both_types[1]]);
}

#[test]
fn revisions_and_treatments_are_completed() {
    let dir = world(Stage::InUse);
    check(&dir, &["rollback", PATH, "--to", ""], &["r3", "r2", "r1"]);
    check(&dir, &["diff", PATH, "r2", ""], &["r3", "r2", "r1"]);
    check(&dir, &["diff", PATH, "r2", "r3", ""], &["r3", "r2", "r1"]);
    check(&dir, &["exposures", PATH, "--since", "r3"], &["r3"]);
    check(
        &dir,
        &["exposures", PATH, "--group", ""],
        &["treatment_1", "control"],
    );
    check(
        &dir,
        &["revise", PATH, "--treatment", ""],
        &["treatment_1", "new"],
    );
    let newest = complete(dir.path(), &["rollback", PATH, "--to", ""]);
    let about = "60 % get true, 1 by name, others false: left behind";
    assert_eq!(newest[0], ("r3".to_owned(), about.to_owned()));
}

#[test]
fn the_store_that_the_command_line_names_is_asked() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    let store = store.to_str().unwrap();
    let elsewhere = TempDir::new().unwrap();
    check(&elsewhere, &["list", ""], &[]);
    check(
        &elsewhere,
        &["--data-dir", store, "list", ""],
        &["csr-assistant"],
    );
    let option = format!("--data-dir={store}");
    check(&elsewhere, &["list", &option, ""], &["csr-assistant"]);
    assert!(!elsewhere.path().join("flag-data").exists());
}

/// Nothing is shown, and no error is printed, within a second: the user goes on typing.
#[track_caller]
fn check_silent(dir: &TempDir, options: &[&str]) {
    let args = ["__complete", "--within", "100", "--"];
    let words = [&args[..], options, &["list", ""]].concat();
    let output = flagctl(dir, &words);
    check_done(&output);
    assert_eq!((stdout(&output), stderr(&output)), ("", ""), "{options:?}");
}

#[test]
fn a_store_that_cannot_be_asked_is_passed_over_in_silence() {
    let none = TempDir::new().unwrap();
    check_silent(&none, &[]);
    check_silent(&none, &["--store=sqlite"]);
    check_silent(&none, &["--config=none.toml"]);
    let damaged = world(Stage::InUse);
    std::fs::write(damaged.path().join("flag-data/flags.db"), "no database").unwrap();
    let folder = damaged.path().join("flag-data");
    check_silent(&damaged, &["--data-dir", folder.to_str().unwrap()]);
    // It takes calls and answers none.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    check_silent(
        &none,
        &["--store=bigtable", "--bigtable-emulator", &address],
    );
    assert!(std::fs::read_dir(&none).unwrap().next().is_none());
}

/// Runs a shell on a terminal in a folder with a store; the store has more time than usual.
fn check_shell(shell: &[&str], source: &str, typed: &str, expected: &str) {
    let dir = world(Stage::InUse);
    let (mut ours, theirs) = terminal(50);
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .current_dir(&dir)
        .env_clear()
        .env("PATH", search_path())
        .env("HOME", dir.path())
        .env("TERM", "xterm")
        .env("LANG", "C.UTF-8")
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(Stdio::from(theirs));
    let mut child = command.spawn().unwrap();
    drop(command);
    ours.write_all(source.as_bytes()).unwrap();
    ours.write_all(b"\necho rea''dy\n").unwrap();
    seen_until(&mut ours, "ready\r\n");
    ours.write_all(typed.as_bytes()).unwrap();
    seen_until(&mut ours, expected);
    child.kill().unwrap();
    child.wait().unwrap();
}

const IN_BASH: &str = "source <(flagctl completions bash | sed 's/--within 80/--within 20000/')";

#[test]
fn bash_completes_a_flag_and_a_revision_from_the_store() {
    let bash = ["bash", "--norc", "--noprofile", "-i"];
    check_shell(
        &bash,
        IN_BASH,
        "flagctl get csr\t",
        "flagctl get csr-assistant/",
    );
    let flag = format!("flagctl get {PATH} ");
    check_shell(&bash, IN_BASH, "flagctl get csr-assistant/mu\t", &flag);
    let revision = format!("flagctl rollback {PATH} --to r");
    check_shell(&bash, IN_BASH, &format!("{revision}\t\t"), "r3  r2  r1");
    let project = "flagctl get --project=csr-assistant ";
    check_shell(&bash, IN_BASH, "flagctl get --project=c\t", project);
    let file = "flagctl run-config --file run-config.json ";
    check_shell(&bash, IN_BASH, "flagctl run-config --file run-\t", file);
}

fn is_installed(shell: &str) -> bool {
    let version = Command::new(shell).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn zsh_completes_a_flag_from_the_store_where_it_is_installed() {
    if !is_installed("zsh") {
        return;
    }
    let source = "autoload -U compinit; compinit -u; \
        source <(flagctl completions zsh | sed 's/--within 80/--within 20000/')";
    let zsh = ["zsh", "-f", "-i"];
    // The line is drawn piece by piece, so it is run, and shows the flag that was completed.
    let typed = "flagctl get csr-assistant/mu\t\n";
    check_shell(&zsh, source, typed, "description  Multi-step API router");
}

#[test]
fn fish_completes_flags_and_revisions_from_the_store_where_it_is_installed() {
    if !is_installed("fish") {
        return;
    }
    let dir = world(Stage::InUse);
    let script = "flagctl completions fish | sed 's/--within 80/--within 20000/' | source\n\
        complete -C 'flagctl get csr-assistant/mu'\n\
        complete -C 'flagctl list --project=c'\n\
        complete -C \"flagctl rollback csr-assistant/multi_step_api_router --to r1\"";
    let output = Command::new("fish")
        .args(["--no-config", "-c", script])
        .current_dir(&dir)
        .env_clear()
        .env("PATH", search_path())
        .env("HOME", dir.path())
        .output()
        .unwrap();
    let lines: Vec<&str> = stdout(&output)
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [PATH, "--project=csr-assistant", "r1"],
        "{}",
        stderr(&output)
    );
}
