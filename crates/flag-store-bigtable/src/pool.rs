//! The pool of connections, which are renewed before Bigtable closes them.
//!
//! Bigtable closes each connection about hourly, which fails the calls in flight on it. So new ones are made
//! and warmed before that, and replace the old ones; calls in flight end on the old ones. If that fails, the old ones stay.

use std::sync::{Arc, PoisonError, RwLock};

use bigtable_rs::google::bigtable::v2::PingAndWarmRequest;
use flag_model::Jitter;
use futures_util::future::try_join_all;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};
use tracing::{info, warn};

use crate::connect_error::{ConnectError, chain};
use crate::connection::{ChannelHandle, connect, tokens};
use crate::endpoint::Api;
use crate::request::routed_by;
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
    connections: Arc<RwLock<ChannelHandle>>,
    renewing: Option<AbortHandle>,
}

impl ConnectionPool {
    /// Prepares connections, and renews them for as long as this lives.
    pub(crate) async fn open(settings: &BigtableSettings) -> Result<Self, ConnectError> {
        settings.check()?;
        let tokens = tokens(settings, Api::Data).await?;
        let connections = Arc::new(RwLock::new(connect(settings, tokens.clone()).await?));
        let renewing = (!settings.refresh_every.is_zero()).then(|| {
            let renewing = renew_for_ever(Arc::clone(&connections), tokens, settings.clone());
            tokio::spawn(renewing).abort_handle()
        });
        Ok(Self {
            connections,
            renewing,
        })
    }

    /// The connections for one call.
    pub(crate) fn connections(&self) -> ChannelHandle {
        let connections = self.connections.read();
        connections.unwrap_or_else(PoisonError::into_inner).clone()
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
    connections: Arc<RwLock<ChannelHandle>>,
    tokens: Option<Arc<Tokens>>,
    settings: BigtableSettings,
) {
    let mut pause = settings.refresh_every;
    let mut has_failed = false;
    loop {
        sleep(RENEWAL_JITTER.apply(pause, fastrand::f64())).await;
        pause = match warmed(&settings, tokens.clone()).await {
            Ok(renewed) => {
                *connections.write().unwrap_or_else(PoisonError::into_inner) = renewed;
                if has_failed {
                    info!("connections to Bigtable renewed");
                }
                has_failed = false;
                settings.refresh_every
            }
            Err(problem) => {
                if !has_failed {
                    warn!(%problem, "connections to Bigtable cannot be renewed; the old ones stay in use, and it is tried again");
                }
                has_failed = true;
                settings.refresh_every / SOONER
            }
        };
    }
}

/// New connections, over which Bigtable has answered; else why it has not.
async fn warmed(
    settings: &BigtableSettings,
    tokens: Option<Arc<Tokens>>,
) -> Result<ChannelHandle, String> {
    let connections = connect(settings, tokens).await;
    let connections = connections.map_err(|error| chain(&error))?;
    let pings = (0..settings.channels * PINGS).map(|_| ping(&connections, settings));
    let deadline = settings.connect_timeout;
    match timeout(deadline, try_join_all(pings)).await {
        Ok(Ok(_)) => Ok(connections),
        Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
        Err(_) => Err(format!("no answer within {} ms", deadline.as_millis())),
    }
}

async fn ping(connections: &ChannelHandle, settings: &BigtableSettings) -> Result<(), Status> {
    let name = settings.full_instance_name();
    let app_profile_id = settings.app_profile.clone().unwrap_or_default();
    let parameters = [("name", &*name), ("app_profile_id", &*app_profile_id)];
    let message = PingAndWarmRequest {
        name: name.clone(),
        app_profile_id: app_profile_id.clone(),
    };
    let request = routed_by(message, &parameters);
    let mut client = connections.clone().client();
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
