//! Where Bigtable is, and whose certificates it may have.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::spawn_blocking;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::address::split;
use crate::connect_error::{ConnectError, chain};
use crate::settings::BigtableSettings;

/// Which of Bigtable's two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// Rows.
    Data,
    /// Tables.
    Admin,
}

impl Api {
    /// `host` or `host:port` of this API.
    pub(crate) fn host(self, settings: &BigtableSettings) -> String {
        if let Some(emulator) = &settings.emulator {
            return emulator.clone();
        }
        let data = settings.endpoint.as_deref();
        let data = normalized(data.unwrap_or("bigtable.googleapis.com"));
        match self {
            Self::Data => data,
            Self::Admin => admin_host(&data),
        }
    }

    /// The endpoint of this API, over TLS unless it is an emulator's; each connection is made by its first call. Certificates
    /// are read on a thread that may wait for a disk.
    pub(crate) async fn endpoint(
        self,
        settings: &BigtableSettings,
    ) -> Result<Endpoint, ConnectError> {
        let settings = settings.clone();
        let made = spawn_blocking(move || self.read_endpoint(&settings)).await;
        made.unwrap_or_else(|error| Err(ConnectError::Tls(error.to_string())))
    }

    fn read_endpoint(self, settings: &BigtableSettings) -> Result<Endpoint, ConnectError> {
        let host = self.host(settings);
        let scheme = match settings.emulator {
            Some(_) => "http",
            None => "https",
        };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{host}"))
            .map_err(|source| ConnectError::Tls(source.to_string()))?
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .connect_timeout(settings.connect_timeout);
        if settings.emulator.is_some() {
            return Ok(endpoint);
        }
        // A peer that accepts the connection and never answers would block it for ever.
        let tls = ClientTlsConfig::new().timeout(settings.connect_timeout);
        let tls = match &settings.ca_file {
            Some(file) => tls.ca_certificate(authorities(file)?),
            None => tls.with_native_roots(),
        };
        let endpoint = endpoint.tls_config(tls);
        endpoint.map_err(|error| ConnectError::Tls(chain(&error)))
    }
}

impl BigtableSettings {
    /// Whether the file of authorities can be used, if one is set.
    pub fn check_ca_file(&self) -> Result<(), ConnectError> {
        self.ca_file
            .as_deref()
            .map_or(Ok(()), |file| authorities(file).map(drop))
    }
}

/// The usual spelling of an address: no upper case, no dot after the host name.
fn normalized(address: &str) -> String {
    let Some((host, port)) = split(address) else {
        return address.to_owned();
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// Google names the hosts of its two APIs alike: `bigtable.googleapis.com` and `bigtableadmin.googleapis.com`, with
/// Private Service Connect `bigtable-NAME.p.googleapis.com` and `bigtableadmin-NAME.p.googleapis.com`. Any other host
/// answers for both.
fn admin_host(data: &str) -> String {
    let host = data.split(':').next().unwrap_or_default();
    match data.strip_prefix("bigtable") {
        Some(rest) if host.ends_with(".googleapis.com") && rest.starts_with(['.', '-']) => {
            format!("bigtableadmin{rest}")
        }
        _ => data.to_owned(),
    }
}

/// The certificates of a file in PEM, each of which can be used.
fn authorities(file: &Path) -> Result<Certificate, ConnectError> {
    let wrong = |problem: String| ConnectError::CaFile {
        file: file.to_owned(),
        problem,
    };
    let cannot = |error: io::Error| wrong(format!("cannot be read ({error})"));
    // Reading a pipe would wait for its writer, and a device may never end.
    if !fs::metadata(file).map_err(cannot)?.is_file() {
        return Err(wrong("is no regular file".to_owned()));
    }
    let text = fs::read(file).map_err(cannot)?;
    let mut authorities = RootCertStore::empty();
    for (at, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
        let broken = || wrong(format!("has a broken certificate (number {})", at + 1));
        let certificate = certificate.map_err(|_| broken())?;
        authorities.add(certificate).map_err(|_| broken())?;
    }
    if authorities.is_empty() {
        return Err(wrong("holds no certificate in PEM".to_owned()));
    }
    Ok(Certificate::from_pem(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: Option<&str>, data: &str, admin: &str) {
        let settings = BigtableSettings {
            endpoint: endpoint.map(str::to_owned),
            ..BigtableSettings::new("p", "i", "flags", "log")
        };
        let hosts = [Api::Data, Api::Admin].map(|api| api.host(&settings));
        assert_eq!(hosts, [data, admin]);
    }

    #[test]
    fn both_apis_are_found_under_googles_names() {
        check(
            None,
            "bigtable.googleapis.com",
            "bigtableadmin.googleapis.com",
        );
        check(
            Some("bigtable-flags.p.googleapis.com"),
            "bigtable-flags.p.googleapis.com",
            "bigtableadmin-flags.p.googleapis.com",
        );
        check(
            Some("bigtable.me-central2.rep.googleapis.com:443"),
            "bigtable.me-central2.rep.googleapis.com:443",
            "bigtableadmin.me-central2.rep.googleapis.com:443",
        );
    }

    #[test]
    fn a_name_is_found_however_it_is_spelled() {
        check(
            Some("Bigtable.GoogleAPIs.com."),
            "bigtable.googleapis.com",
            "bigtableadmin.googleapis.com",
        );
        check(
            Some("BIGTABLE-flags.p.googleapis.com.:443"),
            "bigtable-flags.p.googleapis.com:443",
            "bigtableadmin-flags.p.googleapis.com:443",
        );
    }

    #[test]
    fn any_other_host_answers_for_both_apis() {
        for host in [
            "localhost:8443",
            "[::1]:8443",
            "bigtable.example.org",
            "bigtableadmin.googleapis.com",
        ] {
            check(Some(host), host, host);
        }
    }

    #[test]
    fn a_file_of_authorities_that_cannot_be_used_is_explained() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("flag-authorities-{}", std::process::id()));
        for (text, problem) in [
            ("", "holds no certificate in PEM"),
            ("not PEM", "holds no certificate in PEM"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "has a broken certificate (number 1)",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n",
                "has a broken certificate (number 1)",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let error = authorities(&file).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        fs::remove_file(&file).unwrap();
        let error = authorities(&file).unwrap_err().to_string();
        assert!(error.contains("cannot be read (No such file"), "{error}");
    }
}
