//! HTTP requests of the service to others.

use std::io;
use std::time::Duration;

use anyhow::ensure;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::Bytes;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Sends requests.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Creates a client for a URL. Reads the certificates of the system only if they are needed: an image may have none.
pub(crate) fn http_client(url: &str) -> io::Result<HttpClient> {
    let connector = HttpsConnectorBuilder::new();
    let connector = if url.starts_with("https:") {
        connector.with_native_roots()?.https_only()
    } else {
        let no_roots = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
        let no_tls = no_roots.with_no_client_auth();
        connector.with_tls_config(no_tls).https_or_http()
    };
    Ok(Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()))
}

/// Fetches a document of at most `max` bytes, within a timeout. The certificates of the system are read on a thread that
/// may wait for a disk.
pub(crate) async fn get(url: &str, max: usize, timeout_after: Duration) -> anyhow::Result<Bytes> {
    let of_client = url.to_owned();
    let answered = async {
        let client = spawn_blocking(move || http_client(&of_client)).await??;
        let (parts, body) = client.get(url.parse()?).await?.into_parts();
        ensure!(
            parts.status.is_success(),
            "the answer has status {}",
            parts.status
        );
        let body = Limited::new(body, max).collect().await;
        anyhow::Ok(body.map_err(anyhow::Error::from_boxed)?.to_bytes())
    };
    timeout(timeout_after, answered).await?
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::channel;

    use futures_util::poll;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_disk_that_is_slow_to_give_certificates_holds_up_no_other_task() {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            // As reading does on a slow disk, it takes the only thread that may wait.
            let (disk, waits) = channel::<()>();
            let slow = spawn_blocking(move || waits.recv());
            let mut getting = pin!(get(&url, 9, Duration::from_mins(1)));
            assert!(poll!(&mut getting).is_pending());
            let mut accepting = pin!(listener.accept());
            assert!(poll!(&mut accepting).is_pending());
            disk.send(()).unwrap();
            slow.await.unwrap().unwrap();
            let answering = async {
                let (mut connection, _) = accepting.await.unwrap();
                let _ = connection.read(&mut [0; 512]).await.unwrap();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys";
                connection.write_all(answer).await.unwrap();
            };
            let (got, ()) = tokio::join!(getting, answering);
            assert_eq!(&got.unwrap()[..], b"keys");
        });
    }
}
