//! Metrics, as Prometheus scrapes them, and what is built on them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flag_tests::{Collector, Exposition, Service, TestStore};

const OPENMETRICS: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// What must be in no metric: whom a value is for.
const INSTANCE: &str = "A12345-canary";

/// Metrics that only something that went wrong brings forth.
const ON_OCCASION: [&str; 7] = [
    "flag_passed_over",
    "flag_sample_ratio_mismatch",
    "flag_store_calls_rejected_total",
    "flag_tls_certificate_expiry_timestamp_seconds",
    "flag_tls_files_current",
    "flag_tls_handshakes_failed_total",
    "flag_unreadable",
];

/// A service that was asked everything that it counts.
async fn asked(store: &TestStore, collector: &Collector) -> Service {
    let endpoint = collector.endpoint();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    let service = Service::start_with(store, &["--demo"], &variables);
    for name in ["llm_provider", "llm_version", "nowhere"] {
        for instance in [INSTANCE, "A12345", "it's \"other\"\n"] {
            service.ask("csr-assistant", "data", name, instance).await;
        }
    }
    service.ask("csr-assistant", "boolean", "x", INSTANCE).await;
    service.get("/nowhere/A12345-canary", &[]).await;
    service
}

async fn scrape(service: &Service) -> (String, Exposition) {
    let (kind, text) = service.text("/metrics", OPENMETRICS).await;
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let scrape = Exposition::parse(&text);
    (text, scrape)
}

#[tokio::test]
async fn a_scrape_counts_what_was_asked_and_not_for_whom() {
    let (store, collector) = (TestStore::embedded(), Collector::http().await);
    let service = asked(&store, &collector).await;
    let (text, scrape) = scrape(&service).await;
    let requests = |route, status: &str| {
        scrape.value(
            "flag_requests_total",
            &[("route", route), ("status", status)],
        )
    };
    assert_eq!(requests("/get-feature-flag", "200"), Some(6.0));
    assert_eq!(requests("/get-feature-flag", "404"), Some(3.0));
    assert_eq!(requests("/get-feature-flag", "400"), Some(1.0));
    assert_eq!(requests("/get-feature-flag", "504"), Some(0.0));
    assert_eq!(requests("unknown", "404"), Some(1.0));
    let route = [("route", "/get-feature-flag")];
    let lasted = scrape.value("flag_request_duration_seconds_count", &route);
    assert_eq!(lasted, Some(10.0));
    let decisions = |reason| scrape.value("flag_decisions_total", &[("reason", reason)]);
    assert_eq!(decisions("override"), Some(1.0));
    let rollout = decisions("rollout").unwrap();
    assert_eq!(decisions("control"), Some(5.0 - rollout));
    assert_eq!(scrape.value("flag_requests_in_flight", &[]), Some(1.0));
    assert!(scrape.value("process_resident_memory_bytes", &[]).unwrap() > 1e6);
    assert!(
        !text.contains("A12345") && !text.contains("nowhere"),
        "{text}"
    );
}

/// The tool of Prometheus itself has its say where it is installed.
#[tokio::test]
async fn who_asks_for_nothing_gets_the_older_text() {
    let (store, collector) = (TestStore::embedded(), Collector::http().await);
    let service = asked(&store, &collector).await;
    let (kind, text) = service.text("/metrics", "*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE flag_requests_total counter\n"));
    assert!(text.contains("# TYPE flag_build_info gauge\n"));
    assert!(!text.contains("# EOF"));
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    if let Ok(mut promtool) = promtool {
        promtool
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let said = promtool.wait_with_output().unwrap();
        assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stdout)
        );
    }
}

#[tokio::test]
async fn names_have_base_units() {
    let (store, collector) = (TestStore::embedded(), Collector::http().await);
    let service = asked(&store, &collector).await;
    let (_, scrape) = scrape(&service).await;
    for (name, kind) in &scrape.kinds {
        let is_ours = name.starts_with("flag_") || name.starts_with("process_");
        assert!(is_ours, "{name}");
        for unit in [
            "_ms", "_millis", "_micros", "_minutes", "_kb", "_mb", "_total",
        ] {
            assert!(!name.ends_with(unit), "{name}");
        }
        let is_time = name.contains("duration") || name.contains("_time");
        assert!(!is_time || name.ends_with("_seconds"), "{name}");
        let is_histogram = kind == "histogram";
        let has_unit = name.ends_with("_seconds") || name.ends_with("_bytes");
        assert!(!is_histogram || has_unit, "{name} has no unit");
    }
}

/// Whatever the dashboard, the alerts and the handbook name is counted, and whatever is counted is in the handbook.
#[tokio::test]
async fn what_is_named_is_counted() {
    let (store, collector) = (TestStore::embedded(), Collector::http().await);
    let service = asked(&store, &collector).await;
    let (_, scrape) = scrape(&service).await;
    let counted: BTreeSet<String> = scrape.names().into_iter().map(str::to_owned).collect();
    let known: BTreeSet<&str> = ON_OCCASION.into_iter().collect();
    let mut missing = Vec::new();
    for page in [
        "deploy/monitoring/dashboard.json",
        "deploy/monitoring/rules.yaml",
        "docs/operating.md",
    ] {
        let names = metrics_in(&std::fs::read_to_string(root().join(page)).unwrap());
        assert!(names.len() > 5, "{page}: {names:?}");
        let unknown = names.into_iter().filter(|name| {
            let series = [name.clone(), format!("{name}_count")];
            !series
                .iter()
                .any(|it| counted.contains(it) || known.contains(&**it))
        });
        missing.extend(unknown.map(|name| format!("{page}: {name}")));
    }
    assert!(missing.is_empty(), "not counted: {missing:#?}");
    let handbook = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let untold: Vec<_> = scrape
        .kinds
        .iter()
        .filter(|(name, kind)| {
            let suffix = match kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            !handbook.contains(&format!("| `{name}{suffix}"))
        })
        .collect();
    assert!(
        untold.is_empty(),
        "without a row in docs/operating.md: {untold:?}"
    );
}

/// The tool of Prometheus checks the alerts, and their tests, where it is installed.
#[test]
fn the_alerts_can_be_loaded() {
    let folder = root().join("deploy/monitoring");
    for arguments in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "rules_test.yaml"],
    ] {
        let said = Command::new("promtool")
            .args(arguments)
            .current_dir(&folder)
            .output();
        let Ok(said) = said else { return };
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{text}");
    }
}

#[test]
fn every_alert_has_its_place_in_the_handbook() {
    let rules = std::fs::read_to_string(root().join("deploy/monitoring/rules.yaml")).unwrap();
    let handbook = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let links = rules.matches("docs/operating.md#").count();
    assert_eq!(alerts.clone().count(), links);
    for alert in alerts {
        let anchor = format!("docs/operating.md#{}\"", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert}: no link {anchor}");
        assert!(handbook.contains(&format!("### {alert}\n")), "{alert}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let text = std::fs::read_to_string(root().join("deploy/monitoring/dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{title}"
        );
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let asked = target["expr"].as_str().unwrap();
            assert!(asked.contains("job=~\"$job\""), "{title}: {asked}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
        let (x, w) = (&panel["gridPos"]["x"], &panel["gridPos"]["w"]);
        assert!(x.as_u64().unwrap() + w.as_u64().unwrap() <= 24, "{title}");
    }
    assert!(ids.len() >= 12);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The names in a text that look like metrics of ours, and no settings, files or rules.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || "_:-./".contains(it)));
    let ours = words.filter(|word| {
        let begins = word.starts_with("flag_") || word.starts_with("process_");
        begins && word.chars().all(is_part)
    });
    ours.filter(|word| !NO_METRICS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// Words that look like metrics.
const NO_METRICS: [&str; 7] = [
    "flag_not_found",
    "flag_name",
    "flag_type",
    "flag_value",
    "flag_table",
    "flag_service",
    "flag_runtime",
];
