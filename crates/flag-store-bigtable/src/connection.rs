//! The connections to Bigtable, or to its emulator.

use std::sync::Arc;

use bigtable_rs::google::bigtable::v2::bigtable_client::BigtableClient;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::transport::channel::Change;

use crate::authorized::Authorized;
use crate::connect_error::ConnectError;
use crate::credentials;
use crate::endpoint::Api;
use crate::settings::BigtableSettings;
use crate::tokens::Tokens;

/// The largest answer that is accepted; a row arrives in one if it is not split.
const MAX_RESPONSE_BYTES: usize = 32 << 20;

/// The scope of tokens for rows; the IAM role of the account narrows it.
const DATA: &str = "https://www.googleapis.com/auth/bigtable.data";
/// The scope of tokens for tables.
const ADMIN: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A handle on the connections, which share the calls; it is cloned for each call.
#[derive(Clone, Debug)]
pub(crate) struct ChannelHandle(Authorized);

impl ChannelHandle {
    /// The client of one call.
    pub(crate) fn client(self) -> BigtableClient<Authorized> {
        BigtableClient::new(self.0).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// A client that leaves path and encoding to its caller.
    pub(crate) fn raw_client(self) -> Grpc<Authorized> {
        Grpc::new(self.0).max_decoding_message_size(MAX_RESPONSE_BYTES)
    }
}

/// Prepares the connections; they are made by the first call.
///
/// Belongs to the runtime that it is called in.
pub(crate) async fn connect(
    settings: &BigtableSettings,
    tokens: Option<Arc<Tokens>>,
) -> Result<ChannelHandle, ConnectError> {
    settings.check()?;
    let endpoint = Api::Data.endpoint(settings).await?;
    let (channel, connections) = Channel::balance_channel(settings.channels);
    for key in 0..settings.channels {
        // Its capacity is this many.
        let _ = connections.try_send(Change::Insert(key, endpoint.clone()));
    }
    let channel = Authorized::new(channel, tokens, (Api::Data, settings));
    Ok(ChannelHandle(channel))
}

/// The tokens for an API, of which the first is there; none for an emulator.
pub(crate) async fn tokens(
    settings: &BigtableSettings,
    api: Api,
) -> Result<Option<Arc<Tokens>>, ConnectError> {
    if settings.emulator.is_some() {
        return Ok(None);
    }
    let deadline = settings.connect_timeout;
    let scope = match api {
        Api::Data => DATA,
        Api::Admin => ADMIN,
    };
    let source = move || Box::pin(credentials::fetch(scope, deadline)) as _;
    Ok(Some(Tokens::open(Arc::new(source)).await?))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use tokio::runtime::Builder;

    use super::*;

    #[tokio::test]
    async fn an_emulator_that_is_down_does_not_stop_the_start() {
        let settings = BigtableSettings {
            emulator: Some("127.0.0.1:1".into()),
            ..BigtableSettings::new("p", "i", "flags", "log")
        };
        assert!(connect(&settings, None).await.is_ok());
        assert!(tokens(&settings, Api::Data).await.unwrap().is_none());
    }

    #[test]
    fn a_disk_that_is_slow_to_give_certificates_holds_up_nothing_else() {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // As reading does on a slow disk, it takes the only thread that may wait.
            let (disk, waits) = std::sync::mpsc::channel::<()>();
            let slow = tokio::task::spawn_blocking(move || waits.recv());
            let settings = BigtableSettings {
                ca_file: Some("/nowhere/ca.pem".into()),
                ..BigtableSettings::new("p", "i", "flags", "log")
            };
            let mut connecting = pin!(connect(&settings, None));
            assert!(poll!(&mut connecting).is_pending());
            disk.send(()).unwrap();
            slow.await.unwrap().unwrap();
            assert!(matches!(connecting.await, Err(ConnectError::CaFile { .. })));
        });
    }
}
