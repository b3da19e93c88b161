//! The keys of the pages, and the pages without a script.

use flag_tests::{Browser, Service, TestStore};
use serde_json::json;

use super::access::Keys;
use super::browser::{FLAG, LIST, browser};
use super::checks::check_no_complaint;
use super::search::{MANY, leave_60_flags};

/// Which row has the focus, from one on; zero if none has.
fn row(browser: &mut Browser) -> u64 {
    let row = browser.eval(
        "1 + [...document.querySelectorAll('[data-row]')].indexOf(document.activeElement.closest('[data-row]'))",
    );
    row.as_u64().unwrap()
}

/// Does something that opens another page, and waits for that.
#[track_caller]
fn follow(browser: &mut Browser, act: impl FnOnce(&mut Browser)) {
    browser.eval("window.isOld = true");
    act(browser);
    browser.wait_for_page();
}

#[tokio::test(flavor = "multi_thread")]
async fn j_and_k_move_between_rows_and_stop_at_the_ends() {
    let Some(mut browser) = browser("keys") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for page in ["/dashboard", LIST, FLAG] {
        browser.goto(&format!("{}{page}", service.url()));
        let rows = browser.eval("document.querySelectorAll('[data-row]').length");
        let rows = rows.as_u64().unwrap();
        assert!(rows > 0, "{page}");
        assert_eq!(row(&mut browser), 0, "{page}");
        // From nowhere `k` goes to the last row.
        browser.press("k");
        assert_eq!(row(&mut browser), rows, "{page}");
        for expected in (1..rows).rev().chain([1]) {
            browser.press("k");
            assert_eq!(row(&mut browser), expected, "{page}");
        }
        for expected in (2..=rows).chain([rows]) {
            browser.press("j");
            assert_eq!(row(&mut browser), expected, "{page}");
        }
        // In a field they are letters.
        browser.press("/");
        browser.press("k");
        assert_eq!(browser.text("document.activeElement.value"), "k", "{page}");
    }
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_page_of_a_flag_a_key_leads_to_who_gets_what() {
    let Some(mut browser) = browser("a look-up by keyboard") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}{FLAG}", service.url()));
    browser.press("/");
    assert_eq!(browser.text("document.activeElement.id"), "instance");
    browser.write("A12345");
    follow(&mut browser, |browser| browser.press("Enter"));
    let answer = browser.text("document.querySelector('.answer').innerText");
    assert!(
        answer.contains("A12345") && answer.contains("treatment_1"),
        "{answer}"
    );
    // The next one replaces it.
    browser.press("/");
    browser.write("B1");
    assert_eq!(browser.text("document.activeElement.value"), "B1");
    // On a page without a field the key does nothing.
    browser.goto(&format!("{}/dashboard/health", service.url()));
    browser.press("/");
    assert_eq!(browser.text("document.activeElement.tagName"), "BODY");
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_one_signs_in_searches_and_turns_pages() {
    let Some(mut browser) = browser("signing in without a script") else {
        return;
    };
    let keys = Keys::new();
    leave_60_flags(&keys.store).await;
    let key = keys.create("read", "*");
    let service = keys.start(&[]);
    browser.allow_scripts(false);
    browser.goto(&format!("{}{MANY}", service.url()));
    assert_eq!(browser.text("location.pathname"), "/dashboard/sign-in");
    for (key, leads_to) in [("wrong", "/dashboard/sign-in"), (&*key, "/dashboard/flags")] {
        browser.eval("document.getElementById('key').focus()");
        browser.write(key);
        follow(&mut browser, |browser| browser.press("Enter"));
        assert_eq!(browser.text("location.pathname"), leads_to);
    }
    let rows = "document.querySelectorAll('[data-row]').length";
    assert_eq!(browser.eval(rows), json!(50));
    browser.eval("document.querySelector('a[rel=next]').focus()");
    follow(&mut browser, |browser| browser.press("Enter"));
    assert_eq!(browser.eval(rows), json!(10));
    browser.eval("document.getElementById('owner').focus()");
    browser.write("ann");
    follow(&mut browser, |browser| browser.press("Enter"));
    let count = "document.querySelector('.count').textContent";
    assert_eq!(browser.text(count), "1 of 60 flags");
    // The page may be the very one that was left.
    browser.eval("history.back()");
    browser.wait_until(&format!("{rows} === 10"));
    browser.eval("document.querySelector('a[rel=prev]').focus()");
    follow(&mut browser, |browser| browser.press("Enter"));
    assert_eq!(browser.eval(rows), json!(50));
    browser.eval("document.querySelector('header button').focus()");
    follow(&mut browser, |browser| browser.press("Enter"));
    browser.goto(&format!("{}{MANY}", service.url()));
    assert_eq!(browser.text("location.pathname"), "/dashboard/sign-in");
    browser
        .complaints
        .retain(|complaint| !complaint.contains("status of 401"));
    check_no_complaint(&browser);
}
