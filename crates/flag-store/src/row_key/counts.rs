//! The keys of counts, and the columns of minutes.

use flag_model::{FlagKey, Invalid, Timestamp};

use super::{read_flag, read_text, refused, rows_prefix};
use crate::exposure_counts::{CountsWriterId, Minute};

/// The key of the counts of a flag in the hour of a minute, by one writer.
pub(crate) fn counts_key(flag: &FlagKey, minute: Minute, writer: CountsWriterId) -> String {
    format!("{}#REPLICA#{writer}", hour_prefix(flag, minute))
}

/// What the keys of the counts of a flag in the hour of a minute begin with.
pub(crate) fn hour_prefix(flag: &FlagKey, minute: Minute) -> String {
    let mut hour = minute.start().to_string();
    hour.truncate("YYYY-MM-DD HH".len());
    format!(
        "{}ROWTYPE#COUNTS#FLAGTYPE#{}#FLAGNAME#{}#HOUR#{hour}",
        rows_prefix(&flag.project),
        flag.flag_type,
        flag.name
    )
}

/// The flag, and the first minute of the hour, of a key.
pub(crate) fn flag_and_hour(key: &[u8]) -> Result<(FlagKey, Minute), Invalid> {
    let fields: Vec<&str> = read_text(key)?.split('#').collect();
    let &[
        "PROJECT",
        project,
        "ROWTYPE",
        "COUNTS",
        "FLAGTYPE",
        flag_type,
        "FLAGNAME",
        name,
        "HOUR",
        hour,
        "REPLICA",
        _,
    ] = fields.as_slice()
    else {
        let expected = "PROJECT#…#ROWTYPE#COUNTS#FLAGTYPE#…#FLAGNAME#…#HOUR#…#REPLICA#…";
        return Err(refused(key, expected));
    };
    let flag = read_flag(project, flag_type, name)?;
    let hour = Timestamp::parse(&format!("{hour}:00:00"));
    let hour = hour.map_err(|invalid| invalid.within("row key"))?;
    Ok((flag, Minute::of(hour)))
}

/// The column of a minute in the row of its hour, `M00` to `M59`.
pub(crate) fn minute_column(minute: Minute) -> String {
    format!("M{:02}", minute.number().rem_euclid(Minute::PER_HOUR))
}

/// The minute of an hour that a column is of; `None` if it is another column.
pub(crate) fn minute_of_column(hour: Minute, column: &[u8]) -> Option<Minute> {
    (0..Minute::PER_HOUR)
        .map(|minute| hour.plus(minute))
        .find(|minute| minute_column(*minute).as_bytes() == column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_hour_and_the_column_the_minute() {
        let flag: FlagKey = "p/data/f".parse().unwrap();
        let minute = Minute::of(Timestamp::parse("2026-11-22 10:07:30").unwrap());
        let key = counts_key(&flag, minute, CountsWriterId(10));
        let expected = "PROJECT#p#ROWTYPE#COUNTS#FLAGTYPE#data#FLAGNAME#f#HOUR#2026-11-22 10#REPLICA#0000000000000000000000000000000a";
        assert_eq!(key, expected);
        assert_eq!(minute_column(minute), "M07");
        let (read, hour) = flag_and_hour(key.as_bytes()).unwrap();
        assert_eq!(
            (&read, minute_of_column(hour, b"M07")),
            (&flag, Some(minute))
        );
        for column in ["M60", "M7", "Name", ""] {
            assert_eq!(minute_of_column(hour, column.as_bytes()), None);
        }
        for key in ["", "PROJECT#p#ROWTYPE#COUNTS#1", &key.replace(" 10#", "#")] {
            assert!(flag_and_hour(key.as_bytes()).is_err(), "{key}");
        }
    }
}
