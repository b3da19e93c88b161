//! `flag-service --check-config`, before anything is started.

use std::path::Path;
use std::process::{Command, Output};

use flag_tests::binary;
use flag_tests::tls::TlsFiles;

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

#[test]
fn a_file_that_a_start_would_refuse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap();
    for (setting, variables) in [
        (
            "FLAG_BIGTABLE_CA_FILE is",
            [("FLAG_STORE", "bigtable"), ("FLAG_BIGTABLE_CA_FILE", pipe)],
        ),
        (
            "FLAG_BIGTABLE_CA_FILE is \"/nope.pem\", which cannot be read",
            [
                ("FLAG_STORE", "bigtable"),
                ("FLAG_BIGTABLE_CA_FILE", "/nope.pem"),
            ],
        ),
        (
            "tls-key-file (variable FLAG_TLS_KEY_FILE): ",
            [
                ("FLAG_TLS_CERTIFICATE_FILE", "/nope.pem"),
                ("FLAG_TLS_KEY_FILE", pipe),
            ],
        ),
        (
            "tls-certificate-file (variable FLAG_TLS_CERTIFICATE_FILE): /nope.pem",
            [
                ("FLAG_TLS_CERTIFICATE_FILE", "/nope.pem"),
                ("FLAG_TLS_KEY_FILE", pipe),
            ],
        ),
    ] {
        let output = check_config("", &variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(&format!("error: {setting}")), "{stderr}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_a_warning() {
    let files = TlsFiles::of_localhost();
    files.put("expired.pem", "certificate.pem");
    let variables = files.variables();
    let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
    let output = check_config("", &variables);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let warning = "warning: tls-certificate-file: the certificate expired at 2021-01-01T00:00:00Z";
    assert!(stderr.contains(warning), "{stderr}");
}

#[test]
fn a_password_in_a_url_is_not_shown() {
    for scheme in ["http", "ftp"] {
        let endpoint = format!("{scheme}://u:hunter2@h:4318");
        let output = check_config("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("://(hidden)@h:4318"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
