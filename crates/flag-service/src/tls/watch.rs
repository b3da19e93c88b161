//! Reloads certificate and key when their files change; a pair that cannot be used changes nothing.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tracing::{error, info};

use super::expiry::Validity;
use super::files::{Content, FileReading, Files};
use super::identity::TlsSettings;
use super::metrics::TlsMetrics;

/// How often the files are checked. Their content is compared, as for API keys.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// The files, and what is in use of them.
struct Watch {
    files: Files,
    reading: FileReading,
    content: Content,
    validity: Validity,
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
        reading: FileReading::default(),
        validity: settings.identity().validity,
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
        let problem = self.take_changes(SystemTime::now()).err();
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

    /// Uses what the files hold now, unless it cannot be used, or is not valid while the certificate in use is.
    fn take_changes(&mut self, now: SystemTime) -> Result<(), String> {
        let content = self.reading.read(&self.files).map_err(|problems| {
            let problems: Vec<_> = problems.into_iter().map(|(_, problem)| problem).collect();
            problems.join("; ")
        })?;
        if content == self.content {
            return Ok(());
        }
        let identity = content.parse().map_err(|(_, error)| format!("{error:#}"))?;
        if let (Some(problem), None) = (identity.validity.problem(now), self.validity.problem(now))
        {
            return Err(problem);
        }
        identity.log();
        self.metrics.loaded(&identity);
        self.current.store(identity.config);
        self.content = content;
        self.validity = identity.validity;
        Ok(())
    }
}
