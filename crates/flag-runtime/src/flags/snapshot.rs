//! The snapshot file: the last known flags, for a start while the store cannot be reached.
//!
//! The first line names the format, the store and a SHA-256; then a line of JSON per flag: its stored row, and when it was
//! last confirmed to be in force. Flags of a snapshot are served like every last known value: only while the store cannot
//! be reached, marked stale, up to the limit. A damaged file is ignored, and so is one of another store.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flag_keys::{open_regular, replace};
use flag_model::Timestamp;
use flag_store::{Cells, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::cache::FlagCache;
use super::stats::SnapshotEntry;
use crate::causes::io_problem;

/// The longest time from a change to the next write of the file.
const PERIOD: Duration = Duration::from_secs(5);

/// How often the file is written without changes, to renew the times in it.
const RENEW_EVERY: Duration = Duration::from_mins(1);

/// How long reading or writing the file may take: a network disk may hang for ever.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Permissions of the file, before the umask.
const MODE: u32 = 0o666;

const FORMAT: &str = "flag-service snapshot";
const VERSION: u32 = 2;

/// The snapshot file and the cache that it saves.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    /// The identity of the store.
    store: String,
    flags: FlagCache,
    /// Locked while the file is written.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The change count of the cache at the last write.
    generation: u64,
    at: Instant,
    is_failing: bool,
    /// A write that did not end in time, and may never end.
    unfinished: Option<JoinHandle<io::Result<()>>>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    #[serde(default)]
    store: String,
    sha256: String,
}

/// Every other line: a flag.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(rename = "known")]
    last_confirmed: i64,
    cells: Vec<(String, String)>,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it could not be read within 10 s")]
    TimedOut,
    #[error("it is not a snapshot")]
    NotASnapshot,
    #[error("it has version {0}, and this release knows version {VERSION}")]
    Version(u32),
    #[error("it belongs to the store {found}, and this service uses {expected}")]
    OtherStore { found: String, expected: String },
    #[error("it is damaged")]
    Damaged,
}

impl Snapshot {
    /// Creates a snapshot at `path` of the store with the identity `store`. Reads and writes nothing yet.
    pub fn new(path: PathBuf, store: String, flags: FlagCache) -> Self {
        let state = State {
            generation: flags.snapshot_generation(),
            at: Instant::now(),
            is_failing: false,
            unfinished: None,
        };
        Self {
            path,
            store,
            flags,
            state: Mutex::new(state),
        }
    }

    /// Loads the flags of the file into the cache.
    pub async fn load(&self) {
        let (path, store) = (self.path.clone(), self.store.clone());
        let file = self.path.display();
        let read = timeout(TIMEOUT, spawn_blocking(move || read(&path, &store)));
        match read.await.unwrap_or(Ok(Err(SnapshotError::TimedOut))) {
            Ok(Ok(entries)) => {
                let flags = self.flags.load_snapshot(entries);
                info!(%file, flags, "snapshot of the last known flags read");
            }
            Ok(Err(SnapshotError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(Err(problem @ SnapshotError::OtherStore { .. })) => {
                error!(%file, %problem, "snapshot of another store ignored");
            }
            Ok(Err(problem)) => warn!(%file, %problem, "snapshot ignored"),
            Err(_) => warn!(%file, problem = "reading it panicked", "snapshot ignored"),
        }
    }

    /// Writes the file after changes, for ever.
    pub async fn keep_up_to_date(self: Arc<Self>) {
        loop {
            sleep(PERIOD).await;
            let (generation, age) = {
                let state = self.state.lock().await;
                (state.generation, state.at.elapsed())
            };
            if self.flags.snapshot_generation() != generation || age >= RENEW_EVERY {
                self.write().await;
            }
        }
    }

    /// Writes the file now, unless the cache is empty.
    pub async fn write(&self) {
        let mut state = self.state.lock().await;
        state.generation = self.flags.snapshot_generation();
        state.at = Instant::now();
        let entries = self.flags.snapshot_entries();
        if entries.is_empty() {
            return;
        }
        let problem = self.write_within(entries, &mut state.unfinished).await;
        let problem = problem.err();
        let file = self.path.display();
        match &problem {
            Some(problem) if !state.is_failing => warn!(%file, problem, "cannot write snapshot"),
            None if state.is_failing => info!(%file, "snapshot written again"),
            _ => {}
        }
        state.is_failing = problem.is_some();
    }

    async fn write_within(
        &self,
        entries: Vec<SnapshotEntry>,
        unfinished: &mut Option<JoinHandle<io::Result<()>>>,
    ) -> Result<(), String> {
        if unfinished
            .as_ref()
            .is_some_and(|writing| !writing.is_finished())
        {
            return Err("writing it takes too long".to_owned());
        }
        let (path, store) = (self.path.clone(), self.store.clone());
        let mut writing = spawn_blocking(move || write(&path, &store, entries));
        match timeout(TIMEOUT, &mut writing).await {
            Ok(Ok(written)) => written.map_err(|error| io_problem(&error)),
            Ok(Err(_)) => Err("writing it panicked".to_owned()),
            Err(_) => {
                *unfinished = Some(writing);
                Err("writing it takes too long".to_owned())
            }
        }
    }
}

fn read(path: &Path, store: &str) -> Result<Vec<SnapshotEntry>, SnapshotError> {
    let mut text = Vec::new();
    open_regular(path)?.read_to_end(&mut text)?;
    let header_ends = text.iter().position(|byte| *byte == b'\n');
    let (header, lines) = text.split_at(header_ends.ok_or(SnapshotError::NotASnapshot)? + 1);
    let header: Header = serde_json::from_slice(header).map_err(|_| SnapshotError::NotASnapshot)?;
    if header.format != FORMAT {
        return Err(SnapshotError::NotASnapshot);
    }
    if header.version != VERSION {
        return Err(SnapshotError::Version(header.version));
    }
    if header.store != store {
        return Err(SnapshotError::OtherStore {
            found: header.store,
            expected: store.to_owned(),
        });
    }
    if header.sha256 != sha256(lines) {
        return Err(SnapshotError::Damaged);
    }
    let lines = serde_json::Deserializer::from_slice(lines).into_iter::<Line>();
    let entries = lines.map(|line| line.ok().and_then(Line::into_entry));
    entries.collect::<Option<_>>().ok_or(SnapshotError::Damaged)
}

/// Replaces the file atomically: a reader finds the whole old file or the whole new one.
fn write(path: &Path, store: &str, entries: Vec<SnapshotEntry>) -> io::Result<()> {
    let mut lines = Vec::new();
    for line in entries.into_iter().filter_map(Line::new) {
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        store: store.to_owned(),
        sha256: sha256(&lines),
    };
    replace(path, MODE, |file| {
        let mut header = serde_json::to_vec(&header)?;
        header.push(b'\n');
        file.write_all(&header)?;
        file.write_all(&lines)
    })
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Line {
    /// Leaves out cells that are not text, which nothing reads.
    fn new(
        SnapshotEntry {
            last_confirmed,
            row,
        }: SnapshotEntry,
    ) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let cells = row.cells.iter();
        let cells = cells.filter_map(|(column, value)| Some((text(column)?, text(value)?)));
        Some(Self {
            key: text(&row.key)?,
            last_confirmed: last_confirmed.unix_micros(),
            cells: cells.collect(),
        })
    }

    fn into_entry(self) -> Option<SnapshotEntry> {
        Some(SnapshotEntry {
            last_confirmed: Timestamp::from_unix_micros(self.last_confirmed)?,
            row: Row {
                key: self.key.into(),
                cells: self.cells.into_iter().collect::<Cells>(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use tempfile::TempDir;

    use super::*;
    use crate::flags::tests::World;

    const STORE: &str = "a store";

    fn read(path: &Path) -> Result<Vec<SnapshotEntry>, SnapshotError> {
        super::read(path, STORE)
    }

    fn write(path: &Path, kept: Vec<SnapshotEntry>) -> io::Result<()> {
        super::write(path, STORE, kept)
    }

    fn kept(n: i64) -> SnapshotEntry {
        let cells = Cells::default()
            .with("Comment", "it's \"quoted\" – ü\n")
            .with("Garbage", [0xff, 0xfe]);
        SnapshotEntry {
            last_confirmed: Timestamp::from_unix_micros(1_700_000_000_000_000 + n).unwrap(),
            row: Row {
                key: format!("PROJECT#p#{n}").into(),
                cells,
            },
        }
    }

    fn written(kept: Vec<SnapshotEntry>) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("flags.snapshot");
        write(&path, kept).unwrap();
        (folder, path)
    }

    #[track_caller]
    fn check_refused(text: &[u8], expected: &str) {
        let (_folder, path) = written(vec![kept(1)]);
        fs::write(&path, text).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (folder, path) = written((0..100).map(kept).collect());
        let back = read(&path).unwrap();
        assert_eq!(back.len(), 100);
        assert_eq!(back[7].last_confirmed, kept(7).last_confirmed);
        assert_eq!(back[7].row.key, kept(7).row.key);
        assert_eq!(
            back[7].row.cells.get("Comment"),
            kept(7).row.cells.get("Comment")
        );
        // It takes the place of the one before, and leaves nothing else behind.
        write(&path, vec![kept(1)]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_damage_is_noticed() {
        let (_folder, path) = written(vec![kept(1), kept(2)]);
        let text = fs::read(&path).unwrap();
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(read(&path).is_err(), "byte {at}");
            fs::write(&path, &text[..at]).unwrap();
            assert!(read(&path).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_snapshot_of_this_release_is_refused() {
        check_refused(b"", "it is not a snapshot");
        check_refused(b"hello\n", "it is not a snapshot");
        check_refused(
            b"{\"format\":\"flag-service snapshot\",\"version\":1,\"sha256\":\"\"}\n",
            "it has version 1, and this release knows version 2",
        );
    }
    #[test]
    fn a_snapshot_of_another_store_is_refused() {
        let (_folder, path) = written(vec![kept(1)]);
        let refused = super::read(&path, "another").unwrap_err().to_string();
        assert_eq!(
            refused,
            "it belongs to the store a store, and this service uses another"
        );
    }

    #[test]
    fn two_writers_leave_one_whole_snapshot_and_nothing_else() {
        let (folder, path) = written(vec![kept(1)]);
        thread::scope(|scope| {
            for flags in [1, 2_000] {
                let kept = move || (0..flags).map(kept).collect();
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| write(path, kept()).unwrap()));
            }
            for _ in 0..200 {
                read(&path).unwrap();
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_symbolic_link() {
        let (folder, path) = written(vec![kept(1)]);
        let victim = folder.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("flags.snapshot.new")).unwrap();
        write(&path, vec![kept(2)]).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_is_not_written_while_an_earlier_write_goes_on() {
        let (_folder, path) = written(vec![]);
        let world = World::new().await;
        let snapshot = Snapshot::new(path.clone(), STORE.to_owned(), world.cache.clone());
        let mut unfinished = Some(tokio::spawn(std::future::pending()));
        let problem = snapshot.write_within(vec![kept(1)], &mut unfinished).await;
        assert_eq!(problem.unwrap_err(), "writing it takes too long");
        assert_eq!(read(&path).unwrap(), []);
        unfinished.as_ref().unwrap().abort();
        sleep(Duration::from_millis(1)).await;
        let written = snapshot.write_within(vec![kept(1)], &mut unfinished).await;
        written.unwrap();
        assert_eq!(read(&path).unwrap().len(), 1);
    }
}
