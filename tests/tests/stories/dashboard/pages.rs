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
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
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
    for part in [
        "In force now",
        "r1, before",
        "10 % true",
        "20 % true",
        "so there is nothing to roll back to",
    ] {
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

/// A revision with two treatments, which have ids by name.
fn by_name(flag: &FlagKey, ids: [Vec<String>; 2]) -> Revision {
    let parts = revision(flag, ago(1), "10").into_parts();
    let [treatment] = parts.treatments.as_slice() else {
        panic!("{parts:?}")
    };
    let treatments = ids.map(|ids| Treatment {
        overrides: ids
            .into_iter()
            .map(|id| flag_model::InstanceId::new(id).unwrap())
            .collect(),
        ..treatment.clone()
    });
    let parts = RevisionParts {
        treatments: treatments.to_vec(),
        ..parts
    };
    Revision::new(ago(1), parts).unwrap()
}

async fn ids_by_name_are_counted_searched_for_and_copied(store: TestStore) {
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let many = (0..5_001).map(|id| format!("M{id}")).collect();
    let few = ["A1", "A12", "B7", "C 3"].map(str::to_owned).to_vec();
    let revision = by_name(&flag, [few, many]);
    store
        .leave(&[encode_revision(&revision, &RowOptions::default()).unwrap()])
        .await;
    let service = Service::start(&store);
    let path = "/dashboard/flag?project=p&type=feature&name=f&span=1h&instance=B7&at=30m";
    let all = page(&service, path).await;
    for part in [
        "<bdi>treatment_1</bdi>: 4 ids</h3>",
        "<bdi>treatment_2</bdi>: 5,001 ids</h3>",
        "data-copy=\"A1\nA12\nB7\nC 3\"",
        "The first 5,000 of 5,001 are copied",
        "The first 200 are shown",
    ] {
        assert!(all.contains(part), "{part} is not in {all}");
    }
    let part = page(&service, &format!("{path}&ids=A1")).await;
    for found in [
        "4 ids, 2 found",
        "data-copy=\"A1\nA12\"",
        "5,001 ids, 0 found",
    ] {
        assert!(part.contains(found), "{found} is not in {part}");
    }
    // Pasted from a file and from a sheet.
    let list = page(&service, &format!("{path}&ids=A1%0D%0AM77,+X9%09B7%0AA1")).await;
    for found in [
        "Of 4 ids asked about, 2 in <bdi>treatment_1</bdi>, 1 in <bdi>treatment_2</bdi>, 1 in no list.",
        "data-copy=\"A1\nB7\"",
        "data-copy=\"M77\"",
        "data-copy=\"X9\"",
        "value=\"A1 M77, X9 B7 A1\"",
    ] {
        assert!(list.contains(found), "{found} is not in {list}");
    }
    // Each form keeps what the others have asked.
    let form = |action: &str| {
        let (_, form) = list.split_once(&format!("action=\"{action}\"")).unwrap();
        form.split_once("</form>").unwrap().0.to_owned()
    };
    let (names, lookup) = (form("#names"), form("#lookup"));
    for (form, kept) in [
        (&names, "name=\"instance\" value=\"B7\""),
        (&names, "name=\"at\" value=\"30m\""),
        (&names, "name=\"span\" value=\"1h\""),
        (&lookup, "name=\"span\" value=\"1h\""),
        (&lookup, "type=\"hidden\" name=\"ids\" value=\"A1"),
    ] {
        assert!(form.contains(kept), "{kept} is not in {form}");
    }
    assert_eq!(names.matches("name=\"ids\"").count(), 1, "{names}");
    assert_eq!(lookup.matches("name=\"instance\"").count(), 1, "{lookup}");
}

flag_tests::on_both_stores!(
    a_page_follows_what_flagctl_writes,
    an_instance_is_looked_up_at_any_time,
    a_permanent_link_shows_a_revision_and_its_difference,
    a_flag_that_cannot_be_read_is_named_and_hides_no_other,
    ids_by_name_are_counted_searched_for_and_copied,
);
