//! The keys of what replicas report.

use std::fmt;

use flag_model::{Invalid, ProjectName};

use super::{read_text, refused, rows_prefix};

/// What the keys of all replicas begin with.
pub(crate) const REPLICAS: &str = "ROWTYPE#REPLICA#";

/// Identifies a replica: one process, and no later one of the same pod or host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub u128);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The key of a replica.
pub(crate) fn replica_key(replica: ReplicaId) -> String {
    format!("{REPLICAS}{replica}")
}

/// What the keys of what replicas serve of a project begin with.
pub(crate) fn served_prefix(project: &ProjectName) -> String {
    rows_prefix(project) + REPLICAS
}

/// The key of what a replica serves of a project.
pub(crate) fn served_key(project: &ProjectName, replica: ReplicaId) -> String {
    format!("{}{replica}", served_prefix(project))
}

/// The replica that a key ends with.
pub(crate) fn replica_of(key: &[u8]) -> Result<ReplicaId, Invalid> {
    let expected = "…ROWTYPE#REPLICA#… with 32 hexadecimal digits";
    let id = read_text(key)?.rsplit_once('#').map(|(_, id)| id);
    let id = id.and_then(|id| u128::from_str_radix(id, 16).ok());
    id.map(ReplicaId).ok_or_else(|| refused(key, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_with_the_replica() {
        let project = ProjectName::new("p").unwrap();
        let id = "0000000000000000000000000000000a";
        let keys = [
            (replica_key(ReplicaId(10)), format!("ROWTYPE#REPLICA#{id}")),
            (
                served_key(&project, ReplicaId(10)),
                format!("PROJECT#p#ROWTYPE#REPLICA#{id}"),
            ),
        ];
        for (key, expected) in keys {
            assert_eq!(key, expected);
            assert_eq!(replica_of(key.as_bytes()), Ok(ReplicaId(10)));
        }
        assert!(replica_of(b"ROWTYPE#REPLICA#x").is_err());
    }
}
