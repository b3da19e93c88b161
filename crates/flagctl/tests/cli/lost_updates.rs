//! Two people change one project: nothing that one of them changed is taken back unseen.

use crate::files::{apply, content, export};
use crate::*;

/// Two flags at 10 %, and their file.
fn two_flags() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    for name in ["one", "two"] {
        let flag = ["csr-assistant", "feature", name];
        let run = |args: &[&str]| flagctl(&dir, &[&args[..1], &flag, &args[1..]].concat());
        check_done(&run(&["add", "--description=First"]));
        let revise = [
            "revise",
            "--comment=First",
            "--control=false",
            "--percent=10",
        ];
        check_done(&run(&revise));
    }
    let file = export(&dir, "yaml");
    (dir, file)
}

/// What a colleague does meanwhile to the first flag.
fn colleague(dir: &TempDir, command: &str, options: &[&str]) {
    let flag = [command, "csr-assistant", "feature", "one"];
    let mut command = command_of(dir, &[&flag, options].concat());
    check_done(&command.env("FLAG_OWNER", "bob").output().unwrap());
}

fn command_of(dir: &TempDir, args: &[&str]) -> Command {
    super::command(dir.path(), args)
}

/// The file with a change of the first or the second flag.
fn edited(file: &str, flag: usize, from: &str, to: &str) -> String {
    let at = file.match_indices("- flag_type").nth(flag).unwrap().0;
    let (before, after) = file.split_at(at);
    assert!(after.contains(from), "{after}");
    format!("{before}{}", after.replacen(from, to, 1))
}

#[track_caller]
fn check_conflict(output: &Output, says: &[&str]) {
    check_failed(output, 4, &[says, &["nothing was written"]].concat());
}

const REVISED: &[&str] = &["--percent=30", "--comment=Up to 30"];

#[test]
fn a_revision_since_the_export_is_not_taken_back() {
    let (dir, file) = two_flags();
    colleague(&dir, "revise", REVISED);
    let before = content(&export(&dir, "yaml"));
    let file = edited(&file, 1, "percent: 10", "percent: 20");
    let refused = apply(&dir, &file, &[]);
    let says = [
        "csr-assistant/feature/one: the revision in the store is newer than the file",
        "by bob: Up to 30",
        "10 % true  30 % true",
        "--rebase",
        "--force",
    ];
    check_conflict(&refused, &says);
    assert!(
        !stderr(&refused).contains("feature/two"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(content(&export(&dir, "yaml")), before);
    let check = apply(&dir, &file, &["--check"]);
    assert_eq!(check.status.code(), Some(7), "{}", stderr(&check));
    assert!(stderr(&check).contains("is newer than the file"));
}

#[test]
fn a_rebase_keeps_both_changes() {
    let (dir, file) = two_flags();
    colleague(&dir, "revise", REVISED);
    colleague(&dir, "update", &["--ticket=CSR-1", "--tag=x"]);
    let file = edited(&file, 1, "percent: 10", "percent: 20");
    let file = edited(&file, 0, "control: false", "control: true");
    let file = edited(&file, 0, "description: First", "description: Second");
    let file = edited(&file, 0, "owner: ann", "owner: ann\n    tags: [y]");
    let rebased = apply(&dir, &file, &["--rebase"]);
    check_done(&rebased);
    let says = "rebased on the revision of ";
    assert!(stderr(&rebased).contains(says), "{}", stderr(&rebased));
    let flags = content(&export(&dir, "yaml"))["flags"].take();
    let [one, two] = [&flags[0], &flags[1]];
    assert_eq!(one["revision"]["treatments"][0]["percent"], 30);
    assert_eq!(one["revision"]["control"], true);
    assert_eq!(one["metadata"]["ticket"], "CSR-1");
    assert_eq!(one["metadata"]["description"], "Second");
    assert_eq!(one["metadata"]["tags"], serde_json::json!(["x", "y"]));
    assert_eq!(two["revision"]["treatments"][0]["percent"], 20);
}

#[test]
fn a_rebase_of_changes_that_overlap_is_refused() {
    let (dir, file) = two_flags();
    colleague(&dir, "revise", REVISED);
    colleague(&dir, "update", &["--description=Third"]);
    let file = edited(&file, 0, "percent: 10", "percent: 20");
    let file = edited(&file, 0, "description: First", "description: Second");
    let refused = apply(&dir, &file, &["--rebase"]);
    let says = [
        "the revision in the store is newer than the file (both changed treatment_1 percent)",
        "the metadata in the store is newer than the file (both changed description)",
        "10 % true  30 % true",
        "10 % true  20 % true",
        "First     Third",
        "First     Second",
    ];
    check_conflict(&refused, &says);
    let flags = content(&export(&dir, "yaml"))["flags"].take();
    assert_eq!(flags[0]["revision"]["treatments"][0]["percent"], 30);
}

#[test]
fn a_forced_file_says_whose_change_it_takes_back() {
    let (dir, file) = two_flags();
    colleague(&dir, "revise", REVISED);
    let forced = apply(&dir, &file, &["--force"]);
    check_done(&forced);
    let warning = "warning: this takes back the revision of 20";
    assert!(stderr(&forced).contains(warning), "{}", stderr(&forced));
    let by = " by bob: Up to 30, which is newer than the file";
    assert!(stderr(&forced).contains(by), "{}", stderr(&forced));
    let flags = content(&export(&dir, "yaml"))["flags"].take();
    assert_eq!(flags[0]["revision"]["treatments"][0]["percent"], 10);
}

#[test]
fn metadata_since_the_export_is_not_taken_back() {
    let (dir, file) = two_flags();
    colleague(&dir, "update", &["--description=Third"]);
    let says = [
        "the metadata in the store is newer than the file",
        " by bob",
    ];
    check_conflict(&apply(&dir, &file, &[]), &says);
}

#[test]
fn a_change_that_was_rolled_back_or_is_in_the_file_too_is_no_conflict() {
    let (dir, file) = two_flags();
    let both = edited(&file, 0, "percent: 10", "percent: 30");
    colleague(&dir, "revise", REVISED);
    check_done(&apply(&dir, &both, &[]));
    colleague(&dir, "rollback", &[]);
    check_done(&apply(
        &dir,
        &edited(&file, 0, "percent: 10", "percent: 20"),
        &[],
    ));
    let flags = content(&export(&dir, "yaml"))["flags"].take();
    assert_eq!(flags[0]["revision"]["treatments"][0]["percent"], 20);
}

#[test]
fn a_file_of_another_store_takes_back_nothing_unseen() {
    let (dir, _) = two_flags();
    let (_other, file) = two_flags();
    let file = edited(&file, 0, "percent: 10", "percent: 20");
    let says = "the revision in the store is newer than the file";
    check_conflict(&apply(&dir, &file, &[]), &[says]);
    check_conflict(
        &apply(&dir, &file, &["--rebase"]),
        &["the store has no revision of 20"],
    );
    check_done(&apply(&dir, &file, &["--force"]));
}

#[test]
fn a_file_that_names_no_revision_is_applied_as_it_is() {
    let (dir, file) = two_flags();
    colleague(&dir, "revise", REVISED);
    let by_hand = serde_json::to_string(&content(&file)).unwrap();
    check_done(&apply(&dir, &by_hand, &[]));
    let flags = content(&export(&dir, "yaml"))["flags"].take();
    assert_eq!(flags[0]["revision"]["treatments"][0]["percent"], 10);
}

/// A person with a file: what was exported, and what it says now.
struct Person {
    exported: Value,
    file: Value,
}

/// The fields that the two people change.
const FIELDS: [&str; 4] = [
    "/metadata/description",
    "/revision/control",
    "/revision/treatments/0/percent",
    "/revision/treatments/0/overrides",
];

/// Numbers that are the same in each run.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % end
    }
}

impl Person {
    fn export(dir: &TempDir) -> Self {
        let exported: Value = serde_json::from_str(&export(dir, "json")).unwrap();
        Self {
            file: exported.clone(),
            exported,
        }
    }

    fn edit(&mut self, numbers: &mut Numbers) {
        let [flag, field, number] = [2, 4, 90].map(|end| numbers.below(end));
        let path = format!("/flags/{flag}{}", FIELDS[usize::try_from(field).unwrap()]);
        let value = match field {
            0 => Value::from(format!("text {number}")),
            1 => Value::from(number % 2 == 0),
            2 => Value::from(number),
            _ => serde_json::json!(["always", format!("A{number}")]),
        };
        *self.file.pointer_mut(&path).unwrap() = value;
    }
}

/// What the store has after the file of a person was applied, or a field that was lost.
fn check_nothing_lost(person: &Person, before: &Value, after: &Value, code: i32, is_rebase: bool) {
    let mut may_be_refused = false;
    for path in (0..2).flat_map(|flag| FIELDS.map(|field| format!("/flags/{flag}{field}"))) {
        let of = |content: &Value| content.pointer(&path).unwrap().clone();
        let [base, mine, theirs, now] = [&person.exported, &person.file, before, after].map(of);
        if code == 4 {
            assert_eq!(now, theirs, "{path} was written");
        } else if is_rebase && path.ends_with("overrides") {
            let ids = |list: &Value| list.as_array().unwrap().clone();
            let is_kept = |id: &Value| ids(&base).contains(id) || ids(&now).contains(id);
            let added = [ids(&mine), ids(&theirs)].concat();
            assert!(added.iter().all(is_kept), "{path}: {theirs} {mine} {now}");
        } else if is_rebase {
            let merged = if mine == base { &theirs } else { &mine };
            assert_eq!(now, *merged, "{path}");
            assert!(
                mine == base || theirs == base || mine == theirs,
                "{path} was overwritten"
            );
        } else {
            assert_eq!(now, mine, "{path}");
            assert!(
                theirs == base || row_is_same(&path, person, before),
                "{path} was taken back"
            );
        }
        may_be_refused |= theirs != base;
    }
    assert!(
        code == 0 || may_be_refused,
        "refused without a change by the other"
    );
}

/// Whether the store has what the file says in all fields of the row of this field.
fn row_is_same(path: &str, person: &Person, before: &Value) -> bool {
    let row = path.split('/').take(4).collect::<Vec<_>>().join("/");
    person.file.pointer(&row) == before.pointer(&row)
}

#[test]
fn in_200_random_interleavings_of_two_people_nothing_is_lost_unseen() {
    let (dir, _) = two_flags();
    for flag in ["one", "two"] {
        let revise = [
            "revise",
            "csr-assistant",
            "feature",
            flag,
            "--override=always",
            "--comment=x",
        ];
        check_done(&flagctl(&dir, &revise));
    }
    let mut numbers = Numbers(1);
    let mut people = [Person::export(&dir), Person::export(&dir)];
    let mut counts = [0; 2];
    for _ in 0..200 {
        let who = usize::try_from(numbers.below(2)).unwrap();
        let is_rebase = numbers.below(2) == 0;
        for _ in 0..=numbers.below(2) {
            people[who].edit(&mut numbers);
        }
        let before = content(&export(&dir, "json"));
        let file = people[who].file.to_string();
        let options = ["--yes-i-mean=one", "--yes-i-mean=two", "--rebase"];
        let applied = apply(&dir, &file, &options[..2 + usize::from(is_rebase)]);
        let code = applied.status.code().unwrap();
        assert!([0, 4].contains(&code), "{}", stderr(&applied));
        let now = export(&dir, "json");
        check_nothing_lost(&people[who], &before, &content(&now), code, is_rebase);
        counts[usize::from(code == 4)] += 1;
        // A person who was refused exports again, or tries once more.
        if code == 0 || numbers.below(2) == 0 {
            people[who] = Person::export(&dir);
        }
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
}
