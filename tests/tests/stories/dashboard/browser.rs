//! The dashboard in Chromium: keys, phone, no script, pictures.
//!
//! Without Chromium these stories are left out, and say so; without npm only the check of accessibility is.

use flag_model::FlagKey;
use flag_store::{Clock as _, RowOptions, SystemClock, encode_revision};
use flag_tests::{Browser, Service, TestStore, are_optimised};
use serde_json::json;

use super::checks::root;
pub(super) use super::checks::{axe, check_accessibility, check_no_complaint, width};
use super::pages::revision;

pub(super) const LIST: &str = "/dashboard/flags?project=csr-assistant";
pub(super) const FLAG: &str =
    "/dashboard/flag?project=csr-assistant&type=feature&name=multi_step_api_router";

/// A browser, or a line that says that there is none.
pub(super) fn browser(story: &str) -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        println!("LEFT OUT: {story}: this machine has no Chromium");
    }
    browser
}

/// How long a page takes until all of it is there, in milliseconds: the median of nine times.
fn median_load(browser: &mut Browser, url: &str) -> f64 {
    let times = browser.eval(&format!(
        "(async () => {{ const times = []; for (let at = 0; at < 9; at++) {{ const began = performance.now(); \
         await (await fetch('{url}')).text(); times.push(performance.now() - began) }} return times.sort((one, other) => one - other) }})()"
    ));
    times[4].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_among_10_000_is_found_by_keyboard_alone() {
    let Some(mut browser) = browser("a flag among 10,000") else {
        return;
    };
    let store = TestStore::embedded();
    let (now, options) = (SystemClock.now(), RowOptions::default());
    let rows = (0..10_000).map(|number| {
        let flag: FlagKey = format!("many/feature/flag_{number:05}").parse().unwrap();
        encode_revision(&revision(&flag, now, "10"), &options).unwrap()
    });
    store.leave(&rows.collect::<Vec<_>>()).await;
    let service = Service::start(&store);
    let list = format!("{}/dashboard/flags?project=many", service.url());
    browser.goto(&list);
    browser.wait_until("document.querySelector('.count').textContent === '10,000 flags' || (location.reload(), false)");
    for (what, query, most) in [
        ("the list", "", 200.0),
        ("a filter", "&q=_07777&type=feature", 100.0),
    ] {
        let took = median_load(&mut browser, &format!("{list}{query}"));
        println!("{what} of 10,000 flags takes {took} ms");
        assert!(took < most || !are_optimised(), "{what}: {took} ms");
    }
    browser.press("/");
    browser.write("_07777");
    browser.wait_until("document.querySelector('.count').textContent === '1 of 10,000 flags'");
    assert!(browser.text("location.search").contains("q=_07777"));
    browser.press("Escape");
    browser.press("j");
    browser.eval("window.isOld = true");
    browser.press("Enter");
    browser.wait_for_page();
    assert_eq!(
        browser.text("document.querySelector('h1').textContent"),
        "flag_07777"
    );
    browser.eval("window.isOld = true; history.back()");
    browser.wait_for_page();
    assert_eq!(browser.text("document.querySelector('#q').value"), "_07777");
    browser.press("?");
    browser.wait_until("document.getElementById('keys').open");
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_read_well_without_a_script_and_on_a_phone() {
    let Some(mut browser) = browser("without a script") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let look_up = format!("{FLAG}&instance=A12345");
    let pages = [
        "/dashboard",
        LIST,
        FLAG,
        &look_up,
        "/dashboard/health",
        "/dashboard/sign-in",
    ];
    browser.allow_scripts(false);
    browser.goto(&format!("{}{LIST}&q=router", service.url()));
    let list = browser.text("document.querySelector('main').innerText");
    assert!(
        list.contains("1 of 3 flags") && list.contains("40 % get true"),
        "{list}"
    );
    browser.goto(&format!("{}{look_up}", service.url()));
    let answer = browser.text("document.querySelector('.answer').innerText");
    assert!(
        answer.contains("override") && answer.contains("treatment_1"),
        "{answer}"
    );
    let copying = browser.eval(
        "[...document.querySelectorAll('.copy')].every(button => button.offsetParent === null)",
    );
    assert_eq!(copying, json!(true));
    browser.allow_scripts(true);
    browser.size(360, 740);
    for page in pages {
        browser.goto(&format!("{}{page}", service.url()));
        assert!(
            width(&mut browser) <= 360,
            "{page}: {}",
            width(&mut browser)
        );
    }
    browser.goto(&format!("{}{FLAG}", service.url()));
    let time = browser.text("document.querySelector('time').textContent");
    assert!(
        time.contains("UTC = ") && (time.ends_with("+01:00") || time.ends_with("+02:00")),
        "{time}"
    );
    check_no_complaint(&browser);
}

/// Asks for a flag on behalf of many instances, so that there is something to show.
pub(super) async fn ask(service: &Service) {
    for number in 0..200 {
        let name = "multi_step_api_router";
        let instance = format!("A{number}");
        let reply = service.ask("csr-assistant", "feature", name, &instance);
        assert_eq!(reply.await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn served_answers_are_charted_and_pictures_are_taken() {
    let Some(mut browser) = browser("pictures") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    ask(&service).await;
    // At the end of a process its counts are written.
    assert!(service.stop().success());
    let service = Service::start_with(&store, &["--demo"], &[]);
    let flag = format!("{}{FLAG}&instance=A7&span=1h", service.url());
    browser.goto(&flag);
    let served =
        browser.text("document.querySelector('section[aria-labelledby=served]').innerText");
    assert!(served.contains("200 answers logged"), "{served}");
    let lately =
        browser.text("document.querySelector('section[aria-labelledby=lookup] table').innerText");
    let value = browser.text("document.querySelector('.answer code.value').innerText");
    assert_eq!(lately.lines().count(), 2, "{lately}");
    assert!(lately.contains(&value), "{value} is not in {lately}");
    assert!(
        served.contains("it fits the percentages") || served.contains("mismatch"),
        "{served}"
    );
    let bars = browser.eval("document.querySelectorAll('.chart rect').length");
    assert!(bars.as_u64().unwrap() >= 2, "{bars}");
    if std::env::var_os("FLAG_BLESS").is_some() {
        take_pictures(&mut browser, &service, &flag);
    }
    check_no_complaint(&browser);
}

/// Takes the pictures of `docs/dashboard.md`.
fn take_pictures(browser: &mut Browser, service: &Service, flag: &str) {
    let list = format!("{}{LIST}", service.url());
    for (name, page, scheme, (width, height)) in [
        ("list-light", list.as_str(), "light", (1_200, 820)),
        ("list-dark", &list, "dark", (1_200, 820)),
        ("flag-light", flag, "light", (1_200, 1_760)),
        ("flag-dark", flag, "dark", (1_200, 1_760)),
        ("flag-phone", flag, "light", (360, 640)),
    ] {
        browser.prefer(scheme);
        browser.size(width, height);
        browser.goto(page);
        keep_picture(browser, name);
    }
}

/// Keeps a picture of the page for `docs/dashboard.md`.
pub(super) fn keep_picture(browser: &mut Browser, name: &str) {
    let file = root().join(format!("docs/dashboard-{name}.png"));
    std::fs::write(file, browser.picture()).unwrap();
}
