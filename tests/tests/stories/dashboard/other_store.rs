//! Two environments side by side that are two stores.

use std::time::{Duration, Instant};

use flag_model::FlagKey;
use flag_tests::{Method, Service, TestStore, flagctl};

use super::access::Keys;
use super::browser::{axe, browser, check_accessibility, check_no_complaint, width};
use super::compare::leave;

/// The page that compares a project with that of the other store.
const PAGE: &str = "/dashboard/compare?project=p&with=p&in=other";

/// How long a machine with much else to do may take to try again.
const NOTICED: Duration = Duration::from_secs(30);

/// Leaves flags of a project `p`: the name and the percentage of each.
async fn leave_flags(store: &TestStore, flags: &[(&str, &str)]) {
    let flags: Vec<(FlagKey, &str)> = flags
        .iter()
        .map(|(name, percent)| (format!("p/feature/{name}").parse().unwrap(), *percent))
        .collect();
    let revisions = flags.iter().map(|(flag, percent)| (flag, 1, *percent));
    leave(store, &revisions.collect::<Vec<_>>()).await;
}

/// A service that compares with this store.
fn start(store: &TestStore, name: &str, other: &str) -> Service {
    let other = format!("{name}={other}");
    Service::start_with(store, &["--dashboard-other-store", &other], &[])
}

async fn get(service: &Service, path: &str) -> (u16, String) {
    let response = service.request(Method::GET, path).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Asks for a page until it has this part.
async fn get_until(service: &Service, path: &str, part: &str) -> String {
    let began = Instant::now();
    loop {
        let (_, text) = get(service, path).await;
        if text.contains(part) {
            return text;
        }
        assert!(began.elapsed() < NOTICED, "{part} is not in {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Another store of the same kind.
fn another(store: &TestStore) -> TestStore {
    match store {
        TestStore::Embedded(_) => TestStore::embedded(),
        TestStore::Bigtable { emulator, .. } => TestStore::at(emulator.clone()),
    }
}

async fn a_project_is_compared_with_that_of_another_store(store: TestStore) {
    let other = another(&store);
    leave_flags(&store, &[("same", "10"), ("more", "10"), ("old", "10")]).await;
    leave_flags(&other, &[("same", "10"), ("more", "20"), ("new", "10")]).await;
    let service = start(&store, "hcb-test", &other.name());
    let text = get_until(&service, PAGE, "1 flag equal, 1 different").await;
    for part in [
        "10 % true",
        "20 % true",
        "has no such flag",
        "hcb-test",
        "hcb-dev",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // Its flags have no page here.
    assert!(
        text.contains("name=old") && !text.contains("name=new"),
        "{text}"
    );
    let (status, text) = get(&service, "/dashboard/compare?project=p&with=q&in=other").await;
    assert!(status == 404 && text.contains("q in hcb-test"), "{text}");
    let (_, flags) = get(&service, "/dashboard/flags?project=p").await;
    assert!(flags.contains("with=p&amp;in=other"), "{flags}");
    // Evaluations know nothing of it.
    let asked = service.ask("p", "feature", "new", "A12345").await;
    assert_eq!(asked.status, 404);
}

flag_tests::on_both_stores!(a_project_is_compared_with_that_of_another_store);

#[tokio::test(flavor = "multi_thread")]
async fn another_store_that_fails_costs_its_page_alone() {
    let store = TestStore::embedded();
    leave_flags(&store, &[("same", "10")]).await;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("later");
    let service = start(
        &store,
        "hcb-test",
        &format!("embedded:{}", missing.display()),
    );
    let (status, text) = get(&service, PAGE).await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("The store of hcb-test cannot be read"),
        "{text}"
    );
    // It is only read: nothing is made.
    assert!(!missing.exists());
    for path in [
        "/dashboard",
        "/dashboard/flags?project=p",
        "/dashboard/health",
        "/readyz",
    ] {
        assert_eq!(get(&service, path).await.0, 200, "{path}");
    }
    let asked = service.ask("p", "feature", "same", "A12345").await;
    assert_eq!(asked.status, 200);

    let other = TestStore::embedded();
    leave_flags(&other, &[("same", "10")]).await;
    let TestStore::Embedded(there) = &other else {
        panic!("another store")
    };
    std::os::unix::fs::symlink(there.path(), &missing).unwrap();
    get_until(&service, PAGE, "1 flag equal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_that_a_key_may_not_see_are_hidden_in_another_store_too() {
    let keys = Keys::new();
    let other = TestStore::embedded();
    leave_flags(&other, &[("same", "10")]).await;
    let key = keys.create("read", "csr-assistant");
    let named = format!("hcb-test={}", other.name());
    let service = keys.start(&["--dashboard-other-store", &named]);
    let path = "/dashboard/compare?project=csr-assistant&with=p&in=other";
    let request = service.request(Method::GET, path).bearer_auth(&key);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(!response.text().await.unwrap().contains("hcb-test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_another_store_appears_and_the_page_reads_well() {
    let Some(mut browser) = browser("two stores") else {
        return;
    };
    let (store, other) = (TestStore::embedded(), TestStore::embedded());
    leave_flags(&store, &[("checkout", "10"), ("search", "50")]).await;
    leave_flags(
        &other,
        &[("checkout", "10"), ("search", "20"), ("new", "100")],
    )
    .await;
    let service = start(&store, "hcb-prod", &other.name());
    // A page that says that the store is being opened loads itself again.
    get_until(&service, PAGE, "1 flag equal").await;
    browser.goto(&format!("{}/dashboard/flags?project=p", service.url()));
    browser.eval("window.isOld = true");
    browser.eval("[...document.links].find(link => link.href.includes('in=other')).click()");
    browser.wait_for_page();
    browser.wait_until("document.querySelectorAll('[data-row]').length === 2");
    browser.eval("window.isSame = true");
    let args = [
        "revise",
        "p",
        "feature",
        "checkout",
        "--percent=30",
        "--comment=more",
        "--yes",
    ];
    let revised = flagctl(&other, &args);
    assert_eq!(revised.code, 0, "{revised:?}");
    browser.wait_until("document.querySelectorAll('[data-row]').length === 3");
    assert_eq!(browser.eval("window.isSame"), serde_json::json!(true));
    let text = browser.text("document.querySelector('main').innerText");
    assert!(
        text.contains("hcb-prod") && text.contains("production"),
        "{text}"
    );
    let axe = axe();
    browser.size(1_200, 860);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.goto(&format!("{}{PAGE}", service.url()));
        check_accessibility(&mut browser, axe.as_ref());
    }
    browser.goto(&format!("{}/dashboard/compare?project=p", service.url()));
    check_accessibility(&mut browser, axe.as_ref());
    browser.size(360, 740);
    browser.goto(&format!("{}{PAGE}&show=all", service.url()));
    assert!(width(&mut browser) <= 360, "{}", width(&mut browser));
    check_no_complaint(&browser);
}
