//! Each row of a batch fails for itself.

use super::retries::PASSING;
use super::*;

fn keys(asked: &Asked) -> Vec<String> {
    let Asked::Mutate(request) = asked else {
        panic!("asked {asked:?}");
    };
    let keys = request.entries.iter().map(|entry| entry.row_key.clone());
    keys.map(|key| String::from_utf8(key).unwrap()).collect()
}

async fn write(server: &Scripted, keys: &[&str]) -> Vec<Result<(), StoreError>> {
    let rows: Vec<Row> = keys.iter().map(|key| row(key, "1")).collect();
    log(server).await.write_rows(&rows).await
}

#[tokio::test]
async fn only_the_entry_that_failed_is_sent_again() {
    let server = Scripted::start([
        Answer::Entries(vec![(2, Code::Ok), (0, Code::Ok), (1, Code::Unavailable)]),
        Answer::Entries(vec![(0, Code::Ok)]),
    ])
    .await;
    let results = write(&server, &["a", "b", "c"]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let asked = server.asked();
    assert_eq!(keys(&asked[0].1), ["a", "b", "c"]);
    assert_eq!(keys(&asked[1].1), ["b"]);
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn an_entry_that_may_yet_be_written_is_sent_again() {
    for (code, message) in PASSING {
        let server = Scripted::start([
            Answer::Status(Status::new(code, message)),
            Answer::Entries(vec![(0, Code::Ok), (1, code)]),
            Answer::Entries(vec![(0, Code::Ok)]),
        ])
        .await;
        let results = write(&server, &["a", "b"]).await;
        assert!(results.iter().all(Result::is_ok), "{code:?} {results:?}");
        let asked = server.asked();
        assert_eq!(keys(&asked[1].1), ["a", "b"]);
        assert_eq!(keys(&asked[2].1), ["b"]);
    }
}

/// The writer of exposures drops what is refused, and keeps what is unavailable.
#[tokio::test]
async fn an_entry_that_may_yet_be_written_is_never_refused() {
    for (code, _) in PASSING {
        let first = Answer::Entries(vec![(0, Code::Ok), (1, code)]);
        let others = (0..1_000).map(|_| Answer::Entries(vec![(0, code)]));
        let server = Scripted::start([first].into_iter().chain(others)).await;
        let log = log_that_waits(server.address, SHORT / 4, SHORT).await;
        let rows = [row("a", "1"), row("b", "1")];
        let results = log.write_rows(&rows).await;
        assert!(
            matches!(
                results.as_slice(),
                [Ok(()), Err(StoreError::Unavailable { .. })]
            ),
            "{results:?}"
        );
    }
}

/// The writer of exposures drops what is refused.
#[tokio::test]
async fn what_an_operator_corrects_is_never_refused() {
    for code in [
        Code::PermissionDenied,
        Code::NotFound,
        Code::Unimplemented,
        Code::FailedPrecondition,
    ] {
        for answer in [
            Answer::Status(Status::new(code, "")),
            Answer::Entries(vec![(0, code)]),
        ] {
            let server = Scripted::start([answer]).await;
            let results = write(&server, &["a"]).await;
            let is_kept = matches!(results.as_slice(), [Err(StoreError::Misconfigured { .. })]);
            assert!(is_kept, "{code:?} {results:?}");
            // Another attempt a moment later would find the same.
            assert_eq!(server.asked().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_entry_refused_for_good_fails_alone() {
    let entries = vec![(0, Code::Ok), (1, Code::InvalidArgument), (2, Code::Ok)];
    let server = Scripted::start([Answer::Entries(entries)]).await;
    let results = write(&server, &["a", "b", "c"]).await;
    assert!(
        matches!(
            results.as_slice(),
            [Ok(()), Err(StoreError::Refused { .. }), Ok(())]
        ),
        "{results:?}"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_entry_without_an_answer_is_sent_again() {
    let server = Scripted::start([
        Answer::Entries(vec![(0, Code::Ok)]),
        unavailable(),
        Answer::Entries(vec![(0, Code::Ok)]),
    ])
    .await;
    let results = write(&server, &["a", "b"]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let asked = server.asked();
    assert_eq!(keys(&asked[1].1), ["b"]);
    assert_eq!(keys(&asked[2].1), ["b"]);
}

#[tokio::test]
async fn an_entry_that_is_never_answered_is_unavailable() {
    let endless = (0..1_000).map(|_| Answer::Entries(vec![]));
    let server = Scripted::start(endless).await;
    let log = log_that_waits(server.address, SLACK, SLACK).await;
    let results = log.write_rows(&[row("a", "1")]).await;
    assert!(
        matches!(results.as_slice(), [Err(StoreError::Unavailable { .. })]),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_row_that_bigtable_would_not_take_does_not_spoil_the_others() {
    let server = Scripted::start([Answer::Entries(vec![(0, Code::Ok), (1, Code::Ok)])]).await;
    let results = write(&server, &["a", "", "c", &"k".repeat(4_097)]).await;
    assert!(
        matches!(
            results.as_slice(),
            [
                Ok(()),
                Err(StoreError::Refused { .. }),
                Ok(()),
                Err(StoreError::Refused { .. })
            ]
        ),
        "{results:?}"
    );
    assert_eq!(keys(&server.asked()[0].1), ["a", "c"]);
}

#[tokio::test]
async fn a_batch_too_large_for_one_request_is_split() {
    let large = "x".repeat(3 << 20);
    let rows: Vec<Row> = ["a", "b", "c"].map(|key| row(key, &large)).into();
    let server = Scripted::start([
        Answer::Entries(vec![(0, Code::Ok), (1, Code::Ok)]),
        Answer::Entries(vec![(0, Code::Ok)]),
    ])
    .await;
    let results = log(&server).await.write_rows(&rows).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let asked = server.asked();
    assert_eq!(keys(&asked[0].1), ["a", "b"]);
    assert_eq!(keys(&asked[1].1), ["c"]);
}
