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

/// Fetches a document of at most `max` bytes, within a deadline.
pub(crate) async fn get(url: &str, max: usize, deadline: Duration) -> anyhow::Result<Bytes> {
    let client = http_client(url)?;
    let asked = client.get(url.parse()?);
    let answered = async {
        let (parts, body) = asked.await?.into_parts();
        ensure!(
            parts.status.is_success(),
            "the answer has status {}",
            parts.status
        );
        let body = Limited::new(body, max).collect().await;
        anyhow::Ok(body.map_err(anyhow::Error::from_boxed)?.to_bytes())
    };
    timeout(deadline, answered).await?
}
