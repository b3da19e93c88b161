//! A collector of traces, that takes them, or doesn't, over both protocols of OTLP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A running collector; gone when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Received,
    serving: JoinHandle<()>,
}

/// What has arrived.
#[derive(Clone, Debug, Default)]
struct Received(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    /// A collector that speaks gRPC.
    pub async fn grpc() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Received::default();
        let server = Server::builder().add_service(TraceServiceServer::new(received.clone()));
        let serving = server.serve_with_incoming(TcpIncoming::from(listener));
        Self {
            address,
            received,
            serving: tokio::spawn(async move { serving.await.unwrap() }),
        }
    }

    /// A collector that speaks HTTP.
    pub async fn http() -> Self {
        Self::listen(|connection, received| async move {
            let _ = answer(connection, &received).await;
        })
        .await
    }

    /// A collector that takes connections and never says a word.
    pub async fn silent() -> Self {
        Self::listen(|connection, _| async move {
            sleep(Duration::from_hours(1)).await;
            drop(connection);
        })
        .await
    }

    async fn listen<F>(serve: impl Fn(TcpStream, Received) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Received::default();
        let into = received.clone();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                connections.spawn(serve(connection, into.clone()));
            }
        });
        Self {
            address,
            received,
            serving,
        }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests as they came.
    pub fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.received.0.lock().unwrap().clone()
    }

    /// The spans that have arrived.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests();
        let resources = requests.into_iter().flat_map(|it| it.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// Waits until this many spans have arrived.
    pub async fn wait_for(&self, spans: usize) -> Vec<Span> {
        let arrived = timeout(Duration::from_secs(30), async {
            while self.spans().len() < spans {
                sleep(Duration::from_millis(10)).await;
            }
        });
        let arrived = arrived.await.is_ok();
        assert!(arrived, "of {spans} spans there are: {:?}", self.spans());
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Takes what is posted to the path of traces, one request after the other.
async fn answer(connection: TcpStream, received: &Received) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        let is_ours = head.starts_with("POST /v1/traces HTTP/1.1\r\n")
            && head.contains("content-type: application/x-protobuf\r\n");
        let status = match ExportTraceServiceRequest::decode(&*body) {
            Ok(request) if is_ours => {
                received.0.lock().unwrap().push(request);
                "200 OK"
            }
            _ => "400 Bad Request",
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        connection.write_all(answer.as_bytes()).await?;
    }
}
