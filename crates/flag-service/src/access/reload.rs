//! Reloads the key file when it changes; an unreadable file changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use flag_keys::{ChangeError, KeyFile};
use flag_model::with_causes;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::key_set::KeySet;
use super::metrics::AccessMetrics;

/// How often the file is checked. The whole text is compared: a mounted Secret changes under a link,
/// and two changes within a second may leave the same times and sizes.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// Deadline of a check. A network disk may hang for ever.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The most hanging checks, each with a thread; no further one is begun until one of them ends.
const MAX_HANGING: usize = 8;

/// The most problems that a log line names.
const NAMED: usize = 5;

/// A key file, and its content at the start.
#[derive(Clone, Debug)]
pub(crate) struct KeysSettings {
    path: PathBuf,
    text: Vec<u8>,
    /// The keys in it.
    pub(super) file: KeyFile,
}

impl KeysSettings {
    /// Reads the file for the first time.
    pub(crate) fn read(path: PathBuf) -> Result<Self, ChangeError> {
        let (sender, receiver) = channel();
        let file = path.clone();
        thread::spawn(move || sender.send(KeyFile::read_text(&file)));
        let text = receiver.recv_timeout(CHECK_TIMEOUT);
        let text = text.unwrap_or_else(|_| Err(timed_out()))?;
        let file = KeyFile::parse(&text)?;
        Ok(Self { path, text, file })
    }

    /// Logs which entries of the file are invalid.
    pub(super) fn log_invalid_entries(&self) {
        log_invalid_entries(&self.path, &self.file);
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it could not be read within 5 s")
}

/// Checks the file for ever.
pub(super) async fn keep_current(
    keys: KeysSettings,
    key_set: Arc<ArcSwap<KeySet>>,
    metrics: AccessMetrics,
) {
    let KeysSettings { path, mut text, .. } = keys;
    let mut logged: Option<String> = None;
    let mut checks = Checks::default();
    loop {
        sleep(CHECK_EVERY).await;
        let problem = match checks.check(&path, text.clone()).await {
            Ok(None) => {
                metrics.unchanged();
                None
            }
            Ok(Some((new, file))) => {
                let keys = KeySet::with_arrivals_of(&key_set.load(), &file);
                info!(keys = keys.len(), "the file of API keys has changed");
                log_invalid_entries(&path, &file);
                metrics.changed(&file);
                key_set.store(Arc::new(keys));
                text = new;
                None
            }
            Err(problem) => Some(problem),
        };
        match &problem {
            None if logged.is_some() => {
                info!(file = %path.display(), "the file of API keys can be read again");
            }
            Some(problem) if logged.as_ref() != Some(problem) => {
                metrics.failed();
                error!(file = %path.display(), problem, "the file of API keys cannot be read; the keys read before stay valid");
            }
            _ => {}
        }
        logged = problem;
    }
}

fn log_invalid_entries(path: &Path, file: &KeyFile) {
    let invalid = file.invalid_entries();
    if invalid.is_empty() {
        return;
    }
    let named: Vec<String> = invalid
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    warn!(
        file = %path.display(),
        problems = invalid.len(),
        problem = named.join("; "),
        "some entries of the file of API keys are not understood; the others are valid"
    );
}

type Checked = Result<Option<(Vec<u8>, KeyFile)>, ChangeError>;

/// Checks of a file in flight, which may hang.
#[derive(Default)]
struct Checks(Vec<JoinHandle<Checked>>);

impl Checks {
    /// Returns the file if it has changed.
    async fn check(
        &mut self,
        path: &Path,
        old: Vec<u8>,
    ) -> Result<Option<(Vec<u8>, KeyFile)>, String> {
        self.0.retain(|check| !check.is_finished());
        if self.0.len() >= MAX_HANGING {
            return Err(timed_out().to_string());
        }
        let path = path.to_owned();
        let mut check = spawn_blocking(move || {
            let text = KeyFile::read_text(&path)?;
            if text == old {
                return Ok(None);
            }
            let file = KeyFile::parse(&text)?;
            Ok(Some((text, file)))
        });
        match timeout(CHECK_TIMEOUT, &mut check).await {
            Ok(Ok(checked)) => checked.map_err(|error| with_causes(&error)),
            Ok(Err(_)) => Err("reading it panicked".to_owned()),
            Err(_) => {
                self.0.push(check);
                Err(timed_out().to_string())
            }
        }
    }
}
