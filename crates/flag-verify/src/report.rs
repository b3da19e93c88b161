//! What was found out about the exposures of a project.

use std::collections::BTreeMap;

use flag_model::Timestamp;
use flag_rollout::SampleRatio;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, FaultKind};
use crate::lag::Lag;

/// The most faults of a kind that are named; the others are counted.
pub(crate) const MAX_NAMED: usize = 100;

/// What was found out about the exposures of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// By `type/name`.
    pub flags: BTreeMap<String, FlagReport>,
    /// The first hundred faults of each kind.
    pub findings: Vec<Fault>,
    /// How many faults of each kind there are.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// What was found out about the exposures of a flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagReport {
    /// How many there are.
    pub exposures: u64,
    /// Those that their revision decides the same.
    pub agree: u64,
    /// Those that their revision decides otherwise.
    pub decided_otherwise: u64,
    /// Those whose revision the flag does not have.
    pub unknown_revision: u64,
    /// Those that cannot be read.
    pub unreadable: u64,
    /// Those that name no revision, and were not decided again.
    pub without_revision: u64,
    /// Those whose revision cannot be read.
    pub unreadable_revision: u64,
    /// Those whose id is hashed and was not resolved.
    pub hashed: u64,
    /// Those that were served before their revision was created, by the clocks of the two machines.
    pub before_revision: u64,
    /// Those that were served after a newer revision was created, and for how long it had been there.
    #[serde(rename = "stale")]
    pub outdated: Lag,
    /// The most outdated one: when it was served, and by which revision.
    #[serde(rename = "most_stale")]
    pub most_outdated: Option<(String, String)>,
    /// The answers of rollouts by revision and rollout group, without overrides and delivered lists.
    pub(crate) groups: BTreeMap<i64, BTreeMap<String, u64>>,
    /// The observed split against the configured one, by revision, the oldest first.
    #[serde(skip)]
    pub sample_ratios: Vec<RevisionSampleRatio>,
}

/// The observed split of a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionSampleRatio {
    /// The revision.
    pub revision: Timestamp,
    /// The exposures that count.
    pub exposures: u64,
    /// The comparison.
    pub ratio: SampleRatio,
}

impl Eq for RevisionSampleRatio {}

impl Report {
    /// Whether no fault was found.
    pub fn is_clean(&self) -> bool {
        self.faults.values().all(|count| *count == 0)
    }

    /// How many exposures there are.
    pub fn exposures(&self) -> u64 {
        self.flags.values().map(|flag| flag.exposures).sum()
    }

    /// Counts a fault, and names it unless there are many of its kind.
    pub(crate) fn add(&mut self, fault: Fault) {
        self.add_many(fault, 1);
    }

    /// Counts a fault of several exposures, and names it likewise.
    pub(crate) fn add_many(&mut self, fault: Fault, exposures: u64) {
        let count = self.faults.entry(fault.kind).or_default();
        if *count < MAX_NAMED as u64 {
            self.findings.push(fault);
        }
        *count += exposures;
    }

    /// How many faults of a kind there are.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or_default()
    }
}

impl FlagReport {
    /// Those that could not be decided again.
    pub fn unverifiable(&self) -> u64 {
        self.without_revision + self.unreadable_revision + self.hashed
    }

    /// Counts one that was served by a revision after a newer one was created.
    pub(crate) fn add_outdated(
        &mut self,
        created: Timestamp,
        revision: Timestamp,
        newer: Timestamp,
    ) {
        let lag = created.since(newer);
        if self.most_outdated.is_none() || lag > self.outdated.worst() {
            self.most_outdated = Some((created.to_string(), revision.to_string()));
        }
        self.outdated.add(lag);
    }
}
