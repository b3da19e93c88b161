//! What the pages say, without a browser.

use std::time::Duration;

use flag_model::{
    BucketScheme, FlagKey, FlagValue, FormatVersion, HashAlgorithm, Percent, Revision,
    RevisionParts, Timestamp, Treatment,
};
use flag_store::{Clock as _, RowOptions, SystemClock, encode_revision};
use flag_tests::{Method, Service, TestStore, flagctl};

pub(super) async fn page(service: &Service, path: &str) -> String {
    let response = service.request(Method::GET, path).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// A revision of version 1 in which this percentage gets `true`, and the others `false`.
pub(crate) fn revision(flag: &FlagKey, created: Timestamp, percent: &str) -> Revision {
    let treatment = Treatment {
        name: None,
        overrides: Vec::new(),
        percent: Percent::parse(percent, FormatVersion::V1).unwrap(),
        value: FlagValue::Boolean(true),
        ranges: Vec::new(),
    };
    let parts = RevisionParts {
        flag: flag.clone(),
        format: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![treatment],
        comment: format!("To {percent} %"),
        owner: None,
        rollback_of: None,
    };
    Revision::new(created, parts).unwrap()
}

pub(super) fn ago(hours: u64) -> Timestamp {
    SystemClock
        .now()
        .saturating_sub(Duration::from_hours(hours))
}

async fn a_page_follows_what_flagctl_writes(store: TestStore) {
    let service = Service::start_with(&store, &["--demo"], &[]);
    let list = "/dashboard/flags?project=csr-assistant";
    let flag = "/dashboard/flag?project=csr-assistant&type=feature&name=multi_step_api_router";
    assert!(
        page(&service, list)
            .await
            .contains("40 % get true, 1 by name, others false")
    );
    let revised = flagctl(
        &store,
        &[
            "revise",
            "csr-assistant",
            "feature",
            "multi_step_api_router",
            "--percent=55",
            "--comment=More <b>of it</b>",
            "--yes",
        ],
    );
    assert_eq!(revised.code, 0, "{revised:?}");
    let began = std::time::Instant::now();
    while !page(&service, list).await.contains("55 % get true") {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the list stays as it was"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = page(&service, flag).await;
    for part in [
        "55 % get true, 1 by name, others false",
        "More &lt;b&gt;of it&lt;/b&gt;",
        ">r2</a>",
        ">r1</a>",
        "40 % true",
        "flagctl rollback csr-assistant feature multi_step_api_router",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

async fn an_instance_is_looked_up_at_any_time(store: TestStore) {
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let options = RowOptions::default();
    let rows = [(48, "100"), (2, "0")].map(|(hours, percent)| {
        encode_revision(&revision(&flag, ago(hours), percent), &options).unwrap()
    });
    store.leave(&rows).await;
    let service = Service::start(&store);
    let look_up = "/dashboard/flag?project=p&type=feature&name=f&instance=A12345";
    let now = page(&service, look_up).await;
    assert!(now.contains("control: no treatment has bucket"), "{now}");
    let yesterday = page(&service, &format!("{look_up}&at=24h")).await;
    assert!(
        yesterday.contains("is in the ranges of the treatment"),
        "{yesterday}"
    );
    assert!(yesterday.contains("flagctl explain --at "), "{yesterday}");
    let before = page(&service, &format!("{look_up}&at=2020-01-01")).await;
    assert!(before.contains("There was no revision then"), "{before}");
    let wrong = page(&service, &format!("{look_up}&at=soon")).await;
    assert!(wrong.contains("The time must be in UTC"), "{wrong}");
}

async fn a_permanent_link_shows_a_revision_and_its_difference(store: TestStore) {
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let (first, second) = (ago(48), ago(2));
    let options = RowOptions::default();
    let rows = [(first, "10"), (second, "20")].map(|(created, percent)| {
        encode_revision(&revision(&flag, created, percent), &options).unwrap()
    });
    store.leave(&rows).await;
    let service = Service::start(&store);
    let link = |at: Timestamp| {
        let at = at.to_string().replace(' ', "T");
        format!("/dashboard/revision?project=p&type=feature&name=f&at={at}")
    };
    let text = page(&service, &link(first)).await;
    assert!(
        text.contains("r2, after") && text.contains("flagctl rollback --to"),
        "{text}"
    );
    let text = page(&service, &link(second)).await;
    for part in ["In force now", "r1, before", "10 % true", "20 % true"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let absent = service.request(Method::GET, &link(ago(3)));
    assert_eq!(absent.send().await.unwrap().status(), 404);
}

async fn a_flag_that_cannot_be_read_is_named_and_hides_no_other(store: TestStore) {
    let options = RowOptions::default();
    let [bad, good] = ["p/feature/bad", "p/feature/good"].map(|flag| flag.parse().unwrap());
    let mut row = encode_revision(&revision(&bad, ago(1), "10"), &options).unwrap();
    row.cells.set("FormatVersion", "9");
    let other = encode_revision(&revision(&good, ago(1), "10"), &options).unwrap();
    store.leave(&[row, other]).await;
    let service = Service::start(&store);
    let list = page(&service, "/dashboard/flags?project=p").await;
    assert!(
        list.contains("2 flags") && list.contains("10 % get true"),
        "{list}"
    );
    let list = page(&service, "/dashboard/flags?project=p&state=unreadable").await;
    assert!(
        list.contains("1 of 2 flags") && list.contains("FormatVersion"),
        "{list}"
    );
    let text = page(&service, "/dashboard/flag?project=p&type=feature&name=bad").await;
    assert!(text.contains("so the flag is not served"), "{text}");
}

flag_tests::on_both_stores!(
    a_page_follows_what_flagctl_writes,
    an_instance_is_looked_up_at_any_time,
    a_permanent_link_shows_a_revision_and_its_difference,
    a_flag_that_cannot_be_read_is_named_and_hides_no_other,
);
