//! A verification from its beginning, or from a checkpoint, to its report.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flag_model::{FlagKey, FlagName, FlagType, ProjectName, Timestamp};
use flag_rollout::SampleRatio;
use flag_store::{BatchPage, Cursor, ExposureLog, ExposureScope, FlagStore, StoreError, TimeRange};
use futures_util::future::join;

use crate::checkpoint::{Checkpoint, CheckpointError, VerificationScope};
use crate::fingerprints::{Fingerprints, Repeated};
use crate::ids::KnownIds;
use crate::report::{FlagReport, Report, RevisionSampleRatio};
use crate::revisions::{OwnRevision, Revisions};
use crate::suspects::Suspects;
use crate::verifier::Verifier;

/// How many exposures are read at once; fewer in tests, so that they have pages.
const AT_ONCE: usize = if cfg!(test) { 500 } else { 16_000 };

/// How often a checkpoint is written; in tests after each page.
const CHECKPOINT: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 30 });

/// What is verified, and with what.
#[derive(Debug)]
pub struct Verification<'a> {
    /// The flags.
    pub store: &'a FlagStore,
    /// The exposure log.
    pub log: &'a dyn ExposureLog,
    /// The instances behind hashed ids, as far as they are known.
    pub ids: &'a KnownIds,
    /// The project.
    pub project: &'a ProjectName,
    /// One flag of it.
    pub flag: Option<&'a FlagKey>,
    /// When the exposures were served.
    pub within: TimeRange,
    /// How many exposures were read by now.
    pub progress: &'a AtomicU64,
}

/// Why a log was not verified to its end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Fingerprints cannot be written.
    #[error("cannot write fingerprints to {}", path.display())]
    Fingerprints {
        /// Their file, or the folder of a temporary file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Verification<'_> {
    /// Verifies the log; with a checkpoint from where that is, and keeps it up to date until the end.
    pub async fn run(
        mut self,
        checkpoint: Option<(&Path, VerificationScope)>,
    ) -> Result<Report, VerifyError> {
        let checkpoint = checkpoint.map(|(path, question)| Checkpoint::new(path, question));
        let saved = checkpoint.as_ref().map(Checkpoint::load).transpose()?;
        let (mut report, mut runs, mut after) = (Report::default(), Vec::new(), None);
        if let Some(saved) = saved.flatten() {
            self.within = saved.within();
            after = Some(saved.after());
            (report, runs) = (saved.report, saved.runs);
            self.progress.store(report.exposures(), Ordering::Relaxed);
        }
        let file = match &checkpoint {
            Some(checkpoint) => checkpoint.fingerprints(&runs)?,
            None => tempfile::tempfile().map_err(|source| fingerprint_error(None, source))?,
        };
        let failed = |source| fingerprint_error(checkpoint.as_ref(), source);
        let fingerprints = Fingerprints::open(file, runs);
        let mut verifier = Verifier::new((self.store, self.ids), report, fingerprints);
        let (within, progress) = (self.within, self.progress);
        let mut last = Instant::now();
        self.each_page(after, async |page: &BatchPage| {
            verifier.page(page).await?;
            progress.fetch_add(page.exposure_count() as u64, Ordering::Relaxed);
            let is_due = checkpoint.is_some() && last.elapsed() > CHECKPOINT;
            if verifier.fingerprints.is_full() || is_due {
                verifier.fingerprints.write().map_err(failed)?;
                if let (Some(checkpoint), Some(next)) = (&checkpoint, &page.next) {
                    verifier.fingerprints.sync().map_err(failed)?;
                    verifier.flush_current();
                    let runs = verifier.fingerprints.runs();
                    checkpoint.save(within, next, runs, &verifier.report)?;
                }
                last = Instant::now();
            }
            Ok(())
        })
        .await?;
        verifier.flush_current();
        let repeated = verifier.fingerprints.repeated().map_err(failed)?;
        let mut report = verifier.report;
        self.add_repeated(repeated, &mut report).await?;
        self.add_sample_ratios(&mut report).await?;
        if let Some(checkpoint) = checkpoint {
            checkpoint.remove();
        }
        Ok(report)
    }

    /// Visits the pages of the log; the next one is read meanwhile.
    async fn each_page(
        &self,
        after: Option<Cursor>,
        mut visit: impl AsyncFnMut(&BatchPage) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let of = match self.flag {
            Some(flag) => ExposureScope::Flag(flag),
            None => ExposureScope::Project(self.project),
        };
        let mut page = self
            .log
            .batches(of, self.within, after.as_ref(), AT_ONCE)
            .await?;
        loop {
            let Some(next) = page.next.clone() else {
                return visit(&page).await;
            };
            let reading = self.log.batches(of, self.within, Some(&next), AT_ONCE);
            let (read, visited) = join(reading, visit(&page)).await;
            visited?;
            page = read?;
        }
    }

    /// Looks again for what occurs twice, and names it.
    async fn add_repeated(
        &self,
        repeated: Repeated,
        report: &mut Report,
    ) -> Result<(), VerifyError> {
        let Some(mut suspects) = Suspects::of(repeated) else {
            return Ok(());
        };
        self.each_page(None, async |page: &BatchPage| {
            suspects.page(page);
            Ok(())
        })
        .await?;
        suspects.add_to(report);
        Ok(())
    }

    async fn add_sample_ratios(&self, report: &mut Report) -> Result<(), VerifyError> {
        for (name, of_flag) in &mut report.flags {
            let Some(flag) = flag_of(self.project, name) else {
                continue;
            };
            if of_flag.groups.is_empty() {
                continue;
            }
            let revisions = Revisions::open(self.store, self.ids, flag).await?;
            add_sample_ratios_of(revisions, of_flag).await?;
        }
        Ok(())
    }
}

async fn add_sample_ratios_of(
    mut revisions: Revisions<'_>,
    report: &mut FlagReport,
) -> Result<(), StoreError> {
    for (created, groups) in &report.groups {
        let Some(created) = Timestamp::from_unix_micros(*created) else {
            continue;
        };
        let OwnRevision::Known(revision) = revisions.get(created).await? else {
            continue;
        };
        let exposures = |group: &str| groups.get(group).copied().unwrap_or_default();
        if let Some(ratio) = SampleRatio::of(revision.plan(), exposures) {
            report.sample_ratios.push(RevisionSampleRatio {
                revision: created,
                exposures: groups.values().sum(),
                ratio,
            });
        }
    }
    Ok(())
}

/// The flag with this `type/name`.
fn flag_of(project: &ProjectName, name: &str) -> Option<FlagKey> {
    let (flag_type, name) = name.split_once('/')?;
    Some(FlagKey {
        project: project.clone(),
        flag_type: FlagType::parse(flag_type).ok()?,
        name: FlagName::new(name).ok()?,
    })
}

/// Fingerprints are beside the checkpoint, or in a temporary file without a name.
fn fingerprint_error(checkpoint: Option<&Checkpoint>, source: io::Error) -> VerifyError {
    let path = checkpoint.map_or_else(std::env::temp_dir, Checkpoint::fingerprints_path);
    VerifyError::Fingerprints { path, source }
}
