//! Reloads certificate and key when their files change; a pair that cannot be used changes nothing.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tracing::{error, info};

use super::identity::{Content, Files, TlsSettings};
use super::metrics::TlsMetrics;

/// How often the files are checked. Their content is compared, as for API keys.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// The files, and what is in use of them.
struct Watch {
    files: Files,
    content: Content,
    current: Arc<ArcSwap<ServerConfig>>,
    metrics: TlsMetrics,
    problem: Option<String>,
}

/// Checks the files for ever, on a thread of its own: a network disk may hang.
pub(super) fn start(
    settings: TlsSettings,
    current: Arc<ArcSwap<ServerConfig>>,
    metrics: TlsMetrics,
) -> std::io::Result<()> {
    let mut watch = Watch {
        files: settings.files,
        content: settings.content,
        current,
        metrics,
        problem: None,
    };
    let watch = move || {
        loop {
            thread::sleep(CHECK_EVERY);
            watch.check();
        }
    };
    let thread = thread::Builder::new().name("tls-files".to_owned());
    thread.spawn(watch).map(drop)
}

impl Watch {
    fn check(&mut self) {
        let problem = self.take_changes().err();
        let problem = problem.map(|error| format!("{error:#}"));
        self.metrics.set_current(problem.is_none());
        let file = self.files.certificate.display();
        match &problem {
            None if self.problem.is_some() => info!(%file, "TLS files can be used again"),
            Some(problem) if self.problem.as_ref() != Some(problem) => {
                error!(%file, problem, "TLS files cannot be used; the certificate that they held stays in use");
            }
            _ => {}
        }
        self.problem = problem;
    }

    fn take_changes(&mut self) -> anyhow::Result<()> {
        let content = self.files.read()?;
        if content == self.content {
            return Ok(());
        }
        let identity = content.parse()?;
        info!(expires = %identity.expires, "TLS certificate loaded");
        self.metrics.loaded(&identity);
        self.current.store(identity.config);
        self.content = content;
        Ok(())
    }
}
