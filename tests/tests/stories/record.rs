//! The record of what was served: past states come back as they were, a preview tells exactly who will move, and an altered row
//! is found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use flag_store::{Cells, Clock as _, Columns, CompareAndSet, Expected, Row, Scan, SystemClock};
use flag_tests::ofrep::PROJECT;
use flag_tests::{Output, Service, TestStore, flagctl, on_both_stores};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

on_both_stores!(
    an_altered_row_is_found_and_named,
    a_restore_answers_as_at_each_of_ten_instants,
    who_moves_is_known_exactly_before_a_change,
);

/// How many requests are sent at once.
const AT_ONCE: usize = 16;

/// What each instance gets from each flag.
type Answers = BTreeMap<(String, String), Value>;

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("id-{number}")).collect()
}

/// A flag with a random control value and up to three random treatments. Every other one is of type `data`.
fn flag(number: usize, ids: &[String], random: &mut Rng) -> Value {
    let is_feature = number.is_multiple_of(2);
    let control = random.u8(0..3);
    let value = |number: u8| {
        if is_feature {
            json!(number == 1)
        } else {
            json!(format!("value {number}"))
        }
    };
    let mut left: BTreeSet<&String> = BTreeSet::new();
    let mut groups = vec!["a", "b", "c"];
    random.shuffle(&mut groups);
    groups.truncate(random.usize(0..=3));
    let treatments = groups.into_iter().map(|group| {
        let overrides = (0..random.usize(0..20)).map(|_| &ids[random.usize(0..ids.len())]);
        let overrides: Vec<&String> = overrides.filter(|id| left.insert(id)).collect();
        json!({
            "name": group,
            "percent": f64::from(random.u16(0..330)) / 10.0,
            "value": value(control + random.u8(1..3)),
            "overrides": overrides,
        })
    });
    let treatments: Vec<Value> = treatments.collect();
    json!({
        "flag_type": if is_feature { "feature" } else { "data" },
        "name": name(number),
        "metadata": { "description": "Random" },
        "revision": { "control": value(control), "treatments": treatments },
    })
}

fn name(number: usize) -> String {
    format!("flag_{number:02}")
}

/// Runs a command that changes all flags, with every risk confirmed.
fn change(store: &TestStore, flags: usize, args: &[&str]) -> Output {
    let names: Vec<String> = (0..flags).map(name).collect();
    let meant = names.iter().flat_map(|name| ["--yes-i-mean", name]);
    let args: Vec<&str> = args.iter().copied().chain(["--yes"]).chain(meant).collect();
    let output = flagctl(store, &args);
    assert_eq!(output.code, 0, "{output:?}");
    output
}

/// Gives all flags random revisions.
fn revise_all(
    store: &TestStore,
    flags: usize,
    ids: &[String],
    random: &mut Rng,
    args: &[&str],
) -> Output {
    let flags_now: Vec<Value> = (0..flags).map(|number| flag(number, ids, random)).collect();
    let file = json!({ "file_version": 1, "project": PROJECT, "flags": flags_now });
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("flags.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let apply = ["apply", "-f", path.to_str().unwrap()];
    change(store, flags, &[&apply, args].concat())
}

/// What a service answers, started for that, so that it has nothing in memory; it logs each answer.
async fn answers(store: &TestStore, ids: &[String]) -> Answers {
    let variables = [
        ("FLAG_OFREP_BULK_EXPOSURES", "delivered"),
        ("FLAG_EXPOSURE_OVERFLOW", "wait"),
        ("FLAG_EXPOSURE_WAIT_MS", "5000"),
        ("FLAG_EXPOSURE_QUEUE", "1000000"),
    ];
    let service = Service::start_with(store, &[], &variables);
    let replies = stream::iter(ids).map(async |id| {
        let reply = service.send(service.ofrep("", id)).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        let flags = reply.body["flags"].as_array().unwrap().iter();
        let values = flags.map(|flag| {
            let name = flag["key"].as_str().unwrap().to_owned();
            ((name, id.clone()), flag["value"].clone())
        });
        values.collect::<Vec<_>>()
    });
    let answers = replies.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    // A stop has 9 seconds for what still waits.
    while service.metric("flag_exposures_pending").await > 10_000 {
        sleep(Duration::from_millis(200)).await;
    }
    assert!(service.stop().success());
    answers.into_iter().flatten().collect()
}

/// Puts a text into a cell, as by hand; returns what was there.
pub(crate) async fn alter(store: &TestStore, key: &[u8], column: &str, text: &[u8]) -> Vec<u8> {
    let rows = store.rows().await;
    let row = rows.get(key, Columns::All).await.unwrap().unwrap();
    let was = row.cells.get(column).unwrap().to_vec();
    let expected = Expected {
        column,
        value: Some(&was),
    };
    let cells = Cells::default().with(column, text);
    let set = rows.compare_and_set(key, expected, &cells).await.unwrap();
    assert_eq!(set, CompareAndSet::Set);
    rows.close().await;
    was
}

async fn an_altered_row_is_found_and_named(store: TestStore) {
    const FLAGS: usize = 3;
    let (ids, mut random) = (ids(50), Rng::with_seed(9));
    for _ in 0..6 {
        revise_all(&store, FLAGS, &ids, &mut random, &[]);
    }
    let verify = || flagctl(&store, &["verify", PROJECT, "--history", "-o", "json"]);
    let unbroken = verify();
    assert_eq!(unbroken.code, 0, "{unbroken:?}");
    let rows = store.rows().await;
    let all = rows.scan(Scan::prefix("")).await.unwrap();
    rows.close().await;
    let of_flag = |row: &&Row| row.key_text().contains("#FLAGNAME#flag_02#");
    let revisions = all
        .iter()
        .filter(|row| row.key_text().contains("#REVISION#"));
    let revisions: Vec<&Row> = revisions.filter(of_flag).collect();
    let head = all
        .iter()
        .find(|row| row.key_text().ends_with("#HEAD"))
        .unwrap();
    let older = revisions[2].key_text();
    let older = older.rsplit('#').next().unwrap().as_bytes();
    // All but the newest: nothing names that yet.
    let newest = revisions.len();
    for (row, column, text, named) in [
        (revisions[0], "Comment", &b"altered"[..], 1),
        (revisions[3], "Treatments", b"[]", 4),
        (head, "feature/flag_02", older, newest),
    ] {
        let was = alter(&store, &row.key, column, text).await;
        let broken = verify();
        assert_eq!(broken.code, 7, "{broken:?}");
        let found: Value = serde_json::from_str(&broken.stdout).unwrap();
        let found = found["broken"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let found = [&found[0]["name"], &found[0]["revision"]];
        assert_eq!(found, [&json!("flag_02"), &json!(format!("r{named}"))]);
        alter(&store, &row.key, column, &was).await;
        assert_eq!(verify().stdout, unbroken.stdout);
    }
}

async fn a_restore_answers_as_at_each_of_ten_instants(store: TestStore) {
    const FLAGS: usize = 4;
    let (ids, mut random) = (ids(1_000), Rng::with_seed(7));
    let mut past = Vec::new();
    for _ in 0..10 {
        revise_all(&store, FLAGS, &ids, &mut random, &[]);
        let at = SystemClock.now().to_string();
        past.push((at, answers(&store, &ids).await));
    }
    let distinct: BTreeSet<String> = past.iter().map(|(_, then)| format!("{then:?}")).collect();
    assert_eq!(distinct.len(), 10);
    random.shuffle(&mut past);
    for (at, then) in &past {
        change(&store, FLAGS, &["restore", PROJECT, "--at", at]);
        assert!(answers(&store, &ids).await == *then, "as at {at}");
    }
    let verified = flagctl(&store, &["verify", "--history", PROJECT]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

async fn who_moves_is_known_exactly_before_a_change(store: TestStore) {
    // The emulator keeps each exposure as a row, which takes its time.
    let (flags, instances) = match store {
        TestStore::Embedded(_) => (50, 500),
        TestStore::Bigtable { .. } => (6, 200),
    };
    check_who_moves(&store, flags, instances).await;
}

/// Changes `flags` flags at random, and compares who was said to move with who got another value, id by id; returns how many did.
pub(crate) async fn check_who_moves(store: &TestStore, flags: usize, instances: usize) -> usize {
    let (ids, mut random) = (ids(instances), Rng::with_seed(8));
    revise_all(store, flags, &ids, &mut random, &[]);
    let before = answers(store, &ids).await;
    assert_eq!(before.len(), flags * instances);
    let folder = TempDir::new().unwrap();
    let list = folder.path().join("moved.ndjson");
    let options = ["--seen", "1h", "--list-ids", list.to_str().unwrap()];
    let applied = revise_all(store, flags, &ids, &mut random, &options);
    let after = answers(store, &ids).await;
    let mut moved: BTreeMap<(String, String), (Value, Value)> = BTreeMap::new();
    for line in std::fs::read_to_string(list).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let values = (line["from"].clone(), line["to"].clone());
        let twice = moved.insert((text("name"), text("instance_id")), values);
        assert_eq!(twice, None);
    }
    assert!(!moved.is_empty());
    let mut by_flag: BTreeMap<&str, usize> = BTreeMap::new();
    for (asked, value) in &before {
        let now = &after[asked];
        let expected = (value != now).then(|| (value.clone(), now.clone()));
        assert_eq!(moved.get(asked), expected.as_ref(), "{asked:?}");
        *by_flag.entry(&asked.0).or_default() += usize::from(value != now);
    }
    for (flag, moves) in by_flag {
        let seen = format!(
            "instances seen in 1 h: {instances}; {moves} move, {} stay",
            instances - moves
        );
        let said = applied.stderr.split('\n').map(str::trim);
        let mut of_flag = said.skip_while(|line| !line.ends_with(&format!("/{flag}")));
        // Where both revisions decide the same, none is appended, and nothing is said.
        let is_shown = of_flag.next().is_some();
        assert!(is_shown || moves == 0, "{flag}: {seen}");
        assert!(
            !is_shown || of_flag.any(|line| line == seen),
            "{flag}: {seen}"
        );
    }
    moved.len()
}
