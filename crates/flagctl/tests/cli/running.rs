//! Settings, stores, standard output and help: what all commands share.

use std::process::Stdio;

use tempfile::TempDir;

use crate::*;

#[test]
fn settings_are_taken_before_and_after_the_command() {
    let dir = with_revision();
    let elsewhere = TempDir::new().unwrap();
    let path = dir.path().to_str().unwrap();
    let get = ["get", "csr-assistant", "feature", NAME];
    let option = ["--data-dir", path];
    check_done(&flagctl(&elsewhere, &[&option[..], &get].concat()));
    check_done(&flagctl(&elsewhere, &[&get[..], &option].concat()));
    check_failed(
        &flagctl(&elsewhere, &get),
        6,
        &["there is no embedded store in "],
    );
}

/// A folder that was mistyped doesn't become a store.
#[test]
fn looking_makes_no_store() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("mistyped");
    for subcommand in ["get", "history", "latest", "rollback", "explain"] {
        let instance = (subcommand == "explain").then_some("A12345");
        let flag = [subcommand, "csr-assistant", "feature", NAME]
            .into_iter()
            .chain(instance);
        let failed = command(&folder, &flag.collect::<Vec<_>>())
            .output()
            .unwrap();
        check_failed(&failed, 6, &["`flagctl init` creates it"]);
        assert!(!folder.exists());
    }
}

#[test]
fn mistakes_in_settings_are_reported_together() {
    let dir = TempDir::new().unwrap();
    let get = [
        "get",
        "p",
        "feature",
        "f",
        "--store=sqlite",
        "--bigtable-project=a b",
    ];
    let failed = flagctl(&dir, &get);
    let says = [
        "error: store (command line): found \"sqlite\", expected embedded or bigtable\n",
        "error: bigtable-project (command line): found \"a b\", expected ",
    ];
    check_failed(&failed, 2, &says);
    assert!(std::fs::read_dir(&dir).unwrap().next().is_none());
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["get", "csr-assistant"][..],
        &["get", "csr-assistant", "boolean", "x"],
        &["frobnicate"],
        &[
            "add",
            "p",
            "feature",
            "f",
            "--description=x",
            "--expires-on=soon",
        ],
        &[
            "revise",
            "p",
            "feature",
            "f",
            "--comment=x",
            "--from-revision=someday",
        ],
    ] {
        check_failed(&flagctl(&dir, args), 2, &[]);
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_unavailable() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let args = [
        "add",
        "csr-assistant",
        "feature",
        NAME,
        "--description",
        "x",
    ];
    let failed = command(&file, &args).output().unwrap();
    check_failed(&failed, 6, &["cannot open the embedded store\ncaused by: "]);
}

#[test]
fn a_bigtable_that_does_not_answer_is_unavailable() {
    let dir = TempDir::new().unwrap();
    let emulator = ["--store", "bigtable", "--bigtable-emulator", "127.0.0.1:1"];
    let failed = on_flag(&dir, "get", &emulator);
    check_failed(
        &failed,
        6,
        &["127.0.0.1:1", "caused by: the store is unavailable\n"],
    );
}

#[test]
fn an_emulator_that_is_no_address_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    let emulator = ["--store", "bigtable", "--bigtable-emulator", "nowhere"];
    let failed = on_flag(&dir, "get", &emulator);
    check_failed(&failed, 2, &["\"nowhere\", expected host:port"]);
}

#[test]
fn only_production_refuses_an_emulator() {
    let dir = TempDir::new().unwrap();
    let init = |environment: &str| {
        let mut command = command(dir.path(), &["init", "--store=embedded"]);
        command
            .env("BIGTABLE_EMULATOR_HOST", "127.0.0.1:1")
            .env("environment", environment)
            .output()
            .unwrap()
    };
    check_failed(&init("hcb-prod"), 2, &["\"hcb-prod\", which is production"]);
    check_failed(&init("prod.eu"), 2, &["which is production"]);
    for environment in ["hcb-dev", "hcb-nonprod", "preprod"] {
        check_done(&init(environment));
    }
}

#[test]
fn a_reader_who_has_gone_is_no_failure() {
    let dir = with_revision();
    let args = ["get", "csr-assistant", "feature", NAME];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(dir.path(), &args)
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let dir = with_revision();
    let args = ["get", "csr-assistant", "feature", NAME];
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = command(dir.path(), &args)
        .stdout(full.unwrap())
        .output()
        .unwrap();
    check_failed(
        &output,
        1,
        &[
            "error: the command is done, but its result cannot be written to standard output\ncaused by: ",
        ],
    );
}

#[test]
fn help_and_version_are_no_failures() {
    let dir = TempDir::new().unwrap();
    for subcommand in ["add", "revise", "get", "history"] {
        let help = flagctl(&dir, &[subcommand, "--help"]);
        check_done(&help);
        let example = format!("\n  flagctl {subcommand} csr-assistant ");
        assert!(stdout(&help).contains(&example), "{}", stdout(&help));
    }
    assert!(stdout(&flagctl(&dir, &["--help"])).contains("Exit codes:\n  0  Done."));
    let version = format!("flagctl {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&flagctl(&dir, &["--version"])), version);
}
