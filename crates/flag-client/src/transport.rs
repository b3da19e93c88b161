//! One request over HTTP and its outcome. Knows neither the cache nor deadlines.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use flag_api::{FLAG_NAME, FLAG_TYPE, GET_FEATURE_FLAG, INSTANCE_ID, PROJECT_NAME, WITH_REASON};
use flag_model::FlagValue;
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, Url};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::build_error::BuildError;
use crate::connections::{Connections, Http};
use crate::detail::KnownValue;
use crate::failure::{Failure, RequestFailure};
use crate::question::Question;
use crate::reply;

/// The longest answer that is read: the longest value, with each byte escaped as six, and 128 KiB for the rest.
const LONGEST_ANSWER: usize = 6 * FlagValue::MAX_TEXT_BYTES + 128 * 1024;

/// How many requests are in flight at most, each on a connection of its own; the others wait for their turn.
const REQUESTS: usize = 64;

/// The address of the service, and the connections to it.
pub(crate) struct Transport {
    http: Http,
    /// Of this process. Made when the client is built; in a forked process, with the first request.
    connections: OnceLock<Connections>,
    /// With the path of the question, and the project in the query.
    url: Url,
    headers: HeaderMap,
    slots: Semaphore,
}

impl Transport {
    /// A transport to the service below this URL, for a project.
    pub(crate) fn new(
        http: Http,
        base: Url,
        project: &str,
        headers: HeaderMap,
    ) -> Result<Self, BuildError> {
        let mut url = base;
        let path = format!("{}{GET_FEATURE_FLAG}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_fragment(None);
        url.query_pairs_mut().append_pair(PROJECT_NAME, project);
        Ok(Self {
            connections: OnceLock::from(http.connect()?),
            http,
            url,
            headers,
            slots: Semaphore::new(REQUESTS),
        })
    }

    /// The same for a forked process, without connections yet.
    pub(crate) fn of_child(&self) -> Self {
        Self {
            connections: OnceLock::new(),
            http: self.http.clone(),
            url: self.url.clone(),
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
    pub(crate) async fn ask(&self, question: Question<'_>) -> Result<KnownValue, RequestFailure> {
        let answer = self.ask_service(question).await;
        answer.map_err(|failure| match self.http.proxy() {
            Some(proxy) => failure.through(&proxy.name()),
            None => failure,
        })
    }

    /// Sends a question; if the connection is cut off before an answer, as may happen to an idle one, sends it once more on
    /// a new connection, as the other idle ones may be dead too.
    async fn ask_service(&self, question: Question<'_>) -> Result<KnownValue, RequestFailure> {
        let Connections { kept, fresh } = self.connections()?;
        let response = match self.send(kept, question).await {
            Err(error) if is_cut_off(&error) => self.send(fresh, question).await,
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

    fn connections(&self) -> Result<&Connections, Failure> {
        if let Some(connections) = self.connections.get() {
            return Ok(connections);
        }
        let made = self.http.connect();
        let made = made.map_err(|error| Failure::Unreachable(innermost(&error)))?;
        Ok(self.connections.get_or_init(|| made))
    }

    async fn send(&self, http: &Client, question: Question<'_>) -> reqwest::Result<Response> {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair(FLAG_TYPE, question.flag.flag_type.as_str())
            .append_pair(FLAG_NAME, question.flag.name)
            .append_pair(INSTANCE_ID, question.instance_id)
            .append_pair(WITH_REASON, "true");
        http.get(url).headers(self.headers.clone()).send().await
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
