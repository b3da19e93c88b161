//! The only place that spells `PROJECT#…#TIME#…`; its modules spell the keys of exposures, of their counts, and of replicas.

mod counts;
mod exposure;
mod replica;

use flag_model::{FlagKey, FlagName, FlagType, Invalid, ProjectName, Timestamp, quoted};

pub(crate) use self::counts::{
    counts_key, flag_and_hour, hour_prefix, minute_column, minute_of_column,
};
pub(crate) use self::exposure::{
    ExposureRowKey, check_exposure_key, encoded, exposure_key, exposure_prefix_of_key,
    flag_exposures_prefix, flag_texts_of_prefix, instance_prefix, push_exposure_key,
    spelled_instance_prefix,
};
pub use self::exposure::{flag_of_exposure_prefix, prefix_and_time};
pub use self::replica::ReplicaId;
pub(crate) use self::replica::{REPLICAS, replica_key, replica_of, served_key, served_prefix};

/// The two kinds of rows that a flag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowType {
    /// Metadata.
    Metadata,
    /// A revision.
    Revision,
}

impl RowType {
    /// The spelling of keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "FLAG",
            Self::Revision => "REVISION",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Metadata, Self::Revision]
            .into_iter()
            .find(|row_type| row_type.as_str() == text)
    }
}

/// The key of a metadata or revision row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagRowKey {
    /// Metadata or revision.
    pub row_type: RowType,
    /// The flag.
    pub flag: FlagKey,
    /// When the row was created.
    pub created: Timestamp,
}

impl FlagRowKey {
    /// The key as it is written, the time always with six digits of a fraction.
    pub fn encode(&self) -> String {
        format!("{}{}", flag_prefix(self.row_type, &self.flag), self.created)
    }

    /// Reads a key; its time may be spelled as any that [`Timestamp::parse`] reads.
    pub fn decode(key: &[u8]) -> Result<Self, Invalid> {
        let (row_type, flag, time) = split(key)?;
        let created = Timestamp::parse(time).map_err(|invalid| invalid.within("row key"))?;
        Ok(Self {
            row_type,
            flag,
            created,
        })
    }

    /// Whether the time in the key is spelled as neither we nor the Python framework spell it.
    pub(crate) fn is_spelled_otherwise(&self, key: &[u8]) -> bool {
        let ours = self.encode();
        let whole_second = ours.strip_suffix(".000000");
        key != ours.as_bytes() && whole_second.is_none_or(|spelling| key != spelling.as_bytes())
    }

    /// Which kind of row of which flag a key is of, even if the time in it means nothing.
    pub fn subject_of(key: &[u8]) -> Option<(RowType, FlagKey)> {
        split(key).ok().map(|(row_type, flag, _)| (row_type, flag))
    }
}

/// The parts of a key: what kind of row, whose, and the text of its time.
fn split(key: &[u8]) -> Result<(RowType, FlagKey, &str), Invalid> {
    let shape = || {
        let expected = "PROJECT#…#ROWTYPE#FLAG or REVISION#FLAGTYPE#…#FLAGNAME#…#TIME#…";
        refused(key, expected)
    };
    let fields: Vec<&str> = read_text(key)?.splitn(10, '#').collect();
    let &[
        "PROJECT",
        project,
        "ROWTYPE",
        row_type,
        "FLAGTYPE",
        flag_type,
        "FLAGNAME",
        name,
        "TIME",
        time,
    ] = fields.as_slice()
    else {
        return Err(shape());
    };
    let flag = read_flag(project, flag_type, name)?;
    Ok((RowType::parse(row_type).ok_or_else(shape)?, flag, time))
}

/// A key as text.
fn read_text(key: &[u8]) -> Result<&str, Invalid> {
    str::from_utf8(key).map_err(|_| refused(key, "UTF-8"))
}

/// Why a key cannot be read.
fn refused(key: &[u8], expected: &str) -> Invalid {
    Invalid::new("row key", quoted(&String::from_utf8_lossy(key)), expected)
}

/// The flag that these texts of a key name.
fn read_flag(project: &str, flag_type: &str, name: &str) -> Result<FlagKey, Invalid> {
    let of_key = |invalid: Invalid| invalid.within("row key");
    Ok(FlagKey {
        project: ProjectName::new(project).map_err(of_key)?,
        flag_type: FlagType::parse(flag_type).map_err(of_key)?,
        name: FlagName::new(name).map_err(of_key)?,
    })
}

/// What the keys of all rows of one kind of one flag begin with, up to and including `#TIME#`.
pub(crate) fn flag_prefix(row_type: RowType, flag: &FlagKey) -> String {
    format!(
        "{}FLAGTYPE#{}#FLAGNAME#{}#TIME#",
        project_prefix(row_type, &flag.project),
        flag.flag_type,
        flag.name
    )
}

/// What the keys of all rows of all projects begin with.
pub(crate) const PROJECTS: &str = "PROJECT#";

/// What the keys of all rows of a project begin with, in either table.
pub(crate) fn rows_prefix(project: &ProjectName) -> String {
    format!("{PROJECTS}{project}#")
}

/// What the keys of all exposures of a project begin with.
pub(crate) fn project_exposures_prefix(project: &ProjectName) -> String {
    rows_prefix(project) + "FLAGTYPE#"
}

/// What the keys of all rows of one kind in a project begin with.
pub(crate) fn project_prefix(row_type: RowType, project: &ProjectName) -> String {
    format!("{}ROWTYPE#{}#", rows_prefix(project), row_type.as_str())
}

/// The key of a project's head row.
pub(crate) fn head_key(project: &ProjectName) -> String {
    format!("{}ROWTYPE#HEAD", rows_prefix(project))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag() -> FlagKey {
        "csr-assistant/feature/multi_step_api_router"
            .parse()
            .unwrap()
    }

    const KEY: &str = "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#multi_step_api_router#TIME#";

    #[test]
    fn keys_are_those_of_the_reference() {
        let created = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        let key = FlagRowKey {
            row_type: RowType::Revision,
            flag: flag(),
            created,
        };
        assert_eq!(key.encode(), format!("{KEY}2024-09-25 19:15:28.248896"));
        assert_eq!(FlagRowKey::decode(key.encode().as_bytes()), Ok(key));
    }

    #[test]
    fn a_time_without_a_fraction_is_read_and_written_with_six_digits() {
        let key = FlagRowKey::decode(format!("{KEY}2024-10-01 08:00:00").as_bytes()).unwrap();
        assert_eq!(key.encode(), format!("{KEY}2024-10-01 08:00:00.000000"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for key in [
            "",
            "PROJECT#p#ROWTYPE#HEAD",
            &format!("{KEY}soon"),
            &KEY.replace("feature", "boolean"),
            &format!("{KEY}2024-10-01 08:00:00#more"),
        ] {
            assert!(FlagRowKey::decode(key.as_bytes()).is_err(), "{key}");
        }
        assert!(FlagRowKey::decode(b"PROJECT#\xff").is_err());
    }
}
