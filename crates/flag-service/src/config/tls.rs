//! The settings of TLS.

use flag_settings::{Reader, Setting, table};

use crate::tls::TlsSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[table::TLS_CERTIFICATE_FILE, table::TLS_KEY_FILE];

/// Reads them: both files, or none. The outer `None` is an error.
#[expect(clippy::option_option, reason = "an error, no TLS, or TLS")]
pub(super) fn read(reader: &mut Reader) -> Option<Option<TlsSettings>> {
    let certificate = reader.path(&table::TLS_CERTIFICATE_FILE);
    let key = reader.path(&table::TLS_KEY_FILE);
    let (certificate, key) = certificate.zip(key)?;
    match (
        certificate.as_os_str().is_empty(),
        key.as_os_str().is_empty(),
    ) {
        (true, true) => Some(None),
        (false, false) => match TlsSettings::read(certificate, key) {
            Ok(settings) => Some(Some(settings)),
            Err(error) => {
                let origin = reader.origin(&table::TLS_CERTIFICATE_FILE);
                reader.add_error(&format!("tls-certificate-file ({origin}): {error:#}"));
                None
            }
        },
        (true, false) => refuse(reader, &table::TLS_KEY_FILE, "tls-certificate-file"),
        (false, true) => refuse(reader, &table::TLS_CERTIFICATE_FILE, "tls-key-file"),
    }
}

#[expect(clippy::option_option, reason = "as above")]
fn refuse(reader: &mut Reader, named: &Setting, missing: &str) -> Option<Option<TlsSettings>> {
    let (option, origin) = (named.option(), reader.origin(named));
    reader.add_error(&format!(
        "{option} ({origin}): TLS needs a certificate and its key: set {missing} too"
    ));
    None
}
