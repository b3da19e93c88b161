//! Pages that change while somebody looks at them, in a browser.

use std::time::{Duration, Instant};

use flag_tests::{Browser, Service, StreamProxy, TestStore, Treatment, are_optimised, flagctl};
use serde_json::json;

use super::access::Keys;
use super::browser::{FLAG, LIST, browser};
use super::checks::check_no_complaint;

fn revise(store: &TestStore, percent: u32) {
    let percent = format!("--percent={percent}");
    let revised = flagctl(
        store,
        &[
            "revise",
            "csr-assistant",
            "feature",
            "multi_step_api_router",
            &percent,
            "--comment=more",
            "--yes",
        ],
    );
    assert_eq!(revised.code, 0, "{revised:?}");
}

/// Waits until the page follows its events.
fn wait_until_live(browser: &mut Browser) {
    browser.wait_until("document.getElementById('live-state').textContent === ' · live'");
}

/// A change is on pages within two seconds; a build without optimisation has three more.
#[track_caller]
fn must_be_soon(place: &str, began: Instant) {
    let took = began.elapsed();
    println!("a change was on {place} {took:?} after flagctl had ended");
    let slack = if are_optimised() { 0 } else { 3 };
    assert!(took < Duration::from_secs(2 + slack), "{place}: {took:?}");
}

async fn a_change_made_by_flagctl_appears_without_reloading(store: TestStore) {
    let Some(mut browser) = browser("a change appears") else {
        return;
    };
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.size(1_200, 300);
    browser.goto(&format!("{}{LIST}", service.url()));
    wait_until_live(&mut browser);
    for _ in 0..3 {
        browser.press("j");
    }
    let focused = "document.activeElement.href";
    let before = (browser.text(focused), browser.eval("scrollY"));
    browser.eval("window.isSame = true");
    revise(&store, 55);
    let began = Instant::now();
    browser.wait_until("document.querySelector('main').innerText.includes('55 % get true')");
    must_be_soon("the list", began);
    assert_eq!((browser.text(focused), browser.eval("scrollY")), before);
    assert_eq!(browser.eval("window.isSame"), json!(true));
    let said = browser.text("document.getElementById('live').textContent");
    assert!(
        said.starts_with("Changed: multi_step_api_router: 55 % get true"),
        "{said}"
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('[data-changed]').length"),
        json!(1)
    );

    let stays_open = browser.eval(
        "(() => { const [old, fresh] = [1, 2].map(() => document.createElement('details')); old.open = true; adopt(old, fresh); return old.open })()",
    );
    assert_eq!(
        stays_open,
        json!(true),
        "details close when a page is made again"
    );

    browser.goto(&format!("{}{FLAG}", service.url()));
    wait_until_live(&mut browser);
    browser.eval("window.isSame = true; document.getElementById('instance').focus()");
    browser.write("A123");
    revise(&store, 60);
    let began = Instant::now();
    browser.wait_until("document.querySelector('.timeline').innerText.includes('r3')");
    must_be_soon("the page", began);
    browser.write("45");
    assert_eq!(browser.text("document.activeElement.value"), "A12345");
    assert_eq!(browser.eval("window.isSame"), json!(true));
    let now = browser.text("document.querySelector('p.sentence').innerText");
    assert!(now.starts_with("60 % get true"), "{now}");
    check_no_complaint(&browser);
}

flag_tests::on_both_stores!(a_change_made_by_flagctl_appears_without_reloading);

async fn a_new_project_appears_without_reloading(store: TestStore) {
    let Some(mut browser) = browser("a new project") else {
        return;
    };
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}/dashboard", service.url()));
    wait_until_live(&mut browser);
    browser.press("j");
    browser.eval("window.isSame = true");
    let added = flagctl(
        &store,
        &["add", "billing", "feature", "invoices", "--description=new"],
    );
    assert_eq!(added.code, 0, "{added:?}");
    let rows =
        "[...document.querySelectorAll('[data-row] a')].map(link => link.textContent).join()";
    browser.wait_until(&format!("{rows} === 'billing,csr-assistant'"));
    assert_eq!(browser.eval("window.isSame"), json!(true));
    // Focus stays on its project, which has moved.
    assert_eq!(
        browser.text("document.activeElement.textContent"),
        "csr-assistant"
    );
    let said = browser.text("document.getElementById('live').textContent");
    assert_eq!(said, "2 projects");
    check_no_complaint(&browser);
}

flag_tests::on_both_stores!(a_new_project_appears_without_reloading);

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_says_without_reloading_that_it_is_no_longer_in_force() {
    let Some(mut browser) = browser("a revision that is replaced") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}{FLAG}", service.url()));
    let revision = browser.text("document.querySelector('.timeline a').href");
    browser.goto(&revision);
    wait_until_live(&mut browser);
    let main = "document.querySelector('main').innerText";
    let before = browser.text(main);
    assert!(
        before.contains("This revision is in force, so there is nothing to roll back to"),
        "{before}"
    );
    assert!(!before.contains("flagctl rollback"), "{before}");
    browser.eval("window.isSame = true");
    revise(&store, 55);
    browser.wait_until(&format!("{main}.includes('In force until')"));
    let after = browser.text(main);
    for part in [
        "Show what rolling back to it does",
        "flagctl rollback --to",
        "This dashboard only reads",
    ] {
        assert!(after.contains(part), "{part} is not in {after}");
    }
    // A revision that decides the same is no way back.
    revise(&store, 40);
    browser.wait_until(&format!(
        "{main}.includes('The revision in force decides as this one does')"
    ));
    assert_eq!(browser.eval("window.isSame"), json!(true));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_live_and_a_page_that_is_not_seen_holds_no_stream() {
    let Some(mut browser) = browser("health") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}/dashboard/health", service.url()));
    browser.eval("window.isSame = true");
    let at = browser.text("document.querySelector('main time').dateTime");
    browser.wait_until(&format!(
        "document.querySelector('main time').dateTime !== '{at}'"
    ));
    assert_eq!(browser.eval("window.isSame"), json!(true));
    assert_eq!(
        browser.text("document.getElementById('live').textContent"),
        ""
    );
    browser.goto(&format!("{}{LIST}", service.url()));
    wait_until_live(&mut browser);
    assert_eq!(service.metric("flag_event_streams").await, 1);
    browser.goto(&format!("{}/dashboard", service.url()));
    let began = Instant::now();
    while service.metric("flag_event_streams").await > 0 {
        assert!(began.elapsed().as_secs() < 60, "the stream stays open");
    }
    check_no_complaint(&browser);
}

/// Waits until the page says that it is not up to date.
fn wait_until_not_live(browser: &mut Browser) {
    browser
        .wait_until("document.getElementById('live-state').textContent.startsWith(' · not live')");
}

/// Lets time pass for the page, and has it look; what it then says of itself.
fn state_after(browser: &mut Browser, seconds: u32) -> String {
    browser.text(&format!(
        "(() => {{ const now = Date.now; Date.now = () => now() + 1000 * {seconds}; watch(); Date.now = now; \
         return document.getElementById('live-state').textContent }})()"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hears_nothing_does_not_say_that_it_is_live() {
    let Some(mut browser) = browser("silence") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}{LIST}", service.url()));
    wait_until_live(&mut browser);
    // Two and a half heartbeats of 20 s are 50 s.
    assert_eq!(state_after(&mut browser, 49), " · live");
    assert!(state_after(&mut browser, 51).starts_with(" · not live"));
    // It has asked for the stream anew.
    wait_until_live(&mut browser);

    // A proxy that holds back what the service sends.
    let proxy = StreamProxy::start(&service.address(), Treatment::Buffers).await;
    browser.goto(&format!("{}{LIST}", proxy.url()));
    assert_eq!(state_after(&mut browser, 0), "");
    assert!(state_after(&mut browser, 51).starts_with(" · not live"));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_service_is_gone_says_so() {
    let Some(mut browser) = browser("a service that is gone") else {
        return;
    };
    let store = TestStore::embedded();
    for page in [LIST, "/dashboard/health"] {
        let service = Service::start_with(&store, &["--demo"], &[]);
        browser.goto(&format!("{}{page}", service.url()));
        wait_until_live(&mut browser);
        drop(service);
        wait_until_not_live(&mut browser);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_pages_want_a_session_and_count_as_event_streams() {
    let keys = Keys::new();
    let key = keys.create("read", "csr-assistant");
    let other = keys.create("evaluate", "csr-assistant");
    let service = keys.start(&["--max-event-streams", "1"]);
    let stream = async |project: &str, key: Option<&str>| {
        let path = format!("/dashboard/events?project={project}");
        let request = service.request(flag_tests::Method::GET, &path);
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.unwrap()
    };
    for (project, key, status) in [
        ("csr-assistant", None, 401),
        ("csr-assistant", Some(other.as_str()), 403),
        ("other", Some(&key), 404),
        ("", Some(&key), 400),
    ] {
        let found = stream(project, key).await.status();
        assert_eq!(found, status, "{project}");
    }
    let mut first = stream("csr-assistant", Some(&key)).await;
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    let chunk = first.chunk().await.unwrap().unwrap();
    assert!(chunk.starts_with(b"retry: "));
    assert_eq!(stream("csr-assistant", Some(&key)).await.status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_is_refused_and_is_revoked() {
    let Some(mut browser) = browser("signing in") else {
        return;
    };
    let keys = Keys::new();
    let (key, evaluates) = (keys.create("read", "*"), keys.create("evaluate", "*"));
    let service = keys.start(&[]);
    browser.goto(&format!("{}{FLAG}", service.url()));
    assert_eq!(browser.text("location.pathname"), "/dashboard/sign-in");
    for (wrong, says) in [
        ("garbage", "not a valid API key"),
        (&evaluates, "lacks the scope read"),
    ] {
        browser.eval("document.querySelector('input[name=key]').focus()");
        browser.write(wrong);
        browser.eval("window.isOld = true");
        browser.press("Enter");
        browser.wait_for_page();
        let text = browser.text("document.querySelector('main').innerText");
        assert!(text.contains(says), "{text}");
    }
    browser.eval("document.querySelector('input[name=key]').focus()");
    browser.write(&key);
    browser.eval("window.isOld = true");
    browser.press("Enter");
    browser.wait_for_page();
    assert_eq!(
        browser.text("document.querySelector('h1').textContent"),
        "multi_step_api_router"
    );
    assert_eq!(
        browser.text("document.cookie"),
        "",
        "a script can read the cookie"
    );
    wait_until_live(&mut browser);
    browser.goto(&format!("{}/dashboard/health", service.url()));
    keys.revoke(&key);
    // The page notices by itself.
    browser.wait_until("location.pathname === '/dashboard/sign-in'");
    browser
        .complaints
        .retain(|complaint| !complaint.contains("status of 40"));
    check_no_complaint(&browser);
}
