//! What was served, and what clients say that they served, as the exposure log has it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};
use flag_store::{
    Clock as _, CountKey, ExposureRecord, ExposureScope, ExposureText, Minute, MinuteCounts,
    SystemClock, TimeRange,
};
use flag_tests::{Method, Proxy, Service, TestStore, flagctl, on_both_stores};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const PROJECT: &str = "csr-assistant";

on_both_stores!(
    every_answer_has_its_row_with_all_columns,
    what_counts_as_written_survives_a_kill,
    a_stop_under_load_loses_no_answer,
    an_entry_is_stored_before_the_answer,
    a_list_has_a_result_for_each_entry,
    what_is_logged_is_never_rewritten,
    an_entry_never_changes_what_the_service_logged,
    counts_of_all_replicas_and_runs_are_those_of_the_log,
    hashed_ids_are_the_same_in_every_row,
);

fn flag(flag_type: FlagType, name: &str) -> FlagKey {
    FlagKey {
        project: ProjectName::new(PROJECT).unwrap(),
        flag_type,
        name: FlagName::new(name).unwrap(),
    }
}

fn provider() -> FlagKey {
    flag(FlagType::Data, "llm_provider")
}

async fn logged(store: &TestStore, flag: &FlagKey) -> Vec<ExposureText> {
    let log = store.exposures().await;
    let of_flag = ExposureScope::Flag(flag);
    let records = log
        .page(of_flag, TimeRange::ALL, None, 1_000_000)
        .await
        .unwrap();
    records.records.iter().map(ExposureRecord::text).collect()
}

/// Asks for the provider's value; the request id, if it was answered.
async fn ask(service: &Service, instance: &str) -> String {
    let reply = service.ask(PROJECT, "data", "llm_provider", instance).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["request_id"].as_str().unwrap().to_owned()
}

async fn post(service: &Service, body: &Value) -> (u16, Value) {
    let request = service.request(Method::POST, "/log-feature-flag");
    let response = request.json(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn entry(instance: &str) -> Value {
    json!({
        "project_name": PROJECT, "flag_type": "data", "flag_name": "llm_provider",
        "instance_id": instance, "flag_value": "vertex", "rollout_group": "treatment_1",
    })
}

/// What became of exposures according to one scrape, whose counts must add up.
async fn check_counts(service: &Service) -> (u64, u64) {
    let scrape = service.scrape().await;
    let scrape = scrape.text();
    let value = |name: &str| {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        let value: Option<u64> = scrape.lines().find_map(value);
        value.unwrap_or_else(|| panic!("no {name} in {scrape}"))
    };
    let dropped = |reason| {
        value(&format!(
            "flag_exposures_dropped_total{{reason=\"{reason}\"}}"
        ))
    };
    let produced = value("flag_exposures_produced_total");
    let pending = value("flag_exposures_pending");
    let accounted = value("flag_exposures_written_total")
        + dropped("queue_full")
        + dropped("invalid")
        + dropped("refused")
        + pending;
    assert_eq!(produced, accounted, "{scrape}");
    (produced, pending)
}

/// Waits until no exposure is pending, and returns how many were produced.
pub(crate) async fn until_written(service: &Service) -> u64 {
    let began = Instant::now();
    loop {
        let (produced, pending) = check_counts(service).await;
        if pending == 0 {
            return produced;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn every_answer_has_its_row_with_all_columns(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let mut asked = BTreeSet::from([ask(&service, "A12345").await, ask(&service, "A12345").await]);
    for instance in 0..100 {
        asked.insert(ask(&service, &format!("#{instance} ü")).await);
    }
    let request = service.request(
        Method::HEAD,
        "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_provider&instance_id=B",
    );
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(service.stop().success());

    let log = logged(&store, &provider()).await;
    let in_log: BTreeSet<String> = log.iter().map(|row| row.request_id.clone()).collect();
    assert_eq!(in_log, asked);
    assert_eq!(log.len(), asked.len());
    let flags = store.flags().await;
    let revision = flags.newest_revision(&provider()).await.unwrap().unwrap();
    for row in &log {
        assert_eq!(
            row.revision,
            Some(revision.created().to_string()),
            "{row:?}"
        );
        let group = match row.reason.as_deref() {
            Some("override") => ("vertex", "treatment_1", true),
            Some("rollout") => ("vertex", "treatment_1", false),
            Some("control") => ("openai", "control", false),
            _ => panic!("{row:?}"),
        };
        let found = (&*row.value, &*row.rollout_group, row.bucket.is_none());
        assert_eq!(found, group);
        assert!(row.key.ends_with(&row.created), "{row:?}");
        assert_eq!(
            row.instance == "A12345",
            row.reason.as_deref() == Some("override")
        );
    }
    let from_store = log
        .iter()
        .filter(|row| row.from_cache.as_deref() == Some("false"));
    assert_eq!(from_store.count(), 1, "only the first read the store");
    let shown = flagctl(
        &store,
        &[
            "exposures",
            PROJECT,
            "data",
            "llm_provider",
            "--instance",
            "A12345",
            "--output",
            "json",
        ],
    );
    assert_eq!(shown.code, 0, "{shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        shown
            .as_array()
            .or(shown["exposures"].as_array())
            .unwrap()
            .len(),
        2
    );
}

async fn what_counts_as_written_survives_a_kill(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    for instance in 0..50 {
        ask(&service, &instance.to_string()).await;
    }
    assert_eq!(until_written(&service).await, 50);
    service.signal("-KILL");
    drop(service);
    assert_eq!(logged(&store, &provider()).await.len(), 50);
}

async fn counts_of_all_replicas_and_runs_are_those_of_the_log(store: TestStore) {
    let began = Minute::of(SystemClock.now());
    let one = Service::start_with(&store, &["--demo"], &[]);
    let other = Service::start(&store);
    for instance in 0..40 {
        ask(&one, &format!("one-{instance}")).await;
        ask(&other, &format!("other-{instance}")).await;
    }
    one.stop();
    let again = Service::start(&store);
    for instance in 0..20 {
        ask(&again, &format!("again-{instance}")).await;
        ask(&other, &format!("other-{instance}")).await;
    }
    again.stop();
    other.stop();
    let mut expected = BTreeMap::new();
    for exposure in logged(&store, &provider()).await {
        let minute = exposure.created[.."YYYY-MM-DD HH:MM".len()].to_owned();
        *expected
            .entry((minute, exposure.rollout_group))
            .or_insert(0) += 1;
    }
    let subject = provider();
    let within = began..Minute::of(SystemClock.now()).plus(1);
    let log = store.exposures().await;
    let counts = log.counts(&subject, within).await.unwrap();
    assert_eq!(counts.iter().map(MinuteCounts::total).sum::<u64>(), 120);
    let mut found = BTreeMap::new();
    for of_minute in &counts {
        for (count_key, count) in of_minute.entries() {
            let CountKey::Group { rollout_group, .. } = count_key else {
                panic!("{count_key:?}");
            };
            let mut minute = of_minute.minute.start().to_string();
            minute.truncate("YYYY-MM-DD HH:MM".len());
            *found.entry((minute, rollout_group.clone())).or_insert(0) += *count;
        }
    }
    assert_eq!(found, expected);
}

async fn a_stop_under_load_loses_no_answer(store: TestStore) {
    Service::start_with(&store, &["--demo"], &[]).stop();
    for _ in 0..3 {
        stop_under_load(&store).await;
    }
}

/// Asks from several connections until the service is gone; every answer that came must be in the log.
async fn stop_under_load(store: &TestStore) {
    let service = Service::start(store);
    ask(&service, "warm").await;
    let mut load = JoinSet::new();
    for client in 0..4 {
        let url = format!(
            "{}/get-feature-flag?project_name={PROJECT}&flag_type=data&flag_name=llm_provider&instance_id=c{client}",
            service.url()
        );
        load.spawn(async move {
            let http = reqwest::Client::new();
            let mut answered = Vec::new();
            while let Ok(response) = http.get(&url).send().await {
                assert_eq!(response.status().as_u16(), 200);
                let Ok(reply) = response.json::<Value>().await else {
                    break;
                };
                answered.push(reply["request_id"].as_str().unwrap().to_owned());
            }
            answered
        });
    }
    while service.metric("flag_exposures_produced_total").await < 100 {}
    let status = tokio::task::spawn_blocking(|| service.stop())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    let answered: BTreeSet<String> = load.join_all().await.into_iter().flatten().collect();
    assert!(answered.len() > 50);
    let log = logged(store, &provider()).await;
    let in_log: BTreeSet<String> = log.into_iter().map(|row| row.request_id).collect();
    assert_eq!(answered.difference(&in_log).next(), None, "not in the log");
}

async fn an_entry_is_stored_before_the_answer(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let (status, told) = post(&service, &entry("A1")).await;
    assert_eq!((status, &told["status"]), (200, &json!("stored")));
    let log = logged(&store, &provider()).await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (&*log[0].request_id, &*log[0].created),
        (
            told["request_id"].as_str().unwrap(),
            told["created_time"].as_str().unwrap()
        )
    );
    assert_eq!((&log[0].reason, &log[0].from_cache), (&None, &None));

    let mut again = entry("A1");
    again["request_id"] = told["request_id"].clone();
    again["created_time"] = told["created_time"].clone();
    assert_eq!(post(&service, &again).await, (200, told));
    assert_eq!(
        logged(&store, &provider()).await.len(),
        1,
        "one row, sent twice"
    );

    let slash = service
        .request(Method::POST, "/log-feature-flag/")
        .json(&entry("A2"));
    assert_eq!(slash.send().await.unwrap().status(), 200);
    assert_eq!(
        service
            .metric("flag_exposure_entries_total{outcome=\"stored\"}")
            .await,
        3
    );
    assert_eq!(service.metric("flag_exposures_produced_total").await, 0);
}

async fn a_list_has_a_result_for_each_entry(store: TestStore) {
    let service = Service::start(&store);
    let mut wrong = entry("A2");
    wrong["bucket"] = json!("many");
    let list = json!([entry("A1"), wrong, entry("A1"), 7]);
    let (status, told) = post(&service, &list).await;
    assert_eq!(status, 200, "{told}");
    let results: Vec<_> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].clone())
        .collect();
    assert_eq!(results, ["stored", "refused", "stored", "refused"]);
    assert_eq!(
        (&told["results"][1]["code"], &told["results"][1]["detail"]),
        (
            &json!("invalid_request"),
            &json!("[1].bucket: found \"many\", expected a whole number in range [0, 99999]")
        )
    );
    assert_eq!(
        logged(&store, &provider()).await.len(),
        2,
        "two rows of one instance"
    );

    let (status, told) = post(&service, &json!([entry(""), 7])).await;
    assert_eq!((status, &told["code"]), (400, &json!("invalid_request")));
    assert_eq!(
        told["detail"],
        "[0].instance_id: found \"\", expected 1 to 512 bytes without NUL; [1]: found 7, expected an entry"
    );
    assert_eq!(
        post(&service, &json!([])).await,
        (200, json!({ "results": [] }))
    );
    let (status, told) = post(&service, &json!(vec![7; 501])).await;
    assert_eq!(
        (status, &told["detail"]),
        (
            400,
            &json!("body: found 501 entries, expected an entry, or a list of at most 500")
        )
    );
}

/// The text of a time `seconds` seconds from now.
fn seconds_from_now(seconds: i64) -> String {
    let now = SystemClock.now().unix_micros();
    let then = Timestamp::from_unix_micros(now + seconds * 1_000_000);
    then.unwrap().to_string()
}

async fn what_is_logged_is_never_rewritten(store: TestStore) {
    const DIFFERS: &str = "an exposure with this request id and time is already logged, with another AssignedValue; nothing was changed";
    let service = Service::start(&store);
    let mut first = entry("A1");
    first["request_id"] = json!("r-1");
    first["created_time"] = json!(seconds_from_now(-60));
    first["reason"] = json!("rollout");
    first["bucket"] = json!(7);
    let (status, told) = post(&service, &first).await;
    assert_eq!((status, &told["status"]), (200, &json!("stored")));
    let log = logged(&store, &provider()).await;

    let mut second = entry("A1");
    for field in ["request_id", "created_time"] {
        second[field] = first[field].clone();
    }
    second["flag_value"] = json!("openai");
    let (status, told) = post(&service, &second).await;
    assert_eq!((status, &told["code"]), (400, &json!("invalid_request")));
    assert_eq!(told["detail"], DIFFERS);
    assert_eq!(logged(&store, &provider()).await, log);

    // In a list the first entry with a key counts, whatever follows with the same key.
    let mut other = second.clone();
    other["instance_id"] = json!("A2");
    let mut later = first.clone();
    later["instance_id"] = json!("A2");
    let list = json!([second, other, later, first, other]);
    let (status, told) = post(&service, &list).await;
    assert_eq!(status, 200, "{told}");
    let results = told["results"].as_array().unwrap().iter();
    let results: Vec<_> = results
        .map(|result| (result["status"].clone(), result["detail"].clone()))
        .collect();
    let (stored, refused) = (
        (json!("stored"), Value::Null),
        (json!("refused"), json!(DIFFERS)),
    );
    assert_eq!(
        results,
        [
            refused.clone(),
            stored.clone(),
            refused,
            stored.clone(),
            stored
        ]
    );
    let log = logged(&store, &provider()).await;
    let values: Vec<_> = log
        .iter()
        .map(|row| (&*row.instance, &*row.value))
        .collect();
    assert_eq!(values, [("A1", "vertex"), ("A2", "openai")]);
    let entries = "flag_exposure_entries_total";
    assert_eq!(
        service
            .metric(&format!("{entries}{{outcome=\"refused\"}}"))
            .await,
        3
    );
}

async fn an_entry_never_changes_what_the_service_logged(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let request_id = ask(&service, "A12345").await;
    until_written(&service).await;
    let log = logged(&store, &provider()).await;
    let [served] = &*log else {
        panic!("{log:?}");
    };
    let mut same = entry("A12345");
    same["request_id"] = json!(request_id);
    same["created_time"] = json!(served.created);
    same["reason"] = json!(served.reason);
    same["revision"] = json!(served.revision);
    same["cache_flag"] = json!(served.from_cache.as_deref() == Some("true"));
    let mut other = same.clone();
    other["flag_value"] = json!("openai");
    let (status, told) = post(&service, &other).await;
    assert_eq!((status, &told["code"]), (400, &json!("invalid_request")));
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("already logged"), "{detail}");
    let list = json!([other, same]);
    let (status, told) = post(&service, &list).await;
    let results = [&told["results"][0]["status"], &told["results"][1]["status"]];
    assert_eq!(
        (status, results),
        (200, [&json!("refused"), &json!("stored")]),
        "{told}"
    );
    assert_eq!(logged(&store, &provider()).await, log);
}

async fn hashed_ids_are_the_same_in_every_row(store: TestStore) {
    let variables = [
        ("FLAG_LOG_INSTANCE_ID", "hashed"),
        ("FLAG_LOG_INSTANCE_ID_KEY", "a key of 16 byte"),
    ];
    let service = Service::start_with(&store, &["--demo"], &variables);
    ask(&service, "A12345").await;
    post(&service, &entry("A12345")).await;
    assert!(service.stop().success());
    let log = logged(&store, &provider()).await;
    assert_eq!(log.len(), 2);
    for row in &log {
        // printf A12345 | openssl dgst -sha256 -hmac 'a key of 16 byte'
        assert_eq!(
            row.instance,
            "a4ce10b4b7a531092e0f1c12dca084858567345754813ce6d19f69f1e3e0cdbd"
        );
        assert!(!format!("{row:?}").contains("A12345"));
    }
}

#[tokio::test]
async fn a_refused_body_gets_the_reason() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &[], &[("FLAG_MAX_BODY_KIB", "1")]);
    let send = async |kind: &str, body: String| {
        let request = service.request(Method::POST, "/log-feature-flag");
        let response = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let problem: Value = response.json().await.unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    let json = "application/json";
    assert_eq!(
        send(json, " ".repeat(1025)).await,
        (413, "payload_too_large".to_owned())
    );
    assert_eq!(
        send("text/plain", "{}".to_owned()).await,
        (415, "unsupported_media_type".to_owned())
    );
    assert_eq!(
        send(json, "{".to_owned()).await,
        (400, "invalid_request".to_owned())
    );
    let get = service.get("/log-feature-flag", &[]).await;
    assert_eq!(
        (get.status, &get.headers["allow"]),
        (405, &"POST".parse().unwrap())
    );
}

#[tokio::test]
async fn an_answer_that_is_repeated_is_logged_once() {
    let store = TestStore::embedded();
    let variables = [("FLAG_EXPOSURE_DEDUP_SECONDS", "3600")];
    let service = Service::start_with(&store, &["--demo"], &variables);
    for instance in ["A", "A", "B", "A"] {
        ask(&service, instance).await;
    }
    assert_eq!(service.metric("flag_exposures_produced_total").await, 2);
    assert_eq!(service.metric("flag_exposures_deduplicated_total").await, 2);
    assert!(service.stop().success());
    assert_eq!(logged(&store, &provider()).await.len(), 2);
}

#[tokio::test]
async fn a_time_that_an_exposure_cannot_have_is_refused() {
    let store = TestStore::embedded();
    let service = Service::start(&store);
    let send = async |service: &Service, created: &str| {
        let mut entry = entry("A1");
        entry["created_time"] = json!(created);
        let (status, told) = post(service, &entry).await;
        (
            status,
            told["detail"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let day = 24 * 3_600;
    for allowed in [1 - 7 * day + 60, -60, 240] {
        let told = send(&service, &seconds_from_now(allowed)).await;
        assert_eq!(told, (200, String::new()), "{allowed}");
    }
    let years = ["0001-01-01 00:00:00", "9999-12-31 23:59:59"].map(str::to_owned);
    let near = [-7 * day - 60, 360].map(seconds_from_now);
    for created in years.iter().chain(&near) {
        let (status, detail) = send(&service, created).await;
        let found = format!("created_time: found \"{created}");
        assert!(status == 400 && detail.starts_with(&found), "{detail}");
        assert!(detail.contains(", expected a time from 20"), "{detail}");
    }
    assert_eq!(logged(&store, &provider()).await.len(), 3);

    let bounds = [
        ("FLAG_EXPOSURE_MAX_AGE_HOURS", "1"),
        ("FLAG_EXPOSURE_MAX_AHEAD_SECONDS", "0"),
    ];
    let strict = Service::start_with(&store, &[], &bounds);
    assert_eq!(send(&strict, &seconds_from_now(-3_000)).await.0, 200);
    for refused in [-3_700, 60] {
        assert_eq!(send(&strict, &seconds_from_now(refused)).await.0, 400);
    }
}

#[tokio::test]
async fn booleans_are_written_as_dashboards_of_the_reference_have_them() {
    let store = TestStore::embedded();
    let variables = [("FLAG_EXPOSURE_BOOLEANS", "python")];
    let service = Service::start_with(&store, &["--demo"], &variables);
    let router = flag(FlagType::Feature, "multi_step_api_router");
    let reply = service.ask(PROJECT, "feature", "multi_step_api_router", "A");
    assert_eq!(reply.await.status, 200);
    let mut router_entry = entry("B");
    router_entry["flag_type"] = json!("feature");
    router_entry["flag_name"] = json!("multi_step_api_router");
    router_entry["flag_value"] = json!(true);
    router_entry["cache_flag"] = json!(false);
    assert_eq!(post(&service, &router_entry).await.0, 200);
    assert!(service.stop().success());
    let log = logged(&store, &router).await;
    assert_eq!(log.len(), 2);
    for row in &log {
        let cells = [Some(&*row.value), row.from_cache.as_deref()];
        assert!(
            cells
                .iter()
                .all(|cell| matches!(cell, Some("True" | "False"))),
            "{row:?}"
        );
    }
}

#[tokio::test]
async fn each_entry_of_a_list_counts_towards_the_rate() {
    let store = TestStore::embedded();
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "10")];
    let service = Service::start_with(&store, &[], &limits);
    let list: Vec<Value> = (0..100).map(|at| entry(&at.to_string())).collect();
    assert_eq!(post(&service, &json!(list)).await.0, 200);
    let request = service.request(Method::POST, "/log-feature-flag");
    let response = request.json(&entry("A")).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 429);
    let after: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((60..=91).contains(&after), "{after}");
    assert_eq!(logged(&store, &provider()).await.len(), 100);
}

#[tokio::test]
async fn a_log_that_is_off_takes_only_what_clients_send() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[("FLAG_EXPOSURES", "off")]);
    ask(&service, "A").await;
    assert_eq!(post(&service, &entry("B")).await.0, 200);
    assert_eq!(service.metric("flag_exposures_produced_total").await, 0);
    assert!(service.stop().success());
    let log = logged(&store, &provider()).await;
    assert_eq!(
        log.iter().map(|row| &*row.instance).collect::<Vec<_>>(),
        ["B"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_drains_says_so_and_goes_on_answering() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[("FLAG_DRAIN_DELAY_MS", "4000")]);
    assert_eq!(service.get("/readyz", &[]).await.status, 200);
    service.signal("-TERM");
    let ready = loop {
        let ready = service.get("/readyz", &[]).await;
        if ready.status != 200 {
            break ready;
        }
    };
    assert_eq!(
        (ready.status, &ready.body["status"]),
        (503, &json!("draining"))
    );
    ask(&service, "A").await;
    assert!(
        tokio::task::spawn_blocking(|| service.ended())
            .await
            .unwrap()
            .success()
    );
    assert_eq!(logged(&store, &provider()).await.len(), 1);
}

mod on_bigtable {
    use super::*;

    async fn behind_a_network(
        log: Stdio,
        variables: &[(&str, &str)],
    ) -> (TestStore, Service, Proxy) {
        let store = TestStore::bigtable();
        let TestStore::Bigtable { emulator, instance } = &store else {
            panic!("another store")
        };
        let network = Proxy::to(emulator).await;
        let near = TestStore::Bigtable {
            emulator: network.address(),
            instance: instance.clone(),
        };
        let service = Service::start_logging(&near, &["--demo"], variables, log);
        (store, service, network)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn counts_add_up_while_the_store_is_silent_and_all_is_written_after() {
        let (store, service, network) = behind_a_network(Stdio::inherit(), &[]).await;
        ask(&service, "warm").await;
        for round in 0..3 {
            network.fall_silent();
            for instance in 0..300 {
                ask(&service, &format!("{round}-{instance}")).await;
                if instance % 10 == 0 {
                    check_counts(&service).await;
                }
            }
            assert!(check_counts(&service).await.1 >= 300);
            network.speak_again();
            until_written(&service).await;
        }
        assert_eq!(logged(&store, &provider()).await.len(), 901);
        assert_eq!(until_written(&service).await, 901);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_was_dropped_is_logged_when_it_is_given_again() {
        let variables = [
            ("FLAG_EXPOSURE_DEDUP_SECONDS", "3600"),
            ("FLAG_EXPOSURE_QUEUE", "1"),
        ];
        let (store, service, network) = behind_a_network(Stdio::inherit(), &variables).await;
        ask(&service, "warm").await;
        until_written(&service).await;
        network.fall_silent();
        ask(&service, "A").await;
        ask(&service, "B").await;
        let dropped = "flag_exposures_dropped_total{reason=\"queue_full\"}";
        assert_eq!(service.metric(dropped).await, 1);
        network.speak_again();
        until_written(&service).await;
        for instance in ["A", "B", "B"] {
            ask(&service, instance).await;
            until_written(&service).await;
        }
        let log = logged(&store, &provider()).await;
        let instances: Vec<_> = log.iter().map(|row| &*row.instance).collect();
        assert_eq!(instances, ["A", "B", "warm"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_hangs_does_not_keep_a_service_from_stopping() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let (_store, service, network) = behind_a_network(log.reopen().unwrap().into(), &[]).await;
        ask(&service, "warm").await;
        until_written(&service).await;
        network.fall_silent();
        for instance in 0..7 {
            ask(&service, &instance.to_string()).await;
        }
        let entry = tokio::spawn({
            let request = service
                .request(Method::POST, "/log-feature-flag")
                .json(&entry("A"));
            async move { request.send().await.unwrap().status().as_u16() }
        });
        assert_eq!(entry.await.unwrap(), 504);
        let status = tokio::task::spawn_blocking(|| service.stop())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(1));
        let said = std::fs::read_to_string(log.path()).unwrap();
        assert!(said.contains("7 exposures were not written"), "{said}");
    }
}
