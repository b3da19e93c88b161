//! What a list shows of a flag.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use flag_describe::{sentence, shortened};
use flag_model::{BUCKETS, FlagKey, Metadata, MetadataParts, Revision, Timestamp};
use flag_rollout::{Allocation, groups};

/// The longest description and comment in a list, in characters.
const SHOWN: usize = 160;

/// How long a flag that gives all the same value may stay as it is without a remark.
const UNCHANGED: Duration = Duration::from_hours(30 * 24);

/// What a list shows of a flag.
#[derive(Clone, Debug)]
pub(in crate::dashboard) struct FlagSummary {
    pub(in crate::dashboard) flag: FlagKey,
    pub(in crate::dashboard) description: String,
    pub(in crate::dashboard) owner: String,
    pub(in crate::dashboard) tags: Vec<String>,
    expires_on: Option<String>,
    /// Whether its value is frozen until the code no longer asks for it.
    pub(in crate::dashboard) is_retired: bool,
    pub(in crate::dashboard) revision: Option<Result<RevisionSummary, String>>,
    /// Why its metadata cannot be read.
    metadata_problem: Option<String>,
    /// In lower case, what a search looks at.
    searched: String,
}

/// What a list shows of the revision in force.
#[derive(Clone, Debug)]
pub(in crate::dashboard) struct RevisionSummary {
    pub(in crate::dashboard) sentence: String,
    pub(in crate::dashboard) split: Split,
    pub(in crate::dashboard) created: Timestamp,
    pub(in crate::dashboard) by: String,
    pub(in crate::dashboard) comment: String,
    pub(in crate::dashboard) allocation: AllocationHash,
}

/// Two hashes that are equal for revisions with the same allocation; of 2^64, so that two others share one by chance only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dashboard) struct AllocationHash {
    /// Of shares, values, groups and names.
    pub(in crate::dashboard) shares: u64,
    /// Of how instances are placed on the line; the same for all where that doesn't matter.
    pub(in crate::dashboard) places: u64,
}

impl AllocationHash {
    fn of(revision: &Revision) -> Self {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let allocation = Allocation::of(revision);
        let salt = revision.scheme.salt().map(ToString::to_string);
        let places = (revision.scheme.algorithm().to_string(), salt);
        Self {
            places: if allocation.is_even() {
                0
            } else {
                hasher.hash_one(places)
            },
            shares: hasher.hash_one(allocation),
        }
    }
}

/// How a revision splits the bucket line: treatments in order, then control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dashboard) struct Split(pub(in crate::dashboard) Vec<Share>);

/// The share of a rollout group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dashboard) struct Share {
    pub(in crate::dashboard) group: String,
    pub(in crate::dashboard) buckets: u32,
}

impl Split {
    /// That of a revision.
    pub(in crate::dashboard) fn of(revision: &Revision) -> Self {
        let treatments = groups(revision).into_iter().map(|(group, ranges)| Share {
            group,
            buckets: ranges.iter().map(|range| range.width()).sum(),
        });
        let mut shares: Vec<Share> = treatments.collect();
        shares.push(Share {
            group: flag_model::CONTROL_GROUP.to_owned(),
            buckets: revision.control_percent().buckets(),
        });
        Self(shares)
    }

    /// Whether one group has every bucket.
    fn is_whole(&self) -> bool {
        self.0.iter().any(|share| share.buckets == BUCKETS)
    }
}

impl FlagSummary {
    /// Summarizes what is newest of a flag.
    pub(in crate::dashboard) fn new(
        flag: FlagKey,
        metadata: Option<Result<Metadata, String>>,
        revision: Option<Result<Revision, String>>,
    ) -> Self {
        let (metadata, metadata_problem) = match metadata {
            Some(Ok(metadata)) => (Some(metadata.into_parts()), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let owner = metadata.as_ref().and_then(|parts| parts.owner.as_ref());
        let owner = owner.map(ToString::to_string).unwrap_or_default();
        let description = metadata.as_ref().map(|parts| parts.description.as_str());
        let description = shortened(description.unwrap_or_default(), SHOWN);
        let expires_on = metadata.as_ref().and_then(|parts| parts.expires_on);
        let is_retired = metadata.as_ref().is_some_and(MetadataParts::is_retired);
        let tags = metadata.map(|parts| parts.tags).unwrap_or_default();
        let name = flag.name.as_str();
        let searched = format!("{name}\n{description}\n{owner}\n{}", tags.join("\n"));
        Self {
            description,
            owner,
            expires_on: expires_on.map(|date| date.to_string()),
            revision: revision.map(|revision| revision.map(|revision| summary(&revision))),
            is_retired,
            metadata_problem,
            searched: searched.to_lowercase(),
            tags,
            flag,
        }
    }

    /// Whether every word is in its name, description, owner or tags; words in lower case.
    pub(in crate::dashboard) fn has_words(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.searched.contains(word))
    }

    /// Who gets what.
    pub(in crate::dashboard) fn sentence(&self) -> &str {
        match &self.revision {
            Some(Ok(revision)) => &revision.sentence,
            Some(Err(_)) => "unreadable",
            None => "no revision yet",
        }
    }

    /// When its newest revision was made.
    pub(in crate::dashboard) fn changed(&self) -> Option<Timestamp> {
        Some(self.revision.as_ref()?.as_ref().ok()?.created)
    }

    /// Why something newest of it cannot be read.
    pub(in crate::dashboard) fn problem(&self) -> Option<&str> {
        let revision = match &self.revision {
            Some(Err(problem)) => Some(problem),
            _ => None,
        };
        revision
            .or(self.metadata_problem.as_ref())
            .map(String::as_str)
    }

    /// Whether the day is over on which it should have been removed from the code.
    pub(in crate::dashboard) fn is_expired(&self, now: Timestamp) -> bool {
        let today = now.to_string();
        let expires_on = self.expires_on.as_deref();
        expires_on.is_some_and(|date| date < today.get(..10).unwrap_or_default())
    }

    /// Whether it gives all the same value, and has for 30 days.
    pub(in crate::dashboard) fn is_unchanged(&self, now: Timestamp) -> bool {
        let Some(Ok(revision)) = &self.revision else {
            return false;
        };
        revision.split.is_whole() && now.since(revision.created) > UNCHANGED
    }
}

fn summary(revision: &Revision) -> RevisionSummary {
    RevisionSummary {
        sentence: sentence(revision),
        split: Split::of(revision),
        created: revision.created(),
        by: revision
            .owner
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        comment: shortened(&revision.comment, SHOWN),
        allocation: AllocationHash::of(revision),
    }
}

#[cfg(test)]
impl FlagSummary {
    /// A boolean flag without a revision.
    pub(in crate::dashboard) fn for_tests(name: &str, owner: &str) -> Self {
        use flag_model::OwnerId;

        let flag: FlagKey = format!("p/feature/{name}").parse().unwrap();
        let parts = MetadataParts {
            flag: flag.clone(),
            description: String::new(),
            owner: Some(OwnerId::new(owner).unwrap()),
            edited_by: None,
            ticket: None,
            tags: Vec::new(),
            expires_on: None,
        };
        let metadata = Metadata::new(Timestamp::UNIX_EPOCH, parts).unwrap();
        Self::new(flag, Some(Ok(metadata)), None)
    }
}
