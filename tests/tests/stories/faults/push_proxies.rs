//! Proxies between clients and the service that do event streams no good.

use std::time::{Duration, Instant};

use flag_client::{Assurance, AsyncFeatureFlagClient, StreamState};
use flag_tests::{Service, StreamProxy, TestStore, Treatment, flagctl};
use tokio::time::sleep;

use super::report::{Row, Verdict};

const FLAG: [&str; 3] = ["csr-assistant", "data", "llm_version"];
const LIFETIME: Duration = Duration::from_secs(5);

/// How long a client is watched.
const WATCHED: Duration = Duration::from_secs(200);

/// What came of a client behind a proxy.
struct Outcome {
    /// The most streams that were asked for within a minute.
    a_minute: usize,
    /// The longest time for which the client took a stream for good that was not.
    trusted: Duration,
    /// The longest time from a change to its being answered.
    latest: Duration,
}

impl Outcome {
    fn worse(&self, other: &Self) -> Self {
        Self {
            a_minute: self.a_minute.max(other.a_minute),
            trusted: self.trusted.max(other.trusted),
            latest: self.latest.max(other.latest),
        }
    }
}

async fn watch(store: TestStore, treatment: Treatment) -> Outcome {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let proxy = StreamProxy::start(&service.address(), treatment).await;
    let client = AsyncFeatureFlagClient::builder(FLAG[0]).base_url(proxy.url());
    let client = client.cache_lifetime(LIFETIME).build().unwrap();
    let (began, mut outcome) = (
        Instant::now(),
        Outcome {
            a_minute: 0,
            trusted: Duration::ZERO,
            latest: Duration::ZERO,
        },
    );
    let mut heard = Instant::now();
    for change in 0.. {
        let value = format!("5.{change}");
        revise(&store, &value);
        let revised = Instant::now();
        loop {
            let detail = client
                .get_flag_string_detail(FLAG[2], "A12345", "none")
                .await;
            if client
                .status()
                .since_last_received
                .is_none_or(|age| age < Duration::from_millis(50))
            {
                heard = Instant::now();
            }
            if detail.assurance == Assurance::Watched {
                outcome.trusted = outcome.trusted.max(heard.elapsed());
            }
            if detail.value == value {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        outcome.latest = outcome.latest.max(revised.elapsed());
        if began.elapsed() > WATCHED {
            break;
        }
        sleep(Duration::from_secs(3)).await;
    }
    let streams = proxy.streams();
    let within_a_minute = |first: &Instant| {
        let within =
            |other: &&Instant| **other >= *first && **other - *first < Duration::from_mins(1);
        streams.iter().filter(within).count()
    };
    outcome.a_minute = streams
        .iter()
        .map(within_a_minute)
        .max()
        .unwrap_or_default();
    assert!(!matches!(
        client.status().stream,
        StreamState::Idle | StreamState::Off
    ));
    outcome
}

fn revise(store: &TestStore, value: &str) {
    let options = ["--control", value, "--comment", "next", "--yes"];
    let words = [&["revise"][..], &FLAG, &options, &["--yes-i-mean", FLAG[2]]].concat();
    let revised = flagctl(store, &words);
    assert_eq!(revised.code, 0, "{revised:?}");
}

async fn measure(treatment: Treatment, fault: &'static str) {
    let stores = [TestStore::embedded(), TestStore::bigtable()];
    let [embedded, bigtable] = stores.map(|store| tokio::spawn(watch(store, treatment)));
    let embedded = embedded.await.unwrap();
    let Outcome {
        a_minute,
        trusted,
        latest,
    } = embedded.worse(&bigtable.await.unwrap());
    Row {
        fault,
        goal: "lifetimes count again within 60 s; at most 2 connects a minute",
    }
    .report(
        &format!(
            "a change shows after {:.1} s at most, with a lifetime of {} s; the silent stream was trusted for {:.0} s; {a_minute} connects a minute at most",
            latest.as_secs_f64(),
            LIFETIME.as_secs(),
            trusted.as_secs_f64(),
        ),
        Verdict::from(
            a_minute <= 2
                && trusted <= Duration::from_mins(1)
                && latest <= LIFETIME + Duration::from_secs(1),
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_proxy_holds_the_event_stream_back() {
    measure(
        Treatment::Buffers,
        "a proxy holds back what comes on the event stream, both stores",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_proxy_cuts_event_streams() {
    let cuts = Treatment::CutsAfter(Duration::from_secs(30));
    measure(
        cuts,
        "a proxy cuts every event stream after 30 s, both stores",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_proxy_swallows_event_streams() {
    let swallows = Treatment::SwallowsAfter(Duration::from_secs(5));
    measure(
        swallows,
        "a proxy swallows the event stream after 5 s, and keeps the connection, both stores",
    )
    .await;
}
