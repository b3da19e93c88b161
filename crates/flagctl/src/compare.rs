//! Sends the same requests to two services, and compares their answers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use flag_model::{FlagKey, InstanceId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::service_client::{Reply, ServiceClient, ServiceClientError};

/// How many requests are in flight at once, each to both services.
const AT_ONCE: usize = 16;

/// How many differences of a flag are kept; all are counted.
const LISTED: usize = 100;

/// Two services, and the instances of the requests.
#[derive(Debug)]
pub(crate) struct Compare<'a> {
    /// The service of this system.
    pub(crate) ours: &'a ServiceClient,
    /// The other one.
    pub(crate) theirs: &'a ServiceClient,
    /// The instances of the requests.
    pub(crate) instances: &'a [InstanceId<'static>],
    /// Counts the requests.
    pub(crate) progress: &'a CompareProgress,
}

/// How many requests of a flag are kept that neither answered with a value, each with another cause.
const CAUSES: usize = 3;

/// How many answers of a flag are equal, and which are not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Compared {
    /// Both served the same value and rollout group.
    pub(crate) equal: u64,
    /// Neither served anything.
    pub(crate) served_by_neither: u64,
    /// The answers differ.
    pub(crate) differing: u64,
    /// Those that differ, in the order of the instance ids: the first 100.
    pub(crate) differences: Vec<ComparedField>,
    /// Requests that neither answered with a value: the first instance for each of the first three causes.
    pub(crate) refusals: Vec<ComparedField>,
}

/// Two answers that differ, or of which neither is a value.
#[derive(Debug, Serialize)]
pub(crate) struct ComparedField {
    pub(crate) instance_id: String,
    pub(crate) ours: Reply,
    pub(crate) theirs: Reply,
}

/// How many requests were sent, and how many there are.
#[derive(Debug)]
pub(crate) struct CompareProgress {
    asked: AtomicU64,
    total: u64,
}

impl Compare<'_> {
    /// Asks both for every instance.
    pub(crate) async fn flag(&self, flag: &FlagKey) -> Result<Compared, ServiceClientError> {
        let questions = self.instances.iter().map(|instance| async move {
            let asked = futures_util::future::try_join(
                self.ours.ask(flag, instance),
                self.theirs.ask(flag, instance),
            );
            let (ours, theirs) = asked.await?;
            self.progress.asked.fetch_add(1, Ordering::Relaxed);
            Ok::<_, ServiceClientError>((instance, ours, theirs))
        });
        let mut compared = Compared::default();
        let mut answers = stream::iter(questions).buffered(AT_ONCE);
        while let Some((instance, ours, theirs)) = answers.try_next().await? {
            compared.count(instance, ours, theirs);
        }
        Ok(compared)
    }
}

impl Compared {
    fn count(&mut self, instance: &InstanceId<'_>, ours: Reply, theirs: Reply) {
        let is_served_by_neither = ours.is_refused() && theirs.is_refused();
        if !is_served_by_neither && ours == theirs {
            self.equal += 1;
            return;
        }
        let answers = ComparedField {
            instance_id: instance.as_str().to_owned(),
            ours,
            theirs,
        };
        if !is_served_by_neither {
            self.differing += 1;
            if self.differences.len() < LISTED {
                self.differences.push(answers);
            }
            return;
        }
        self.served_by_neither += 1;
        let is_known = self.refusals.iter().any(|known| known.is_like(&answers));
        if !is_known && self.refusals.len() < CAUSES {
            self.refusals.push(answers);
        }
    }
}

impl ComparedField {
    /// Whether the services answered another instance the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.ours, &self.theirs) == (&other.ours, &other.theirs)
    }
}

impl CompareProgress {
    /// No request was sent yet.
    pub(crate) const fn of(total: u64) -> Self {
        Self {
            asked: AtomicU64::new(0),
            total,
        }
    }
}

impl fmt::Display for CompareProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.load(Ordering::Relaxed);
        write!(f, "comparing: {asked} of {} answers", self.total)
    }
}
