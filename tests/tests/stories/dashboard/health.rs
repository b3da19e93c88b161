//! The page about the health of a replica: each thing that it promises, by name.

use std::time::{Duration, Instant};

use flag_model::FlagKey;
use flag_store::{Clock as _, RowOptions, SystemClock, encode_revision};
use flag_tests::{Method, Service, TestStore, flagctl};

use super::access::{Keys, get, sign_in};
use super::pages::{ago, page, revision};

const HEALTH: &str = "/dashboard/health";

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Loads the page until it says all of this.
async fn health_with(service: &Service, parts: &[&str]) -> String {
    let began = Instant::now();
    loop {
        let text = page(service, HEALTH).await;
        let missing = parts.iter().find(|part| !text.contains(**part));
        let Some(missing) = missing else { return text };
        assert!(began.elapsed() < PATIENCE, "{missing} is not in {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The cells of the row with this heading.
#[track_caller]
fn cells(page: &str, heading: &str) -> Vec<String> {
    let row = page.split_once(&format!("<th scope=\"row\">{heading}</th>"));
    let (_, row) = row.unwrap_or_else(|| panic!("{heading} is not in {page}"));
    let (row, _) = row.split_once("</tr>").unwrap();
    let cells = row.split("<td").skip(1);
    let cells = cells.map(|cell| {
        let (_, text) = cell.split_once('>').unwrap();
        text.split_once("</td>").unwrap().0.to_owned()
    });
    cells.collect()
}

/// Leaves a flag whose newest revision cannot be read, and one with a row ten days ahead.
async fn leave_faulty_flags(store: &TestStore) {
    let options = RowOptions::default();
    let [bad, ahead] = ["p/feature/bad", "p/feature/ahead"].map(|flag| flag.parse().unwrap());
    let mut unreadable = encode_revision(&revision(&bad, ago(1), "10"), &options).unwrap();
    unreadable.cells.set("FormatVersion", "9");
    let future = SystemClock.now().saturating_add(Duration::from_hours(240));
    let row = |flag: &FlagKey, at| encode_revision(&revision(flag, at, "10"), &options).unwrap();
    let rows = [unreadable, row(&ahead, ago(1)), row(&ahead, future)];
    store.leave(&rows).await;
}

async fn health_tells_what_becomes_of_changes_events_exposures_and_flags(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    leave_faulty_flags(&store).await;
    assert_eq!(service.ask("p", "feature", "bad", "A1").await.status, 500);
    assert_eq!(service.ask("p", "feature", "ahead", "A1").await.status, 200);
    let (project, name) = ("csr-assistant", "multi_step_api_router");
    assert_eq!(
        service.ask(project, "feature", name, "A1").await.status,
        200
    );
    let events = format!("/dashboard/events?project={project}");
    let mut stream = service.request(Method::GET, &events).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let words = ["revise", project, "feature", name, "--percent=55"];
    let revised = flagctl(&store, &[&words[..], &["--comment=more", "--yes"]].concat());
    assert_eq!(revised.code, 0, "{revised:?}");
    // A change is found within a second, exposures are written in the background.
    let began = Instant::now();
    for metric in [
        "flag_propagation_seconds_count",
        "flag_event_delay_seconds_count",
    ] {
        while service.metric(metric).await == 0 {
            assert!(began.elapsed() < PATIENCE, "{metric}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let text = health_with(
        &service,
        &["2 produced = 2 written + 0 dropped + 0 pending: none is missing."],
    )
    .await;
    for times in [
        "From the append of a revision until this replica serves it",
        "From the append of a revision until the event that announces it",
    ] {
        let [count, half, most, _] = &cells(&text, times)[..] else {
            panic!("{times}: {text}")
        };
        assert_eq!(count, "1", "{times}");
        for time in [half, most] {
            assert!(
                time.starts_with("≤ ") || time.starts_with("&gt; "),
                "{time}"
            );
        }
    }
    let number = |heading: &str| cells(&text, heading)[0].clone();
    assert_eq!(number("Open now"), "1");
    assert_ne!(number("Events sent"), "0");
    assert_eq!(number("Refused, as too many were open"), "0");
    let dropped = "Events dropped: one was sent in place of several to a slow reader";
    assert_eq!(number(dropped), "0");
    assert_eq!(number("Flags in memory"), "2");
    assert_ne!(number("Look-ups: miss"), "0");
    for part in [
        "<bdi>p/feature/bad</bdi></a></th><td>unreadable: not served",
        "FormatVersion",
        "<bdi>p/feature/ahead</bdi></a></th><td>a row is passed over",
        "<dt>Commit</dt>",
        "<dt>Build</dt><dd>flag-service ",
        "flag_propagation_seconds",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

flag_tests::on_both_stores!(health_tells_what_becomes_of_changes_events_exposures_and_flags);

#[tokio::test(flavor = "multi_thread")]
async fn health_names_no_flag_of_a_project_that_a_key_may_not_see() {
    let keys = Keys::new();
    let [ours, other] = ["p", "csr-assistant"].map(|project| keys.create("read", project));
    let evaluates = keys.create("evaluate", "*");
    let service = keys.start(&[]);
    leave_faulty_flags(&keys.store).await;
    let ask = "/get-feature-flag?project_name=p&flag_type=feature&flag_name=bad&instance_id=A";
    let asked = service.request(Method::GET, ask).bearer_auth(&evaluates);
    assert_eq!(asked.send().await.unwrap().status(), 500);
    for (key, is_named) in [(ours, true), (other, false)] {
        let session = sign_in(&service, &key).await;
        let (status, _, text) = get(&service, HEALTH, Some(&session)).await;
        assert_eq!(status, 200);
        assert_eq!(text.contains("p/feature/bad"), is_named, "{text}");
    }
}

mod on_bigtable {
    use flag_tests::Proxy;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn health_names_flags_served_by_last_known_value_while_the_store_is_away() {
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        let store = TestStore::at(network.address());
        // A lifetime of 1.2 s, so that it ends within the test.
        let variables = [("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02")];
        let service = Service::start_with(&store, &["--demo"], &variables);
        let ask = || service.ask("csr-assistant", "data", "llm_version", "A1");
        assert_eq!(ask().await.status, 200);
        // Neither an answer nor an error: the worst that a page can wait for.
        network.fall_silent();
        let began = Instant::now();
        while service.metric("flag_stale_flags").await == 0 {
            assert!(began.elapsed() < PATIENCE, "no flag is stale");
            ask().await;
        }
        let named = "<bdi>csr-assistant/data/llm_version</bdi></a></th>\
            <td>served by its last known value</td><td>last confirmed at <time";
        health_with(&service, &[named]).await;
    }
}
