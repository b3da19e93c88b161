//! The pool of connections, which are renewed before Bigtable closes them.
//!
//! Bigtable closes each connection about hourly, which fails the calls in flight on it. So new ones are made
//! and warmed before that, and replace the old ones; calls in flight end on the old ones. If that fails, the old ones stay.

use std::sync::{Arc, PoisonError, RwLock};

use bigtable_rs::google::bigtable::v2::PingAndWarmRequest;
use flag_model::Jitter;
use futures_util::future::join_all;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status};

use crate::connect_error::ConnectError;
use crate::connection::{Client, connect, tokens};
use crate::endpoint::Api;
use crate::settings::BigtableSettings;
use crate::tokens::Tokens;

/// Pings per connection; the library chooses the connection of each ping.
const PINGS: usize = 4;

/// After a failed renewal the next one follows after the usual time divided by this.
const SOONER: u32 = 10;

/// Replicas that started together do not all connect at the same time.
const RENEWAL_JITTER: Jitter = Jitter::between(0.9, 1.0);

/// The connections in use; dropping it stops the renewal.
pub(crate) struct ConnectionPool {
    client: Arc<RwLock<Client>>,
    renewing: Option<AbortHandle>,
}

impl ConnectionPool {
    /// Prepares connections, and renews them for as long as this lives.
    pub(crate) async fn open(settings: &BigtableSettings) -> Result<Self, ConnectError> {
        settings.check()?;
        let tokens = tokens(settings, Api::Data).await?;
        let client = Arc::new(RwLock::new(connect(settings, tokens.clone())?));
        let renewing = (!settings.refresh_every.is_zero()).then(|| {
            let renewing = renew_for_ever(Arc::clone(&client), tokens, settings.clone());
            tokio::spawn(renewing).abort_handle()
        });
        Ok(Self { client, renewing })
    }

    /// The client for one call.
    pub(crate) fn client(&self) -> Client {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        client.clone()
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

async fn renew_for_ever(
    client: Arc<RwLock<Client>>,
    tokens: Option<Arc<Tokens>>,
    settings: BigtableSettings,
) {
    let mut pause = settings.refresh_every;
    loop {
        sleep(RENEWAL_JITTER.apply(pause, fastrand::f64())).await;
        pause = match warmed(&settings, tokens.clone()).await {
            Some(renewed) => {
                *client.write().unwrap_or_else(PoisonError::into_inner) = renewed;
                settings.refresh_every
            }
            None => settings.refresh_every / SOONER,
        };
    }
}

/// New connections, over which Bigtable has answered; `None` if that failed.
async fn warmed(settings: &BigtableSettings, tokens: Option<Arc<Tokens>>) -> Option<Client> {
    let client = connect(settings, tokens).ok()?;
    let pings = (0..settings.channels * PINGS).map(|_| ping(&client, settings));
    let pings = timeout(settings.connect_deadline, join_all(pings)).await;
    let is_warm = pings.ok()?.into_iter().all(|ping| ping.is_ok());
    is_warm.then_some(client)
}

async fn ping(client: &Client, settings: &BigtableSettings) -> Result<(), Status> {
    let name = settings.full_instance_name();
    let app_profile_id = settings.app_profile.clone().unwrap_or_default();
    let route = format!(
        "name={}&app_profile_id={app_profile_id}",
        name.replace('/', "%2F")
    );
    let mut request = Request::new(PingAndWarmRequest {
        name,
        app_profile_id,
    });
    if let Ok(route) = route.parse() {
        request
            .metadata_mut()
            .insert("x-goog-request-params", route);
    }
    let mut client = client.clone();
    match client.ping_and_warm(request).await {
        Err(status) if is_from_bigtable(status.code()) => Ok(()),
        answer => answer.map(drop),
    }
}

/// Whether a refusal shows that the connection works. Pings need a right on the instance, rows one on their table only.
fn is_from_bigtable(code: Code) -> bool {
    matches!(code, Code::Unimplemented | Code::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_that_is_denied_shows_that_the_connection_works() {
        assert!(is_from_bigtable(Code::PermissionDenied) && is_from_bigtable(Code::Unimplemented));
        for code in [
            Code::Unavailable,
            Code::Unauthenticated,
            Code::DeadlineExceeded,
        ] {
            assert!(!is_from_bigtable(code), "{code:?}");
        }
    }
}
