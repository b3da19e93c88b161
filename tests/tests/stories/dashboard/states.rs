//! What the list of a project marks: flags that want attention, each found by its filter.

use std::time::{Duration, Instant};

use flag_model::{Date, FlagKey, Metadata, MetadataParts};
use flag_store::{Row, RowOptions, encode_metadata, encode_revision};
use flag_tests::{Proxy, Service, TestStore, flagctl};

use super::access::NOTICED;
use super::pages::{ago, page, revision};

const DAY: u64 = 24;

const LIST: &str = "/dashboard/flags?project=p";

fn flag(name: &str) -> FlagKey {
    format!("p/feature/{name}").parse().unwrap()
}

/// A revision that was made `hours` hours ago.
fn revised(name: &str, hours: u64, percent: &str) -> Row {
    let revision = revision(&flag(name), ago(hours), percent);
    encode_revision(&revision, &RowOptions::default()).unwrap()
}

fn described(name: &str, expires_on: Option<&str>) -> Row {
    let parts = MetadataParts {
        flag: flag(name),
        description: "why".to_owned(),
        owner: None,
        edited_by: None,
        ticket: None,
        tags: Vec::new(),
        expires_on: expires_on.map(|date| Date::parse(date).unwrap()),
    };
    encode_metadata(&Metadata::new(ago(1), parts).unwrap())
}

/// The names of the flags on a list, in order.
fn names(list: &str) -> Vec<&str> {
    let rows = list.split("<tr data-row>").skip(1);
    let names = rows.filter_map(|row| row.split_once("&amp;name=")?.1.split_once('"'));
    names.map(|(name, _)| name).collect()
}

/// Loads the list until it has the flags of this state, each marked with this text.
async fn must_list(service: &Service, state: &str, text: &str, flags: &[&str]) {
    let began = Instant::now();
    loop {
        let list = page(service, &format!("{LIST}&state={state}")).await;
        if names(&list) == flags {
            let mark = format!("<span class=\"state {state}\">{text}</span>");
            assert_eq!(list.matches(&mark).count(), flags.len(), "{list}");
            return;
        }
        assert!(began.elapsed() < NOTICED, "{state}: {list}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn flags_that_want_attention_are_marked_and_found(store: TestStore) {
    let rows = [
        revised("asked", 8 * DAY, "50"),
        revised("expires", 1, "50"),
        described("expires", Some("2020-01-01")),
        revised("expires_later", 1, "50"),
        described("expires_later", Some("9999-01-01")),
        described("nothing", None),
        revised("quiet", 8 * DAY, "50"),
        revised("split", 31 * DAY, "50"),
        revised("frozen", 1, "50"),
        described("frozen", None),
        revised("whole", 31 * DAY, "100"),
        revised("whole_lately", 29 * DAY, "0"),
    ];
    store.leave(&rows).await;
    let service = Service::start(&store);
    for name in ["asked", "split", "whole", "whole_lately"] {
        let reply = service.ask("p", "feature", name, "A1").await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    // At the end of a process its counts are written.
    assert!(service.stop().success());
    let retire = ["retire", "p", "feature", "frozen", "--value=true"];
    let retired = flagctl(
        &store,
        &[&retire[..], &["--comment=Done", "--yes"]].concat(),
    );
    assert_eq!(retired.code, 0, "{retired:?}");

    let service = Service::start(&store);
    must_list(&service, "expired", "expired", &["expires"]).await;
    must_list(&service, "no-revision", "no revision yet", &["nothing"]).await;
    must_list(&service, "retired", "retired", &["frozen"]).await;
    let unchanged = "unchanged for 30 days at 0 or 100 %";
    must_list(&service, "unchanged", unchanged, &["whole"]).await;
    must_list(&service, "not-asked", "not asked for in 7 days", &["quiet"]).await;
    let list = page(&service, &format!("{LIST}&q=asked")).await;
    assert!(list.contains("asked for in the last 2 hours"), "{list}");
    let list = page(&service, &format!("{LIST}&q=quiet")).await;
    assert!(!list.contains("asked for in the last"), "{list}");
}

flag_tests::on_both_stores!(flags_that_want_attention_are_marked_and_found);

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flag_that_is_served_by_its_last_known_value_is_marked_and_found() {
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        let store = TestStore::at(network.address());
        store
            .leave(&["asked", "other"].map(|name| revised(name, 1, "50")))
            .await;
        let variables = [
            ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02"),
            ("FLAG_STORE_DEADLINE_MS", "200"),
        ];
        let service = Service::start_with(&store, &[], &variables);
        assert_eq!(names(&page(&service, LIST).await), ["asked", "other"]);
        assert_eq!(service.ask("p", "feature", "asked", "A1").await.status, 200);
        network.cut().await;
        let began = Instant::now();
        while service.metric("flag_stale_flags").await == 0 {
            assert!(began.elapsed() < NOTICED, "no flag is stale");
            assert_eq!(service.ask("p", "feature", "asked", "A1").await.status, 200);
        }
        let stale = "served by last known value";
        must_list(&service, "stale", stale, &["asked"]).await;
        let list = page(&service, LIST).await;
        assert!(list.contains("The store does not answer"), "{list}");
    }
}
