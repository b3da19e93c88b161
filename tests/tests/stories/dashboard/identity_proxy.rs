//! People who come through an identity-aware proxy.

use std::time::{Duration, Instant};

use flag_tests::{IdentityProxy, Method, Service, flagctl};
use serde_json::{Value, json};

use super::access::{FLAG, Keys, NOTICED, form, send, sign_in};
use super::browser::{axe, browser, check_accessibility, check_no_complaint, width};
use super::changes::fields;

const ANN: &str = "ann@example.com";

/// Status and text of a page for somebody whom the proxy names.
async fn page(service: &Service, path: &str, assertion: &str) -> (u16, String) {
    let request = service.request(Method::GET, path);
    let response = request.header(IdentityProxy::HEADER, assertion).send();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

/// Asks until the answer has this status.
async fn page_until(service: &Service, assertion: &str, status: u16) -> String {
    let began = Instant::now();
    loop {
        let (found, text) = page(service, "/dashboard", assertion).await;
        if found == status {
            return text;
        }
        assert!(began.elapsed() < NOTICED, "{found}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_identity_aware_proxy_have_the_rights_of_its_key_until_it_is_revoked() {
    let (keys, proxy) = (Keys::new(), IdentityProxy::start().await);
    let key = keys.create("read", "csr-assistant");
    let id = key.split('_').nth(1).unwrap();
    let service = keys.start(&[
        "--iap-audience",
        IdentityProxy::AUDIENCE,
        "--iap-key-id",
        id,
        "--iap-keys-url",
        &proxy.keys_url(),
    ]);
    let ann = proxy.assertion(ANN, &[]);
    let home = page_until(&service, &ann, 200).await;
    assert!(
        home.contains(ANN) && home.contains("csr-assistant"),
        "{home}"
    );
    assert!(!home.contains("Sign out"), "{home}");
    assert_eq!(page(&service, FLAG, &ann).await.0, 200);
    let other = "/dashboard/flags?project=other";
    assert_eq!(page(&service, other, &ann).await.0, 404);
    // It names people to the dashboard only.
    assert_eq!(page(&service, "/metrics", &ann).await.0, 401);

    let long_ago = Value::from(1_000_000_000);
    let stranger = IdentityProxy::start().await;
    for (refused, assertion) in [
        (
            "audience",
            proxy.assertion(ANN, &[("aud", json!("/projects/1/apps/a"))]),
        ),
        (
            "issuer",
            proxy.assertion(ANN, &[("iss", json!("https://example.com"))]),
        ),
        ("time", proxy.assertion(ANN, &[("exp", long_ago)])),
        ("signature", stranger.assertion(ANN, &[])),
        ("form", "garbage".to_owned()),
        ("nothing", String::new()),
    ] {
        assert_eq!(page(&service, FLAG, &assertion).await.0, 303, "{refused}");
    }
    service.must_log("an assertion of the identity-aware proxy was refused");

    // Known people stay known while the keys cannot be fetched.
    proxy.hide_keys();
    let bob = proxy.assertion("bob@example.com", &[]);
    let home = page_until(&service, &bob, 200).await;
    assert!(home.contains("bob@example.com"), "{home}");
    keys.revoke(&key);
    page_until(&service, &bob, 303).await;
}

/// A service behind a proxy, whose people have these scopes.
async fn behind(proxy: &IdentityProxy, keys: &Keys, scopes: &[&str]) -> Service {
    let key = keys.create_for(scopes, "csr-assistant", "Proxy");
    let id = key.split('_').nth(1).unwrap();
    let service = keys.start(&[
        "--dashboard-writes=on",
        "--iap-audience",
        IdentityProxy::AUDIENCE,
        "--iap-key-id",
        id,
        "--iap-keys-url",
        &proxy.keys_url(),
    ]);
    page_until(&service, &proxy.assertion(ANN, &[]), 200).await;
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_proxy_says_who_somebody_is_no_key_is_asked_for() {
    let (keys, proxy) = (Keys::new(), IdentityProxy::start().await);
    let admin = keys.create_for(&["read", "admin"], "csr-assistant", "Admin");
    let service = behind(&proxy, &keys, &["read"]).await;
    let ann = proxy.assertion(ANN, &[]);
    let request = form(&service, "/dashboard/sign-in", &format!("key={admin}"));
    let request = request.header(IdentityProxy::HEADER, &ann);
    let (status, headers, text) = send(request).await;
    assert_eq!(status, 400, "{text}");
    assert!(
        text.contains("signing in with an API key has no effect"),
        "{text}"
    );
    assert!(!headers.contains_key("set-cookie"));
    let change = FLAG.replace("/flag?", "/change?") + "&do=off";
    let change = change.replace("llm_version", "llm_provider");
    let (status, text) = page(&service, &change, &ann).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("FLAG_IAP_KEY_ID"), "{text}");
    assert!(!text.contains("name=\"comment\""), "{text}");
    assert!(!text.contains("/dashboard/sign-in"), "{text}");
    // Without the proxy, a key counts.
    sign_in(&service, &admin).await;

    let Some(mut browser) = browser("an identity-aware proxy") else {
        return;
    };
    browser.command("Network.enable", &json!({}));
    let headers = json!({ "headers": { IdentityProxy::HEADER: ann } });
    browser.command("Network.setExtraHTTPHeaders", &headers);
    for path in ["/dashboard", FLAG, "/dashboard/sign-in"] {
        browser.goto(&format!("{}{path}", service.url()));
        let who = browser.text("document.querySelector('header').innerText");
        assert!(
            who.contains("ann@example.com, says the identity-aware proxy"),
            "{who}"
        );
        check_accessibility(&mut browser, axe().as_ref());
    }
    let fields = browser.eval("document.querySelectorAll('main form, main input').length");
    assert_eq!(fields, json!(0));
    let text = browser.text("document.querySelector('main').innerText");
    assert!(text.contains("An API key has no effect here"), "{text}");
    browser.size(360, 740);
    browser.goto(&format!("{}/dashboard", service.url()));
    assert!(width(&mut browser) <= 360);
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_person_of_the_proxy_has_their_address_in_the_history() {
    let (keys, proxy) = (Keys::new(), IdentityProxy::start().await);
    let service = behind(&proxy, &keys, &["read", "admin"]).await;
    let effect = FLAG.replace("/flag?", "/change?") + "&do=percent&group=treatment_1&percent=25";
    let effect = effect.replace("llm_version", "llm_provider");
    let [ann, bob] = [ANN, "bob@example.com"].map(|person| proxy.assertion(person, &[]));
    let (status, shown) = page(&service, &effect, &ann).await;
    assert_eq!(status, 200, "{shown}");
    assert!(
        shown.contains("Recorded as a change of <bdi>ann@example.com"),
        "{shown}"
    );
    let sent = format!("{}&comment=To+a+quarter", fields(&shown));
    let submit = async |person: &str| {
        let request = form(&service, "/dashboard/change", &sent);
        send(request.header(IdentityProxy::HEADER, person)).await
    };
    // The form is of one person, even though all have the same rights.
    let (status, _, text) = submit(&bob).await;
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("does not belong to your session"), "{text}");
    let (status, headers, text) = submit(&ann).await;
    assert_eq!(status, 303, "{text}");
    let done = headers["location"].to_str().unwrap();
    let (_, text) = page(&service, done, &ann).await;
    assert!(
        text.contains("r2 is in force: <bdi>25 % get vertex"),
        "{text}"
    );
    let history = flagctl(&keys.store, &["history", "csr-assistant/llm_provider"]);
    assert_eq!(history.code, 0, "{history:?}");
    for part in ["ann@example.com", "To a quarter"] {
        assert!(history.stdout.contains(part), "{history:?}");
    }
    assert!(!history.stdout.contains("bob@example.com"), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_name_no_history_can_hold_gets_an_explanation() {
    let (keys, proxy) = (Keys::new(), IdentityProxy::start().await);
    let service = behind(&proxy, &keys, &["read", "admin"]).await;
    let change = FLAG.replace("/flag?", "/change?") + "&do=off";
    let change = change.replace("llm_version", "llm_provider");
    let ann = proxy.assertion(ANN, &[]);
    assert_eq!(page(&service, &change, &ann).await.0, 200);
    let long = proxy.assertion(&format!("{}@example.com", "l".repeat(300)), &[]);
    let says = "which cannot stand in the history of a flag: expected 1 to 256 bytes";
    for path in [FLAG, change.as_str()] {
        let (status, text) = page(&service, path, &long).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains(says) && text.contains("lllll"), "{text}");
        assert!(!text.contains("/dashboard/sign-in"), "{text}");
    }
}
