//! `flag-service --check-config`, before anything is started.

use std::path::Path;
use std::process::{Command, Output};

use flag_tests::binary;

/// Runs it in an empty folder with this configuration file, and checks that nothing appears there.
fn check_config(file: &str, variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("flag-service.toml");
    std::fs::write(&config, file).unwrap();
    let output = Command::new(binary("flag-service"))
        .args([Path::new("--check-config"), Path::new("--config"), &config])
        .current_dir(folder.path())
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "it opened a store");
    output
}

#[test]
fn every_mistake_of_a_configuration_is_named_at_once_and_nothing_is_started() {
    let file = "listne = '127.0.0.1:80'\nworkers = 'many'\nlog_format = 'xml'\n";
    let variables = [
        ("FLAG_STORE", "cellar"),
        ("FLAG_LOG_FROMAT", "json"),
        ("FLAG_LOG_INSTANCE_ID_KEY", "hunter2-hunter2-hunter2"),
    ];
    let output = check_config(file, &variables);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for problem in [
        "warning: FLAG_LOG_FROMAT: no setting has this variable; did you mean FLAG_LOG_FORMAT?",
        "listne is no setting; did you mean listen?",
        "error: store (variable FLAG_STORE): found \"cellar\"",
        "error: workers (file ",
        "error: log-format (file ",
    ] {
        assert!(stderr.contains(problem), "no {problem:?} in {stderr}");
    }
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("= many (file "), "{stdout}");
    assert!(stdout.contains("= (hidden) (variable FLAG_LOG_INSTANCE_ID_KEY)"));
    assert!(!(stdout + &stderr).contains("hunter2"));
}

#[test]
fn a_valid_configuration_is_shown_and_nothing_is_started() {
    let output = check_config("workers = 3\n", &[("FLAG_KEEP_ALIVE_SECONDS", "30")]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert_eq!(output.stderr, b"");
    assert!(stdout.contains("= 30 (variable FLAG_KEEP_ALIVE_SECONDS)"));
    assert!(stdout.contains("= 3 (file "));
    assert!(stdout.ends_with("the configuration is valid\n"));
}
