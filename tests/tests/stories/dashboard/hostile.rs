//! Stored text that looks like markup, and text that nobody sees: on every page it stays text, and is seen.

use std::borrow::Cow;
use std::time::Duration;

use flag_model::{
    FlagKey, FlagName, FlagValue, InstanceId, Metadata, MetadataParts, OwnerId, ProjectName,
    Revision, RevisionParts,
};
use flag_store::{
    CellFormat, Clock as _, CountKey, CountsWriterId, Exposure, Minute, MinuteCounts, Replica,
    ReplicaId, Row, RowOptions, SystemClock, encode_metadata, encode_revision, report,
};
use flag_tests::{Browser, Service, TestStore};
use serde_json::json;

use super::access::Keys;
use super::browser::{FLAG, LIST, browser};
use super::checks::{axe, check_accessibility, check_no_complaint, check_text};
use super::pages::{ago, revision};

/// What must stay text wherever it is stored.
pub(super) const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>javascript:alert(3)\u{202e}\u{200b}end";

fn hostile(before: &str) -> String {
    format!("{before}{HOSTILE}")
}

/// A flag whose every field is hostile.
pub(super) async fn leave_hostile_flag(store: &TestStore) {
    let project = ProjectName::new("csr-assistant").unwrap();
    store.leave(&hostile_flag(project)).await;
}

/// The rows of a flag whose every field is hostile.
fn hostile_flag(project: ProjectName) -> [Row; 2] {
    let now = SystemClock.now().saturating_sub(Duration::from_mins(1));
    let name = HOSTILE.replace('\u{200b}', "");
    let flag = FlagKey {
        project,
        name: FlagName::new(&name).unwrap(),
        ..FlagKey::clone(&"p/data/f".parse().unwrap())
    };
    let metadata = MetadataParts {
        flag: flag.clone(),
        description: hostile("d\n"),
        owner: OwnerId::new(hostile("o")).ok(),
        edited_by: OwnerId::new(hostile("e")).ok(),
        ticket: Some("javascript:alert(4)".to_owned()),
        tags: vec![hostile("t")],
        expires_on: None,
    };
    assert!(metadata.owner.is_some());
    let metadata = Metadata::new(now, metadata).unwrap();
    let model: FlagKey = "p/feature/f".parse().unwrap();
    let parts = revision(&model, now, "50").into_parts();
    let mut treatments = parts.treatments.clone();
    for treatment in &mut treatments {
        treatment.value = FlagValue::text(&hostile("v")).unwrap();
        treatment.overrides = vec![InstanceId::new(hostile("i")).unwrap()];
    }
    let parts = RevisionParts {
        flag,
        treatments,
        control: FlagValue::text(&hostile("c")).unwrap(),
        comment: hostile("k\n"),
        owner: OwnerId::new(hostile("r")).ok(),
        ..parts
    };
    let revision = Revision::new(now, parts).unwrap();
    let row = encode_revision(&revision, &RowOptions::default()).unwrap();
    [encode_metadata(&metadata), row]
}

/// Flags that cannot be read: one for each of these columns, whose cells are hostile.
async fn leave_unreadable_flags(store: &TestStore) {
    let rows = ["FormatVersion", "Treatments"].map(|column| {
        let flag = format!("csr-assistant/feature/{column}").parse().unwrap();
        let revision = revision(&flag, ago(1), "10");
        let mut row = encode_revision(&revision, &RowOptions::default()).unwrap();
        assert!(row.cells.get(column).is_some());
        row.cells.set(column, HOSTILE);
        row
    });
    store.leave(&rows).await;
}

/// What other tooling may have left in the log: an exposure, a count and a replica of hostile texts.
async fn leave_hostile_log(store: &TestStore) {
    let log = store.exposures().await;
    let flag: FlagKey = "csr-assistant/feature/multi_step_api_router"
        .parse()
        .unwrap();
    let exposure = Exposure {
        request_id: "r".into(),
        flag: Cow::Borrowed(&flag),
        instance: InstanceId::new("A12345").unwrap(),
        value: Cow::Owned(FlagValue::Boolean(true)),
        rollout_group: "control".into(),
        reason: None,
        bucket: None,
        revision: None,
        from_cache: None,
        created: SystemClock.now(),
    };
    let mut row = exposure.to_record(CellFormat::Json).unwrap().row().clone();
    for column in ["AssignedValue", "AssignedGroup", "Reason", "Revision"] {
        row.cells.set(column, HOSTILE);
    }
    log.insert_or_compare(&row.into()).await.unwrap();
    let mut counts = MinuteCounts::new(flag, Minute::of(SystemClock.now()));
    let count_key = CountKey::Group {
        revision: None,
        rollout_group: HOSTILE.to_owned(),
        reason: None,
    };
    counts.add(&count_key, 7);
    log.write_counts(CountsWriterId(1), &[counts])
        .await
        .unwrap();
    let replica = Replica {
        id: ReplicaId(1),
        name: hostile("n"),
        build: hostile("b"),
        started: ago(1),
        reported: SystemClock.now(),
        written: None,
        polls_every: None,
    };
    report(&*log, &replica, &[]).await.unwrap();
    log.close().await;
}

/// A key for everything whose comment is hostile.
fn hostile_key(keys: &Keys) -> String {
    let key = keys.create_for(&["read", "admin"], "*", "Ann");
    let file = std::fs::read_to_string(keys.path()).unwrap();
    let named = file.replace("\"Ann\"", &json!(HOSTILE).to_string());
    assert_ne!(named, file);
    std::fs::write(keys.path(), named).unwrap();
    key
}

fn sign_in(browser: &mut Browser, service: &Service, key: &str) {
    browser.goto(&format!("{}/dashboard/sign-in", service.url()));
    browser.eval("document.getElementById('key').focus(), window.isOld = true");
    browser.write(key);
    browser.press("Enter");
    browser.wait_for_page();
}

/// Fails if hostile text is not on the page this often within an element.
#[track_caller]
fn must_show(browser: &mut Browser, within: &str, times: usize) {
    let text = browser.text(&format!(
        "[...document.querySelectorAll({})].map(each => each.innerText).join('\\n')",
        json!(within)
    ));
    let found = text.matches("<script>alert(1)</script>").count();
    assert_eq!(found, times, "{within}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_every_stored_field_stays_text_and_axe_finds_no_serious_fault() {
    let Some(mut browser) = browser("hostile text") else {
        return;
    };
    let axe = axe();
    let keys = Keys::new();
    let key = hostile_key(&keys);
    let path = keys.path();
    let options = ["--demo", "--api-keys-file", &path, "--dashboard-writes=on"];
    let service = Service::start_with(&keys.store, &options, &[("ENVIRONMENT", "hcb-prod")]);
    leave_hostile_flag(&keys.store).await;
    leave_unreadable_flags(&keys.store).await;
    leave_hostile_log(&keys.store).await;
    sign_in(&mut browser, &service, &key);
    browser.goto(&format!("{}{LIST}", service.url()));
    browser.wait_until(
        "document.querySelectorAll('[data-row]').length === 6 || (location.reload(), false)",
    );
    let hostile = browser.text("[...document.querySelectorAll('[data-row] a')].map(a => a.href).find(href => href.includes('script'))");
    let look_up = format!("{hostile}&instance={HOSTILE}&at=%3Cscript%3E&ids=%3Cimg%3E&q=%3Cb%3E");
    let now = format!("{hostile}&instance=A12345");
    let first = browser.text("document.querySelector('[data-row] a').href");
    browser.goto(&hostile);
    let revision = browser.text("document.querySelector('.timeline a').href");
    let start = service.url();
    let served = format!("{start}{FLAG}&span=1h&instance=A12345");
    let [unreadable, too] = ["FormatVersion", "Treatments"]
        .map(|column| format!("{start}{}", FLAG.replace("multi_step_api_router", column)));
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for page in [
            &format!("{start}/dashboard"),
            &format!("{start}{LIST}"),
            &format!("{start}{LIST}&q=%22%3E%3Cscript%3Ealert(5)%3C/script%3E"),
            &served,
            &first,
            &hostile,
            &look_up,
            &now,
            &revision,
            &unreadable,
            &too,
            &format!("{start}/dashboard/compare?project=csr-assistant"),
            &format!("{start}/dashboard/health"),
            &format!("{start}/dashboard/nothing/%3Cscript%3E"),
            &format!("{start}/dashboard/sign-in?next=javascript:alert(6)"),
            &format!("{start}/dashboard/flag?project=%3Cscript%3E&type=x&name=y"),
        ] {
            browser
                .complaints
                .retain(|complaint| !complaint.contains("status of 40"));
            browser.goto(page);
            check_text(&mut browser);
            check_accessibility(&mut browser, axe.as_ref());
        }
    }
    // All of it was there.
    for (page, within, times) in [
        (format!("{start}{LIST}"), "header .who", 1),
        (
            format!("{start}{LIST}&state=unreadable"),
            "td div.problem",
            1,
        ),
        (unreadable, "#now + p.problem", 1),
        (served.clone(), ".answer ~ .wide tbody", 4),
        (served, ".chart figcaption", 1),
        (
            format!("{start}/dashboard/health"),
            "main table tbody tr:has(th bdi) > *",
            2,
        ),
    ] {
        browser.goto(&page);
        must_show(&mut browser, within, times);
    }
    browser
        .complaints
        .retain(|complaint| !complaint.contains("status of 40"));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_field_suggests_is_seen_and_finds_what_it_means() {
    let Some(mut browser) = browser("suggestions") else {
        return;
    };
    let store = TestStore::embedded();
    let name = HOSTILE.replace('\u{200b}', "");
    let project = ProjectName::new(&name).unwrap();
    let plain: FlagKey = "plain/feature/f".parse().unwrap();
    let beside = FlagKey {
        project: project.clone(),
        ..plain.clone()
    };
    let others = [plain, beside].map(|flag| {
        encode_revision(&revision(&flag, ago(1), "10"), &RowOptions::default()).unwrap()
    });
    store.leave(&others).await;
    store.leave(&hostile_flag(project)).await;
    let service = Service::start(&store);
    browser.goto(&format!("{}/dashboard", service.url()));
    let list = browser.text(
        "[...document.querySelectorAll('[data-row] a')].map(a => a.href).find(href => href.includes('script'))",
    );
    browser.goto(&list);
    check_text(&mut browser);
    for field in ["owner", "tag"] {
        let suggested = format!("document.querySelector('#{field}s option').value");
        let suggested = browser.text(&suggested);
        assert!(suggested.contains("\\u{202e}"), "{suggested}");
        browser.goto(&list);
        browser.eval(&format!("document.getElementById('{field}').focus()"));
        browser.write(&suggested);
        browser.wait_until("document.querySelector('.count').textContent === '1 of 2 flags'");
        check_text(&mut browser);
    }
    browser.goto(&format!(
        "{}/dashboard/compare?project=plain",
        service.url()
    ));
    check_text(&mut browser);
    let suggested = browser.text("document.querySelector('#projects option').value");
    assert!(suggested.contains("\\u{202e}"), "{suggested}");
    browser.eval("document.getElementById('with').focus(), window.isOld = true");
    browser.write(&suggested);
    browser.press("Enter");
    browser.wait_for_page();
    check_text(&mut browser);
    let title = browser.text("document.querySelector('h1').innerText");
    assert!(title.contains("plain and"), "{title}");
    check_no_complaint(&browser);
}
