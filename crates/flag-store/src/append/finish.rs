//! The last steps, after the row is written: checking that it follows its base, and publishing it in the head row.

use flag_model::Timestamp;
use tokio::time::sleep;

use super::claim_wait::pause;
use super::steps::{Append, Claim};
use super::{AppendError, CLAIM_HOLDS};
use crate::head::{change_id_cell, claimed_row};
use crate::rows::CompareAndSet;
use crate::store_error::StoreError;
use crate::stored::LATEST_CHANGE;

/// The most rows that are read: this one, the one below it, and those that other writers have added meanwhile.
const MAX_ROWS_READ: usize = 4;

/// What became of a claim in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimOutcome {
    /// It stood until the row was published.
    Published,
    /// Another writer had taken it over.
    TakenOver,
    /// The store gave no answer.
    NotKnown,
}

impl Append<'_> {
    /// Publishes the row, and checks that no other row came between it and its base, or after it without a claim.
    pub(super) async fn finish(
        &self,
        claim: &Claim,
        base_time: Option<Timestamp>,
    ) -> Result<(), AppendError> {
        let times = self.newest_times(claim).await?;
        let outcome = self.publish(claim).await;
        let newest_below_mine = times
            .iter()
            .skip_while(|time| **time >= claim.at)
            .copied()
            .next();
        if newest_below_mine > base_time {
            return Err(self.overtaken_error(claim, newest_below_mine));
        }
        let newer = times.first().copied().filter(|time| *time > claim.at);
        let may_be_taken_over = claim.age.get() >= CLAIM_HOLDS;
        match outcome {
            // No writer of ours appends to the flag while the claim stands, so a later row came without one.
            ClaimOutcome::Published if newer.is_some() => Err(self.overtaken_error(claim, newer)),
            // A claim is taken over only after `CLAIM_HOLDS`; before that, the writer that did so had seen this row.
            ClaimOutcome::TakenOver if may_be_taken_over => Err(self.taken_over_error(claim).await),
            ClaimOutcome::NotKnown if newer.is_some() || may_be_taken_over => {
                let after = claim.age.get();
                Err(self.unknown(claim, StoreError::TimedOut { after }))
            }
            ClaimOutcome::Published | ClaimOutcome::TakenOver | ClaimOutcome::NotKnown => Ok(()),
        }
    }

    /// The times of the newest rows, the newest first.
    async fn newest_times(&self, claim: &Claim) -> Result<Vec<Timestamp>, AppendError> {
        let mut attempt = 0;
        loop {
            let times = self
                .store
                .newest_times(self.row_type, self.flag, MAX_ROWS_READ);
            match times.await {
                Ok(times) => return Ok(times),
                Err(error) if error.is_transient() && attempt < 3 => sleep(pause(attempt)).await,
                Err(error) => return Err(self.unknown(claim, error)),
            }
            attempt += 1;
        }
    }

    /// Publishes the row. If that fails, the next writer and the readers still see that the row is written.
    async fn publish(&self, claim: &Claim) -> ClaimOutcome {
        let time = claim.at.to_string();
        let cells = change_id_cell()
            .with(self.head_column.as_str(), time.as_str())
            .with(LATEST_CHANGE, time.as_str());
        for attempt in 0..3 {
            match self
                .compare_and_set(Some(claim.cell.as_bytes()), &cells)
                .await
            {
                Ok(CompareAndSet::Set) => return ClaimOutcome::Published,
                Ok(CompareAndSet::Differs) => return self.recognise_published(&time).await,
                Err(error) if error.is_transient() => sleep(pause(attempt)).await,
                Err(_) => return ClaimOutcome::NotKnown,
            }
        }
        ClaimOutcome::NotKnown
    }

    /// After a lost reply the cell already has the published time.
    async fn recognise_published(&self, time: &str) -> ClaimOutcome {
        match self.head_cell().await {
            Ok(Some(cell)) if cell == time.as_bytes() => ClaimOutcome::Published,
            Ok(_) => ClaimOutcome::TakenOver,
            Err(_) => ClaimOutcome::NotKnown,
        }
    }

    fn overtaken_error(&self, claim: &Claim, other: Option<Timestamp>) -> AppendError {
        AppendError::Overtaken {
            flag: self.flag.clone(),
            appended: claim.at,
            other: other.unwrap_or(claim.at),
        }
    }

    /// Names the row of the writer that took the claim over, or the row that it has claimed.
    async fn taken_over_error(&self, claim: &Claim) -> AppendError {
        let newest = match self.newest_time().await {
            Ok(newest) => newest,
            Err(source) => return self.unknown(claim, source),
        };
        let claimed = match self.head_cell().await {
            Ok(cell) => claimed_row(cell.as_deref()),
            Err(source) => return self.unknown(claim, source),
        };
        self.overtaken_error(claim, newest.max(claimed))
    }
}
