//! The administration of tables: of an emulator, or of Google Cloud.

use std::time::Duration;

use flag_store::StoreError;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::bigtable_table_admin_client::BigtableTableAdminClient;

use crate::authorized::Authorized;
use crate::call::CallTimeouts;
use crate::connect_error::ConnectError;
use crate::connection::tokens;
use crate::endpoint::Api;
use crate::settings::BigtableSettings;

/// How long Google Cloud may take; a table takes it seconds.
const IN_GOOGLE_CLOUD: CallTimeouts = CallTimeouts {
    attempt: Duration::from_secs(20),
    total: Duration::from_mins(1),
};

/// A way to the administration of tables; it is connected by the first call.
pub(crate) struct Admin {
    client: BigtableTableAdminClient<Authorized>,
    /// How long a call may take.
    pub(crate) timeouts: CallTimeouts,
}

impl Admin {
    /// Of the emulator that the settings name, else of Google Cloud. Looks for credentials, within `connect_timeout`.
    pub(crate) async fn new(settings: &BigtableSettings) -> Result<Self, StoreError> {
        let api = Api::Admin;
        settings.check().map_err(error)?;
        let endpoint = api.endpoint(settings).await;
        let channel = endpoint.map_err(error)?.connect_lazy();
        let tokens = tokens(settings, api).await.map_err(error)?;
        let channel = Authorized::new(channel, tokens, (api, settings));
        Ok(Self {
            client: BigtableTableAdminClient::new(channel),
            timeouts: match settings.emulator {
                Some(_) => settings.read(),
                None => IN_GOOGLE_CLOUD,
            },
        })
    }

    /// The client for one call.
    pub(crate) fn client(&self) -> BigtableTableAdminClient<Authorized> {
        self.client.clone()
    }
}

fn error(error: ConnectError) -> StoreError {
    let is_transient = error.is_transient();
    let source = error.into();
    if is_transient {
        StoreError::Unavailable { source }
    } else {
        StoreError::Misconfigured { source }
    }
}
