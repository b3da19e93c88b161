//! The connection to Bigtable, or to its emulator.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::time::Duration;

use bigtable_rs::bigtable::BigTableConnection;
use flag_store::BoxError;
use tokio::time::timeout;

use crate::settings::BigtableSettings;

/// The largest answer that is accepted; a row arrives in one if it is not split.
const MAX_RESPONSE_BYTES: usize = 32 << 20;

/// Why the store could not be set up. Nothing has been asked of the store itself by then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A setting is invalid.
    #[error("{setting} is {found:?}, expected {expected}")]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The environment asks for an emulator, the settings don't.
    #[error(
        "BIGTABLE_EMULATOR_HOST is set, but the settings name no emulator: unset it, or name the emulator"
    )]
    EmulatorVariable,
    /// The root certificates that the environment names cannot be read.
    #[error("cannot read {}, named by GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", .file.display())]
    RootCertificates {
        /// The file.
        file: OsString,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There are no credentials for Google Cloud, or they cannot be used.
    #[error("cannot use the credentials for Google Cloud")]
    Credentials {
        /// What the library said.
        #[source]
        source: BoxError,
    },
    /// The source of the credentials did not answer. Retrying may help.
    #[error("no credentials for Google Cloud within {} ms", .after.as_millis())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
}

/// Prepares the connections; they are made by the first call.
///
/// Belongs to the runtime that it is called in.
pub(crate) async fn connect(
    settings: &BigtableSettings,
) -> Result<BigTableConnection, ConnectError> {
    settings.check()?;
    let mut connection = match &settings.emulator {
        Some(emulator) => to_emulator(emulator, settings)?,
        None => to_google_cloud(settings, env::var_os("BIGTABLE_EMULATOR_HOST")).await?,
    };
    connection
        .configure_inner_client(|client| client.max_decoding_message_size(MAX_RESPONSE_BYTES));
    Ok(connection)
}

fn to_emulator(
    emulator: &str,
    settings: &BigtableSettings,
) -> Result<BigTableConnection, ConnectError> {
    BigTableConnection::new_with_emulator(
        emulator,
        &settings.project,
        &settings.instance,
        false,
        settings.channels,
        None,
    )
    .map_err(credentials)
}

/// `emulator_variable` is `BIGTABLE_EMULATOR_HOST`, which the library would silently obey.
async fn to_google_cloud(
    settings: &BigtableSettings,
    emulator_variable: Option<OsString>,
) -> Result<BigTableConnection, ConnectError> {
    if emulator_variable.is_some() {
        return Err(ConnectError::EmulatorVariable);
    }
    check_root_certificates(env::var_os("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"))?;
    let connection = BigTableConnection::new(
        &settings.project,
        &settings.instance,
        false,
        settings.channels,
        None,
    );
    match timeout(settings.connect_deadline, connection).await {
        Ok(connection) => connection.map_err(credentials),
        Err(_) => Err(ConnectError::TimedOut {
            after: settings.connect_deadline,
        }),
    }
}

/// Opens the file that the library would panic about.
fn check_root_certificates(file: Option<OsString>) -> Result<(), ConnectError> {
    let Some(file) = file else { return Ok(()) };
    match File::open(&file) {
        Ok(_) => Ok(()),
        Err(source) => Err(ConnectError::RootCertificates { file, source }),
    }
}

fn credentials(error: bigtable_rs::bigtable::Error) -> ConnectError {
    ConnectError::Credentials {
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> BigtableSettings {
        BigtableSettings::new("p", "i", "flags", "log")
    }

    #[tokio::test]
    async fn production_is_never_swapped_for_an_emulator() {
        for variable in ["127.0.0.1:8086", ""] {
            let refused = to_google_cloud(&settings(), Some(variable.into())).await;
            assert!(matches!(refused, Err(ConnectError::EmulatorVariable)));
        }
    }

    #[test]
    fn root_certificates_that_are_not_there_are_an_error() {
        let refused = check_root_certificates(Some("/no/such/roots.pem".into())).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot read /no/such/roots.pem, named by GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
        );
    }

    #[tokio::test]
    async fn an_emulator_that_is_down_does_not_stop_the_start() {
        let settings = BigtableSettings {
            emulator: Some("127.0.0.1:1".into()),
            ..settings()
        };
        assert!(connect(&settings).await.is_ok());
    }
}
