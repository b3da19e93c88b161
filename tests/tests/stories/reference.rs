//! The rows that the Python framework's tooling left are served as the Python framework serves them.

use flag_store::{Cells, Row};
use flag_tests::{Service, TestStore, on_both_stores};
use serde_json::Value;

const ROWS: &str = include_str!("../../fixtures/rows.jsonl");
const ANSWERS: &str = include_str!("../../fixtures/answers.jsonl");

on_both_stores!(rows_of_the_reference_are_served_as_they_are);

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Puts the rows into the store as somebody else's, without our row keys, columns or protocol.
async fn load(store: &TestStore) {
    let rows: Vec<Row> = lines(ROWS)
        .iter()
        .map(|row| {
            let cells = row["cells"].as_object().unwrap();
            let cells: Cells = cells
                .iter()
                .map(|(column, text)| (column.as_str(), text.as_str().unwrap()))
                .collect();
            Row {
                key: row["key"].as_str().unwrap().into(),
                cells,
            }
        })
        .collect();
    assert_eq!(rows.len(), 19);
    store.leave(&rows).await;
}

async fn rows_of_the_reference_are_served_as_they_are(store: TestStore) {
    load(&store).await;
    let service = Service::start(&store);
    let answers = lines(ANSWERS);
    assert_eq!(answers.len(), 123);
    for answer in &answers {
        let query: Vec<(&str, &str)> = answer["query"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        for path in ["/get-feature-flag", "/get-feature-flag/"] {
            let reply = service.get(path, &query).await;
            assert_eq!(
                u64::from(reply.status),
                answer["status"].as_u64().unwrap(),
                "{answer}: {reply:?}"
            );
            check(&reply.body, answer);
        }
    }
}

fn check(body: &Value, answer: &Value) {
    if answer["status"] == 200 {
        assert_eq!(body["flag_value"], answer["flag_value"], "{answer}");
        assert_eq!(body["rollout_group"], answer["rollout_group"], "{answer}");
        for field in ["instance_id", "flag_type", "flag_name"] {
            assert_eq!(body[field], answer["query"][field], "{answer}");
        }
    } else {
        let expected = answer["detail"].as_str().unwrap();
        let detail = body["detail"].as_str().unwrap();
        match expected.strip_suffix('…') {
            Some(beginning) => assert!(detail.starts_with(beginning), "{detail}"),
            None => assert_eq!(detail, expected),
        }
    }
}
