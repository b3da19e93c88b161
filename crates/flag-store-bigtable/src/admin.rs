//! The administration of tables: of an emulator, or of Google Cloud.
//!
//! Nothing here has ever been run against Google Cloud: what is said to it is what its documentation says, and what
//! the emulator takes.

use std::sync::Arc;
use std::time::Duration;

use flag_store::StoreError;
use gcp_auth::TokenProvider;
use googleapis_tonic_google_bigtable_admin_v2::google::bigtable::admin::v2::bigtable_table_admin_client::BigtableTableAdminClient;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::call::CallTimeouts;
use crate::settings::BigtableSettings;
use crate::status::refused;

const GOOGLE_CLOUD: &str = "https://bigtableadmin.googleapis.com";

/// The scopes of the access token; the role of the account decides the rest.
const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// How long Google Cloud may take; a table takes it seconds.
const IN_GOOGLE_CLOUD: CallTimeouts = CallTimeouts {
    attempt: Duration::from_secs(20),
    deadline: Duration::from_mins(1),
};

/// A way to the administration of tables; it is connected by the first call.
pub(crate) struct Admin {
    client: BigtableTableAdminClient<Channel>,
    tokens: Option<Arc<dyn TokenProvider>>,
    /// How long a call may take, fetching its token included.
    pub(crate) timeouts: CallTimeouts,
}

impl Admin {
    /// Of the emulator that the settings name, else of Google Cloud. Looks for credentials, within `connect_deadline`.
    pub(crate) async fn new(settings: &BigtableSettings) -> Result<Self, StoreError> {
        let refused = |why: &str| refused(&settings.flag_table, why);
        if let Some(emulator) = &settings.emulator {
            let endpoint = Endpoint::from_shared(format!("http://{emulator}"))
                .map_err(|_| refused("the emulator's address is no address"))?;
            return Ok(Self {
                client: BigtableTableAdminClient::new(endpoint.connect_lazy()),
                tokens: None,
                timeouts: settings.read(),
            });
        }
        let tls = ClientTlsConfig::new().with_native_roots();
        let endpoint = Endpoint::from_static(GOOGLE_CLOUD)
            .connect_timeout(settings.connect_deadline)
            .tls_config(tls)
            .map_err(|source| StoreError::Unavailable {
                source: source.into(),
            })?;
        Ok(Self {
            client: BigtableTableAdminClient::new(endpoint.connect_lazy()),
            tokens: Some(tokens(settings.connect_deadline).await?),
            timeouts: IN_GOOGLE_CLOUD,
        })
    }

    /// The client for one call.
    pub(crate) fn client(&self) -> BigtableTableAdminClient<Channel> {
        self.client.clone()
    }

    /// A request with its token, and the header that routes it by this parameter.
    pub(crate) async fn request<T>(
        &self,
        message: T,
        (parameter, name): (&str, &str),
    ) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        let invalid = |_| Status::invalid_argument("what no header can hold");
        let route = format!("{parameter}={}", name.replace('/', "%2F"));
        metadata.insert("x-goog-request-params", route.parse().map_err(invalid)?);
        if let Some(tokens) = &self.tokens {
            let token = tokens.token(SCOPES).await;
            let token = token.map_err(|error| Status::from_error(Box::new(error)))?;
            let token = format!("Bearer {}", token.as_str());
            metadata.insert("authorization", token.parse().map_err(invalid)?);
        }
        Ok(request)
    }
}

async fn tokens(deadline: Duration) -> Result<Arc<dyn TokenProvider>, StoreError> {
    match tokio::time::timeout(deadline, Box::pin(gcp_auth::provider())).await {
        Ok(Ok(tokens)) => Ok(tokens),
        Ok(Err(source)) => Err(StoreError::Refused {
            source: source.into(),
        }),
        Err(_) => Err(StoreError::TimedOut { after: deadline }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_says_where_it_goes() {
        let settings = BigtableSettings {
            emulator: Some("127.0.0.1:1".into()),
            ..BigtableSettings::new("p", "i", "flags", "log")
        };
        let admin = Admin::new(&settings).await.unwrap();
        let name = "projects/p/instances/i/tables/flags";
        let request = admin.request((), ("name", name)).await.unwrap();
        let header = request.metadata().get("x-goog-request-params").unwrap();
        assert_eq!(header, "name=projects%2Fp%2Finstances%2Fi%2Ftables%2Fflags");
        assert!(request.metadata().get("authorization").is_none());
    }
}
