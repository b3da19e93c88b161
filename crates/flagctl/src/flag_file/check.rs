//! What a file alone shows to be invalid, beside other mistakes. Without any, comparing the file with the store finds it.

use flag_model::{
    BucketScheme, FormatVersion, HashAlgorithm, InvalidRevision, RevisionParts, Salt,
};
use flag_rollout::assign_buckets;

use super::fields::Reading;
use super::{FileError, FlagInFile};

impl Reading {
    /// Records what is invalid in the flags that could be read, if there are mistakes in others.
    pub(super) fn check_others(&mut self, flags: &[FlagInFile]) {
        if !self.has_mistakes() {
            return;
        }
        for flag in flags {
            if let Err(refused) = check(flag) {
                self.add(FileError {
                    position: flag.position,
                    message: format!("{}: {refused}", flag.flag),
                });
            }
        }
    }
}

fn check(flag: &FlagInFile) -> Result<(), InvalidRevision> {
    let Some(revision) = &flag.revision else {
        return Ok(());
    };
    let version_2 = || {
        Some(BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::new("salt").ok()?,
        })
    };
    let scheme = match revision.version {
        Some(FormatVersion::V1) => None,
        Some(FormatVersion::V2) | None => version_2(),
    };
    let mut parts = RevisionParts {
        flag: flag.flag.clone(),
        scheme: scheme.unwrap_or(BucketScheme::v1(HashAlgorithm::Md5)),
        control: revision.control.clone(),
        treatments: revision.treatments.clone().unwrap_or_default(),
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    assign_buckets(&mut parts, false);
    parts.validate()
}
