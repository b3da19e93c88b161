//! An HTTP client for a service: this one, or the one that it replaces.

use std::time::Duration;

use flag_api::{BEARER, FLAG_NAME, FLAG_TYPE, GET_FEATURE_FLAG, INSTANCE_ID, PROJECT_NAME};
use flag_model::{Backoff, FlagKey, InstanceId, Jitter};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rustls::crypto::ring;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::failure::CommandError;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often a request is sent that may succeed the next time.
const ATTEMPTS: u32 = 4;

/// Pauses between attempts.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(250),
    max: Duration::from_secs(1),
    jitter: Jitter::NONE,
};

/// The longest `Retry-After` that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How much of an error is kept, in characters.
const LONGEST_DETAIL: usize = 200;

/// A service that answers `GET /get-feature-flag`.
#[derive(Debug)]
pub(crate) struct ServiceClient {
    /// The URL of requests, with its password if it has one.
    url: Url,
    /// The URL in messages.
    shown: Url,
    http: Client,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    /// What the instance receives.
    Served(ServedValue),
    /// An error instead of a value.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The message.
        detail: String,
    },
}

/// What an instance receives; the members that both services answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServedValue {
    pub(crate) flag_value: Value,
    pub(crate) rollout_group: String,
}

/// Why a service cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceClientError {
    /// It is no URL of a service.
    #[error("found {0:?}, expected an address such as http://127.0.0.1:8080")]
    Url(String),
    /// The API key cannot be sent.
    #[error("FLAG_API_KEY contains a character that no header may contain, such as a line break")]
    Key,
    /// No connections can be prepared.
    #[error("cannot prepare connections")]
    Prepare(#[source] reqwest::Error),
    /// It did not answer any attempt.
    #[error("{url} does not answer")]
    Unanswered {
        /// Its address.
        url: Url,
        /// What happened last.
        source: reqwest::Error,
    },
}

impl CommandError for ServiceClientError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Url(_) | Self::Key => ExitCode::Usage,
            Self::Prepare(_) | Self::Unanswered { .. } => ExitCode::Failed,
        }
    }
}

impl Reply {
    /// Whether it is no value.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl ServiceClient {
    /// Prepares requests; sends nothing yet. Follows no redirect, so that the key is sent to this service only.
    pub(crate) fn new(url: &str, key: Option<&str>) -> Result<Self, ServiceClientError> {
        let parsed = Url::parse(url).ok();
        let base = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(|| ServiceClientError::Url(without_password(url)))?;
        // An earlier caller has installed the same one.
        let _ = ring::default_provider().install_default();
        let http = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .default_headers(key.map_or_else(|| Ok(HeaderMap::new()), authorization)?);
        let http = if is_local(&base) {
            http.no_proxy()
        } else {
            http
        };
        Ok(Self {
            shown: shown(&base),
            url: base,
            http: http.build().map_err(ServiceClientError::Prepare)?,
        })
    }

    /// Its address, without anything secret.
    pub(crate) fn shown(&self) -> &Url {
        &self.shown
    }

    /// Requests the value for an instance; repeats a request, after a pause, that may succeed the next time.
    pub(crate) async fn ask(
        &self,
        flag: &FlagKey,
        instance: &InstanceId<'_>,
    ) -> Result<Reply, ServiceClientError> {
        let url = self.question(flag, instance);
        let mut attempt = 1;
        loop {
            let answer = self.http.get(url.clone()).send().await;
            let is_last = attempt == ATTEMPTS;
            let wait = match answer {
                Ok(answer) if is_last || !may_pass(answer.status()) => {
                    return read(answer).await.map_err(|error| self.unanswered(error));
                }
                Ok(answer) => wanted_wait(&answer),
                Err(error) if is_last => return Err(self.unanswered(error)),
                Err(_) => None,
            };
            let pause = wait.unwrap_or_else(|| BACKOFF.delay(attempt - 1, 0.0));
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    fn unanswered(&self, source: reqwest::Error) -> ServiceClientError {
        ServiceClientError::Unanswered {
            url: self.shown.clone(),
            source: source.without_url(),
        }
    }

    fn question(&self, flag: &FlagKey, instance: &InstanceId<'_>) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{GET_FEATURE_FLAG}"));
        url.query_pairs_mut()
            .clear()
            .append_pair(PROJECT_NAME, flag.project.as_str())
            .append_pair(INSTANCE_ID, instance.as_str())
            .append_pair(FLAG_TYPE, flag.flag_type.as_str())
            .append_pair(FLAG_NAME, flag.name.as_str());
        url
    }
}

fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // Fails only where there is no host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown
}

/// Shown for an address that cannot be parsed, because it may contain a password.
fn without_password(url: &str) -> String {
    let rest = url.rsplit_once('@');
    rest.map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"))
}

fn authorization(key: &str) -> Result<HeaderMap, ServiceClientError> {
    let mut value = HeaderValue::try_from(format!("{BEARER} {key}"))
        .map_err(|_invalid| ServiceClientError::Key)?;
    value.set_sensitive(true);
    Ok([(AUTHORIZATION, value)].into_iter().collect())
}

/// Whether it is this machine, which is called without a proxy.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn wanted_wait(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let wait = Duration::from_secs(seconds.parse().ok()?);
    Some(wait.min(LONGEST_WAIT))
}

async fn read(answer: Response) -> reqwest::Result<Reply> {
    let status = answer.status();
    let body = answer.bytes().await?;
    if status == StatusCode::OK
        && let Ok(served) = serde_json::from_slice(&body)
    {
        return Ok(Reply::Served(served));
    }
    Ok(Reply::Refused {
        status: status.as_u16(),
        detail: detail(&body),
    })
}

/// The message of an error: the member `detail` if there is one, else the beginning of the body.
fn detail(body: &[u8]) -> String {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail"));
    let text = match detail {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    text.chars().take(LONGEST_DETAIL).collect()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[track_caller]
    fn check_question(base: &str, expected: &str) {
        let client = ServiceClient::new(base, None).unwrap();
        let flag = "p/feature/a b".parse::<FlagKey>().unwrap();
        let instance = InstanceId::new("A+1&é").unwrap();
        assert_eq!(client.question(&flag, &instance).as_str(), expected);
    }

    #[test]
    fn a_question_is_asked_below_the_path_of_the_service() {
        let query = "project_name=p&instance_id=A%2B1%26%C3%A9&flag_type=feature&flag_name=a+b";
        check_question(
            "http://h:1",
            &format!("http://h:1/get-feature-flag?{query}"),
        );
        check_question(
            "https://h/flags/",
            &format!("https://h/flags/get-feature-flag?{query}"),
        );
    }

    #[test]
    fn what_is_no_address_of_a_service_is_refused_with_what_it_was() {
        for url in ["127.0.0.1:8080", "ftp://h/", "localhost", ""] {
            let error = ServiceClient::new(url, None).unwrap_err();
            assert!(error.to_string().contains(&format!("{url:?}")), "{error}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_sent_and_not_shown() {
        let client =
            ServiceClient::new("http://ann:secret@h:1/a?token=secret#secret", None).unwrap();
        assert_eq!(client.shown().as_str(), "http://h:1/a");
        assert_eq!(client.url.password(), Some("secret"));
        for url in [
            "ftp://ann:secret@h/",
            "ann:secret@h",
            "http://ann:se/secret@h",
        ] {
            let error = ServiceClient::new(url, None).unwrap_err().to_string();
            assert!(
                !error.contains("secret") && error.contains("…@h"),
                "{error}"
            );
        }
        let source = Client::new().get("h").build().unwrap_err();
        let error = client.unanswered(source).to_string();
        assert_eq!(error, "http://h:1/a does not answer");
    }

    #[test]
    fn this_machine_is_asked_without_a_proxy() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:80", true),
            ("http://localhost", true),
            ("http://flags.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_local(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn the_message_of_an_error_is_what_people_read() {
        assert_eq!(
            detail(br#"{"detail":"No Flag Data found: x"}"#),
            "No Flag Data found: x"
        );
        assert_eq!(detail(br#"{"detail":[{"msg":"m"}]}"#), r#"[{"msg":"m"}]"#);
        assert_eq!(detail(b"Not Found"), "Not Found");
    }
}
