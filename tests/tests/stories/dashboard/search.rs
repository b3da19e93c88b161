//! The search and the filters of a list in Chromium: what is typed, the rows and the address always say the same.

use flag_tests::{Browser, Service, TestStore};
use serde_json::json;

use super::browser::{FLAG, LIST, browser, check_no_complaint};

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
