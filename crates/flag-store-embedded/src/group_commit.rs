//! Group commit: small writes that wait for the file at the same time share a transaction and a wait for the disk.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::database::Database;
use crate::failure::Failure;
use crate::rows::{Write, begin};

/// The most writes in one transaction.
const TOGETHER: usize = 256;

/// The waiting writes, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct GroupCommit(Mutex<VecDeque<WaitingWrite>>);

/// The result of a write: whether its condition held and it was made.
type WriteResult = Result<bool, Failure>;

#[derive(Debug)]
struct WaitingWrite {
    write: Write,
    reply: oneshot::Sender<WriteResult>,
}

impl GroupCommit {
    /// Adds a write. The next [`commit_waiting`](Self::commit_waiting) makes it, unless its caller is gone by then.
    pub(crate) fn add(&self, write: Write) -> oneshot::Receiver<WriteResult> {
        let (reply, outcome) = oneshot::channel();
        self.waiting().push_back(WaitingWrite { write, reply });
        outcome
    }

    /// Makes and commits the writes that wait; fails before any of them has begun if the file cannot be written now.
    pub(crate) fn commit_waiting(&self, database: &mut Database) -> Result<(), Failure> {
        if self.waiting().is_empty() {
            return Ok(());
        }
        let transaction = begin(database)?;
        let taken = self.take();
        match commit_together(transaction, &taken) {
            Ok(outcomes) => {
                for (one, outcome) in taken.into_iter().zip(outcomes) {
                    one.answer(Ok(outcome));
                }
            }
            // One of them may be to blame, for instance as too large for the disk.
            Err(_) if taken.len() > 1 => {
                for one in taken {
                    let alone = std::slice::from_ref(&one);
                    let outcomes = begin(database).and_then(|begun| commit_together(begun, alone));
                    one.answer(outcomes.map(|outcomes| outcomes.contains(&true)));
                }
            }
            Err(failure) => {
                for one in taken {
                    one.answer(Err(failure.clone()));
                }
            }
        }
        Ok(())
    }

    /// Takes the next writes whose callers still wait.
    fn take(&self) -> Vec<WaitingWrite> {
        let mut waiting = self.waiting();
        let mut taken = Vec::new();
        while taken.len() < TOGETHER
            && let Some(next) = waiting.pop_front()
        {
            if !next.reply.is_closed() {
                taken.push(next);
            }
        }
        taken
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<WaitingWrite>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingWrite {
    fn answer(self, outcome: WriteResult) {
        // The caller may be gone by now.
        let _ = self.reply.send(outcome);
    }
}

/// Makes and commits all of these, or none.
fn commit_together(
    transaction: Transaction<'_>,
    writes: &[WaitingWrite],
) -> Result<Vec<bool>, Failure> {
    let outcomes = writes.iter().map(|one| one.write.make(&transaction));
    let outcomes = outcomes.collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(outcomes)
}
