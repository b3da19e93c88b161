//! One access token from Google Cloud's credentials, wherever they are found.
//!
//! Nothing of a key or a token is in an error here, and the library that fetches tokens logs nothing: it would log
//! what a token endpoint answers.

use std::ffi::OsStr;
use std::fmt;
use std::thread;
use std::time::{Duration, SystemTime};

use gcp_auth::{CustomServiceAccount, Error, Token, TokenProvider};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::codegen::http::HeaderValue;
use tracing::Dispatch;
use tracing::dispatcher::with_default;

use crate::connect_error::{CredentialsError, chain};
use crate::key_file;

const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// How much later than its deadline a thread may say that it was late.
const SLACK: Duration = Duration::from_secs(1);

/// An access token, as a request carries it.
#[derive(Clone)]
pub(crate) struct Fetched {
    /// The header `authorization`; its value is never shown.
    pub(crate) header: HeaderValue,
    /// How long it is valid from now.
    pub(crate) valid_for: Duration,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("valid_for", &self.valid_for)
            .finish_non_exhaustive()
    }
}

/// Looks for credentials anew and fetches a token for this scope.
///
/// On a thread of its own: the library may run `gcloud` and wait for it.
pub(crate) async fn fetch(
    scope: &'static str,
    deadline: Duration,
) -> Result<Fetched, CredentialsError> {
    let (tell, told) = oneshot::channel();
    let fetching = thread::Builder::new()
        .name("google-token".to_owned())
        .spawn(move || {
            let _ = tell.send(with_default(&Dispatch::none(), || {
                fetch_here(scope, deadline)
            }));
        });
    let late = CredentialsError::TimedOut { after: deadline };
    if fetching.is_err() {
        return Err(late);
    }
    match timeout(deadline + SLACK, told).await {
        Ok(Ok(fetched)) => fetched,
        _ => Err(late),
    }
}

fn fetch_here(scope: &str, deadline: Duration) -> Result<Fetched, CredentialsError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| CredentialsError::TimedOut { after: deadline })?;
    let fetched = runtime.block_on(async {
        match std::env::var_os(KEY_FILE) {
            Some(path) => fetch_with_key(&path, scope, deadline).await,
            None => fetch_from_anywhere(scope, deadline).await,
        }
    });
    // A look-up of a name may be under way, which nothing can end.
    runtime.shutdown_background();
    fetched
}

async fn fetch_with_key(
    path: &OsStr,
    scope: &str,
    deadline: Duration,
) -> Result<Fetched, CredentialsError> {
    let key = key_file::read(path)?;
    let account = CustomServiceAccount::from_json(&key.text).map_err(|error| {
        let problem = match error {
            Error::Io(what, source) => format!("cannot be used: {what}: {source}"),
            // What it says else may quote the key.
            _ => "has no RSA key in PKCS#8 as its private_key: download the key of the service account again".to_owned(),
        };
        key_file::wrong(path, problem)
    })?;
    let endpoint = format!("{}, named by {}", key.token_uri, path.display());
    let Ok(token) = timeout(deadline, account.token(&[scope])).await else {
        let problem = format!("no answer within {} ms", deadline.as_millis());
        return Err(CredentialsError::TokenEndpoint { endpoint, problem });
    };
    understood(token.as_deref(), &endpoint)
}

async fn fetch_from_anywhere(scope: &str, deadline: Duration) -> Result<Fetched, CredentialsError> {
    let fetching = async {
        let provider = gcp_auth::provider().await.map_err(not_found)?;
        let token = provider.token(&[scope]).await;
        understood(token.as_deref(), "Google's token endpoint")
    };
    let late = CredentialsError::TimedOut { after: deadline };
    timeout(deadline, fetching).await.unwrap_or(Err(late))
}

/// Why no credentials were found anywhere.
fn not_found(error: Error) -> CredentialsError {
    match error {
        // A metadata server that answers is there.
        Error::NoAuthMethod(_, metadata_server, _)
            if !matches!(*metadata_server, Error::Other(..)) =>
        {
            CredentialsError::TokenEndpoint {
                endpoint: "Google's metadata server".to_owned(),
                problem: format!(
                    "{}; give the machine or the pod a service account that may use Bigtable",
                    said(&metadata_server)
                ),
            }
        }
        Error::NoAuthMethod(..) => CredentialsError::Missing,
        error => CredentialsError::TokenEndpoint {
            endpoint: "Google Cloud".to_owned(),
            problem: said(&error),
        },
    }
}

fn understood(token: Result<&Token, &Error>, endpoint: &str) -> Result<Fetched, CredentialsError> {
    let failed = |problem| CredentialsError::TokenEndpoint {
        endpoint: endpoint.to_owned(),
        problem,
    };
    let token = token.map_err(|error| failed(said(error)))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.as_str()))
        .map_err(|_| failed("what it gave is not a token".to_owned()))?;
    header.set_sensitive(true);
    let ends = SystemTime::from(token.expires_at());
    let valid_for = ends.duration_since(SystemTime::now()).unwrap_or_default();
    Ok(Fetched { header, valid_for })
}

/// What the library says, without what it quotes.
fn said(error: &Error) -> String {
    match error {
        Error::Json(_, source) => format!(
            "its answer is not a token (line {}, column {})",
            source.line(),
            source.column()
        ),
        Error::Str("token request failed") => {
            "it refused; look whether the credentials are still valid, or whether it is down"
                .to_owned()
        }
        Error::Other(..) | Error::Http(..) => chain(error),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_a_token_is_not_quoted() {
        let parsed = serde_json::from_str::<u64>("\"SECRET\"").unwrap_err();
        assert!(parsed.to_string().contains("SECRET"));
        let error = Error::Json("failed to deserialize token from response", parsed);
        assert_eq!(said(&error), "its answer is not a token (line 1, column 8)");
    }

    #[test]
    fn a_metadata_server_that_answers_is_not_a_machine_without_credentials() {
        let refused = |metadata_server| {
            let other = || Box::new(Error::Str("no"));
            let error = Error::NoAuthMethod(other(), Box::new(metadata_server), other());
            not_found(error).to_string()
        };
        let text = refused(Error::Str("token request failed"));
        assert!(
            text.starts_with("no access token from Google's metadata server: it refused;"),
            "{text}"
        );
        let text = refused(Error::Other("HTTP request failed", "refused".into()));
        assert_eq!(
            text,
            "No Google credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        );
    }
}
