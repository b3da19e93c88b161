//! Facts about event streams, with a driven clock.

use actix_web::FromRequest as _;
use actix_web::test::TestRequest;
use actix_web::web::Data;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::stream::EventStream;
use super::*;
use crate::access::Principal;
use crate::http::AppState;
use crate::telemetry::metrics::Exposition;

/// A stream of a project, and the state of its service.
fn open(encoding: Encoding) -> (Data<AppState>, EventStream) {
    let state = Data::new(AppState::for_tests());
    let request = TestRequest::default().app_data(state.clone());
    let context = RequestContext::extract(&request.to_http_request());
    let context = context.into_inner().unwrap();
    context.authorization.grant(Principal::Anybody);
    let project = ProjectName::new("p").unwrap();
    let access = Route::Events.access();
    let stream = EventStream::open(&context, access, project, None, encoding);
    (state, stream.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_page_is_sent_heartbeats_that_a_script_notices_and_one_at_once() {
    let (_state, stream) = open(encoding::FOR_PAGES);
    let mut bytes = Box::pin(stream.into_bytes());
    for _ in 0..3 {
        let next = bytes.next().await.unwrap().unwrap();
        let next = str::from_utf8(&next).unwrap();
        assert!(next.ends_with("event: beat\ndata: 1\n\n"), "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_until_the_stream_is_old() {
    let (state, stream) = open(encoding::FOR_PROGRAMS);
    let mut bytes = Box::pin(stream.into_bytes());
    let retry = bytes.next().await.unwrap().unwrap();
    let retry = str::from_utf8(&retry).unwrap();
    let millis = retry.strip_suffix("\n\n: heartbeat\n\n").unwrap();
    let millis = millis.strip_prefix("retry: ").unwrap().parse();
    assert!((1_000..=10_000).contains(&millis.unwrap()), "{retry}");
    let metrics = state.metrics.text(Exposition::Prometheus).unwrap();
    assert!(metrics.contains("flag_event_streams 1\n"), "{metrics}");
    let opened = Instant::now();
    let mut last = opened;
    while let Some(next) = bytes.next().await {
        assert_eq!(next.unwrap(), ": heartbeat\n\n");
        let pause = last.elapsed().as_millis();
        assert!((15_000..=25_010).contains(&pause), "{pause}");
        last = Instant::now();
    }
    let age = opened.elapsed().as_secs();
    assert!((300..=901).contains(&age), "{age}");
    drop(bytes);
    let metrics = state.metrics.text(Exposition::Prometheus).unwrap();
    for line in [
        "event_streams 0",
        "event_streams_closed_total{reason=\"age\"} 1",
    ] {
        assert!(metrics.contains(&format!("flag_{line}\n")), "{metrics}");
    }
}
