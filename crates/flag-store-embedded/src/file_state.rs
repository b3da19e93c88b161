//! An open file, which is reopened after it was lost.
//!
//! A file is lost when it, its write-ahead log or its shared memory is moved, removed, replaced or truncated while open. Calls then
//! fail until there is a file of this store at its path. Calls search for it from time to time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::warn;

use crate::database::{Database, check};
use crate::failure::Failure;
use crate::idle_priority::WriterPriority;
use crate::open_error::{Obstacle, OpenError};
use crate::open_files::{FileLoss, OpenFiles};
use crate::schema::Contents;
use crate::worker::{JobTimeout, Workers};

/// Reading threads per file; two, so that a long scan does not delay short reads.
const READERS: usize = 2;

/// The pause between two searches for a lost file.
const SEARCH_EVERY: Duration = Duration::from_millis(250);

/// How long other processes have to close a file whose write-ahead log was unlinked; the last one saves its contents.
const OTHERS_CLOSE: Duration = Duration::from_secs(1);

/// A file and its threads, as long as it is open.
#[derive(Debug)]
pub(crate) struct FileState {
    path: PathBuf,
    contents: Contents,
    priority: WriterPriority,
    phase: watch::Sender<Phase>,
    handles: Arc<Handles>,
}

/// The handles of one file in this process.
type Handles = Mutex<Vec<Weak<FileState>>>;

/// Those of every file.
static FILES: Mutex<BTreeMap<PathBuf, Weak<Handles>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
enum Phase {
    Open(Workers),
    /// It was lost, and these threads have it open.
    Lost(Workers, FileLoss),
    /// A thread searches for it.
    Searching,
    /// The last search did not find it.
    Away {
        loss: Loss,
        looked_at: Instant,
        failure: Failure,
    },
    Closed,
}

/// How a file was lost.
#[derive(Clone, Debug)]
struct Loss {
    what: FileLoss,
    was: Arc<OpenFiles>,
    /// Whether its write-ahead log is still at its path.
    left_wal: bool,
}

impl FileState {
    /// Starts the threads of a file that is open for writing.
    pub(crate) fn open(
        path: PathBuf,
        contents: Contents,
        priority: WriterPriority,
        writer: Database,
    ) -> Result<Arc<Self>, OpenError> {
        let workers = start(writer, &path, contents, priority)?;
        let handles = handles_of(&path);
        let state = Arc::new(Self {
            path,
            contents,
            priority,
            phase: watch::Sender::new(Phase::Open(workers)),
            handles,
        });
        let mut handles = locked(&state.handles);
        handles.retain(|handle| handle.strong_count() > 0);
        handles.push(Arc::downgrade(&state));
        drop(handles);
        Ok(state)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The threads to end, if the file is open; calls fail from now on.
    pub(crate) fn close(&self) -> Option<Workers> {
        match self.phase.send_replace(Phase::Closed) {
            Phase::Open(workers) | Phase::Lost(workers, _) => Some(workers),
            Phase::Searching | Phase::Away { .. } | Phase::Closed => None,
        }
    }

    /// The threads of the open file, or of the file that replaced it.
    pub(crate) async fn workers(
        state: &Arc<Self>,
        timeout: JobTimeout,
    ) -> Result<Workers, Failure> {
        if let Phase::Open(workers) = &*state.phase.borrow() {
            return Ok(workers.clone());
        }
        let mut phase = state.phase.subscribe();
        loop {
            match &*phase.borrow_and_update() {
                Phase::Open(workers) => return Ok(workers.clone()),
                Phase::Closed => return Err(Failure::Ended),
                Phase::Away {
                    looked_at, failure, ..
                } if looked_at.elapsed() < SEARCH_EVERY => return Err(failure.clone()),
                Phase::Away { .. } | Phase::Lost(..) | Phase::Searching => {}
            }
            Self::look_again(state);
            // Its sender is here, so it ends by a change or by the limit.
            let _ = timeout.wait(phase.changed()).await?;
        }
    }

    /// Ends the threads of a lost file, and searches for the file that replaced it.
    pub(crate) fn lose(state: &Arc<Self>, workers: Workers, what: FileLoss) {
        let is_first = state.phase.send_if_modified(|phase| {
            let is_theirs = matches!(phase, Phase::Open(open) if open.is_same(&workers));
            if is_theirs {
                *phase = Phase::Lost(workers.clone(), what);
            }
            is_theirs
        });
        let loss = Loss::new(&workers, what);
        // They end once nobody holds them.
        drop(workers);
        if is_first {
            Self::look(state, loss, |state, loss| state.replace_lost(loss.what));
        }
    }

    /// Searches again, unless another thread does.
    fn look_again(state: &Arc<Self>) {
        let mut loss = None;
        state.phase.send_if_modified(|phase| {
            if let Phase::Away { loss: away, .. } = phase {
                loss = Some(away.clone());
                *phase = Phase::Searching;
            }
            loss.is_some()
        });
        if let Some(loss) = loss {
            Self::look(state, loss, |state, loss| {
                let found = state.reopen(&loss);
                state.settle(loss, found);
            });
        }
    }

    /// Searches on a thread of its own, as the old threads may be slow to end.
    fn look(state: &Arc<Self>, loss: Loss, search: fn(&Self, Loss)) {
        let name = format!("{}-look", state.contents.name());
        let (own, kept) = (Arc::clone(state), loss.clone());
        let spawned = thread::Builder::new()
            .name(name)
            .spawn(move || search(&own, loss));
        if let Err(source) = spawned {
            let path = state.path.clone();
            state.settle(kept, Err(OpenError::NoThreads { path, source }));
        }
    }

    /// Ends the threads of all handles of the lost file, and opens it again for each: `SQLite` shares the memory beside a file
    /// among the connections of a process, and uses it on if one of them stays open.
    fn replace_lost(&self, what: FileLoss) {
        let handles = locked(&self.handles);
        if !matches!(*self.phase.borrow(), Phase::Lost(..)) {
            // Another handle's search came first.
            return;
        }
        let states = handles.iter().filter_map(Weak::upgrade);
        let lost: Vec<(Arc<Self>, Loss)> = states
            .filter_map(|state| state.end_workers(what).map(|loss| (state, loss)))
            .collect();
        if let FileLoss::Wal | FileLoss::Shm = what {
            thread::sleep(OTHERS_CLOSE);
        }
        for (state, loss) in lost {
            state.look_first(loss);
        }
    }

    /// Ends the threads if they have the file open; `what` is how another handle lost it.
    fn end_workers(&self, what: FileLoss) -> Option<Loss> {
        let mut ended = None;
        self.phase.send_if_modified(|phase| {
            ended = match std::mem::replace(phase, Phase::Searching) {
                Phase::Open(workers) => Some((workers, what)),
                Phase::Lost(workers, what) => Some((workers, what)),
                other => {
                    *phase = other;
                    None
                }
            };
            ended.is_some()
        });
        let (workers, what) = ended?;
        let loss = Loss::new(&workers, what);
        workers.end(what.closing());
        Some(loss)
    }

    fn look_first(&self, loss: Loss) {
        let found = self.reopen(&loss);
        if let Err(error) = &found {
            let (file, problem) = (self.path.display(), loss.what);
            let cause = error.to_string();
            warn!(%file, %problem, cause, "a file of the store is gone; retrying until it is back");
        }
        self.settle(loss, found);
    }

    /// Opens the file that is there now, if it is one of ours.
    fn reopen(&self, loss: &Loss) -> Result<Workers, OpenError> {
        let (path, contents) = (&self.path, self.contents);
        if loss.left_wal && loss.was.left_its_wal_to_another() {
            return Err(Obstacle::WalOfAnother.in_file(path));
        }
        let mut writer = Database::existing(path, contents)?;
        if let FileLoss::Truncated | FileLoss::WalTruncated = loss.what {
            let checked = check(writer.connection(), "quick_check");
            checked.map_err(|obstacle| obstacle.in_file(path))?;
        }
        let sound = writer.ensure_in_place();
        let sound = sound.and_then(|()| writer.ensure_wal_is_whole());
        sound.map_err(|lost| Obstacle::FileLoss(lost).in_file(path))?;
        start(writer, path, contents, self.priority)
    }

    fn settle(&self, loss: Loss, found: Result<Workers, OpenError>) {
        let file = self.path.display();
        let next = match found {
            Ok(workers) => {
                let because = loss.what;
                warn!(%file, %because, "a file of the store was opened again");
                Phase::Open(workers)
            }
            Err(source) => {
                let failure = Failure::Away {
                    lost: loss.what,
                    source: Arc::new(source),
                };
                Phase::Away {
                    loss,
                    looked_at: Instant::now(),
                    failure,
                }
            }
        };
        self.phase.send_if_modified(|phase| {
            let is_closed = matches!(phase, Phase::Closed);
            if !is_closed {
                *phase = next;
            }
            !is_closed
        });
    }
}

impl Loss {
    fn new(workers: &Workers, what: FileLoss) -> Self {
        let was = Arc::clone(workers.files());
        let left_wal = was.wal_bytes().is_some();
        Self {
            what,
            was,
            left_wal,
        }
    }
}

/// The handles of a file.
fn handles_of(path: &Path) -> Arc<Handles> {
    let mut files = locked(&FILES);
    files.retain(|_, handles| handles.strong_count() > 0);
    if let Some(handles) = files.get(path).and_then(Weak::upgrade) {
        return handles;
    }
    let handles = Arc::new(Handles::default());
    files.insert(path.to_owned(), Arc::downgrade(&handles));
    handles
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the threads of a file that is open for writing.
fn start(
    writer: Database,
    path: &Path,
    contents: Contents,
    priority: WriterPriority,
) -> Result<Workers, OpenError> {
    let readers = (0..READERS).map(|_| Database::reader(path));
    let readers = readers.collect::<Result<_, _>>()?;
    Workers::start(contents, priority, writer, readers).map_err(|source| OpenError::NoThreads {
        path: path.to_owned(),
        source,
    })
}
