//! Every call ends, whatever the other side does.

use super::*;

/// Makes every call; each must time out, and be back in time.
async fn check(address: SocketAddr) {
    let store = hasty_store(address).await;
    let row = row("k", "1");
    check_one("get", get(&store)).await;
    let scan = store.scan(Scan::prefix(""));
    check_one("scan", scan).await;
    let insert = store.insert_if_absent(&row);
    check_one("insert_if_absent", insert).await;
    check_one("compare_and_set", compare_and_set(&store)).await;
    check_one("ping", store.ping()).await;
    let log = log_that_waits(address, SHORT / 4, SHORT).await;
    let batch = async { log.write_rows(&[row]).await.remove(0) };
    check_one("write_rows", batch).await;
    check_one("delete_rows", log.delete_rows(&[b"k".to_vec()])).await;
    check_one("ping", log.rows().ping()).await;
}

async fn check_one<T: std::fmt::Debug>(
    name: &str,
    call: impl Future<Output = Result<T, StoreError>>,
) {
    let started = Instant::now();
    let result = call.await;
    assert!(
        matches!(result, Err(StoreError::TimedOut { .. })),
        "{name}: {result:?}"
    );
    assert!(started.elapsed() < SHORT + SLACK, "{name} was late");
}

#[tokio::test]
async fn hold_when_the_server_never_answers() {
    let server = Scripted::always(Answer::Silence).await;
    check(server.address).await;
}

#[tokio::test]
async fn hold_when_the_server_sends_headers_and_then_nothing() {
    let server = Scripted::always(Answer::HeadersThenSilence).await;
    check(server.address).await;
}

#[tokio::test]
async fn hold_when_the_server_never_stops() {
    let server = Scripted::always(Answer::Dripping(vec![chunk("k", "1", 0)])).await;
    let store = hasty_store(server.address).await;
    check_one("get", get(&store)).await;
}

#[tokio::test]
async fn hold_when_the_peer_accepts_and_never_speaks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(stream) = listener.accept().await {
            open.push(stream);
        }
    });
    check(address).await;
}

#[tokio::test]
async fn hold_when_connecting_leads_nowhere() {
    // Once its queue is full, a listener that accepts nothing drops further connections.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
    }
    check(address).await;
}

#[tokio::test]
async fn a_scan_of_many_rows_has_the_time_of_a_batch() {
    let server = Scripted::always(Answer::Silence).await;
    let settings = BigtableSettings {
        batch_timeout: 4 * SHORT,
        ..settings_that_wait(server.address, SHORT / 4, SHORT / 4)
    };
    let store = BigtableStore::connect(settings).await.unwrap();
    // How long it took says which deadline it had, also on a busy machine.
    for (limit, is_as_long) in [(500, false), (501, true)] {
        match store.scan(Scan::prefix("").limit(limit)).await {
            Err(StoreError::TimedOut { after }) => {
                assert_eq!(after >= 4 * SHORT, is_as_long, "{limit}");
            }
            scanned => panic!("{limit}: {scanned:?}"),
        }
    }
}
