//! How instances are placed on the rollout line.

use std::fmt;

use crate::hash_algorithm::HashAlgorithm;
use crate::invalid::{Invalid, quoted};
use crate::name::Salt;

/// How instances are placed on the rollout line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketScheme {
    /// Version 1, of the Python framework: a hash of the bare instance id, whole percentages, ranges by position.
    V1 {
        /// The hash algorithm.
        algorithm: HashAlgorithm,
        /// Where that is named.
        source: AlgorithmSource,
    },
    /// Version 2: any algorithm, over salt and instance id, percentages with three decimals, stored ranges.
    V2 {
        /// The hash algorithm.
        algorithm: HashAlgorithm,
        /// The text that is hashed before the instance id.
        salt: Salt,
    },
}

/// Where the hash algorithm of a revision of version 1 is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmSource {
    /// Its row, and so will the rows that follow it.
    Row,
    /// A setting of the deployment: its row names none, as no row of the Python framework does.
    Setting,
}

impl BucketScheme {
    /// Version 1, with the hash algorithm from the settings of the deployment.
    pub const fn v1(algorithm: HashAlgorithm) -> Self {
        Self::V1 {
            algorithm,
            source: AlgorithmSource::Setting,
        }
    }

    /// The hash algorithm.
    pub fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::V1 { algorithm, .. } | Self::V2 { algorithm, .. } => *algorithm,
        }
    }

    /// The text that is hashed before the instance id; none in version 1.
    pub fn salt(&self) -> Option<&Salt> {
        match self {
            Self::V1 { .. } => None,
            Self::V2 { salt, .. } => Some(salt),
        }
    }

    /// Whether both give every instance the same bucket.
    pub fn assigns_equal_buckets(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && self.salt() == other.salt()
    }

    /// The version that the `FormatVersion` column names.
    pub fn version(&self) -> FormatVersion {
        match self {
            Self::V1 { .. } => FormatVersion::V1,
            Self::V2 { .. } => FormatVersion::V2,
        }
    }
}

/// The version of a revision's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatVersion {
    /// Version 1, of the Python framework.
    V1,
    /// Version 2, of this project.
    V2,
}

impl FormatVersion {
    /// Reads `1` or `2`; any other version is an error that names it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "1" => Ok(Self::V1),
            "2" => Ok(Self::V2),
            _ => Err(Invalid::new("FormatVersion", quoted(text), "1 or 2")),
        }
    }
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "1",
            Self::V2 => "2",
        })
    }
}
