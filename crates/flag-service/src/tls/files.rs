//! Reads the two files of TLS, without waiting for ever.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use flag_keys::read_regular;

use super::identity::TlsFile;

/// The most bytes of a file.
const MAX_BYTES: u64 = 1 << 20;

/// How long reading may take; a network disk may hang for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The files of a certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

type Read = Result<Content, Vec<(TlsFile, String)>>;

/// A thread that reads the files; while it hangs, no other one is started.
#[derive(Debug, Default)]
pub(super) struct FileReading(Option<Receiver<Read>>);

impl FileReading {
    /// Reads the files; an error names each file that cannot be read.
    pub(super) fn read(&mut self, files: &Files) -> Read {
        let receiver = self.0.take().unwrap_or_else(|| files.start_reading());
        match receiver.recv_timeout(READ_TIMEOUT) {
            Ok(read) => return read,
            Err(RecvTimeoutError::Timeout) => self.0 = Some(receiver),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        let path = files.certificate.display();
        let problem = format!("{path}, or the key: it could not be read within 5 s");
        Err(vec![(TlsFile::Certificate, problem)])
    }
}

impl Files {
    fn start_reading(&self) -> Receiver<Read> {
        let (sender, receiver) = channel();
        let files = self.clone();
        let reading = move || drop(sender.send(files.read()));
        // Where no thread can be started, the sender is dropped, and so the receiver gets an error.
        let _ = thread::Builder::new().spawn(reading);
        receiver
    }

    fn read(&self) -> Read {
        match (read(&self.certificate), read(&self.key)) {
            (Ok(certificate), Ok(key)) => Ok(Content { certificate, key }),
            (certificate, key) => {
                let certificate = certificate.err().map(|error| (TlsFile::Certificate, error));
                let key = key.err().map(|error| (TlsFile::Key, error));
                Err(certificate.into_iter().chain(key).collect())
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_regular(path, MAX_BYTES).map_err(|error: io::Error| format!("{}: {error}", path.display()))
}

impl std::fmt::Debug for Content {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}
