//! Looks at the file of keys every few seconds; what cannot be read changes nothing.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use flag_keys::{ChangeError, KeyFile};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use super::metrics::AccessMetrics;
use super::ring::KeyRing;

/// How long a change of the file may stay unseen. The whole text is compared: a mounted Secret changes under a link,
/// and two changes within a second may leave the same times and sizes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A file of keys, and what it held at the start.
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
        let text = KeyFile::read_text(&path)?;
        let file = KeyFile::parse(&text)?;
        Ok(Self { path, text, file })
    }
}

/// Looks for ever.
pub(super) async fn watch(keys: KeysSettings, ring: Arc<ArcSwap<KeyRing>>, metrics: AccessMetrics) {
    let KeysSettings { path, mut text, .. } = keys;
    let mut told: Option<String> = None;
    loop {
        sleep(LOOK_EVERY).await;
        match look(&path, text.clone()).await {
            Ok(None) => {
                metrics.unchanged();
                told = None;
            }
            Ok(Some((new, file))) => {
                let new_ring = KeyRing::new(&file, &ring.load());
                info!(keys = new_ring.len(), "the file of API keys has changed");
                metrics.changed(new_ring.len());
                ring.store(Arc::new(new_ring));
                text = new;
                told = None;
            }
            Err(problem) if told.as_ref() == Some(&problem) => {}
            Err(problem) => {
                metrics.failed();
                error!(file = %path.display(), problem, "the file of API keys cannot be read; the keys that it held count on");
                told = Some(problem);
            }
        }
    }
}

/// The file, if it has changed.
async fn look(path: &Path, old: Vec<u8>) -> Result<Option<(Vec<u8>, KeyFile)>, String> {
    let path = path.to_owned();
    let looked = spawn_blocking(move || -> Result<_, ChangeError> {
        let text = KeyFile::read_text(&path)?;
        if text == old {
            return Ok(None);
        }
        let file = KeyFile::parse(&text)?;
        Ok(Some((text, file)))
    });
    match looked.await {
        Ok(looked) => looked.map_err(|error| chain(&error)),
        Err(_) => Err("the thread that read it died".to_owned()),
    }
}

/// An error and what caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |chain, cause| {
        format!("{chain}: {cause}")
    })
}
