//! The search and the filters of a list in Chromium: what is typed, the rows and the address always say the same.

use std::time::Duration;

use flag_model::{FlagKey, Metadata, MetadataParts, OwnerId};
use flag_store::{Clock as _, RowOptions, SystemClock, encode_metadata, encode_revision};
use flag_tests::{Browser, Service, TestStore};
use serde_json::json;

use super::browser::{FLAG, LIST, browser};
use super::checks::check_no_complaint;
use super::pages::{page, revision};

/// The list of the flags of [`leave_60_flags`].
pub(super) const MANY: &str = "/dashboard/flags?project=many";

/// What a field has.
fn value(browser: &mut Browser, id: &str) -> String {
    browser.text(&format!("document.getElementById('{id}').value"))
}

/// Waits until the list says that this many flags are found, such as `1 of 3 flags`.
#[track_caller]
fn wait_for(browser: &mut Browser, count: &str) {
    browser.wait_until(&format!(
        "document.querySelector('.count').textContent === {}",
        json!(count)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_leaves_the_search_with_its_text_and_its_rows() {
    let Some(mut browser) = browser("escape") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}{LIST}", service.url()));
    wait_for(&mut browser, "3 flags");
    browser.press("/");
    browser.write("router");
    // Even before the rows are found.
    browser.press("Escape");
    assert_eq!(browser.text("document.activeElement.tagName"), "BODY");
    wait_for(&mut browser, "1 of 3 flags");
    browser.press("/");
    browser.press("Escape");
    browser.eval("new Promise(done => setTimeout(done, 500))");
    wait_for(&mut browser, "1 of 3 flags");
    assert_eq!(value(&mut browser, "q"), "router");
    assert!(browser.text("location.search").contains("q=router"));
    // The text is selected when one comes back to it, so that one key empties it.
    browser.press("/");
    browser.press("Backspace");
    wait_for(&mut browser, "3 flags");
    assert_eq!(value(&mut browser, "q"), "");
    assert!(!browser.text("location.search").contains("q="));

    browser.goto(&format!("{}{FLAG}&ids=A1", service.url()));
    browser.eval("document.getElementById('ids').focus()");
    browser.press("Escape");
    assert_eq!(value(&mut browser, "ids"), "A1");
    check_no_complaint(&browser);
}

/// Leaves 60 flags; two have metadata: `flag_00` of `Ann Smith` with the tag `Payments`, `flag_01` of `Bob` without a revision.
pub(super) async fn leave_60_flags(store: &TestStore) {
    let now = SystemClock.now().saturating_sub(Duration::from_mins(1));
    let flag = |number: u32| -> FlagKey {
        let flag_type = if number.is_multiple_of(2) {
            "feature"
        } else {
            "data"
        };
        format!("many/{flag_type}/flag_{number:02}")
            .parse()
            .unwrap()
    };
    let owned = [(0, "Ann Smith", "Payments"), (1, "Bob", "search")].map(|(number, owner, tag)| {
        let parts = MetadataParts {
            flag: flag(number),
            description: String::new(),
            owner: OwnerId::new(owner).ok(),
            edited_by: None,
            ticket: None,
            tags: vec![tag.to_owned()],
            expires_on: None,
        };
        encode_metadata(&Metadata::new(now, parts).unwrap())
    });
    let made = (0..60).filter(|number| *number != 1).map(|number| {
        let model = revision(&"many/feature/f".parse().unwrap(), now, "10");
        let mut parts = model.into_parts();
        parts.flag = flag(number);
        if !number.is_multiple_of(2) {
            parts.treatments.clear();
            parts.control = flag_model::FlagValue::text("4.1").unwrap();
        }
        let revision = flag_model::Revision::new(now, parts).unwrap();
        encode_revision(&revision, &RowOptions::default()).unwrap()
    });
    store
        .leave(&owned.into_iter().chain(made).collect::<Vec<_>>())
        .await;
}

/// A service of which all 60 flags are known.
async fn with_60_flags(store: &TestStore) -> Service {
    leave_60_flags(store).await;
    let service = Service::start(store);
    while !page(&service, MANY).await.contains("60 flags</p>") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service
}

/// Goes back, and waits until the list says this.
#[track_caller]
fn go_back(browser: &mut Browser, count: &str) {
    browser.eval("history.back()");
    wait_for(browser, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_parts_of_words_and_back_undoes_each_choice() {
    let Some(mut browser) = browser("filters") else {
        return;
    };
    let store = TestStore::embedded();
    let service = with_60_flags(&store).await;
    browser.goto(&format!("{}{MANY}", service.url()));
    let steps = browser.eval("history.length");

    // While it is typed the address follows, without a step for each letter.
    for (field, typed, count) in [
        ("owner", "sMI", "1 of 60 flags"),
        ("tag", "PAY", "1 of 60 flags"),
    ] {
        browser.eval(&format!("document.getElementById('{field}').focus()"));
        browser.write(typed);
        wait_for(&mut browser, count);
        browser.eval(&format!("document.getElementById('{field}').select()"));
        browser.press("Backspace");
        wait_for(&mut browser, "60 flags");
    }
    assert_eq!(browser.eval("history.length"), steps);

    // Each choice is a step, and so is what was typed once it is sent.
    browser.eval("document.getElementById('type').focus()");
    browser.press("d");
    wait_for(&mut browser, "30 of 60 flags");
    browser.eval("document.getElementById('state').focus()");
    browser.press("n");
    wait_for(&mut browser, "1 of 60 flags");
    assert!(
        browser
            .text("location.search")
            .contains("state=no-revision")
    );
    go_back(&mut browser, "30 of 60 flags");
    assert_eq!(value(&mut browser, "state"), "");
    browser.press("Escape");
    browser.press("/");
    browser.write("_1");
    wait_for(&mut browser, "5 of 60 flags");
    browser.press("Enter");
    wait_for(&mut browser, "5 of 60 flags");
    go_back(&mut browser, "30 of 60 flags");
    assert_eq!(
        (value(&mut browser, "q"), value(&mut browser, "type")),
        (String::new(), "data".to_owned())
    );
    browser.eval("history.forward()");
    wait_for(&mut browser, "5 of 60 flags");
    assert_eq!(value(&mut browser, "q"), "_1");
    go_back(&mut browser, "30 of 60 flags");
    go_back(&mut browser, "60 flags");
    assert_eq!(value(&mut browser, "type"), "");
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_is_one_step_and_a_filter_begins_at_the_first() {
    let Some(mut browser) = browser("pages of a list") else {
        return;
    };
    let store = TestStore::embedded();
    let service = with_60_flags(&store).await;
    browser.goto(&format!("{}{MANY}", service.url()));
    let rows = "document.querySelectorAll('[data-row]').length";
    assert_eq!(browser.eval(rows), json!(50));
    browser.eval("window.isOld = true; document.querySelector('a[rel=next]').focus()");
    browser.press("Enter");
    browser.wait_for_page();
    assert_eq!(browser.eval(rows), json!(10));
    let pager = browser.text("document.querySelector('nav.pager').innerText");
    assert!(pager.contains("Page 2 of 2"), "{pager}");
    // What is on page 1 only is found from page 2, too.
    browser.press("/");
    browser.write("flag_02");
    wait_for(&mut browser, "1 of 60 flags");
    browser.press("Enter");
    assert_eq!(browser.eval(rows), json!(1));
    go_back(&mut browser, "60 flags");
    browser.wait_until(&format!("{rows} === 10"));
    browser.eval("window.isOld = true; history.back()");
    browser.wait_for_page();
    assert_eq!(browser.eval(rows), json!(50));
    check_no_complaint(&browser);
}
