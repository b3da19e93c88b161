//! A Bigtable that acknowledges batches and drops them; the yardstick of `cargo xtask bench` for writing exposures.
//!
//! `sink HOST:PORT` listens on a free port of 127.0.0.1 and prints it. Answers `MutateRows` itself, with a result for each
//! entry; sends every other request on to the emulator at `HOST:PORT`.
#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bigtable_rs::google::bigtable::v2::{MutateRowsResponse, mutate_rows_response};
use flag_store::BoxFuture;
use futures_util::stream;
use prost::bytes::Bytes;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// The largest request that is accepted; Bigtable has a limit of its own.
const MAX_REQUEST_BYTES: usize = 32 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let emulator = std::env::args().nth(1).ok_or("usage: sink HOST:PORT")?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(serve(&emulator))
}

async fn serve(emulator: &str) -> Result<(), Box<dyn Error>> {
    let emulator = Endpoint::from_shared(format!("http://{emulator}"))?.connect_lazy();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Sink running on {}", listener.local_addr()?);
    Server::builder()
        .add_service(Sink::<ROWS>(emulator.clone()))
        .add_service(Sink::<TABLES>(emulator))
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

/// The API of rows.
const ROWS: bool = true;
/// The API of tables.
const TABLES: bool = false;

/// One of the two APIs; holds the connection to the emulator.
#[derive(Clone)]
struct Sink<const API: bool>(Channel);

impl NamedService for Sink<ROWS> {
    const NAME: &'static str = "google.bigtable.v2.Bigtable";
}

impl NamedService for Sink<TABLES> {
    const NAME: &'static str = "google.bigtable.admin.v2.BigtableTableAdmin";
}

impl<const API: bool> Service<http::Request<Body>> for Sink<API> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let emulator = self.0.clone();
        Box::pin(async move {
            if request.uri().path().ends_with("/MutateRows") {
                let codec = ProstCodec::<MutateRowsResponse, Batch>::default();
                let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
                return Ok(grpc.server_streaming(Acknowledge, request).await);
            }
            let answer = forward(emulator, request).await;
            Ok(answer.unwrap_or_else(|error| Status::unavailable(error.to_string()).into_http()))
        })
    }
}

async fn forward(
    mut emulator: Channel,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, tonic::transport::Error> {
    std::future::poll_fn(|context| emulator.poll_ready(context)).await?;
    emulator.call(request).await
}

/// A `MutateRowsRequest` whose entries are not decoded further.
#[derive(Clone, PartialEq, prost::Message)]
struct Batch {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    entries: Vec<Bytes>,
}

/// Acknowledges each entry.
struct Acknowledge;

type Messages = Pin<Box<dyn stream::Stream<Item = Result<MutateRowsResponse, Status>> + Send>>;

impl ServerStreamingService<Batch> for Acknowledge {
    type Response = MutateRowsResponse;
    type ResponseStream = Messages;
    type Future = BoxFuture<'static, Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<Batch>) -> Self::Future {
        let entries = request.get_ref().entries.iter().zip(0..);
        // Without a status an entry has been written.
        let entries = entries.map(|(_, index)| mutate_rows_response::Entry {
            index,
            status: None,
        });
        let message = MutateRowsResponse {
            entries: entries.collect(),
            ..MutateRowsResponse::default()
        };
        let messages: Messages = Box::pin(stream::iter([Ok(message)]));
        Box::pin(std::future::ready(Ok(Response::new(messages))))
    }
}
