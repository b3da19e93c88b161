//! Twenty everyday tasks: how they were typed before there were short forms, and how they are typed in the folder of a project.

use flag_store::conformance::put;

use crate::administering::on_store;
use crate::examples::shell;
use crate::*;

/// How a task is typed with long forms alone, and with all that there is.
const TASKS: [(&str, &str); 20] = [
    (
        "flagctl revise csr-assistant feature beta_search --percent 10 --comment \"10 %\" --yes",
        "flagctl revise beta_search 10% -y",
    ),
    (
        "flagctl revise csr-assistant feature beta_search --percent 100 --comment \"On for everybody\"",
        "flagctl revise beta_search on",
    ),
    (
        "flagctl revise csr-assistant feature beta_search --percent 0 --comment \"Off for everybody\" --yes",
        "flagctl revise beta_search off -y",
    ),
    (
        "flagctl get csr-assistant feature beta_search",
        "flagctl get beta_search",
    ),
    (
        "flagctl latest csr-assistant feature beta_search",
        "flagctl st beta_search",
    ),
    (
        "flagctl history csr-assistant feature beta_search",
        "flagctl log beta_search",
    ),
    (
        "flagctl rollback csr-assistant feature beta_search --yes",
        "flagctl rollback beta_search -y",
    ),
    (
        "flagctl rollback csr-assistant feature beta_search --to '2024-10-07 12:00:00.123456'",
        "flagctl rollback beta_search --to r7",
    ),
    (
        "flagctl list csr-assistant -o json | jq -r '.flags[] | select(.metadata.description | test(\"search\"; \"i\")).name'",
        "flagctl ls --search search",
    ),
    (
        "flagctl list csr-assistant -o json | jq -r '[.flags[].metadata.tags[]] | unique[]'",
        "flagctl tags",
    ),
    ("flagctl list csr-assistant", "flagctl ls"),
    (
        "flagctl diff csr-assistant feature beta_search '2024-10-07 12:00:00.123456' '2024-10-08 12:00:00.123456'",
        "flagctl diff beta_search",
    ),
    (
        "flagctl diff csr-assistant feature beta_search '2024-10-03 12:00:00.123456' '2024-10-07 12:00:00.123456'",
        "flagctl diff beta_search r3 r7",
    ),
    (
        "flagctl explain csr-assistant feature beta_search A12345",
        "flagctl explain beta_search A12345",
    ),
    (
        "flagctl explain csr-assistant feature beta_search A12345 --at '2024-10-07 12:00:00.123456'",
        "flagctl explain beta_search A12345 --at ~1",
    ),
    (
        "flagctl revise csr-assistant feature beta_search $(sed 's/^/--override=/' ids) --comment Testers",
        "flagctl revise beta_search --overrides-file ids -m Testers",
    ),
    (
        "flagctl revise csr-assistant feature beta_search --percent 0 --remove-override A12345 --remove-override B12345 --comment INC-7 --yes",
        "flagctl kill beta_search --overrides -y",
    ),
    (
        "flagctl revise csr-assistant feature beta_search --remove-treatment --control true --comment CSR-12 --yes; flagctl update csr-assistant feature beta_search --tag retired --yes",
        "flagctl retire beta_search --value true -m CSR-12 -y",
    ),
    (
        "flagctl revise csr-assistant feature beta_search --treatment 1 --remove-override A12345 --comment Move --yes; flagctl revise csr-assistant feature beta_search --treatment 2 --override A12345 --comment Move --yes",
        "flagctl revise beta_search --treatment 2 --override A12345 -m Move -y",
    ),
    (
        "flagctl update csr-assistant feature beta_search --ticket CSR-13 --yes",
        "flagctl update beta_search --ticket CSR-13 -y",
    ),
];

/// What has to stand before a task.
const TREATMENTS: &str = "flagctl revise beta_search --treatment new --percent 5 -m Two -y";

#[test]
fn everyday_tasks_take_at_most_two_fifths_of_the_characters() {
    let long: usize = TASKS.iter().map(|(long, _)| long.len()).sum();
    let short: usize = TASKS.iter().map(|(_, short)| short.len()).sum();
    assert!(short * 5 <= long * 2, "{short} of {long} characters");
}

/// A folder whose project is `csr-assistant`, with a flag that has a revision of each of the first days of October 2024.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(".flag-project"), "csr-assistant\n").unwrap();
    std::fs::write(dir.path().join("ids"), "C1\nC2\n").unwrap();
    let add = "flagctl add csr-assistant feature beta_search --description Search --tag ui";
    check_done(&shell(&dir, add));
    let rows: Vec<Row> = (1..=8).map(revision).collect();
    on_store(&dir.path().join("flag-data"), async |store| {
        put(store, &rows).await;
    });
    dir
}

/// The revision of a day, with ten times as many percent.
fn revision(day: u32) -> Row {
    let time = format!("2024-10-{day:02} 12:00:00.123456");
    let percent = day * 10;
    let treatments = format!(
        "[{{'OverrideList': ['A12345', 'B12345'], 'PercentRollout': {percent}, 'Value': True}}]"
    );
    let mut row = left_behind(&time, &treatments);
    row.cells = row.cells.with("Name", "beta_search");
    row.key = format!(
        "PROJECT#csr-assistant#ROWTYPE#REVISION#FLAGTYPE#feature#FLAGNAME#beta_search#TIME#{time}"
    )
    .into();
    row
}

/// Does a task in a folder of its own: how it ends, what is in the store then, and what it showed if it only looks.
fn done(line: &str) -> (i32, Value, String) {
    let dir = folder();
    let writes = ["revise", "rollback", "kill", "retire", "update"];
    let looks = !writes.iter().any(|command| line.contains(command));
    let line = &if looks {
        format!("{line} -o name")
    } else {
        line.to_owned()
    };
    if line.contains("--treatment 2") {
        check_done(&shell(&dir, TREATMENTS));
    }
    let mut output = shell(&dir, line);
    // A person types the name when asked for it.
    if stderr(&output).contains("--yes-i-mean") {
        let named = line.replacen(" beta_search", " beta_search --yes-i-mean beta_search", 1);
        output = shell(&dir, &named);
    }
    let code = output.status.code().unwrap();
    assert!([0, 7].contains(&code), "{line}: {}", stderr(&output));
    let exported = json(&shell(&dir, "flagctl export csr-assistant -o json"));
    let mut flag = exported["flags"][0].clone();
    flag["revision"]["comment"].take();
    flag["exported_from"].take();
    let shown = if looks { stdout(&output) } else { "" };
    (code, flag, shown.to_owned())
}

#[test]
fn an_everyday_task_does_the_same_in_its_short_form() {
    for (long, short) in TASKS {
        let in_short = done(short);
        if !long.contains("jq") {
            assert_eq!(done(long), in_short, "{short}");
        }
    }
}
