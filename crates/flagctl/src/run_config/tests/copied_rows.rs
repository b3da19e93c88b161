//! Cells that were copied from a stored row.

use super::*;

/// Every cell is text there, and there are all that the row has.
#[test]
fn a_row_is_taken_as_bigtable_studio_shows_it() {
    let ours = r#"{"Comment":"Off","ControlValue":"false","CreatedTime":"2026-01-01 10:00:00.000000","FormatVersion":"1","HashAlgorithm":"sha1","Name":"f","OwnerID":"ann","RollbackOf":"2025-12-01 10:00:00.000000","Treatments":"[]","Type":"FEATURE"}"#;
    let version_2 = r#"{"Comment":"20 %","ControlValue":"false","CreatedTime":"2026-01-01 10:00:00.000000","FormatVersion":"2","HashAlgorithm":"md5","Name":"f","Salt":"f","Treatments":"[{\"Name\": \"on\", \"OverrideList\": [\"A12345\"], \"PercentRollout\": 20, \"Ranges\": [[0, 20000]], \"Value\": true}]","Type":"FEATURE"}"#;
    let theirs = r#"{"Comment":"","ControlValue":"False","CreatedTime":"2024-09-26 10:00:00","FormatVersion":"1","Name":"f","OwnerID":"John","Treatments":"[{'OverrideList': ['A12345'], 'PercentRollout': '40', 'Value': 'True'}]","Type":"FEATURE"}"#;
    let bare = r#"{"ControlValue":"True","CreatedTime":"2024-09-26 10:00:00","Treatments":""}"#;
    for (cells, percents) in [
        (ours, [].as_slice()),
        (version_2, &["20"]),
        (theirs, &["40"]),
        (bare, &[]),
    ] {
        let Ok(RunConfig::Revision(revision)) = read_now(&config("REVISION", cells)) else {
            panic!("{:?}", read_now(&config("REVISION", cells)))
        };
        let treatments = revision.treatments.iter();
        let found: Vec<String> = treatments.map(|each| each.percent.to_string()).collect();
        assert_eq!(found, percents);
        assert_eq!(
            revision.control.to_string(),
            if cells == bare { "true" } else { "false" }
        );
    }
    let metadata = r#"{"CreatedTime":"2026-01-01 10:00:00.000000","Description":"What","ExpiresOn":"2030-01-01","Name":"f","Tags":"[\"a\"]","Type":"FEATURE"}"#;
    let read = read_now(&config("FLAG", metadata));
    assert!(matches!(read, Ok(RunConfig::Metadata(_))), "{read:?}");
}

/// The Python framework served them, and may have to serve them again.
#[test]
fn what_is_odd_in_a_copied_row_is_read_as_from_the_store_and_said() {
    let twice = CELL.replace("['A12345']", "['A12345', 'A12345']");
    let refused = read_now(&config("REVISION", &twice)).unwrap_err();
    assert!(
        refused.contains("expected each instance id in one place"),
        "{refused}"
    );
    let odd = CELL.replace("['A12345']", "['A12345', 'A12345', 7]");
    let copied = odd.replace(
        "'Comment'",
        "'CreatedTime': '2024-09-26 10:00:00', 'Team': 'x', 'Comment'",
    );
    let described = described(&config("REVISION", &copied)).unwrap();
    let RunConfig::Revision(revision) = &described.config else {
        panic!("no revision")
    };
    let ids: Vec<_> = revision.treatments[0]
        .overrides
        .iter()
        .map(InstanceId::as_str)
        .collect();
    assert_eq!(ids, ["A12345", "7"]);
    let said = described.warnings.join("\n");
    for part in ["Team: found an unknown column", "\"A12345\"", "found 7"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_boolean_that_is_spelled_as_text_is_said() {
    let cell = CELL
        .replace("False", "'False'")
        .replace("'Value': True", "'Value': 'True'");
    let said = described(&config("REVISION", &cell)).unwrap().warnings;
    assert_eq!(
        said,
        [
            "ControlValue: found \"False\", read as false",
            "Treatments[0].Value: found \"True\", read as true"
        ]
    );
}

#[test]
fn whatever_a_served_row_holds_can_be_copied() {
    let copied = |created: &str| {
        let cells = CELL.replace("'Value': True", "'Value': True, 'Note': 'x', 'Name': 'on'");
        let created = format!("'CreatedTime': '{created}', 'RollbackOf': 'soon', 'Comment'");
        described(&config("REVISION", &cells.replace("'Comment'", &created))).unwrap()
    };
    let unknown = "found an unknown field, read as nothing";
    for created in ["", "soon", "2024-09-26 10:00:00+05:00"] {
        let said = copied(created).warnings.join("\n");
        for part in [
            &format!("Treatments[0].Note: {unknown}"),
            &format!("Treatments[0].Name: {unknown}"),
            &format!("CreatedTime: found \"{created}\", read as "),
            "RollbackOf: found \"soon\", read as nothing",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
    let said = copied("2024-09-26 10:00:00").warnings.join("\n");
    assert!(!said.contains("CreatedTime"), "{said}");
    let metadata = r#"{"CreatedTime":"","Description":"What","ExpiresOn":"soon","Name":"f","Tags":"[","Type":"FEATURE"}"#;
    let said = described(&config("FLAG", metadata))
        .unwrap()
        .warnings
        .join("\n");
    assert!(
        said.contains("ExpiresOn: found") && said.contains("Tags: found"),
        "{said}"
    );
}
