//! What is sent again, and what is not.

use super::*;

#[tokio::test]
async fn a_read_is_sent_again_until_it_is_answered() {
    let answers = [
        unavailable(),
        unavailable(),
        Answer::Rows(vec![whole("k", "1")]),
    ];
    let server = Scripted::start(answers).await;
    assert_eq!(
        get(&store(&server).await).await.unwrap(),
        Some(row("k", "1"))
    );
    assert_eq!(server.asked().len(), 3);
}

/// What passes though its code says nothing of that; the words are those of libraries and proxies.
pub(crate) const PASSING: [(Code, &str); 8] = [
    (
        Code::Internal,
        "Received unexpected EOS on DATA frame from server",
    ),
    (
        Code::Internal,
        "RST_STREAM closed stream. HTTP/2 error code: INTERNAL_ERROR",
    ),
    (Code::Internal, "stream terminated by RST_STREAM"),
    (Code::Internal, "unexpected EOF"),
    (Code::Internal, ""),
    (
        Code::Unknown,
        "HTTP/2 error code: NO_ERROR, received GOAWAY",
    ),
    (Code::Unknown, ""),
    (Code::DataLoss, ""),
];

#[tokio::test]
async fn whatever_may_pass_is_waited_for() {
    for (code, message) in PASSING {
        let broken = || Status::new(code, message);
        let server = Scripted::start([
            Answer::Status(broken()),
            Answer::RowsThen(vec![whole("k", "1")], broken()),
            Answer::Rows(vec![whole("k", "1")]),
        ])
        .await;
        let found = get(&store(&server).await).await;
        assert_eq!(found.unwrap(), Some(row("k", "1")), "{code:?} {message}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn what_does_not_pass_in_time_may_pass_later() {
    for (code, message) in PASSING {
        let broken = || Answer::Status(Status::new(code, message));
        let start = || Scripted::start((0..1_000).map(|_| broken()));
        let server = start().await;
        let found = get(&hasty_store(server.address).await).await;
        assert!(
            matches!(found, Err(StoreError::Unavailable { .. })),
            "{found:?}"
        );
        assert!(server.asked().len() > 1);
        // A server of its own: a read that was given up may still arrive at the one above.
        let server = start().await;
        let set = compare_and_set(&store(&server).await).await;
        assert!(
            matches!(set, Err(StoreError::Unavailable { .. })),
            "{set:?}"
        );
        assert_eq!(server.asked().len(), 1, "what became of it is not known");
    }
}

#[tokio::test]
async fn a_silent_attempt_is_followed_by_another() {
    let answers = [
        Answer::Silence,
        Answer::HeadersThenSilence,
        Answer::Rows(vec![whole("k", "1")]),
    ];
    let server = Scripted::start(answers).await;
    let settings = BigtableSettings {
        read_attempt: Duration::from_millis(100),
        ..settings(server.address)
    };
    let store = BigtableStore::connect(settings).await.unwrap();
    assert_eq!(get(&store).await.unwrap(), Some(row("k", "1")));
}

#[tokio::test]
async fn an_insertion_is_sent_again() {
    let server = Scripted::start([unavailable(), Answer::Matched(false)]).await;
    let inserted = store(&server).await.insert_if_absent(&row("k", "1")).await;
    assert_eq!(inserted.unwrap(), Insert::Inserted);
    let asked = server.asked();
    let [
        (_, Asked::CheckAndMutate(first)),
        (_, Asked::CheckAndMutate(second)),
    ] = asked.as_slice()
    else {
        panic!("asked {asked:?}");
    };
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_comparison_is_sent_exactly_once() {
    let server = Scripted::start([unavailable(), Answer::Matched(true)]).await;
    let set = compare_and_set(&store(&server).await).await;
    assert!(
        matches!(set, Err(StoreError::Unavailable { .. })),
        "{set:?}"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_names_the_table() {
    let answer = Answer::Status(Status::not_found("no such table"));
    let server = Scripted::start([answer]).await;
    let error = get(&store(&server).await).await.unwrap_err();
    let StoreError::Misconfigured { source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.to_string(), "table flags: NotFound: no such table");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_once() {
    let expired = || Answer::Status(Status::unauthenticated("expired"));
    let server = Scripted::start([expired(), Answer::Matched(true)]).await;
    let set = compare_and_set(&store(&server).await).await;
    assert_eq!(set.unwrap(), CompareAndSet::Set);

    let server = Scripted::start([expired(), expired(), expired()]).await;
    let found = get(&store(&server).await).await;
    assert!(
        matches!(found, Err(StoreError::Unavailable { .. })),
        "{found:?}"
    );
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_store_that_stays_away_is_unavailable() {
    // Nothing listens at this address any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let found = get(&store_that_waits(address, SLACK, SLACK).await).await;
    assert!(
        matches!(found, Err(StoreError::Unavailable { .. })),
        "{found:?}"
    );
}
