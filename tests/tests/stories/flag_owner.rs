//! What a flag owner does with `flagctl` is what the service serves.

use flag_store::Scan;
use flag_tests::{Service, TestStore, flagctl, on_both_stores};
use serde_json::Value;

on_both_stores!(
    a_flag_is_added_revised_and_served,
    rows_are_those_of_the_reference,
    processes_that_revise_at_once_get_conflicts,
);

/// Adds a flag and gives everybody in the override list `true`.
fn add_and_revise(store: &TestStore) {
    let added = flagctl(
        store,
        &[
            "add",
            "csr-assistant",
            "feature",
            "beta_search",
            "--description",
            "New search",
        ],
    );
    assert_eq!(added.code, 0, "{added:?}");
    let revised = flagctl(
        store,
        &[
            "revise",
            "csr-assistant",
            "feature",
            "beta_search",
            "--control",
            "false",
            "--percent",
            "0",
            "--override",
            "A12345",
            "--comment",
            "For one",
            "--format-version",
            "1",
        ],
    );
    assert_eq!(revised.code, 0, "{revised:?}");
}

async fn a_flag_is_added_revised_and_served(store: TestStore) {
    add_and_revise(&store);
    let service = Service::start_with(&store, &[], &[("FEATURE_FLAG_CACHE_TTL_MINUTES", "0")]);
    let ask = async |instance| {
        service
            .ask("csr-assistant", "feature", "beta_search", instance)
            .await
            .body["flag_value"]
            .clone()
    };
    assert_eq!(
        (ask("A12345").await, ask("B").await),
        (Value::Bool(true), Value::Bool(false))
    );
    let revised = flagctl(
        &store,
        &[
            "revise",
            "csr-assistant",
            "feature",
            "beta_search",
            "--percent",
            "100",
            "--yes-i-mean",
            "beta_search",
            "--comment",
            "For all",
        ],
    );
    assert_eq!(revised.code, 0, "{revised:?}");
    assert_eq!(ask("B").await, Value::Bool(true));
    let history = flagctl(
        &store,
        &["history", "csr-assistant", "feature", "beta_search"],
    );
    assert!(
        history.stdout.contains("For one") && history.stdout.contains("For all"),
        "{history:?}"
    );
    let got = flagctl(
        &store,
        &[
            "get",
            "csr-assistant",
            "feature",
            "beta_search",
            "-o",
            "json",
        ],
    );
    assert!(got.stdout.contains("New search"), "{got:?}");
}

async fn rows_are_those_of_the_reference(store: TestStore) {
    add_and_revise(&store);
    let rows = store.rows().await.scan(Scan::prefix("")).await.unwrap();
    let keys: Vec<String> = rows
        .iter()
        .map(|row| String::from_utf8(row.key.clone()).unwrap())
        .collect();
    let columns = |at: usize| {
        rows[at]
            .cells
            .iter()
            .map(|(column, _)| str::from_utf8(column).unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let cell = |at: usize, column| {
        str::from_utf8(rows[at].cells.get(column).unwrap())
            .unwrap()
            .to_owned()
    };
    let flag = "FLAGTYPE#feature#FLAGNAME#beta_search#TIME#";
    assert_eq!(
        keys[0],
        format!(
            "PROJECT#csr-assistant#ROWTYPE#FLAG#{flag}{}",
            cell(0, "CreatedTime")
        )
    );
    assert_eq!(
        columns(0),
        "CreatedTime Description EditedBy Name OwnerID Type"
    );
    assert_eq!(keys[1], "PROJECT#csr-assistant#ROWTYPE#HEAD");
    assert_eq!(
        columns(1),
        "ChangeId FLAG/feature/beta_search LatestChange feature/beta_search"
    );
    assert_eq!(
        keys[2],
        format!(
            "PROJECT#csr-assistant#ROWTYPE#REVISION#{flag}{}",
            cell(2, "CreatedTime")
        )
    );
    assert_eq!(
        columns(2),
        "Comment ControlValue CreatedTime FormatVersion Name OwnerID Treatments Type"
    );
    assert_eq!(cell(1, "feature/beta_search"), cell(2, "CreatedTime"));
    let cells = [
        "Name",
        "Type",
        "FormatVersion",
        "ControlValue",
        "Comment",
        "OwnerID",
        "Treatments",
    ]
    .map(|column| cell(2, column));
    assert_eq!(
        cells,
        [
            "beta_search",
            "FEATURE",
            "1",
            "False",
            "For one",
            "John Smith",
            "[{'OverrideList': ['A12345'], 'PercentRollout': 0, 'Value': True}]"
        ]
    );
    // Google's own client sees the same; where it isn't installed, the rows above are all that was looked at.
    if let Some(printed) = store.cbt_read() {
        for part in [
            &keys[0],
            &keys[2],
            "metadata:FormatVersion",
            "metadata:Description",
            "\"John Smith\"",
        ] {
            assert!(printed.contains(part), "{part} in {printed}");
        }
    }
}

/// Six processes raise a percentage by one five times each; nobody's step is lost.
async fn processes_that_revise_at_once_get_conflicts(store: TestStore) {
    add_and_revise(&store);
    let conflicts: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| (0..5).map(|_| raise(&store)).sum::<usize>()))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(percent(&store), 30, "after {conflicts} conflicts");
    let history = flagctl(
        &store,
        &[
            "history",
            "csr-assistant",
            "feature",
            "beta_search",
            "--limit",
            "100",
            "-o",
            "json",
        ],
    );
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["revisions"].as_array().unwrap().len(), 31);
}

fn newest(store: &TestStore) -> Value {
    let got = flagctl(
        store,
        &[
            "get",
            "csr-assistant",
            "feature",
            "beta_search",
            "-o",
            "json",
        ],
    );
    let got: Value = serde_json::from_str(&got.stdout).unwrap();
    got["revision"].clone()
}

fn percent(store: &TestStore) -> i64 {
    newest(store)["treatments"][0]["percent"].as_i64().unwrap()
}

/// Raises the percentage by one on top of what it has read; returns how many conflicts were reported to it.
fn raise(store: &TestStore) -> usize {
    let mut conflicts = 0;
    loop {
        let newest = newest(store);
        let percent = (newest["treatments"][0]["percent"].as_i64().unwrap() + 1).to_string();
        let from = newest["created"].as_str().unwrap();
        let flag = ["csr-assistant", "feature", "beta_search"];
        let revised = flagctl(
            store,
            &[
                "revise",
                flag[0],
                flag[1],
                flag[2],
                "--percent",
                &percent,
                "--from-revision",
                from,
                "--comment",
                "one more",
            ],
        );
        match revised.code {
            0 => return conflicts,
            4 => conflicts += 1,
            _ => panic!("{revised:?}"),
        }
    }
}
