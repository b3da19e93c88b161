//! What a deployment says about its rows.

use std::time::Duration;

use flag_model::HashAlgorithm;
use flag_store::{RowOptions, Spelling};

use crate::reader::Reader;
use crate::table;

/// The most hours that a row may be ahead: more than a century, so that every row counts.
const MAX_HOURS: u64 = 1_000_000;

/// Reads how the rows of a store are read and written.
pub fn read_row_options(reader: &mut Reader) -> Option<RowOptions> {
    let names: Vec<&str> = HashAlgorithm::ALL
        .iter()
        .map(|known| known.as_str())
        .collect();
    let expected = format!("one of {}", names.join(", "));
    let algorithm = |text: &str| HashAlgorithm::parse(text).ok();
    let v1_algorithm = reader.parse(&table::V1_ALGORITHM, &expected, algorithm);
    let v1_cells = reader.parse(&table::V1_CELLS, "python or json", |text| match text {
        "python" => Some(Spelling::Python),
        "json" => Some(Spelling::Json),
        _ => None,
    });
    let expected = format!("a number in range [1, {MAX_HOURS}]");
    let hours = reader.parse(&table::MAX_FUTURE, &expected, |text| {
        text.parse()
            .ok()
            .filter(|hours| (1..=MAX_HOURS).contains(hours))
    });
    Some(RowOptions {
        v1_algorithm: v1_algorithm?,
        v1_cells: v1_cells?,
        max_future: Duration::from_hours(hours?),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Command;

    use super::*;
    use crate::{Setting, Sources};

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Result<RowOptions, &str>) {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from(["test"]);
        let variables = variables.iter();
        let variables =
            variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut reader = Reader::new(Sources::new(&matches, variables));
        let options = read_row_options(&mut reader);
        let found = reader
            .finish(options)
            .map_err(|mistakes| mistakes.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn the_defaults_are_those_of_the_rows() {
        check(&[], Ok(RowOptions::default()));
    }

    #[test]
    fn a_deployment_may_differ() {
        let variables = [
            ("FLAG_V1_HASH_ALGORITHM", "sha3_256"),
            ("FLAG_V1_CELLS", "json"),
            ("FLAG_MAX_FUTURE_HOURS", "1"),
        ];
        let options = RowOptions {
            v1_algorithm: HashAlgorithm::Sha3_256,
            v1_cells: Spelling::Json,
            max_future: Duration::from_hours(1),
        };
        check(&variables, Ok(options));
    }

    #[test]
    fn what_cannot_be_is_told_together() {
        let variables = [
            ("FLAG_V1_HASH_ALGORITHM", "md4"),
            ("FLAG_V1_CELLS", "yaml"),
            ("FLAG_MAX_FUTURE_HOURS", "0"),
        ];
        let expected = "v1-hash-algorithm (variable FLAG_V1_HASH_ALGORITHM): found \"md4\", expected one of md5, sha1, \
            sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384, sha3_512, blake2b, blake2s\n\
            v1-cells (variable FLAG_V1_CELLS): found \"yaml\", expected python or json\n\
            max-future-hours (variable FLAG_MAX_FUTURE_HOURS): found \"0\", expected a number in range [1, 1000000]";
        check(&variables, Err(expected));
    }
}
