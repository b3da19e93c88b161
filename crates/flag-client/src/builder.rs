//! How a client is configured.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use flag_api::BEARER;
use flag_model::ProjectName;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::async_client::AsyncFeatureFlagClient;
use crate::backend::Backend;
use crate::bounded_map::BoundedMap;
use crate::build_error::{BuildError, without_password};
use crate::cache::Cache;
use crate::circuit::Circuit;
use crate::client::FeatureFlagClient;
use crate::client_state::{ClientState, LastKnownValues};
use crate::core::Core;
use crate::environment::{self, API_KEY, SERVICE_URL};
use crate::failure::Failure;
use crate::http_clients::{BuildHttp, HttpClientFactory};
use crate::in_flight::InFlight;
use crate::push::{Push, PushMode, REFETCH_WITHIN};
use crate::transport::Transport;

/// The default base URL: the default address of the service.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The circuit opens when several calls are unanswered for the timeout divided by this.
const UNANSWERED_TIMEOUT_DIVISOR: u32 = 16;

/// The longest duration that is taken from the application, so that no sum with a time overflows.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Configures a client; `C` is the client that it builds.
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder<C> {
    project: String,
    base_url: Option<String>,
    timeout: Duration,
    cache_entries: usize,
    cache_lifetime: Duration,
    cool_down: Duration,
    last_known_values: LastKnownValues,
    push: PushMode,
    headers: Vec<(String, String)>,
    http: Option<Arc<BuildHttp>>,
    client: PhantomData<fn() -> C>,
}

/// Omits the headers, which may be secrets.
impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl<C> ClientBuilder<C> {
    pub(crate) fn new(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            base_url: None,
            timeout: Duration::from_secs(5),
            cache_entries: 100,
            cache_lifetime: Duration::from_mins(5),
            cool_down: Duration::from_secs(1),
            last_known_values: LastKnownValues::Served,
            push: PushMode::On {
                refetch_within: REFETCH_WITHIN,
            },
            headers: Vec::new(),
            http: None,
            client: PhantomData,
        }
    }

    /// The base URL of the service; by default `FLAG_SERVICE_URL`, else `http://127.0.0.1:8080`. It may have a path.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// How long a call takes at most, in all; 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many answers are cached at most; 100 by default.
    pub fn cache_entries(mut self, entries: usize) -> Self {
        self.cache_entries = entries;
        self
    }

    /// How long an answer is cached; 300 s by default.
    pub fn cache_lifetime(mut self, lifetime: Duration) -> Self {
        self.cache_lifetime = lifetime;
        self
    }

    /// How long no request is sent after failures in a row, at first; 1 s by default. It doubles up to 30 s.
    pub fn cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// Returns the default rather than an expired value when the service cannot be asked.
    pub fn without_last_known_values(mut self) -> Self {
        self.last_known_values = LastKnownValues::Withheld;
        self
    }

    /// Opens no event stream: a change shows when the cached answer's lifetime has ended, 300 s by default.
    pub fn without_push(mut self) -> Self {
        self.push = PushMode::Off;
        self
    }

    /// Within which time a prefetched flag that has changed is fetched again, at random so that many clients don't ask at
    /// once; 2 s by default. What the application asks for meanwhile is asked at once.
    pub fn refetch_within(mut self, time: Duration) -> Self {
        if let PushMode::On { refetch_within } = &mut self.push {
            *refetch_within = time.min(LONGEST);
        }
        self
    }

    /// The API key, sent as `Authorization: Bearer …`; by default `FLAG_API_KEY`.
    pub fn api_key(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), bearer(key))
    }

    /// A header to send with every request. Its value is never logged.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How to build the HTTP client, instead of the default one, for proxies, certificates and the like.
    ///
    /// `build` is called twice (the second client keeps no connection pool), and twice again in a forked process: it must
    /// return a new builder each time. Set `redirect::Policy::none()` in it: otherwise headers, with the API key, may
    /// follow a redirect to another host.
    pub fn http_client(
        mut self,
        build: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.http = Some(Arc::new(build));
        self
    }

    /// The backend of this configuration.
    fn backend(self) -> Result<Backend, BuildError> {
        let transport = self.transport()?;
        let timeout = self.timeout.min(LONGEST);
        let state = ClientState {
            cache: Cache::new(self.cache_entries, self.cache_lifetime.min(LONGEST)),
            prefetched: BoundedMap::new(self.cache_entries),
            push: Push::new(self.push),
            listeners: Arc::default(),
            circuit: Circuit::new(
                transport.name(),
                self.cool_down.min(LONGEST),
                timeout / UNANSWERED_TIMEOUT_DIVISOR,
            ),
            in_flight: InFlight::default(),
            transport,
            timeout,
            last_known_values: self.last_known_values,
        };
        Ok(Backend::Service(Arc::new(Core::new(state))))
    }

    /// The backend of this configuration; if it is invalid, one that answers with defaults.
    pub(crate) fn backend_or_unconfigured(self) -> Backend {
        self.backend().unwrap_or_else(|problem| {
            environment::report(&problem);
            Backend::Unconfigured(Failure::Misconfigured(problem.to_string().into()))
        })
    }

    fn transport(&self) -> Result<Transport, BuildError> {
        ProjectName::new(&self.project).map_err(|_| BuildError::Project {
            found: self.project.clone(),
        })?;
        let base = self.url()?;
        let headers = self.header_map()?;
        let http = match &self.http {
            Some(build) => HttpClientFactory::Custom(Arc::clone(build)),
            None => HttpClientFactory::own(&base, &headers)?,
        };
        Transport::new(http, base, &self.project, headers)
    }

    fn url(&self) -> Result<Url, BuildError> {
        let given = self.base_url.clone();
        let found = given.or_else(|| environment::variable(SERVICE_URL));
        let found = found.unwrap_or_else(|| DEFAULT_URL.to_owned());
        match Url::parse(&found) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
            _ => Err(BuildError::Url {
                found: without_password(&found),
            }),
        }
    }

    fn header_map(&self) -> Result<HeaderMap, BuildError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong = || BuildError::Header { name: name.clone() };
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.insert(name, value);
        }
        let key = environment::variable(API_KEY).filter(|key| !key.is_empty());
        if let (Some(key), false) = (key, headers.contains_key(AUTHORIZATION)) {
            let value = HeaderValue::from_str(&bearer(&key));
            let mut value = value.map_err(|_| BuildError::ApiKey)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

impl ClientBuilder<FeatureFlagClient> {
    /// Builds the client. Sends nothing yet.
    pub fn build(self) -> Result<FeatureFlagClient, BuildError> {
        self.backend().map(FeatureFlagClient::of)
    }
}

impl ClientBuilder<AsyncFeatureFlagClient> {
    /// Builds the client. Sends nothing yet.
    pub fn build(self) -> Result<AsyncFeatureFlagClient, BuildError> {
        self.backend().map(AsyncFeatureFlagClient::of)
    }
}

fn bearer(key: &str) -> String {
    format!("{BEARER} {key}")
}
