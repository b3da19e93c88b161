//! The only place that spells `PROJECT#…#TIME#…`.

use std::fmt::Write as _;

use flag_model::{
    FlagKey, FlagName, FlagType, InstanceId, Invalid, ProjectName, Timestamp, quoted,
};

/// The longest key that Bigtable takes.
const MAX_KEY_BYTES: usize = 4 * 1024;

/// The two kinds of rows that a flag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowType {
    /// Metadata.
    Flag,
    /// A revision.
    Revision,
}

impl RowType {
    /// The spelling of keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "FLAG",
            Self::Revision => "REVISION",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Flag, Self::Revision]
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
    /// When the row was made.
    pub created: Timestamp,
}

impl FlagRowKey {
    /// The key as it is written, the time always with six digits of a fraction.
    pub fn encode(&self) -> String {
        format!("{}{}", flag_prefix(self.row_type, &self.flag), self.created)
    }

    /// Reads a key; a time without a fraction is fine.
    pub fn decode(key: &[u8]) -> Result<Self, Invalid> {
        let (row_type, flag, time) = split(key)?;
        let created = Timestamp::parse(time).map_err(|invalid| invalid.within("row key"))?;
        Ok(Self {
            row_type,
            flag,
            created,
        })
    }

    /// The least key that comes after every row of a flag that was made at `at` or before.
    pub(crate) fn after(row_type: RowType, flag: &FlagKey, at: Timestamp) -> Vec<u8> {
        let mut key = format!("{}{at}", flag_prefix(row_type, flag)).into_bytes();
        key.push(0);
        key
    }

    /// The flag that a row belongs to, even if the time in its key means nothing.
    pub(crate) fn flag_of(key: &[u8]) -> Option<FlagKey> {
        split(key).ok().map(|(_, flag, _)| flag)
    }

    /// Which kind of row of which flag a key is of, even if the time in it means nothing.
    pub fn subject_of(key: &[u8]) -> Option<(RowType, FlagKey)> {
        split(key).ok().map(|(row_type, flag, _)| (row_type, flag))
    }
}

/// The parts of a key: what kind of row, whose, and the text of its time.
fn split(key: &[u8]) -> Result<(RowType, FlagKey, &str), Invalid> {
    let refused =
        |expected| Invalid::new("row key", quoted(&String::from_utf8_lossy(key)), expected);
    let text = str::from_utf8(key).map_err(|_| refused("UTF-8"))?;
    let shape = || refused("PROJECT#…#ROWTYPE#FLAG or REVISION#FLAGTYPE#…#FLAGNAME#…#TIME#…");
    let fields: Vec<&str> = text.splitn(10, '#').collect();
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
    let of_key = |invalid: Invalid| invalid.within("row key");
    let flag = FlagKey {
        project: ProjectName::new(project).map_err(of_key)?,
        flag_type: FlagType::parse(flag_type).map_err(of_key)?,
        name: FlagName::new(name).map_err(of_key)?,
    };
    Ok((RowType::parse(row_type).ok_or_else(shape)?, flag, time))
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

/// What the keys of all rows of one kind in a project begin with.
pub(crate) fn project_prefix(row_type: RowType, project: &ProjectName) -> String {
    format!("{}ROWTYPE#{}#", rows_prefix(project), row_type.as_str())
}

/// The key of a project's head row.
pub(crate) fn head_key(project: &ProjectName) -> String {
    format!("{}ROWTYPE#HEAD", rows_prefix(project))
}

/// What the keys of all exposures of a flag begin with.
pub(crate) fn exposure_prefix(flag: &FlagKey) -> String {
    format!(
        "PROJECT#{}#FLAGTYPE#{}#FLAGNAME#{}#INSTANCEID#",
        flag.project, flag.flag_type, flag.name
    )
}

/// What the keys of all exposures of one instance to a flag begin with.
pub(crate) fn instance_prefix(flag: &FlagKey, instance: &InstanceId<'_>) -> String {
    format!(
        "{}{}#REQUESTID#",
        exposure_prefix(flag),
        encoded(instance.as_str())
    )
}

/// The key of one exposure; refused if it is longer than [`MAX_KEY_BYTES`].
pub(crate) fn exposure_key(
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    request_id: &str,
    created: Timestamp,
) -> Result<String, Invalid> {
    let key = format!(
        "{}{}#TIME#{created}",
        instance_prefix(flag, instance),
        encoded(request_id)
    );
    if key.len() > MAX_KEY_BYTES {
        let expected = format!("at most {MAX_KEY_BYTES} bytes");
        return Err(Invalid::new(
            "row key",
            format!("{} bytes", key.len()),
            expected,
        ));
    }
    Ok(key)
}

/// An id that can pose as no other field: `#`, `%` and control characters percent-encoded.
fn encoded(id: &str) -> String {
    let mut key = String::with_capacity(id.len());
    for character in id.chars() {
        if matches!(character, '#' | '%') || character.is_control() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(key, "%{byte:02X}");
            }
        } else {
            key.push(character);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag() -> FlagKey {
        FlagKey {
            project: ProjectName::new("csr-assistant").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new("multi_step_api_router").unwrap(),
        }
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

    #[track_caller]
    fn check_exposure(instance: &str, encoded: &str) {
        let created = Timestamp::parse("2024-09-25 19:15:28.248896").unwrap();
        let instance = InstanceId::new(instance).unwrap();
        let key = exposure_key(&flag(), &instance, "r-1", created).unwrap();
        let expected = format!(
            "PROJECT#csr-assistant#FLAGTYPE#feature#FLAGNAME#multi_step_api_router#INSTANCEID#{encoded}#REQUESTID#r-1#TIME#{created}"
        );
        assert_eq!(key, expected);
        assert!(key.starts_with(&instance_prefix(&flag(), &instance)));
    }

    #[test]
    fn no_id_can_pose_as_another_field() {
        check_exposure("A12345", "A12345");
        check_exposure("a b@é.日", "a b@é.日");
        check_exposure("A#REQUESTID#x", "A%23REQUESTID%23x");
        check_exposure("50%", "50%25");
        check_exposure("a\nb\u{7f}\u{85}", "a%0Ab%7F%C2%85");
    }

    #[test]
    fn a_key_over_the_limit_is_refused() {
        let created = Timestamp::parse("2024-09-25 19:15:28").unwrap();
        let instance = InstanceId::new("\u{85}".repeat(256)).unwrap();
        assert!(exposure_key(&flag(), &instance, "r", created).is_ok());
        let refused = exposure_key(&flag(), &instance, &"r".repeat(4_000), created).unwrap_err();
        assert_eq!(refused.expected, "at most 4096 bytes");
    }
}
