//! Reloads the key file when it changes; an unreadable file changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use flag_keys::{ChangeError, KeyFile};
use flag_runtime::with_causes;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::key_set::KeySet;
use super::metrics::AccessMetrics;

/// How often the file is checked. The whole text is compared: a mounted Secret changes under a link,
/// and two changes within a second may leave the same times and sizes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Deadline of a check. A network disk may hang for ever.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// The most hanging checks, each with a thread. Beyond that, none is begun until one of them ends.
const HANGING: usize = 8;

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
        let (tell, told) = channel();
        let there = path.clone();
        thread::spawn(move || tell.send(KeyFile::read_text(&there)));
        let text = told.recv_timeout(LOOK_WITHIN);
        let text = text.unwrap_or_else(|_| Err(late()))?;
        let file = KeyFile::parse(&text)?;
        Ok(Self { path, text, file })
    }

    /// Logs which entries of the file are not understood.
    pub(super) fn tell_odd(&self) {
        tell_odd(&self.path, &self.file);
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it could not be read within 5 s")
}

/// Checks the file for ever.
pub(super) async fn watch(keys: KeysSettings, ring: Arc<ArcSwap<KeySet>>, metrics: AccessMetrics) {
    let KeysSettings { path, mut text, .. } = keys;
    let mut told: Option<String> = None;
    let mut looks = Looks::default();
    loop {
        sleep(LOOK_EVERY).await;
        let problem = match looks.look(&path, text.clone()).await {
            Ok(None) => {
                metrics.unchanged();
                None
            }
            Ok(Some((new, file))) => {
                let new_ring = KeySet::new(&file, &ring.load());
                info!(keys = new_ring.len(), "the file of API keys has changed");
                tell_odd(&path, &file);
                metrics.changed(&file);
                ring.store(Arc::new(new_ring));
                text = new;
                None
            }
            Err(problem) => Some(problem),
        };
        match &problem {
            None if told.is_some() => {
                info!(file = %path.display(), "the file of API keys can be read again");
            }
            Some(problem) if told.as_ref() != Some(problem) => {
                metrics.failed();
                error!(file = %path.display(), problem, "the file of API keys cannot be read; the keys that it held count on");
            }
            _ => {}
        }
        told = problem;
    }
}

fn tell_odd(path: &Path, file: &KeyFile) {
    let odd = file.invalid_entries();
    if odd.is_empty() {
        return;
    }
    let named: Vec<String> = odd.iter().take(NAMED).map(ToString::to_string).collect();
    warn!(
        file = %path.display(),
        problems = odd.len(),
        problem = named.join("; "),
        "not all of the file of API keys is understood; the rest of it counts"
    );
}

type Looked = Result<Option<(Vec<u8>, KeyFile)>, ChangeError>;

/// Checks of a file in flight, which may hang.
#[derive(Default)]
struct Looks(Vec<JoinHandle<Looked>>);

impl Looks {
    /// Returns the file if it has changed.
    async fn look(
        &mut self,
        path: &Path,
        old: Vec<u8>,
    ) -> Result<Option<(Vec<u8>, KeyFile)>, String> {
        self.0.retain(|look| !look.is_finished());
        if self.0.len() >= HANGING {
            return Err(late().to_string());
        }
        let path = path.to_owned();
        let mut look = spawn_blocking(move || {
            let text = KeyFile::read_text(&path)?;
            if text == old {
                return Ok(None);
            }
            let file = KeyFile::parse(&text)?;
            Ok(Some((text, file)))
        });
        match timeout(LOOK_WITHIN, &mut look).await {
            Ok(Ok(looked)) => looked.map_err(|error| with_causes(&error)),
            Ok(Err(_)) => Err("the thread that read it died".to_owned()),
            Err(_) => {
                self.0.push(look);
                Err(late().to_string())
            }
        }
    }
}
