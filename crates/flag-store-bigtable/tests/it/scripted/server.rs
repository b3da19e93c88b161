//! A Bigtable that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bigtable_rs::google::bigtable::v2::read_rows_response::CellChunk;
use bigtable_rs::google::bigtable::v2::read_rows_response::cell_chunk::RowStatus;
use bigtable_rs::google::bigtable::v2::{
    CheckAndMutateRowRequest, CheckAndMutateRowResponse, MutateRowsRequest, MutateRowsResponse,
    PingAndWarmRequest, PingAndWarmResponse, ReadRowsRequest, ReadRowsResponse,
    mutate_rows_response, mutation,
};
use flag_store::BoxFuture;
use futures_util::stream::{self, Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// The server; it lives as long as the runtime of its test.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

/// What the server does about one request.
pub(crate) enum Answer {
    /// Sends these messages of pieces of rows.
    Rows(Vec<Vec<CellChunk>>),
    /// Sends these messages, then an error.
    RowsThen(Vec<Vec<CellChunk>>, Status),
    /// Sends a message every now and then, for ever.
    Dripping(Vec<CellChunk>),
    /// Sends a row of the cells that the last comparison wanted to set, as if it had.
    WhatWasSet,
    /// Says whether the predicate matched.
    Matched(bool),
    /// Says what became of each entry.
    Entries(Vec<(i64, Code)>),
    /// Fails.
    Status(Status),
    /// Never answers.
    Silence,
    /// Sends headers, and then nothing.
    HeadersThenSilence,
}

/// What the server was asked.
#[derive(Debug)]
pub(crate) enum Asked {
    Read(ReadRowsRequest),
    CheckAndMutate(CheckAndMutateRowRequest),
    Mutate(MutateRowsRequest),
    Ping(PingAndWarmRequest),
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    repeated: bool,
    asked: Vec<(MetadataMap, Asked)>,
    refuses_pings: bool,
}

impl Scripted {
    /// Starts a server that gives these answers in turn, then fails every request for good.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Arc::new(Mutex::new(Script {
            answers: answers.into_iter().collect(),
            ..Script::default()
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(Bigtable(Arc::clone(&script)))
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(server);
        Self { address, script }
    }

    /// Starts a server that gives this answer to every request; it must be one that says nothing.
    pub(crate) async fn always(answer: Answer) -> Self {
        let server = Self::start([answer]).await;
        server.script.lock().unwrap().repeated = true;
        server
    }

    /// Whether it refuses pings from now on.
    pub(crate) fn refuse_pings(&self, refuses: bool) {
        self.script.lock().unwrap().refuses_pings = refuses;
    }

    /// What it was asked since the last time, in order.
    pub(crate) fn asked(&self) -> Vec<(MetadataMap, Asked)> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }
}

impl Script {
    fn next(&mut self, headers: MetadataMap, asked: Asked) -> Answer {
        self.asked.push((headers, asked));
        match self.answers.front() {
            Some(Answer::Silence) if self.repeated => Answer::Silence,
            Some(Answer::HeadersThenSilence) if self.repeated => Answer::HeadersThenSilence,
            Some(Answer::Dripping(chunks)) if self.repeated => Answer::Dripping(chunks.clone()),
            _ => match self.answers.pop_front() {
                Some(Answer::WhatWasSet) => Answer::Rows(vec![self.what_was_set()]),
                Some(answer) => answer,
                None => Answer::Status(Status::failed_precondition("the script is over")),
            },
        }
    }

    fn what_was_set(&self) -> Vec<CellChunk> {
        let mut asked = self.asked.iter().rev();
        let last = asked.find_map(|(_, asked)| match asked {
            Asked::CheckAndMutate(request) => Some(request),
            _ => None,
        });
        let last = last.unwrap();
        let mutations = last.true_mutations.iter().chain(&last.false_mutations);
        let mut chunks: Vec<CellChunk> = mutations
            .map(|mutation| match &mutation.mutation {
                Some(mutation::Mutation::SetCell(cell)) => CellChunk {
                    row_key: last.row_key.clone(),
                    family_name: Some(cell.family_name.clone()),
                    qualifier: Some(cell.column_qualifier.clone()),
                    value: cell.value.clone(),
                    ..CellChunk::default()
                },
                other => panic!("{other:?}"),
            })
            .collect();
        chunks.last_mut().unwrap().row_status = Some(RowStatus::CommitRow(true));
        chunks
    }
}

#[derive(Clone)]
struct Bigtable(Arc<Mutex<Script>>);

impl NamedService for Bigtable {
    const NAME: &'static str = "google.bigtable.v2.Bigtable";
}

impl Service<http::Request<Body>> for Bigtable {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default();
            Ok(match method {
                "ReadRows" => streaming(ReadRows(service), request).await,
                "MutateRows" => streaming(MutateRows(service), request).await,
                "PingAndWarm" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.unary(PingAndWarm(service), request).await
                }
                "CheckAndMutateRow" => {
                    let mut grpc = Grpc::new(ProstCodec::default());
                    grpc.unary(CheckAndMutateRow(service), request).await
                }
                _ => Status::unimplemented(method.to_owned()).into_http(),
            })
        })
    }
}

async fn streaming<S, Q, A>(service: S, request: http::Request<Body>) -> http::Response<Body>
where
    S: ServerStreamingService<Q, Response = A>,
    S::ResponseStream: Send + 'static,
    Q: tonic_prost::prost::Message + Default + 'static,
    A: tonic_prost::prost::Message + 'static,
{
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default()).max_decoding_message_size(64 << 20);
    grpc.server_streaming(service, request).await
}

type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

struct ReadRows(Bigtable);

impl ServerStreamingService<ReadRowsRequest> for ReadRows {
    type Response = ReadRowsResponse;
    type ResponseStream = Messages<ReadRowsResponse>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<ReadRowsRequest>) -> Self::Future {
        let answer = self.0.next(request, Asked::Read);
        Box::pin(async move {
            let messages: Messages<ReadRowsResponse> = match answer {
                Answer::Rows(messages) => Box::pin(stream::iter(messages.into_iter().map(rows))),
                Answer::RowsThen(messages, status) => Box::pin(
                    stream::iter(messages.into_iter().map(rows)).chain(stream::iter([Err(status)])),
                ),
                Answer::Dripping(chunks) => Box::pin(stream::unfold(chunks, async |chunks| {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    Some((rows(chunks.clone()), chunks))
                })),
                answer => return quiet(answer).await,
            };
            Ok(Response::new(messages))
        })
    }
}

struct MutateRows(Bigtable);

impl ServerStreamingService<MutateRowsRequest> for MutateRows {
    type Response = MutateRowsResponse;
    type ResponseStream = Messages<MutateRowsResponse>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<MutateRowsRequest>) -> Self::Future {
        let answer = self.0.next(request, Asked::Mutate);
        Box::pin(async move {
            match answer {
                Answer::Entries(entries) => Ok(Response::new(Box::pin(stream::iter(
                    entries.into_iter().map(entry),
                )) as Messages<_>)),
                answer => quiet(answer).await,
            }
        })
    }
}

/// Pings are noted, and answered unless everything is refused; the script is about the other requests.
struct PingAndWarm(Bigtable);

impl UnaryService<PingAndWarmRequest> for PingAndWarm {
    type Response = PingAndWarmResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<PingAndWarmRequest>) -> Self::Future {
        let (headers, _, message) = request.into_parts();
        let mut script = self.0.0.lock().unwrap();
        script.asked.push((headers, Asked::Ping(message)));
        let answer = if script.refuses_pings {
            Err(Status::unavailable("no pings"))
        } else {
            Ok(Response::new(PingAndWarmResponse {}))
        };
        Box::pin(std::future::ready(answer))
    }
}

struct CheckAndMutateRow(Bigtable);

impl UnaryService<CheckAndMutateRowRequest> for CheckAndMutateRow {
    type Response = CheckAndMutateRowResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<CheckAndMutateRowRequest>) -> Self::Future {
        let answer = self.0.next(request, Asked::CheckAndMutate);
        Box::pin(async move {
            match answer {
                Answer::Matched(predicate_matched) => {
                    Ok(Response::new(CheckAndMutateRowResponse {
                        predicate_matched,
                    }))
                }
                Answer::Status(status) => Err(status),
                _ => std::future::pending().await,
            }
        })
    }
}

impl Bigtable {
    fn next<M>(&self, request: Request<M>, asked: fn(M) -> Asked) -> Answer {
        let (headers, _, message) = request.into_parts();
        self.0.lock().unwrap().next(headers, asked(message))
    }
}

/// Gives the answers that say nothing, or nothing good.
async fn quiet<M: Send + 'static>(answer: Answer) -> Result<Response<Messages<M>>, Status> {
    match answer {
        Answer::Status(status) => Err(status),
        Answer::HeadersThenSilence => Ok(Response::new(Box::pin(stream::pending()))),
        _ => std::future::pending().await,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an item of a stream of results")]
fn rows(chunks: Vec<CellChunk>) -> Result<ReadRowsResponse, Status> {
    Ok(ReadRowsResponse {
        chunks,
        ..ReadRowsResponse::default()
    })
}

#[expect(clippy::unnecessary_wraps, reason = "an item of a stream of results")]
fn entry((index, code): (i64, Code)) -> Result<MutateRowsResponse, Status> {
    let mut entry = mutate_rows_response::Entry {
        index,
        ..mutate_rows_response::Entry::default()
    };
    entry.status.get_or_insert_default().code = code as i32;
    Ok(MutateRowsResponse {
        entries: vec![entry],
        ..MutateRowsResponse::default()
    })
}
