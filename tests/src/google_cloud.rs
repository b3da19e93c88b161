//! Google Cloud, as far as a test can play it: TLS and a look at tokens in front of the emulator.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Empty};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Code, Status};

use crate::TestStore;
use crate::token_endpoint::TokenEndpoint;

/// The key of a service account that there is not.
const PRIVATE_KEY: &str = include_str!("../fixtures/google_cloud/service_account.key");

/// Bigtable at `localhost`, over TLS with an authority of its own, which takes calls with a token of its endpoint only.
#[derive(Debug)]
pub struct GoogleCloud {
    address: SocketAddr,
    /// Where tokens come from.
    pub tokens: TokenEndpoint,
    store: TestStore,
    folder: TempDir,
    calls: Calls,
    denied: Denied,
    serving: JoinHandle<()>,
}

/// How many calls of each method were taken.
type Calls = Arc<Mutex<HashMap<String, usize>>>;

/// The method that is denied, and the HTTP status or gRPC code of the answer.
type Denied = Arc<Mutex<Option<(&'static str, Denial)>>>;

/// How calls of a method are denied.
#[derive(Clone, Copy, Debug)]
pub enum Denial {
    /// By a proxy, with an HTTP status.
    Proxy(u16),
    /// By Bigtable, with a gRPC code in the headers.
    Headers(Code),
    /// By Bigtable, with a gRPC code in the trailers.
    Trailers(Code),
}

impl GoogleCloud {
    /// One whose certificate is its own.
    pub async fn start() -> Self {
        Self::with_certificate(include_str!("../fixtures/google_cloud/localhost.pem")).await
    }

    /// One whose certificate is for `bigtable.test`.
    pub async fn with_certificate_of_another() -> Self {
        Self::with_certificate(include_str!("../fixtures/google_cloud/bigtable.test.pem")).await
    }

    async fn with_certificate(certificate: &str) -> Self {
        let store = TestStore::bigtable();
        let TestStore::Bigtable { emulator, .. } = &store else {
            panic!("another store")
        };
        let emulator = Endpoint::from_shared(format!("http://{emulator}")).unwrap();
        let emulator = emulator.connect_lazy();
        let tokens = TokenEndpoint::start().await;
        let server_key = include_str!("../fixtures/google_cloud/server.key");
        let identity = Identity::from_pem(certificate, server_key);
        let folder = tempfile::tempdir().unwrap();
        let authority = include_str!("../fixtures/google_cloud/authority.pem");
        fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let other = include_str!("../fixtures/google_cloud/other_authority.pem");
        fs::write(folder.path().join("other_ca.pem"), other).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, denied) = (Calls::default(), Denied::default());
        let serving = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .unwrap()
            .add_service(Api::<DATA>::new(&emulator, &tokens, (&calls, &denied)))
            .add_service(Api::<ADMIN>::new(&emulator, &tokens, (&calls, &denied)))
            .serve_with_incoming(TcpIncoming::from(listener));
        let cloud = Self {
            address,
            tokens,
            store,
            folder,
            calls,
            denied,
            serving: tokio::spawn(async move { serving.await.unwrap() }),
        };
        cloud.write_key(PRIVATE_KEY);
        cloud
    }

    /// The store, reached without TLS and tokens.
    pub fn store(&self) -> &TestStore {
        &self.store
    }

    /// The path of a file in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Its address, as a setting names it.
    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// What tells a binary to use it, with the key of a service account; comes on top of the variables of its store.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.variables_without_key();
        variables.push(("GOOGLE_APPLICATION_CREDENTIALS", self.path("key.json")));
        variables
    }

    /// The same without any credentials.
    pub fn variables_without_key(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BIGTABLE_EMULATOR_HOST", String::new()),
            ("FLAG_BIGTABLE_ENDPOINT", self.endpoint()),
            ("FLAG_BIGTABLE_CA_FILE", self.path("ca.pem")),
            ("HOME", self.path("")),
        ]
    }

    /// Writes the key file of the service account.
    pub fn write_key(&self, private_key: &str) {
        let key = json!({
            "type": "service_account",
            "project_id": "p",
            "private_key": private_key,
            "client_email": "flags@p.iam.gserviceaccount.com",
            "token_uri": self.tokens.url(),
        });
        fs::write(self.path("key.json"), key.to_string()).unwrap();
    }

    /// How many calls of a method, such as `ReadRows`, were taken.
    pub fn calls(&self, method: &str) -> usize {
        self.calls.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    /// From now on every call of a method, such as `MutateRows`, is denied, or none any more.
    pub fn deny(&self, denied: Option<(&'static str, Denial)>) {
        *self.denied.lock().unwrap() = denied;
    }

    /// Fails if a text holds anything of a key, an assertion or a token.
    #[track_caller]
    pub fn assert_tells_nothing(&self, text: &str) {
        let key = PRIVATE_KEY.lines().filter(|line| !line.starts_with('-'));
        let key = key.map(str::to_owned);
        for secret in key.chain(self.tokens.secrets()) {
            let line = text.lines().find(|line| line.contains(&secret));
            assert_eq!(line, None, "tells {secret}");
        }
    }
}

impl Drop for GoogleCloud {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Denial {
    fn answer(self) -> http::Response<Body> {
        let denied = |code| Status::new(code, "denied for the test");
        match self {
            Self::Proxy(status) => {
                let answer = http::Response::builder().status(status);
                answer.body(Body::empty()).unwrap()
            }
            Self::Headers(code) => denied(code).into_http(),
            Self::Trailers(code) => {
                let mut trailers = http::HeaderMap::new();
                denied(code).add_header(&mut trailers).unwrap();
                let body = Empty::<Bytes>::new().with_trailers(async { Some(Ok(trailers)) });
                let answer = http::Response::builder().header("content-type", "application/grpc");
                answer.body(Body::new(body)).unwrap()
            }
        }
    }
}

const DATA: bool = false;
const ADMIN: bool = true;

/// One of the two services of Bigtable, passed on to the emulator.
#[derive(Clone)]
struct Api<const IS_ADMIN: bool> {
    emulator: Channel,
    tokens: TokenEndpoint,
    calls: Calls,
    denied: Denied,
}

impl<const IS_ADMIN: bool> Api<IS_ADMIN> {
    fn new(emulator: &Channel, tokens: &TokenEndpoint, (calls, denied): (&Calls, &Denied)) -> Self {
        Self {
            emulator: emulator.clone(),
            tokens: tokens.clone(),
            calls: Arc::clone(calls),
            denied: Arc::clone(denied),
        }
    }
}

impl NamedService for Api<DATA> {
    const NAME: &'static str = "google.bigtable.v2.Bigtable";
}

impl NamedService for Api<ADMIN> {
    const NAME: &'static str = "google.bigtable.admin.v2.BigtableTableAdmin";
}

impl<const IS_ADMIN: bool> Service<http::Request<Body>> for Api<IS_ADMIN> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut api = self.clone();
        Box::pin(async move {
            let header = request.headers().get(http::header::AUTHORIZATION);
            let header = header.map(|header| header.to_str().unwrap().to_owned());
            if !header.is_some_and(|header| api.tokens.is_valid(&header)) {
                return Ok(Status::unauthenticated("no valid token").into_http());
            }
            let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
            *api.calls.lock().unwrap().entry(method.clone()).or_default() += 1;
            let denied = *api.denied.lock().unwrap();
            if let Some((_, denial)) = denied.filter(|(denied, _)| *denied == method) {
                return Ok(denial.answer());
            }
            std::future::poll_fn(|context| api.emulator.poll_ready(context))
                .await
                .unwrap();
            let answer = api.emulator.call(request).await;
            Ok(answer.unwrap_or_else(|error| Status::unavailable(error.to_string()).into_http()))
        })
    }
}
