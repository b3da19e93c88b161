//! Facts about event streams, with a driven clock.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::FromRequest as _;
use actix_web::test::TestRequest;
use actix_web::web::Data;
use flag_model::{BucketScheme, FlagValue, HashAlgorithm, RevisionParts};
use flag_runtime::watch_changes;
use flag_store::scripted::{ScriptedRows, Step};
use flag_store::{Base, FlagStore, HeadRow, StoreError, SystemClock};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::stream::EventStream;
use super::*;
use crate::access::Principal;
use crate::http::AppState;
use crate::telemetry::metrics::Exposition;

/// Within this every stream ends.
const AGE: Duration = Duration::from_secs(901);

/// A replica that watches a store for changes.
struct Replica {
    rows: Arc<ScriptedRows>,
    store: FlagStore,
    state: Data<AppState>,
}

impl Replica {
    fn start() -> Self {
        let rows = Arc::new(ScriptedRows::default());
        let state = Data::new(AppState::over(rows.clone()));
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        let period = Duration::from_millis(500);
        tokio::spawn(watch_changes(store.clone(), state.flags.clone(), period));
        Self { rows, store, state }
    }

    /// The same while its store is away.
    fn start_without_store() -> Self {
        let replica = Self::start();
        replica.rows.script(|_| async {
            Step::Fail(StoreError::Unavailable {
                source: "down".into(),
            })
        });
        replica
    }

    /// Opens a stream of a program that holds this digest.
    fn open(&self, held: Option<ProjectDigest>) -> Pin<Box<impl Stream<Item = String>>> {
        self.open_for(encoding::FOR_PROGRAMS, held)
    }

    fn open_for(
        &self,
        encoding: Encoding,
        held: Option<ProjectDigest>,
    ) -> Pin<Box<impl Stream<Item = String>>> {
        let request = TestRequest::default().app_data(self.state.clone());
        let context = RequestContext::extract(&request.to_http_request());
        let context = context.into_inner().unwrap();
        context.authorization.grant(Principal::Anybody);
        let requirement = Route::Events.required_access();
        let stream = EventStream::open(&context, requirement, project(), held, encoding);
        let bytes = stream.unwrap().into_bytes();
        Box::pin(bytes.map(|bytes| String::from_utf8(bytes.unwrap().into()).unwrap()))
    }

    async fn revise(&self) {
        let parts = RevisionParts {
            flag: "p/feature/f".parse().unwrap(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(true),
            treatments: vec![],
            comment: String::new(),
            owner: None,
            rollback_of: None,
        };
        let appended = self.store.append_revision(Base::Newest, parts);
        appended.await.unwrap();
    }

    fn metrics(&self) -> String {
        self.state.metrics.text(Exposition::Prometheus).unwrap()
    }
}

fn project() -> ProjectName {
    ProjectName::new("p").unwrap()
}

/// The digest of a project without flags.
fn empty() -> ProjectDigest {
    HeadRow::default().digest()
}

#[tokio::test(start_paused = true)]
async fn a_page_is_sent_heartbeats_that_a_script_notices_and_one_at_once() {
    let replica = Replica::start();
    let mut stream = replica.open_for(encoding::FOR_PAGES, Some(empty()));
    for _ in 0..3 {
        let next = stream.next().await.unwrap();
        assert!(next.ends_with("event: beat\ndata: 1\n\n"), "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_until_the_stream_is_old() {
    let replica = Replica::start();
    let opened = Instant::now();
    let mut stream = replica.open(Some(empty()));
    let retry = stream.next().await.unwrap();
    let millis = retry.strip_suffix("\n\n: heartbeat\n\n").unwrap();
    let millis = millis.strip_prefix("retry: ").unwrap().parse();
    assert!((1_000..=10_000).contains(&millis.unwrap()), "{retry}");
    let metrics = replica.metrics();
    assert!(metrics.contains("flag_event_streams 1\n"), "{metrics}");
    let mut last = opened;
    while let Some(next) = stream.next().await {
        assert_eq!(next, ": heartbeat\n\n");
        let pause = last.elapsed().as_millis();
        assert!((15_000..=25_010).contains(&pause), "{pause}");
        last = Instant::now();
    }
    let age = opened.elapsed();
    assert!((Duration::from_mins(5)..=AGE).contains(&age), "{age:?}");
    drop(stream);
    let metrics = replica.metrics();
    for line in [
        "event_streams 0",
        "event_streams_closed_total{reason=\"age\"} 1",
    ] {
        assert!(metrics.contains(&format!("flag_{line}\n")), "{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_steady_flow_of_events_keeps_no_stream_from_its_heartbeats_and_its_end() {
    let replica = Replica::start();
    let (opened, mut heartbeats) = (Instant::now(), 0);
    let mut stream = replica.open(Some(empty()));
    while let Some(next) = stream.next().await {
        assert!(opened.elapsed() <= AGE);
        heartbeats += usize::from(next == ": heartbeat\n\n");
        replica.revise().await;
        // The reader is slow: the next event is there already.
        sleep(Duration::from_secs(1)).await;
    }
    assert!(heartbeats >= 10, "{heartbeats}");
}

/// Callers count a stream as good from its first byte.
#[tokio::test(start_paused = true)]
async fn a_stream_is_silent_until_the_replica_knows_the_state_of_the_project() {
    let replica = Replica::start_without_store();
    let mut streams = [Some(empty()), None].map(|held| replica.open(held));
    for stream in &mut streams {
        let silent = timeout(Duration::from_mins(2), stream.next()).await;
        assert!(silent.is_err(), "{silent:?}");
    }
    replica.rows.script(|_| async { Step::Pass });
    let [equal, other] = &mut streams;
    let (equal, other) = (equal.next().await.unwrap(), other.next().await.unwrap());
    assert!(equal.starts_with("retry: ") && !equal.contains("id: "));
    // In one piece: a caller with an older digest must not count the stream as good in between.
    assert!(other.starts_with("retry: "));
    assert!(other.contains(&format!("\n\nid: {}\n", empty())), "{other}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_said_nothing_ends_like_any_other() {
    let replica = Replica::start_without_store();
    let opened = Instant::now();
    let mut stream = replica.open(None);
    assert_eq!(stream.next().await, None);
    assert!(opened.elapsed() >= Duration::from_mins(5));
    let mut stream = replica.open(None);
    replica.state.flags.events().close();
    assert_eq!(stream.next().await, None);
}
