//! The keys of exposures.

use std::fmt::Write as _;

use flag_model::{FlagKey, InstanceId, Invalid, Timestamp};

use super::{read_flag, read_text, refused};

/// The longest key that Bigtable takes.
const MAX_KEY_BYTES: usize = 4 * 1024;

/// What the names of the fields and the longest flag type take in a key.
const FIELDS_BYTES: usize =
    "PROJECT##FLAGTYPE#feature#FLAGNAME##INSTANCEID##REQUESTID##TIME#".len();

/// What is between a project and the type of a flag in a key.
const FLAG_TYPE: &str = "#FLAGTYPE#";

/// What is between the type and the name of a flag in a key.
const FLAG_NAME: &str = "#FLAGNAME#";

/// What is between a flag and an instance in a key.
const INSTANCE: &str = "#INSTANCEID#";

/// What is between an instance and a request in a key.
const REQUEST: &str = "#REQUESTID#";

/// What the time takes in a key.
const TIME_BYTES: usize = "1970-01-01 00:00:00.000000".len();

/// The parts of the key of an exposure, the ids as the key spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExposureRowKey<'k> {
    /// The flag.
    pub(crate) flag: FlagKey,
    instance: &'k str,
    request_id: &'k str,
}

impl<'k> ExposureRowKey<'k> {
    /// Reads a key, also one of the Python framework, which encodes nothing.
    pub(crate) fn decode(key: &'k [u8]) -> Result<Self, Invalid> {
        let shape = || {
            let expected = "PROJECT#…#FLAGTYPE#…#FLAGNAME#…#INSTANCEID#…#REQUESTID#…#TIME#…";
            refused(key, expected)
        };
        let fields: Vec<&str> = read_text(key)?.splitn(8, '#').collect();
        let &[
            "PROJECT",
            project,
            "FLAGTYPE",
            flag_type,
            "FLAGNAME",
            name,
            "INSTANCEID",
            rest,
        ] = fields.as_slice()
        else {
            return Err(shape());
        };
        let (rest, time) = rest.rsplit_once("#TIME#").ok_or_else(shape)?;
        let (instance, request_id) = rest.rsplit_once("#REQUESTID#").ok_or_else(shape)?;
        Timestamp::parse(time).map_err(|invalid| invalid.within("row key"))?;
        let flag = read_flag(project, flag_type, name)?;
        Ok(Self {
            flag,
            instance,
            request_id,
        })
    }

    /// The instance id as the key spells it, if that isn't this one.
    pub(crate) fn other_instance(&self, instance: &str) -> Option<&'k str> {
        differing(self.instance, instance)
    }

    /// The request's id as the key spells it, if that isn't this one.
    pub(crate) fn other_request(&self, request_id: &str) -> Option<&'k str> {
        differing(self.request_id, request_id)
    }
}

fn differing<'k>(in_key: &'k str, id: &str) -> Option<&'k str> {
    (in_key != id && in_key != encoded(id)).then_some(in_key)
}

/// What the keys of all exposures of a flag begin with.
pub(crate) fn flag_exposures_prefix(flag: &FlagKey) -> String {
    let mut key = String::new();
    push_flag(&mut key, flag);
    key
}

/// The part of a key that all exposures of its flag share, up to and including `#INSTANCEID#`; whatever the flag is.
pub(crate) fn exposure_prefix_of_key(key: &[u8]) -> Option<&[u8]> {
    let instance = INSTANCE.as_bytes();
    let at = key
        .windows(instance.len())
        .position(|part| part == instance)?;
    key.get(..at + instance.len())
}

/// Type and name of the flag of such a part, as the key spells them; they may be invalid.
pub(crate) fn flag_texts_of_prefix(flag_exposures_prefix: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(flag_exposures_prefix);
    let (_, flag) = text.split_once(FLAG_TYPE)?;
    let (flag_type, name) = flag.strip_suffix(INSTANCE)?.split_once(FLAG_NAME)?;
    Some((flag_type.to_owned(), name.to_owned()))
}

/// What keys with such a part begin with if they spell the instance id like this. Unlike [`instance_prefix`] it may be an id
/// that is not encoded.
pub(crate) fn spelled_instance_prefix(flag_exposures_prefix: &[u8], spelled: &str) -> Vec<u8> {
    [
        flag_exposures_prefix,
        spelled.as_bytes(),
        REQUEST.as_bytes(),
    ]
    .concat()
}

/// The flag whose exposures have keys that begin like this, see [`ExposureBlock::key_prefix`](crate::ExposureBlock::key_prefix).
pub fn flag_of_exposure_prefix(prefix: &str) -> Result<FlagKey, Invalid> {
    let key = format!("{prefix}i#REQUESTID#r#TIME#1970-01-01 00:00:00");
    ExposureRowKey::decode(key.as_bytes()).map(|key| key.flag)
}

/// What the keys of the exposures of a flag begin with, and the time, of a key; `None` for a key of another shape.
pub fn prefix_and_time(key: &[u8]) -> Option<(&str, Timestamp)> {
    let key = str::from_utf8(key).ok()?;
    ExposureRowKey::decode(key.as_bytes()).ok()?;
    let end = key.find(INSTANCE)? + INSTANCE.len();
    let (_, time) = key.rsplit_once("#TIME#")?;
    Some((key.get(..end)?, Timestamp::parse(time).ok()?))
}

/// Refuses an exposure whose key would be longer than [`MAX_KEY_BYTES`].
pub(crate) fn check_exposure_key(
    flag: &FlagKey,
    instance: &str,
    request_id: &str,
) -> Result<(), Invalid> {
    let names = flag.project.as_str().len() + flag.name.as_str().len();
    // Each byte of an id takes three at most.
    let max = FIELDS_BYTES + names + TIME_BYTES + 3 * (instance.len() + request_id.len());
    if max <= MAX_KEY_BYTES {
        return Ok(());
    }
    let instance = InstanceId::new(instance)?;
    let created = Timestamp::UNIX_EPOCH.text();
    exposure_key(flag, &instance, request_id, &created).map(drop)
}

/// What the keys of all exposures of one instance to a flag begin with.
pub(crate) fn instance_prefix(flag: &FlagKey, instance: &InstanceId<'_>) -> String {
    let mut key = String::new();
    push_instance(&mut key, flag, instance);
    key
}

/// The key of one exposure, served at the time that `created` spells; refused if it is longer than [`MAX_KEY_BYTES`].
pub(crate) fn exposure_key(
    flag: &FlagKey,
    instance: &InstanceId<'_>,
    request_id: &str,
    created: &str,
) -> Result<String, Invalid> {
    let texts = [
        flag.project.as_str(),
        flag.name.as_str(),
        instance.as_str(),
        request_id,
        created,
    ];
    let bytes: usize = texts.map(str::len).iter().sum();
    let mut key = String::with_capacity(FIELDS_BYTES + bytes);
    push_flag(&mut key, flag);
    push_exposure_key(&mut key, instance.as_str(), request_id, created)?;
    Ok(key)
}

/// Completes a key that has the prefix of its flag; an error if it is longer than [`MAX_KEY_BYTES`].
pub(crate) fn push_exposure_key(
    key: &mut String,
    instance: &str,
    request_id: &str,
    created: &str,
) -> Result<(), Invalid> {
    push_encoded(key, instance);
    key.push_str(REQUEST);
    push_encoded(key, request_id);
    key.push_str("#TIME#");
    key.push_str(created);
    if key.len() > MAX_KEY_BYTES {
        let expected = format!("at most {MAX_KEY_BYTES} bytes");
        return Err(Invalid::new(
            "row key",
            format!("{} bytes", key.len()),
            expected,
        ));
    }
    Ok(())
}

fn push_instance(key: &mut String, flag: &FlagKey, instance: &InstanceId<'_>) {
    push_flag(key, flag);
    push_encoded(key, instance.as_str());
    key.push_str(REQUEST);
}

fn push_flag(key: &mut String, flag: &FlagKey) {
    for text in [
        "PROJECT#",
        flag.project.as_str(),
        FLAG_TYPE,
        flag.flag_type.as_str(),
        FLAG_NAME,
        flag.name.as_str(),
        INSTANCE,
    ] {
        key.push_str(text);
    }
}

/// An id as keys spell it.
pub(crate) fn encoded(id: &str) -> String {
    let mut key = String::new();
    push_encoded(&mut key, id);
    key
}

/// Appends an id such that it can pose as no other field: `#`, `%` and control characters percent-encoded.
fn push_encoded(key: &mut String, id: &str) {
    // Beyond ASCII there are control characters too.
    let is_plain = |byte| matches!(byte, b' '..=b'"' | b'$' | b'&'..=b'~');
    // All bytes are looked at, several at once, which is quicker than stopping at the first that is not plain.
    if id.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return key.push_str(id);
    }
    for character in id.chars() {
        if matches!(character, '#' | '%') || character.is_control() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(key, "%{byte:02X}");
            }
        } else {
            key.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag() -> FlagKey {
        "csr-assistant/feature/multi_step_api_router"
            .parse()
            .unwrap()
    }

    #[track_caller]
    fn check_exposure(instance: &str, encoded: &str) {
        let created = "2024-09-25 19:15:28.248896";
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
        let created = "2024-09-25 19:15:28.000000";
        let instance = InstanceId::new("\u{85}".repeat(256)).unwrap();
        let rest = exposure_key(&flag(), &instance, "", created).unwrap().len();
        let longest = "r".repeat(MAX_KEY_BYTES - rest);
        let key = exposure_key(&flag(), &instance, &longest, created).unwrap();
        assert_eq!(key.len(), MAX_KEY_BYTES);
        assert!(exposure_key(&flag(), &instance, &(longest + "r"), created).is_err());
        let refused = exposure_key(&flag(), &instance, &"r".repeat(4_000), created).unwrap_err();
        assert_eq!(refused.expected, "at most 4096 bytes");
    }

    /// A batch refuses what no row could hold, neither more nor less.
    #[test]
    fn a_key_is_checked_as_it_is_written() {
        let flag: FlagKey = "p/feature/f".parse().unwrap();
        let created = Timestamp::UNIX_EPOCH.text();
        for instance in ["i", "#", "日", "a#b", "\u{85}"] {
            for piece in ["r", "#", "日"] {
                let id = InstanceId::new(instance).unwrap();
                let shortest = exposure_key(&flag, &id, "", &created).unwrap().len();
                let longest = (MAX_KEY_BYTES - shortest) / encoded(piece).len();
                for times in [
                    0,
                    1,
                    longest / 3,
                    longest / 2,
                    longest - 1,
                    longest,
                    longest + 1,
                ] {
                    let request = piece.repeat(times);
                    let written = exposure_key(&flag, &id, &request, &created).map(drop);
                    assert_eq!(written.is_ok(), times <= longest);
                    let checked = check_exposure_key(&flag, instance, &request);
                    assert_eq!(checked, written, "{instance} {piece} {times}");
                }
            }
        }
    }

    #[test]
    fn a_key_is_split_into_what_all_of_its_flag_begin_with_and_its_time() {
        let created = "2024-09-25 19:15:28.248896";
        let time = Timestamp::parse(created).unwrap();
        let prefix = flag_exposures_prefix(&flag());
        let instance = InstanceId::new("A#INSTANCEID#1").unwrap();
        let ours = exposure_key(&flag(), &instance, "r#TIME#", created).unwrap();
        let foreign = format!("{prefix}A#INSTANCEID#1#REQUESTID#r#TIME##TIME#{created}");
        for key in [ours, foreign] {
            assert_eq!(prefix_and_time(key.as_bytes()), Some((&*prefix, time)));
        }
        assert_eq!(flag_of_exposure_prefix(&prefix), Ok(flag()));
        for key in ["", &prefix, &format!("{prefix}A#REQUESTID#r#TIME#soon")] {
            assert_eq!(prefix_and_time(key.as_bytes()), None, "{key}");
        }
        assert_eq!(prefix_and_time(b"PROJECT#\xff"), None);
        assert!(flag_of_exposure_prefix("PROJECT#p#FLAGTYPE#feature#").is_err());
    }

    #[track_caller]
    fn check_decoded(key: &str, instance: &str, request_id: &str) {
        let key = ExposureRowKey::decode(key.as_bytes()).unwrap();
        assert_eq!(key.flag, flag());
        assert_eq!(key.other_instance(instance), None);
        assert_eq!(key.other_request(request_id), None);
        assert_eq!(key.other_request("another"), Some(key.request_id));
    }

    #[test]
    fn keys_are_read_whether_ids_are_encoded_or_not() {
        let created = "2024-09-25 19:15:28.000000";
        for id in ["A12345", "A#REQUESTID#x#TIME#y", "50%"] {
            let instance = InstanceId::new(id).unwrap();
            let key = exposure_key(&flag(), &instance, "r#1", created).unwrap();
            check_decoded(&key, id, "r#1");
            let prefix = flag_exposures_prefix(&flag());
            let key = format!("{prefix}{id}#REQUESTID#r-1#TIME#2024-09-25 19:15:28");
            check_decoded(&key, id, "r-1");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let prefix = flag_exposures_prefix(&flag());
        for key in [
            "",
            &prefix,
            &format!("{prefix}A#REQUESTID#r#TIME#soon"),
            &format!("{prefix}A#TIME#2024-09-25 19:15:28"),
            &format!(
                "{}A#REQUESTID#r#TIME#2024-09-25 19:15:28",
                prefix.replace("feature", "x")
            ),
        ] {
            assert!(ExposureRowKey::decode(key.as_bytes()).is_err(), "{key}");
        }
        assert!(ExposureRowKey::decode(b"PROJECT#\xff").is_err());
    }
}
