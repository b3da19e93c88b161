//! The settings of how rows are read and written.

use flag_model::HashAlgorithm;
use flag_store::{CellFormat, RowOptions};

use crate::reader::Reader;
use crate::table;

/// Reads how the rows of a store are read and written.
pub fn read_row_options(reader: &mut Reader) -> Option<RowOptions> {
    let algorithm = |text: &str| HashAlgorithm::parse(text).ok();
    let v1_algorithm = reader.parse(&table::V1_ALGORITHM, algorithm);
    let v1_cells = reader.parse(&table::V1_CELLS, |text| match text {
        "python" => Some(CellFormat::Python),
        "json" => Some(CellFormat::Json),
        _ => None,
    });
    let max_future = reader.duration(&table::MAX_FUTURE);
    Some(RowOptions {
        v1_algorithm: v1_algorithm?,
        v1_cells: v1_cells?,
        max_future: max_future?,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use clap::Command;

    use super::*;
    use crate::{Kind, Setting, Sources};

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Result<RowOptions, &str>) {
        let command = Command::new("test").args(table::OF_STORE.iter().map(Setting::arg));
        let matches = command.get_matches_from(["test"]);
        let variables = variables.iter();
        let variables =
            variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut reader = Reader::new(Sources::new(&matches, variables));
        let options = read_row_options(&mut reader);
        let found = reader.finish(options).map_err(|errors| errors.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn the_defaults_are_those_of_the_rows() {
        check(&[], Ok(RowOptions::default()));
    }

    #[test]
    fn every_algorithm_is_a_choice() {
        let names = HashAlgorithm::ALL.iter().map(|known| known.as_str());
        let Kind::Choice(choices) = table::V1_ALGORITHM.kind else {
            unreachable!("it is a choice");
        };
        assert_eq!(names.collect::<Vec<_>>(), choices);
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
            v1_cells: CellFormat::Json,
            max_future: Duration::from_hours(1),
        };
        check(&variables, Ok(options));
    }

    #[test]
    fn all_errors_are_reported_together() {
        let variables = [
            ("FLAG_V1_HASH_ALGORITHM", "md4"),
            ("FLAG_V1_CELLS", "yaml"),
            ("FLAG_MAX_FUTURE_HOURS", "0"),
        ];
        let expected = "v1-hash-algorithm (variable FLAG_V1_HASH_ALGORITHM): found \"md4\", expected md5, sha1, \
            sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384, sha3_512, blake2b or blake2s\n\
            v1-cells (variable FLAG_V1_CELLS): found \"yaml\", expected python or json\n\
            max-future-hours (variable FLAG_MAX_FUTURE_HOURS): found \"0\", expected hours in range [1, 1000000]";
        check(&variables, Err(expected));
    }
}
