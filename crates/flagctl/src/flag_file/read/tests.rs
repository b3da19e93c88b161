//! Facts about reading a file.

use super::*;

const FILE: &str = "\
file_version: 1
project: csr-assistant
flags:
- flag_type: feature
  name: router
  metadata:
    description: Routes
    owner: ann
    ticket: CSR-1
    tags: [a, b]
    expires_on: 2027-01-31
  revision:
    format_version: 2
    hash_algorithm: sha1
    salt: router.2
    control: false
    treatments:
    - name: half
      percent: 12.5
      value: true
      overrides: [A1, '12']
      ranges: [[0, 10000], [20000, 22500]]
- flag_type: data
  name: greeting
  revision:
    control: 'no'
";

#[test]
fn a_file_says_what_each_flag_is_for_and_who_gets_what() {
    let file = read(FILE).unwrap();
    assert_eq!(file.project.as_str(), "csr-assistant");
    let [router, greeting] = file.flags.as_slice() else {
        panic!("{file:?}");
    };
    assert_eq!(router.flag.to_string(), "csr-assistant/feature/router");
    assert_eq!(router.position.to_string(), "line 4, column 3");
    let metadata = router.metadata.as_ref().unwrap();
    assert_eq!(metadata.tags, ["a", "b"]);
    assert_eq!(metadata.expires_on.unwrap().to_string(), "2027-01-31");
    let revision = router.revision.as_ref().unwrap();
    assert_eq!(revision.algorithm, Some(HashAlgorithm::Sha1));
    let treatment = &revision.treatments.as_ref().unwrap()[0];
    assert_eq!(treatment.percent.to_string(), "12.5");
    assert_eq!(treatment.overrides[1].as_str(), "12");
    assert_eq!(treatment.ranges[1].to_string(), "[20000, 22500)");
    let revision = greeting.revision.as_ref().unwrap();
    assert_eq!(
        (greeting.metadata.is_none(), revision.version),
        (true, None)
    );
    assert_eq!(revision.control.to_string(), "no");
}

/// The mistakes in the file with one text in the place of another.
#[track_caller]
fn check(instead_of: &str, text: &str, mistakes: &[&str]) {
    assert!(FILE.contains(instead_of), "{instead_of}");
    let found = read(&FILE.replacen(instead_of, text, 1)).unwrap_err();
    let found = found.to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), mistakes);
}

#[test]
fn a_field_that_is_not_known_is_reported_with_its_place_and_a_near_name() {
    let path = "line 19, column 7: flags[0].revision.treatments[0].percnt: there is no such field";
    check(
        "percent:",
        "percnt:",
        &[&format!("{path}; did you mean percent?")],
    );
    let path = "line 17, column 5: flags[0].revision.xyz: there is no such field; ";
    let all = "expected format_version, hash_algorithm, salt, control, treatments";
    check("treatments:", "xyz:", &[&format!("{path}{all}")]);
    let path = "line 1, column 1: 12: there is no such field; ";
    let all = "expected file_version, project, flags";
    let nothing = "line 1, column 1: file_version: found nothing, expected a value";
    check(
        "file_version:",
        "'12':",
        &[&format!("{path}{all}"), nothing],
    );
    let expected = "line 1, column 1: found the number 12, expected the name of a field";
    check("file_version:", "12:", &[expected, nothing]);
}

#[test]
fn a_value_of_another_kind_is_reported_with_what_was_expected() {
    let control = "flags[0].revision.control: found";
    let of_feature = format!("line 16, column 14: {control} \"no\", expected true or false");
    check("control: false", "control: no", &[&of_feature]);
    let path = "line 26, column 14: flags[1].revision.control: found";
    let quotes = "expected text; put it into quotes";
    check(
        "control: 'no'",
        "control: 12",
        &[&format!("{path} the number 12, {quotes}")],
    );
    check(
        "control: 'no'",
        "control: true",
        &[&format!("{path} true, {quotes}")],
    );
    check(
        "control: 'no'",
        "control: [a]",
        &[&format!("{path} a list, expected text")],
    );
    let path = "line 19, column 16: flags[0].revision.treatments[0].percent:";
    let number = format!("{path} found \"12.5\", expected a number");
    check("percent: 12.5", "percent: '12.5'", &[&number]);
    let range = "Value should be a number in range [0, 100] with at most three decimals.";
    let percent = format!("{path} Rollout percentage: -1 is invalid. {range}");
    check("percent: 12.5", "percent: -1", &[&percent]);
    let path = "line 21, column 19: flags[0].revision.treatments[0].overrides[0]:";
    let id = format!("{path} found the number 1, {quotes}");
    check("[A1, '12']", "[1, '12']", &[&id]);
    let list = "line 10, column 11: flags[0].metadata.tags: found \"a\", expected a list";
    check("tags: [a, b]", "tags: a", &[list]);
}

#[test]
fn what_is_missing_is_reported() {
    let path = "line 18, column 7: flags[0].revision.treatments[0].value";
    let missing = format!("{path}: found nothing, expected a value");
    check("      value: true\n", "", &[&missing]);
    check("value: true", "value: ~", &[&missing]);
    let missing = "line 1, column 1: project: found nothing, expected a value";
    check("project: csr-assistant", "project:", &[missing]);
    let empty = read("").unwrap_err().to_string();
    let expected =
        "line 1, column 1: found nothing, expected the fields file_version, project, flags";
    assert_eq!(empty, expected);
}

#[test]
fn what_no_flag_can_hold_is_reported() {
    let algorithm = "line 14, column 21: flags[0].revision.hash_algorithm: Hashing algorithm: md4 is invalid. \
         Value should be one of md5, sha1, sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384, sha3_512, \
         blake2b, blake2s.";
    check("sha1", "md4", &[algorithm]);
    let kind = "line 4, column 14: flags[0].flag_type: found \"boolean\", expected feature or data";
    check("feature", "boolean", &[kind]);
    let version =
        "line 13, column 21: flags[0].revision.format_version: found the number 3, expected 1 or 2";
    check("format_version: 2", "format_version: 3", &[version]);
    let file = "line 1, column 15: file_version: found the number 2, expected 1";
    check("file_version: 1", "file_version: 2", &[file]);
    let range = "line 22, column 16: flags[0].revision.treatments[0].ranges[0]: found [5, 5), \
         expected [from, to) with 0 <= from < to <= 100000";
    check("[0, 10000]", "[5, 5]", &[range]);
    let day =
        "line 11, column 17: flags[0].metadata.expires_on: found \"soon\", expected YYYY-MM-DD";
    check("2027-01-31", "soon", &[day]);
}

#[test]
fn all_mistakes_are_reported_together() {
    let text = FILE
        .replace("percent: 12.5", "percent: x")
        .replace("name: greeting", "name: a#b");
    assert_eq!(read(&text).unwrap_err().0.len(), 2);
    let twice = "line 23, column 3: flags[1]: found csr-assistant/feature/router once more, expected each flag once";
    let text = FILE
        .replace(
            "flag_type: data\n  name: greeting",
            "flag_type: feature\n  name: router",
        )
        .replace("control: 'no'", "control: true");
    assert_eq!(read(&text).unwrap_err().to_string(), twice);
}

#[test]
fn the_example_of_the_page_is_a_file() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/flag-file.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(read(example).unwrap().flags.len(), 2);
}
