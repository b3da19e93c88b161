//! One access token from Google Cloud's credentials, wherever they are found.
//!
//! Nothing of a key or a token is in an error here, and the library that fetches tokens logs nothing: it would log
//! what a token endpoint answers.

use std::ffi::OsStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{fmt, io, thread};

use gcp_auth::{
    ConfigDefaultCredentials, CustomServiceAccount, Error, MetadataServiceAccount, Token,
    TokenProvider,
};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::codegen::http::HeaderValue;
use tracing::Dispatch;
use tracing::dispatcher::with_default;

use crate::connect_error::{CredentialsError, chain};
use crate::{gcloud, key_file};

const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const GOOGLE: &str = "Google's token endpoint";
const METADATA_SERVER: &str = "Google's metadata server";

/// How long after its deadline a thread may report it.
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

/// Where credentials are found if no key file is named, in the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// What `gcloud auth application-default login` leaves.
    UserFile,
    /// The metadata server of the machine or the pod.
    MetadataServer,
    /// The user that `gcloud` is logged in as.
    Gcloud,
}

/// Where this process has found credentials. From then on they are taken from nowhere else: a renewal must not take the
/// rights of another account while the source is away.
static FOUND: OnceLock<Source> = OnceLock::new();

/// Fetches a token for this scope.
///
/// On a thread of its own, which nothing of it logs from; it ends at the deadline.
pub(crate) async fn fetch(
    scope: &'static str,
    timeout_after: Duration,
) -> Result<Fetched, CredentialsError> {
    let (sender, receiver) = oneshot::channel();
    let fetching = thread::Builder::new()
        .name("google-token".to_owned())
        .spawn(move || {
            let _ = sender.send(with_default(&Dispatch::none(), || {
                fetch_here(scope, timeout_after)
            }));
        });
    let late = CredentialsError::TimedOut {
        after: timeout_after,
    };
    if fetching.is_err() {
        return Err(late);
    }
    match timeout(timeout_after + SLACK, receiver).await {
        Ok(Ok(fetched)) => fetched,
        _ => Err(late),
    }
}

fn fetch_here(scope: &str, timeout_after: Duration) -> Result<Fetched, CredentialsError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| CredentialsError::TimedOut {
        after: timeout_after,
    })?;
    let fetched = runtime.block_on(async {
        if let Some(path) = std::env::var_os(KEY_FILE).filter(|path| !path.is_empty()) {
            return fetch_with_key(&path, scope, timeout_after).await;
        }
        let until = Instant::now() + timeout_after;
        fetch_from_found(&FOUND, async |source| {
            let late = CredentialsError::TimedOut {
                after: timeout_after,
            };
            let fetching = timeout_at(until, fetch_from(source, scope, until));
            fetching.await.unwrap_or(Err(late.into()))
        })
        .await
    });
    // A look-up of a name may be under way, which nothing can end.
    runtime.shutdown_background();
    fetched
}

async fn fetch_with_key(
    path: &OsStr,
    scope: &str,
    timeout_after: Duration,
) -> Result<Fetched, CredentialsError> {
    let key = key_file::read(path)?;
    let account = CustomServiceAccount::from_json(&key.text).map_err(|error| {
        let problem = match error {
            Error::Io(what, source) => format!("cannot be used: {what}: {source}"),
            // Its other errors may quote the key.
            _ => "has no RSA key in PKCS#8 as its private_key: download the key of the service account again".to_owned(),
        };
        key_file::wrong(path, problem)
    })?;
    let endpoint = format!("{}, named by {}", key.shown_token_uri(), path.display());
    let Ok(token) = timeout(timeout_after, account.token(&[scope])).await else {
        let problem = format!("no answer within {} ms", timeout_after.as_millis());
        return Err(CredentialsError::TokenEndpoint { endpoint, problem });
    };
    understood(token.as_deref(), &endpoint)
}

/// Why a source gave no token.
struct Problem {
    error: CredentialsError,
    /// Whether there is no such source here.
    is_absent: bool,
}

impl From<CredentialsError> for Problem {
    fn from(error: CredentialsError) -> Self {
        Self {
            error,
            is_absent: false,
        }
    }
}

/// Fetches a token from the source that was found; while there is none, from the first one that gives a token.
async fn fetch_from_found(
    found: &OnceLock<Source>,
    fetch: impl AsyncFn(Source) -> Result<Fetched, Problem>,
) -> Result<Fetched, CredentialsError> {
    if let Some(source) = found.get() {
        return fetch(*source).await.map_err(|problem| problem.error);
    }
    let mut first = None;
    for source in [Source::UserFile, Source::MetadataServer, Source::Gcloud] {
        match fetch(source).await {
            Ok(fetched) => {
                found.get_or_init(|| source);
                return Ok(fetched);
            }
            Err(problem) if problem.is_absent => {}
            Err(problem) => {
                first.get_or_insert(problem.error);
            }
        }
    }
    Err(first.unwrap_or(CredentialsError::Missing))
}

async fn fetch_from(source: Source, scope: &str, until: Instant) -> Result<Fetched, Problem> {
    let scopes = [scope];
    match source {
        Source::UserFile => {
            let provider = ConfigDefaultCredentials::new().await;
            let provider = provider.map_err(|error| of_user_file(&error))?;
            let token = provider.token(&scopes).await;
            Ok(understood(token.as_deref(), GOOGLE)?)
        }
        Source::MetadataServer => {
            let provider = MetadataServiceAccount::new().await;
            let provider = provider.map_err(|error| of_metadata_server(&error))?;
            let token = provider.token(&scopes).await;
            Ok(understood(token.as_deref(), METADATA_SERVER)?)
        }
        Source::Gcloud => {
            let absent = Problem {
                error: CredentialsError::Missing,
                is_absent: true,
            };
            let token = gcloud::token(OsStr::new("gcloud"), until).await?;
            let token = token.ok_or(absent)?;
            Ok(fetched(&token, gcloud::VALID_FOR, "gcloud")?)
        }
    }
}

fn of_user_file(error: &Error) -> Problem {
    let is_absent = match error {
        Error::Io(_, source) => source.kind() == io::ErrorKind::NotFound,
        Error::Str(what) => *what == "home directory not found",
        _ => false,
    };
    let endpoint = format!("{GOOGLE} with the login of `gcloud auth application-default login`");
    let problem = redacted(error);
    let failed = CredentialsError::TokenEndpoint { endpoint, problem };
    Problem {
        error: if is_absent {
            CredentialsError::Missing
        } else {
            failed
        },
        is_absent,
    }
}

fn of_metadata_server(error: &Error) -> Problem {
    // One that answers is there.
    let is_absent = matches!(error, Error::Other(..));
    let advice = if is_absent {
        ""
    } else {
        "; give the machine or the pod a service account that may use Bigtable"
    };
    let error = CredentialsError::TokenEndpoint {
        endpoint: METADATA_SERVER.to_owned(),
        problem: format!("{}{advice}", redacted(error)),
    };
    Problem { error, is_absent }
}

fn understood(token: Result<&Token, &Error>, endpoint: &str) -> Result<Fetched, CredentialsError> {
    let failed = |problem| CredentialsError::TokenEndpoint {
        endpoint: endpoint.to_owned(),
        problem,
    };
    let token = token.map_err(|error| failed(redacted(error)))?;
    let ends = SystemTime::from(token.expires_at());
    let valid_for = ends.duration_since(SystemTime::now()).unwrap_or_default();
    fetched(token.as_str(), valid_for, endpoint)
}

fn fetched(token: &str, valid_for: Duration, endpoint: &str) -> Result<Fetched, CredentialsError> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        CredentialsError::TokenEndpoint {
            endpoint: endpoint.to_owned(),
            problem: "its answer is not a token".to_owned(),
        }
    })?;
    header.set_sensitive(true);
    Ok(Fetched { header, valid_for })
}

/// The error of the library without what it quotes.
fn redacted(error: &Error) -> String {
    match error {
        Error::Json("failed to deserialize ApplicationCredentials", source) => format!(
            "its file is not as gcloud writes it (line {}, column {})",
            source.line(),
            source.column()
        ),
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
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_answer_that_is_not_a_token_is_not_quoted() {
        let parsed = serde_json::from_str::<u64>("\"SECRET\"").unwrap_err();
        assert!(parsed.to_string().contains("SECRET"));
        let error = Error::Json("failed to deserialize token from response", parsed);
        assert_eq!(
            redacted(&error),
            "its answer is not a token (line 1, column 8)"
        );
    }

    #[test]
    fn a_metadata_server_that_answers_is_there() {
        let refused = of_metadata_server(&Error::Str("token request failed"));
        let text = refused.error.to_string();
        assert!(!refused.is_absent);
        assert!(
            text.starts_with("no access token from Google's metadata server: it refused;"),
            "{text}"
        );
        let absent = Error::Other("HTTP request failed", "refused".into());
        assert!(of_metadata_server(&absent).is_absent);
    }

    /// The sources that are asked, of which some are away, and the one that is found.
    async fn ask(found: &OnceLock<Source>, away: &[Source]) -> (Vec<Source>, Result<(), String>) {
        let asked = Mutex::new(Vec::new());
        let answer = fetch_from_found(found, async |source| {
            asked.lock().unwrap().push(source);
            let is_absent = away.contains(&source);
            let error = CredentialsError::TimedOut {
                after: Duration::ZERO,
            };
            if is_absent || source == Source::UserFile {
                return Err(Problem { error, is_absent });
            }
            Ok(fetched("token", Duration::from_hours(1), "test").unwrap())
        });
        let answer = answer.await.map(drop).map_err(|error| error.to_string());
        (asked.into_inner().unwrap(), answer)
    }

    #[tokio::test]
    async fn a_renewal_takes_the_credentials_of_nobody_else() {
        use Source::{Gcloud, MetadataServer, UserFile};
        let found = OnceLock::new();
        let (asked, answer) = ask(&found, &[UserFile, MetadataServer, Gcloud]).await;
        assert_eq!(asked, [UserFile, MetadataServer, Gcloud]);
        assert_eq!(answer, Err(CredentialsError::Missing.to_string()));
        let (asked, answer) = ask(&found, &[UserFile]).await;
        assert_eq!((asked, answer), (vec![UserFile, MetadataServer], Ok(())));
        let (asked, answer) = ask(&found, &[MetadataServer]).await;
        assert_eq!(asked, [MetadataServer]);
        assert!(answer.is_err());
    }

    #[tokio::test]
    async fn the_first_failure_is_reported_if_nobody_gives_a_token() {
        let away = [Source::MetadataServer, Source::Gcloud];
        let (_, answer) = ask(&OnceLock::new(), &away).await;
        assert!(answer.unwrap_err().contains("within 0 ms"));
    }
}
