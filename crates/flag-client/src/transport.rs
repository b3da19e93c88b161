//! One request over HTTP and its outcome, or an event stream. Knows neither the cache nor deadlines of calls.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flag_api::{
    EVENT_STREAM, EVENTS, FLAG_NAME, FLAG_TYPE, GET_FEATURE_FLAG, INSTANCE_ID, LAST_EVENT_ID,
    PROJECT, PROJECT_NAME, WITH_REASON,
};
use flag_model::FlagValue;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::build_error::BuildError;
use crate::detail::KnownValue;
use crate::failure::{Failure, RequestFailure};
use crate::http_clients::{HttpClientFactory, HttpClients};
use crate::push::pauses::StreamEnd;
use crate::question::Question;
use crate::reply;

/// The longest answer that is read: the longest value, with each byte escaped as six, and 128 KiB for the rest.
const LONGEST_ANSWER: usize = 6 * FlagValue::MAX_TEXT_BYTES + 128 * 1024;

/// How many requests are in flight at most, besides a probe, each on a connection of its own; the others wait for their turn.
const REQUESTS: usize = 64;

/// The service closes a stream long before.
const LONGEST_STREAM: Duration = Duration::from_hours(24);

/// The address of the service, and the connections to it.
pub(crate) struct Transport {
    http: HttpClientFactory,
    /// Of this process. Made when the client is built; in a forked process, with the first request.
    http_clients: OnceLock<HttpClients>,
    /// With the path of the question, and the project in the query.
    url: Url,
    /// Of the event stream.
    events: Url,
    headers: HeaderMap,
    slots: Semaphore,
}

/// An event stream that is open.
pub(crate) struct EventStream<'a> {
    transport: &'a Transport,
    response: Response,
}

impl Transport {
    /// A transport to the service below this URL, for a project.
    pub(crate) fn new(
        http: HttpClientFactory,
        base: Url,
        project: &str,
        headers: HeaderMap,
    ) -> Result<Self, BuildError> {
        let events = events_url(base.clone(), project);
        let mut url = base;
        let path = format!("{}{GET_FEATURE_FLAG}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_fragment(None);
        url.query_pairs_mut().append_pair(PROJECT_NAME, project);
        Ok(Self {
            http_clients: OnceLock::from(http.build_clients()?),
            http,
            url,
            events,
            headers,
            slots: Semaphore::new(REQUESTS),
        })
    }

    /// The same for a forked process, without connections yet.
    pub(crate) fn after_fork(&self) -> Self {
        Self {
            http_clients: OnceLock::new(),
            http: self.http.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            headers: self.headers.clone(),
            slots: Semaphore::new(REQUESTS),
        }
    }

    /// The name of the service, with its proxy, in the log.
    pub(crate) fn name(&self) -> String {
        let service = self.url.origin().ascii_serialization();
        match self.http.proxy() {
            Some(proxy) => format!("{service} through the proxy {}", proxy.name()),
            None => service,
        }
    }

    /// Waits for a slot, to be held for as long as the request takes.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed.
        self.slots.acquire().await.ok()
    }

    /// Sends a question. A failure names the proxy in between, as it may be the cause.
    pub(crate) async fn send(&self, question: Question<'_>) -> Result<KnownValue, RequestFailure> {
        let answer = self.send_with_retry(question).await;
        answer.map_err(|failure| match self.http.proxy() {
            Some(proxy) => failure.through(&proxy.name()),
            None => failure,
        })
    }

    /// Sends a question; if the connection is cut off before an answer, as may happen to an idle one, sends it once more on
    /// a new connection, as the other idle ones may be dead too.
    async fn send_with_retry(&self, question: Question<'_>) -> Result<KnownValue, RequestFailure> {
        let HttpClients { pooled, unpooled } = self.http_clients()?;
        let response = match self.send_once(pooled, question).await {
            Err(error) if is_cut_off(&error) => self.send_once(unpooled, question).await,
            other => other,
        };
        let response = response.map_err(|error| RequestFailure::from(failure_of(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            return Err(Failure::BadAnswer(format!("{status}, not followed").into()).into());
        }
        let body = read(response).await;
        if status.is_success() {
            Ok(reply::read_value(question, &headers, &body?)?)
        } else {
            // Without a body the status is the only information.
            let body = body.unwrap_or_default();
            Err(reply::read_problem(status, &headers, &body))
        }
    }

    /// Opens the event stream, on a connection of its own; it begins after this digest.
    pub(crate) async fn open_events(
        &self,
        digest: Option<&str>,
    ) -> Result<EventStream<'_>, StreamEnd> {
        let failed = |failure| StreamEnd::Failed(self.through(failure), None);
        let HttpClients { unpooled, .. } = self.http_clients().map_err(failed)?;
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        // What is compressed may be held back.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(Ok(digest)) = digest.map(HeaderValue::from_str) {
            headers.insert(LAST_EVENT_ID, digest);
        }
        // Instead of the timeout that an application's client may have for whole answers.
        let request = unpooled.get(self.events.clone()).timeout(LONGEST_STREAM);
        let response = request.headers(headers).send().await;
        let response = response.map_err(|error| failed(failure_of(&error)))?;
        if response.status() == StatusCode::OK && is_event_stream(&response) {
            let transport = self;
            return Ok(EventStream {
                transport,
                response,
            });
        }
        Err(self.no_stream(response).await)
    }

    async fn no_stream(&self, response: Response) -> StreamEnd {
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() || status.is_redirection() {
            let failure = Failure::BadAnswer(format!("{status}, not an event stream").into());
            return StreamEnd::Missing(self.through(failure));
        }
        let body = read(response).await.unwrap_or_default();
        let RequestFailure {
            failure,
            retry_after,
        } = reply::read_problem(status, &headers, &body);
        let failure = self.through(failure);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => StreamEnd::Refused(failure),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                StreamEnd::Failed(failure, retry_after)
            }
            _ if status.is_server_error() => StreamEnd::Failed(failure, retry_after),
            _ => StreamEnd::Missing(failure),
        }
    }

    /// Names the proxy in between, as it may be the cause.
    fn through(&self, failure: Failure) -> Failure {
        match self.http.proxy() {
            Some(proxy) => failure.through(&proxy.name()),
            None => failure,
        }
    }

    fn http_clients(&self) -> Result<&HttpClients, Failure> {
        if let Some(clients) = self.http_clients.get() {
            return Ok(clients);
        }
        let made = self.http.build_clients();
        let made = made.map_err(|error| Failure::Unreachable(innermost(&error)))?;
        Ok(self.http_clients.get_or_init(|| made))
    }

    async fn send_once(&self, http: &Client, question: Question<'_>) -> reqwest::Result<Response> {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair(FLAG_TYPE, question.flag.flag_type.as_str())
            .append_pair(FLAG_NAME, question.flag.name)
            .append_pair(INSTANCE_ID, question.instance_id)
            .append_pair(WITH_REASON, "true");
        http.get(url).headers(self.headers.clone()).send().await
    }
}

impl EventStream<'_> {
    /// The next bytes, or none at the end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        let chunk = self.response.chunk().await;
        chunk.map_err(|error| self.transport.through(failure_of(&error)))
    }
}

/// Omits what may be secret: headers, and a password in the URL.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("service", &self.name())
            .finish_non_exhaustive()
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST_ANSWER => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => {
                let detail = format!("longer than {LONGEST_ANSWER} bytes");
                return Err(Failure::BadAnswer(detail.into()));
            }
            Ok(None) => return Ok(body),
            Err(error) => return Err(failure_of(&error)),
        }
    }
}

/// `/projects/{project}/events` below the base URL.
fn events_url(mut base: Url, project: &str) -> Url {
    base.set_fragment(None);
    // Only URLs of other schemes cannot be extended.
    if let Ok(mut path) = base.path_segments_mut() {
        let part = |part: &'static str| {
            if part.trim_matches(['{', '}']) == PROJECT {
                project
            } else {
                part
            }
        };
        path.pop_if_empty()
            .extend(EVENTS.split('/').skip(1).map(part));
    }
    base
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(EVENT_STREAM)
}

fn is_cut_off(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}

fn failure_of(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::TimedOut;
    }
    let text = innermost(error);
    if error.is_connect() {
        Failure::Unreachable(text)
    } else {
        Failure::BadAnswer(text)
    }
}

/// The innermost cause, which says what happened; the outer ones say where.
fn innermost(error: &(dyn Error + 'static)) -> Arc<str> {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().into()
}
