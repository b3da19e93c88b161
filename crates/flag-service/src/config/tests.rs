//! What is read from options, variables and the file, and how errors are reported.

use std::time::Duration;

use super::*;

fn read(args: &[&str], environment: &[(&str, &str)]) -> Result<Config, SettingErrors> {
    let args = ["flag-service"].iter().chain(args).map(OsString::from);
    Config::read(
        args,
        environment
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    )
}

#[track_caller]
fn check_refused(environment: &[(&str, &str)], expected: &[&str]) {
    let errors = read(&[], environment).unwrap_err().to_string();
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn another_environment_tenant_or_project_is_another_deployment() {
    let deployment = |variable, value| Config::of(&[(variable, value)]).deployment;
    let same = deployment("FLAG_DATA_DIR", "flag-data");
    for variable in ["ENVIRONMENT", "TENANT_NAME", "PROJECT_ID"] {
        assert_ne!(deployment(variable, "prod"), same, "{variable}");
    }
}

#[test]
fn the_most_workers_are_the_end_of_the_range_of_the_setting() {
    let workers = |count: usize| Ok(read(&[&format!("--workers={count}")], &[])?.workers);
    let refused: Result<usize, SettingErrors> = workers(MAX_WORKERS + 1);
    assert_eq!(workers(MAX_WORKERS).unwrap(), MAX_WORKERS);
    assert!(refused.is_err());
}

#[test]
fn every_default_is_valid() {
    let config = read(&[], &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.cache.flags.lifetime, Duration::from_mins(5));
    assert_eq!(config.demo, Demo::Off);
    assert!(config.workers >= 1);
    assert_eq!(config.store.display_name(), "embedded store in ./flag-data");
}

#[test]
fn the_variables_of_the_reference_name_its_tables() {
    let variables = [
        ("FLAG_STORE", "bigtable"),
        ("environment", "hcb-test"),
        ("TENANT_NAME", "abc"),
        ("BT_TABLE_ID", "t"),
    ];
    let config = read(&[], &variables).unwrap();
    assert_eq!(
        config.store.display_name(),
        "Bigtable table t in anbc-hcb-test/abc-db-hcb-test"
    );
}

#[track_caller]
fn check_store(args: &[&str], environment: &[(&str, &str)], place: &str, origin: &str) {
    let config = read(args, environment).unwrap();
    assert_eq!(config.store.display_name(), place);
    assert_eq!(config.store_origin.to_string(), origin);
}

#[test]
fn the_environment_of_the_reference_means_bigtable() {
    let environment = [
        ("PROJECT_ID", "p"),
        ("INSTANCE_ID", "i"),
        ("BT_TABLE_ID", "t"),
    ];
    check_store(
        &[],
        &environment,
        "Bigtable table t in p/i",
        "because bigtable-instance is set: variable INSTANCE_ID",
    );
    let embedded = "embedded store in ./flag-data";
    check_store(&["--demo"], &environment, embedded, "command line");
    check_store(&[], &[("PROJECT_ID", "p")], embedded, "default");
}

#[test]
fn a_path_that_was_taken_too_literally_is_refused() {
    check_refused(
        &[
            ("FLAG_DATA_DIR", "\"/x\""),
            ("FLAG_API_KEYS_FILE", "/k\r"),
            ("FLAG_SNAPSHOT_FILE", "~/s"),
            ("HOME", "/home/ann"),
        ],
        &[
            r#"data-dir (variable FLAG_DATA_DIR): found "\"/x\"", but quotes are taken as they are: write /x"#,
            r#"api-keys-file (variable FLAG_API_KEYS_FILE): found "/k\r", but line breaks and other control characters are taken as they are: write /k"#,
            r#"snapshot-file (variable FLAG_SNAPSHOT_FILE): found "~/s", but only a shell knows what `~` is: write /home/ann/s"#,
        ],
    );
}

#[test]
fn all_errors_are_reported_together() {
    check_refused(
        &[
            ("FLAG_STORE", "redis"),
            ("FLAG_LISTEN", "8080"),
            ("FLAG_WORKERS", "0"),
            ("FEATURE_FLAG_CACHE_TTL_MINUTES", "-1"),
        ],
        &[
            "store (variable FLAG_STORE): found \"redis\", expected embedded or bigtable",
            "listen (variable FLAG_LISTEN): found \"8080\", expected address:port",
            "workers (variable FLAG_WORKERS): found \"0\", expected a number in range [1, 512], or nothing",
            "feature-flag-cache-ttl-minutes (variable FEATURE_FLAG_CACHE_TTL_MINUTES): found \"-1\", expected minutes in range [0, 10080]",
        ],
    );
}

#[test]
fn a_wrong_environment_is_blamed_alone() {
    check_refused(
        &[("ENVIRONMENT", "a b"), ("FLAG_STORE", "bigtable")],
        &[
            "environment (variable ENVIRONMENT): found \"a b\", expected letters, digits, '.', '_', '-' or ':'",
        ],
    );
}

#[test]
fn a_level_that_is_none_is_refused() {
    for log in ["inof", "info,debgu", "actix_http=lots"] {
        let expected = format!(
            "log (variable FLAG_LOG): found {log:?}, expected a level, or directives by module"
        );
        check_refused(&[("FLAG_LOG", log)], &[&expected]);
    }
    assert!(read(&[], &[("FLAG_LOG", "warn,flag_service=trace")]).is_ok());
}

#[test]
fn hashed_instance_ids_want_a_key_that_is_never_shown() {
    let hashed = ("FLAG_LOG_INSTANCE_ID", "hashed");
    check_refused(
        &[hashed],
        &[
            "log-instance-id is hashed, but neither log-instance-id-key nor log-instance-id-key-file is set",
        ],
    );
    check_refused(
        &[hashed, ("FLAG_LOG_INSTANCE_ID_KEY", "short secret")],
        &["log-instance-id is hashed, but the key has less than 16 bytes"],
    );
    let key = ("FLAG_LOG_INSTANCE_ID_KEY", "a secret of 16 b");
    let shown = format!("{:?}", read(&[], &[hashed, key]).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a secret of 16 b\r\n").unwrap();
    let file = (
        "FLAG_LOG_INSTANCE_ID_KEY_FILE",
        file.path().to_str().unwrap(),
    );
    assert!(read(&[], &[hashed, file]).is_ok());
    check_refused(
        &[hashed, key, file],
        &[
            "log-instance-id is hashed, but log-instance-id-key and log-instance-id-key-file are both set",
        ],
    );
}

#[test]
fn a_protocol_that_we_do_not_speak_is_refused() {
    check_refused(
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", "10"),
        ],
        &[
            "otlp-endpoint (variable OTEL_EXPORTER_OTLP_ENDPOINT): found \"collector:4317\", expected http://host:port or https://host:port",
            "otlp-protocol (variable OTEL_EXPORTER_OTLP_PROTOCOL): found \"http/json\", expected http/protobuf or grpc",
            "traces-sampler-arg (variable OTEL_TRACES_SAMPLER_ARG): found \"10\", expected a number in range [0, 1]",
            "traces-sampler (variable OTEL_TRACES_SAMPLER): found \"jaeger_remote\", expected always_on, always_off, traceidratio, or one of them after parentbased_",
        ],
    );
}

#[test]
fn an_emulator_without_a_port_is_refused() {
    check_refused(
        &[("BIGTABLE_EMULATOR_HOST", "localhost")],
        &[
            "bigtable-emulator (variable BIGTABLE_EMULATOR_HOST): found \"localhost\", expected host:port",
        ],
    );
}

#[test]
fn an_emulator_that_can_be_guessed_is_written_out() {
    for found in [
        "http://[::1]:8086",
        "::1:8086",
        "'[::1]:8086'",
        "http://::1:8086/",
    ] {
        let expected = format!(
            "bigtable-emulator (variable BIGTABLE_EMULATOR_HOST): found {found:?}, expected host:port: write [::1]:8086"
        );
        check_refused(&[("BIGTABLE_EMULATOR_HOST", found)], &[&expected]);
    }
}

#[test]
fn an_emulator_is_refused_in_production() {
    check_refused(
        &[
            ("ENVIRONMENT", "hcb-prod"),
            ("BIGTABLE_EMULATOR_HOST", "localhost:8086"),
        ],
        &[
            "bigtable-emulator (variable BIGTABLE_EMULATOR_HOST): refused in environment \"hcb-prod\", which is production",
        ],
    );
}
